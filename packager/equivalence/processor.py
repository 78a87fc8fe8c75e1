"""The original asked again as another processor would answer: by another kernel of linear algebra.

A row may be labelled by the last bit of a product of matrices, and the processor chooses the kernel that rounds it.
Such a model has no answers of its own that a graph could repeat; it is found here, on whatever machine it is built.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np

from mlpack_toolkit.converters.messages import Adopt, Load, Loaded
from mlpack_toolkit.converters.spec import ALWAYS, TIES, Signature, Table

from ..bundle.golden import Tolerance
from ..environments.system import kernels, machine
from ..errors import ConversionError, ForgedError, MlpackError, ModelError
from ..original.worker import Limits, Worker
from .comparison import compare, tolerances, worst
from .probes import Probes
from .prove import Proven, Wanted
from .refusals import with_rules

PLAIN = ("Katmai", "Prescott", "Core2")
"""What OpenBLAS calls its kernel for processors that have neither AVX nor fused steps."""
UNFUSED = (*PLAIN, "Nehalem", "Sandybridge", "Barcelona", "Bulldozer")
"""Kernels that round a product before they add it."""
NUMPY = "AVX2 FMA3 AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL AVX512_SPR X86_V3 X86_V4"
"""Instructions that numpy is told to leave alone; it passes over those that its version does not know."""
NEAR = 1e-9
"""Two best scores this near each other, relative to the larger, may change places on another processor."""


@dataclass(frozen=True)
class Again:
    """How the original answered with another kernel: both kernels by name, rows asked, largest share of a tolerance."""

    here: str
    there: str
    rows: int
    share: float

    def to_json(self) -> dict[str, Any]:
        return dict(vars(self))


class Twin:
    """The model in a second process, which began to load it and is asked later."""

    def __init__(self, worker: Worker, scratch: Path, asked: Load, here: Sequence[Mapping[str, Any]]) -> None:
        self._worker, self._scratch, self._asked, self._here = worker, scratch, asked, here

    def held(self, proven: Proven, probes: Probes) -> Proven:
        """The proof with what came of it. Raises `ConversionError` where answers differ by more than their tolerance.

        Where that process cannot load the model (a numpy that is built for newer instructions only), it stays out.
        """
        again = self._compared(proven.signature, probes, proven.report.tolerances)
        return replace(proven, report=replace(proven.report, again=again.to_json())) if again else proven

    def explain(self, signature: Signature, probes: Probes, limits: Wanted) -> None:
        """Raises `ConversionError` where no graph could be equal, as the original is not equal to itself."""
        double = with_rules(signature, probes).in_precision("float64")
        _, want, positions = probes.keep(probes.in_reach(double))
        allowed = tolerances(double, want, probes.kinds[positions] == "example", limits.rtol, limits.atol)
        self._compared(double, probes, allowed)

    def _compared(self, signature: Signature, probes: Probes, allowed: Mapping[str, Tolerance]) -> Again | None:
        try:
            there = kernels(self._worker.receive(self._asked).libraries)
        except ForgedError:
            raise
        except MlpackError:
            return None
        here = kernels(self._here)
        if there == here:
            return None
        rows, want, positions = probes.keep(probes.in_reach(signature))
        got, kinds = self._answers(rows, signature), probes.kinds[positions]
        comparison = compare(want, got, kinds, allowed)
        if not comparison.equal:
            shown = worst(rows, want, got, kinds, comparison.differs)
            said = _HANGS.format(int(comparison.differs.sum()), len(kinds), there, here)
            raise ConversionError(said, worst=shown)
        share = max((e.share for by in comparison.errors.values() for e in by.values()), default=0.0)
        return Again(here, there, len(kinds), share)

    def _answers(self, rows: Table, signature: Signature) -> Table:
        self._worker.call(Adopt(signature))
        try:
            return self._worker.predict(rows, self._scratch)
        except ForgedError:
            raise
        except ModelError as error:
            raise ConversionError(f"with the linear algebra of another processor, {error}") from error


_HANGS = (
    "the original itself answers {} of {} probe rows otherwise on another processor (with {} in place of {}): the last "
    "bits of its linear algebra decide there, so no graph is equal on every machine; take settings by which they do "
    "not (algorithm='kd_tree' for neighbours, another number of neighbours or clusters), or where only numbers differ, "
    "allow it (--rtol, --atol)"
)


@contextmanager
def twin(
    python: str, scratch: Path, limits: Limits, request: Load, loaded: Loaded, probes: Probes
) -> Iterator[Twin | None]:
    """The model in a second process where its answers may hang on the processor, else None. `request`: as it was
    loaded by; `loaded`: what the first process said of it."""
    if not wanted(loaded.processor, probes.answers):
        yield None
        return
    folder = Path(mkdtemp(dir=scratch))  # by a name that the first process cannot have taken
    with Worker(python, folder, limits, settings_for(loaded.libraries)) as worker:
        worker.send(request)
        yield Twin(worker, folder, request, loaded.libraries)


def wanted(processor: str, answers: Table) -> bool:
    """Whether to ask again: always, or where scores are so near each other that a last bit may decide."""
    return processor == ALWAYS or (processor == TIES and any(_near(n, v) for n, v in answers.items()))


def _near(name: str, scores: np.ndarray[Any, Any]) -> bool:
    if not name.startswith(("probabilities", "decision")) or scores.dtype.kind != "f" or not scores.size:
        return False
    values = scores.reshape(len(scores), -1).astype(np.float64)
    values = values[np.isfinite(values).all(axis=1)]
    usual = float(np.median(np.abs(values))) if values.shape[1] == 1 and len(values) else 0.0
    best = np.partition(values, -2, axis=1)[:, -2:] if values.shape[1] > 1 else np.pad(values, ((0, 0), (0, 1)))
    return bool((np.ptp(best, axis=1) <= NEAR * np.maximum(np.abs(best).max(axis=1), usual)).any())


def settings_for(libraries: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Environment variables by which a process takes a kernel that is not the one of those libraries."""
    if platform.machine() not in ("x86_64", "AMD64"):
        return {"OPENBLAS_CORETYPE": "ARMV8"}
    plain = {"NPY_DISABLE_CPU_FEATURES": NUMPY, "MKL_CBWR": "COMPATIBLE"}
    mine = {str(each.get("architecture")) for each in libraries if each.get("internal_api") == "openblas"}
    if not mine or mine - set(UNFUSED):
        return {"OPENBLAS_CORETYPE": "Prescott", **plain}
    fused = {"avx2", "fma"} <= set(machine()["cpu_flags"])
    return {"OPENBLAS_CORETYPE": "Haswell" if fused else "Nehalem" if mine <= set(PLAIN) else "Prescott", **plain}
