"""The folder `deploy/docker`: what it says to engines, to Kubernetes and to model servers."""

from __future__ import annotations

import json
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.protobuf import text_format
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper
from tritonclient.grpc import model_config_pb2

from mlpack_toolkit.converters.spec import Cells, Signature, TensorSpec
from mlpack_toolkit.packager.images import _import_closure
from mlpack_toolkit.packager.images.spec import Tag
from mlpack_toolkit.runtimes import docker
from mlpack_toolkit.runtimes.docker import names as names
from mlpack_toolkit.runtimes.docker import prepare as preparing
from mlpack_toolkit.runtimes.docker.triton import repository, text
from mlpack_toolkit.runtimes.server import settings
from mlpack_toolkit.runtimes.spec import Package
from tests.artifacts import artifact_of
from tests.runtimes import docker_schemas as schemas

ROOT = Path(__file__).parents[2]
FLOAT, STRING, INT64, BOOL = TensorProto.FLOAT, TensorProto.STRING, TensorProto.INT64, TensorProto.BOOL
Shaped = tuple[str, int, list[Any] | None]


def _graph(inputs: list[Shaped], outputs: list[Shaped]) -> bytes:
    """A graph of these inputs and outputs; what it computes is nobody's concern here."""
    made = [[helper.make_tensor_value_info(*each) for each in group] for group in (inputs, outputs)]
    return helper.make_model(helper.make_graph([], "g", *made)).SerializeToString()


def _package(name: str = "churn", version: str = "1.0.0", model: bytes | None = None) -> Package:
    signature = Signature(
        "regressor",
        (TensorSpec("age", "float32", ("N", 1)), TensorSpec("city", "string", ("N", 1), Cells(missing=""))),
        (TensorSpec("prediction", "float32", ("N",)),),
    )
    graph = _graph([("age", FLOAT, ["N", 1]), ("city", STRING, ["N", 1])], [("prediction", FLOAT, ["N"])])
    golden = {"case-000.request.json": b"{}\n", "case-000.response.json": b"{}\n"}
    return Package(name, version, signature, artifact_of(graph if model is None else model), golden)


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return docker.render(_package())


@pytest.fixture(scope="module")
def penguin_bundle(penguins: Path) -> Path:
    """A bundle with every target, as a user gets it."""
    return penguins / "dist" / "penguins-1.0.0"


def _yaml(files: Mapping[str, bytes], path: str) -> Any:
    return yaml.safe_load(files[path])


# What lies there.


def test_the_same_bytes_twice_and_in_order(files: dict[str, bytes]) -> None:
    assert docker.render(_package()) == files and list(files) == sorted(files)


def test_the_readme_names_every_file_and_folder(files: dict[str, bytes]) -> None:
    listed = files["README.md"].decode().partition("## Files")[2]
    tops = {path.partition("/")[0] + ("/" if "/" in path else "") for path in files}
    assert {top for top in tops if f"`{top}`" not in listed} == {"README.md"}


def test_it_holds_neither_the_original_nor_a_path_of_this_machine(files: dict[str, bytes]) -> None:
    assert not [path for path, content in files.items() if str(ROOT).encode() in content]
    assert "model/source" not in files["Dockerfile"].decode()
    ignored = files["Dockerfile.dockerignore"].decode().splitlines()
    assert ignored[1] == "*" and set(ignored[2:]) == {
        "!manifest.json",
        "!model/model.onnx*",
        "!golden",
        "!deploy/docker",
    }


def test_the_server_is_this_installations(files: dict[str, bytes]) -> None:
    own = {p.removeprefix("server/"): content for p, content in files.items() if p.startswith("server/")}
    empty = {f"mlpack_toolkit/{path}__init__.py" for path in ("", "converters/", "runtimes/")}
    made = {"__main__.py", *empty}
    assert {own[path] for path in empty} == {b""}
    assert all((ROOT / "src" / path).read_bytes() == content for path, content in own.items() if path not in made)
    folders = (ROOT / "runtimes/engine", ROOT / "runtimes/server")
    sources = {f"mlpack_toolkit/{p.relative_to(ROOT)}" for f in folders for p in f.rglob("*.*") if p.suffix != ".pyc"}
    files = ("bfloat16.py", "graph_file.py", "image.py", "needs.py", "spec.py")
    known = {f"mlpack_toolkit/converters/{name}" for name in files}
    assert set(own) == {*sources, *made, *known}


