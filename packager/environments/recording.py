"""Records the environment of a build: captures it and queries the index beside the model's worker, then locks it."""

from __future__ import annotations

import sysconfig
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..errors import EnvironmentFault
from .conda import env as conda
from .python.capture import Capture, Captured
from .python.index import Found
from .python.lock import lock, look_up
from .python.overlay import converter_packages
from .python.required import needed
from .python.wheels import Wheel
from .userlock.locks import GivenLock, differences, read_lock


@dataclass(frozen=True)
class Recorded:
    """`document`: environment.json. `files`: by path in the environment's folder. `facts`: for the manifest.
    `settings`: facts about this machine that can change numbers."""

    document: dict[str, Any]
    files: dict[str, bytes | Path]
    facts: dict[str, Any]
    settings: dict[str, Any]

    @property
    def language(self) -> str:
        """The language of the interpreter, as environment.json names it."""
        return str(self.document["language"])

    @property
    def part(self) -> str:
        """The name of the bundle's part with this environment."""
        return self.language.lower()


def _conda_files(captured: Captured, found: Found, vendor: bool) -> dict[str, bytes]:
    """The lock of conda's packages, with pip's beside them; with `vendor` also their archives."""
    records = conda.records(Path(captured.local["prefix"]))
    distributions = [
        {**each, "wheel": asdict(w)} for each in captured.distributions if isinstance(w := found[each["name"]], Wheel)
    ]
    files = conda.lock_files(records, distributions, captured.facts["interpreter"]["platform"])
    if vendor:
        with tempfile.TemporaryDirectory(prefix="mlpack-") as name:
            made = conda.vendor(records, None, Path(name))
            files |= {f"{conda.CHANNEL}/{path.relative_to(name).as_posix()}": path.read_bytes() for path in made}
    return files


@dataclass(frozen=True)
class Given:
    """The user's own lock file, with its name."""

    name: str
    lock: GivenLock

    @classmethod
    def read(cls, path: Path) -> Given:
        """The lock in the file; `UsageError` where it is no lock."""
        return cls(path.name, read_lock(path))

    def compared(self, captured: Captured) -> dict[str, Any]:
        """The differences between the environment and the lock."""
        found = differences(self.lock, self._present(captured), captured.local["markers"])
        return {"file": self.name, "kind": self.lock.kind, "differences": [asdict(each) for each in found]}

    def _present(self, captured: Captured) -> Sequence[Mapping[str, Any]]:
        """The installed distributions, under conda's names where the lock is conda's."""
        prefix = Path(captured.local["prefix"])
        if self.lock.kind != "conda-lock.yml" or not conda.is_conda(prefix):
            return captured.distributions
        others = [each for each in captured.distributions if each["origin"] != "conda"]
        records = [{"name": r.name, "version": r.version, "origin": "conda"} for r in conda.records(prefix)]
        return [*others, *records]


class Recording:
    """A recording that runs in a thread."""

    def __init__(self, python: str) -> None:
        self._python = python
        self._capture = Capture(python)
        self._captured: Captured | None = None
        self._found: Found = {}
        self._error: Exception | None = None
        sysconfig.get_config_vars()  # the first call in two threads at once returns only half of them
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        try:
            self._captured = self._capture.result()
            self._found = look_up(self._captured)
        except Exception as error:  # raised to the caller of `result`
            self._error = error

    def result(self, packages: Sequence[str], vendor: bool, given: Given | None) -> Recorded:
        """The recorded environment. `packages`: the model's and its framework's. `given`: a lock to compare."""
        from ..bundle.manifest import canonical

        captured = self._waited()
        markers = captured.local["markers"]
        least = needed(packages, captured.distributions, markers)
        document = captured.document(least)
        locked = lock(captured, self._found, least, vendor)
        files: dict[str, bytes | Path] = {"environment.json": canonical(document), **locked.files}
        if conda.is_conda(Path(captured.local["prefix"])):
            files |= _conda_files(captured, self._found, vendor)
        facts = locked.facts()
        if given is not None:
            files[f"given/{given.name}"] = given.lock.public
            facts["given"] = given.compared(captured)
        return Recorded(document, files, facts, captured.local["settings"])

    def converter_packages(self, wanted: Sequence[str]) -> Path:
        """A folder with those of the packages that this environment lacks."""
        return converter_packages(self._python, self._waited(), wanted)

    def _waited(self) -> Captured:
        """The capture, once it and the look-up are finished."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        if self._captured is None:
            raise EnvironmentFault("the environment could not be captured")
        return self._captured
