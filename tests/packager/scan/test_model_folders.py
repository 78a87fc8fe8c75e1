"""Folders of Hugging Face: read as data before anything is loaded; what is hostile or damaged is refused by name."""

from __future__ import annotations

import json
import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

import pytest

from mlpack_toolkit.packager.config import build_request
from mlpack_toolkit.packager.errors import ModelError, UntrustedError, UsageError
from mlpack_toolkit.packager.original.model_folder import main_file, makes_example
from mlpack_toolkit.packager.original.source import take_source
from mlpack_toolkit.packager.scan import scan

CONFIG = {"model_type": "bert", "architectures": ["BertForMaskedLM"], "hidden_size": 2}
ONE = {"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}


def safetensors(path: Path, header: dict[str, Any] | bytes = ONE, data: bytes = bytes(8), length: int = -1) -> None:
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(raw) if length < 0 else length) + raw + data)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "story"
    made.mkdir()
    (made / "config.json").write_text(json.dumps(CONFIG))
    safetensors(made / "model.safetensors")
    (made / "tokenizer.json").write_text("{}")
    (made / "notes.txt").write_text("not the model's")
    return made


def taken(folder: Path) -> set[str]:
    source = take_source(main_file(folder), folder.parent / "held", ())
    assert source.found.kind == "huggingface" and source.found.names == ()
    return set(source.relative())


def sharded(folder: Path, places: dict[str, str]) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))


def test_a_folder_is_its_configuration_weights_and_texts(folder: Path) -> None:
    assert taken(folder) == {"config.json", "model.safetensors", "tokenizer.json"}
    assert makes_example(folder) and makes_example(folder / "config.json") and not makes_example(folder / "notes.txt")


def test_shards_are_those_that_the_index_names(folder: Path) -> None:
    safetensors(folder / "a.safetensors")
    safetensors(folder / "b.safetensors", {"v": ONE["w"]})
    sharded(folder, {"w": "a.safetensors", "v": "b.safetensors"})
    expected = {"config.json", "model.safetensors.index.json", "a.safetensors", "b.safetensors", "tokenizer.json"}
    assert taken(folder) == expected
    sharded_again = {"w": "a.safetensors", "u": "b.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": sharded_again}))
    with pytest.raises(ModelError, match=r"its index and b\.safetensors do not agree on the tensor .u."):
        take_source(main_file(folder), folder.parent / "again", ())


@pytest.mark.parametrize("name", ["../outside.safetensors", "/etc/passwd", "sub/a.safetensors", "..", "a\\b", ""])
def test_an_index_cannot_leave_its_folder(name: str, folder: Path) -> None:
    safetensors(folder.parent / "outside.safetensors")
    sharded(folder, {"w": name})
    with pytest.raises(UntrustedError, match="no safetensors file beside it"):
        taken(folder)


def test_a_link_out_of_the_folder(folder: Path) -> None:
    safetensors(folder.parent / "outside.safetensors")
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").symlink_to(folder.parent / "outside.safetensors")
    with pytest.raises(UntrustedError, match="not in its folder"):
        taken(folder)


def test_code_of_the_model_is_never_run(folder: Path) -> None:
    (folder / "config.json").write_text(json.dumps({**CONFIG, "auto_map": {"AutoModel": "modeling_story.Story"}}))
    with pytest.raises(UntrustedError, match=r"code of its own \(auto_map: modeling_story\.Story\).*--code DIR"):
        taken(folder)


def test_a_tokeniser_with_code_of_its_own(folder: Path) -> None:
    (folder / "tokenizer_config.json").write_text(json.dumps({"auto_map": {"AutoTokenizer": ["tokens.Mine", None]}}))
    with pytest.raises(UntrustedError, match="code of its own"):
        taken(folder)


OVERLAP = {**ONE, "v": {"dtype": "F32", "shape": [2], "data_offsets": [4, 12]}}


@pytest.mark.parametrize(
    ("header", "length", "said"),
    [
        (OVERLAP, -1, "not behind the tensor before it"),
        (ONE, 10**12, "its header should have 1000000000000 bytes"),
        ({"w": {**ONE["w"], "shape": [3]}}, -1, "do not fit F32"),
        ({"w": {**ONE["w"], "dtype": "OBJECT"}}, -1, "unknown type"),
        (b"[" * 100_000, -1, "cannot be read"),
    ],
)
def test_a_damaged_header(header: Any, length: int, said: str, folder: Path) -> None:
    safetensors(folder / "model.safetensors", header, bytes(12) if header is OVERLAP else bytes(8), length)
    with pytest.raises(ModelError, match=said):
        taken(folder)


class Runs:
    def __reduce__(self) -> Any:
        import os

        return os.system, ("true",)


def test_a_pickle_in_the_place_of_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    with zipfile.ZipFile(folder / "pytorch_model.bin", "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"w": Runs()}, 2))
        archive.writestr("archive/version", "3\n")
    with pytest.raises((UntrustedError, ModelError), match=r"posix\.system|os\.system|no state dict"):
        taken(folder)


@pytest.mark.parametrize("text", ["{", "[]", '{"model_type": 3}', '{"a": 1, "a": 2, "model_type": "bert"}'])
def test_a_damaged_configuration(text: str, folder: Path) -> None:
    (folder / "config.json").write_text(text)
    with pytest.raises(ModelError):
        taken(folder)


def test_no_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="holds no weights"):
        taken(folder)


def test_a_folder_needs_no_example(folder: Path) -> None:
    assert build_request(None, {"model": folder}).example is None
    with pytest.raises(UsageError, match="example is missing"):
        build_request(None, {"model": folder / "notes.txt"})


def test_a_configuration_of_something_else_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"a": 1}')
    with pytest.raises(ModelError):
        scan(tmp_path / "config.json")
