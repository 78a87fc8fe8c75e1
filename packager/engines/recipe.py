"""What an engine is made of: the plan from the user's options, and the same as a recipe in the manifest."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mlpack_toolkit.runtimes.engine.schema import (
    MOST_NAME,
    MOST_RANK,
    SHA256,
    Check,
    Fault,
    listing,
    mapping,
    one_of,
    record,
    text,
    whole,
)

from ..errors import DamagedError, UsageError

RTX, FULL = "rtx", "tensorrt"
FLOAT32, FP16 = "float32", "fp16"
FLAGS = ("SPARSE_WEIGHTS", "STRICT_NANS", "VERSION_COMPATIBLE")
"""Builder flags that a user may set. All others stay clear: TF32 above all, which would round float32."""
CAPABILITIES = ("sm86", "sm89", "sm120")
"""Those that TensorRT for RTX makes portable engines for, unless others are named."""
MEBIBYTE = 1 << 20
MOST_WORKSPACE = 1 << 20
"""MiB."""
KIND = "tensorrt"
"""The kind of variant whose recipe this is."""


@dataclass(frozen=True)
class Flavour:
    """One of the two TensorRTs. `is_portable`: it needs no card to make an engine, and makes it for several; the other
    measures on the card present."""

    title: str
    module: str
    provider: str
    install: str
    is_portable: bool


FLAVOURS = {
    RTX: Flavour(
        "TensorRT for RTX", "tensorrt_rtx", "NvTensorRTRTXExecutionProvider", "pip install tensorrt-rtx-cu13", True
    ),
    FULL: Flavour(
        "TensorRT",
        "tensorrt",
        "TensorrtExecutionProvider",
        "pip install tensorrt-cu13 (its libraries come from NVIDIA's own index)",
        False,
    ),
}
Sizes = Mapping[str, list[int]]


@dataclass(frozen=True)
class Plan:
    """How an engine is made.

    `profiles`: by input, `min`, `opt` and `max`, each a whole shape. `capabilities`: of the cards that it is made for;
    none: that of the card present. `flags`: sorted. `workspace`: bytes.
    """

    flavour: str
    precision: str
    profiles: Mapping[str, Sizes]
    capabilities: tuple[str, ...]
    flags: tuple[str, ...] = ()
    workspace: int = 1024 * MEBIBYTE

    def recipe(self, version: str, network: Iterable[str], timing_cache: str | None) -> dict[str, Any]:
        """The recipe. `version`: TensorRT's. `network`: digests of the ONNX files that were parsed. `timing_cache`: the
        digest of what decided between kernels; None: nothing was timed."""
        return {
            "flavour": self.flavour,
            "version": version,
            "precision": self.precision,
            "strongly_typed": True,
            "capabilities": list(self.capabilities),
            "profiles": {name: dict(sizes) for name, sizes in self.profiles.items()},
            "flags": list(self.flags),
            "workspace": self.workspace,
            "network": list(network),
            "timing_cache": timing_cache,
        }


_capability = text(8, r"sm[0-9]{2,3}", "like sm89")
_shape = listing(whole(0, 2**31 - 1), MOST_RANK)
_sizes = record({"min": _shape, "opt": _shape, "max": _shape}, closed=True)
_digest = text(64, SHA256, "a sha256 in hex")


def _is_true(value: Any, where: str) -> None:
    if value is not True:
        raise Fault(f"{where} must be true")


def _digest_or_null(value: Any, where: str) -> None:
    if value is not None:
        _digest(value, where)


FIELDS: Mapping[str, Check] = {
    "flavour": one_of(*FLAVOURS),
    "version": text(40, r"[0-9]+(\.[0-9a-z]+)*", "numbers with points"),
    "precision": one_of(FLOAT32, FP16),
    "strongly_typed": _is_true,
    "capabilities": listing(_capability, 16, 1),
    "profiles": mapping(_sizes, text(MOST_NAME)),
    "flags": listing(one_of(*FLAGS), len(FLAGS)),
    "workspace": whole(MEBIBYTE, MOST_WORKSPACE * MEBIBYTE),
    "network": listing(_digest, 10_000, 1),
    "timing_cache": _digest_or_null,
}
_recipe = record(FIELDS)


def plan_of(name: str, recipe: Mapping[str, Any]) -> Plan:
    """The plan in a recipe of a manifest; `DamagedError` for one that no mlpack has written."""
    try:
        _recipe(dict(recipe), f"variants[{name!r}].recipe")
        _check_order(f"variants[{name!r}].recipe", recipe)
    except Fault as fault:
        raise DamagedError(f"the variant {name} has no recipe of an engine: {fault}") from fault
    lists = (tuple(recipe["capabilities"]), tuple(recipe["flags"]))
    return Plan(recipe["flavour"], recipe["precision"], recipe["profiles"], *lists, recipe["workspace"])


def _check_order(where: str, recipe: Mapping[str, Any]) -> None:
    for each in ("capabilities", "flags"):
        if list(recipe[each]) != list(dict.fromkeys(recipe[each])):
            raise Fault(f"{where}.{each} names one twice")
    for name, sizes in recipe["profiles"].items():
        shapes = [sizes[key] for key in ("min", "opt", "max")]
        if len({len(shape) for shape in shapes}) > 1 or any(not a <= b <= c for a, b, c in zip(*shapes, strict=False)):
            raise Fault(f"{where}.profiles[{name!r}] must have min, opt and max of one rank, in that order")


def plan_from(options: Mapping[str, Any], profiles: Mapping[str, Sizes]) -> Plan:
    """The plan that the user's options make; raises `UsageError`."""
    check_options(options)
    flavour = options.get("flavour", RTX)
    capabilities = _listed(options.get("capabilities", "")) or (CAPABILITIES if flavour == RTX else ())
    flags = tuple(sorted(_listed(options.get("flags", ""))))
    workspace = int(options.get("workspace", 1024)) * MEBIBYTE
    return Plan(flavour, options.get("precision", FLOAT32), profiles, capabilities, flags, workspace)


