"""scikit-learn: estimators, pipelines and their parts; one file per family, each ending in `STEPS`.

imbalanced-learn's pipelines and ensembles are subclasses of scikit-learn's, and predict as those do.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from .._steps.assemble import assemble
from .._steps.step import Step
from ..needs import Requirement
from ..plugin import Converter, Export, Original, Source
from ._describe import describe, precisions
from ._predict import predict, quick
from ._processor import processor
from ._skl2onnx import standard_step


@lru_cache(maxsize=1)
def _steps() -> dict[str, Step]:
    families = (m.name for m in iter_modules(__path__) if not m.name.startswith("_"))
    return {name: step for family in families for name, step in import_module(f"{__name__}.{family}").STEPS.items()}


def step(fitted: Any) -> Step | None:
    """Returns our own step for the object's class, else the one that wraps the standard converter."""
    package = type(fitted).__module__.split(".")[0]
    if package == "imblearn":
        return _steps().get(type(fitted).__name__)
    if package != "sklearn":
        return None
    return _steps().get(type(fitted).__name__) or standard_step(fitted)


CONVERTER = Converter(
    name="sklearn",
    source=Source(packages=("sklearn", "imblearn")),
    original=Original(describe=describe, predict=predict, quick=quick, processor=processor),
    export=Export(convert=assemble, precisions=precisions, step=step),
    needs=(
        Requirement("scikit-learn>=1.3", "sklearn", "scikit-learn models"),
        Requirement("skl2onnx>=1.20,<2", "sklearn", "scikit-learn classes without a converter of ours"),
        Requirement("pandas>=2", "sklearn", "models fitted on data frames"),
        Requirement("skops>=0.11", "sklearn"),
    ),
)
