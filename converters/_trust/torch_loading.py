"""Loads the archives of `torch.save` under the guard, storages included; torch's own unpickler has no part in it.

The archive is read by the parser that the scan used, and tensors are made by functions of ours, which put nothing into
a tensor but numbers.
"""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path
from typing import Any, Callable

from .guard import Guard, Name, Storage, Trusted
from .rules import Refused
from .tensors import DEVICE, ELEMENTS, PARAMETER, TENSOR, check_record, storage_of
from .unpickler import guarded, modern


def load_torch(path: Path, trusted: Trusted) -> Any:
    """Loads the object of the archive, tensors in the memory of this processor; raises `Refused`."""
    with zipfile.ZipFile(path) as archive:
        root = archive.namelist()[0].split("/")[0]
        records = _Storages(archive, f"{root}/data/")
        loader = _loader(records)(io.BytesIO(archive.read(f"{root}/data.pkl")))
        loader.guard = Guard(trusted)
        model = loader.load()
    loader.guard.finish()
    return model


class _Storages:
    """The storages of an archive, each read once."""

    def __init__(self, archive: zipfile.ZipFile, folder: str) -> None:
        self._archive, self._folder = archive, folder
        self._read: dict[str, Any] = {}

    def get(self, kind: str, key: str, elements: int) -> Storage:
        """Returns the storage; raises `Refused` where it has another size than it should."""
        import torch

        if key not in self._read:
            self._read[key] = self._bytes(key)
        raw = self._read[key]
        check_record(kind, elements, raw.nbytes() if raw is not None else None, key)
        return Storage(raw, getattr(torch, ELEMENTS[kind][0]), elements)

    def _bytes(self, key: str) -> Any:
        import torch

        try:
            member = self._archive.getinfo(f"{self._folder}{key}")
        except KeyError:
            return None
        memory = torch.empty(member.file_size, dtype=torch.uint8)
        with self._archive.open(member) as file:
            if file.readinto(memoryview(memory.numpy())) != member.file_size:  # type: ignore[attr-defined]
                raise Refused(f"has a storage {key} that ends too early")
        return memory.untyped_storage()


def _loader(records: _Storages) -> Any:
    """Returns an unpickler class that reads storages from these records."""
    base = guarded(pickle._Unpickler)

    class Loader(base):  # type: ignore[misc, valid-type]
        def find_class(self, module: str, name: str) -> Any:
            dotted = modern(getattr(self, "proto", 0), module, name)
            if self.guard.trusted.use(dotted) == "listed" and (dotted in _MADE or dotted in ELEMENTS):
                return Name(dotted, _MADE.get(dotted))
            return super().find_class(module, name)

        def persistent_load(self, pid: Any) -> Any:
            return records.get(*storage_of(pid, self.guard))

    return Loader


def _tensor(storage: Storage, offset: int, size: Any, stride: Any, grad: bool, hooks: Any, view: None = None) -> Any:
    import torch

    made = torch.empty(0, dtype=storage.dtype)
    return made.set_(storage.raw, offset, size, stride).requires_grad_(grad)


def _parameter(tensor: Any, grad: bool, hooks: Any) -> Any:
    import torch

    return torch.nn.Parameter(tensor, requires_grad=grad)


def _device(*args: Any) -> Any:
    """Returns the one device that a model is loaded to."""
    import torch

    return torch.device("cpu")


_MADE: dict[str, Callable[..., Any]] = {TENSOR: _tensor, PARAMETER: _parameter, DEVICE: _device}
