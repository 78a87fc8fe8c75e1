"""Runners: whatever answers rows, as one kind of value (the original, a graph on a provider, an engine)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mlpack_toolkit.converters.spec import Signature, Table

from ..bundle.golden import GoldenCase
from ..errors import MismatchError
from ..original.worker import Worker
from .comparison import differences
from .session import Session


class Runner(Protocol):
    """Answers rows. `name`: its name in messages; `signature`: of its inputs and outputs.

    `takes_no_rows`: whether it answers a batch of no rows, too.
    """

    @property
    def name(self) -> str: ...

    @property
    def signature(self) -> Signature: ...

    @property
    def takes_no_rows(self) -> bool: ...

    def run(self, rows: Table) -> Table:
        """The answers by output."""
        ...


@dataclass(frozen=True)
class Graph:
    """A variant that ONNX Runtime has loaded."""

    name: str
    session: Session
    takes_no_rows: bool = True

    @property
    def signature(self) -> Signature:
        """The signature, without inputs that the graph does not read."""
        return self.session.signature

    def run(self, rows: Table) -> Table:
        """The answers by output; `MismatchError` where the graph stops."""
        return self.session.run(rows)


@dataclass(frozen=True)
class Original:
    """The model itself, in its worker; `scratch`: the folder for rows and answers."""

    worker: Worker
    scratch: Path
    signature: Signature
    name: str = "the original"
    takes_no_rows: bool = False

    def run(self, rows: Table) -> Table:
        """The answers by output; `ModelError` where it refuses the rows."""
        return self.worker.predict(rows, self.scratch, self.signature.batch_axes)


def check_answers(runner: Runner, case: GoldenCase, words: str = "") -> Table:
    """The answers to the rows of a golden case, compared with the recorded ones.

    Raises `MismatchError` with the worst rows where one is beyond the tolerance of the case; `words`: another message.
    """
    got = runner.run(case.rows)
    rows = differences(case, got, runner.signature)
    if rows:
        said = words or f"{runner.name} does not answer like the original"
        raise MismatchError(f"{case.identifier} ({case.probe}): {said}", worst=rows)
    return got
