"""mlpack: a trained model goes in; what comes out computes the same, anywhere, and carries the proof."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .commands.build import Built

__version__ = "0.1.0"


def build(model: Any, example: Any, **options: Any) -> Built:
    """The verified bundle of a model; raises a kind of `MlpackError`, and then leaves nothing behind.

    `model`: a path, or an R object that rpy2 holds. `example`: a path, a data frame of pandas, or one that rpy2 holds.
    `options`: those of `mlpack build`, under their names with underscores (`output`, `name`, `target`, `vendor`, …);
    `options`, those of frameworks: `options={"r": {"object": "fit"}}`.
    """
    from .api import build

    return build(model, example, options)
