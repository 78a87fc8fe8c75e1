"""The index of several safetensors files names files beside it, and says truly which tensor is in which."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlpack_toolkit.packager.errors import ModelError, UntrustedError
from mlpack_toolkit.packager.original.source import take_source
from mlpack_toolkit.packager.scan import Scan, beside, look, scan

from .torch_forge import safetensors

ONE, TWO = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
MAP = {"a": ONE, "b": ONE, "c": TWO}


def entry(start: int, end: int) -> dict[str, Any]:
    return {"dtype": "F32", "shape": [(end - start) // 4], "data_offsets": [start, end]}


def written(folder: Path, weight_map: Any = MAP) -> Path:
    """Two files and their index, in a folder of their own."""
    folder.mkdir()
    (folder / ONE).write_bytes(safetensors({"a": entry(0, 8), "b": entry(8, 16)}))
    (folder / TWO).write_bytes(safetensors({"c": entry(0, 16)}))
    path = folder / "model.safetensors.index.json"
    content = weight_map if isinstance(weight_map, bytes) else None
    index = {"metadata": {"total_size": 32}, "weight_map": weight_map} if content is None else content
    path.write_bytes(content or json.dumps(index).encode())
    return path


def test_the_files_come_along(tmp_path: Path) -> None:
    path = written(tmp_path / "weights")
    source = take_source(path, tmp_path / "copy", ())
    assert source.found == Scan("safetensors_index") == scan(path)
    assert sorted(source.relative()) == [ONE, TWO, path.name]
    assert look("safetensors_index", path) == {"tensors": 3, "files": [ONE, TWO]}


OUTSIDE = ("../" + ONE, "/etc/passwd", "sub/x.safetensors", "..", "x.bin", "a\\b.safetensors", "x\0.safetensors", "")


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_file_elsewhere_or_of_another_kind_is_not_read(name: str, tmp_path: Path) -> None:
    path = written(tmp_path / "weights", {**MAP, "c": name})
    for target in (tmp_path / ONE, tmp_path / "weights/x.bin"):
        target.write_bytes(safetensors({"c": entry(0, 16)}))
    with pytest.raises(UntrustedError, match="is no safetensors file beside it"):
        take_source(path, tmp_path / "copy", ())


def _link(path: Path) -> None:
    outside = path.parent.parent / "outside"
    outside.write_bytes(path.with_name(TWO).read_bytes())
    path.with_name(TWO).unlink()
    path.with_name(TWO).symlink_to(outside)


def _folder(path: Path) -> None:
    path.with_name(TWO).unlink()
    path.with_name(TWO).mkdir()


def _lacks(path: Path) -> None:
    path.with_name(TWO).unlink()


def _other_tensor(path: Path) -> None:
    path.with_name(TWO).write_bytes(safetensors({"b": entry(0, 16)}))


def _one_more(path: Path) -> None:
    path.with_name(TWO).write_bytes(safetensors({"c": entry(0, 8), "a": entry(8, 16)}))


def _overlap(path: Path) -> None:
    path.with_name(TWO).write_bytes(safetensors({"c": entry(0, 8)}))


SPOILED: dict[str, tuple[Callable[[Path], None], str]] = {
    "a link": (_link, "is a link or no plain file"),
    "a folder": (_folder, "is a link or no plain file"),
    "a missing file": (_lacks, f"its file '{TWO}' is missing"),
    "another tensor": (_other_tensor, f"{TWO} do not agree on the tensor 'b'"),
    "a tensor in both": (_one_more, f"{TWO} do not agree on the tensor 'a'"),
    "a header that is not true": (_overlap, f"in {TWO}, its tensors end at byte 8 of 16"),
}


@pytest.mark.parametrize("name", SPOILED)
def test_files_that_are_not_as_the_index_says_are_refused(name: str, tmp_path: Path) -> None:
    spoil, said = SPOILED[name]
    path = written(tmp_path / "weights")
    spoil(path)
    with pytest.raises(ModelError, match=said) as caught:
        take_source(path, tmp_path / "copy", ())
    assert caught.value.exit_code == 3 and "copy" not in str(caught.value)
    with pytest.raises(ModelError, match=said):
        beside("safetensors_index", path)


DAMAGED: dict[str, tuple[Any, str]] = {
    "no map": ([], "does not name a file for each tensor"),
    "an empty map": ({}, "does not name a file for each tensor"),
    "a number as a file": ({"a": 1}, "does not name a file for each tensor"),
    "a tensor twice": (b'{"weight_map": {"a": "x", "a": "y"}}', "has a key twice"),
    "no JSON": (b'{"weight_map": ', "not readable JSON"),
    "a deep one": (b'{"weight_map": ' + b"[" * 200_000, "not readable JSON"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_an_index_that_is_none_is_a_clear_error(name: str, tmp_path: Path) -> None:
    weight_map, said = DAMAGED[name]
    with pytest.raises(ModelError, match=said):
        take_source(written(tmp_path / "weights", weight_map), tmp_path / "copy", ())
