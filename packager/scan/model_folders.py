"""The files of a model that is a folder, as Hugging Face's libraries write it: read as data, nothing is imported.

`config.json` is the main file. What it and the index of the weights name stays in the folder, and is checked here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import ModelError, UntrustedError
from .safetensors_files import header_of
from .sharded_weights import shards_of
from .torch_files import once
from .values import Fault

MAIN = "config.json"
INDEX = "model.safetensors.index.json"
WHOLE = "model.safetensors"
PICKLED = "pytorch_model.bin"
MODULES = "modules.json"
MOST_CONFIG = 4 << 20
MOST_TEXT = 256 << 20
TEXTS = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "generation_config.json",
    "preprocessor_config.json",
    "chat_template.jinja",
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
    MODULES,
)
"""Files beside the weights that say how text and images become tensors; all optional."""
CODE = (
    "{path} names code of its own (auto_map: {names}), and mlpack never runs code that comes with a model: write the "
    "model's classes into a folder and build the module with --code DIR (docs/pytorch.md), or use an architecture that "
    "transformers itself has"
)


def is_main(path: Path, head: bytes) -> bool:
    """Whether the file is the configuration of such a folder."""
    return path.name == MAIN and head.lstrip()[:1] == b"{" and b'"model_type"' in path.read_bytes()[:MOST_CONFIG]


def config_of(path: Path) -> dict[str, Any]:
    """The configuration; `UntrustedError` where it wants code of its own, `ModelError` where it is damaged."""
    plain = json_of(path, MOST_CONFIG)
    mapped = plain.get("auto_map")
    if mapped or plain.get("custom_pipelines"):
        names = sorted(map(str, mapped.values())) if isinstance(mapped, dict) else ["custom_pipelines"]
        raise UntrustedError(CODE.format(path=path, names=", ".join(names)[:200]), names=names[:20])
    if not isinstance(plain.get("model_type"), str):
        raise _broken(path, "it has no model_type")
    return plain


def json_of(path: Path, most: int) -> dict[str, Any]:
    """The object in a JSON file of at most so many bytes; raises `ModelError`."""
    found = _parsed(path, most)
    if not isinstance(found, dict):
        raise _broken(path, "it is no JSON object")
    return found


def _parsed(path: Path, most: int) -> Any:
    try:
        if path.stat().st_size > most:
            raise _broken(path, f"it has more than {most} bytes")
        return json.loads(path.read_text("utf-8"), object_pairs_hook=once)
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise _broken(path, f"it is not readable JSON ({str(error)[:100]})") from error


def files_of(main: Path) -> tuple[Path, ...]:
    """The other files of the folder, checked: weights first. Raises `ModelError` and `UntrustedError`."""
    folder = main.parent.resolve()
    config_of(main)
    weights = tuple(_weights(folder))
    for path in weights:
        _check_weights(path)
    texts = [folder / name for name in TEXTS if (folder / name).is_file()]
    for path in texts:
        _check_text(folder, path)
    return (*weights, *texts, *_parts(folder))


def _weights(folder: Path) -> Iterator[Path]:
    if (folder / WHOLE).is_file():
        yield _inside(folder, WHOLE, folder / WHOLE)
    elif (folder / INDEX).is_file():
        yield folder / INDEX
        yield from shards_of(folder / INDEX)
    elif (folder / PICKLED).is_file():
        yield _inside(folder, PICKLED, folder / PICKLED)
    else:
        raise ModelError(
            f"{folder} holds no weights ({WHOLE}, {INDEX} with its shards, or {PICKLED}): copy the whole folder, or "
            "save the model again with save_pretrained"
        )


def _header(path: Path) -> frozenset[str]:
    try:
        return frozenset(header_of(path).tensors)
    except Fault as fault:
        raise _broken(path, str(fault)) from fault


def _inside(folder: Path, name: str, where: Path) -> Path:
    """The file of that name right in the folder; `UntrustedError` for a name that leads elsewhere."""
    path = folder / name
    plain = name not in ("", ".", "..") and not set(name) & set("/\\\0") and len(name) < 256
    if not plain or (path.is_symlink() and folder not in path.resolve().parents):
        raise UntrustedError(
            f"{where} names the file {name[:100]!r}, which is not in its folder: put the files of the model beside "
            "each other, without links",
            names=[name[:200]],
        )
    if not path.is_file():
        raise ModelError(f"{where} names {name}, which is not there: copy the whole folder of the model")
    return path


def _check_weights(path: Path) -> None:
    if path.name == PICKLED:
        _check_pickled(path)
    elif path.suffix == ".safetensors":
        _header(path)


def _check_pickled(path: Path) -> None:
    """Raises `UntrustedError` for a name that a state dict does not need, `ModelError` for another kind of file."""
    from .allowlist import Trust
    from .containers import load

    try:
        found = load("torch_weights").scan(path, Trust(()))
    except Fault as fault:
        raise _broken(path, str(fault)) from fault
    if found is None:
        raise _broken(path, "it is no state dict of torch.save in its zip format")
    if found.refused or found.forbidden:
        raise UntrustedError(
            f"{path} asks for names that are not trusted: {', '.join(found.refused[:8]) or found.forbidden}. Save the "
            "model again with save_pretrained, which writes safetensors.",
            names=list(found.refused),
        )


def _check_text(folder: Path, path: Path) -> None:
    _inside(folder, path.name, path)
    if path.suffix != ".json":
        if path.stat().st_size > MOST_CONFIG:
            raise _broken(path, f"it has more than {MOST_CONFIG} bytes")
        return
    plain = _parsed(path, MOST_TEXT)
    if isinstance(plain, dict) and plain.get("auto_map"):
        raise UntrustedError(CODE.format(path=path, names=str(plain["auto_map"])[:200]), names=[])


def _parts(folder: Path) -> Iterator[Path]:
    """The files of the parts that come after the transformer in a folder of sentence-transformers."""
    if not (folder / MODULES).is_file():
        return
    listed = _parsed(folder / MODULES, MOST_CONFIG)
    parts = [each.get("path", "") for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    for name in sorted({each for each in parts if isinstance(each, str) and each}):
        inner = folder / name
        if set(name) & set("/\\\0") or name in (".", "..") or inner.is_symlink():
            raise UntrustedError(f"{folder / MODULES} names the folder {name[:100]!r}, which is not in its folder")
        for file in (inner / MAIN, inner / WHOLE):
            if file.is_file():
                _inside(inner, file.name, file)
                _check_weights(file)
                yield file


def _broken(path: Path, reason: str) -> ModelError:
    return ModelError(f"{path} cannot be read: {reason}. Save the model again with save_pretrained.")
