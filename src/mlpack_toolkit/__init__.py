"""mlpack: a trained model goes in; what comes out computes the same, anywhere, and carries the proof.

The four folders of the repository are the packages of this one: `packager`, `converters`, `runtimes`, `templates`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .packager import __version__ as __version__

if TYPE_CHECKING:
    from .packager.commands.build import Built


def build(model: Any, example: Any, **options: Any) -> Built:
    """Builds the verified bundle of a model; raises a kind of `MlpackError`, and then leaves nothing behind.

    `model`: a path, a `torch.nn.Module`, or an R object that rpy2 holds. `example`: a path, a data frame of pandas, or
    one that rpy2 holds; for a module a tensor or an array, or a tuple or a dict of them.
    `options`: those of `mlpack build`, under their names with underscores (`output`, `name`, `target`, `vendor`, ...);
    `options`, those of frameworks: `options={"r": {"object": "fit"}}`.
    """
    from .packager.api import build

    return build(model, example, options)
