"""Projects of a bundle that answer on a GPU, and engines in Triton's repository."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlpack_toolkit.packager.bundle.proofs import FOLDER as PROOFS
from mlpack_toolkit.packager.bundle.reader import open_bundle
from mlpack_toolkit.packager.commands.export import accelerator, export
from mlpack_toolkit.packager.errors import UsageError
from mlpack_toolkit.runtimes import load
from tests.packager.conftest import Made
from tests.packager.engines.facts import with_engine


def test_what_has_no_project_for_a_provider(crew: Made, tmp_path: Path) -> None:
    for provider in ("openvino", "tensorrt", "rocm"):
        with pytest.raises(UsageError, match=f"no project for the provider '{provider}'; there are: cpu, cuda"):
            export(crew.folder, "java", tmp_path / "x", lambda step: None, provider)
    with pytest.raises(UsageError, match="give --provider cuda, too"):
        export(crew.folder, "docker", tmp_path / "x", lambda step: None, None, "engine")
    with pytest.raises(
        UsageError, match="the target java opens no engines: leave out --variant, or take the target docker"
    ):
        export(crew.folder, "java", tmp_path / "x", lambda step: None, "cuda", "engine")
    with pytest.raises(UsageError, match="the variant reference is no engine of TensorRT"):
        export(crew.folder, "docker", tmp_path / "x", lambda step: None, "cuda", "reference")
    assert not (tmp_path / "x").exists()


def test_an_export_for_a_gpu_is_rendered_anew(crew: Made, tmp_path: Path) -> None:
    """The bundle's own project is the CPU's."""
    facts = export(crew.folder, "docker", tmp_path / "gpu", lambda step: None, "cuda")
    place = tmp_path / "gpu" / "deploy" / "docker"
    assert facts["provider"] == "cuda" and "nvidia.com/gpu: 1" in (place / "kubernetes/deployment.yaml").read_text()
    assert "onnxruntime-gpu==" in (place / "requirements.txt").read_text()
    export(crew.folder, "docker", tmp_path / "cpu", lambda step: None, "cpu")
    place = tmp_path / "cpu" / "deploy" / "docker"
    assert "nvidia" not in (place / "kubernetes/deployment.yaml").read_text()


def test_an_engine_goes_to_triton_once_it_is_proved(crew: Made, tmp_path: Path) -> None:
    folder, docker = with_engine(crew.folder, tmp_path / "full", "tensorrt"), load("docker")
    with pytest.raises(UsageError, match="the variant engine is not proved on any machine"):
        accelerator(open_bundle(folder), docker, "cuda", "engine")
    proof = folder / "evidence" / PROOFS / "verify.engine.tensorrt.0123456789ab.json"
    proof.parent.mkdir(parents=True)
    proof.write_text("{}")
    found = accelerator(open_bundle(folder), docker, "cuda", "engine")
    assert found is not None and found.plan is not None and found.plan.name == "model.engine" and found.most_rows == 32
    folder = with_engine(crew.folder, tmp_path / "rtx", "rtx")
    with pytest.raises(UsageError, match="an engine of TensorRT for RTX, and Triton opens those of TensorRT: build it"):
        accelerator(open_bundle(folder), docker, "cuda", "engine")
