"""`check_files` sees every change of a bundle, whatever it is and wherever."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from io import BufferedReader
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlpack_toolkit.packager.bundle.layout import NAME
from mlpack_toolkit.packager.bundle.manifest import Entry, canonical
from mlpack_toolkit.packager.bundle.reader import Bundle, check_files, open_bundle
from mlpack_toolkit.packager.errors import DamagedError, MlpackError, UsageError
from tests.packager.conftest import Made

many = settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])


def paths_of(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def check(folder: Path) -> None:
    check_files(open_bundle(folder))


def test_a_bundle_as_built_is_whole(flowers: Made, crew: Made, penguins: Path) -> None:
    for folder in (flowers.folder, crew.folder, penguins / "dist" / "penguins-1.0.0"):
        check(folder)


@many
@given(data=st.data())
def test_any_changed_byte(data: st.DataObject, copy: Path) -> None:
    path = copy / data.draw(st.sampled_from(paths_of(copy)))
    before = path.read_bytes()
    position = data.draw(st.integers(0, len(before) - 1))
    changed = bytearray(before)
    changed[position] ^= data.draw(st.integers(1, 255))
    path.write_bytes(changed)
    try:
        with pytest.raises(DamagedError):
            check(copy)
    finally:
        path.write_bytes(before)
    check(copy)


@many
@given(data=st.data())
def test_any_missing_file(data: st.DataObject, copy: Path) -> None:
    chosen = data.draw(st.sampled_from(paths_of(copy)))
    path, before = copy / chosen, (copy / chosen).read_bytes()
    path.unlink()
    try:
        with pytest.raises(UsageError if chosen == NAME else DamagedError):
            check(copy)
    finally:
        path.write_bytes(before)


@many
@given(data=st.data())
def test_any_renamed_file(data: st.DataObject, copy: Path) -> None:
    chosen = data.draw(st.sampled_from([p for p in paths_of(copy) if not p.endswith(NAME)]))
    path = copy / chosen
    new = path.with_name(path.name + "2")
    path.rename(new)
    try:
        with pytest.raises(DamagedError) as caught:
            check(copy)
    finally:
        new.rename(path)
    assert caught.value.facts["missing"] == [chosen]
    assert caught.value.facts["extra"] == ([] if chosen.startswith("evidence/") else [chosen + "2"])


@many
@given(data=st.data())
def test_two_files_in_each_others_place(data: st.DataObject, copy: Path) -> None:
    one, other = (copy / p for p in data.draw(st.lists(st.sampled_from(paths_of(copy)), min_size=2, max_size=2)))
    first, second = one.read_bytes(), other.read_bytes()
    if first == second:
        return
    one.write_bytes(second)
    other.write_bytes(first)
    try:
        with pytest.raises(DamagedError):
            check(copy)
    finally:
        one.write_bytes(first)
        other.write_bytes(second)


@many
@given(data=st.data())
def test_any_extra_file(data: st.DataObject, copy: Path) -> None:
    found = (p.relative_to(copy).as_posix() for p in copy.rglob("*") if p.is_dir())
    folders = sorted({"", *(path for path in found if not path.startswith("evidence"))})
    name = data.draw(st.sampled_from(["x", ".hidden", "case-999.request.json", "😀", "manifest.json~"]))
    extra = copy / data.draw(st.sampled_from(folders)) / name
    extra.write_bytes(data.draw(st.binary(max_size=3)))
    try:
        with pytest.raises(DamagedError) as caught:
            check(copy)
    finally:
        extra.unlink()
    assert caught.value.facts["extra"] == [extra.relative_to(copy).as_posix()]


def test_others_may_add_to_the_evidence(copy: Path) -> None:
    """A signature, a proof on another machine: the bundle is whole and has the identity that it had."""
    before = open_bundle(copy)
    assert check_files(before) == ()
    (copy / "evidence" / "attestations").mkdir()
    (copy / "evidence" / "empty").mkdir()
    for path in ("attestations/build.intoto.jsonl", "proof-cuda.json"):
        (copy / "evidence" / path).write_text("{}")
    after = open_bundle(copy)
    assert after.identity == before.identity
    assert check_files(after) == ("evidence/attestations/build.intoto.jsonl", "evidence/proof-cuda.json")
    with pytest.raises(DamagedError, match="its manifest does not list it"):
        after.read("evidence/proof-cuda.json")
    (copy / "evidence" / "link").symlink_to(copy / NAME)
    with pytest.raises(DamagedError, match="link"):
        check_files(after)


def test_no_file_of_the_identity_can_be_evidence(copy: Path) -> None:
    """A manifest that lists evidence is none: whoever adds a file there may not change the identity."""
    plain = json.loads((copy / NAME).read_bytes())
    plain["files"]["evidence/x"] = {"sha256": "0" * 64, "size": 0}
    (copy / NAME).write_bytes(canonical(plain))
    with pytest.raises(DamagedError, match="files has 'evidence/x', which is outside the identity"):
        open_bundle(copy)


@many
@given(data=st.data())
def test_a_link_in_place_of_any_file(data: st.DataObject, copy: Path) -> None:
    path = copy / data.draw(st.sampled_from(paths_of(copy)))
    aside = copy.parent / "aside"
    shutil.move(path, aside)
    path.symlink_to(aside)
    try:
        with pytest.raises(DamagedError, match="link"):
            check(copy)
    finally:
        path.unlink()
        shutil.move(aside, path)


def test_the_message_names_the_files(copy: Path) -> None:
    (copy / "model" / "model.onnx").write_bytes(b"")
    (copy / "golden" / "case-000.response.json").unlink()
    (copy / "more").write_bytes(b"")
    with pytest.raises(DamagedError) as caught:
        check(copy)
    said = str(caught.value)
    assert "changed: model/model.onnx; missing: golden/case-000.response.json; extra: more" in said


def _spaced(raw: bytes) -> bytes:
    return json.dumps(json.loads(raw), indent=2).encode()


def _renamed(raw: bytes) -> bytes:
    return canonical({**json.loads(raw), "version": "2.0.0"})


def _trusting(raw: bytes) -> bytes:
    return canonical({**json.loads(raw), "allowed": ["os.system"]})


@pytest.mark.parametrize("change", [_spaced, _renamed, _trusting])
def test_a_changed_manifest(change: Callable[[bytes], bytes], copy: Path) -> None:
    (copy / NAME).write_bytes(change((copy / NAME).read_bytes()))
    with pytest.raises(DamagedError):
        check(copy)


def test_a_manifest_changed_with_its_files(copy: Path) -> None:
    """Whoever changes a file and mends the manifest too changes the identity: the measurements name the old one."""
    plain = json.loads((copy / NAME).read_bytes())
    plain["files"].pop("sbom.cdx.json")
    (copy / "sbom.cdx.json").unlink()
    (copy / NAME).write_bytes(canonical(plain))
    with pytest.raises(DamagedError, match="names another bundle"):
        check(copy)


def test_a_changed_measurement(copy: Path) -> None:
    path = copy / "evidence/measurements/latency.json"
    plain = json.loads(path.read_bytes())
    plain["graph"][0]["p99_ms"] /= 10
    path.write_bytes(canonical(plain))
    with pytest.raises(DamagedError, match=r"changed: evidence/measurements/latency\.json"):
        check(copy)


@pytest.mark.parametrize(
    "content",
    [b"[]", b"null", b"3", b"{", b"{}", b"\xff", b'{"identity": "sha256:0", "files": {}}', b'{"files": []}'],
)
def test_a_broken_list_of_measurements(content: bytes, copy: Path) -> None:
    (copy / "evidence" / NAME).write_bytes(content)
    with pytest.raises(DamagedError):
        check(copy)


@pytest.mark.parametrize("files", [[], {"a": 1}, {"a": {}}, {"a": {"sha256": []}}, "abc", None])
def test_a_list_of_measurements_of_another_shape(files: object, copy: Path) -> None:
    path = copy / "evidence" / NAME
    path.write_bytes(canonical({**json.loads(path.read_bytes()), "files": files}))
    with pytest.raises(DamagedError):
        check(copy)


@pytest.mark.parametrize("key", ["variants", "name", "version"])
def test_a_manifest_without_what_every_bundle_has(key: str, copy: Path) -> None:
    plain = json.loads((copy / NAME).read_bytes())
    del plain[key]
    (copy / NAME).write_bytes(canonical(plain))
    with pytest.raises(DamagedError, match=key):
        open_bundle(copy)


@pytest.mark.parametrize("name", ["nothing", "file", "folder"])
def test_what_is_no_bundle(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    with pytest.raises(UsageError, match="is not a bundle"):
        open_bundle(tmp_path / name)


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b'{"inputs": 3}', b'{"id": "a", "inputs": [{}]}'])
def test_a_broken_golden_case_is_damage(content: bytes, copy: Path) -> None:
    (copy / "golden" / "case-000.request.json").write_bytes(content)
    with pytest.raises(DamagedError, match=r"case-000\.request\.json"):
        list(open_bundle(copy).golden())


def test_verify_ends_with_8(copy: Path, mlpack: Callable[..., tuple[int, dict[str, object], str]]) -> None:
    assert mlpack("verify", copy)[0] == 0
    with (copy / "model" / "model.onnx").open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        last = file.read(1)
        file.seek(-1, os.SEEK_END)
        file.write(bytes([last[0] ^ 1]))
    code, said, error = mlpack("verify", copy)
    assert code == 8 and "changed: model/model.onnx" in error
    assert said["error"]["kind"] == "DamagedError"  # type: ignore[index]


def test_every_fault_is_one_of_ours(copy: Path) -> None:
    """A folder in place of a file, a file in place of a folder."""
    (copy / "sbom.cdx.json").unlink()
    (copy / "sbom.cdx.json").mkdir()
    shutil.rmtree(copy / "golden")
    (copy / "golden").write_text("x")
    with pytest.raises(MlpackError):
        check(copy)


def test_a_small_graph_is_read_once_when_it_is_opened(flowers: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlpack_toolkit.packager.equivalence.session import session_of

    opened: list[str] = []
    real = Bundle._open

    def spying(self: Bundle, entry: Entry) -> BufferedReader:
        opened.append(entry.path)
        return real(self, entry)

    monkeypatch.setattr(Bundle, "_open", spying)
    assert session_of(flowers.bundle).outputs == ("label", "probabilities")
    assert opened == ["model/model.onnx"]
