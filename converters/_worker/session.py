"""The process that loads the model: reads commands as JSON lines, writes replies to a pipe of their own.

Standard output and standard error are left to the model.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
import traceback
import warnings
from collections.abc import Mapping
from dataclasses import replace
from importlib import util
from itertools import takewhile
from pathlib import Path
from typing import Any

from .. import messages
from .._sandbox._limits import limit
from .._steps.user_defined import register
from .._trees.kernel import kernels
from ..graph_file import DATA
from ..latency import measure, single_threaded
from ..plugin import Converter
from ..spec import Description, Signature, Table, TensorSpec, Unreadable, Unsupported
from ..table import read_table, rows_of, stack, take, write_table
from .confinement import alone, confine, refused
from .gathered import Gathered
from .input_bounds import with_edges
from .joint_probes import several
from .loaded_libraries import libraries, versions
from .model_input import in_floats, model_table, original_input, with_own_names
from .noise import noise_of
from .opening import opened
from .own_metric import judgement
from .probes import EXAMPLE_ROWS, Probe, columns_of, spread, together
from .reference import Answers, Batches, ask, ask_by_kind, check_rows
from .signature import inputs_of, signature_of
from .sparse_input import as_sparse

STRANGE = ("unseen", "empty", "missing", "odd", "large")
"""Kinds whose rows have values that a whole batch seldom has."""
PLAIN = ("example", "threshold", "category", "text")


class ModelSession:
    """One loaded model with its description and signature."""

    model: Any
    converter: Converter
    description: Description
    inputs: tuple[TensorSpec, ...]
    signature: Signature
    sandbox: dict[str, Any] | None = None

    def load(self, request: messages.Load) -> messages.Loaded:
        """Loads the model: the one command that runs code of the file. The sandbox stays for the later commands."""
        path = Path(request.model)
        if self.sandbox is None:
            self.sandbox = confine(path, request)
        sys.path[:0] = request.code
        register(request.code)
        self.converter, self.model = opened(path, request)
        converter = self.converter
        self.description = converter.original.describe(self.model)
        return messages.Loaded(
            framework=converter.name,
            title=self.description.title,
            task=self.description.task,
            columns=tuple(f.name for f in self.description.features) if self.description.named else (),
            width=len(self.description.features),
            notes=self.description.notes,
            precisions=converter.export.precisions(self.model),
            versions=versions(converter),
            libraries=tuple(libraries()),
            processor=converter.original.processor(self.model),
            own_environment=converter.original.environment is not None,
            sandbox=self.sandbox,
            can_convert=all(util.find_spec(re.split("[<>=]", each)[0]) for each in converter.export.packages),
        )

    def environment(self, request: messages.Environment) -> messages.Surroundings:
        """The environment of an original that runs in an interpreter of its own."""
        assert self.converter.original.environment is not None
        return messages.Surroundings(self.converter.original.environment(self.model))

    def lend(self, request: messages.Lend) -> messages.Done:
        """Adds packages that the environment lacks at the end of the import path."""
        sys.path.append(request.folder)
        return messages.Done()

    def read(self, request: messages.Read) -> messages.Done:
        """Writes the tensors of an example that only the framework can read, or that the model makes."""
        maker = self.converter.probing.example
        if not request.example and maker is not None:
            write_table(maker(self.model), Path(request.out))
            return messages.Done()
        reader = self.converter.probing.read
        if reader is None:
            raise BadExample(
                f"{Path(request.example).name} is no example of {self.converter.name}: give npz, npy or json"
            )
        try:
            write_table(reader(Path(request.example)), Path(request.out))
        except Unreadable as error:
            raise BadExample(str(error)) from error
        return messages.Done()

    def probe(self, request: messages.Probe) -> messages.Probed:
        """Makes probes from the example, asks the original, and writes both."""
        out = Path(request.out)
        table = read_table(Path(request.example))
        self.description = with_own_names(self.description, table)
        example = self._example(self._arranged(table) if request.images else table, request.dtypes)
        before = self.description.notes
        self.description = self.converter.probing.adapt(self.model, replace(self.description, example=example))
        notes = [*self.description.notes[len(before) :], *self._as_sparse(example, request)]
        self.inputs = inputs_of(self.description, example, request.frame_dtypes)
        answered = self._first_answer(example)
        if not self.description.inputs:
            check_rows(answered, rows_of(example))
        self.signature = signature_of(self.description, example, answered, request.frame_dtypes)
        if self.description.inputs:
            return self._tensors(example, request, notes)
        probes, answers = self._asked(example, answered)
        edged = with_edges(self.description, self.inputs, example, probes, list(answers.refused), self._predict)
        if edged != self.description:
            self.description = edged
            probes, answers = self._asked(example, answered)
        probes, answers = self._with_several(example, probes, answers)
        rows, kinds, columns = together(probes)
        batches = self._by_kind(rows, kinds, columns, answers)
        write_table(rows, out / "probes.npz")
        write_table(answers.outputs, out / "answers.npz")
        write_table(batches.outputs, out / "batches.npz")
        return messages.Probed(
            notes=tuple(notes),
            signature=self.signature,
            batches=tuple(map(tuple, batches.rows)),
            kinds=tuple(kinds),
            columns=tuple(columns),
            known=tuple((p.kind, p.column, p.tried, p.known) for p in probes if p.known),
            refused=answers.refused,
            features=tuple(f.name for f in self.description.features),
            values={f.name: list(f.values) for f in self.description.features if f.values},
            bounds={f.name: list(f.bounds) for f in self.description.features if f.bounds},
        )

    def _tensors(self, example: Table, request: messages.Probe, notes: list[str]) -> messages.Probed:
        """The reply of `probe` for a model of tensors: the example's rows as one batch."""
        axes, out = self.signature.batch_axes, Path(request.out)
        example = in_floats(self.inputs, example)
        rows = spread(example, EXAMPLE_ROWS, axes) if self.signature.has_rows else example
        write_table(rows, out / "probes.npz")
        write_table(self._predict(rows), out / "answers.npz")
        write_table({}, out / "batches.npz")
        count = rows_of(rows, axes)
        return messages.Probed(
            notes=tuple(notes),
            signature=self.signature,
            batches=(),
            kinds=("example",) * count,
            columns=("",) * count,
            known=(),
            refused={},
            features=(),
            values={},
            bounds={},
        )

    def _as_sparse(self, example: Table, request: messages.Probe) -> list[str]:
        """Decides whether the original gets a sparse matrix, where the example is one; returns notes for the report."""
        if request.stored is None:
            return []
        import numpy as np

        matrix = np.column_stack(list(example.values()))
        places = np.array(request.stored, np.int64).reshape(-1, 2)
        takes = self.converter.original.takes_sparse(self.model)
        self.description, note = as_sparse(self.description, matrix, places, takes, self._answer)
        return [note]

    def _asked(self, example: Table, answered: Table) -> tuple[list[Probe], Answers]:
        probes = self.converter.probing.batches(self.model, self.description, self.inputs, example)
        plain = sum(rows_of(p.rows) for p in takewhile(lambda p: p.kind in PLAIN, probes))
        again = rows_of(probes[0].rows) < rows_of(example)
        known = None if again else answered
        return probes, ask(self._predict, together(probes)[0], plain, known)

    def _with_several(self, example: Table, probes: list[Probe], answers: Answers) -> tuple[list[Probe], Answers]:
        """The probes and their answers, followed by rows with several changed cells."""
        described = self.description
        if described.document:
            return probes, answers
        columns = list(columns_of(described, self.inputs, take(example, slice(0, EXAMPLE_ROWS))))
        more = several(columns, probes, answers.refused)
        if not more:
            return probes, answers
        found = ask(self._predict, together(more)[0], plain=0)
        first = sum(rows_of(p.rows) for p in probes)
        refused = {**answers.refused, **{first + row: message for row, message in found.refused.items()}}
        parts = [part for part in (answers.outputs, found.outputs) if part]
        return [*probes, *more], Answers(stack(parts) if parts else {}, refused)

    def _by_kind(self, rows: Table, kinds: list[str], columns: list[str], answers: Answers) -> Batches:
        """Answers to rows of each kind again; a row without any value is of a kind of its own."""
        groups = [(kind, kind == "missing" and not column) for kind, column in zip(kinds, columns)]
        return ask_by_kind(self._predict, rows, groups, set(answers.refused), lambda group: group[0] in STRANGE)

    def _arranged(self, table: Table) -> Table:
        try:
            return self.converter.probing.images(self.model, next(iter(table.values())))
        except Unreadable as error:
            raise BadExample(str(error)) from error

    def _example(self, table: Table, dtypes: Mapping[str, str]) -> Table:
        try:
            if self.description.tensors:
                own = {name: _typed(values, dtypes.get(name)) for name, values in table.items()}
                return self.converter.probing.named(self.model, own)
            return model_table(self.description, table)
        except Unreadable as error:
            raise BadExample(str(error)) from error

    def _first_answer(self, example: Table) -> Table:
        try:
            return self._predict(example)
        except Unsupported:
            raise
        except Exception as error:
            raise BadExample(f"the model does not take the example: {type(error).__name__}: {error}") from error

    def _predict(self, rows: Table) -> Table:
        return self._answer(original_input(self.description, self.inputs, rows))

    def _answer(self, x: Any) -> Table:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return self.converter.original.predict(self.model, x)

    def _quick(self, x: Any) -> object:
        """The cheapest call from which all outputs follow: labels are the largest probabilities."""
        if self.converter.original.quick is not None:
            return self.converter.original.quick(self.model, x)
        if self.description.task == "classifier" and hasattr(self.model, "predict_proba"):
            return self.model.predict_proba(x)
        return self.converter.original.predict(self.model, x)

    def language(self, request: messages.Language) -> messages.Spoken:
        """What belongs to a model of text beside its graph."""
        found = self.converter.language(self.model) if self.converter.language is not None else {}
        return messages.Spoken(found.get("text", {}), found.get("generation", {}))

    def adopt(self, request: messages.Adopt) -> messages.Done:
        """Takes the signature from the model's bundle, in place of `probe`."""
        self.signature = request.signature
        self.inputs = self.signature.inputs
        described = with_own_names(self.description, [t.name for t in self.inputs])
        self.description = replace(described, sparse=any(t.sparse for t in self.inputs))
        return messages.Done()

    def convert(self, request: messages.Convert) -> messages.Converted:
        """Writes the graph in the precision `real`, or nothing where the model's own file is the graph."""
        real, out = request.real, Path(request.out)
        for path in filter(Path.exists, (out, out.with_name(DATA))):
            path.unlink()
        with kernels(request.kernels) as found:
            self.converter.export.convert(self.model, self.description, self.signature.in_precision(real), real, out)
        return messages.Converted(not out.exists(), found.nodes, tuple(dict.fromkeys(found.left_out)))

    def predict(self, request: messages.Predict) -> messages.Done:
        """Writes the original's answers to the rows of a table.

        Some originals fail on a batch though they answer each of its rows (kernlab, with an infinite row among
        others): such a batch is halved.
        """
        rows = read_table(Path(request.rows))
        if self.signature.takes_tensors:
            write_table(self._predict(rows), Path(request.out))
            return messages.Done()
        answers = ask(self._predict, rows, plain=0)
        for row, message in answers.refused.items():
            raise Unreadable(f"the original does not answer row {row}: {message}")
        write_table(answers.outputs or self._predict(rows), Path(request.out))
        return messages.Done()

    def noise(self, request: messages.Noise) -> messages.Noisy:
        """How far the original's answers are from the same answers computed otherwise."""
        again = self.converter.original.again
        if again is None:
            return messages.Noisy({})
        rows, axes = read_table(Path(request.rows)), self.signature.batch_axes if self.signature.has_rows else None
        return messages.Noisy(noise_of(self._predict, lambda x: again(self.model, x), rows, axes))

    def observe(self, request: messages.Observe) -> messages.Observed:
        """Writes what the original's parts answer, within bounds; nothing where it has none to look at."""
        found = Gathered(request.paths, request.each, request.total)
        if self.converter.original.parts is not None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                x = original_input(self.description, self.inputs, read_table(Path(request.rows)))
                self.converter.original.parts(self.model, x, found)
        write_table(found.arrays, Path(request.out))
        return messages.Observed(tuple(found.left_out))

    def judge(self, request: messages.Judge) -> messages.Judgement:
        """What the user's own metric says of two tables; in the sandbox, and in a process that has no model."""
        if self.sandbox is None:
            self.sandbox = alone()
        sys.path[:0] = request.code
        return messages.Judgement(judgement(request.function, Path(request.want), Path(request.got)))

    def measure(self, request: messages.Measure) -> messages.Measured:
        """The original's latency by batch size, on one thread."""
        rows = read_table(Path(request.rows))
        single_threaded(self.model)

        def prepare(batch: Table) -> Any:
            return original_input(self.description, self.inputs, batch)

        def run(x: Any) -> object:
            return self._quick(x)

        def clock(x: Any) -> float:
            assert self.converter.original.clock is not None
            return self.converter.original.clock(self.model, x)

        own = clock if self.converter.original.clock is not None else None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            sizes, seconds, axes = request.batches, request.seconds, self.signature.batch_axes
            return messages.Measured(tuple(measure(run, prepare, rows, sizes, seconds, own, axes)))


