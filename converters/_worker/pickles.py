"""Loads pickled models under the guard, with the loader of their container; refuses another version of scikit-learn."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from .._trust.guard import Trusted
from .._trust.loading import load_joblib, load_pickle
from .._trust.rules import NO_MODEL, Refused
from .._trust.torch_loading import load_torch
from ..messages import Load
from ..spec import Unreadable


def unpickle(path: Path, request: Load) -> Any:
    """Loads the model of a pickle, joblib or skops file under the guard; raises `Unreadable` with the reason."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            model = LOADERS[request.kind](path, Trusted(request.names, request.own, request.referred))
        except Refused as refused:
            raise Unreadable(f"{path.name} {refused}. {NO_MODEL}") from refused
        except Exception as error:
            _blame_the_version(request.versions.get("scikit-learn"), error)
            raise
    for warning in caught:
        saved = getattr(warning.message, "original_sklearn_version", None)
        if saved is not None:
            raise Unreadable(_other_version(str(saved)))
    return model


def _blame_the_version(saved: str | None, error: Exception) -> None:
    """Raises `Unreadable` where another scikit-learn saved the model, which explains the error."""
    if saved is None:
        return
    try:
        import sklearn
    except ImportError:  # the missing package is the better message
        return
    if saved != sklearn.__version__:
        raise Unreadable(f"{_other_version(str(saved))} (here: {str(error).splitlines()[0]})") from error


def _other_version(saved: str) -> str:
    import sklearn

    return (
        f"the model was saved by scikit-learn {saved}, this interpreter has {sklearn.__version__}, which may read it "
        f"wrongly: give the interpreter that the model was trained with (--python PATH), or one that has "
        f"scikit-learn=={saved}"
    )


def _load_joblib(path: Path, trusted: Trusted) -> Any:
    import joblib

    if tuple(int(part) for part in joblib.__version__.split(".")[:2]) < (1, 2):
        raise Unreadable(f"joblib {joblib.__version__} does not read arrays as the scan does: use 1.2 or later")
    return load_joblib(path, trusted)


def _load_skops(path: Path, trusted: Trusted) -> Any:
    import skops.io

    return skops.io.load(path, trusted=[n for n in skops.io.get_untrusted_types(file=path) if n in trusted.names])


def _load_torch(path: Path, trusted: Trusted) -> Any:
    import torch

    loaded = load_torch(path, trusted)
    if not isinstance(loaded, torch.nn.Module):
        raise Unreadable(f"{path.name} holds a {type(loaded).__name__}, not a module: save the torch.nn.Module itself")
    return loaded


LOADERS = {"pickle": load_pickle, "joblib": _load_joblib, "skops": _load_skops, "torch": _load_torch}