def test_the_port_is_the_servers() -> None:
    assert settings.PORT == docker.PORT


# The server's packages.


def _pins(text: str) -> dict[str, tuple[str, frozenset[str]]]:
    found = re.findall(r"^([\w.-]+)==(\S+)((?: \\\n +--hash=\S+)+)", text, re.MULTILINE)
    return {name: (version, frozenset(re.findall(r"sha256:[0-9a-f]{64}", rest))) for name, version, rest in found}


def test_the_pins_are_the_projects_own(files: dict[str, bytes]) -> None:
    pins = _pins(files["requirements.txt"].decode())
    ours = _pins((ROOT / "requirements.txt").read_text())
    assert len(pins) == files["requirements.txt"].decode().count("==")
    assert pins == {name: ours[name] for name in pins}


def test_the_pins_are_what_the_server_loads(files: dict[str, bytes]) -> None:
    assert set(_pins(files["requirements.txt"].decode())) == set(_import_closure.needs().packages)


def test_only_a_model_of_images_brings_what_decodes_them(files: dict[str, bytes]) -> None:
    image = TensorSpec("x", "uint8", ("N", "H", "W", 3), image="rgb")
    signature = Signature("graph", (image,), (TensorSpec("y", "float32", ("N",)),))
    graph = _graph([("x", TensorProto.UINT8, ["N", "H", "W", 3])], [("y", FLOAT, ["N"])])
    package = replace(_package(model=graph), signature=signature)
    pins = _pins(docker.render(package)["requirements.txt"].decode())
    ours = _pins((ROOT / "requirements.txt").read_text())
    assert pins == {name: ours[name] for name in pins}
    assert set(pins) == set(_import_closure.needs(images=True).packages)
    assert set(pins) - set(_pins(files["requirements.txt"].decode())) == {"pillow"}


# The Dockerfile.


def _instructions(files: Mapping[str, bytes]) -> list[tuple[str, str]]:
    joined = re.sub(r"\\\n", "", files["Dockerfile"].decode())
    lines = [line for line in joined.splitlines() if line and not line.startswith("#")]
    return [(line.partition(" ")[0], line.partition(" ")[2]) for line in lines]


def test_nothing_needs_a_shell_or_buildkit(files: dict[str, bytes]) -> None:
    found = _instructions(files)
    commands = [
        rest.rpartition(" CMD ")[2] for name, rest in found if name in ("RUN", "CMD", "ENTRYPOINT", "HEALTHCHECK")
    ]
    assert len(commands) == 7 and all(isinstance(json.loads(command), list) for command in commands)
    assert not [
        rest for name, rest in found if name in ("COPY", "RUN") and re.search(r"--(?!from=)", rest.split('"')[0])
    ]
    assert found[-3][1].startswith("--interval") and [i for i in found if i[0] == "USER"][-1] == ("USER", "65532:65532")


def test_the_base_has_to_be_named(files: dict[str, bytes]) -> None:
    found = _instructions(files)
    assert found[0] == ("ARG", "BASE") and [r for n, r in found if n == "FROM"] == ["${BASE} AS build", "${BASE}"]


@given(st.text())
def test_a_label_is_one_word_of_the_dockerfile(value: str) -> None:
    word = names.quoted(value)
    assert re.fullmatch(r'"(?:[^"\\$\n]|\\["\\$])*"', word)
    assert re.sub(r'\\(["\\$])', r"\1", word[1:-1]) == names.one_line(value)


# Names.


@given(st.one_of(st.text(), st.text(alphabet="aZ9.-_é", min_size=30), st.from_regex(r"[0-9-]{0,70}", fullmatch=True)))
def test_every_name_becomes_a_dns_label(name: str) -> None:
    label = names.dns_label(name)
    assert re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", label) and len(label) <= 40
    assert label == names.dns_label(name)


@pytest.mark.parametrize(
    ("name", "label"),
    [("churn", "churn"), ("Churn_2.0", "churn-2-0"), ("7up", "model-7up"), ("Prévision", "prevision"), ("--a--", "a")],
)
def test_a_plain_name_stays_readable(name: str, label: str) -> None:
    assert names.dns_label(name) == label


