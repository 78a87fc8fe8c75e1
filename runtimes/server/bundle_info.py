"""Reads a bundle's folder with the standard library only: the parent process needs no more."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlpack_toolkit.converters.graph_file import LARGE, NoGraph, locations
from mlpack_toolkit.converters.spec import Signature

from ..engine.errors import Damaged, NoModel
from ..engine.schema import GRAPH, MOST_BYTES, Fault, parse
from .manifest import LIBRARY, REFERENCE, check_served, in_present_words

MANIFEST = "manifest.json"
PLACES = ("/opt/ml/model", "/mnt/models")
"""The folders where SageMaker and KServe put a model."""


@dataclass(frozen=True)
class Described:
    """Facts about the model of a folder, which is not loaded.

    `signature`: of the variant that answers. `digests`: of the files that the manifest lists. `main`: the graph that
    answers, of `variant`. `library`: the native operators that it needs. `tuned`: what was chosen for this kind of
    machine is used.
    """

    folder: Path
    name: str
    version: str
    identity: str
    signature: Signature
    digests: Mapping[str, str]
    main: str = GRAPH
    library: Path | None = None
    variant: str = REFERENCE
    tuned: bool = False

    def read(self, path: str) -> bytes:
        """The bytes of a file, checked against its digest in the manifest; the same bytes are loaded.

        Raises `Damaged`.
        """
        self._check_listed(path)
        try:
            content = (self.folder / path).read_bytes()
        except OSError as error:
            raise Damaged(f"{self.folder / path} cannot be read: {error.strerror}") from error
        self._hold(path, hashlib.sha256(content).hexdigest())
        return content

    def graph(self) -> bytes | Path:
        """The graph: a small one as bytes, a large one or one with external data as a path; raises `Damaged`."""
        path = self.folder / self.main
        try:
            beside = locations(path)
            if not beside and path.stat().st_size <= LARGE:
                return self.read(self.main)
            for name in (self.main, *(f"{self.main.rpartition('/')[0]}/{name}" for name in beside)):
                self._check_listed(name)
                with (self.folder / name).open("rb") as file:
                    self._hold(name, hashlib.file_digest(file, "sha256").hexdigest())
        except NoGraph:
            return self.read(self.main)  # its digest gives the better message
        except OSError as error:
            raise Damaged(f"{error.filename or path} cannot be read: {error.strerror}") from error
        return path

    def _check_listed(self, path: str) -> None:
        if path not in self.digests:
            raise Damaged(f"{path} is not a file that {MANIFEST} lists")

    def _hold(self, path: str, found: str) -> None:
        if found != self.digests[path]:
            said = f"its sha256 is {found}, the manifest says {self.digests[path]}"
            raise Damaged(f"{self.folder / path} is not as it was built: {said}")


def describe(folder: Path, library: Path | None = None, tuned: bool = False) -> Described:
    """The model of a bundle in a folder: the reference; raises `NoModel` and `Damaged`.

    `library`: native operators from the machine's owner, never from the bundle: a variant that was proved with this
    very file answers instead. `tuned`: a choice of `mlpack tune` in the folder is used.
    """
    if not (folder / MANIFEST).is_file():
        raise NoModel(f"{folder} is not a bundle: it has no {MANIFEST}")
    try:
        with (folder / MANIFEST).open("rb") as file:
            raw = file.read(MOST_BYTES + 1)
        plain = parse(raw)
        check_served(plain)
    except OSError as error:
        raise Damaged(f"{folder / MANIFEST} cannot be read: {error.strerror}") from error
    except Fault as fault:
        raise Damaged(f"{MANIFEST} is not a manifest: {fault}") from fault
    digests = {path: str(entry["sha256"]) for path, entry in plain["files"].items()}
    identity = "sha256:" + hashlib.sha256(raw).hexdigest()
    variants = in_present_words(plain["format"], plain)["variants"]
    chosen = _proved_with(variants, library) if library is not None else None
    facts = variants[chosen or REFERENCE]
    signature = Signature.from_json(facts["signature"])
    main = str(facts["artifact"]["main"])
    known = plain["name"], plain["version"], identity, signature, digests
    return Described(folder, *known, main, library if chosen else None, chosen or REFERENCE, tuned)


def _proved_with(variants: Mapping[str, Any], library: Path) -> str | None:
    """The name of the first variant that was proved with that library; raises `NoModel` where it cannot be read."""
    try:
        digest = hashlib.sha256(library.read_bytes()).hexdigest()
    except OSError as error:
        raise NoModel(f"the library of operators {library} cannot be read: {error.strerror}") from error
    return next((name for name in sorted(variants) if variants[name]["recipe"].get(LIBRARY) == digest), None)
