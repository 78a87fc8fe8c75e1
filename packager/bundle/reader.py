"""Reads a bundle: its manifest and its files, each checked against the manifest before use."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from io import BufferedReader
from pathlib import Path
from typing import Any

from mlpack_toolkit.converters.artifact import Artifact
from mlpack_toolkit.converters.graph_file import LARGE, NoGraph, locations, mentions, proto_of
from mlpack_toolkit.converters.spec import Signature
from mlpack_toolkit.converters.variant import ONNX, Variant
from mlpack_toolkit.runtimes.engine.schema import MOST_BYTES, Fault, parse
from mlpack_toolkit.runtimes.server.manifest import REFERENCE, in_present_words

from ..engines.context import OPERATOR, references
from ..engines.recipe import KIND
from ..errors import DamagedError, UsageError
from .facts import ModelSource, Part, Proof, in_short, parts_of, proof_of, sources_of, variants_of
from .golden import REQUEST, RESPONSE, GoldenCase, Half, check_case, decode_case
from .layout import LAYOUTS, NAME, Layout
from .manifest import Entry, Manifest, paths_below
from .schema import check_documents, check_evidence, check_manifest

MOST_JSON = 256 << 20
PIECE = 1 << 20
CASE = "golden/", ".request.json"
FOLDER = "model/"


@dataclass(frozen=True)
class Bundle:
    """A bundle on disk with a manifest that fits the schema. `place`: its folder, for messages.

    Read its files only by `read`, `file` and `held`, which check them and raise `DamagedError` for a changed one.
    """

    place: Path
    manifest: Manifest
    raw_manifest: bytes

    @property
    def name(self) -> str:
        return str(self.manifest.facts["name"])

    @property
    def version(self) -> str:
        return str(self.manifest.facts["version"])

    @property
    def identity(self) -> str:
        return "sha256:" + hashlib.sha256(self.raw_manifest).hexdigest()

    @property
    def layout(self) -> Layout:
        """The paths of the bundle's format that the manifest does not name."""
        return LAYOUTS[self.manifest.format]

    @property
    def facts(self) -> Mapping[str, Any]:
        """The manifest's facts in the terms of the present format, whichever format it has."""
        return in_present_words(self.manifest.format, self.manifest.facts)

    @property
    def in_short(self) -> Mapping[str, Any]:
        """The facts in a flat form for people: see `facts.in_short`."""
        return in_short(self.facts)

    @property
    def sources(self) -> tuple[ModelSource, ...]:
        """The original models, in their order."""
        return sources_of(self.facts)

    @property
    def source(self) -> ModelSource:
        """The only source; `UsageError` where the bundle was made of several.

        The manifest lists them, and not which answers of one are inputs of another: only the code that combined them
        can run them together.
        """
        if len(self.sources) > 1:
            paths = ", ".join(source.path for source in self.sources)
            locks = " and ".join(part.folder for part in self.parts)
            raise UsageError(
                f"the bundle {self.place.name} was made of {len(self.sources)} models ({paths}), and its manifest does "
                f"not say how they are combined: install {locks} from the lock files there, run the models with the "
                "code that combined them, and compare with golden/; `mlpack verify` replays the graph without them"
            )
        return self.sources[0]

    @property
    def parts(self) -> tuple[Part, ...]:
        """The environments of its models, one per language."""
        return parts_of(self.facts, self.layout)

    @cached_property
    def variants(self) -> tuple[Variant, ...]:
        """The reference first, then the others by name."""
        return variants_of(self.facts, self.place, self._entries)

    def variant(self, name: str = REFERENCE) -> Variant:
        """The variant of that name; `UsageError` where there is none."""
        found = next((variant for variant in self.variants if variant.name == name), None)
        if found is None:
            there = ", ".join(variant.name for variant in self.variants)
            raise UsageError(f"the bundle {self.place.name} has no variant {name!r}; there is: {there}")
        return found

    def paths_of(self, variant: str = REFERENCE) -> tuple[str, ...]:
        """The files of a variant, the main one first."""
        artifact = self.variant(variant).artifact
        return tuple((artifact.folder / file.path).relative_to(self.place).as_posix() for file in artifact.files)

    def proof(self, variant: str = REFERENCE) -> Proof:
        """The proof of a variant."""
        return proof_of(self.facts["variants"][self.variant(variant).name])

    @property
    def signature(self) -> Signature:
        """The reference variant's."""
        return self.variant().signature

    @cached_property
    def graph(self) -> Artifact:
        """The reference graph, with its digests checked."""
        return self.checked()

    def checked(self, variant: str = REFERENCE) -> Artifact:
        """The files of a variant, with their digests checked; they include all that an ONNX file refers to."""
        for path in self.paths_of(variant):
            self.file(path)
        self._check_references(variant)
        return self.variant(variant).artifact

    def loadable(self, variant: str = REFERENCE) -> bytes | Path:
        """What ONNX Runtime loads, with its digest checked: the bytes of a small graph, the path of a large one."""
        artifact, paths = self.variant(variant).artifact, self.paths_of(variant)
        if len(paths) > 1 or artifact.size > LARGE:
            return self.checked(variant).path
        content = self.read(paths[0])
        self._check_references(variant)
        return content

    def _check_references(self, variant: str) -> None:
        artifact, main = self.variant(variant).artifact, self.paths_of(variant)[0]
        if artifact.format != ONNX:
            return
        try:
            beside, engines = locations(artifact.path), self._engines(variant)
        except (NoGraph, OSError) as error:
            raise DamagedError(f"{main} of the bundle {self.place.name} is no ONNX file: {error}") from error
        named = {*beside, *engines}
        if unlisted := sorted(named - {file.path for file in artifact.files}):
            raise DamagedError(
                f"{main} of the bundle {self.place.name} refers to {unlisted[0]!r}, which is no file of its variant"
            )

    def _engines(self, variant: str) -> tuple[str, ...]:
        """The files with native code that nodes of a graph name; `NoGraph` where it may name none, or holds some."""
        found = self.variant(variant)
        if not mentions(found.artifact.path, OPERATOR.encode()):
            return ()
        engines = references(proto_of(found.artifact.path))
        if engines and (found.recipe.get("kind") != KIND or "" in engines):
            raise NoGraph("it holds native code, which only an engine's own variant names, in a file beside it")
        return tuple(engines)

    @property
    def graph_files(self) -> tuple[str, ...]:
        """The paths in the bundle of the reference graph and its external data."""
        return self.paths_of()

    def listed(self, prefix: str = "") -> tuple[str, ...]:
        """The paths in the manifest that begin with `prefix`."""
        return tuple(path for path in self._entries if path.startswith(prefix))

    def read(self, path: str) -> bytes:
        """The content of a file, checked against its digest."""
        entry = self._entry(path)
        with self._open(entry) as file:
            content = file.read(entry.size + 1)
        if len(content) != entry.size or hashlib.sha256(content).hexdigest() != entry.sha256:
            raise _changed(self, path)
        return content

    def held(self, into: Path, *prefixes: str) -> Bundle:
        """The bundle in the folder `into`: its manifest, and copies of the files that begin with `prefixes`, checked
        against their digests while they are copied."""
        into.mkdir(parents=True, exist_ok=True)
        (into / NAME).write_bytes(self.raw_manifest)
        for path in self.listed():
            if path.startswith(prefixes):
                self._copy(self._entry(path), into / path)
        return Bundle(into, self.manifest, self.raw_manifest)

    def file(self, path: str) -> Path:
        """The path of a file, checked against its digest; for copies that `held` has made."""
        entry = self._entry(path)
        with self._open(entry) as file:
            state = _state(os.fstat(file.fileno()))
            if self._held_as.get(path) != state and hashlib.file_digest(file, "sha256").hexdigest() != entry.sha256:
                raise _changed(self, path)
        self._remember(entry, state)
        return self.place / path

    @cached_property
    def _held_as(self) -> dict[str, tuple[int, ...]]:
        """By path, the state of a large file when its digest was checked: it is read again only after a change."""
        return {}

    def remember(self, path: str, modified: int) -> None:
        """Notes that a large file has its digest, where it was not written since then. `modified`: its time then."""
        status = (self.place / path).lstat()
        if stat.S_ISREG(status.st_mode) and status.st_mtime_ns == modified:
            self._remember(self._entry(path), _state(status))

    def _remember(self, entry: Entry, state: tuple[int, ...]) -> None:
        if entry.size > LARGE:
            self._held_as[entry.path] = state

    def json(self, path: str) -> Any:
        """The parsed content of a JSON file of the bundle, checked against the schema for its path."""
        try:
            plain = parse(self.read(path), MOST_JSON)
            check_documents(path, plain)
        except Fault as fault:
            raise DamagedError(f"{path} does not fit the schema for this path: {fault}") from fault
        return plain

    def golden(self) -> Iterator[GoldenCase]:
        """The golden cases in their order."""
        for path in self.listed(CASE[0]):
            if not path.endswith(CASE[1]):
                continue
            name = path.removeprefix(CASE[0]).removesuffix(CASE[1])
            request, response = self.half(name, REQUEST), self.half(name, RESPONSE)
            try:
                case = decode_case(request, response, self.signature)
                check_case(case, name, self.signature)
            except (ValueError, KeyError, TypeError, AttributeError, MemoryError) as error:
                said = error if isinstance(error, ValueError) else repr(error)
                raise DamagedError(f"the golden case {path.removeprefix(CASE[0])} cannot be read: {said}") from error
            yield case

    def half(self, name: str, half: str) -> Half:
        """The request or the response of a golden case, with its file of numbers."""
        stem = f"{CASE[0]}{name}.{half}"
        raw = f"{stem}.bin"
        return Half(self.read(f"{stem}.json"), self.read(raw) if raw in self._entries else None)

    @cached_property
    def _entries(self) -> Mapping[str, Entry]:
        return {entry.path: entry for entry in self.manifest.files}

    @cached_property
    def evidence(self) -> Mapping[str, Entry]:
        """Entries of the files that mlpack wrote outside the identity, from a list that names this bundle."""
        path = self.layout.list
        try:
            with self._open(Entry(path, "", -1)) as file:
                plain = parse(file.read(MOST_BYTES + 1))
            check_documents(path, plain)
            check_evidence(self.layout, plain["files"], self._entries)
        except Fault as fault:
            raise DamagedError(f"{path} is not a list of files: {fault}") from fault
        if plain["identity"] != self.identity:
            raise DamagedError(f"{path} names another bundle than {self.identity}: one was changed")
        return {each: Entry(each, found["sha256"], found["size"]) for each, found in plain["files"].items()}

    def _entry(self, path: str) -> Entry:
        found = self._entries.get(path) or (self.evidence.get(path) if self.layout.is_evidence(path) else None)
        if found is None:
            raise DamagedError(f"the bundle {self.place.name} has no {path}: its manifest does not list it")
        return found

    def _open(self, entry: Entry) -> BufferedReader:
        """The open file; raises `DamagedError` for anything but a plain file, and for a link in its path."""
        place = self.place
        try:
            for part in entry.path.split("/"):
                place = place / part
                if place.is_symlink():
                    raise DamagedError(f"{place} is a link: a bundle contains plain files only")
            descriptor = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise DamagedError(
                f"{entry.path} of the bundle {self.place.name} cannot be read: {error.strerror}"
            ) from error
        file = os.fdopen(descriptor, "rb")
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or entry.size not in (-1, status.st_size):
            file.close()
            raise _changed(self, entry.path)
        return file

    def _copy(self, entry: Entry, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        with self._open(entry) as file, target.open("wb") as copy:
            while piece := file.read(PIECE):
                digest.update(piece)
                copy.write(piece)
        if digest.hexdigest() != entry.sha256:
            raise _changed(self, entry.path)


def _changed(bundle: Bundle, path: str) -> DamagedError:
    said = f"the bundle {bundle.place.name} is not as it was built; changed: {path}"
    return DamagedError(said, changed=[path], missing=[], extra=[])


def open_bundle(folder: Path) -> Bundle:
    """The bundle in a folder, its manifest checked against the schema; runs and loads nothing."""
    path = folder / NAME
    if not folder.is_dir() or not path.is_file():
        why = f"it has no {NAME}" if folder.exists() else "there is no such folder"
        raise UsageError(f"{folder} is not a bundle: {why}; give the folder that mlpack build wrote")
    with path.open("rb") as file:
        raw = file.read(MOST_BYTES + 1)
    manifest = Manifest.decode(raw)
    try:
        check_manifest(manifest.facts, [entry.path for entry in manifest.files], manifest.format)
    except Fault as fault:
        raise DamagedError(f"{NAME} is not the manifest of a bundle: {fault}") from fault
    return Bundle(folder, manifest, raw)


def check_files(bundle: Bundle) -> tuple[str, ...]:
    """Checks all files and returns those that others have added to the evidence.

    Raises a `DamagedError` that names every changed, missing or extra file. Reads no file that is not listed or has
    another size.
    """
    layout = bundle.layout
    listed = {**{e.path: e for e in bundle.manifest.files}, **bundle.evidence}
    found = set(paths_below(bundle.place)) - {NAME, layout.list}
    known = listed.keys() | {f"{parent}/" for path in (*listed, layout.list) for parent in _parents(path)}
    added = {path for path in found - known if layout.is_open and path.startswith(layout.evidence)}
    faults = {
        "changed": sorted(path for path in listed.keys() & found if not _same(bundle, listed[path])),
        "missing": sorted(listed.keys() - found),
        "extra": sorted(found - known - added),
    }
    named = [f"{kind}: {', '.join(paths)}" for kind, paths in faults.items() if paths]
    if named:
        raise DamagedError(f"the bundle {bundle.place.name} is not as it was built; " + "; ".join(named), **faults)
    return tuple(sorted(path for path in added if not path.endswith("/")))


def _parents(path: str) -> Iterator[str]:
    parts = path.split("/")
    return ("/".join(parts[:i]) for i in range(1, len(parts)))


def _same(bundle: Bundle, entry: Entry) -> bool:
    with (bundle.place / entry.path).open("rb") as file:
        status = os.fstat(file.fileno())
        if status.st_size != entry.size:
            return False
        known = bundle._held_as.get(entry.path) == _state(status)
        same = known or hashlib.file_digest(file, "sha256").hexdigest() == entry.sha256
    if same:
        bundle._remember(entry, _state(status))
    return same


def _state(status: os.stat_result) -> tuple[int, ...]:
    """The state of a file, which changes when it is written to or replaced."""
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
