"""Options of a framework whose models come from pickles: they reach every role, whatever the file's container."""

from __future__ import annotations

import json
import pickle
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import onnx
import pytest
import skops.io

from mlpack_toolkit import converters
from mlpack_toolkit.packager import declared
from mlpack_toolkit.packager.bundle.reader import open_bundle
from mlpack_toolkit.packager.errors import ModelError, UntrustedError
from mlpack_toolkit.packager.original.reload import original_worker
from mlpack_toolkit.packager.original.source import take_source
from mlpack_toolkit.packager.original.worker import Limits, Worker
from tests.make import build_model

ROOT = Path(__file__).parents[2]
MODULE = '''"""Meters of a user's own."""


class Meter:
    """A price per unit."""

    def __init__(self):
        self.price = 0.25
'''
CONVERTER = '''"""Meters: a reading times a price, in a currency."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ._graph.builder import GraphBuilder
from ._worker.probes import Probe
from .plugin import FLAG, NUMBER, Converter, Export, Option, Original, Probing, Source, column_probes
from .spec import Description, Feature, Unreadable


@dataclass(frozen=True)
class Priced:
    """A meter with what the user said of it."""

    meter: Any
    given: Any


def prepare(meter, given):
    """The meter with the values."""
    if given["rate"] == 0:
        raise Unreadable("meters.rate is 0: give another rate")
    return Priced(meter, given)


def describe(model):
    """One column."""
    return Description("Meter in " + model.given["currency"], "regressor", (Feature("kwh"),), named=True)


def adapt(model, description):
    """The answer jumps nowhere; the limit is worth trying all the same."""
    limited = replace(description.features[0], thresholds=(model.given["limit"],))
    return replace(description, features=(limited,))


def batches(model, description, inputs, example):
    """The columns' own probes, and the user's."""
    import numpy as np

    tried = Probe("mark", "", {"kwh": np.array([model.given["mark"]])})
    return [*column_probes(model, description, inputs, example), tried]


def predict(model, x):
    """The price."""
    return {"prediction": x["kwh"].to_numpy() * model.meter.price * model.given["rate"]}


def convert(model, description, signature, real, out):
    """The same as a graph."""
    graph = GraphBuilder(real)
    price = graph.op("Mul", graph.input(signature.inputs[0]).name, graph.const(model.meter.price))
    price = graph.op("Mul", price, graph.const(model.given["rate"]), stem=model.given["currency"])
    graph.output("prediction", graph.op("Reshape", price, graph.const([-1], "int64")), real, ("N",))
    graph.write(out)


OPTIONS = (
    Option("rate", "A rate.", kind=NUMBER, default=1.0),
    Option("limit", "A threshold.", kind=NUMBER, default=0.0),
    Option("mark", "A probe.", kind=NUMBER, default=0.0, scope="build"),
    Option("currency", "A currency.", default="euro"),
    Option("exact", "Whether float64 alone is tried.", kind=FLAG, default=False, scope="build"),
)
CONVERTER = Converter(
    name="meters",
    source=Source(packages=("meters",), prepare=prepare, options=OPTIONS),
    original=Original(describe, predict),
    export=Export(convert, precisions=lambda m: ("float64",) if m.given["exact"] else ("float32", "float64")),
    probing=Probing(adapt, batches),
)
'''
GIVEN = {"rate": 2.0, "limit": 40.3, "mark": 7.125, "currency": "guilder", "exact": True}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a model in each container that holds a pickle, its module, an example, and meters' converter."""
    folder = tmp_path_factory.mktemp("meters")
    with pytest.MonkeyPatch.context() as patched:
        (folder / "code").mkdir()
        (folder / "code/meters.py").write_text(MODULE)
        shutil.copytree(ROOT / "converters", folder / "converters", ignore=shutil.ignore_patterns("__pycache__"))
        (folder / "converters/meters.py").write_text(CONVERTER)
        patched.setattr(converters, "__file__", str(folder / "converters/__init__.py"))
        patched.setattr(converters, "__path__", [str(folder / "converters")])
        patched.syspath_prepend(folder / "code")
        _save(folder)
        declared.declared.cache_clear()
        yield folder
    declared.declared.cache_clear()
    for name in ("meters", f"{converters.__name__}.meters"):
        sys.modules.pop(name, None)


def _save(folder: Path) -> None:
    from meters import Meter

    (folder / "model.pickle").write_bytes(pickle.dumps(Meter()))
    joblib.dump(Meter(), folder / "model.joblib")
    skops.io.dump(Meter(), folder / "model.skops")
    (folder / "kwh.csv").write_text("kwh\n" + "".join(f"{12.5 * i}\n" for i in range(40)))


def test_they_reach_every_role(place: Path, tmp_path: Path) -> None:
    request: dict[str, Any] = {"code": (place / "code",), "options": {"meters": GIVEN}}
    built = build_model(place / "model.joblib", place / "kwh.csv", tmp_path, **request)
    report = json.loads((built.bundle / "reports/verification.json").read_text())
    assert {"mark", "threshold"} <= report["probes"].keys() and report["precision"] == "float64"
    assert report["other_precisions"] == {}
    names = {name for node in onnx.load(built.bundle / "model/model.onnx").graph.node for name in node.output}
    assert "guilder" in names
    bundle = open_bundle(built.bundle)
    assert bundle.source.given == {"rate": 2.0, "limit": 40.3, "currency": "guilder"}
    with original_worker(bundle, sys.executable, ("meters",)) as (worker, loaded, scratch):
        assert loaded.title == "Meter in guilder"
        assert worker.predict({"kwh": np.array([3.0])}, scratch)["prediction"] == [1.5]


@pytest.mark.parametrize("kind", ["pickle", "joblib", "skops"])
def test_every_container_of_pickles_hands_them_over(kind: str, place: Path, tmp_path: Path) -> None:
    code = [str(place / "code")]
    source = take_source(place / f"model.{kind}", tmp_path / "source", (), [place / "code"])
    (tmp_path / "scratch").mkdir()
    with Worker(sys.executable, tmp_path / "scratch", Limits()) as worker:
        assert worker.call(source.request(code)).title == "Meter in euro"
        assert worker.call(source.request(code, {"meters": {"currency": "yen"}})).title == "Meter in yen"
        with pytest.raises(ModelError, match=r"meters\.rate is 0: give another rate"):
            worker.call(source.request(code, {"meters": {"rate": 0.0}}))
    with pytest.raises(UntrustedError):
        take_source(place / f"model.{kind}", tmp_path / "again", ())
