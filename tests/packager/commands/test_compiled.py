"""The variant `compiled`: made by a build, held like the reference, used where its library is here."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from mlpack_toolkit.converters.spec import Table
from mlpack_toolkit.packager import kernels
from mlpack_toolkit.packager.accuracy import making
from mlpack_toolkit.packager.accuracy.asked import Asked
from mlpack_toolkit.packager.bundle.reader import open_bundle
from mlpack_toolkit.packager.commands.bench import bench_bundle
from mlpack_toolkit.packager.commands.predict import predict
from mlpack_toolkit.packager.commands.serve import _library
from mlpack_toolkit.packager.commands.verify import check_bundle, replay
from mlpack_toolkit.packager.config import build_request
from mlpack_toolkit.packager.equivalence.session import Session, session_of
from mlpack_toolkit.packager.errors import DamagedError, MismatchError, MissingToolError
from mlpack_toolkit.packager.images._image_config import operators
from mlpack_toolkit.runtimes.engine.errors import NoModel
from mlpack_toolkit.runtimes.server.bundle_info import describe
from mlpack_toolkit.runtimes.server.model import Model
from mlpack_toolkit.runtimes.server.settings import library_given
from tests.make import build_model
from tests.packager.conftest import Made, made_once
from tests.seal import seal

NAME = "compiled"
COMPILED = Asked(NAME, NAME, ship_slower=True)
"""Whatever else runs on the machine."""
QUIET = lambda step: None  # noqa: E731


@pytest.fixture(scope="session")
def boosted(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A regressor of boosted trees, with the variant."""
    import xgboost

    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 4)).astype("f4")
    x[::7, 1] = np.nan
    y = x[:, 0] * 2 + np.nan_to_num(x[:, 1]) * x[:, 2]
    fitted = xgboost.XGBRegressor(n_estimators=20, max_depth=4, n_jobs=1).fit(x, y)
    return made_once(tmp_path_factory, "boosted", fitted, x, variants=(COMPILED,))


@pytest.fixture
def own(boosted: Made, tmp_path: Path) -> Path:
    """A copy to be changed."""
    return Path(shutil.copytree(boosted.folder, tmp_path / "own"))


def _elsewhere(place: Path) -> None:
    """Changes the bundle into one that was proved with another library."""
    variants = json.loads((place / "manifest.json").read_bytes())["variants"]
    variants[NAME]["recipe"]["library"] = "0" * 64
    seal(place, variants=variants)


def test_the_bundle_has_the_variant_beside_the_reference_and_no_native_code(boosted: Made) -> None:
    bundle = boosted.bundle
    assert [variant.name for variant in bundle.variants] == ["reference", NAME]
    recipe = bundle.variant(NAME).recipe
    assert recipe["kind"] == NAME and recipe["library"] == kernels.library().sha256
    assert recipe["nodes"] == {"TreeSum32": 1}
    assert bundle.paths_of(NAME) == ("model/compiled/model.onnx",)
    assert not [path for path in bundle.listed() if path.endswith(".so") or bundle.read(path).startswith(b"\x7fELF")]
    report = bundle.json(bundle.proof(NAME).report)
    assert report["verdict"] == "equal"
    latency = bundle.json("evidence/measurements/variants.json")[NAME]["latency"]
    assert [each["batch"] for each in latency] == [1, 8, 64, 1000] and all(each["speedup"] > 0 for each in latency)


def test_the_same_input_gives_the_same_bytes(boosted: Made, tmp_path: Path) -> None:
    again = build_model(boosted.model, boosted.example, tmp_path / "again", variants=(COMPILED,))
    assert again.identity == boosted.bundle.identity
    assert again.to_json()["variants"][0]["variant"] == NAME


def test_it_has_the_bits_of_the_original_on_edges_of_the_model(boosted: Made) -> None:
    booster = boosted.fitted.get_booster()
    cuts = booster.trees_to_dataframe()["Split"].dropna().to_numpy("f4")
    rng = np.random.default_rng(3)
    x = rng.choice(np.concatenate([cuts, np.nextafter(cuts, np.float32(9)), [np.nan, 0, 1e30]]), (500, 4)).astype("f4")
    got = session_of(boosted.bundle, variant=NAME).run({"X": x})["prediction"]
    np.testing.assert_array_equal(got, boosted.fitted.predict(x))


