"""The model's own files, copied and checked: the file that was scanned is the file that is loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from mlpack_toolkit.converters.messages import Load
from mlpack_toolkit.converters.plugin import Options

from ..errors import ModelError
from ..scan import Scan, beside, require_own, require_trusted, scan, vouched
from ..travel import Owned, digested


@dataclass(frozen=True)
class Source:
    """Checked copies: the model first, then the files that it refers to. `digests`: those that are known."""

    files: tuple[Path, ...]
    found: Scan
    digests: Mapping[Path, Owned] = field(default_factory=dict)

    def relative(self) -> dict[str, Owned]:
        """The files by their path from the model's folder."""
        folder = self.files[0].parent
        return {file.relative_to(folder).as_posix(): self.digests.get(file) or Owned(file) for file in self.files}

    def request(self, code: Sequence[str] = (), options: Options | None = None) -> Load:
        """The request to load it. `code`: folders of the user's own modules; `options`: those of frameworks."""
        found = self.found
        return Load(
            model=str(self.files[0]),
            kind=found.kind,
            names=found.names,
            own=found.own,
            referred=found.referred,
            versions=found.versions,
            code=tuple(code),
            options=options or {},
        )


def take_source(
    model: Path, folder: Path, allow: Sequence[str], code: Sequence[Path] = (), functions: Sequence[str] = ()
) -> Source:
    """The model's files copied into `folder`; `ModelError` or `UntrustedError` where they must not be loaded.

    `allow`: names that the user trusts. `code`: folders whose own classes and functions the user vouches for.
    `functions`: what the framework's options name to be called, dotted.
    """
    folder.mkdir(parents=True)
    own = vouched(code)
    require_own(functions, allow, own)
    copy = _copied(model, folder)
    try:
        found = scan(copy.path, allow, own)
        require_trusted(found, copy.path)
        found = replace(found, names=(*found.names, *functions), own=(*found.own, *functions))
        copies = (copy, *_beside(model, copy.path, found.kind, folder))
    except ModelError as error:
        raise type(error)(str(error).replace(str(copy.path), str(model)), **error.facts) from error
    return Source(tuple(each.path for each in copies), found, {each.path: each for each in copies})


def _copied(path: Path, folder: Path) -> Owned:
    try:
        return digested(path, folder / path.name)
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}") from error


def _beside(model: Path, copy: Path, kind: str, folder: Path) -> tuple[Owned, ...]:
    """Copies of the files that the model refers to; they are in its folder."""
    copies = []
    for path in beside(kind, model):
        target = folder / path.relative_to(model.parent.resolve())
        target.parent.mkdir(parents=True, exist_ok=True)
        copies.append(digested(path, target))
    beside(kind, copy)
    return tuple(copies)
