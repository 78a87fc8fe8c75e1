"""What a finished build returns."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlpack_toolkit.converters.spec import Signature

if TYPE_CHECKING:
    from .commands.bench import LatencyReport
    from .equivalence.report import VerificationReport


@dataclass(frozen=True, repr=False)
class Built:
    """A finished build. `environment`: its facts in the manifest, and the number of distributions. `notes`: those of
    the report, on how the model was read. `remarks`: on columns, names and options that this build ignored, and on
    variants that the bundle does not have. `variants`: the reports of all that were made."""

    bundle: Path
    identity: str
    signature: Signature
    verification: VerificationReport
    latency: LatencyReport
    environment: dict[str, Any]
    notes: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    variants: tuple[dict[str, Any], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The object that `mlpack build --json` prints."""
        return {
            "bundle": str(self.bundle),
            "identity": self.identity,
            "signature": self.signature.to_json(),
            "verification": self.verification.to_json(),
            "latency": self.latency.to_json(),
            **({"variants": list(self.variants)} if self.variants else {}),
        }

    def __repr__(self) -> str:
        rows = f"{self.verification.rows} probe rows, {self.verification.precision}"
        return f"<mlpack bundle {self.bundle}, {self.identity[:19]}…, equal on {rows}>"

    def _repr_html_(self) -> str:
        from .api.loaded import LoadedBundle

        return LoadedBundle(self.bundle)._repr_html_()