def test_long_names_and_names_without_letters_stay_apart() -> None:
    many = ["x" * 60, "x" * 61, "模型", "型模", "", "…"]
    assert len({names.dns_label(name) for name in many}) == len(many)


@given(st.text())
def test_every_version_becomes_a_label_value(version: str) -> None:
    assert re.fullmatch(r"(([A-Za-z0-9][-A-Za-z0-9_.]{0,61})?[A-Za-z0-9])?", names.label_value(version))


@given(st.text(), st.text())
def test_the_image_is_called_as_mlpack_image_calls_it(name: str, version: str) -> None:
    assert names.image_name(name, version) == str(Tag.of(name, version))


# Manifests, against published schemas.

MANIFESTS: dict[str, Callable[[Any], list[str]]] = {
    "kubernetes/deployment.yaml": schemas.kubernetes,
    "kubernetes/service.yaml": schemas.kubernetes,
    "kserve/inferenceservice.yaml": schemas.kserve,
    "seldon/model.yaml": schemas.seldon,
    "compose.yaml": schemas.compose,
}


@pytest.mark.parametrize("path", MANIFESTS)
@pytest.mark.parametrize("name", ["churn", "1", "Ünïcode: \"$x\" 'y' #{{ z }}", "n" * 200])
def test_a_manifest_is_what_its_schema_says(path: str, name: str) -> None:
    rendered = docker.render(_package(name, "0x1:yes"))
    assert MANIFESTS[path](_yaml(rendered, path)) == []


MISSPELT = [
    ("kubernetes/deployment.yaml", "livenessProbe:", "livenesProbe:"),
    ("kubernetes/deployment.yaml", "replicas: 2", "replicas: two"),
    ("kubernetes/deployment.yaml", "  selector:\n", "  selektor:\n"),
    ("kubernetes/service.yaml", "targetPort:", "targetport:"),
    ("kserve/inferenceservice.yaml", "minReplicas:", "minimumReplicas:"),
    ("kserve/inferenceservice.yaml", "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: often"),
    ("kserve/inferenceservice.yaml", "v1beta1", "v1beta2"),
    ("seldon/model.yaml", "storageUri:", "storageURI:"),
    ("seldon/model.yaml", "memory: 4Mi", "memory: a lot"),
    ("compose.yaml", "read_only:", "readonly:"),
    ("compose.yaml", "service_healthy", "service_well"),
]


@pytest.mark.parametrize(("path", "right", "wrong"), MISSPELT)
def test_a_wrong_manifest_is_found(files: dict[str, bytes], path: str, right: str, wrong: str) -> None:
    said = files[path].decode()
    assert right in said
    assert MANIFESTS[path](yaml.safe_load(said.replace(right, wrong)))


def test_the_service_finds_the_pods(files: dict[str, bytes]) -> None:
    deployment, service = (_yaml(files, f"kubernetes/{name}.yaml") for name in ("deployment", "service"))
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    for selector in (deployment["spec"]["selector"]["matchLabels"], service["spec"]["selector"]):
        assert selector.items() <= labels.items()
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"http": docker.PORT} and service["spec"]["ports"][0]["targetPort"] in ports
    assert set(_yaml(files, "kubernetes/kustomization.yaml")["resources"]) == {"deployment.yaml", "service.yaml"}


def test_all_run_as_the_images_user_without_rights(files: dict[str, bytes]) -> None:
    pod = _yaml(files, "kubernetes/deployment.yaml")["spec"]["template"]["spec"]
    inside = [pod["containers"][0], _yaml(files, "kserve/inferenceservice.yaml")["spec"]["predictor"]["containers"][0]]
    for container in inside:
        safe = {**pod["securityContext"], **container["securityContext"]}
        assert safe["runAsNonRoot"] and safe["readOnlyRootFilesystem"] and not safe["allowPrivilegeEscalation"]
        assert safe["capabilities"] == {"drop": ["ALL"]} and safe["runAsUser"] == docker.USER
    for service in _yaml(files, "compose.yaml")["services"].values():
        assert service["read_only"] and service["cap_drop"] == ["ALL"]
        assert service["user"] == f"{docker.USER}:{docker.USER}"


