"""The C++ runtime: what it writes, and that a compiler, CTest and a consumer agree with it."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # before onnxruntime loads
import onnxruntime as ort

from mlpack_toolkit.converters.spec import Cells, Signature, TensorSpec, Unsupported
from mlpack_toolkit.packager.errors import MissingToolError
from mlpack_toolkit.packager.setup_headers import cache_folder, fetch_headers
from mlpack_toolkit.runtimes import cpp
from mlpack_toolkit.runtimes.cpp import names as names
from mlpack_toolkit.runtimes.spec import Package
from tests.artifacts import artifact_of
from tests.tiers import sixth

GOLDEN = Path(__file__).parent.parent / "golden" / "cpp"
ELEMENT = {
    "float32": TensorProto.FLOAT,
    "float64": TensorProto.DOUBLE,
    "int64": TensorProto.INT64,
    "bool": TensorProto.BOOL,
    "string": TensorProto.STRING,
    "int32": TensorProto.INT32,
    "uint8": TensorProto.UINT8,
    "float16": TensorProto.FLOAT16,
}
OIP = {
    "float32": "FP64",
    "float64": "FP64",
    "int64": "INT64",
    "bool": "BOOL",
    "string": "BYTES",
    "int32": "INT64",
    "uint8": "INT64",
    "float16": "FP64",
}
F32_MAX = float(np.finfo(np.float32).max)
NAME = ("model", "1.0.0")
"""What most projects are called here, so that what is the same in all of them is compiled once."""
Columns = Mapping[str, Sequence[Any]]


# Small graphs, written by hand.


def graph(signature: Signature, nodes: list[Any], constants: Mapping[str, Any]) -> bytes:
    """The serialised model of these nodes, with the inputs and outputs of the signature."""
    inputs = [helper.make_tensor_value_info(t.name, ELEMENT[t.dtype], t.shape) for t in signature.inputs]
    outputs = [helper.make_tensor_value_info(t.name, ELEMENT[t.dtype], t.shape) for t in signature.outputs]
    tensors = [numpy_helper.from_array(np.asarray(v), name) for name, v in constants.items()]
    made = helper.make_graph(nodes, "g", inputs, outputs, tensors)
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 3)]
    model = helper.make_model(made, opset_imports=opsets, ir_version=9)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def node(kind: str, inputs: str, output: str, **attributes: Any) -> Any:
    domain = "ai.onnx.ml" if kind == "LabelEncoder" else ""
    return helper.make_node(kind, inputs.split(), [output], domain=domain, **attributes)


def column(name: str, dtype: str, **rules: Any) -> TensorSpec:
    return TensorSpec(name, dtype, ("N", 1), Cells(**rules))


def penguins(weight: float = 0.5) -> tuple[Signature, bytes]:
    """A linear classifier over text and numbers; labels and categories hold an emoji, an accent and the empty text."""
    labels = ("mâle", "😀", "")
    signature = Signature(
        "classifier",
        (
            column("species", "string", nullable=True, missing="\uffff"),
            column("bill length (mm)", "float32", nullable=True, limit=F32_MAX),
            column("class", "float64", least=-5e-324, most=1e30),
            column("1st", "bool"),
            column("naïve", "string", values=("a", "é", '"\\??=\n')),
        ),
        (
            TensorSpec("label", "string", ("N",)),
            TensorSpec("probabilities", "float32", ("N", 3), Cells(columns=labels)),
        ),
        labels,
    )
    nodes = [
        node(
            "LabelEncoder", "species", "s", keys_strings=["😀", "é", "", "\uffff"], values_floats=[1.0, 2.0, 3.0, 4.0]
        ),
        node("LabelEncoder", "nai", "t", keys_strings=["a", "é"], values_floats=[1.0, -1.0]),
        node("IsNaN", "bill", "gap"),
        node("Where", "gap zero bill", "m"),
        node("Cast", "cls", "c", to=TensorProto.FLOAT),
        node("Cast", "first", "f", to=TensorProto.FLOAT),
        node("Concat", "s m c f t", "x", axis=1),
        node("MatMul", "x w", "y"),
        node("Softmax", "y", "probabilities", axis=1),
        node("ArgMax", "y", "best", axis=1, keepdims=0),
        node("LabelEncoder", "best", "label", keys_int64s=[0, 1, 2], values_strings=list(labels)),
    ]
    own = {"bill": "bill length (mm)", "cls": "class", "first": "1st", "nai": "naïve"}
    for made in nodes:
        made.input[:] = [own.get(name, name) for name in made.input]
    w = np.array([[weight, -0.2, 0.1], [0.1, 0.2, -0.3], [0.3, 0, 0.1], [1, -1, 0.5], [0.2, 0.1, -0.9]], "float32")
    return signature, graph(signature, nodes, {"w": w, "zero": np.float32(0)})


def matrix() -> tuple[Signature, bytes]:
    """A linear regressor over a matrix with a rule per column."""
    rules = (
        TensorSpec("height", "float32", ("N",), Cells(limit=F32_MAX)),
        TensorSpec("height", "float32", ("N",), Cells(nullable=True, limit=1e6)),
        TensorSpec("double", "float32", ("N",), Cells(values=(1.0, 2.5))),
    )
    x = TensorSpec("X", "float32", ("N", 3), Cells(columns=("height", "height", "double"), features=rules))
    signature = Signature("regressor", (x,), (TensorSpec("prediction", "float32", ("N",)),))
    nodes = [node("IsNaN", "X", "gap"), node("Where", "gap zero X", "x"), node("MatMul", "x w", "prediction")]
    return signature, graph(signature, nodes, {"w": np.array([1.5, 2.5, -1], "float32"), "zero": np.float32(0)})


def identifiers() -> tuple[Signature, bytes]:
    """The label is the id plus one, exact to the last bit of an int64."""
    signature = Signature("classifier", (column("id", "int64"),), (TensorSpec("label", "int64", ("N",)),))
    nodes = [node("Squeeze", "id axis", "flat"), node("Add", "flat one", "label")]
    return signature, graph(signature, nodes, {"axis": np.array([1]), "one": np.int64(1)})


def wide(count: int = 320) -> tuple[Signature, bytes]:
    """The sum of as many columns as a wide table has."""
    columns = tuple(column(f"gene-{i} (log₂)", "float64", nullable=i % 2 == 0) for i in range(count))
    signature = Signature("transformer", columns, (TensorSpec("transformed", "float64", ("N", 2)),))
    nodes = [
        helper.make_node("Concat", [c.name for c in columns], ["x"], axis=1),
        node("MatMul", "x w", "transformed"),
    ]
    return signature, graph(signature, nodes, {"w": np.stack([np.ones(count), np.arange(count)], 1)})


def plain_matrix(width: int = 40) -> tuple[Signature, bytes]:
    """A matrix without names, too wide for a struct; several targets."""
    x = TensorSpec("X", "float64", ("N", width))
    signature = Signature("regressor", (x,), (TensorSpec("prediction", "float64", ("N", 2)),))
    return signature, graph(signature, [node("MatMul", "X w", "prediction")], {"w": np.ones((width, 2)) / 3})


def tensors() -> tuple[Signature, bytes]:
    """A graph of rank three, with two inputs that share a free size, and text that passes through."""
    signature = Signature(
        "graph",
        (
            TensorSpec("image", "float32", ("batch", 2, "k"), Cells(nullable=True)),
            TensorSpec("mask", "bool", ("batch", 2, "k")),
            TensorSpec("word", "string", ("batch",)),
        ),
        (
            TensorSpec("masked", "float32", ("batch", 2, "k")),
            TensorSpec("echo", "string", ("batch",)),
        ),
    )
    nodes = [node("Where", "mask image zero", "masked"), node("Identity", "word", "echo")]
    return signature, graph(signature, nodes, {"zero": np.float32(0)})


def mixture() -> tuple[Signature, bytes]:
    """One text per row, narrow integers, and matrices of text, integers and booleans; answers of every type."""
    words = (
        TensorSpec("first", "string", ("N",), Cells(nullable=True, missing="\uffff")),
        TensorSpec("second", "string", ("N",), Cells(values=("a", "b"))),
    )
    signature = Signature(
        "classifier",
        (
            TensorSpec("document", "string", ("N",)),
            column("code", "uint8", values=(1, 3, 255)),
            TensorSpec("words", "string", ("N", 2), Cells(features=words)),
            TensorSpec("counts", "int32", ("N", 3)),
            TensorSpec("flags", "bool", ("N", 2)),
            column("half", "float16", nullable=True),
        ),
        (
            TensorSpec("label", "bool", ("N",)),
            TensorSpec("scores", "float64", ("N", "K")),
            TensorSpec("echo", "string", ("N",)),
            TensorSpec("pairs", "string", ("N", 2)),
            TensorSpec("both", "bool", ("N", 2)),
            TensorSpec("halved", "float16", ("N", 1)),
        ),
        (False, True),
    )
    nodes = [
        node("Squeeze", "code axis", "flat"),
        node("Equal", "flat three", "label"),
        node("Cast", "counts", "scores", to=TensorProto.DOUBLE),
        node("Identity", "document", "echo"),
        node("Identity", "words", "pairs"),
        node("Not", "flags", "both"),
        node("Identity", "half", "halved"),
    ]
    return signature, graph(signature, nodes, {"axis": np.array([1]), "three": np.uint8(3)})


# Golden cases, as docs/golden-cases.md says.


def plain(value: Any) -> Any:
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, float) and not np.isfinite(value):
        return "NaN" if np.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def tensor(spec: TensorSpec, data: Sequence[Any], shape: Sequence[int], **parameters: Any) -> dict[str, Any]:
    made = {"name": spec.name, "datatype": OIP[spec.dtype], "shape": list(shape), "data": [plain(v) for v in data]}
    return {**made, **({"parameters": parameters} if parameters else {})}


def feed(spec: TensorSpec, data: Sequence[Any], shape: Sequence[int]) -> np.ndarray[Any, Any]:
    missing = next((s.missing for s in (spec, *spec.features) if s.missing), "")
    known = [missing if v is None and spec.is_text else v for v in data]
    kind = object if spec.is_text else spec.dtype
    return np.array(known, dtype=kind).reshape(shape if len(spec.shape) > 1 else shape[0])


def golden_case(
    name: str, signature: Signature, model: bytes, given: Columns, shapes: Mapping[str, Sequence[int]] | None = None
) -> dict[str, bytes]:
    """The two files of one case; the graph itself stands for the original model."""
    shapes = shapes or {t.name: (len(given[t.name]) // t.width, t.width) for t in signature.inputs}
    request = {"id": name, "inputs": [tensor(t, given[t.name], shapes[t.name]) for t in signature.inputs]}
    got = answer(signature, model, {t.name: feed(t, given[t.name], shapes[t.name]) for t in signature.inputs})
    outputs = [
        tensor(t, a.ravel().tolist(), a.shape, **({"atol": 1e-6, "rtol": 1e-5} if t.is_float else {}))
        for t, a in zip(signature.outputs, got, strict=True)
    ]
    return files(name, request, {"id": name, "outputs": outputs})


def answer(signature: Signature, model: bytes, given: Mapping[str, np.ndarray[Any, Any]]) -> list[np.ndarray[Any, Any]]:
    """The graph's outputs; some operators fail on no rows, where an original model answers with none."""
    if any(len(array) == 0 for array in given.values()):
        return [np.empty((0, *t.shape[1:]), "U1" if t.is_text else t.dtype) for t in signature.outputs]
    found: list[np.ndarray[Any, Any]] = ort.InferenceSession(model).run(None, given)
    return found


