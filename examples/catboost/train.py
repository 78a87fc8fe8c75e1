"""Trains a regressor with text categories and missing numbers: how heavy is a penguin?

The data are `palmerpenguins` (342 penguins of known weight). The model is saved in catboost's own format, which holds
no Python code. `one_hot_max_size` matters: above it, catboost replaces a category by statistics of a hash of any text
that comes, which no graph can do, and mlpack refuses such a model with exit 4.

    python examples/catboost/train.py build/weight
    mlpack build build/weight/weight.cbm --example build/weight/weight.parquet -o build/weight/dist
"""

from __future__ import annotations

import sys
from pathlib import Path

from catboost import CatBoostRegressor
from palmerpenguins import load_penguins

NUMBERS = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm"]
CATEGORIES = ["species", "island"]


def train(folder: Path) -> tuple[Path, Path]:
    """The model and the example rows, written into `folder`."""
    penguins = load_penguins().dropna(subset=["body_mass_g"])
    inputs = penguins[CATEGORIES + NUMBERS]
    model = CatBoostRegressor(
        iterations=60,
        depth=4,
        cat_features=CATEGORIES,
        one_hot_max_size=3,
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
