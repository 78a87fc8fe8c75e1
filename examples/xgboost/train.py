"""Trains a regressor on named columns: how far does a diabetes patient's disease progress in a year?

The data are scikit-learn's `load_diabetes`, unscaled (442 patients, ten columns). The model is saved in xgboost's own
format, which holds no Python code.

    python examples/xgboost/train.py build/diabetes
    mlpack build build/diabetes/diabetes.ubj --example build/diabetes/diabetes.parquet -o build/diabetes/dist
"""

from __future__ import annotations

import sys
from pathlib import Path

from sklearn.datasets import load_diabetes
from xgboost import XGBRegressor


def train(folder: Path) -> tuple[Path, Path]:
    """Writes the model and the example rows into `folder` and returns their paths."""
    data = load_diabetes(as_frame=True, scaled=False)
    model = XGBRegressor(n_estimators=80, max_depth=4, learning_rate=0.1, n_jobs=1, random_state=0)
    model.fit(data.data, data.target)
    folder.mkdir(parents=True, exist_ok=True)
    model.save_model(folder / "diabetes.ubj")
    data.data.to_parquet(folder / "diabetes.parquet")
    return folder / "diabetes.ubj", folder / "diabetes.parquet"


if __name__ == "__main__":
    print(*train(Path(sys.argv[1] if len(sys.argv) > 1 else ".")), sep="\n")
