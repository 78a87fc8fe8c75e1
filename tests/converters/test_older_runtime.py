"""The graphs answer alike in ONNX Runtime 1.28, the one that the Java project takes by default.

Found so: 1.28 misreads a split whose two branches end in the same leaf, and 1.31 does not.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.cases.silent import CASES
from tests.converters.check import answers, converted

OLDER = "1.28.0"
NAMES = (
    "nan_in_a_forest",
    "nan_in_bagged_trees",
    "histogram_boosting_with_categories",
    "histogram_boosting_on_large_ids",
    "isotonic_calibration_of_a_forest",
    "one_vs_rest_of_svc",
    "imputer_with_indicator",
    "text_pairs_with_short_words",
    "lightgbm_linear_trees",
    "lightgbm_zero_as_missing",
    "xgboost_dart",
    "xgboost_two_targets",
    "xgboost_category_between_codes",
    "catboost_poisson",
)
SCRIPT = """
import sys
import numpy as np
import onnxruntime as ort
assert ort.__version__ == sys.argv[1], ort.__version__
for path in sys.argv[2:]:
    feeds = {n: v.astype(object) if v.dtype.kind == "U" else v for n, v in np.load(path + ".feeds.npz").items()}
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    found = dict(zip([o.name for o in session.get_outputs()], session.run(None, feeds)))
    np.savez(path + ".answers.npz", **{n: v.astype(str) if v.dtype.kind == "O" else v for n, v in found.items()})
"""


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An interpreter with the older ONNX Runtime and nothing else."""
    folder = tmp_path_factory.mktemp("older")
    uv = [sys.executable, "-m", "uv"]
    subprocess.run([*uv, "venv", "-q", "-p", sys.executable, str(folder)], check=True)
    python = str(folder / "bin" / "python")
    wanted = [f"onnxruntime=={OLDER}", f"numpy=={np.__version__}"]
    subprocess.run([*uv, "pip", "install", "-q", "--system-certs", "-p", python, *wanted], check=True)
    return python


@pytest.mark.slow
def test_the_older_runtime_answers_alike(older: str, tmp_path: Path) -> None:
    paths, wanted = [], {}
    for name in NAMES:
        model, _, rows = CASES[name]()
        graph, feeds = converted(model, rows, "float64")
        path = tmp_path / f"{name}.onnx"
        path.write_bytes(graph)
        np.savez(f"{path}.feeds.npz", **{n: v.astype(str) if v.dtype.kind == "O" else v for n, v in feeds.items()})
        paths.append(str(path))
        wanted[name] = answers(model, rows, "float64")[1]
    environment = {**os.environ, "ORT_DISABLE_TELEMETRY": "1"}
    subprocess.run([older, "-c", SCRIPT, OLDER, *paths], check=True, env=environment, timeout=300)
    for name in NAMES:
        _assert_alike(name, wanted[name], dict(np.load(tmp_path / f"{name}.onnx.answers.npz")))


def _assert_alike(name: str, newer: dict[str, Any], older: dict[str, Any]) -> None:
    for output, want in newer.items():
        got = older[output]
        if want.dtype.kind == "f":
            np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-12, equal_nan=True, err_msg=f"{name}: {output}")
        else:
            assert got.astype(str).tolist() == want.astype(str).tolist(), f"{name}: {output}"
