"""Models above 64 MiB: each weight file once in the bundle, every command from the files themselves."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from mlpack_toolkit import runtimes
from mlpack_toolkit.converters.artifact import Artifact
from mlpack_toolkit.converters.graph_file import DATA, LARGE
from mlpack_toolkit.converters.spec import TensorSpec
from mlpack_toolkit.packager.bundle import assemble
from mlpack_toolkit.packager.bundle.reader import open_bundle
from mlpack_toolkit.packager.bundle.writer import write_bundle
from mlpack_toolkit.packager.commands.build import Request, build
from mlpack_toolkit.packager.commands.export import export
from mlpack_toolkit.packager.commands.verify import check_bundle
from mlpack_toolkit.packager.diff.graph import graph_changes
from mlpack_toolkit.packager.equivalence.session import session_of
from mlpack_toolkit.packager.errors import ConversionError, DamagedError, ForgedError, UsageError
from mlpack_toolkit.packager.images._project import shipped
from mlpack_toolkit.packager.original import graphs
from mlpack_toolkit.packager.original.graphs import graph_in
from mlpack_toolkit.packager.original.reload import original_worker
from mlpack_toolkit.packager.original.source import Source
from mlpack_toolkit.packager.scan.result import Scan
from mlpack_toolkit.packager.travel import PIECE, Owned, digested, duplicate, receive, share
from mlpack_toolkit.runtimes import spec
from mlpack_toolkit.runtimes.engine.errors import Damaged
from mlpack_toolkit.runtimes.server.bundle_info import describe
from mlpack_toolkit.runtimes.server.model import Model
from tests.packager.bundle.facts import FACTS
from tests.packager.bundle.test_writer import FILES, MEASURED_FILES
from tests.runtimes.test_cpp import tools  # noqa: F401

VECTORS, WIDTH = LARGE // 4 // 64 + 1000, 64
IDS = np.arange(32, dtype=np.int32).reshape(8, 4)
Numbers = np.ndarray[Any, Any]


def quiet(step: str) -> None:
    """No progress."""


def write_table(path: Path, vectors: int, beside: str = "") -> Numbers:
    """A model that adds up the vectors of four numbers; `beside`: the file that has them."""
    table = np.random.default_rng(0).standard_normal((vectors, WIDTH), dtype=np.float32)
    constants = [numpy_helper.from_array(a, n) for n, a in (("table", table), ("size", np.array(vectors)))]
    nodes = [
        helper.make_node("Cast", ["ids"], ["wide"], to=TensorProto.INT64),
        helper.make_node("Mod", ["wide", "size"], ["row"]),
        helper.make_node("Gather", ["table", "row"], ["vectors"]),
        helper.make_node("ReduceSum", ["vectors", "axis"], ["sum"], keepdims=0),
    ]
    constants.append(numpy_helper.from_array(np.array([1]), "axis"))
    given = helper.make_tensor_value_info("ids", TensorProto.INT32, ["N", 4])
    gives = helper.make_tensor_value_info("sum", TensorProto.FLOAT, ["N", WIDTH])
    graph = helper.make_graph(nodes, "table", [given], [gives], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    onnx.save(model, path, save_as_external_data=bool(beside), location=beside or None)
    return table


def built(folder: Path, vectors: int, beside: str = "", targets: tuple[str, ...] = ()) -> tuple[Path, Numbers]:
    table = write_table(folder / "vectors.onnx", vectors, beside)
    np.savez(folder / "rows.npz", ids=IDS)
    request = Request(folder / "vectors.onnx", folder / "rows.npz", folder / "dist", targets=targets)
    return build(request).bundle, table


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Numbers]:
    """A model of its real size, whose numbers are in a file beside it, with every project."""
    return built(tmp_path_factory.mktemp("large"), VECTORS, "numbers, all.bin", ("cpp", "docker", "java"))


@pytest.fixture
def all_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every graph counts as a large one in mlpack's own process."""
    for module in (graphs, assemble, spec):
        monkeypatch.setattr(module, "LARGE", 0)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Numbers]:
    """A model in one file that ships as it came, once."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (graphs, assemble, spec):
            patch.setattr(module, "LARGE", 0)
        return built(tmp_path_factory.mktemp("whole"), 100, targets=("java",))


def test_numbers_beside_the_graph_are_in_the_bundle_once(large: tuple[Path, Numbers]) -> None:
    bundle, table = large
    sizes = {p.relative_to(bundle).as_posix(): p.stat().st_size for p in bundle.rglob("*") if p.is_file()}
    assert [path for path, size in sizes.items() if size > LARGE / 2] == ["model/source/numbers, all.bin"]
    assert sum(sizes.values()) < 1.05 * table.nbytes
    assert sizes["model/model.onnx"] < 10_000 and sizes["model/source/vectors.onnx"] < 10_000
    assert not [path for path in sizes if path.startswith("deploy/") and path.endswith(".onnx")]
    found = open_bundle(bundle).graph
    assert [file.path for file in found.files] == ["model.onnx", "source/numbers, all.bin"]
    assert "model/source/numbers, all.bin" in shipped(open_bundle(bundle))
    docker = bundle / "deploy" / "docker"
    assert '"model/source/numbers, all.bin", "/image/bundle/model/source/numbers, all.bin"' in (
        docker / "Dockerfile"
    ).read_text("utf-8")
    assert "!model/source/numbers, all.bin" in (docker / "Dockerfile.dockerignore").read_text("utf-8")


def test_it_answers_from_its_files(large: tuple[Path, Numbers]) -> None:
    bundle, table = large
    want = table[IDS].sum(axis=1)
    assert check_bundle(bundle, (), "cpu", quiet)["golden"]["CPUExecutionProvider"]
    np.testing.assert_allclose(session_of(open_bundle(bundle)).run({"ids": IDS})["sum"], want, rtol=1e-5)
    described = describe(bundle)
    assert described.graph() == bundle / "model" / "model.onnx"
    np.testing.assert_allclose(Model(described).run({"ids": IDS})["sum"], want, rtol=1e-5)


def test_a_changed_number_is_found(large: tuple[Path, Numbers], tmp_path: Path) -> None:
    """In the file beside the graph, which ONNX Runtime opens by itself."""
    copy = shutil.copytree(large[0], tmp_path / "copy")
    with (copy / "model" / "source" / "numbers, all.bin").open("r+b") as file:
        file.seek(1 << 20)
        file.write(b"changed")
    with pytest.raises(DamagedError, match=r"changed: model/source/numbers, all\.bin"):
        session_of(open_bundle(copy))
    with pytest.raises(Damaged, match="is not as it was built"):
        describe(copy).graph()


def test_what_an_image_is_built_from_stands_alone(large: tuple[Path, Numbers], tmp_path: Path) -> None:
    """The context with the graph once, and Triton's repository with the graph in its own place."""
    export(large[0], "docker", tmp_path / "out", quiet)
    weights = [p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("numbers, all.bin")]
    triton = "deploy/docker/triton/vectors/1/source/numbers, all.bin"
    assert sorted(weights) == [triton, "model/source/numbers, all.bin"]
    assert describe(tmp_path / "out").graph() == tmp_path / "out" / "model" / "model.onnx"
    import onnxruntime as ort

    loaded = ort.InferenceSession(tmp_path / "out" / "deploy/docker/triton/vectors/1/model.onnx")
    np.testing.assert_allclose(loaded.run(None, {"ids": IDS})[0], large[1][IDS].sum(axis=1), rtol=1e-5)


