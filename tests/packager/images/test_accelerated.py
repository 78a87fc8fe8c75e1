"""Images that answer on a GPU: what is in them, what they ask the container's runtime for, and that they never fall
back to the CPU."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any, ClassVar

import pytest

from mlpack_toolkit.packager import providers
from mlpack_toolkit.packager.errors import MissingToolError, UsageError
from mlpack_toolkit.packager.images import _accelerated, _replay, make, oci
from mlpack_toolkit.packager.images._accelerated import accelerated, check_provider
from mlpack_toolkit.packager.images._engine import Engine
from mlpack_toolkit.packager.images._rootfs import Base
from mlpack_toolkit.packager.images._site_packages import pinned
from mlpack_toolkit.packager.images.spec import Built
from tests.packager.conftest import Made
from tests.packager.images.conftest import needs

CUDA = providers.load("cuda")
BASE = Base(Path("nowhere"), "bookworm", "3.11", "2_36", {"libc6": "2.36-9"}, place="usr/lib/dist-packages")
NVIDIA = "usr/lib/dist-packages/nvidia"


def test_nvidias_libraries_are_the_only_ones_beside_onnx_runtime_and_each_has_a_digest() -> None:
    """The plan of a real image: two queries of the index, and no wheel is fetched."""
    server = {"numpy": "2.2.6", "onnxruntime": "1.31.1", "orjson": "3.11.4"}
    found = accelerated(CUDA, server, BASE)
    assert found.packages == {"numpy": "2.2.6", "onnxruntime-gpu": "1.31.1", "orjson": "3.11.4"}
    assert all(name.startswith("nvidia-") for name in found.libraries)
    stems = {name.removeprefix("nvidia-").removesuffix("-cu13") for name in found.libraries}
    assert {"cublas", "cuda-runtime", "cudnn", "cufft", "curand"} <= stems
    wheels = pinned({"onnxruntime-gpu": "1.31.1", **found.libraries}, BASE)
    assert len(wheels) == len(found.libraries) + 1 and all(len(wheel.sha256) == 64 for wheel in wheels)
    assert all("x86_64" in wheel.file for wheel in wheels) and sum(wheel.size for wheel in wheels) > 1 << 30
    assert accelerated(CUDA, server, BASE).libraries == found.libraries


def test_onnx_runtime_of_the_gpu_is_the_same_version_wherever_mlpack_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_accelerated, "libraries", lambda *asked: {"nvidia-x": asked[0]})
    found = accelerated(CUDA, {"onnxruntime-gpu": "1.31.1"}, BASE)
    assert found.packages == {"onnxruntime-gpu": "1.31.1"}
    assert found.libraries == {"nvidia-x": "onnxruntime-gpu[cuda,cudnn]==1.31.1"}
    with pytest.raises(MissingToolError, match="ONNX Runtime is not installed"):
        accelerated(CUDA, {"numpy": "2"}, BASE)


def test_the_loader_finds_the_libraries_and_the_runtime_is_asked_for_the_gpus() -> None:
    layer = {f"{NVIDIA}/{path}": b"" for path in ("cudnn/lib/libcudnn.so.9", "cu13/lib/libcublas.so.13", "cu13/x.py")}
    layer |= {f"{NVIDIA}_other/lib/libx.so": b"", f"{NVIDIA}/lib": b""}
    found = accelerated_for(layer)
    assert found == {
        "LD_LIBRARY_PATH": f"/{NVIDIA}/cu13/lib:/{NVIDIA}/cudnn/lib",
        "MLPACK_PROVIDER": "CUDAExecutionProvider:cudnn_conv_algo_search=HEURISTIC,use_tf32=0",
        "NVIDIA_DRIVER_CAPABILITIES": "compute,utility",
        "NVIDIA_VISIBLE_DEVICES": "all",
    }


def accelerated_for(layer: dict[str, Any]) -> dict[str, str]:
    return _accelerated.Accelerated(CUDA, {}, {}, BASE).variables(layer)


@pytest.mark.parametrize("kind", ["docker", "native"])
def test_kinds_that_answer_on_the_cpu_only(kind: str, crew: Made, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"an image of kind {kind} answers on the CPU only; with cuda: --kind oci"):
        make(crew.folder, None, kind, None, "debian", False, lambda step: None, "cuda")


def test_providers_that_no_image_has() -> None:
    assert check_provider(None) is None and check_provider("cpu") is None and check_provider("cuda") == CUDA
    for name in ("openvino", "tensorrt", "tensorrt_rtx"):
        with pytest.raises(UsageError, match=f"no image with the provider {name}; there are: cpu, cuda"):
            check_provider(name)


@pytest.fixture(scope="module")
def made(crew: Made, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """An image for a GPU with one made-up library of NVIDIA's, and ONNX Runtime for the CPU under the other's name."""
    for tool in ("apt-get", "dpkg"):
        needs(tool)
    patch, real = pytest.MonkeyPatch(), oci.added

    def added(packages: Any, base: Base) -> Any:
        own = {"onnxruntime" if name == "onnxruntime-gpu" else name: v for name, v in packages.items()}
        return real(own, base)

    library = "nvidia/cu13/lib/libcublas.so.13"
    patch.setattr(_accelerated, "libraries", lambda *asked: {"nvidia-cublas": "13.0"})
    patch.setattr(_accelerated, "added", lambda packages, base: {f"{base.place}/{library}": b"native code"})
    patch.setattr(oci, "added", added)
    patch.setattr(oci, "operators", lambda bundle: pytest.fail("operators for the CPU were asked for"))
    place = tmp_path_factory.mktemp("gpu") / "crew.tar"
    try:
        return place, make(crew.folder, None, None, place, "debian", False, lambda step: None, "cuda")
    finally:
        patch.undo()


def test_an_image_for_a_gpu(made: tuple[Path, dict[str, Any]]) -> None:
    place, facts = made
    assert facts["provider"] == "cuda" and facts["replayed"] is None
    assert [layer["title"] for layer in facts["layers"]][1:] == ["CUDAExecutionProvider", "packages", "server", "model"]
    assert "nvidia-cublas 13.0" in facts["packages"]["python"]
    assert any(each.startswith("onnxruntime-gpu ") for each in facts["packages"]["python"])
    assert not any(each.startswith("onnxruntime ") for each in facts["packages"]["python"])
    with tarfile.open(place) as archive:
        (listed,) = json.load(archive.extractfile("manifest.json"))  # type: ignore[arg-type]
        config = json.load(archive.extractfile(listed["Config"]))["config"]  # type: ignore[arg-type]
    environment = dict(line.split("=", 1) for line in config["Env"])
    assert environment["MLPACK_PROVIDER"].startswith("CUDAExecutionProvider:")
    assert environment["NVIDIA_VISIBLE_DEVICES"] == "all" and environment["LD_LIBRARY_PATH"].endswith("/cu13/lib")
    assert config["Labels"]["mlpack.provider"] == "CUDAExecutionProvider"


def test_it_is_replayed_only_where_the_engine_has_gpus(crew: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    class Client:
        facts: ClassVar[dict[str, Any]] = {"Runtimes": {"runc": {}}}

        def info(self) -> dict[str, Any]:
            return self.facts

    monkeypatch.setattr(_replay, "find", lambda: Engine(Client(), "28"))
    built = Built("", (), {}, 0, lambda engine: pytest.fail("it was started"))
    found = _replay.replay(crew.bundle, built, on_gpu=True)
    assert found == {"replayed": None, "why": "the container engine has no GPUs: replay the cases where it has"}
    for facts in ({"Runtimes": {"nvidia": {}}}, {"DiscoveredDevices": [{"ID": "nvidia.com/gpu=0"}]}):
        Client.facts = facts
        assert Engine(Client(), "28").has_gpus


def _serve(folder: Path, provider: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "mlpack_toolkit.runtimes.server",
        str(folder),
        "--host",
        "127.0.0.1",
        "--port",
        "0",
    ]
    given = {**os.environ, "MLPACK_PROVIDER": provider}
    return subprocess.run(command, env=given, capture_output=True, text=True, timeout=60)


def test_the_server_ends_where_its_provider_does_not_answer(crew: Made) -> None:
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this ONNX Runtime has the CUDA provider")
    done = _serve(crew.folder, "CUDAExecutionProvider:use_tf32=0")
    assert done.returncode == 9 and "this ONNX Runtime has no CUDAExecutionProvider" in done.stderr
    assert "answers at" not in done.stdout
    for wrong in ("CUDA Execution", "CUDAExecutionProvider:use_tf32", "A:b=c;d", "A:b=c,"):
        done = _serve(crew.folder, wrong)
        assert done.returncode == 2 and "the variable MLPACK_PROVIDER must be NAME" in done.stderr
