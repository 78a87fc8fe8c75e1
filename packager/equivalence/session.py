"""A graph in ONNX Runtime, asked with columns: the server's own engine, with the packager's errors and its clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from mlpack_toolkit.converters.spec import Scalar, Signature, Table
from mlpack_toolkit.converters.variant import ONNX, Variant
from mlpack_toolkit.runtimes.engine.agreement import check_agreement
from mlpack_toolkit.runtimes.engine.engine import STOP, Engine
from mlpack_toolkit.runtimes.engine.errors import Damaged
from mlpack_toolkit.runtimes.engine.tuning import Tuning
from mlpack_toolkit.runtimes.server.manifest import REFERENCE

from ..deadline import timed
from ..engines.card import check_opens, opening
from ..errors import DamagedError, MismatchError, MissingToolError
from ..kernels import library_of
from ..providers import of
from ..providers._plugin import registered

if TYPE_CHECKING:
    from ..bundle.reader import Bundle


class Session(Engine):
    """One loaded graph with its signature; inputs that the graph does not read are left out of it.

    Raises `MissingToolError` and `DamagedError`, and `MismatchError` where the graph stops, which an original's answer
    never does.
    """

    no_provider: ClassVar[type[Exception]] = MissingToolError
    damaged: ClassVar[type[Exception]] = DamagedError
    stops: ClassVar[type[Exception]] = MismatchError

    def run_feeds(self, feeds: dict[str, Any], outputs: Sequence[str] = ()) -> Table:
        """The outputs by name; `LateError` where they take too long."""
        if STOP.get() is None:
            with timed():
                return super().run_feeds(feeds, outputs)
        return super().run_feeds(feeds, outputs)

    def _load(self, source: bytes | str, options: Any, provider: tuple[str, dict[str, str]]) -> Any:
        with timed(loading=options):
            return super()._load(source, options, provider)


def agreeing(session: Session, signature: Signature) -> Session:
    """The session; `DamagedError` where its graph is not the one that the signature describes."""
    try:
        check_agreement(session, signature)
    except Damaged as error:
        raise DamagedError(str(error)) from error
    return session


def session_of(
    bundle: Bundle, threads: int = 0, provider: str = "", variant: str = REFERENCE, tuning: Tuning | None = None
) -> Session:
    """The session of a variant, whose files were held against the manifest; `DamagedError` otherwise.

    A small graph is loaded from the very bytes that were checked, a large one from its files.
    `provider`: ONNX Runtime's name; empty: the variant's own, with its options. `tuning`: in the place of `threads`.
    """
    found = bundle.variant(variant)
    if found.artifact.format != ONNX:
        raise MissingToolError(f"the variant {variant} is a file for {found.artifact.format}, not for ONNX Runtime")
    source, chosen = bundle.loadable(variant), provider or found.provider
    check_opens(found, chosen)
    _check_there(chosen)
    options, library = options_of(found, provider), library_of(found)
    with opening(found):
        session = Session(source, found.signature, threads, chosen, options, library, tuning)
    return agreeing(session, found.signature)


def _check_there(provider: str) -> None:
    """Raises `MissingToolError` where this ONNX Runtime lacks a provider, with the command that brings it."""
    import onnxruntime

    known = of(provider)
    if known is not None and known.plugin:
        registered(known)
    elif known is not None and provider not in onnxruntime.get_available_providers():
        raise MissingToolError(f"this ONNX Runtime has no {provider}: {known.mend}")


def options_of(variant: Variant, provider: str) -> Mapping[str, Scalar]:
    """The options of a session: the variant's own on its provider, else those that mlpack gives that provider."""
    if provider in ("", variant.provider):
        return variant.options
    known = of(provider)
    return known.options if known else {}
