"""A bundle that a stranger wrote, whose digests agree, and what it says is an attack: exit 8 with a sentence."""

from __future__ import annotations

import copy as copying
import json
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mlpack_toolkit.packager.bundle.layout import NAME
from mlpack_toolkit.packager.bundle.manifest import canonical, entry_of
from mlpack_toolkit.packager.bundle.reader import open_bundle
from mlpack_toolkit.packager.bundle.schema import Fault, check_paths
from mlpack_toolkit.packager.commands.inspect import inspect
from mlpack_toolkit.packager.commands.predict import predict
from mlpack_toolkit.packager.commands.verify import check_bundle
from mlpack_toolkit.packager.diff import diff
from mlpack_toolkit.packager.errors import DamagedError, MismatchError, MlpackError, UsageError
from mlpack_toolkit.runtimes.engine.errors import Damaged
from mlpack_toolkit.runtimes.server.bundle_info import describe
from mlpack_toolkit.runtimes.server.model import Model
from tests.packager.conftest import Made
from tests.seal import fact, rewrite, seal, sign

LEAVES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 3, 2**70, 1.5, -1e308, "", "x", "../../x", "/etc/passwd", "C:\\x", "a\0b"),
    *("x" * 300, "float16", "string", "N", [], {}, [None], [[]], [{}], {"": 0}, {"name": "x"}, ["N", 0], [2**40]),
)
GONE = object()
MUTATIONS = 700


@pytest.fixture(params=["flowers", "crew"])
def made(request: pytest.FixtureRequest) -> Made:
    found: Made = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def held(made: Made, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made.folder, tmp_path / "held"))


