"""Exported programs of torch (`.pt2`), read as JSON before anything loads them.

`torch.export.load` is no safe loader: it unpickles what the file says is a pickle, evaluates texts, looks operators up
by attribute, and opens compiled libraries. Every part of the file is checked here, or refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from mlpack_toolkit.converters._trust.rules import Refused
from mlpack_toolkit.converters._trust.tensors import DATA, check_strides

from ..errors import ModelError
from .allowlist import Trust
from .exported_texts import check_guard, check_name, check_path, check_size, check_structure, is_operator
from .torch_files import Records, nested
from .values import Fault

MODEL, SAMPLE = "models/model.json", "data/sample_inputs/model.pt"
WEIGHTS, CONSTANTS = "data/weights", "data/constants"
_CONFIGS = {
    WEIGHTS: f"{WEIGHTS}/model_weights_config.json",
    CONSTANTS: f"{CONSTANTS}/model_constants_config.json",
}
_KNOWN = re.compile(
    r"archive_format|archive_version|byteorder|version|\.format_version|\.storage_alignment|\.data/(version|serialization_id)"
    r"|models/model\.json|data/sample_inputs/model\.pt|extra/.*"
    r"|data/weights/(weight_\d+|model_weights_config\.json)|data/constants/(tensor_\d+|model_constants_config\.json)"
)
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 2, 7: 4, 8: 8, 9: 4, 10: 8, 11: 16, 12: 1, 13: 2}
_SIZES |= {28: 2, 29: 1, 30: 1, 31: 1, 32: 1, 33: 1, 34: 4, 35: 8}
"""Bytes of an element, by torch's number for its type."""
_MAJOR = 8
"""The schema's major version, of torch 2.8 and later."""
_FREE = "stack_trace nn_module_stack torch_fn from_node custom as_string as_strings torch_version"
"""Texts that stay texts."""
_OF_DYNAMIC = ("torch.Tensor", "torch._tensor._rebuild_from_type_v2")
"""How torch saves a tensor whose sizes are free, and loads it among data alone (`weights_only`)."""
_REFUSED = {
    "as_custom_obj": "holds an object of a class outside of torch as a constant",
    "custom_obj": "holds an object of a class outside of torch as a constant",
}


def check_program(records: Records, trust: Trust) -> set[tuple[str, str]]:
    """The operators that torch does not define, by module and name. Raises `Refused` for a part that would run code."""
    _check_members(records)
    for folder, config in _CONFIGS.items():
        _check_payloads(records, folder, records.json(config))
    _check_sample(records, trust)
    walk = _Walk()
    walk.value(_program(records), "")
    return walk.foreign


def program_of(records: Records) -> dict[str, Any]:
    """The program of a file that was checked."""
    return _program(records)


def _program(records: Records) -> dict[str, Any]:
    program = records.json(MODEL)
    version = program.get("schema_version", {}).get("major") if isinstance(program, dict) else None
    if version != _MAJOR:
        raise Fault(f"its program is of schema version {version}, and mlpack knows {_MAJOR}: export it with torch 2.10")
    found: dict[str, Any] = program
    return found


def _check_members(records: Records) -> None:
    for name in records.sizes:
        if name.startswith(("data/aotinductor", "data/executorch")) or name.endswith((".so", ".pyd", ".dll")):
            raise Refused(f"holds compiled code ({name}), which loading would run")
        if name.startswith((f"{CONSTANTS}/custom_obj", f"{CONSTANTS}/opaque_obj")):
            raise Refused(f"holds an object of a class outside of torch as a constant ({name})")
        if not _KNOWN.fullmatch(name):
            raise Refused(f"holds a part that torch.export.save does not write: {name[:80]!r}")


def _check_payloads(records: Records, folder: str, config: Any) -> None:
    """Raises `Refused` for a tensor that is a pickle, or that reaches beyond its record."""
    if not isinstance(config, dict) or not isinstance(config.get("config"), dict):
        raise Fault("the list of its weights is not what torch writes")
    for name, entry in config["config"].items():
        check_path(name, "weight")
        if not isinstance(entry, dict) or entry.get("use_pickle") is not False:
            raise Refused(f"keeps {name!r} as a pickle (use_pickle), which loading would run")
        size = records.sizes.get(f"{folder}/{entry.get('path_name')}")
        if size is None or not re.fullmatch(r"(weight|tensor)_\d+", entry["path_name"]):
            raise Refused(f"keeps {name!r} in a file that is not in the archive")
        _check_tensor(name, entry.get("tensor_meta"), size)