def refused_case(name: str, signature: Signature, given: Columns) -> dict[str, bytes]:
    inputs = [tensor(t, given[t.name], (len(given[t.name]) // t.width, t.width)) for t in signature.inputs]
    return files(name, {"id": name, "inputs": inputs}, {"id": name, "error": "refused by the original"})


def files(name: str, request: Any, response: Any) -> dict[str, bytes]:
    pair = {"request": request, "response": response}
    return {f"{name}.{k}.json": json.dumps(v, ensure_ascii=False, sort_keys=True).encode() for k, v in pair.items()}


PENGUINS = {
    "species": ["😀", "é", "", None, "unseen"],
    "bill length (mm)": [39.1, float("nan"), 0.1, -3e38, 1e-45],
    "class": [1.0, 2.0, 3.5, 1e30, -0.0],
    "1st": [True, False, True, False, True],
    "naïve": ["a", "é", "a", '"\\??=\n', "é"],
}


def penguins_package(weight: float = 0.5) -> Package:
    signature, model = penguins(weight)
    first = {k: v[:1] for k, v in PENGUINS.items()}
    golden = {
        **golden_case("case-000", signature, model, PENGUINS),
        **golden_case("case-001", signature, model, {k: [] for k in PENGUINS}),
        **golden_case("case-002", signature, model, first),
        **refused_case("case-003", signature, {**first, "class": [float("nan")]}),
        **refused_case("case-007", signature, {**first, "class": [-1e-323]}),
        **refused_case("case-008", signature, {**first, "class": [1.0000000000000002e30]}),
        **refused_case("case-004", signature, {**first, "bill length (mm)": [1e39]}),
        **refused_case("case-005", signature, {**first, "naïve": ["b"]}),
        **refused_case("case-006", signature, {**first, "1st": [None]}),
    }
    return Package("penguins-sex", "1.2.0rc1", signature, artifact_of(model), golden)


def package_of(made: tuple[Signature, bytes], *cases: Columns) -> Package:
    signature, model = made
    golden: dict[str, bytes] = {}
    for position, given in enumerate(cases):
        golden |= golden_case(f"case-{position:03}", signature, model, given)
    return Package(*NAME, signature, artifact_of(model), golden)


def matrix_package() -> Package:
    return package_of(matrix(), {"X": [1.5, float("nan"), 2.5, -7, 2, 1]}, {"X": []})


def identifiers_package() -> Package:
    return package_of(identifiers(), {"id": [2**53 + 1, -(2**63), 2**62 + 1, 0]}, {"id": []})


def wide_package() -> Package:
    signature, model = wide()
    return package_of((signature, model), {t.name: [i / 3, -i] for i, t in enumerate(signature.inputs)})


def plain_matrix_package() -> Package:
    return package_of(plain_matrix(), {"X": [i / 7 for i in range(80)]}, {"X": []})


def mixture_package() -> Package:
    signature, model = mixture()
    given: dict[str, Sequence[Any]] = {
        "document": ["", "Ωmega\n😀"],
        "code": [3, 255],
        "words": [None, "a", "é", "b"],
        "counts": [1, -(2**31), 2**31 - 1, 4, 5, 6],
        "flags": [True, False, True, True],
        "half": [0.1, 65000.0],
    }
    golden = {
        **golden_case("case-000", signature, model, given),
        **refused_case("case-001", signature, {**given, "code": [3, 256]}),
        **refused_case("case-002", signature, {**given, "counts": [2**31, 0, 0, 0, 0, 0]}),
        **refused_case("case-003", signature, {**given, "words": ["x", None, "é", "b"]}),
        **refused_case("case-004", signature, {**given, "words": ["x", "c", "é", "b"]}),
    }
    return Package(*NAME, signature, artifact_of(model), golden)


def tensors_package() -> Package:
    signature, model = tensors()
    shapes = {"image": (2, 2, 3), "mask": (2, 2, 3), "word": (2,)}
    given = {"image": [float("nan"), *range(11)], "mask": [True, False, True] * 4, "word": ["😀", ""]}
    cases = golden_case("case-000", signature, model, given, shapes)
    return Package(*NAME, signature, artifact_of(model), cases)


PACKAGES = {
    "penguins": penguins_package,
    "matrix": matrix_package,
    "identifiers": identifiers_package,
    "wide": wide_package,
    "plain_matrix": plain_matrix_package,
    "mixture": mixture_package,
    "tensors": tensors_package,
}


# Building and running what was written.


def write(rendered: Mapping[str, bytes], folder: Path) -> Path:
    for name, content in rendered.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return folder


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, timeout=500, check=False
    )


def follow_steps(project: Path, work: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """The first step that fails, else the last one."""
    done = None
    for step in cpp.RUNTIME.steps(project, work):
        settings = {**(step.environment or {}), "CXXFLAGS": "-Werror", **environment}
        done = run(step.tool, *step.arguments, **settings)
        if done.returncode:
            break
    assert done is not None
    return done


def log(done: subprocess.CompletedProcess[str]) -> str:
    return done.stdout + done.stderr


@pytest.fixture(scope="session")
def tools() -> None:
    """Skips where there is no toolchain; fetches ONNX Runtime's headers where only they are missing."""
    for tool in ("cmake", "ctest", "g++"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is missing: {cpp.INSTALL}")
    if cpp._headers() is None:
        try:
            fetch_headers(cache_folder())
        except MissingToolError as error:
            pytest.skip(str(error))


ALLOCATED = """#include <CLASS/CLASS.hpp>

#include <cstdio>
#include <cstdlib>
#include <new>

static std::size_t allocated = 0;
void* operator new(std::size_t size) {
    allocated += size;
    if (void* place = std::malloc(size)) return place;
    throw std::bad_alloc();
}
void operator delete(void* place) noexcept { std::free(place); }
void operator delete(void* place, std::size_t) noexcept { std::free(place); }

int main(int, char** arguments) {
    const CLASS::TYPE model{std::filesystem::path(arguments[1])};
    CLASS::Tensors inputs;
    inputs["image"] = {{1, 2, 500000}, std::vector<float>(1000000)};
    inputs["mask"] = {{1, 2, 500000}, std::vector<bool>(1000000)};
    inputs["word"] = {{1}, std::vector<std::string>{"x"}};
    const std::size_t before = allocated;
    const CLASS::Tensors answers = model.predict(inputs);
    std::printf("%zu", allocated - before);
}
"""


def allocated(project: Path, work: Path) -> int:
    """Bytes that a call with 4 MB of numbers allocates, of which its answer has as many."""
    source, program = work / "allocated.cpp", work / "allocated"
    (header,) = (path for path in (project / "include").iterdir())
    klass = re.search(r"^class (\w+)", (header / f"{header.name}.hpp").read_text(), re.MULTILINE)
    assert klass
    source.write_text(ALLOCATED.replace("CLASS", header.name).replace("TYPE", klass[1]))
    (library,) = (work / "cpp").glob("*.a")
    done = run("g++", "-std=c++17", "-I", project / "include", source, library, "-ldl", "-pthread", "-o", program)
    assert done.returncode == 0, log(done)
    done = run(program, project / "model" / "model.onnx", **(cpp.RUNTIME.steps(project, work)[0].environment or {}))
    assert done.returncode == 0, log(done)
    return int(done.stdout)


@pytest.mark.slow
@pytest.mark.usefixtures("tools")
@pytest.mark.parametrize("name", sixth(sorted(set(PACKAGES) - {"penguins"})))  # which `built` builds
def test_project_builds_without_warnings_and_replays_its_cases(name: str, tmp_path: Path) -> None:
    project = write(cpp.RUNTIME.render(PACKAGES[name]()), tmp_path / "project")
    before = sorted(p.relative_to(project) for p in project.rglob("*"))
    done = follow_steps(project, tmp_path / "work")
    assert done.returncode == 0, log(done)
    assert "100% tests passed, 0 tests failed out of 2" in done.stdout
    assert sorted(p.relative_to(project) for p in project.rglob("*")) == before
    if name == "tensors":
        assert 4_000_000 <= allocated(project, tmp_path / "work") < 5_000_000, "the answer, and no copy of the input"


# One project built once, inside a bundle.


@dataclass(frozen=True)
class Built:
    """A bundle with the C++ project in it, and the folder where that was built."""

    bundle: Path
    work: Path

    @property
    def project(self) -> Path:
        return self.bundle / "deploy" / "cpp"

    def ctest(self) -> subprocess.CompletedProcess[str]:
        """Away from mlpack's own cache, so that no path of a library is compiled in."""
        return follow_steps(self.project, self.work, XDG_CACHE_HOME=str(self.work / "cache"))

    def replay(self, **environment: str) -> subprocess.CompletedProcess[str]:
        """The golden test by itself, in exactly this environment."""
        program = self.work / "cpp" / "tests" / "penguins_sex_golden"
        command = [program, self.project / "model" / "model.onnx", self.project / "tests" / "golden"]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture(scope="session")
def built(tools: None, tmp_path_factory: pytest.TempPathFactory) -> Built:
    folder = tmp_path_factory.mktemp("cpp")
    package = penguins_package()
    bundle = {"manifest.json": b"{}", "model/model.onnx": package.model.path.read_bytes()}
    bundle |= {f"golden/{name}": content for name, content in package.golden.items()}
    bundle |= {f"deploy/cpp/{name}": content for name, content in cpp.RUNTIME.render(package).items()}
    made = Built(write(bundle, folder / "penguins-1.2.0"), folder / "work")
    done = made.ctest()
    assert done.returncode == 0, log(done)
    assert "100% tests passed, 0 tests failed out of 3" in done.stdout
    return made


@contextmanager
def changed(path: Path, content: bytes) -> Iterator[None]:
    before = path.read_bytes()
    assert before != content
    path.write_bytes(content)
    try:
        yield
    finally:
        path.write_bytes(before)


@pytest.mark.slow
@pytest.mark.parametrize("place", ["golden/case-002.response.json", "golden/case-003.request.json", "model/model.onnx"])
def test_bundle_that_was_tampered_with_fails(built: Built, place: str) -> None:
    with changed(built.bundle / place, (built.bundle / place).read_bytes() + b"\n"):
        done = built.ctest()
    assert done.returncode != 0
    assert "differ:" in log(done) and Path(place).name in log(done)


@pytest.mark.slow
def test_bundle_that_lost_a_case_fails(built: Built) -> None:
    case = built.bundle / "golden" / "case-002.response.json"
    content = case.read_bytes()
    case.unlink()
    try:
        done = built.ctest()
    finally:
        case.write_bytes(content)
    assert done.returncode != 0
    assert "missing: one of" in log(done)


@pytest.mark.slow
def test_changed_weight_fails_everywhere_it_shows(built: Built) -> None:
    _, other = penguins(weight=0.51)
    with changed(built.bundle / "model/model.onnx", other), changed(built.project / "model/model.onnx", other):
        done = built.ctest()
    assert done.returncode != 0
    assert 'case-000 output "probabilities" element 0 is' in log(done)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "old", "new", "reason"),
    [
        ("case-002.response", b'"data": ["', b'"data": ["x', 'output "label" element 0 is'),
        (
            "case-002.response",
            b'"shape": [1, 3]',
            b'"shape": [3, 1]',
            'output "probabilities" has shape [1, 3] instead of [3, 1]',
        ),
        ("case-003.request", b'"NaN"', b"1.0", "is answered, where the original model refuses it"),
        ("case-002.response", b'{"id"', b'{"error": "no", "id"', "is answered, where the original model refuses it"),
        ("case-000.request", b'"a"', b'"b"', "is not a value that the model knows; it takes"),
    ],
)
def test_changed_case_fails(built: Built, case: str, old: bytes, new: bytes, reason: str) -> None:
    path = built.project / "tests" / "golden" / f"{case}.json"
    with changed(path, path.read_bytes().replace(old, new, 1)):
        done = built.replay(ONNXRUNTIME_LIBRARY=str(cpp._library()))
    assert done.returncode == 1
    assert reason in done.stdout


def maven_library(folder: Path, version: str = "1.28.0") -> Path:
    """The library of an older release, out of the Java package."""
    base = Path.home() / ".m2/repository/com/microsoft/onnxruntime/onnxruntime" / version
    jar = base / f"onnxruntime-{version}.jar"
    if not jar.exists():
        pytest.skip(f"mvn dependency:get -Dartifact=com.microsoft.onnxruntime:onnxruntime:{version}")
    with zipfile.ZipFile(jar) as archive:
        return Path(archive.extract("ai/onnxruntime/native/linux-x64/libonnxruntime.so", folder))


@pytest.mark.slow
def test_one_binary_serves_an_older_release(built: Built, tmp_path: Path) -> None:
    done = built.replay(ONNXRUNTIME_LIBRARY=str(maven_library(tmp_path)))
    assert (done.returncode, done.stdout) == (0, "9 cases replayed, 0 failed\n"), log(done)


@pytest.mark.slow
def test_library_writes_nothing_into_the_home_folder(built: Built, tmp_path: Path) -> None:
    done = built.replay(ONNXRUNTIME_LIBRARY=str(cpp._library()), HOME=str(tmp_path))
    assert done.returncode == 0, log(done)
    assert list(tmp_path.iterdir()) == []


OLD_RUNTIME = """
struct Base { const void* (*get_api)(unsigned); const char* (*get_version)(); };
static const void* get_api(unsigned) { return nullptr; }
static const char* get_version() { return "1.9.9"; }
extern "C" const Base* OrtGetApiBase() { static const Base base{get_api, get_version}; return &base; }
"""


@pytest.mark.slow
def test_library_that_is_too_old_says_so(built: Built, tmp_path: Path) -> None:
    (tmp_path / "old.cpp").write_text(OLD_RUNTIME)
    library = tmp_path / "libonnxruntime.so"
    assert run("g++", "-shared", "-fPIC", str(tmp_path / "old.cpp"), "-o", str(library)).returncode == 0
    done = built.replay(ONNXRUNTIME_LIBRARY=str(library))
    assert done.returncode == 1
    assert f"{library} is ONNX Runtime 1.9.9, which is older than 1.28" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        ({"ONNXRUNTIME_LIBRARY": "/no/such.so"}, "Tried:\n  /no/such.so: "),
        ({"ONNXRUNTIME_LIBRARY": "libm.so.6"}, "libm.so.6 is not ONNX Runtime: it has no OrtGetApiBase"),
        ({}, "libonnxruntime.so: "),
    ],
)
def test_library_that_is_not_there_says_what_was_tried(built: Built, environment: dict[str, str], reason: str) -> None:
    done = built.replay(**environment)
    assert done.returncode == 1
    assert reason in done.stdout


