"""The paths of environments and evidence in each format of a bundle, which the manifest does not name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

NAME = "manifest.json"
ENVIRONMENT = "environment/"


@dataclass(frozen=True)
class Layout:
    """Folders with a slash at their end.

    `evidence`: for files outside the identity, which have a list of their own; `others`: such files elsewhere.
    `measurements`: latency and facts about the machine of the build. `by_part`: each part has a folder for its
    environment. `is_open`: others may add files to `evidence`.
    """

    evidence: str
    measurements: str
    report: str
    others: tuple[str, ...]
    by_part: bool
    is_open: bool

    @property
    def list(self) -> str:
        """The list of the files outside the identity."""
        return self.evidence + NAME

    @property
    def latency(self) -> str:
        """The latency that the build measured."""
        return self.measurements + "latency.json"

    @property
    def variants(self) -> str:
        """The latency of the variants beside their parent's."""
        return self.measurements + "variants.json"

    @property
    def inputs(self) -> str:
        """The digest of what the bundle was made of: see `reuse`."""
        return self.measurements + "inputs.json"

    @property
    def machine(self) -> str:
        """Facts about the machine of the build that can change the last bits."""
        return self.measurements + "machine.json"

    def environment(self, part: str) -> str:
        """The folder of the environment of a part."""
        return f"{ENVIRONMENT}{part}/" if self.by_part else ENVIRONMENT

    def is_evidence(self, path: str) -> bool:
        """Whether a file is outside the identity."""
        return path.startswith(self.evidence) or path in self.others


LAYOUTS: Mapping[int, Layout] = {
    1: Layout("measurements/", "measurements/", "reports/report.html", ("reports/report.html",), False, False),
    2: Layout("evidence/", "evidence/measurements/", "evidence/report.html", (), True, True),
}
"""By the format of the manifest."""