def check_options(options: Mapping[str, Any]) -> None:
    """Raises `UsageError` for a value that no engine can be made with."""
    flavour = options.get("flavour", RTX)
    _one_of("flavour", flavour, FLAVOURS)
    _one_of("precision", options.get("precision", FLOAT32), (FLOAT32, FP16))
    capabilities = _listed(options.get("capabilities", ""))
    for each in capabilities:
        if not re.fullmatch(r"sm[0-9]{2,3}", each):
            raise UsageError(f"tensorrt.capabilities must be like sm86,sm89, and {each!r} is not one")
    if capabilities and flavour == FULL:
        raise UsageError("tensorrt.capabilities is for the flavour rtx: the other makes engines for the card present")
    for each in _listed(options.get("flags", "")):
        _one_of("flags", each, FLAGS)
    workspace = options.get("workspace", 1024)
    if not 1 <= workspace <= MOST_WORKSPACE or workspace != int(workspace):
        raise UsageError(f"tensorrt.workspace must be a whole number of MiB from 1 to {MOST_WORKSPACE}")
    for dim, sizes in options.get("profile", {}).items():
        sizes_in(dim, sizes)


def _one_of(name: str, value: Any, known: Iterable[str]) -> None:
    if value not in known:
        raise UsageError(f"tensorrt.{name} must be one of {', '.join(known)}, not {value!r}")


def _listed(value: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(each.strip() for each in str(value).split(",") if each.strip()))


def sizes_in(dim: str, value: Any) -> tuple[int, int, int]:
    """The least, the usual and the largest size in `1:8:64`, or in a number that is all three; raises `UsageError`."""
    whole_number = isinstance(value, float) and value == int(value)
    parts = str(int(value) if whole_number else value).split(":")
    numbers = [int(part) for part in parts if re.fullmatch(r"[0-9]{1,9}", part)]
    if len(numbers) != len(parts) or len(parts) not in (1, 3):
        raise UsageError(f"tensorrt.profile={dim}={value} must be {dim}=MIN:OPT:MAX, or {dim}=SIZE")
    least, usual, most = numbers * 3 if len(numbers) == 1 else numbers
    if not 1 <= least <= usual <= most:
        raise UsageError(f"tensorrt.profile={dim}={value}: the sizes must be 1 or more, in rising order")
    return least, usual, most