CONSUMER = {
    "CMakeLists.txt": b"""cmake_minimum_required(VERSION 3.21)
project(consumer CXX)
find_package(penguins_sex 1.2 REQUIRED)
add_executable(app app.cpp)
target_link_libraries(app PRIVATE penguins_sex::penguins_sex)
""",
    "app.cpp": b"""#include <penguins_sex/penguins_sex.hpp>
#include <iostream>
namespace ps = penguins_sex;
int main() {
    const ps::PenguinsSex model(ps::default_model_path());
    ps::Row row{};
    row.species = "\xc3\xa9";
    row.class_ = 2.0;
    row.naive = "a";
    const ps::Result answer = model.predict(row);
    std::cout << answer.label << " " << (answer.label == ps::PenguinsSex::classes()[0]) << "\\n";
    row.class_ = std::numeric_limits<double>::quiet_NaN();
    try {
        model.predict({row, row});
    } catch (const ps::InvalidInput& error) {
        std::cout << error.what() << "\\n";
    }
}
""",
}
REFUSAL = (
    '[penguins_sex.input] row 0, column "class": a missing value is refused, as the model takes none here; '
    "fill it or leave the row out"
)


@pytest.mark.slow
@pytest.mark.parametrize("shared", ["OFF", "ON"])
def test_consumer_finds_the_installed_package(built: Built, tmp_path: Path, shared: str) -> None:
    build, prefix, consumer = (str(tmp_path / name) for name in ("build", "prefix", "consumer"))
    settings = cpp.RUNTIME.steps(built.project, tmp_path)[0].environment or {}
    write(CONSUMER, tmp_path / "consumer")
    for command in (
        ("-S", str(built.project), "-B", build, "-DBUILD_TESTING=OFF", f"-DBUILD_SHARED_LIBS={shared}"),
        ("--build", build, "--parallel", "2"),
        ("--install", build, "--prefix", prefix),
        ("-S", consumer, "-B", f"{consumer}/build", f"-DCMAKE_PREFIX_PATH={prefix}"),
        ("--build", f"{consumer}/build"),
    ):
        done = run("cmake", *command, **settings)
        assert done.returncode == 0, log(done)
    done = run(f"{consumer}/build/app", **settings)
    assert done.stdout.splitlines() == ["mâle 1", REFUSAL], log(done)


