"""Loaders that write down the names they would look up, and make stand-ins instead: what a scan is held against."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

from joblib.numpy_pickle import NumpyUnpickler
from joblib.numpy_pickle_utils import _validate_fileobject_and_memmap

Names = set[str]


def stub_class() -> type:
    """A class whose instances swallow whatever an unpickler does to them."""

    class Stub:
        def __new__(cls, *args: Any, **kwargs: Any) -> Any:
            return object.__new__(cls)

        def __init__(self, *args: Any, **kwargs: Any) -> None: ...

        def __setstate__(self, state: Any) -> None: ...

        def append(self, value: Any) -> None: ...

        def extend(self, values: Any) -> None: ...

        def add(self, value: Any) -> None: ...

        def __setitem__(self, key: Any, value: Any) -> None: ...

    return Stub


def record_stubbed(data: bytes, unpickler: Any = pickle._Unpickler) -> Names:
    """The names that loading looks up, up to where it fails; nothing is imported."""
    names: Names = set()

    class Recorder(unpickler):  # type: ignore[misc]
        def find_class(self, module: str, name: str) -> Any:
            names.add(modern(self, module, name))
            return stub_class()

    try:
        Recorder(io.BytesIO(data)).load()
    except Exception:
        return names
    return names


def modern(loader: Any, module: str, name: str) -> str:
    """The name as `find_class` would import it; C's unpickler hides its protocol, so there both are the caller's."""
    import _compat_pickle

    if getattr(loader, "proto", 5) < 3:
        module, name = _compat_pickle.NAME_MAPPING.get(
            (module, name), (_compat_pickle.IMPORT_MAPPING.get(module, module), name)
        )
    return f"{module}.{name}"


def record_pickle(data: bytes) -> tuple[Any, Names]:
    """The object, really loaded, and the names that loading looked up."""
    names: Names = set()

    class Recorder(pickle._Unpickler):  # type: ignore[name-defined,misc]
        def find_class(self, module: str, name: str) -> Any:
            names.add(modern(self, module, name))
            return super().find_class(module, name)

    return Recorder(io.BytesIO(data)).load(), names


def record_joblib(path: Path) -> tuple[Any, Names]:
    """The object, really loaded by joblib, and the names that loading looked up."""
    names: Names = set()

    class Recorder(NumpyUnpickler):
        def find_class(self, module: str, name: str) -> Any:
            names.add(modern(self, module, name))
            return super().find_class(module, name)

    with path.open("rb") as file, _validate_fileobject_and_memmap(file, str(path)) as (stream, _):
        return Recorder(str(path), stream, True).load(), names
