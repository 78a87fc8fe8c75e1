"""A graph in ONNX Runtime, asked with columns: the server's own session, with the packager's errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlpack_toolkit.converters.graph_file import LARGE
from mlpack_toolkit.converters.spec import Scalar, Signature, Table
from mlpack_toolkit.converters.variant import ONNX
from mlpack_toolkit.runtimes.engine import engine as served
from mlpack_toolkit.runtimes.engine.agreement import check_agreement
from mlpack_toolkit.runtimes.engine.engine import NONE
from mlpack_toolkit.runtimes.engine.errors import Damaged, GraphStops, NoProvider
from mlpack_toolkit.runtimes.server.manifest import CPU, REFERENCE

from ..deadline import timed
from ..errors import DamagedError, MismatchError, MissingToolError

if TYPE_CHECKING:
    from ..bundle.reader import Bundle


class Session(served.Engine):
    """One loaded graph with its signature; inputs that the graph does not read are left out of it."""

    def __init__(
        self,
        model: bytes | Path,
        signature: Signature,
        threads: int = 0,
        provider: str = CPU,
        options: Mapping[str, Scalar] = NONE,
    ) -> None:
        try:
            super().__init__(model, signature, threads, provider, options)
        except NoProvider as error:
            raise MissingToolError(str(error)) from error
        except Damaged as error:
            raise DamagedError(str(error)) from error

    def run_feeds(self, feeds: dict[str, Any], outputs: Sequence[str] = ()) -> Table:
        """The outputs by name; `MismatchError` where the graph stops, which an original's answer never does."""
        if served.STOP.get() is None:
            with timed():
                return self._run_feeds(feeds, outputs)
        return self._run_feeds(feeds, outputs)

    def _run_feeds(self, feeds: dict[str, Any], outputs: Sequence[str]) -> Table:
        try:
            return super().run_feeds(feeds, outputs)
        except GraphStops as error:
            raise MismatchError(str(error)) from error

    def _load(self, source: bytes | str, options: Any, provider: tuple[str, dict[str, str]]) -> Any:
        with timed(loading=options):
            return super()._load(source, options, provider)


def session_of(bundle: Bundle, threads: int = 0, provider: str = "", variant: str = REFERENCE) -> Session:
    """The session of a variant, whose files were held against the manifest; `DamagedError` otherwise.

    A small graph is loaded from the very bytes that were checked, a large one from its files.
    `provider`: ONNX Runtime's name; empty: the variant's own, with its options.
    """
    found = bundle.variant(variant)
    if found.artifact.format != ONNX:
        raise MissingToolError(f"the variant {variant} is a file for {found.artifact.format}, not for ONNX Runtime")
    graph = bundle.checked(variant)
    whole = len(graph.files) == 1 and graph.size <= LARGE
    content = bundle.read(bundle.paths_of(variant)[0]) if whole else graph.path
    options = found.options if provider in ("", found.provider) else {}
    session = Session(content, found.signature, threads, provider or found.provider, options)
    try:
        check_agreement(session, found.signature)
    except Damaged as error:
        raise DamagedError(str(error)) from error
    return session
