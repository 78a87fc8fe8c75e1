"""NVIDIA's part of a machine, with a program and libraries that stand for its own: no GPU is here."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from mlpack_toolkit.packager.environments import nvidia

SMI = """#!/bin/sh
case "$1" in
  *memory.free*) echo "70000 MiB";;
  *compute_cap*) echo "NVIDIA H200, 580.65.06, 9.0, 143771 MiB, Disabled, 1980 MHz, 700.00 W"; echo "odd line";;
  *) echo "1024 MiB, 1980 MHz, 3201 MHz, [N/A], P0, 34, 0 %";;
esac
"""
LIBRARY = """
int cudaRuntimeGetVersion(int *version) { *version = 13020; return 0; }
unsigned long cudnnGetVersion(void) { return 91002; }
int getInferLibVersion(void) { return 101303; }
"""


def program(folder: Path, text: str) -> None:
    path = folder / "nvidia-smi"
    path.write_text(text)
    path.chmod(0o755)


def test_what_the_driver_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    program(tmp_path, SMI)
    (gpu,) = nvidia.gpus()
    assert gpu["name"] == "NVIDIA H200" and gpu["compute_cap"] == "9.0" and gpu["driver_version"] == "580.65.06"
    (state,) = nvidia.gpu_states()
    assert state["clocks.sm"] == "1980 MHz" and "power.draw" not in state
    assert nvidia.free_memory() == 70000 << 20
    assert nvidia.versions(tmp_path / "none") == {}
    program(tmp_path, "#!/bin/sh\nexit 9\n")
    assert nvidia.gpus() == [] and nvidia.free_memory() is None


def test_the_versions_of_what_is_loaded(tmp_path: Path) -> None:
    """One library stands for three of NVIDIA's; each says its own version."""
    (tmp_path / "v.c").write_text(LIBRARY)
    lines = []
    for name in ("libcudart.so.13", "libcudnn.so.9", "libnvinfer.so.10", "libcudnn_ops.so.9"):
        subprocess.run(["cc", "-shared", "-fPIC", "-o", tmp_path / name, tmp_path / "v.c"], check=True)
        lines.append(f"7f00-7f01 r-xp 00000000 08:01 42    {tmp_path / name}")
    (tmp_path / "maps").write_text("\n".join([*lines, "7f02-7f03 rw-p 0 00:00 0 [heap]"]))
    assert nvidia.versions(tmp_path / "maps") == {"cuda": "13.2", "cudnn": "9.10.2", "tensorrt": "10.13.3"}
