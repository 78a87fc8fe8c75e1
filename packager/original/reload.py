"""The original model of a bundle, loaded again in a worker."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..bundle.reader import Bundle
from ..paths import models_folder
from .interpreter import check_interpreter
from .source import take_source
from .worker import Limits, Worker


@contextmanager
def original_worker(
    bundle: Bundle, python: str, allow: Sequence[str], rscript: str = ""
) -> Iterator[tuple[Worker, dict[str, Any], Path]]:
    """A worker that holds the bundle's model and signature, what it said of the model, and a scratch folder.

    `allow`: what the caller trusts besides; what the bundle says was allowed at its build counts for nothing. Modules
    in the bundle are the builder's word too: without the caller's own for some name, none of them is found.
    `rscript`: the program that runs R, of an R model.
    """
    check_interpreter(python)
    facts = bundle.manifest.facts
    with models_folder() as (name, scratch):
        held = bundle.held(name / "held", "model/source/", "model/code/", facts["source"]).place
        code = held / "model" / "code"
        copy = name / "source"  # outside of what the model may write in
        source = take_source(held / facts["source"], copy, allow)
        with Worker(python, scratch, Limits()) as worker:
            modules = [str(code.resolve())] if allow and code.is_dir() else []
            given = {**facts.get("given", {}), "rscript": rscript}
            loaded = worker.call("load", **source.request(), code=modules, given=given)
            worker.call("adopt", signature=facts["signature"])
            yield worker, loaded, scratch