def test_a_file_that_ships_as_it_came_is_in_the_bundle_once(whole: tuple[Path, Numbers]) -> None:
    bundle, table = whole
    opened = open_bundle(bundle)
    assert not (bundle / "model" / "source").exists()
    assert opened.source.path == "model/model.onnx"
    assert "vectors.onnx ships as it came: model/model.onnx is both" in opened.manifest.facts["notes"]
    assert (bundle / "model/model.onnx").read_bytes() == (bundle.parents[1] / "vectors.onnx").read_bytes()
    assert (bundle / "model/model.onnx").stat().st_ino != (bundle.parents[1] / "vectors.onnx").stat().st_ino
    assert check_bundle(bundle, (), "cpu", quiet)["golden"]["CPUExecutionProvider"]
    with original_worker(opened, sys.executable, ()) as (worker, _, scratch):
        got = worker.predict({"ids": IDS}, scratch)["sum"]
    np.testing.assert_allclose(got, table[IDS].sum(axis=1), rtol=1e-5)


def replayed(target: str, project: Path, work: Path) -> None:
    """Builds a project with its own tools; they replay the golden cases."""
    work.mkdir()
    for step in runtimes.load(target).steps(project, work):
        if shutil.which(step.tool) is None:
            pytest.skip(f"{step.tool} is missing: {step.install}")
        environment = {**os.environ, **(step.environment or {})}
        done = subprocess.run(
            [step.tool, *step.arguments], cwd=project, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("target", ["java", pytest.param("cpp", marks=pytest.mark.full)])
@pytest.mark.usefixtures("tools", "all_large")
def test_an_exported_project_builds_alone(target: str, whole: tuple[Path, Numbers], tmp_path: Path) -> None:
    """Without the bundle: Java's is the bundle's own, C++'s is written as a build would."""
    export(whole[0], target, tmp_path / "project", quiet)
    assert (tmp_path / "project/model/model.onnx").read_bytes() == (whole[0] / "model/model.onnx").read_bytes()
    assert [*(tmp_path / "project").rglob("*.onnx")] == [tmp_path / "project/model/model.onnx"]
    replayed(target, tmp_path / "project", tmp_path / "work")


def test_what_cannot_be_exported_is_said(whole: tuple[Path, Numbers], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no target 'cobol'; there are: cpp, docker, java"):
        export(whole[0], "cobol", tmp_path / "out", quiet)
    with pytest.raises(UsageError, match="exists already"):
        export(whole[0], "java", tmp_path, quiet)
    copy = shutil.copytree(whole[0], tmp_path / "copy")
    (copy / "golden" / "more").write_bytes(b"")
    with pytest.raises(DamagedError, match="golden/more"):
        export(copy, "java", tmp_path / "out", quiet)
    assert not (tmp_path / "out").exists()


# what the model's process writes


def outer(location: str, offset: int = 0, length: int = 16) -> bytes:
    """A graph that adds numbers from another file."""
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4], data_location=TensorProto.EXTERNAL)
    for key, value in (("location", location), ("offset", offset), ("length", length)):
        tensor.external_data.add(key=key, value=str(value))
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 4]) for name in "xy")
    graph = helper.make_graph([helper.make_node("Add", ["x", "w"], ["y"])], "outer", [x], [y], [tensor])
    made: bytes = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)]).SerializeToString()
    return made


