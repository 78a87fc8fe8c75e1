"""Whatever answers rows, as one kind of value: the original, a graph on a provider, an engine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from mlpack_toolkit.converters.spec import Table

from ..bundle.golden import GoldenCase
from ..equivalence.comparison import compare, worst
from ..equivalence.session import Session
from ..errors import MismatchError
from ..original.worker import Worker


class Runner(Protocol):
    """Answers rows. `name`: how messages call it."""

    @property
    def name(self) -> str: ...

    def run(self, rows: Table) -> Table:
        """The answers by output."""
        ...


@dataclass(frozen=True)
class Graph:
    """A variant that ONNX Runtime has loaded."""

    name: str
    session: Session

    def run(self, rows: Table) -> Table:
        """The answers by output; `MismatchError` where the graph stops."""
        return self.session.run(rows)


@dataclass(frozen=True)
class Original:
    """The model itself, in its worker; `scratch`: where rows and answers travel."""

    worker: Worker
    scratch: Path
    name: str = "the original"

    def run(self, rows: Table) -> Table:
        """The answers by output; `ModelError` where it refuses the rows."""
        return self.worker.predict(rows, self.scratch)


def check_answers(runner: Runner, case: GoldenCase, words: str = "does not answer like the original") -> Table:
    """The answers to the rows of a golden case, held to the recorded ones.

    Raises `MismatchError` with the worst rows where one is beyond the tolerance of the case; `words`: its verb.
    """
    got = runner.run(case.rows)
    kinds = np.full(len(next(iter(case.answers.values()))), case.probe, object)
    comparison = compare(case.answers, got, kinds, case.tolerances or {})
    if not comparison.equal:
        rows = worst(case.rows, case.answers, got, kinds, comparison.differs)
        raise MismatchError(f"{case.identifier} ({case.probe}): {runner.name} {words}", worst=rows)
    return got
