"""What each submodule answers: by hooks on a module of Python, by a run node by node of an exported program."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from .._worker.gathered import Gathered
from ..spec import Table
from .model import TorchModel, array, tensors
from .scripted import is_script


def gather(model: TorchModel, x: Table, found: Gathered) -> None:
    """Adds the answers of the submodules at the paths to `found`; none of TorchScript, which calls no hooks."""
    if model.program is not None:
        _of_program(model, x, found)
    elif not is_script(model.module):
        _of_module(model, x, found)


def _of_module(model: TorchModel, x: Table, found: Gathered) -> None:
    parts = dict(model.module.named_modules())
    handles = []
    try:
        for path in filter(parts.__contains__, found.paths):
            handles += [each.register_forward_hook(_listener(path, found)) for each in _called(parts[path])]
        model.answer(x)
    finally:
        for handle in handles:
            handle.remove()


def _called(part: Any) -> Iterator[Any]:
    """The module; in place of a list of modules, which is never called itself, those in it."""
    from torch import nn

    if isinstance(part, (nn.ModuleList, nn.ModuleDict)):
        for child in part.children():
            yield from _called(child)
    else:
        yield part


def _listener(path: str, found: Gathered) -> Callable[[Any, Any, Any], None]:
    def listen(_part: Any, _given: Any, answer: Any) -> None:
        _add(path, answer, found)

    return listen


def _add(path: str, answer: Any, found: Gathered) -> None:
    """The tensors of floats in an answer, copied: the next step may write in their memory."""
    import torch
    from torch.utils import _pytree as pytree

    for leaf in pytree.tree_leaves(answer):
        if isinstance(leaf, torch.Tensor) and leaf.is_floating_point() and leaf.layout is torch.strided:
            found.add(path, leaf.numel() * leaf.element_size(), partial(array, path, leaf))


def _of_program(model: TorchModel, x: Table, found: Gathered) -> None:
    """An answer of a submodule is the value of a node in it that a node outside of it reads."""
    import torch
    from torch.fx import Interpreter
    from torch.utils import _pytree as pytree

    program = Interpreter(model.module)
    run = program.run_node

    def listening(node: Any) -> Any:
        answer = run(node)
        for path in found.paths:
            if _is_in(node, path) and not all(_is_in(user, path) for user in node.users):
                _add(path, answer, found)
        return answer

    program.run_node = listening
    leaves = pytree.tree_leaves(model.call(tuple(x)).arguments(tensors(x)))
    with torch.no_grad():
        program.run(*leaves, enable_io_processing=False)


def _is_in(node: Any, path: str) -> bool:
    scopes = (node.meta.get("nn_module_stack") or {}).values()
    return node.op.startswith("call") and any(scope[0] == path for scope in scopes)