@pytest.mark.slow
def test_missing_headers_say_how_to_get_them(built: Built, tmp_path: Path) -> None:
    settings = {"ONNXRUNTIME_INCLUDE_DIR": "/no/such/folder", "XDG_CACHE_HOME": str(tmp_path / "cache")}
    done = run("cmake", "-S", str(built.project), "-B", str(tmp_path), **settings)
    if done.returncode == 0:
        pytest.skip("the system has the headers by itself")
    assert "python -m mlpack_toolkit.packager.setup_headers" in done.stderr
    assert "ONNXRUNTIME_ROOT" in done.stderr


# What is written, without a compiler.


def small_package() -> Package:
    """One named column, one label: every file is short."""
    signature = Signature(
        "classifier",
        (column("size (mm)", "float32", nullable=True, limit=F32_MAX),),
        (TensorSpec("label", "string", ("N",)), TensorSpec("probabilities", "float32", ("N", 2))),
        ("big", "small"),
    )
    request = {"id": "case-000", "inputs": [tensor(signature.inputs[0], [1.5], (1, 1))]}
    response = {"id": "case-000", "error": "no answer"}
    return Package("size-class", "1.0.0", signature, artifact_of(b"not a model"), files("case-000", request, response))


def test_several_targets_are_arrays_in_the_order_of_their_classes() -> None:
    outputs = (
        TensorSpec("label", "string", ("N", 2)),
        TensorSpec("probabilities_0", "float32", ("N", 2), Cells(columns=("no", "😀"))),
    )
    made = small_package()
    signature = replace(made.signature, outputs=outputs, classes=())
    header = cpp.RUNTIME.render(replace(made, signature=signature))["include/size_class/size_class.hpp"].decode()
    assert "std::array<std::string, 2> label{};" in header
    assert '/// "probabilities_0", in the order "no", "😀"\n    std::array<double, 2> probabilities_0{};' in header
    assert "classes()" not in header


