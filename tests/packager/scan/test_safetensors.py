"""safetensors: the header says where each tensor is, and may say so only truly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mlpack_toolkit.packager.errors import ModelError
from mlpack_toolkit.packager.scan import Scan, look, scan

from .torch_forge import safetensors


def entry(start: Any = 0, end: Any = 16, shape: Any = (2, 2), dtype: Any = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [start, end]}


HALF = {"a": entry(0, 8, [2]), "b": entry(8, 16, [2])}
DAMAGED: dict[str, tuple[bytes, str]] = {
    "an overlap": (safetensors({"a": entry(), "b": entry()}), "'b' is at the bytes 0 to 16, not behind"),
    "a part of an overlap": (safetensors({"a": entry(0, 8, [2]), "b": entry(4, 12, [2])}), "'b' is at the bytes 4"),
    "a gap": (safetensors({"a": entry(0, 4, [1]), "b": entry(8, 16, [2])}), "'b' is at the bytes 8 to 16, not behind"),
    "an end beyond": (safetensors({"a": entry(0, 32, [8])}), "'a' is at the bytes 0 to 32"),
    "bytes behind": (safetensors({"a": entry(0, 8, [2])}), "end at byte 8 of 16"),
    "an offset that is negative": (safetensors({"a": entry(-16, 0)}), "offsets that are no numbers"),
    "offsets the wrong way": (safetensors({"a": entry(16, 0)}), "has -16 bytes"),
    "an offset that is a text": (safetensors({"a": entry("0", 16)}), "offsets that are no numbers"),
    "three offsets": (safetensors({"a": {**entry(), "data_offsets": [0, 8, 16]}}), "offsets that are no numbers"),
    "10^12 rows": (safetensors({"a": entry(shape=[10**12, 4])}), "do not fit F32"),
    "10^24 rows": (safetensors({"a": entry(shape=[10**24])}), "dimensions or offsets that are no numbers"),
    "a truth as a size": (safetensors({"a": entry(shape=[True, 4])}), "are no numbers"),
    "another width": (safetensors({"a": entry(dtype="F64")}), "do not fit F64"),
    "an unknown type": (safetensors({"a": entry(dtype="OBJECT")}), "unknown type 'OBJECT'"),
    "more facts": (safetensors({"a": {**entry(), "pickle": "x"}}), "other facts than"),
    "no facts": (safetensors({"a": 1}), "other facts than"),
    "a header of 10^9": (safetensors({"a": entry()}, length=10**9), "header should have 1000000000 bytes"),
    "a header beyond the file": (safetensors({"a": entry()}, length=4000), "header should have 4000 bytes"),
    "a header cut short": (safetensors({"a": entry()}, length=20), "not readable JSON"),
    "a name twice": (safetensors(b'{"a": {}, "a": {}}'), "has a key twice"),
    "metadata of others": (safetensors({"a": entry(), "__metadata__": {"a": [1]}}), "metadata are not texts"),
    "no JSON": (safetensors(b"{" + b"x" * 40), "not readable JSON"),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGED)
def test_a_header_that_is_not_true_is_a_clear_error(name: str, tmp_path: Path) -> None:
    content, said = DAMAGED[name]
    (tmp_path / "m.safetensors").write_bytes(content)
    with pytest.raises(ModelError, match=said) as caught:
        scan(tmp_path / "m.safetensors")
    assert caught.value.exit_code == 3


def test_a_true_header_is_data_and_says_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "weights.bin"
    path.write_bytes(safetensors({"__metadata__": {"format": "pt"}, "b": HALF["b"], "a": HALF["a"]}))
    assert scan(path) == Scan("safetensors")
    assert look("safetensors", path) == {"tensors": ["b: F32 [2]", "a: F32 [2]"], "metadata": ["format: pt"]}


def test_text_that_happens_to_have_a_brace_is_no_safetensors(tmp_path: Path) -> None:
    (tmp_path / "m.json").write_text('{"abcd": {"b": 1}}')
    with pytest.raises(ModelError, match="no known kind of model"):
        scan(tmp_path / "m.json")
