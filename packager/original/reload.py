"""The original model of a bundle, loaded again in a worker."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from mlpack_toolkit.converters.messages import Adopt, Loaded
from mlpack_toolkit.converters.plugin import Options

from ..bundle.reader import Bundle
from ..options import again, functions
from ..paths import models_folder
from .interpreter import check_interpreter
from .source import take_source
from .worker import Limits, Worker


@contextmanager
def original_worker(
    bundle: Bundle, python: str, allow: Sequence[str], options: Options | None = None
) -> Iterator[tuple[Worker, Loaded, Path]]:
    """A worker with the bundle's model and signature loaded, its reply to `Load`, and a scratch folder.

    `allow`: names that the caller trusts besides the allow-list; names that were allowed at the build are ignored. The
    bundle's own modules are importable only if `allow` has a name. `options`: the framework's options about this
    machine.
    """
    check_interpreter(python)
    model = bundle.source
    with models_folder() as (name, scratch):
        held = bundle.held(name / "held", "model/source/", "model/code/", model.path).place
        code = held / "model" / "code"
        copy = name / "source"  # the model cannot write there
        given = again(model.framework, model.given, options or {})
        source = take_source(held / model.path, copy, allow, functions=functions(given))
        with Worker(python, scratch, Limits()) as worker:
            modules = [str(code.resolve())] if allow and code.is_dir() else []
            loaded = worker.call(source.request(modules, given))
            worker.call(Adopt(bundle.signature))
            yield worker, loaded, scratch
