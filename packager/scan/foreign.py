"""Recognises files that mlpack does not read, and advises what to do."""

from __future__ import annotations

import zipfile
from pathlib import Path

from ..errors import ModelError

_SAVE = "save the fitted model with joblib.dump, or in the format of its framework"
_EXPORT = "export the network to ONNX and give that file"
_TORCH = "save the model again with torch.export.save or torch.save"
_ROWS = "save the fitted model, and give rows as --example"
_MAGIC: tuple[tuple[int, bytes, str, str], ...] = (
    (0, b"GGUF", "a GGUF file: the weights of a language model", _EXPORT),
    (4, b"TFL3", "a TensorFlow Lite file", _EXPORT),
    (0, b"\x93NUMPY", "an array of numpy (.npy), not a model", _ROWS),
    (0, b"PAR1", "a Parquet file: rows, not a model", _ROWS),
    (257, b"ustar", "a tar archive", "unpack it and give the model's file"),
    (0, b"\x1f\x8b", "a gzip file of something that is no model", "unpack it and give the model's file"),
    (0, b"BZh", "a bzip2 file of something that is no model", "unpack it and give the model's file"),
    (0, b"\xfd7zXZ\0", "an xz file of something that is no model", "unpack it and give the model's file"),
    (0, b"\x28\xb5\x2f\xfd", "a Zstandard file", "unpack it and give the model's file"),
    (0, b"\x7fELF", "a program or a library", _SAVE),
)


def refusal(path: Path, head: bytes, read: tuple[str, ...]) -> ModelError:
    """The error for a file that no scanner knows; `read`: the containers that have scanners, in words."""
    what, following = _known(path, head)
    known = f"{', '.join(read[:-1])} and {read[-1]}"
    return ModelError(
        f"{path} is not loaded, as its content is of no known kind of model: it is {what}. mlpack reads {known}; "
        f"{following}."
    )


def _known(path: Path, head: bytes) -> tuple[str, str]:
    """What the file is, and what to do."""
    if head.startswith(b"PK"):
        return _zip(path)
    for offset, magic, what, following in _MAGIC:
        if head[offset : offset + len(magic)] == magic:
            return what, following
    return ("text" if _is_text(head) else "of an unknown format"), _SAVE


def _zip(path: Path) -> tuple[str, str]:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, NotImplementedError, EOFError, ValueError, OSError):
        names = []
    if any(name.rpartition("/")[2] in ("data.pkl", "constants.pkl", "model.json") for name in names):
        return "an archive like torch's, but torch did not write it so", _TORCH
    if "model.weights.h5" in names:
        return "weights of Keras without their model", "save the whole model with model.save('FILE.keras')"
    if names and all(name.endswith(".npy") for name in names):
        return "an archive of numpy's arrays (.npz), not a model", _ROWS
    return "a zip archive that skops did not write", _SAVE


def _is_text(head: bytes) -> bool:
    cut = head.decode("utf-8", "ignore")
    return len(cut.encode()) > len(head) - 4 and all(c.isprintable() or c in "\t\r\n\f" for c in cut)