@pytest.fixture
def process(tmp_path: Path) -> Callable[..., Artifact]:
    """What mlpack takes of a graph that the model's process wrote beside 64 bytes of data."""
    (tmp_path / "scratch").mkdir()
    (tmp_path / "source" / "inner").mkdir(parents=True)
    (tmp_path / "scratch" / DATA).write_bytes(bytes(64))
    (tmp_path / "source" / "inner" / "w.bin").write_bytes(bytes(64))
    (tmp_path / "secret").write_bytes(bytes(64))
    main = duplicate(tmp_path / "secret", tmp_path / "source" / "m.onnx")
    source = Source((main, tmp_path / "source" / "inner" / "w.bin"), Scan("other"))

    def taken(graph: bytes, most: int = 1 << 20) -> Artifact:
        (tmp_path / "scratch" / "model.float32.onnx").write_bytes(graph)
        return graph_in(tmp_path / "scratch" / "model.float32.onnx", tmp_path / "graph", source, most)

    return taken


@pytest.mark.parametrize("location", [DATA, "source/inner/w.bin"])
def test_data_of_a_graph_are_taken_along(location: str, process: Callable[..., Artifact], tmp_path: Path) -> None:
    artifact = process(outer(location, 32, 32))
    assert [file.path for file in artifact.files] == ["model.onnx", location] and artifact.folder == tmp_path / "graph"
    (tmp_path / "scratch" / DATA).write_bytes(b"something else")
    assert (tmp_path / "graph" / location).read_bytes() == bytes(64)


@pytest.mark.parametrize(
    "location",
    ["../secret", "secret", "/etc/hostname", "source/../secret", "source/inner", "source/", "", "model.onnx"],
)
def test_data_from_elsewhere_are_refused(location: str, process: Callable[..., Artifact]) -> None:
    with pytest.raises(ForgedError):
        process(outer(location))


def test_data_that_are_no_plain_file_are_refused(process: Callable[..., Artifact], tmp_path: Path) -> None:
    (tmp_path / "scratch" / DATA).unlink()
    (tmp_path / "scratch" / DATA).symlink_to(tmp_path / "secret")
    with pytest.raises(ForgedError):
        process(outer(DATA))


@pytest.mark.parametrize(("offset", "length", "most"), [(60, 16, 64), (-8, 16, 64), (0, 16, 63)])
def test_data_beyond_their_bounds_are_refused(
    offset: int, length: int, most: int, process: Callable[..., Artifact]
) -> None:
    with pytest.raises(ForgedError):
        process(outer(DATA, offset, length), most)


def test_a_file_that_is_no_graph_is_no_conversion(process: Callable[..., Artifact]) -> None:
    with pytest.raises(ConversionError, match="the converter gave no graph of this model: it "):
        process(b"\x80\x04 no graph")


