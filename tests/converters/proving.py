"""A model held against its graph by the very steps of a build, without a bundle."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mlpack_toolkit.converters import for_object
from mlpack_toolkit.converters._worker.session import ModelSession as Worker
from mlpack_toolkit.converters.artifact import Artifact
from mlpack_toolkit.converters.messages import Convert, Probe, Probed
from mlpack_toolkit.converters.spec import Table, Unsupported
from mlpack_toolkit.converters.table import write_table
from mlpack_toolkit.packager.equivalence.probes import Probes
from mlpack_toolkit.packager.equivalence.prove import Proven, Wanted, prove
from mlpack_toolkit.packager.equivalence.session import Session
from mlpack_toolkit.packager.errors import ConversionError
from tests.artifacts import artifact_of

from .check import table_of


@dataclass(frozen=True)
class Held:
    """What came of it. `notes`: what the report says of how the original was asked."""

    proven: Proven
    probes: Probes
    notes: list[str]

    def answers(self, table: Table) -> Table:
        """What the graph says to rows."""
        return Session(self.proven.model.path, self.proven.signature).run(table)

    def to_matrix(self, rows: Any) -> Table:
        """What the graph says to a matrix."""
        return self.answers({"X": np.asarray(rows, float)})


def held(model: Any, example: Any, stored: list[list[int]] | None = None) -> Held:
    """The proof; `example`: a frame, a matrix, texts, or a sparse matrix, whose stored zeros are at `stored`."""
    worker = Worker()
    converter = for_object(model)
    assert converter is not None
    worker.model, worker.converter, worker.description = model, converter, converter.original.describe(model)
    sparse = hasattr(example, "tocsr")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_table(table_of(example.toarray() if sparse else example), folder / "example.npz")
        asked = Probe(str(folder / "example.npz"), name, stored=(stored or []) if sparse else None)
        reply = Probed.from_json(json.loads(json.dumps(worker.probe(asked).to_json())))
        probes = Probes.read(folder, reply)

        def convert(real: str) -> Artifact:
            out = folder / f"{real}.onnx"
            try:
                worker.convert(Convert(real, str(out)))
            except Unsupported as error:
                raise ConversionError(str(error)) from error
            return artifact_of(out.read_bytes())

        precisions = converter.export.precisions(model)
        return Held(
            prove(convert, reply.signature, probes, precisions, Wanted()),
            probes,
            list(reply.notes),
        )
