"""A model fitted on a sparse matrix: from the file that `save_npz` wrote to the rows that `predict` answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_matrix, save_npz
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler

from mlpack_toolkit.converters.messages import Adopt
from mlpack_toolkit.packager.built import Built
from mlpack_toolkit.packager.bundle.reader import open_bundle
from mlpack_toolkit.packager.commands.build import Request, build
from mlpack_toolkit.packager.commands.predict import predict
from mlpack_toolkit.packager.data.readers import read_example, stored_zeros
from mlpack_toolkit.packager.errors import ConversionError, UsageError
from mlpack_toolkit.packager.original.worker import Limits, Worker
from tests.make import build_model

RNG = np.random.default_rng(0)


def _matrix(seed: int) -> Any:
    rng = np.random.default_rng(seed)
    dense = rng.normal(size=(240, 6))
    dense[rng.random(dense.shape) < 0.6] = 0.0
    return csr_matrix(dense)


SPARSE, FRESH = _matrix(1), _matrix(2)
LABEL = np.asarray((SPARSE[:, [0]].toarray() > 0).ravel() ^ (SPARSE[:, [1]].toarray() == 0).ravel()).astype(int)


@pytest.fixture(scope="module")
def model() -> Any:
    import xgboost

    booster = xgboost.XGBClassifier(n_estimators=8, max_depth=3, n_jobs=1)
    return make_pipeline(MaxAbsScaler(), booster).fit(SPARSE, LABEL)


@pytest.fixture(scope="module")
def built(model: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Built, Path]:
    import joblib

    folder = tmp_path_factory.mktemp("sparse")
    joblib.dump(model, folder / "model.joblib")
    save_npz(folder / "example.npz", SPARSE)
    return build_model(folder / "model.joblib", folder / "example.npz", folder / "dist"), folder


def test_the_bundle_answers_as_to_a_sparse_matrix(built: tuple[Built, Path], model: Any) -> None:
    made, folder = built
    save_npz(folder / "fresh.npz", FRESH)
    predict(made.bundle, folder / "fresh.npz", folder / "answers.csv")
    answers = np.genfromtxt(folder / "answers.csv", delimiter=",", names=True)
    np.testing.assert_array_equal(answers["label"], model.predict(FRESH))
    assert (model.predict(FRESH) != model.predict(FRESH.toarray())).any()


def test_the_signature_and_the_report_say_what_a_0_is(built: tuple[Built, Path]) -> None:
    made, _ = built
    spec = open_bundle(made.bundle).signature.to_json()["inputs"][0]
    assert spec["sparse"] is True and spec["absent"] is True
    assert any("an absent cell of the matrix" in note for note in made.notes)


def test_the_original_is_asked_in_the_same_way_years_later(
    built: tuple[Built, Path], model: Any, tmp_path: Path
) -> None:
    made, _ = built
    with Worker(Request(Path(), Path(), Path()).python, tmp_path, Limits()) as worker:
        from mlpack_toolkit.packager.original.source import take_source

        source = take_source(made.bundle / "model" / "source" / "model.joblib", tmp_path / "source", (), ())
        worker.call(source.request())
        worker.call(Adopt(made.signature))
        answers = worker.predict({"X": FRESH.toarray()}, tmp_path)
    np.testing.assert_array_equal(answers["label"], model.predict(FRESH))


def _with_stored_zeros(folder: Path) -> Path:
    matrix = SPARSE.tocoo()
    zeros = np.argwhere(SPARSE.toarray() == 0)[::2]
    rows, columns = (np.append(own, zeros[:, i]) for i, own in enumerate((matrix.row, matrix.col)))
    stored = csr_matrix((np.append(matrix.data, np.zeros(len(zeros))), (rows, columns)), shape=matrix.shape)
    save_npz(folder / "stored.npz", stored)
    return folder / "stored.npz"


def test_stored_zeros_are_refused_in_an_example_and_in_rows(built: tuple[Built, Path], tmp_path: Path) -> None:
    made, folder = built
    path = _with_stored_zeros(tmp_path)
    assert read_example(path).stored and stored_zeros(folder / "example.npz") == []
    with pytest.raises(ConversionError, match=r"eliminate_zeros\(\)"):
        build(Request(folder / "model.joblib", path, tmp_path / "dist", targets=()))
    with pytest.raises(UsageError, match=r"eliminate_zeros\(\)"):
        predict(made.bundle, path, tmp_path / "answers.csv")