def test_compose_and_image_ask_for_health_alike(files: dict[str, bytes]) -> None:
    test = _yaml(files, "compose.yaml")["services"]["model"]["healthcheck"]["test"]
    [check] = [rest for name, rest in _instructions(files) if name == "HEALTHCHECK"]
    assert test == ["CMD", *json.loads(check.partition(" CMD ")[2])] and "$" not in "".join(test)


# Triton.


def _config(model: bytes, package: Package | None = None) -> Any:
    files = docker.render(replace(package or _package(), model=artifact_of(model)))
    parsed = model_config_pb2.ModelConfig()
    [path] = [path for path in files if path.endswith("config.pbtxt")]
    assert files[path.replace("config.pbtxt", "1/model.onnx")] == model
    return text_format.Parse(files[path].decode(), parsed)


def _said(tensors: Any) -> list[tuple[str, str, list[int], bool]]:
    kinds = model_config_pb2.DataType
    return [(t.name, kinds.Name(t.data_type), list(t.dims), t.HasField("reshape")) for t in tensors]


def test_triton_is_told_of_a_batch() -> None:
    outputs: list[Shaped] = [("label", INT64, ["N"]), ("probabilities", FLOAT, ["N", 3])]
    config = _config(_graph([("age", FLOAT, ["N", 1]), ("city", STRING, ["N", 1])], outputs))
    assert config.backend == "onnxruntime" and config.max_batch_size > 1 and config.HasField("dynamic_batching")
    assert _said(config.input) == [("age", "TYPE_FP32", [1], False), ("city", "TYPE_STRING", [1], False)]
    assert _said(config.output) == [("label", "TYPE_INT64", [1], True), ("probabilities", "TYPE_FP32", [3], False)]
    assert not config.output[0].reshape.shape and config.version_policy.latest.num_versions == 1


@pytest.mark.parametrize(
    ("inputs", "outputs", "dims"),
    [
        ([("x", FLOAT, [4, 3])], [("y", FLOAT, [4])], [[4, 3], [4]]),
        ([("x", FLOAT, ["N", 3])], [("y", FLOAT, ["M"])], [[-1, 3], [-1]]),
        ([("x", FLOAT, ["N", "T"])], [("y", FLOAT, [])], [[-1, -1], [1]]),
        ([("x", BOOL, [None, 2])], [("y", BOOL, [None, 2])], [[2], [2]]),
    ],
)
def test_triton_is_told_of_shapes_as_they_are(
    inputs: list[Shaped], outputs: list[Shaped], dims: list[list[int]]
) -> None:
    config = _config(_graph(inputs, outputs))
    assert [list(t.dims) for t in (*config.input, *config.output)] == dims
    assert bool(config.max_batch_size) == (len(dims[0]) < len(inputs[0][2] or ()))


def test_an_output_without_a_shape_has_the_signatures() -> None:
    config = _config(_graph([("age", FLOAT, ["N", 1])], [("prediction", FLOAT, None)]))
    assert config.max_batch_size and _said(config.output) == [("prediction", "TYPE_FP32", [1], True)]


def test_a_graph_that_triton_cannot_hold_has_no_repository() -> None:
    listed = helper.make_tensor_sequence_value_info("scores", FLOAT, None)
    value = helper.make_tensor_value_info("age", FLOAT, ["N", 1])
    model = helper.make_model(helper.make_graph([], "g", [value], [listed])).SerializeToString()
    files = docker.render(_package(model=model))
    assert not [path for path in files if path.startswith(("triton/", "seldon/"))]
    assert "riton" not in files["README.md"].decode()


def test_requests_for_an_onnx_file_as_it_came_stay_apart() -> None:
    package = _package()
    bare = tuple(replace(t, cells=None) for t in package.signature.inputs)
    package = replace(package, signature=replace(package.signature, inputs=bare))
    config = _config(package.model.path.read_bytes(), package)
    assert config.max_batch_size and not config.HasField("dynamic_batching")


