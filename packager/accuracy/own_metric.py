"""The user's own metric, asked in a process of its own, which has the sandbox and no model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np

from mlpack_toolkit.converters.messages import Judge
from mlpack_toolkit.converters.spec import Table

from ..original.replies import hand_over
from ..original.worker import Limits, Worker

Ask = Callable[[str, Table, Table], Any]
"""By the metric's name and both sides' answers: its numbers, `[1]` or one for each row."""


def asker(python: str, scratch: Path, limits: Limits, code: Sequence[Path]) -> Ask:
    """A function that asks; raises `ModelError` where the user's own gives no numbers."""

    def ask(function: str, want: Table, got: Table) -> Any:
        folder = Path(mkdtemp(dir=scratch))
        hand_over(want, folder / "want.npz")
        hand_over(got, folder / "got.npz")
        folders = tuple(str(each.resolve()) for each in code)
        asked = Judge(function, str(folder / "want.npz"), str(folder / "got.npz"), folders)
        with Worker(python, folder, limits) as worker:
            return np.array(worker.call(asked).values, np.float64)

    return ask