def _is_plain(name: str) -> bool:
    """Whether it is the server's own source, the same in all projects."""
    return name.startswith("server/") and name not in ("server/CMakeLists.txt", "server/model.cpp")


def test_whole_project_is_as_it_was() -> None:
    """Set UPDATE_GOLDEN=1 to write the files anew, then read the difference."""
    rendered = {n: c for n, c in cpp.RUNTIME.render(small_package()).items() if not _is_plain(n)}
    if os.environ.get("UPDATE_GOLDEN"):
        shutil.rmtree(GOLDEN, ignore_errors=True)
        write(rendered, GOLDEN)
    kept = {str(p.relative_to(GOLDEN)): p.read_bytes() for p in GOLDEN.rglob("*") if p.is_file()}
    assert sorted(rendered) == sorted(kept)
    assert [name for name in rendered if rendered[name] != kept[name]] == []


@pytest.mark.parametrize("name", PACKAGES)
def test_same_package_gives_same_bytes(name: str) -> None:
    package = PACKAGES[name]()
    first, second = cpp.RUNTIME.render(package), cpp.RUNTIME.render(package)
    assert list(first.items()) == list(second.items())
    assert list(first) == sorted(first)


@pytest.mark.parametrize("name", PACKAGES)
def test_model_and_cases_travel_unchanged(name: str) -> None:
    package = PACKAGES[name]()
    rendered = cpp.RUNTIME.render(package)
    assert rendered["model/model.onnx"] == package.model.path.read_bytes()
    copies = {n.removeprefix("tests/golden/"): c for n, c in rendered.items() if n.startswith("tests/golden/")}
    assert copies == package.golden