def test_a_changed_number_beside_the_graph_is_told(tmp_path: Path) -> None:
    """Wherever the numbers are in their file: the same ones at another place are no change."""
    made = {}
    for name, offset, numbers in (("a", 0, bytes(32)), ("b", 16, bytes(32)), ("c", 16, bytes(31) + b"1")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.onnx").write_bytes(outer("w.bin", offset))
        (tmp_path / name / "w.bin").write_bytes(numbers)
        made[name] = Artifact.of(tmp_path / name / "model.onnx", ["w.bin"])
    moved, changed = (graph_changes(made["a"], made[name])["constants"]["changed"] for name in "bc")
    assert (moved["count"], changed) == (0, {"count": 1, "bytes": 16})


# how files travel


def test_files_travel_without_ties_to_the_user(tmp_path: Path) -> None:
    first = tmp_path / "first"
    first.write_bytes(b"before")
    second, third = duplicate(first, tmp_path / "second"), share(first, tmp_path / "third")
    first.write_bytes(b"after!")
    assert second.read_bytes() == b"before" and third.stat().st_ino == first.stat().st_ino
    with pytest.raises(FileExistsError):
        share(first, tmp_path / "third")


@pytest.mark.parametrize("size", [0, 5, PIECE, 2 * PIECE + 5])
def test_the_digest_is_that_of_what_was_copied(size: int, tmp_path: Path) -> None:
    content = np.random.default_rng(size).bytes(size)
    (tmp_path / "first").write_bytes(content)
    copy = digested(tmp_path / "first", tmp_path / "second")
    assert copy.path.read_bytes() == content and copy.sha256 == hashlib.sha256(content).hexdigest()
    assert copy.modified == copy.path.stat().st_mtime_ns


@pytest.mark.parametrize("written_since", [False, True])
def test_a_large_file_is_read_once_unless_somebody_writes_to_it(
    written_since: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its digest comes from the copying; what was written since then is found before the bundle gets its name."""
    with (tmp_path / "given").open("wb") as file:
        file.truncate(LARGE + 1)
    copy = digested(tmp_path / "given", tmp_path / "copy")
    if written_since:
        with copy.path.open("r+b") as file:
            file.write(b"!")
    read: list[int] = []
    real = hashlib.file_digest

    def spying(file: Any, *rest: Any) -> Any:
        read.append(os.fstat(file.fileno()).st_size)
        return real(file, *rest)

    monkeypatch.setattr(hashlib, "file_digest", spying)
    place = tmp_path / "dist" / "a-1"
    files: dict[str, bytes | Path | Owned] = {**FILES, "model/source/large": copy}
    if written_since:
        with pytest.raises(DamagedError, match=r"fails its own verify: .*changed: model/source/large"):
            write_bundle(place, FACTS, files, MEASURED_FILES)
        assert not place.exists()
    else:
        write_bundle(place, FACTS, files, MEASURED_FILES)
        assert (place / "model/source/large").samefile(copy.path)
    assert (LARGE + 1 in read) == written_since


def test_a_file_of_a_stranger_is_a_plain_one(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    os.mkfifo(tmp_path / "pipe")
    taken = receive(tmp_path / "file", tmp_path / "out", 5)
    assert taken.path.read_bytes() == b"12345" and taken.sha256 == hashlib.sha256(b"12345").hexdigest()
    for name, most in (("file", 4), ("link", 5), ("pipe", 5)):
        with pytest.raises((OSError, ValueError)):
            receive(tmp_path / name, tmp_path / "out", most)


def test_a_large_constant_goes_beside_the_graph(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once, however often it is used; small ones stay in the graph."""
    import onnxruntime as ort

    from mlpack_toolkit.converters._graph import serial
    from mlpack_toolkit.converters._graph.builder import GraphBuilder

    monkeypatch.setattr(serial, "LARGE", 10_000)
    weights = np.random.default_rng(0).normal(size=(4, 1000))
    builder = GraphBuilder("float64")
    x = builder.input(TensorSpec("x", "float64", ("N", 4)))
    once, twice = (builder.op("MatMul", x.name, builder.const(weights.copy())) for _ in range(2))
    builder.output("y", builder.op("Add", builder.op("Add", once, twice), builder.const(1.5)), "float64", ("N", 1000))
    builder.write(tmp_path / "model.onnx")
    assert (tmp_path / DATA).read_bytes() == weights.tobytes() and (tmp_path / "model.onnx").stat().st_size < 1000
    rows = np.ones((3, 4))
    got = ort.InferenceSession(tmp_path / "model.onnx").run(None, {"x": rows})[0]
    np.testing.assert_allclose(got, 2 * rows @ weights + 1.5)


def test_the_schema_wants_the_source_in_its_place() -> None:
    from mlpack_toolkit.packager.bundle.schema import Fault, check_manifest
    from tests.packager.bundle.facts import FACTS

    paths = ["model/model.onnx", "model/code/model.onnx", "reports/verification.json"]

    def check(path: str) -> None:
        check_manifest({**FACTS, "sources": [{**FACTS["sources"][0], "path": path}]}, paths)

    with pytest.raises(Fault, match=r"path must be model/model\.onnx or begin with model/source/"):
        check("model/code/model.onnx")
    check("model/model.onnx")
