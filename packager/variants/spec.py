"""The interface of a kind of variant: a pass from the proved graph to a smaller or faster one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlpack_toolkit.converters.artifact import Artifact
from mlpack_toolkit.converters.plugin import Option
from mlpack_toolkit.converters.spec import Signature, Table

TOLERANCE, HALF, METRIC, ELSEWHERE = "tolerance", "half", "metric", "elsewhere"
"""How a kind is held: to the reference's own tolerance on every probe; to the default rule of half precision; only to
the metric and limit that the user names; not at all where it is made, since only the machine that it is for runs it."""
CPU = "CPUExecutionProvider"


class NothingToGain(Exception):
    """The model has nothing for this kind, which is no mistake of the user: the reference answers. The reason."""


def _no_rows() -> Iterator[Table]:
    return iter(())


def _no_model() -> tuple[Artifact | None, tuple[str, ...]]:
    raise NotImplementedError


@dataclass(frozen=True)
class Work:
    """What a pass gets.

    `parent`: the proved graph. `signature`: the parent's. `folder`: empty, for the files. `block`: weights that share
    one scale. `keep`: names of nodes that stay in the parent's type. `calibration()`: the calibration rows as feeds of
    the graph, a batch at a time. `with_operators()`: the model converted again, its sums of trees as nodes of mlpack's
    own operators (None: it has none of them), and why sums stayed as they were. `options`: the values of the kind's
    own options. `batches`: the rows of the golden cases.
    """

    parent: Artifact
    signature: Signature
    folder: Path
    block: int = 32
    keep: frozenset[str] = frozenset()
    calibration: Callable[[], Iterator[dict[str, Any]]] = _no_rows
    with_operators: Callable[[], tuple[Artifact | None, tuple[str, ...]]] = _no_model
    options: Mapping[str, Any] = field(default_factory=dict)
    batches: Sequence[Table] = ()


@dataclass(frozen=True)
class Made:
    """What a pass gives.

    `changed`: names of the parent's nodes that are another than before, in order. `recipe`: facts for the manifest.
    `signature`: where it is not the parent's. `library`: native operators that the graph needs, this mlpack's own.
    `provider`, `weights`, `held`: where they are not the kind's, but follow from its options. `inside`: facts for the
    report. `measured`: facts of this machine, for the evidence.
    """

    artifact: Artifact
    changed: tuple[str, ...]
    recipe: Mapping[str, Any] = field(default_factory=dict)
    signature: Signature | None = None
    library: Path | None = None
    provider: str = ""
    weights: str = ""
    held: str = TOLERANCE
    inside: Mapping[str, Any] = field(default_factory=dict)
    measured: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Kind:
    """A kind of variant.

    `make(work)`: the pass; raises `ConversionError` where it cannot. `count(parent, made)`: by operator or element
    type, how many there are of it in the written file; nothing: the variant is none. `changes`: what the pass does to
    nodes, in a word (`quantised`). `seeks`: which nodes it looks for, in words. `weights`: the element type of the
    stored numbers; empty: that of the inputs. `held`: see above. `calibrates`: it needs calibration rows. `is_smaller`:
    it must have fewer bytes than its parent. `speedup`: the least speed-up with which it ships by default.
    `options`: the kind's own, `-O KIND.NAME=VALUE` or keys of `[[variant]]`. `check(values)`: raises `UsageError` for
    values of them, and `MissingToolError`, before any work, where this machine lacks what the pass needs.
    """

    name: str
    help: str
    weights: str
    make: Callable[[Work], Made]
    count: Callable[[Artifact, Artifact], Mapping[str, int]]
    changes: str
    seeks: str
    held: str = METRIC
    calibrates: bool = False
    is_smaller: bool = True
    speedup: float = 1.0
    provider: str = CPU
    options: tuple[Option, ...] = ()
    check: Callable[[Mapping[str, Any]], object] = lambda values: None
