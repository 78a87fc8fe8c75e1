"""Which versions of packages, and which native libraries, the worker has loaded: numbers depend on them."""

from __future__ import annotations

import json
import sys
from typing import Any

from ..plugin import Converter


def versions(converter: Converter) -> dict[str, str]:
    """The versions of the packages that read, held and converted the model."""
    modules = (converter.name, *converter.source.packages, "numpy", "onnx", "skl2onnx")
    found = {m: getattr(sys.modules.get(m), "__version__", "") for m in modules}
    return {m: str(v) for m, v in sorted(found.items()) if v}


def libraries() -> list[dict[str, Any]]:
    """The loaded linear algebra and threading libraries; empty without threadpoolctl."""
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        return []
    told = [{k: v for k, v in each.items() if k != "filepath"} for each in threadpool_info()]
    told += [{"user_api": "simd", "internal_api": "numpy", "architecture": _instructions()}] if _instructions() else []
    return sorted(told, key=lambda each: json.dumps(each, sort_keys=True))


def _instructions() -> str:
    """The newest processor instructions that numpy uses; empty where it uses none, or is not loaded."""
    for name in ("numpy._core._multiarray_umath", "numpy.core._multiarray_umath"):
        inner = sys.modules.get(name)
        if inner is not None:
            known = getattr(inner, "__cpu_features__", {})
            return next((n for n in reversed(getattr(inner, "__cpu_dispatch__", ())) if known.get(n)), "")
    return ""
