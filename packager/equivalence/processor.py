"""Asks the original again with the linear algebra kernel of another processor.

A label may depend on the last bit of a matrix product, and the processor chooses the kernel that rounds it. No graph
can reproduce the answers of such a model on every machine; this finds it on whichever machine builds it.
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
"""OpenBLAS's names of its kernels for processors with neither AVX nor FMA."""
UNFUSED = (*PLAIN, "Nehalem", "Sandybridge", "Barcelona", "Bulldozer")
"""Kernels without FMA: they round a product before they add it."""
NUMPY = "AVX2 FMA3 AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL AVX512_SPR X86_V3 X86_V4"
"""Instruction sets that numpy must not use; it ignores those that its version does not know."""
NEAR = 1e-9
"""Two best scores whose relative distance is smaller than this may swap on another processor."""


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
    """The model in a second process, which loads it in the background."""

    def __init__(self, worker: Worker, scratch: Path, asked: Load, here: Sequence[Mapping[str, Any]]) -> None:
        self._worker, self._scratch, self._asked, self._here = worker, scratch, asked, here

    def held(self, proven: Proven, probes: Probes) -> Proven:
        """The proof with the comparison. Raises `ConversionError` where answers differ by more than their tolerance.

        Where that process cannot load the model (a numpy built for newer instructions only), the proof stays as it is.
        """
        again = self._compared(proven.signature, probes, proven.report.tolerances)
        return replace(proven, report=replace(proven.report, again=again.to_json())) if again else proven

    def explain(self, signature: Signature, probes: Probes, limits: Wanted) -> None:
        """Raises `ConversionError` where the original's own answers differ between kernels: no graph can be equal."""
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
    "the original itself gives other answers to {} of {} probe rows on another processor (with {} in place of {}): "
    "they depend on the last bits of its linear algebra, so no graph is equal on every machine; choose settings that "
    "avoid this (algorithm='kd_tree' for neighbours, another number of neighbours or clusters), or where only numbers "
    "differ, allow the difference (--rtol, --atol)"
)


@contextmanager
def twin(
    python: str, scratch: Path, limits: Limits, request: Load, loaded: Loaded, probes: Probes
) -> Iterator[Twin | None]:
    """The model in a second process where its answers may depend on the processor, else None. `request`, `loaded`: the
    first process's request to load it, and the reply."""
    if not wanted(loaded.processor, probes.answers):
        yield None
        return
    folder = Path(mkdtemp(dir=scratch))  # by a name that the first process cannot have taken
    with Worker(python, folder, limits, settings_for(loaded.libraries)) as worker:
        worker.send(request)
        yield Twin(worker, folder, request, loaded.libraries)


def wanted(processor: str, answers: Table) -> bool:
    """Whether to ask again: `ALWAYS`, or for `TIES` where two scores are so close that the last bit may decide."""
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
    """Environment variables that make a process use another kernel than those libraries do."""
    if platform.machine() not in ("x86_64", "AMD64"):
        return {"OPENBLAS_CORETYPE": "ARMV8"}
    plain = {"NPY_DISABLE_CPU_FEATURES": NUMPY, "MKL_CBWR": "COMPATIBLE"}
    mine = {str(each.get("architecture")) for each in libraries if each.get("internal_api") == "openblas"}
    if not mine or mine - set(UNFUSED):
        return {"OPENBLAS_CORETYPE": "Prescott", **plain}
    fused = {"avx2", "fma"} <= set(machine()["cpu_flags"])
    return {"OPENBLAS_CORETYPE": "Haswell" if fused else "Nehalem" if mine <= set(PLAIN) else "Prescott", **plain}
