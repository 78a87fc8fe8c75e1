"""TorchScript: the parameters of `forward`, and the program as a module that torch.export can record."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from ..spec import Unsupported


def is_script(module: Any) -> bool:
    """Whether torch loaded it from TorchScript."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(module, torch.jit.ScriptModule)


def parameters(module: Any) -> dict[str, Any]:
    """The parameters of a script's `forward` with their kinds."""
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return {each.name: kinds[each.kwarg_only] for each in module.forward.schema.arguments[1:]}


def as_module(script: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """A module of torch.fx that computes the same. Raises `Unsupported` with the way out."""
    from torch._export.converter import TS2EPConverter

    from ._capture import quiet

    try:
        with quiet():
            return TS2EPConverter(script, tuple(args), dict(kwargs)).convert().module()
    except Exception as error:
        first = next((text.strip() for text in str(error).splitlines() if text.strip()), type(error).__name__)
        raise Unsupported(
            f"torch cannot turn this TorchScript into a program of torch.export ({first}): load the module that it was "
            "made of in Python, and give that as torch.export.save or torch.save writes it"
        ) from error
