"""The card of this machine, as NVIDIA's driver describes it, and whether an engine fits it."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from mlpack_toolkit.converters.variant import Variant

from ..errors import DamagedError, MissingToolError
from .recipe import FLAVOURS, KIND, Plan, plan_of

DRIVER = "libcuda.so.1"
MAJOR, MINOR = 75, 76
"""CUDA's numbers for the two parts of the compute capability."""
LONGEST = 256


@dataclass(frozen=True)
class Card:
    """`capability`: like `sm89`."""

    name: str
    capability: str


def card() -> Card:
    """The first card that CUDA sees; raises `MissingToolError`."""
    try:
        cuda = ctypes.CDLL(DRIVER)
    except OSError:
        raise MissingToolError(
            "an engine of TensorRT needs a GPU, and this machine has no driver of NVIDIA's"
        ) from None
    device, name = ctypes.c_int(), ctypes.create_string_buffer(LONGEST)
    if cuda.cuInit(0) or cuda.cuDeviceGet(ctypes.byref(device), 0):
        raise MissingToolError("an engine of TensorRT needs a GPU, and NVIDIA's driver finds none here")
    cuda.cuDeviceGetName(name, LONGEST, device)
    parts = []
    for number in (MAJOR, MINOR):
        part = ctypes.c_int()
        cuda.cuDeviceGetAttribute(ctypes.byref(part), number, device)
        parts.append(part.value)
    return Card(name.value.decode("utf-8", "replace"), f"sm{parts[0]}{parts[1]}")


def check_opens(variant: Variant, provider: str) -> None:
    """Raises `MissingToolError` for a variant that is an engine, where this machine cannot open it, and `DamagedError`
    for one whose recipe no mlpack has written. To be called when its digest was checked, before it is opened."""
    if variant.recipe.get("kind") != KIND:
        return
    plan = plan_of(variant.name, variant.recipe)
    own = FLAVOURS[plan.flavour].provider
    if provider != own:
        raise MissingToolError(f"the variant {variant.name} is an engine, which {own} opens, not {provider}")
    check_fits(variant.name, plan, card())


@contextmanager
def opening(variant: Variant) -> Iterator[None]:
    """Turns the `DamagedError` of a session into a `MissingToolError` where the variant is an engine: its bytes are
    those of the manifest, so it is this machine's TensorRT that does not take it, which is tied to a version."""
    try:
        yield
    except DamagedError as error:
        if variant.recipe.get("kind") != KIND:
            raise
        plan = plan_of(variant.name, variant.recipe)
        title, version = FLAVOURS[plan.flavour].title, variant.recipe["version"]
        raise MissingToolError(
            f"the engine of the variant {variant.name} was made by {title} {version}, and cannot be opened here "
            f"({error}): {again(variant.name, plan)}"
        ) from error


def check_fits(variant: str, plan: Plan, present: Card) -> None:
    """Raises `MissingToolError` for an engine that was made for other cards, with the command that makes it again."""
    if present.capability in plan.capabilities:
        return
    made_for = ", ".join(plan.capabilities)
    raise MissingToolError(
        f"the engine of the variant {variant} was made for {made_for}, and this machine's {present.name} is "
        f"{present.capability}: {again(variant, plan, present.capability)}"
    )


def again(variant: str, plan: Plan, capability: str = "") -> str:
    """The command that makes the engine again from its recipe."""
    wanted = f" --capability {capability}" if capability and FLAVOURS[plan.flavour].is_portable else ""
    return f"`mlpack engine BUNDLE --variant {variant}{wanted} -o DIR` makes it again from its recipe"
