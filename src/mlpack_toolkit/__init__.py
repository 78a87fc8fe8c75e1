"""mlpack: a trained model goes in; what comes out computes the same, anywhere, and carries the proof.

The four folders of the repository are the packages of this one: `packager`, `converters`, `runtimes`, `templates`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from .packager import __version__ as __version__
from .packager.errors import MlpackError as MlpackError

if TYPE_CHECKING:
    from .packager.api.loaded import LoadedBundle
    from .packager.built import Built


def build(
    model: Any = None,
    example: Any = None,
    *,
    output: str | Path | None = None,
    name: str | None = None,
    version: str | None = None,
    python: str | Path | None = None,
    code: str | Path | Sequence[str | Path] = (),
    target: str | Sequence[str] = (),
    precision: Literal["auto", "float32", "float64"] | None = None,
    rtol: float | None = None,
    atol: float | None = None,
    max_p99: float | None = None,
    allow: str | Sequence[str] = (),
    variant: str | Sequence[str] = (),
    vendor: bool | None = None,
    lock: str | Path | None = None,
    keep_failed: bool | None = None,
    overwrite: bool | None = None,
    reuse: bool | None = None,
    config: str | Path | None = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    **older: object,
) -> Built:
    """Builds the verified bundle of a model; raises a kind of `MlpackError`, and then leaves nothing behind.

    `model`: a fitted object of any framework that mlpack knows, or a path. The object is saved in a scratch folder and
    loaded apart, as a file would be; it stays as it is. `example`: rows that it takes, a data frame (pandas, polars,
    pyarrow), an array, a sparse matrix of scipy, texts, records, a dict of arrays, or a path; for a
    `torch.nn.Module` a tensor or an array, or a tuple or a dict of them.
    `code`: folders with your own modules; `"auto"`: the functions and classes of this program or notebook that the
    model uses are printed, and become a module of the bundle.
    `max_p99`: milliseconds. `options`: those of frameworks, `{"r": {"object": "fit"}}`. `config`: a file
    `mlpack.toml` with the same options. The others are those of `mlpack build`; `older`: earlier spellings of options
    of R.
    """
    given = {key: value for key, value in locals().items() if key not in ("model", "example", "older")}
    from .packager.api.building import build

    return build(model, example, given, older)


def load(bundle: str | Path) -> LoadedBundle:
    """The bundle in a folder, for its answers and what it says of itself; `DamagedError` where it was changed."""
    from .packager.api.loaded import LoadedBundle

    return LoadedBundle(bundle)


def inspect(path: str | Path) -> dict[str, Any]:
    """What `mlpack inspect --json` prints of a bundle, or of a model file without loading it."""
    from .packager.commands.inspect import inspect

    return inspect(Path(path))


def diff(a: str | Path, b: str | Path) -> dict[str, Any]:
    """What `mlpack diff --json` prints: what changed between two bundles, in signature, answers, and environment."""
    from .packager.diff import diff

    return diff(Path(a), Path(b))