def _typed(values: Any, dtype: str | None) -> Any:
    """The array in a type of numbers; texts stay as they are."""
    return values if dtype is None or values.dtype.kind in "OU" else values.astype(dtype)


class BadExample(Exception):
    """The example data do not fit the model."""


def serve(replies: int, memory: int) -> None:
    """Answers commands from standard input until it closes; `replies`: the file descriptor for replies."""
    limit(memory)
    tempfile.tempdir = os.getcwd()  # the folder is removed with the worker, however that ends
    session = ModelSession()
    with os.fdopen(os.dup(0)) as commands, os.fdopen(replies, "w") as out:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for line in commands:
            request = json.loads(line)
            out.write(json.dumps(_reply(session, request)) + "\n")
            out.flush()


def _reply(session: ModelSession, plain: dict[str, Any]) -> dict[str, Any]:
    """The reply to a request, both as JSON objects."""
    try:
        request = messages.request_of(plain)
        done: messages.Message = getattr(session, request.command)(request)
        return {"ok": True, **done.to_json()}
    except Exception as error:
        if not isinstance(error, MemoryError):
            traceback.print_exc()
        return {"ok": False, **_failure(error, session).to_json()}


def _failure(error: Exception, session: ModelSession) -> messages.Failure:
    if isinstance(error, MemoryError):
        return messages.Failure("MemoryError", "the memory limit was reached")
    missing = error.name if isinstance(error, ModuleNotFoundError) else None
    kinds = (kind.__name__ for kind in type(error).__mro__ if kind in (Unsupported, Unreadable))
    return messages.Failure(next(kinds, type(error).__name__), str(error), missing, refused(error, session.sandbox))