def test_a_weight_is_no_input() -> None:
    weight = helper.make_tensor("w", FLOAT, [1], [2.0])
    inputs = [helper.make_tensor_value_info(n, FLOAT, ["N", 1]) for n in ("age", "w")]
    outputs = [helper.make_tensor_value_info("prediction", FLOAT, ["N", 1])]
    graph = helper.make_graph([], "g", inputs, outputs, [weight])
    found = repository(_package(model=helper.make_model(graph).SerializeToString()))
    assert found is not None and [t.name for t in found.inputs] == ["age"]


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_triton_reads_every_name_as_it_is(name: str) -> None:
    parsed = text_format.Parse(f"name: {text(name)}", model_config_pb2.ModelConfig())
    assert parsed.name == name


def test_triton_is_told_what_onnx_runtime_says(penguin_bundle: Path) -> None:
    """The whole table of a real graph, held against the session's own."""
    import onnxruntime as ort

    session = ort.InferenceSession(penguin_bundle / "model/model.onnx")
    folder = penguin_bundle / "deploy/docker/triton/penguins"
    config = text_format.Parse((folder / "config.pbtxt").read_text(), model_config_pb2.ModelConfig())
    words = {"tensor(string)": "TYPE_STRING", "tensor(double)": "TYPE_FP64", "tensor(int64)": "TYPE_INT64"}
    for said, known in ((config.input, session.get_inputs()), (config.output, session.get_outputs())):
        shapes = [(k.name, words[k.type], list(k.shape[1:]) or [1], len(k.shape) == 1) for k in known]
        assert _said(said) == shapes
    assert (folder / "1/model.onnx").read_bytes() == (penguin_bundle / "model/model.onnx").read_bytes()


# What runs while the image is built.


def test_what_no_server_needs_is_dropped_and_the_rest_compiled_for_good(tmp_path: Path) -> None:
    for path in ("numpy/core/tests/test_a.py", "numpy/a.pyi", "onnxruntime/capi/libonnxruntime.so.1", "numpy/tool.py"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("VALUE = 1\n")
    (tmp_path / "numpy/tool.py").chmod(0o600)
    preparing.prepare(tmp_path, "/app")
    left = {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file()}
    compiled = f"numpy/__pycache__/tool.{sys.implementation.cache_tag}.pyc"
    assert left == {"numpy/tool.py", compiled}
    content = (tmp_path / compiled).read_bytes()
    assert content[4:8] == b"\x01\0\0\0" and b"/app/numpy/tool.py" in content and str(tmp_path).encode() not in content
    assert stat.S_IMODE((tmp_path / "numpy/tool.py").stat().st_mode) == 0o644


def test_what_does_not_compile_ends_the_build(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("def (\n")
    with pytest.raises(SystemExit, match="contains a module that is not valid in Python"):
        preparing.prepare(tmp_path, "/app")


def test_what_has_no_bytecode_gets_it_once(penguin_bundle: Path, tmp_path: Path) -> None:
    """As in an image without any: here Python looks for bytecode in an empty folder."""
    folder, cache = tmp_path / "app", tmp_path / "cache"
    shutil.copytree(penguin_bundle / "deploy/docker/server", folder)
    shutil.copy(penguin_bundle / "deploy/docker/prepare.py", folder)
    command = [sys.executable, "-I", "-B", "-X", f"pycache_prefix={cache}", str(folder / "prepare.py")]
    subprocess.run(command, check=True, timeout=300)
    made = {p: p.stat().st_mtime_ns for p in cache.rglob("*.pyc")}
    modules = {"/".join(p.parts[-2:]).partition(".")[0] for p in made}
    assert {"asyncio/events", "json/decoder", "transport/worker", "transport/app", "numpy/__init__"} <= modules
    assert all(p.read_bytes()[4:8] == b"\x01\0\0\0" for p in made)
    subprocess.run(command, check=True, timeout=300)
    assert {p: p.stat().st_mtime_ns for p in cache.rglob("*.pyc")} == made


def test_the_program_has_no_words_of_mlpack_alone(files: dict[str, bytes]) -> None:
    """`replay.py` and `prepare.py` are compiled where nothing of mlpack is."""
    for name in ("replay.py", "prepare.py"):
        imported = re.findall(r"^(?:from|import) ([\w.]+)", files[name].decode(), re.MULTILINE)
        assert imported and {word.partition(".")[0] for word in imported} <= set(sys.stdlib_module_names)
