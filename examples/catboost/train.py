"""Trains a regressor with categories and missing numbers: how heavy is a penguin?

The data are `palmerpenguins` (342 penguins of known weight). The model is saved in catboost's own format, which holds
no Python code.

catboost stores only hashes of categories, and a graph cannot hash. So mlpack takes the texts from the example. It must
contain every category of the model at least once (here it is the training data). A missing one is exit 4, with its
name. catboost takes no missing categories: a penguin of unknown sex is "unknown" here.

    python examples/catboost/train.py build/weight
    mlpack build build/weight/weight.cbm --example build/weight/weight.parquet -o build/weight/dist
"""

from __future__ import annotations

import sys
from pathlib import Path

from catboost import CatBoostRegressor
from palmerpenguins import load_penguins

NUMBERS = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm"]
CATEGORIES = ["species", "island", "sex"]


def train(folder: Path) -> tuple[Path, Path]:
    """Writes the model and the example rows into `folder` and returns their paths."""
    penguins = load_penguins().dropna(subset=["body_mass_g"])
    inputs = penguins[[*CATEGORIES, *NUMBERS]].copy()
    inputs["sex"] = inputs["sex"].fillna("unknown")
    model = CatBoostRegressor(
        iterations=60,
        depth=4,
        cat_features=CATEGORIES,
        random_seed=0,
        thread_count=1,
        allow_writing_files=False,
    )
    model.fit(inputs, penguins["body_mass_g"], verbose=False)
    folder.mkdir(parents=True, exist_ok=True)
    model.save_model(str(folder / "weight.cbm"))
    inputs.to_parquet(folder / "weight.parquet")
    return folder / "weight.cbm", folder / "weight.parquet"


if __name__ == "__main__":
    print(*train(Path(sys.argv[1] if len(sys.argv) > 1 else ".")), sep="\n")
