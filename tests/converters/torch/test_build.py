"""PyTorch as a user meets it: files of every kind become bundles, whose answers are the module's own, or a sentence."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sysconfig
from collections.abc import Callable, Sequence
from pathlib import Path
from shutil import which
from typing import Any

import numpy as np
import onnx
import pytest

from mlpack_toolkit.converters.artifact import Artifact
from mlpack_toolkit.converters.messages import Observe
from mlpack_toolkit.converters.spec import Table, Unreadable
from mlpack_toolkit.converters.torch.loading import require_new
from mlpack_toolkit.packager.bundle.architecture import grown, path_of
from mlpack_toolkit.packager.bundle.reader import open_bundle
from mlpack_toolkit.packager.commands.predict import predict
from mlpack_toolkit.packager.commands.reproduce import _asked_again
from mlpack_toolkit.packager.commands.verify import check_bundle
from mlpack_toolkit.packager.environments.python.rebuild import Interpreter
from mlpack_toolkit.packager.equivalence.layers import with_errors
from mlpack_toolkit.packager.errors import UntrustedError
from mlpack_toolkit.packager.original.reload import original_worker
from mlpack_toolkit.packager.original.source import take_source
from mlpack_toolkit.runtimes.engine.binary import arrays_of
from mlpack_toolkit.runtimes.server.bundle_info import describe
from mlpack_toolkit.runtimes.server.model import Model
from mlpack_toolkit.runtimes.server.protocol.infer import infer
from tests.conftest import Run
from tests.once import once
from tests.quick import TORCH
from tests.warm import run_mlpack

HERE = Path(__file__).parent
LONGEST = 240
"""Seconds of a program."""
pytestmark = pytest.mark.skipif(not TORCH, reason="needs torch: MLPACK_TORCH_PYTHON names an interpreter that has it")
Array = np.ndarray[Any, Any]


def asked(program: str, folder: Path, *more: str) -> str:
    """What a program prints in torch's interpreter; one that hangs says where."""
    command = [TORCH, "-X", "faulthandler", HERE / program, folder, *more]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, cwd=folder) as process:
        try:
            said, errors = process.communicate(timeout=LONGEST)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGABRT)
            said, errors = process.communicate()
    assert process.returncode == 0, errors
    return said


