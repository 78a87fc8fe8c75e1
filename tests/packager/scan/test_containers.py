"""Each container has a scanner, found by its content; a file that none knows is refused, and never loaded."""

from __future__ import annotations

import ast
import gzip
import io
import pickle
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlpack_toolkit import converters
from mlpack_toolkit.packager.errors import ModelError
from mlpack_toolkit.packager.original.source import take_source
from mlpack_toolkit.packager.scan import containers, scan
from tests.conftest import Run


def zipped(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def tarred(content: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        member = tarfile.TarInfo("model.bin")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def saved(save: Callable[..., None], *arrays: Any) -> bytes:
    buffer = io.BytesIO()
    save(buffer, *arrays)
    return buffer.getvalue()


EVIL = b"cos\nsystem\n(S'true'\ntR."
FOREIGN = {
    "a pickle in a zip": (zipped(**{"data.pkl": EVIL}), r"an archive like torch's.*torch\.save"),
    "weights of Keras": (zipped(**{"model.weights.h5": b""}), r"weights of Keras without their model.*model\.save"),
    "a zip": (zipped(**{"readme.txt": b"hello"}), "a zip archive that skops did not write"),
    "npz": (saved(np.savez, np.zeros(3)), r"\.npz\), not a model.*--example"),
    "npy": (saved(np.save, np.zeros(3)), r"an array of numpy.*--example"),
    "tar": (tarred(EVIL), "a tar archive.*unpack it"),
    "gzip": (gzip.compress(b"just text"), "a gzip file of something that is no model"),
    "GGUF": (b"GGUF\x03\0\0\0" + bytes(64), "a GGUF file"),
    "TFLite": (b"\x1c\0\0\0TFL3" + bytes(64), "a TensorFlow Lite file"),
    "text": ("Grüße, a plain text\n".encode(), r"text\."),
    "JSON of something": (b'{"a": 1}', r"text\."),
    "noise": (bytes(range(255, 0, -1)), "of an unknown format"),
}  # fmt: skip


@pytest.mark.parametrize("suffix", [".pt", ".bin", ".pkl", ".json", ""])
@pytest.mark.parametrize("name", FOREIGN)
def test_an_unknown_container_is_refused_whatever_it_is_called(name: str, suffix: str, tmp_path: Path) -> None:
    content, said = FOREIGN[name]
    path = tmp_path / f"model{suffix}"
    path.write_bytes(content)
    for look in (lambda: scan(path), lambda: take_source(path, tmp_path / "copy", ("os.system", "builtins"))):
        with pytest.raises(ModelError, match=f"no known kind of model: it is .*{said}") as caught:
            look()
        message = str(caught.value)
        assert caught.value.exit_code == 3 and message.startswith(str(path)) and "\n" not in message
        assert all(each.title in message for each in containers.scanners())


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.pt").touch()
    with pytest.raises(ModelError, match="it is empty"):
        scan(tmp_path / "model.pt")


def test_a_build_of_an_unknown_container_ends_with_exit_3(mlpack: Run, tmp_path: Path) -> None:
    (tmp_path / "model.pt").write_bytes(FOREIGN["weights of Keras"][0])
    (tmp_path / "x.json").write_text("[[1, 2]]")
    code, told, error = mlpack("build", "model.pt", "--example", "x.json", "--allow", "os.system")
    assert (code, told["error"]["kind"]) == (3, "ModelError") and "model.save" in error
    assert not (tmp_path / "dist").exists()
    assert mlpack("inspect", "model.pt")[0] == 3


def test_a_file_called_onnx_is_read_as_its_content_says(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(pickle.dumps([1.5]))
    assert scan(path).kind == "pickle"
    path.write_bytes(FOREIGN["weights of Keras"][0])
    with pytest.raises(ModelError, match="cannot be read as an ONNX model"):
        take_source(path, tmp_path / "copy", ())


def test_every_container_is_read_by_a_converter_or_by_the_worker_and_ends_in_its_constant() -> None:
    read = {kind for name in converters.names() for kind in converters.load(name).source.containers}
    assert {"pickle", "skops", "onnx", "rds", "cbm"} <= set(containers.names())
    for name in containers.names():
        path = Path(containers.__file__).with_name(f"{name}.py")
        last = ast.parse(path.read_text(encoding="utf-8")).body[-1]
        assert isinstance(last, ast.Assign) and ast.unparse(last.targets[0]) == "SCANNER"
        assert containers.load(name).name == name
        assert name in read or name in ("pickle", "skops")
    assert read <= set(containers.names())
