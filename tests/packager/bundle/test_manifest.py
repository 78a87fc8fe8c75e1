"""The manifest: one form for one content, whoever wrote it and in whatever order."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlpack_toolkit.packager.bundle.manifest import Entry, Manifest, canonical, entry_of, paths_below
from mlpack_toolkit.packager.errors import DamagedError
from mlpack_toolkit.runtimes.engine.schema import Fault, path

words = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | words
plain = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4), max_leaves=12
)
facts = st.dictionaries(words.filter(lambda w: w not in ("files", "format")), plain, max_size=5)
digests = st.binary(min_size=32, max_size=32).map(bytes.hex)


def is_path(word: str) -> bool:
    try:
        path(word, "")
    except Fault:
        return False
    return True


entries = st.builds(Entry, words.filter(is_path), digests, st.integers(0, 2**60))


def reversed_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: reversed_keys(value[key]) for key in reversed(list(value))}
    return [reversed_keys(v) for v in value] if isinstance(value, list) else value


@given(plain)
def test_canonical_round_trip(value: Any) -> None:
    assert json.loads(canonical(value)) == value


@given(plain)
def test_canonical_does_not_know_the_order_of_keys(value: Any) -> None:
    assert canonical(reversed_keys(value)) == canonical(value)


@given(plain)
def test_canonical_is_a_fixed_point(value: Any) -> None:
    assert canonical(json.loads(canonical(value))) == canonical(value)


def test_canonical_is_utf_8_with_a_last_line_end() -> None:
    assert canonical({"b": "é😀", "a": 0.1}) == '{\n "a": 0.1,\n "b": "é😀"\n}\n'.encode()


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_canonical_has_no_word_for_what_json_lacks(number: float) -> None:
    with pytest.raises(ValueError):
        canonical({"a": number})


@given(facts, st.lists(entries, max_size=5, unique_by=lambda e: e.path))
def test_manifest_round_trip(about: dict[str, Any], files: list[Entry]) -> None:
    manifest = Manifest(about, tuple(sorted(files, key=lambda e: e.path)))
    assert Manifest.decode(manifest.encode()) == manifest
    assert manifest.identity == "sha256:" + hashlib.sha256(manifest.encode()).hexdigest()


@given(facts, entries, digests)
def test_identity_changes_with_every_file(about: dict[str, Any], entry: Entry, other: str) -> None:
    manifest = Manifest(about, (entry,))
    changed = Entry(entry.path, other, entry.size)
    assert (Manifest(about, (changed,)).identity == manifest.identity) == (changed == entry)
    assert Manifest(about, ()).identity != manifest.identity


@given(st.binary(max_size=60) | words.map(str.encode) | plain.map(lambda v: json.dumps(v).encode()))
def test_what_is_no_manifest_is_damage(raw: bytes) -> None:
    with pytest.raises(DamagedError):
        Manifest.decode(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b'{"files": {"a": 3}, "format": 2}',
        b'{"files": [], "format": 2}',
        b'{"files": {"a": {"sha256": "x"}}, "format": 2}',
        b'{"files": {}}',
        b"[" * 100_000,
    ],
)
def test_what_looks_like_a_manifest_is_damage(raw: bytes) -> None:
    with pytest.raises(DamagedError, match=r"manifest\.json"):
        Manifest.decode(raw)


def test_a_later_format_says_so() -> None:
    with pytest.raises(DamagedError, match=r"format 3.*later mlpack"):
        Manifest.decode(b'{"files": {}, "format": 3}')


def test_entries_are_sorted_and_true(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "é😀").write_bytes(b"two")
    (tmp_path / "a").write_bytes(b"")
    assert paths_below(tmp_path) == ("a", "b/", "b/é😀")
    assert entry_of(tmp_path, tmp_path / "b" / "é😀") == Entry("b/é😀", hashlib.sha256(b"two").hexdigest(), 3)
    assert entry_of(tmp_path, tmp_path / "a") == Entry("a", hashlib.sha256(b"").hexdigest(), 0)


@pytest.mark.parametrize("kind", ["link", "link to a folder", "dangling link", "pipe"])
def test_only_plain_files(kind: str, tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    folder.mkdir()
    (tmp_path / "outside").mkdir()
    (folder / "file").write_text("x")
    odd = folder / "odd"
    targets = {"link": folder / "file", "link to a folder": tmp_path / "outside", "dangling link": tmp_path / "nothing"}
    if kind == "pipe":
        os.mkfifo(odd)
    else:
        odd.symlink_to(targets[kind])
    with pytest.raises(DamagedError, match="odd is a link or a special file"):
        paths_below(folder)