@pytest.fixture(scope="module")
def models(torch: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return once(tmp_path_factory, "torch-models", lambda folder: asked("models.py", folder))


Bundle = tuple[Path, dict[str, Any]]


def built(models: Path, model: str, example: str, output: str, *more: str) -> Bundle:
    """The bundle that the command wrote, and the object that it printed."""
    given = ["build", model, "--example", example, "--python", TORCH, "-o", output, "--json", *more]
    done = run_mlpack(*given, cwd=models)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    return models / said["bundle"], said


Build = Callable[..., Bundle]


@pytest.fixture(scope="module")
def build_once(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Builds like `built`, once a run, however many workers share these tests."""

    def build(model: str, example: str, *more: str) -> Bundle:
        def fill(folder: Path) -> None:
            _, said = built(models, model, example, str(folder / "dist"), *more)
            (folder / "said.json").write_text(json.dumps(said))

        folder = once(tmp_path_factory, f"torch-{model}", fill)
        said = json.loads((folder / "said.json").read_text())
        return models / said["bundle"], said

    return build


@pytest.fixture(scope="module")
def pictures(build_once: Build) -> Bundle:
    return build_once("pictures.pt2", "pictures.npy")


@pytest.fixture(scope="module")
def tagger(build_once: Build) -> Bundle:
    """Without axes on the command line: a second, longer example shows them."""
    return build_once("tagger.pt", "words.npz", "--code", "code", "-O", "torch.other=longer.npz")


@pytest.fixture(scope="module")
def cell(build_once: Build) -> Bundle:
    return build_once("cell.pt", "step.pt", "--code", "code", "--target", "docker")


@pytest.fixture(scope="module")
def script(build_once: Build) -> Bundle:
    return build_once("script.pt", "pictures.npy", "--allow", "torchscript", "--target", "docker")


def tensors(said: dict[str, Any], side: str) -> dict[str, tuple[str, list[str | int]]]:
    return {t["name"]: (t["dtype"], t["shape"]) for t in said["signature"][side]}


def recorded(bundle: Path) -> list[tuple[dict[str, Array], dict[str, Array]]]:
    """Inputs and answers of every golden case with numbers."""
    return [(dict(case.rows), dict(case.answers)) for case in open_bundle(bundle).golden() if not case.error]


def test_a_program_becomes_a_bundle_of_its_own_names(pictures: Bundle) -> None:
    _, said = pictures
    assert said["verification"]["verdict"] == "equal" and said["verification"]["precision"] == "float32"
    assert tensors(said, "inputs") == {"input": ("float32", ["N", 1, 8, 8])}
    assert tensors(said, "outputs") == {"output": ("float32", ["N", 3])}
    tried = set(said["verification"]["probes"])
    assert {"example", "batch of 0", "nan in input", "noise in input"} <= tried, tried


def test_a_module_of_the_users_own_has_the_sizes_that_two_examples_show(tagger: Bundle) -> None:
    _, said = tagger
    assert tensors(said, "inputs") == {"tokens": ("int64", ["N", "tokens_1"])}
    assert tensors(said, "outputs") == {"scores": ("float32", ["N", "tokens_1", 4])}
    (tokens,) = said["signature"]["inputs"]
    assert (tokens["least"], tokens["most"]) == (0, 29), "what nn.Embedding takes"
    assert said["signature"]["ranges"] == [{"name": "tokens_1", "least": 1}], "an LSTM takes no empty sentence"


def test_weights_in_several_files_are_those_of_the_module(models: Path, tagger: Bundle) -> None:
    index, given = "model.safetensors.index.json", ("--code", "code", "-O", "torch.factory=small_nets:Tagger")
    folder, _ = built(models, index, "words.npz", "shards", *given, "--name", "shards")
    bundle, whole = open_bundle(folder), open_bundle(tagger[0])
    assert len(list((folder / "model/source").glob("model-0000?-of-00002.safetensors"))) == 2
    assert {t.name: t.shape for t in bundle.signature.outputs} == {"scores": ("N", 7, 4)}
    example = next(case for case in whole.golden() if case.probe == "example")
    with original_worker(bundle, TORCH, ("small_nets",)) as (worker, _, scratch):
        found = worker.predict(example.rows, scratch, bundle.signature.batch_axes)
    np.testing.assert_array_equal(found["scores"], example.answers["scores"])


def test_nested_keyword_and_single_inputs_have_stable_names(cell: Bundle) -> None:
    _, said = cell
    assert tensors(said, "inputs") == {
        "x": ("float32", ["N", 4]),
        "state.0": ("float32", ["N", 6]),
        "state.1": ("float32", ["N", 6]),
        "scale": ("float32", []),
        "masks.late": ("bool", ["N"]),
    }
    assert tensors(said, "outputs") == {
        "output_0": ("float32", ["N", 2]),
        "output_1.0": ("float32", ["N", 6]),
        "output_1.1": ("float32", ["N", 6]),
    }


def test_torchscript_that_the_user_allows_answers_like_the_module_it_was(script: Bundle, pictures: Bundle) -> None:
    assert tensors(script[1], "inputs") == {"input": ("float32", ["N", 1, 8, 8])}
    for inputs, answers in recorded(pictures[0])[:2]:
        found = open_answers(script[0], inputs)
        np.testing.assert_allclose(found["output"], answers["output"], rtol=1e-5, atol=1e-6)


def open_answers(bundle: Path, inputs: dict[str, Array]) -> dict[str, Array]:
    """What the server's model answers to a request of the protocol."""
    described = [
        {"name": name, "datatype": "FP32", "shape": list(v.shape), "data": v.ravel().tolist()}
        for name, v in inputs.items()
    ]
    reply = infer(Model(describe(bundle)), json.dumps({"inputs": described}).encode(), None)
    return arrays_of(json.loads(reply.body)["outputs"], None)


def test_every_command_reads_the_bundle(pictures: Bundle, models: Path, tmp_path: Path) -> None:
    bundle, _ = pictures
    check_bundle(bundle, (), "cpu", lambda step: None)
    assert "`new Tensor<>(new float[64], 1, 1, 8, 8)`" in (bundle / "deploy/java/README.md").read_text()
    predict(bundle, models / "pictures.npy", tmp_path / "out.npz")
    with np.load(tmp_path / "out.npz") as found:
        assert found["output"].shape == (5, 3)
        np.testing.assert_allclose(found["output"].sum(1), 1, rtol=1e-6)


def test_the_server_takes_and_gives_binary_tensors(pictures: Bundle, models: Path) -> None:
    bundle, _ = pictures
    values = np.load(models / "pictures.npy")
    size = {"binary_data_size": values.nbytes}
    head = {
        "inputs": [{"name": "input", "datatype": "FP32", "shape": list(values.shape), "parameters": size}],
        "outputs": [{"name": "output", "parameters": {"binary_data": True}}],
    }
    body = json.dumps(head).encode()
    reply = infer(Model(describe(bundle)), body + values.tobytes(), str(len(body)).encode())
    length = int(dict(reply.headers)[b"inference-header-content-length"])
    found = arrays_of(json.loads(reply.body[:length])["outputs"], reply.body[length:])["output"]
    np.testing.assert_array_equal(found, open_answers(bundle, {"input": values})["output"])


@pytest.mark.parametrize("name", ["pictures", "tagger"])
def test_the_original_gives_the_same_bits_again(name: str, request: pytest.FixtureRequest) -> None:
    folder, _ = request.getfixturevalue(name)
    bundle = open_bundle(folder)
    documents = (bundle.json(bundle.parts[0].document), bundle.json(bundle.layout.machine))
    allow = ("small_nets",) if name == "tagger" else ()
    golden, _libraries = _asked_again(bundle, Interpreter(TORCH, "", True), allow, *documents)
    assert golden["cases"] > 5 and golden["same_bits"] == golden["cases"]


def test_the_report_says_what_it_was_and_what_was_proved(tagger: Bundle) -> None:
    folder, _ = tagger
    report = (folder / "evidence/report.html").read_text()
    for said in ("Tagger (PyTorch, 1,060 parameters)", "tokens_1", "torch", "The error grows most in <code>"):
        assert said in report, said
    packages = open_bundle(folder).json("environment/python/environment.json")["distributions"]
    assert "torch" in {each["name"] for each in packages}
    assert (folder / "model/code/small_nets.py").is_file()


def worse(artifact: Artifact, path: str, folder: Path) -> Artifact:
    """A copy of the graph in which the weights of one module are 0.2 % larger."""
    model = onnx.load(artifact.path)
    read = {name for node in model.graph.node if path_of(node) == path for name in node.input}
    floats = [t for t in model.graph.initializer if t.name in read and t.data_type == onnx.TensorProto.FLOAT]
    assert floats, read
    for tensor in floats:
        tensor.CopyFrom(
            onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(tensor) * np.float32(1.002), tensor.name)
        )
    onnx.save(model, folder / "model.onnx")
    return Artifact.of(folder / "model.onnx")


@pytest.mark.parametrize(("name", "path"), [("pictures", "5"), ("tagger", "lstm")])
def test_the_layer_that_is_worse_is_named(name: str, path: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """Of a program and of modules of Python; the graph as it was built has no block like that."""
    bundle = open_bundle(request.getfixturevalue(name)[0])
    graph, example = bundle.variant().artifact, next(case.rows for case in bundle.golden() if not case.error)
    with original_worker(bundle, TORCH, () if name == "pictures" else ("small_nets",)) as (worker, _, scratch):
        files = str(scratch / "rows.npz"), str(scratch / "parts.npz")

        def ask(rows: Table, paths: tuple[str, ...], each: int = 1 << 20) -> tuple[Table, Sequence[str]]:
            return worker.observe(rows, scratch, Observe(*files, paths, each, 1 << 24))

        found = with_errors(worse(graph, path, tmp_path), bundle.signature, example, ask)
        plain = with_errors(graph, bundle.signature, example, ask)
        arrays, left_out = ask(example, (path,), 8)
    block = grown(found)
    assert block is not None and block.path == path, found
    assert block.error is not None and block.error > 1e-4 > 1e-5 > block.before
    assert all(each.error is None or each.error < 1e-5 for each in plain), plain
    assert sum(each.error is not None for each in plain) >= 3
    assert not arrays and left_out == (path,), "an answer of more than 8 bytes is not kept"


@pytest.mark.slow
def test_a_notebook_builds_its_own_module(models: Path) -> None:
    found = json.loads(asked("from_python.py", models, sysconfig.get_path("purelib")).splitlines()[-1])
    assert found["inputs"] == {"x": ["N", 4], "bias": [3]} and found["bundle"].endswith("Notebook-1.0.0")
    check_bundle(Path(found["bundle"]), (), "cpu", lambda step: None)
    assert found["training"], "the user's module is as it was"
    assert "the example holds a str at 'x': give tensors" in found["refused"]
    assert found["saved"] == ["Tagger.pt", "small_nets.py"], "the sources of its own classes, no others"


@pytest.mark.slow
def test_the_same_bytes_twice(pictures: Bundle, models: Path) -> None:
    again, said = built(models, "pictures.pt2", "pictures.npy", "again")
    assert said["identity"] == pictures[1]["identity"]
    assert (again / "manifest.json").read_bytes() == (pictures[0] / "manifest.json").read_bytes()


@pytest.mark.slow
@pytest.mark.skipif(not which("cmake") or not which("mvn"), reason="there is no CMake, or no Maven")
@pytest.mark.parametrize("name", ["pictures", "tagger"])
def test_java_and_c_replay_the_golden_cases(name: str, request: pytest.FixtureRequest) -> None:
    folder, _ = request.getfixturevalue(name)
    done = check_bundle(folder, ("java", "cpp"), "cpu", lambda step: None)
    assert done["golden"]["java"] == done["golden"]["cpp"] > 5


REFUSED = {
    "dropout that is always on": ("Unsupported", r'line \d+: "return F\.dropout.*F\.dropout with training='),
    "noise": ("Unsupported", r'draws random numbers.*line \d+: "return .*torch\.randn_like'),
    "a counter of Python": ("Unsupported", "remembers: its attribute calls changes with every call"),
    "a counter in a buffer": ("Unsupported", "remembers: its buffer steps changes with every call"),
    "a first call of its own": ("Unsupported", r"its first call otherwise than the next ones.*make that in __init__"),
    "a mean of the first call": ("Unsupported", r"remembers its first call: its attribute mean keeps.*in each call"),
    "rows of the first call": ("Unsupported", r"its attribute state keeps.*depend on it \(RuntimeError: The size of"),
    "scales of the first call": ("Unsupported", r"its attribute pool\.scales\[0\] keeps what it found"),
    "a branch on values": ("Unsupported", r'line \d+: "if x.sum\(\) > 0:".*write torch.where\(condition, a, b\)'),
    "more tensors than parameters": ("BadExample", r"has 2 tensors \(x, mask\), and forward takes \(x\)"),
    "another shape": ("BadExample", "the model does not take the example: RuntimeError: .*5x3 and 4x3"),
    "an axis of no input": ("BadExample", "torch.dynamic: there is no input 'y'; there are: x"),
    "an axis that is not there": ("BadExample", "torch.dynamic: 'x' has 2 dimensions, none at 2"),
    "no axis at all": ("BadExample", "'x:batch' must be INPUT.AXIS:NAME"),
    "a second example of the same sizes": ("BadExample", "the two examples have the same sizes"),
    "a second example of other inputs": ("BadExample", r"has 2 tensors \(x, y\)"),
    "two ways to say it": ("BadExample", "give one of them"),
    "two axes that change alike": ("BadExample", "both change from 5 to 6, and may be one size or two"),
    "a word": ("Unsupported", "forward returns str at 'unit', which is no tensor"),
    "complex numbers": ("Unsupported", r"'output' is complex.*torch.view_as_real"),
    "a sparse tensor": ("Unsupported", r"'output' is a sparse tensor.*\.to_dense\(\)"),
}


@pytest.fixture(scope="module")
def refusals(models: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    said = asked("refusals.py", tmp_path_factory.mktemp("refusals"), str(models))
    found: dict[str, Any] = json.loads(said.splitlines()[-1])
    return found


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_graph_is_refused_by_name(name: str, refusals: dict[str, Any]) -> None:
    kind, said = REFUSED[name]
    assert refusals[name]["kind"] == kind, refusals[name]
    assert re.search(said, refusals[name]["message"], re.DOTALL), refusals[name]


def test_rows_that_depend_on_others_are_no_batch(refusals: dict[str, Any]) -> None:
    found = refusals["rows that depend on other rows"]
    assert found["signature"]["inputs"][0]["shape"] == ["rows", 4]
    assert "a row depends on the other rows" in found["notes"][0]


def test_what_is_made_on_the_first_call_may_stay(refusals: dict[str, Any]) -> None:
    found = refusals["a table of the first call"]
    assert found["kind"] == "", found
    assert found["signature"]["inputs"][0]["shape"] == ["N", 4]


def test_a_module_that_names_float32_has_its_noise_measured_in_float64(refusals: dict[str, Any]) -> None:
    found = refusals["noise of a module that names its type"]
    assert found["default"] == "torch.float32", "for what comes after"
    for side in ("module", "program"):
        assert found[side]["kinds"] == [["float32"] * 2, ["float64"] * 2]
        assert all(0 < noise < 1e-6 for noise in found[side]["noise"].values()), "the least number is of another type"


def test_a_program_with_an_operator_of_torchvision(models: Path, mlpack: Run, refusals: dict[str, Any]) -> None:
    """The scan takes the sizes that its values decide; the loader registers the operator, or says what is missing."""
    code, said, _ = mlpack("inspect", models / "boxes.pt2")
    assert code == 0 and "torchvision.nms.default" in str(said["operators"]) and "refused" not in said
    found = refusals["a program of torchvision"]
    assert found["kept"] == [[0, 0, 2, 2], [5, 5, 6, 6]]
    assert "has operators of torchvision, and this interpreter has none" in found["refused"]


def test_a_batch_that_cannot_be_free_is_fixed_and_said(refusals: dict[str, Any]) -> None:
    found = refusals["rows of one number"]
    assert found["signature"]["inputs"][0]["shape"] == [5, 4]
    assert "one size alone (5 in 'x')" in found["notes"][0]
    loop = refusals["a loop over the rows"]
    assert loop["signature"]["inputs"][0]["shape"] == [5, 4]
    assert re.search(r"records as one for size 5 alone .*line \d+: .return torch\.stack", loop["notes"][0])


def test_weights_stay_where_they_are_in_the_file(refusals: dict[str, Any]) -> None:
    found = refusals["weights of a file"]
    assert found["held"] == found["all"] and found["tied"] and found["same"]


def test_an_old_torch_is_refused() -> None:
    with pytest.raises(Unreadable, match=r"torch 2\.9\.1\+cpu is older than 2\.10.*--python PATH"):
        require_new("2.9.1+cpu")
    require_new("2.10.0+cpu")


def test_an_example_that_holds_other_things(models: Path, mlpack: Run, refusals: dict[str, Any]) -> None:
    given = ("--python", TORCH, "--example")
    code, done, error = mlpack("build", models / "pictures.pt2", *given, models / "a number.pt")
    assert code == done["error"]["exit"] == 2
    assert "a number.pt holds a int at '1': give tensors" in error
    code, _, error = mlpack("build", models / "pictures.pt2", *given, models / "none.pt")
    assert code == 2 and "there is no file" in error
    assert refusals["an example that is a module"]["kind"] == "BadExample"
    assert "a module.pt is no file of tensors alone" in refusals["an example that is a module"]["message"]
    with pytest.raises(UntrustedError, match=r"not trusted: small_nets\.Tagger"):
        take_source(models / "tagger.pt", models / "copied", ())
