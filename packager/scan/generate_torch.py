"""Writes the lists of torch from an interpreter that has torch and torchvision:
`python -m mlpack_toolkit.packager.scan.generate_torch`.

The rules are those of `generate`. Listed are torch's own layers and torchvision's models and operators: classes whose
state is data, and whose methods compute with tensors. Left out on purpose:

* layers without weights (`Lazy...`), which make them from whatever they are first called with;
* graphs as modules (`torch.fx.GraphModule`), whose state is source text that runs;
* quantised and compiled modules, whose state is a native object (`torch.ScriptObject`);
* `torch.storage._load_from_bytes`, `torch.load`, `torch.jit`, `torch.hub`: they load another file;
* tensors of the user's own subclasses (`_rebuild_from_type_v2`), which call a function of the file's choosing.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mlpack_toolkit.converters._trust.tensors import ELEMENTS, ROLES

_PLACES = ("torch.nn.modules", "torchvision.models", "torchvision.ops")
_HELPERS = "torchvision.models.detection._utils"
"""Plain classes that the detectors hold."""
_FUNCTIONS = (
    "celu elu gelu glu hardsigmoid hardswish hardtanh leaky_relu logsigmoid mish relu relu6 rrelu selu sigmoid silu "
    "softplus softsign tanh tanhshrink"
)
"""Activations, tensor in and tensor out."""
_HELD = ("torchvision.ops.boxes.box_iou", "torchvision.models.optical_flow.raft._pass_through_h")
"""Functions that torchvision's models hold."""


def main() -> None:
    """Writes the lists."""
    classes = {f"{cls.__module__}.{cls.__name__}": cls for cls in _classes()}
    _write("allowed_torch.txt", {*classes, *ELEMENTS, *ROLES})
    _write("referred_torch.txt", {*_activations(), *_values()})
    _write("methods_torch.txt", set(_methods(classes)))


def _write(file: str, names: set[str]) -> None:
    Path(__file__).with_name(file).write_text("\n".join(sorted(names)) + "\n", "utf-8")


def _classes() -> Iterator[type]:
    for module in _modules():
        for name, value in sorted(vars(module).items()):
            here = inspect.isclass(value) and value.__module__ == module.__name__ and value.__name__ == name
            if here and (_is_layer(value) or module.__name__ == _HELPERS):
                yield value


def _is_layer(cls: type) -> bool:
    from torch import fx, nn

    return issubclass(cls, nn.Module) and not issubclass(cls, fx.GraphModule) and "Lazy" not in cls.__name__


def _modules() -> Iterator[Any]:
    for place in _PLACES:
        package = importlib.import_module(place)
        yield package
        for found in pkgutil.walk_packages(package.__path__, f"{place}."):
            if not found.name.startswith("torchvision.models.quantization"):
                yield importlib.import_module(found.name)


def _activations() -> Iterator[str]:
    """Functions under the paths by which a pickle names them."""
    import torch

    yield from _HELD
    for name in _FUNCTIONS.split():
        for path, holder in (("torch.nn.functional", torch.nn.functional), ("torch", torch)):
            function = getattr(holder, name, None)
            if function is not None:
                yield f"{path}.{name}"
                yield f"{function.__module__ or path}.{function.__name__}"


def _values() -> Iterator[str]:
    """Element types and memory layouts, which a module may hold."""
    import torch

    kinds = (torch.dtype, torch.layout, torch.memory_format)
    yield from (f"torch.{name}" for name, value in vars(torch).items() if isinstance(value, kinds))


def _methods(classes: dict[str, type]) -> Iterator[str]:
    """Names of the classes' methods, but for names that are data of another class."""
    own = ((cls, name) for cls in classes.values() for name in dir(cls))
    found = {name for cls, name in own if inspect.isroutine(inspect.getattr_static(cls, name))}
    data = {name for cls in classes.values() for name in _parameters(cls)}
    yield from (name for name in found - data if not name.startswith("__"))


def _parameters(cls: type) -> Iterator[str]:
    try:
        yield from inspect.signature(cls).parameters
    except (TypeError, ValueError):
        return


if __name__ == "__main__":
    main()