def places(plain: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value below."""
    items = plain.items() if isinstance(plain, dict) else enumerate(plain) if isinstance(plain, list) else ()
    for key, value in items:
        yield (*at, key)
        yield from places(value, (*at, key))


def changed(plain: Any, place: tuple[Any, ...], value: Any) -> Any:
    whole = copying.deepcopy(plain)
    holder = whole
    for key in place[:-1]:
        holder = holder[key]
    if value is GONE:
        del holder[place[-1]]
    else:
        holder[place[-1]] = value
    return whole


def mutations(plain: dict[str, Any], count: int) -> Iterator[tuple[tuple[Any, ...], Any, Any]]:
    """The same ones each time: every value of the manifest, but for most of the files, replaced or gone."""
    chance = random.Random(0)
    facts = {key: value for key, value in plain.items() if key != "files"}
    ways = [*places(facts), ("files",), *[("files", path) for path in list(plain["files"])[:4]]]
    ways += [("files", "model/model.onnx", key) for key in ("sha256", "size")]
    for i in range(count):
        place, value = ways[i % len(ways)], chance.choice((*LEAVES, GONE))
        yield place, value, changed(plain, place, value)


def test_whatever_a_manifest_says(made: Made, held: Path, tmp_path: Path) -> None:
    """Opened, inspected, verified, asked, compared and served: a sentence that names what is wrong, or an answer."""
    plain = json.loads((held / NAME).read_bytes())
    opened = 0
    for place, value, mutated in mutations(plain, MUTATIONS):
        sign(held, canonical(mutated))
        about = f"{place} is {value!r}"
        refused = _code(lambda: open_bundle(held), about)
        assert refused in (0, 8), about
        assert _code(lambda: inspect(held), about) == refused or not refused, about
        assert not _served(held) or not refused or place[0] not in ("name", "version", "format"), about
        if not refused and (place[0] != "files" or len(place) > 1):
            opened += 1
            assert _code(lambda: check_bundle(held, (), "cpu", lambda step: None), about) in (0, 5, 8), about
            assert _code(lambda: predict(held, made.example, tmp_path / "out.csv"), about) in (0, 2, 8), about
            if opened % 8 == 0:
                assert _code(lambda: diff(held, made.folder), about) in (0, 5, 8), about
    assert MUTATIONS / 50 < opened < MUTATIONS / 2


def _code(work: Callable[[], object], about: str) -> int:
    try:
        work()
    except (UsageError, MismatchError, DamagedError) as error:
        assert len(str(error)) < 100_000 and str(error).strip(), about
        return error.exit_code
    except MlpackError as error:
        raise AssertionError(f"{about}: {error!r}") from error
    return 0


def _served(folder: Path) -> bool:
    """Whether the server takes it; it turns down by `Damaged` alone."""
    try:
        Model(describe(folder))
    except Damaged as error:
        return not str(error)
    return True


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"source": "../../../etc/passwd"}, r"sources\[0\].path must be model/model.onnx or begin with model/source/"),
        (
            {"source": "model/source/../../../../etc/passwd"},
            r"sources\[0\].path must be a file that the manifest lists",
        ),
        ({"source": "model/source/other"}, r"sources\[0\].path must be a file that the manifest lists"),
        ({"source": 3}, r"sources\[0\].path must be a text, not 3"),
        ({"name": "../../x"}, "name must be letters, digits"),
        ({"name": ""}, "name must be letters"),
        ({"name": "a" * 300}, "name must be a text of 0 to 200 characters"),
        ({"version": "1/../.."}, "version must be letters, digits"),
        ({"precision": ["float32"]}, "weights must be one of"),
        ({"allowed": "os"}, "allowed must be a list"),
        ({"allowed": [1]}, r"allowed\[0\] must be a text"),
        ({"notes": {}}, "notes must be a list"),
        ({"title": None}, "title must be a text, not None"),
        ({"tolerances": {"label": 1}}, r"tolerances\['label'\] must be an object"),
        ({"tolerances": {"x": {"rtol": 0, "atol": 0}}}, "tolerances has 'x', which is no output"),
        ({"tolerances": {"label": {"rtol": -1, "atol": 0}}}, r"rtol must be a number of at least 0"),
        ({"environment": {"unproved": 3}}, "environment.unproved must be a list"),
        ({"environment": {"given": {"file": "../x", "kind": "", "differences": []}}}, "environment.given.file must be"),
        ({"framework": "r", "given": {"arguments": {"s": []}}}, r"given.arguments\['s'\] must be"),
        ({"framework": "r", "given": {"levels": {"s": [1]}}}, r"given.levels\['s'\]\[0\] must be a text"),
        ({"signature": None}, "signature must be an object"),
    ],
)
def test_a_fact_that_is_an_attack(change: dict[str, Any], said: str, copy: Path) -> None:
    seal(copy, **change)
    with pytest.raises(DamagedError, match=said):
        open_bundle(copy)


GRAPH = "model/model.onnx"
OTHER = {"format": "onnx", "main": "model/source/flowers.joblib", "files": ["model/source/flowers.joblib"]}


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (("variants",), {}, "variants has no 'reference'"),
        (("variants",), [], "variants must be an object"),
        (("variants", "reference"), None, r"variants\['reference'\] must be an object"),
        (("variants", "../x"), {}, "a key of variants must be letters"),
        (("variants", "reference", "artifact"), OTHER, "artifact.main must be the ONNX file model/model.onnx"),
        (("variants", "reference", "artifact", "format"), "engine", "artifact.main must be the ONNX file"),
        (("variants", "reference", "artifact", "main"), "../../etc/passwd", "a path that does not stay below"),
        (("variants", "reference", "artifact", "files"), [], "files must be a list of 1 to"),
        (("variants", "reference", "artifact", "files"), ["README.md"], "files lacks 'model/model.onnx'"),
        (("variants", "reference", "artifact", "files"), [GRAPH, "README.md"], "'README.md', which is not beside its"),
        (("variants", "reference", "artifact", "files"), [GRAPH, "model/x"], "'model/x', which the manifest does not"),
        (("variants", "reference", "artifact", "evil"), 1, "artifact has a field 'evil'"),
        (("variants", "reference", "io"), "float8", "io must be one of float16"),
        (("variants", "reference", "provider"), "../x", "provider must be the name of an execution provider"),
        (("variants", "reference", "provider"), "CUDAExecutionProvider", "provider must be CPUExecutionProvider, not"),
        (("variants", "reference", "options"), {"a": []}, r"options\['a'\] must be"),
        (("variants", "reference", "recipe"), 3, "recipe must be an object"),
        (("variants", "reference", "report"), "README.md", "report must begin with reports/"),
        (("variants", "reference", "report"), "reports/x", "report must be a file that the manifest lists"),
        (("sources",), [], "sources must be a list of 1 to"),
        (("sources", 0, "part"), "julia", r"sources\[0\].part must be one of parts \(python\), not 'julia'"),
        (("parts",), [], "parts must be a list of 1 to"),
        (("parts", 0, "name"), "../python", r"parts\[0\].name must be lower-case letters"),
        (("parts", 0, "name"), "julia", r"sources\[0\].part must be one of parts"),
    ],
)
def test_a_structure_that_is_an_attack(place: tuple[Any, ...], value: Any, said: str, copy: Path) -> None:
    plain = json.loads((copy / NAME).read_bytes())
    *way, last = place
    holder = plain
    for key in way:
        holder = holder[key]
    holder[last] = value
    sign(copy, canonical(plain))
    with pytest.raises(DamagedError, match=said):
        open_bundle(copy)
    if "variants" in place and "report" not in place:
        with pytest.raises(Damaged, match=said):
            describe(copy)


def test_two_parts_of_one_name(copy: Path) -> None:
    parts = json.loads((copy / NAME).read_bytes())["parts"]
    seal(copy, parts=[*parts, *parts])
    with pytest.raises(DamagedError, match="parts has two of the name 'python'"):
        open_bundle(copy)


def _tensor(bundle: Path, change: dict[str, Any]) -> None:
    plain = json.loads((bundle / NAME).read_bytes())
    signature = fact(plain, "signature")
    signature["inputs"][0] |= change
    seal(bundle, signature=signature)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"shape": ["N", 2**40]}, r"signature.inputs\[0\].shape\[1\] must be a whole number"),
        ({"shape": ["N"] * 99}, r"shape must be a list of 0 to 32"),
        ({"dtype": "complex128"}, r"dtype must be one of"),
        ({"evil": 1}, r"signature.inputs\[0\] has a field 'evil'"),
        ({"columns": ["a"]}, r"columns has 1 items, and its shape says 4"),
        ({"least": "a"}, r"least must be a number"),
        ({"values": ["a"]}, r"values must hold what a float32 can be"),
        ({"least": 2, "most": 1}, r"least is above"),
    ],
)
def test_a_signature_that_is_an_attack(change: dict[str, Any], said: str, copy: Path) -> None:
    _tensor(copy, change)
    with pytest.raises(DamagedError, match=said):
        open_bundle(copy)


def test_a_signature_of_another_graph(copy: Path) -> None:
    _tensor(copy, {"dtype": "float64"})
    with pytest.raises(DamagedError, match=r"the input 'X' is tensor\(float\), and the signature says float64"):
        check_bundle(copy, (), "cpu", lambda step: None)
    with pytest.raises(Damaged, match="the graph is not the one that the signature describes"):
        Model(describe(copy))


@pytest.mark.parametrize(
    ("paths", "said"),
    [
        (["../x"], "does not stay below"),
        (["/x"], "does not stay below"),
        (["a//x"], "does not stay below"),
        (["a/./x"], "does not stay below"),
        (["a\\..\\x"], "does not stay below"),
        (["C:x"], "does not stay below"),
        (["a\0b"], "control character"),
        (["a\nb"], "control character"),
        (["a" * 256], "more than 255 bytes"),
        (["é" * 128], "more than 255 bytes"),
        (["a/" * 600 + "b"], "of 1 to 1024 characters"),
        (["A/x", "a/y"], "which are one file on many systems"),
        (["x.py", "X.py"], "which are one file on many systems"),
        (["e\u0301", "\u00e9"], "which are one file on many systems"),
        (["a", "a/b"], "as a file and as a folder"),
    ],
)
def test_a_path_that_is_an_attack(paths: list[str], said: str) -> None:
    with pytest.raises(Fault, match=said):
        check_paths(paths)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b'{"format": 1, "format": 1}', "the key 'format' is given twice"),
        (b'{"format": 1, "files": {"a": ' + b"[" * 5000 + b"]" * 5000 + b"}}", "nested"),
        (b'{"format": 1, "x": ' + b"[" * 40 + b"]" * 40 + b"}", "nested more than 32 levels"),
        (b'{"format": 1, "x": NaN}', "NaN"),
        (b'{"format": 1, "x": 1e999}', "too large"),
        (b'{"format": 1, "x": "\\ud800"}', "half a character"),
        (b'{"format": 1, "x": ' + b"9" * 5000 + b"}", "not JSON"),
        (b'{"format": 1}' + b" " * (32 << 20), "at most"),
        (b'\xef\xbb\xbf{"format": 1}', "not JSON"),
        ('{"format": 1}'.encode("utf-16"), "not JSON"),
        (b'{"format": true}', "(format must be |name is missing)"),
    ],
)
def test_a_manifest_that_is_an_attack(raw: bytes, said: str, copy: Path) -> None:
    (copy / NAME).write_bytes(raw)
    for command in (open_bundle, inspect):
        with pytest.raises(DamagedError, match=said):
            command(copy)
    with pytest.raises(Damaged, match=said):
        describe(copy)


@pytest.mark.parametrize("path", ["model/model.onnx", "golden/case-000.request.json", "model/source/flowers.joblib"])
def test_no_command_uses_a_changed_file(path: str, copy: Path, flowers: Made, tmp_path: Path) -> None:
    """Each command that uses the file says so, and does nothing else."""
    from mlpack_toolkit.packager.commands.bench import bench_bundle
    from mlpack_toolkit.packager.commands.reproduce import reproduce
    from mlpack_toolkit.packager.images import make

    raw = bytearray((copy / path).read_bytes())
    raw[len(raw) // 2] ^= 1
    (copy / path).write_bytes(raw)
    out = tmp_path / "out"
    commands: dict[str, Callable[[], object]] = {
        "verify": lambda: check_bundle(copy, (), "cpu", lambda step: None),
        "diff": lambda: diff(copy, flowers.folder),
        "bench": lambda: bench_bundle(copy, "original", "python3", 0.01),
        "reproduce": lambda: reproduce(copy, out, None, ()),
        "image": lambda: make(copy, None, None, out, "debian", False, lambda step: None),
    }
    if path == "model/model.onnx":
        commands["predict"] = lambda: predict(copy, flowers.example, out)
    for name, command in commands.items():
        with pytest.raises(DamagedError, match=f"is not as it was built; changed: {path}"):
            print(name, command())
    assert not out.exists()


@pytest.mark.parametrize("kind", ["folder", "nested folders", "link", "pipe", "case"])
def test_what_else_lies_there(kind: str, copy: Path) -> None:
    import os

    if kind == "pipe":
        os.mkfifo(copy / "golden" / "pipe")
    elif kind == "link":
        (copy / "golden" / "link").symlink_to("case-000.request.json")
    elif kind == "case":
        (copy / "MODEL").mkdir()
    else:
        (copy / ("golden/empty" if kind == "folder" else "a/b/c")).mkdir(parents=True)
    found = {"folder": "extra: golden/empty/", "nested folders": "extra: a/, a/b/, a/b/c/", "case": "extra: MODEL/"}
    with pytest.raises(DamagedError, match=found.get(kind, "is a link or a special file")):
        check_bundle(copy, (), "cpu", lambda step: None)


def test_a_file_on_the_way_over_a_link(copy: Path, tmp_path: Path) -> None:
    shutil.move(copy / "model", tmp_path / "model")
    (copy / "model").symlink_to(tmp_path / "model")
    with pytest.raises(DamagedError, match="is a link"):
        open_bundle(copy).read("model/model.onnx")


def test_what_a_stranger_says_does_not_move_the_cursor(copy: Path) -> None:
    import subprocess
    import sys

    seal(copy, title="good\x1b[2J\x1b[Hevil\nverification: equal", framework="x\x9b31m")
    done = subprocess.run(
        [sys.executable, "-m", "mlpack_toolkit", "inspect", str(copy)],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[3],
    )
    assert done.returncode == 0 and r"good\x1b[2J\x1b[Hevil\nverification" in done.stdout
    assert not {"\x1b", "\x9b"} & set(done.stdout)


@pytest.mark.parametrize("path", ["golden/case-000.response.json", "model/source/flowers.joblib", "more/x"])
def test_the_list_of_measurements_vouches_for_nothing_else(path: str, copy: Path) -> None:
    """It is no part of the identity: who changed a file and listed it there kept the identity."""
    (copy / path).parent.mkdir(exist_ok=True)
    (copy / path).write_bytes(b"changed")
    entry = entry_of(copy, copy / path)
    rewrite(copy / "evidence" / NAME, lambda plain: plain["files"].update({path: {"sha256": entry.sha256, "size": 7}}))
    with pytest.raises(DamagedError, match=f"files has '{path}', which is for manifest.json to list"):
        check_bundle(copy, (), "cpu", lambda step: None)
