"""Loads pickles under the guard; the worker loads them no other way."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

from .guard import Guard, Trusted
from .rules import Refused
from .unpickler import guarded


def load_pickle(path: Path, trusted: Trusted) -> Any:
    """Loads the model of a pickle; raises `Refused`."""
    with path.open("rb") as file:
        loader = guarded(pickle._Unpickler)(file)
        loader.guard = Guard(trusted)
        model = loader.load()
    loader.guard.finish()
    return model


def load_joblib(path: Path, trusted: Trusted) -> Any:
    """Loads the model of joblib's own format, through joblib with a guarded unpickler in place of its own."""
    import joblib.numpy_pickle as joblib

    own, used = joblib.NumpyUnpickler, []
    checked = guarded(own)

    def watched(*args: Any, **options: Any) -> Any:
        loader = checked(*args, **options)
        loader.guard = Guard(trusted)
        used.append(loader)
        return loader

    joblib.NumpyUnpickler = watched
    try:
        model = joblib.load(str(path))
    finally:
        joblib.NumpyUnpickler = own
    if len(used) != 1:
        raise Refused("was read by joblib without the guard: use joblib 1.2 or later")
    used[0].guard.finish()
    return model
