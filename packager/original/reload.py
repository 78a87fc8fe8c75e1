"""The original model of a bundle, loaded again in a worker."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from mlpack_toolkit.converters.messages import Adopt, Loaded

from ..bundle.reader import Bundle
from ..options import again
from ..paths import models_folder
from ..request import Options
from .interpreter import check_interpreter
from .source import take_source
from .worker import Limits, Worker


@contextmanager
def original_worker(
    bundle: Bundle, python: str, allow: Sequence[str], options: Options | None = None
) -> Iterator[tuple[Worker, Loaded, Path]]:
    """A worker that holds the bundle's model and signature, what it said of the model, and a scratch folder.

    `allow`: what the caller trusts besides; what the bundle says was allowed at its build counts for nothing. Modules
    in the bundle are the builder's word too: without the caller's own for some name, none of them is found.
    `options`: what the caller says to the model's framework about this machine.
    """
    check_interpreter(python)
    model = bundle.source
    with models_folder() as (name, scratch):
        held = bundle.held(name / "held", "model/source/", "model/code/", model.path).place
        code = held / "model" / "code"
        copy = name / "source"  # outside of what the model may write in
        source = take_source(held / model.path, copy, allow)
        with Worker(python, scratch, Limits()) as worker:
            modules = [str(code.resolve())] if allow and code.is_dir() else []
            given = again(model.framework, model.given, options or {})
            loaded = worker.call(source.request(modules, given))
            worker.call(Adopt(bundle.signature))
            yield worker, loaded, scratch
