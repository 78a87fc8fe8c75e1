"""Projects that answer on a GPU: what differs from the CPU's, and that they fail in words where there is none."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from mlpack_toolkit.packager import providers
from mlpack_toolkit.packager.images._accelerated import accelerated
from mlpack_toolkit.packager.images._rootfs import Base
from mlpack_toolkit.runtimes import load
from mlpack_toolkit.runtimes.spec import Accelerator, Package
from tests.runtimes import docker_schemas as schemas
from tests.runtimes.java_models import features

GOLDEN = Path(__file__).parent.parent / "golden" / "cuda"
OPTIONS = {"use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"}
VARIABLES = {"NVIDIA_VISIBLE_DEVICES": "all", "NVIDIA_DRIVER_CAPABILITIES": "compute,utility"}
CUDA = Accelerator("cuda", "CUDAExecutionProvider", OPTIONS, VARIABLES)
TARGETS = ("cpp", "docker", "java")


def package(on: Accelerator | None = CUDA) -> Package:
    return replace(features(), name="model", accelerator=on)


@pytest.fixture(scope="module")
def differing() -> dict[str, bytes]:
    """The files that a project for a GPU has otherwise than one for the CPU, of each target."""
    found = {}
    for target in TARGETS:
        cpu, gpu = (load(target).render(package(on)) for on in (None, CUDA))
        assert sorted(cpu) == sorted(gpu)
        found |= {f"{target}/{path}": content for path, content in gpu.items() if content != cpu[path]}
    return found


def test_the_files_that_differ_are_the_golden_ones(differing: Mapping[str, bytes]) -> None:
    """Set MLPACK_WRITE_GOLDEN=1 to write them anew, then read the difference."""
    if os.environ.get("MLPACK_WRITE_GOLDEN"):
        shutil.rmtree(GOLDEN, ignore_errors=True)
        for path, content in differing.items():
            (GOLDEN / path).parent.mkdir(parents=True, exist_ok=True)
            (GOLDEN / path).write_bytes(content)
    held = {p.relative_to(GOLDEN).as_posix(): p.read_bytes() for p in GOLDEN.rglob("*") if p.is_file()}
    assert sorted(differing) == sorted(held)
    assert [path for path, content in differing.items() if content != held[path]] == []


def _yaml(files: Mapping[str, bytes], path: str) -> Any:
    return yaml.safe_load(files[f"docker/{path}"])


def test_compose_and_kubernetes_ask_for_one_gpu(differing: Mapping[str, bytes]) -> None:
    services = _yaml(differing, "compose.yaml")["services"]
    (device,) = services["model"]["deploy"]["resources"]["reservations"]["devices"]
    assert device == {"driver": "nvidia", "count": 1, "capabilities": ["gpu"]} and "deploy" not in services["replay"]
    (container,) = _yaml(differing, "kubernetes/deployment.yaml")["spec"]["template"]["spec"]["containers"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == 1
    (container,) = _yaml(differing, "kserve/inferenceservice.yaml")["spec"]["predictor"]["containers"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == 1
    checks = {"compose.yaml": schemas.compose, "kubernetes/deployment.yaml": schemas.kubernetes}
    for path, check in {**checks, "kserve/inferenceservice.yaml": schemas.kserve}.items():
        assert check(_yaml(differing, path)) == []


def test_the_dockerfile_asks_as_the_image_of_mlpack_does(differing: Mapping[str, bytes], tmp_path: Path) -> None:
    given = dict(re.findall(r"^ENV (\w+)=(\S+)$", differing["docker/Dockerfile"].decode(), re.M))
    known = providers.load("cuda")
    base = Base(tmp_path, "bookworm", "3.11", "2_36", {}, place="app")
    on = accelerated(known, {"onnxruntime": "1.31.1"}, base)
    layer = {f"app/nvidia/{name}/lib/libx.so": b"" for name in ("cu13", "cudnn")}
    assert given == on.variables(layer)


def test_onnx_runtime_for_gpus_takes_the_place_of_the_other(differing: Mapping[str, bytes]) -> None:
    def pins(content: bytes) -> dict[str, str]:
        return dict(re.findall(r"^([a-z0-9-]+)==(\S+) \\$", content.decode(), re.M))

    cpu = pins(load("docker").render(package(None))["requirements.txt"])
    gpu = pins(differing["docker/requirements.txt"])
    assert gpu["onnxruntime-gpu"] == cpu.pop("onnxruntime") and cpu.items() < gpu.items()
    own = {name for name in gpu if name not in cpu} - {"onnxruntime-gpu"}
    assert own and all(name.startswith("nvidia-") for name in own)
    blocks = re.split(r"(?m)^(?=[a-z])", differing["docker/requirements.txt"].decode())[1:]
    assert len(blocks) == len(gpu) and all("--hash=sha256:" in block for block in blocks)


def _triton(files: Mapping[str, bytes]) -> Any:
    (path,) = (path for path in files if path.endswith("config.pbtxt"))
    return text_format.Parse(files[path].decode(), model_config_pb2.ModelConfig())


def test_triton_runs_the_graph_on_the_gpu_with_the_fixed_options() -> None:
    config = _triton(load("docker").render(package()))
    (group,) = config.instance_group
    assert group.kind == model_config_pb2.ModelInstanceGroup.KIND_GPU and config.backend == "onnxruntime"
    (found,) = config.optimization.execution_accelerators.gpu_execution_accelerator
    assert found.name == "cuda" and dict(found.parameters) == OPTIONS
    assert _triton(load("docker").render(package(None))).instance_group[0].kind == group.KIND_CPU


def test_triton_opens_an_engine_in_the_graphs_place(tmp_path: Path) -> None:
    plan = tmp_path / "model.engine"
    plan.write_bytes(b"native code")
    files = load("docker").render(package(replace(CUDA, plan=plan, most_rows=64)))
    config = _triton(files)
    assert config.platform == "tensorrt_plan" and not config.backend and config.max_batch_size == 64
    assert not config.optimization.execution_accelerators.gpu_execution_accelerator
    assert config.instance_group[0].kind == model_config_pb2.ModelInstanceGroup.KIND_GPU
    (engine,) = (path for path in files if path.endswith("1/model.plan"))
    assert files[engine] == b"native code" and not any(path.endswith("1/model.onnx") for path in files)


def _written(target: str, folder: Path) -> Path:
    for path, content in load(target).render(package()).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return folder


OPENS = """#include <cstdio>
#include <exception>
#include "model/model.hpp"
int main(int, char** given) {
    try {
        model::Model model(given[1]);
    } catch (const std::exception& error) {
        std::printf("%s", error.what());
        return 1;
    }
}
"""


@pytest.mark.slow
def test_cpp_stops_where_there_is_no_gpu(tmp_path: Path) -> None:
    """With ONNX Runtime's library for the CPU, which has no such provider."""
    project = _written("cpp", tmp_path / "cpp")
    (project / "opens.cpp").write_text(OPENS)
    given = {**os.environ, **(load("cpp").steps(project, tmp_path)[0].environment or {})}
    headers = given.get("ONNXRUNTIME_INCLUDE_DIR")
    if headers is None:
        pytest.skip("NOT TESTED: python -m mlpack_toolkit.packager.setup_headers fetches ONNX Runtime's headers")
    launcher = [each for each in os.environ.get("CMAKE_CXX_COMPILER_LAUNCHER", "").split(";") if each]
    command = [
        *launcher,
        "c++",
        "-std=c++17",
        "-O0",
        "-I",
        headers,
        "-I",
        str(project / "include"),
        "-I",
        str(project / "src"),
        "-c",
    ]
    sources = [*sorted((project / "src").glob("*.cpp")), project / "opens.cpp"]
    for source in sources:
        subprocess.run([*command, str(source), "-o", f"{source.stem}.o"], cwd=project, check=True)
    subprocess.run(["c++", *(f"{source.stem}.o" for source in sources), "-ldl", "-o", "opens"], cwd=project, check=True)
    done = subprocess.run(["./opens", "model/model.onnx"], cwd=project, env=given, capture_output=True, text=True)
    assert done.returncode == 1
    assert "CUDAExecutionProvider cannot be used; take ONNX Runtime's library for GPUs" in done.stdout


def test_java_stops_where_there_is_no_gpu(tmp_path: Path) -> None:
    """With the jar for the CPU, which is 30 MB where the other is 640."""
    project = _written("java", tmp_path / "java")
    (step,) = load("java").steps(project, tmp_path / "work")
    given = {**os.environ, **(step.environment or {})}
    command = (step.tool, *step.arguments, "-Donnxruntime.artifact=onnxruntime", "-Dtest=GoldenTest")
    done = subprocess.run(command, cwd=project, env=given, capture_output=True, text=True)
    assert done.returncode and "IllegalStateException" in done.stdout
    assert "CUDAExecutionProvider cannot be used here: " in done.stdout