def _check_tensor(name: str, meta: Any, size: int) -> None:
    width = _SIZES.get(meta["dtype"]) if isinstance(meta, dict) else None
    if width is None or size % width:
        raise Refused(f"keeps {name!r} with a type that does not fit its bytes")
    plain = _plain_sizes(meta.get("sizes")), _plain_sizes(meta.get("strides"))
    offset = _plain_sizes([meta.get("storage_offset")])
    check_strides(size // width, offset[0] if offset else None, *plain)


def _plain_sizes(values: Any) -> tuple[Any, ...] | None:
    plain = isinstance(values, list) and all(isinstance(v, dict) and v.keys() == {"as_int"} for v in values)
    return tuple(v["as_int"] for v in values) if plain else None


def _check_sample(records: Records, trust: Trust) -> None:
    """Raises `Refused` for sample inputs that are more than tensors, numbers and texts: torch unpickles them."""
    if not records.sizes.get(SAMPLE):
        return
    trace = nested(records.read(SAMPLE), trust)
    if trace is None:
        raise Refused("has sample inputs that torch.save did not write")
    names = sorted(f"{module}.{name}" for module, name in trace.names)
    known = {*DATA, *_OF_DYNAMIC}
    foreign = [n for n in names if n not in known and trust.use(*n.rsplit(".", 1)) != "referred"]
    if foreign or trace.unresolved:
        raise Refused(f"has sample inputs that ask for {', '.join(foreign[:8]) or 'a name that only loading shows'}")
    if trace.forbidden:
        raise Refused(f"has sample inputs in which it {trace.forbidden}")


class _Walk:
    """Visits every text of the program; `foreign`: operators of others."""

    def __init__(self) -> None:
        self.foreign: set[tuple[str, str]] = set()

    def value(self, value: Any, key: str) -> None:
        """Checks a value that has this key."""
        if isinstance(value, dict):
            self._entries(value, key)
        elif isinstance(value, list):
            for each in value:
                self.value(each, key)
        elif isinstance(value, str):
            self._text(value, key)
        elif type(value) is int and abs(value) > 1 << 63:
            raise Refused(f"has an impossible number as {key!r}")

    def _entries(self, entries: Mapping[str, Any], key: str) -> None:
        for name, each in entries.items():
            if name in _REFUSED and each is not None:
                raise Refused(_REFUSED[name])
            (check_size if key == "range_constraints" else _check_key)(name)
            self.value(each, name)

    def _text(self, text: str, key: str) -> None:
        if key in _TEXTS:
            _TEXTS[key](text)
        elif key in ("target", "as_operator"):
            self._operator(text)
        elif key not in _FREE.split():
            check_path(text, key)

    def _operator(self, target: str) -> None:
        if is_operator(target):
            return
        check_path(target, "target")
        parts = target.split(".")
        own = parts[:4] if target.startswith("torch.ops.") else parts
        self.foreign.add((".".join(own[:-1]), own[-1]))


def _check_key(name: str) -> None:
    check_path(name, "key")


def _lookups(text: str) -> None:
    """Raises `Refused` for the source of a node that is more than names and dots."""
    if not re.fullmatch(r"[\w.,;<>' ]*", text):
        raise Refused(f"has a source of a node that is no name: {text[:80]!r}")


_TEXTS: dict[str, Callable[[str], None]] = {
    "name": lambda text: check_name(text, "name") if text else None,
    "as_name": lambda text: check_name(text, "name"),
    "forward_arg_names": lambda text: check_name(text, "parameter"),
    "field_names": lambda text: check_name(text, "field"),
    "expr_str": check_size,
    "guards_code": check_guard,
    "in_spec": check_structure,
    "out_spec": check_structure,
    "source_fn_stack": _lookups,
}


def require_new(records: Records, path: object) -> None:
    """Nothing. Raises `ModelError` for the format that torch.export wrote before version 2.8."""
    if MODEL not in records.sizes:
        raise ModelError(
            f"{path} is an exported program of a torch before 2.8, or holds several programs: load the one program "
            f"with torch.export.load, save it again with torch.export.save, and give that file."
        )
