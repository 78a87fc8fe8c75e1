"""Modules that `torch.save` wrote: a pickle with the tensors' numbers beside it, in a zip archive."""

from __future__ import annotations

from pathlib import Path

from ...errors import ModelError
from ..allowlist import Trust
from ..result import Scan
from ..scanner import Scanner
from ..torch_files import DICTS, PACKAGE, PICKLE, opened, unpickled
from ._traced import class_of, traced

_OLD = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19\x2e"
"""The number with which torch began its files before it wrote zip archives."""
_TAR = (b"sys_info\0", b"pickle\0", b"storages\0", b"tensors\0")
_AGAIN = "load it there with torch.load, save it again with torch.save, and give that file"


def sniff(path: Path, head: bytes) -> bool:
    """Whether it is a zip archive, or of a format that torch wrote before."""
    return head.startswith((b"PK", _OLD)) or _is_tar(head)


def _is_tar(head: bytes) -> bool:
    return head[257:262] == b"ustar" and head.startswith(_TAR)


def scan(path: Path, trust: Trust) -> Scan | None:
    """The names that the pickle asks for; None for another archive, and for one of tensors alone."""
    with path.open("rb") as file:
        head = file.read(512)
    if head.startswith(_OLD):
        raise ModelError(f"{path} is in the format that torch wrote before version 1.6: {_AGAIN}.")
    if _is_tar(head):
        raise ModelError(f"{path} is a tar archive of torch 0.1: {_AGAIN}.")
    with opened(path) as records:
        if records is not None and records.kind == PACKAGE:
            raise ModelError(
                f"{path} is an archive of torch.package, which runs its own source when it is loaded: load it where "
                f"you trust it, and save the module with torch.export.save, or with torch.save and --code."
            )
        if records is None or records.kind != PICKLE:
            return None
        trace, value = unpickled(records, trust)
    root = class_of(value)
    return None if root in DICTS else traced("torch", trace, root)


SCANNER = Scanner(
    name="torch",
    title="modules of torch.save",
    sniff=sniff,
    scan=scan,
)