def test_element_type_that_is_unknown_is_refused_by_name() -> None:
    signature = Signature("graph", (TensorSpec("x", "complex64", ("N", 1)),), (TensorSpec("y", "float32", ("N",)),))
    with pytest.raises(
        Unsupported, match="'x' has element type complex64; the C\\+\\+ runtime supports bfloat16, bool"
    ):
        cpp.RUNTIME.render(Package("m", "1", signature, artifact_of(b""), {}))


@pytest.mark.parametrize(
    ("text", "identifier"),
    [
        ("bill length (mm)", "bill_length_mm"),
        ("class", "class_"),
        ("1st", "column_1st"),
        ("naïve", "naive"),
        ("a-b", "a_b"),
        ("_private__x", "private_x"),
        ("SepalLength", "sepal_length"),
        ("身長", "column_1"),
        ("", "column_1"),
        ("linux", "linux_"),
        ("std", "std_"),
        ("NULL", "null"),
    ],
)
def test_column_becomes_an_identifier(text: str, identifier: str) -> None:
    assert names.unique_names([text], "column") == [identifier]


def test_identifiers_are_unique() -> None:
    texts = ["a b", "a-b", "a_b", "a_b_2", "class", "CLASS", "身", "長"]
    assert names.unique_names(texts, "column") == [
        "a_b", "a_b_2", "a_b_3", "a_b_2_2", "class_", "class_2", "column_7", "column_8",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("model", "package", "klass"),
    [
        ("penguins-sex", "penguins_sex", "PenguinsSex"),
        ("class", "class_model", "ClassModel"),
        ("test", "test_model", "TestModel"),
        ("time", "time_model", "TimeModel"),
        ("row", "row", "RowModel"),
        ("2024 sales", "model_2024_sales", "Model2024Sales"),
        ("模型", "model", "Model"),
    ],
)
def test_model_becomes_a_package_and_a_class(model: str, package: str, klass: str) -> None:
    assert names.package_name(model) == package
    assert names.class_name(package) == klass


