"""What `load` gives: a module in eval mode, with the user's options."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from ..spec import Range, Table, Unreadable, Unsupported
from ._doubled import in_float64
from .call import Call, call_of_module, call_of_program, outputs_of
from .loading import require_new

MOST_DOUBLED = 1 << 28
"""Parameters of a module that is copied in float64: 2 GiB."""


@dataclass(frozen=True)
class TorchModel:
    """A module with the user's options. `program`: the `ExportedProgram` that it came from; None: a module of Python.

    `title`: the name of its class. `kept`: its copy in float64, once it is made;
    `recorded`: its program, by the promise on sizes. `free`: its free axes by input, where the model itself knows them.
    """

    module: Any
    given: Mapping[str, Any]
    title: str
    program: Any = None
    kept: list[TorchModel] = field(default_factory=list, compare=False, repr=False)
    recorded: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)
    free: Mapping[str, Mapping[int, Range]] | None = None

    def stored(self) -> Mapping[bytes, tuple[str, int, int]]:
        """Where the model's own files, which ship too, have the bytes of its tensors: none of a file of torch."""
        return {}

    def call(self, names: tuple[str, ...]) -> Call:
        """How tensors of these names become the arguments of `forward`."""
        return call_of_module(self.module, names) if self.program is None else call_of_program(self.program, names)

    def answer(self, x: Table) -> Any:
        """What `forward` returns for the tensors, as it is. The tensors are copies: a module may write in them."""
        import torch

        args, kwargs = self.call(tuple(x)).arguments(tensors(x))
        with torch.no_grad():
            return self.module(*args, **kwargs)

    def again(self, x: Table) -> Iterator[Table]:
        """The answer on two threads, and of a copy in float64 where the module has one."""
        import torch

        before = torch.get_num_threads()
        torch.set_num_threads(2 if before == 1 else 1)
        try:
            yield self.outputs(x)
        finally:
            torch.set_num_threads(before)
        if sum(each.numel() for each in self.module.parameters()) <= MOST_DOUBLED:
            with suppress(Exception):  # an operator may have no float64
                with in_float64():
                    doubled = self._double().outputs(_doubled(x))
                yield doubled

    def _double(self) -> TorchModel:
        if not self.kept:
            self.kept.append(replace(self, module=_double_of(self.module), kept=[]))
        return self.kept[0]

    def outputs(self, x: Table) -> Table:
        """The answer as arrays by output name."""
        return {name: array(name, value) for name, value in outputs_of(self.answer(x)).items()}


def _double_of(module: Any) -> Any:
    """A copy of the module in float64; its large tensors are never copied as they are."""
    import torch

    floats = [each for each in module.parameters() if type(each) is torch.nn.Parameter and each.is_floating_point()]
    wide = {id(each): torch.nn.Parameter(each.detach().double(), each.requires_grad) for each in floats}
    return copy.deepcopy(module, wide).double()


def _doubled(x: Table) -> Table:
    return {name: values.astype("float64") if values.dtype.kind == "f" else values for name, values in x.items()}


def tensors(x: Table) -> dict[str, Any]:
    """The arrays as tensors of their own memory."""
    import torch

    return {name: torch.from_numpy(values.copy()) for name, values in x.items()}


def array(name: str, value: Any) -> Any:
    """The tensor as an array, of bfloat16 as float32; raises `Unsupported` for one that no graph has."""
    import torch

    if value.is_complex():
        raise Unsupported(f"the output {name!r} is complex, which no graph gives: return torch.view_as_real of it")
    if value.layout is not torch.strided:
        raise Unsupported(f"the output {name!r} is a sparse tensor, which no graph gives: return its .to_dense()")
    plain = value.detach().cpu().resolve_conj().resolve_neg()
    return (plain.float() if plain.dtype is torch.bfloat16 else plain).numpy()


def wrapped(model: Any, given: Mapping[str, Any]) -> TorchModel:
    """The model of a loaded module or program, in eval mode on the CPU."""
    import torch

    require_new(torch.__version__)
    if isinstance(model, torch.export.ExportedProgram):
        return TorchModel(model.module(), given, _title_of(model), model)
    if not isinstance(model, torch.nn.Module):
        raise Unreadable(f"the file holds an object of {type(model).__name__}, not a torch.nn.Module: save the module")
    return TorchModel(model.to("cpu").eval(), given, type(model).__name__)


def _title_of(program: Any) -> str:
    return str(getattr(program.graph_module.meta.get("module"), "__name__", "") or "ExportedProgram")
