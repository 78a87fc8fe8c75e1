"""A bundle in a Python program: answers for its rows, what the bundle says of itself, and the check of all of it."""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from mlpack_toolkit.converters.spec import Signature, Table

from ..bundle.reader import Bundle, open_bundle
from ..commands.predict import answer_columns, answering, arrow_of, checked_rows, tables_in, text_answers
from ..equivalence.session import Session, session_of
from ..errors import UsageError
from ..language.texts import takes_texts
from .page import card
from .rows import top_package, write_rows

FRAMES = ("pandas", "polars", "pyarrow")


class LoadedBundle:
    """A bundle on disk. Its graph is loaded when it first answers, in this process; the original model never is.

    Every file is checked against the manifest before it is used; a changed one raises `DamagedError`.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._bundle: Bundle = open_bundle(self.path)
        self._sessions: dict[str, Session] = {}

    @property
    def name(self) -> str:
        """The bundle's name."""
        return self._bundle.name

    @property
    def version(self) -> str:
        """The bundle's version."""
        return self._bundle.version

    @property
    def identity(self) -> str:
        """`sha256:` and the digest of the manifest, which names the digest of every other file."""
        return self._bundle.identity

    @property
    def signature(self) -> Signature:
        """Inputs, outputs and classes of the reference graph."""
        return self._bundle.signature

    @property
    def variants(self) -> tuple[str, ...]:
        """The names of its graphs, the reference first."""
        return tuple(each.name for each in self._bundle.variants)

    @cached_property
    def facts(self) -> Mapping[str, Any]:
        """Title, framework, number types, tolerances and more, as `mlpack inspect` has them."""
        return dict(self._bundle.in_short)

    @cached_property
    def report(self) -> dict[str, Any]:
        """The proof of the reference graph: verdict, rows, errors by output and by kind of probe."""
        found = self._bundle.json(self._bundle.proof().report)
        return dict(found)

    @cached_property
    def latency(self) -> dict[str, Any]:
        """What the build measured: milliseconds by batch size of graph and original; empty if it kept none."""
        path = self._bundle.layout.latency
        return dict(self._bundle.json(path)) if path in self._bundle.evidence else {}

    @cached_property
    def environment(self) -> dict[str, Any]:
        """The captured environment: the interpreter and `distributions`; of several parts, by the part's name."""
        found = {part.name: self._bundle.json(part.document) for part in self._bundle.parts}
        return dict(next(iter(found.values()))) if len(found) == 1 else found

    def predict(self, rows: Any, variant: str | None = None) -> Any:
        """The answers, a row for each row: labels and probabilities, or numbers.

        `rows`: a data frame of pandas, polars or pyarrow, whose kind the answer has (of pandas with the same index);
        an array, a sparse matrix, texts, records, a dict of tensors or a path, whose answer is a dict of arrays by the
        signature's output. A bundle of text takes texts, and answers with their continuations where it generates.
        `variant`: the one that answers; None: the preferred one. `UsageError` for rows that the signature does not
        take.
        """
        name = answering(self._bundle, variant)
        session = self._session(name)
        signature = self._bundle.variant(name).signature
        with tempfile.TemporaryDirectory(prefix="mlpack-") as folder:
            file = write_rows(rows, Path(folder) / "rows", "rows")
            with _named_as_given(file, rows):
                if takes_texts(self._bundle, file):
                    signature, answers = text_answers(self._bundle, session, file, top_package(rows) not in FRAMES)
                else:
                    tables = tables_in(session.signature, file, deque())
                    answers = session.stream(checked_rows(session.signature, tables, file))
                pieces = list(answers)
        return _as_given(signature, _joined(signature, pieces), rows)

    def _session(self, name: str) -> Session:
        if name not in self._sessions:
            self._sessions[name] = session_of(self._bundle, variant=name)
        return self._sessions[name]

    def verify(self, target: str | Sequence[str] = (), provider: str | None = None) -> dict[str, Any]:
        """What `mlpack verify` does: every digest, every golden case, each variant; raises what it finds wrong."""
        from ..commands.verify import check_bundle

        targets = (target,) if isinstance(target, str) else tuple(target)
        return check_bundle(self.path, targets, provider, lambda step: None)

    def __repr__(self) -> str:
        return f"<mlpack bundle {self.name} {self.version}, {self.identity[:19]}…, {self.path}>"

    def _repr_html_(self) -> str:
        words = {key: str(getattr(self, key)) for key in ("name", "version", "identity", "path")}
        return card({**words, "title": str(self.facts["title"])}, self.signature, self.report, self.latency)


@contextmanager
def _named_as_given(file: Path, rows: Any) -> Iterator[None]:
    """Has messages name what the caller gave (`the DataFrame`), where the file is one that only mlpack knows."""
    try:
        yield
    except UsageError as error:
        if isinstance(rows, (str, Path)):
            raise
        said = str(error).replace(file.name, f"the {type(rows).__name__}", 1)
        raise UsageError(said, **error.facts) from error


def _joined(signature: Signature, pieces: Sequence[Table]) -> Table:
    """The answers of all batches as those of one."""
    if len(pieces) == 1:
        return pieces[0]
    axes = signature.batch_axes
    if not signature.has_rows:
        raise UsageError("the model answers one batch at a time: give the tensors of one")
    return {name: np.concatenate([piece[name] for piece in pieces], axes[name] or 0) for name in pieces[0]}


def _as_given(signature: Signature, answers: Table, rows: Any) -> Any:
    """The answers in a frame of the kind of the rows, else as arrays."""
    top = top_package(rows)
    if top not in FRAMES:
        return answers
    columns = answer_columns(signature, answers)
    if top == "pandas":
        import pandas as pd

        return pd.DataFrame({name: list(v) if v.dtype == object else v for name, v in columns.items()}, rows.index)
    table = arrow_of(columns)
    return table if top == "pyarrow" else import_module("polars").from_arrow(table)