@pytest.mark.parametrize("text", ["", "é", "😀", 'a"b\\c', "\uffff", "line\nline", "??=", "tab\t1", "\u202e"])
def test_literal_reads_back(text: str) -> None:
    literal = names.literal(text)
    plain = re.sub(r"[^\x00-\x7f]", lambda m: "".join(f"\\{b:03o}" for b in m[0].encode()), literal.replace("\\?", "?"))
    assert ast.literal_eval("b" + plain).decode() == text
    assert "??" not in literal and "\n" not in literal


@pytest.mark.parametrize(
    ("version", "numeric"),
    [("1.2.0rc1", "1.2.0"), ("v2", "2"), ("2024-05-01", "2024"), ("abc", "0"), ("1.2.3.4.5", "1.2.3.4")],
)
def test_version_becomes_one_that_cmake_takes(version: str, numeric: str) -> None:
    rendered = cpp.RUNTIME.render(replace(small_package(), version=version))
    assert f"project(size_class VERSION {numeric} LANGUAGES CXX)" in rendered["CMakeLists.txt"].decode()


def test_readme_shows_the_model_s_own_columns() -> None:
    readme = cpp.RUNTIME.render(penguins_package())["README.md"].decode()
    assert (
        'row.species = "😀";\nrow.bill_length_mm = 39.1;\nrow.class_ = 1.0;\nrow.column_1st = true;\n// ... and 1 more'
        in readme
    )
    assert "find_package(penguins_sex REQUIRED)" in readme