def test_commands_use_it_where_its_library_is_here(boosted: Made, tmp_path: Path) -> None:
    facts = check_bundle(boosted.folder, (), None, QUIET)
    cases = facts["golden"]["CPUExecutionProvider"]
    assert facts["golden"] == {"CPUExecutionProvider": cases, f"{NAME} on CPUExecutionProvider": cases}
    assert check_bundle(boosted.folder, (), None, QUIET, NAME)["variant"] == NAME
    answers = {}
    for name in (None, NAME, "reference"):
        predict(boosted.folder, boosted.example, tmp_path / f"{name}.npz", name)
        answers[name] = np.load(tmp_path / f"{name}.npz")["prediction"]
    np.testing.assert_array_equal(answers[None], answers[NAME])
    np.testing.assert_allclose(answers[NAME], answers["reference"], rtol=1e-5)
    assert kernels.preferred(boosted.bundle) == (NAME, kernels.library().path)
    assert bench_bundle(boosted.folder, None, "", 0.01, variant=NAME)["graph"]
    library = _library(boosted.folder)
    model = Model(describe(boosted.folder, library))
    assert library and model.described.main == "model/compiled/model.onnx"
    np.testing.assert_array_equal(model.run({"X": boosted.rows})["prediction"].ravel(), answers[None].ravel())


def test_elsewhere_the_reference_answers_and_the_reason_is_said(own: Path, boosted: Made, tmp_path: Path) -> None:
    _elsewhere(own)
    assert kernels.preferred(open_bundle(own)) == ("reference", None) and _library(own) is None
    facts = check_bundle(own, (), None, QUIET)
    assert (
        list(facts["golden"]) == ["CPUExecutionProvider"]
        and "was proved with the library" in facts["not_replayed"][NAME]
    )
    predict(own, boosted.example, tmp_path / "out.npz")
    for ask in (lambda: replay(open_bundle(own), variant=NAME), lambda: predict(own, boosted.example, None, NAME)):
        with pytest.raises(MissingToolError, match="build the bundle again here"):
            ask()
    described = describe(own, kernels.library().path)
    assert described.main == "model/model.onnx" and described.library is None
    with pytest.raises(NoModel, match=r"operators .*absent\.so cannot be read"):
        describe(own, tmp_path / "absent.so")


def test_a_changed_graph_of_the_variant_is_noticed(own: Path) -> None:
    path = own / "model/compiled/model.onnx"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    for ask in (lambda: session_of(open_bundle(own), variant=NAME), lambda: check_bundle(own, (), None, QUIET)):
        with pytest.raises(DamagedError, match="is not as it was built"):
            ask()


def test_a_variant_that_answers_otherwise_fails_the_build(
    boosted: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Wrong(Session):
        def run(self, table: Table) -> Table:
            return {name: values + 1 for name, values in super().run(table).items()}

    monkeypatch.setattr(making, "Session", Wrong)
    with pytest.raises(MismatchError, match="the variant compiled does not answer like the original"):
        build_model(boosted.model, boosted.example, tmp_path / "dist", variants=(COMPILED,))
    assert not list((tmp_path / "dist").glob("*"))


def test_a_model_without_trees_has_no_such_variant_and_its_report_says_why(flowers: Made, tmp_path: Path) -> None:
    built = build_model(flowers.model, flowers.example, tmp_path, variants=(COMPILED,))
    reason = "the model has no sum of trees for mlpack's operators"
    assert f"there is no variant compiled, and the reference answers: {reason}" in built.remarks
    assert "the model has no sum of trees" in (built.bundle / "evidence/report.html").read_text()
    assert [variant.name for variant in open_bundle(built.bundle).variants] == ["reference"]


def test_an_image_gets_the_variant_its_library_and_the_variable(boosted: Made, own: Path) -> None:
    files, variables = operators(boosted.bundle)
    assert files == {
        "bundle/model/compiled/model.onnx": boosted.folder / "model/compiled/model.onnx",
        "usr/local/lib/libmlpack_trees.so": kernels.library().path,
    }
    assert variables == {"MLPACK_KERNELS": "/usr/local/lib/libmlpack_trees.so"}
    given = library_given({"MLPACK_KERNELS": str(kernels.library().path)})
    assert describe(boosted.folder, given).main == "model/compiled/model.onnx" and library_given({}) is None
    _elsewhere(own)
    assert operators(open_bundle(own)) == ({}, {})


def test_a_configuration_and_python_name_it(tmp_path: Path) -> None:
    (tmp_path / "mlpack.toml").write_text('[build]\nmodel = "m.joblib"\nexample = "x.npy"\nvariant = ["compiled"]\n')
    asked = (Asked(NAME, NAME),)
    assert build_request(tmp_path / "mlpack.toml", {}).variants == asked
    assert build_request(tmp_path / "mlpack.toml", {"variants": ()}).variants == asked
    assert build_request(None, {"model": Path("m"), "example": Path("x"), "variants": (NAME,)}).variants == asked
