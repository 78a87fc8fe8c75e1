"""What runs in the model's interpreter runs under Python 3.9 with the standard library and the model's packages."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from mlpack_toolkit import converters
from mlpack_toolkit.packager.bundle.reader import check_files, open_bundle
from mlpack_toolkit.packager.commands.build import Request, build
from mlpack_toolkit.packager.commands.verify import replay
from mlpack_toolkit.packager.errors import EnvironmentFault
from tests.packager.environments.made import environment, run
from tests.pythons import python39

WANTED = ("scikit-learn==1.6.1", "numpy==2.0.2", "scipy==1.13.1", "pandas==2.2.3", "lightgbm==4.6.0")
"""The last of each that has wheels for Python 3.9."""
IMPORTS = """
import importlib, importlib.util, json, pkgutil, sys
place = importlib.util.spec_from_file_location("held", sys.argv[1], submodule_search_locations=[sys.argv[2]])
held = sys.modules["held"] = importlib.util.module_from_spec(place)
place.loader.exec_module(held)
names = [m.name for m in pkgutil.walk_packages(held.__path__, "held.")]
for name in names:
    importlib.import_module(name)
others = {n.partition(".")[0] for n, m in sys.modules.items() if "site-packages" in (getattr(m, "__file__", "") or "")}
print(json.dumps([len(names) + 1, sorted(others), held.load.__module__]))
"""
FIT = """
import joblib, numpy as np, pandas as pd
from lightgbm import LGBMRegressor
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier, VotingClassifier
from sklearn.impute import SimpleImputer
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, PolynomialFeatures, StandardScaler
from sklearn.svm import SVC

rng = np.random.default_rng(0)
rows = pd.DataFrame({"mood": rng.choice(["gut", "naïve", "日本", "leer"], 150), "size": rng.normal(size=150).round(3)})
rows["age"] = rng.integers(18, 80, 150)
y = np.where((rows["size"] > 0) ^ (rows["mood"] == "gut"), "ja", "no")
holes = rows.copy()
holes.loc[::7, "size"] = np.nan
rows.to_csv("rows.csv", index=False)
holes.to_csv("holes.csv", index=False)
numbers = make_pipeline(SimpleImputer(), PolynomialFeatures(2), StandardScaler())
columns = ColumnTransformer([("text", OneHotEncoder(), ["mood"]), ("numbers", numbers, ["size", "age"])])
votes = VotingClassifier([("svm", SVC(probability=True, random_state=0)),
    ("net", MLPClassifier(8, max_iter=50, random_state=0)), ("bayes", GaussianNB()),
    ("forest", RandomForestClassifier(5, max_depth=4, random_state=0)),
    ("boosting", HistGradientBoostingClassifier(max_iter=5))], voting="soft")
joblib.dump(make_pipeline(columns, votes).fit(holes, y), "votes.joblib")
two = rows[["size", "age"]]
two.to_csv("numbers.csv", index=False)
joblib.dump(LGBMRegressor(n_estimators=8, min_child_samples=5, verbose=-1).fit(two, two["age"] * 2.5), "trees.joblib")
"""


@pytest.fixture(scope="module")
def python() -> str:
    return python39()


def test_every_module_is_imported_with_nothing_but_the_standard_library(python: str, tmp_path: Path) -> None:
    """As the worker imports them: under a private name."""
    place = Path(converters.__file__)
    command = [python, "-E", "-s", "-c", IMPORTS, str(place), str(place.parent)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    count, others, module = json.loads(done.stdout)
    assert count == len(list(place.parent.rglob("*.py"))) > 100
    assert (others, module) == ([], "held")


@pytest.fixture(scope="module")
def fitted(python: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """An interpreter with the model's packages and nothing that converts, and a folder of what it fitted."""
    folder = tmp_path_factory.mktemp("python39")
    try:
        own = environment(folder / "env", *WANTED, python=python)
    except (AssertionError, EnvironmentFault) as error:
        pytest.skip(f"NOT TESTED: the packages of Python 3.9 cannot be installed here: {error}")
    run(own, FIT, folder)
    return own, folder


@pytest.mark.slow
@pytest.mark.parametrize(("model", "example"), [("votes", "holes.csv"), ("trees", "numbers.csv")])
def test_models_of_python_39_become_bundles(
    model: str, example: str, fitted: tuple[Path, Path], tmp_path: Path
) -> None:
    own, folder = fitted
    made = build(Request(folder / f"{model}.joblib", folder / example, tmp_path / "dist", targets=(), python=str(own)))
    assert made.verification.equal and made.verification.rows > 100
    bundle = open_bundle(made.bundle)
    check_files(bundle)
    recorded = bundle.json(bundle.parts[0].document)
    assert recorded["interpreter"]["version"].startswith("3.9.")
    assert not {d["name"] for d in recorded["distributions"]} & {"onnx", "skl2onnx", "onnxruntime"}
    assert replay(bundle) >= 3
