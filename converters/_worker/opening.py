"""Finds the converter of a file and loads the model with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .. import for_container, for_object, given_to, messages, names
from .._steps.user_defined import advice, dotted
from ..plugin import Converter
from ..spec import Unsupported
from .pickles import LOADERS, unpickle
from .wrappers import held


def opened(path: Path, request: messages.Load) -> tuple[Converter, Any]:
    """The converter of the file, and the model, which holds the values of options that the converter needs."""
    pickled = request.kind in LOADERS
    loaded = unpickle(path, request) if pickled else None
    converter = for_container(request.kind, path) or (for_object(loaded) if pickled else None)
    if converter is None:
        raise Unsupported(_no_converter(loaded, path, pickled))
    source, given = converter.source, given_to(converter, request.options)
    if pickled:
        return converter, loaded if source.prepare is None else source.prepare(loaded, given)
    assert source.load is not None
    return converter, source.load(path, given)


def _no_converter(model: Any, path: Path, pickled: bool) -> str:
    what = dotted(type(model)) if pickled else f"the file {path.name}"
    if pickled and (said := held(model, for_object)):
        return said
    own = f". Of a class of your own: {advice(what)}" if pickled else ""
    return f"there is no converter for {what}; there are converters for: {', '.join(names())}{own}"