def test_steps_write_below_the_work_folder_only(tmp_path: Path) -> None:
    steps = cpp.RUNTIME.steps(tmp_path / "project", tmp_path / "work")
    assert [step.tool for step in steps] == ["cmake", "cmake", "ctest"]
    assert str(tmp_path / "work" / "cpp") in steps[0].arguments
    assert all(step.environment and step.environment["ORT_DISABLE_TELEMETRY"] == "1" for step in steps)


def test_steps_leave_the_user_s_own_choice_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONNXRUNTIME_LIBRARY", "/mine.so")
    monkeypatch.setenv("ONNXRUNTIME_INCLUDE_DIR", "/mine")
    for step in cpp.RUNTIME.steps(tmp_path, tmp_path):
        assert dict(step.environment or {}) == {"ORT_DISABLE_TELEMETRY": "1"}


def test_headers_are_looked_for_where_they_are_put(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLPACK_ONNXRUNTIME_INCLUDE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cpp._headers() is None
    (cache_folder() / "include").mkdir(parents=True)
    assert cpp._headers() == cache_folder() / "include"


@pytest.mark.slow
@pytest.mark.usefixtures("tools")
@pytest.mark.parametrize("name", PACKAGES)
def test_readme_s_lines_compile(name: str, tmp_path: Path) -> None:
    project = write(cpp.RUNTIME.render(PACKAGES[name]()), tmp_path)
    snippet = (project / "README.md").read_text("utf-8").split("```")[1].removeprefix("cpp\n")
    include, body = snippet.split("\n", 1)
    (tmp_path / "snippet.cpp").write_text(f"{include}\nvoid f() {{\n{body}\n(void)answer;\n}}\n", "utf-8")
    macro = f'-D{include.split("/")[0].removeprefix("#include <").upper()}_MODEL_PATH="model.onnx"'
    command = ("g++", "-std=c++17", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", macro)
    done = run(*command, f"-I{project}/include", str(tmp_path / "snippet.cpp"))
    assert done.returncode == 0, log(done)
