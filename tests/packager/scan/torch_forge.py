"""Files of torch written by hand, as `torch.save`, `torch.export.save` and safetensors write them, and as never."""

from __future__ import annotations

import copy
import io
import json
import struct
import zipfile
from collections.abc import Mapping
from typing import Any

from .forge import G, Op, Raw, build, call, new, setitem, written

LINEAR = G("torch.nn.modules.linear.Linear")
REBUILD = G("torch._utils._rebuild_tensor_v2")
ORDERED = G("collections.OrderedDict")


def zipped(members: Mapping[str, bytes], root: str = "m", how: int = zipfile.ZIP_STORED) -> bytes:
    """An archive as torch writes it: one folder, nothing compressed."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", how) as archive:
        for name, content in members.items():
            archive.writestr(f"{root}/{name}", content)
    return buffer.getvalue()


def storage(elements: int = 4, key: str = "0", kind: str = "torch.FloatStorage") -> Raw:
    """A storage by its persistent id."""
    pid = ("storage", G(kind), key, "cpu", elements)
    return Raw(written(pid, 2)[2:-1] + b"Q")


def tensor(
    size: Any = (2, 2), stride: Any = (2, 1), offset: Any = 0, of: Any = None, hooks: Any = None, *more: Any
) -> Op:
    """A tensor, as a pickle of torch makes it."""
    hooks = call(ORDERED) if hooks is None else hooks
    return call(REBUILD, storage() if of is None else of, offset, size, stride, False, hooks, *more)


def module(state: Any = None, of: G = LINEAR) -> Op:
    """A layer with this state."""
    plain = {"training": False, "_parameters": {"weight": tensor()}, "_modules": call(ORDERED)}
    return build(new(of), plain if state is None else state)


def state_dict(**tensors: Any) -> Any:
    """An ordered dict of these."""
    found: Any = call(ORDERED)
    for name, value in tensors.items():
        found = setitem(found, name, value)
    return found


def saved(value: Any, records: Mapping[str, bytes] | None = None, protocol: int = 2) -> bytes:
    """What `torch.save` writes of the value; four float32 as the storage 0, if nothing else is given."""
    data = {"data/0": bytes(16)} if records is None else records
    return zipped({"data.pkl": written(value, protocol), "byteorder": b"little", **data, "version": b"3\n"})


META = {
    "dtype": 7,
    "sizes": [{"as_int": 2}, {"as_int": 2}],
    "requires_grad": True,
    "device": {"type": "cpu", "index": None},
    "strides": [{"as_int": 2}, {"as_int": 1}],
    "storage_offset": {"as_int": 0},
    "layout": 7,
}
SIZE = {"as_expr": {"expr_str": "Symbol('s77', positive=True, integer=True)", "hint": {"as_int": 3}}}
SPEC = '[1, {"type": "builtins.tuple", "context": "null", "children_spec": []}]'
PROGRAM: dict[str, Any] = {
    "graph_module": {
        "graph": {
            "inputs": [{"as_tensor": {"name": "p_w"}}, {"as_tensor": {"name": "x"}}],
            "outputs": [{"as_tensor": {"name": "matmul"}}],
            "nodes": [
                {
                    "target": "torch.ops.aten.matmul.default",
                    "inputs": [
                        {"name": "self", "arg": {"as_tensor": {"name": "x"}}, "kind": 1},
                        {"name": "other", "arg": {"as_tensor": {"name": "p_w"}}, "kind": 1},
                    ],
                    "outputs": [{"as_tensor": {"name": "matmul"}}],
                    "metadata": {"stack_trace": 'File "a.py", line 1, in forward\n    return x @ w', "torch_fn": "m;n"},
                    "name": "matmul",
                }
            ],
            "tensor_values": {name: {**META, "sizes": [SIZE, {"as_int": 2}]} for name in ("x", "matmul")},
            "sym_int_values": {},
            "sym_bool_values": {},
            "custom_obj_values": {},
        },
        "signature": {
            "input_specs": [
                {"parameter": {"arg": {"name": "p_w"}, "parameter_name": "w"}},
                {"user_input": {"arg": {"as_tensor": {"name": "x"}}}},
            ],
            "output_specs": [{"user_output": {"arg": {"as_tensor": {"name": "matmul"}}}}],
        },
        "module_call_graph": [
            {"fqn": "", "signature": {"inputs": [], "outputs": [], "in_spec": SPEC, "out_spec": SPEC}},
        ],
        "metadata": {},
    },
    "opset_version": {"aten": 10},
    "range_constraints": {"s77": {"min_val": 1, "max_val": 64}},
    "schema_version": {"major": 8, "minor": 20},
    "verifiers": ["TRAINING"],
    "torch_version": "2.15.0+cu132",
    "guards_code": ["L['x'].size()[0] >= 1"],
}
WEIGHT = {"path_name": "weight_0", "is_param": True, "use_pickle": False, "tensor_meta": META}


def changed(plain: Any, place: str, value: Any) -> Any:
    """A copy with the value at that place: keys and indices with slashes between them."""
    made = copy.deepcopy(plain)
    *path, last = place.split("/")
    at = made
    for step in path:
        at = at[int(step) if isinstance(at, list) else step]
    at[int(last) if isinstance(at, list) else last] = value
    return made


def exported(
    program: Any = PROGRAM,
    weights: Any = None,
    constants: Any = None,
    sample: bytes | None = None,
    members: Mapping[str, bytes] | None = None,
) -> bytes:
    """What `torch.export.save` writes of a program with one weight; `members`: files besides or in place of them."""
    inputs = saved(((tensor(),), {})) if sample is None else sample
    plain = {
        "data/weights/weight_0": bytes(16),
        "data/weights/model_weights_config.json": _json({"config": {"w": WEIGHT} if weights is None else weights}),
        "data/constants/model_constants_config.json": _json({"config": constants or {}}),
        "models/model.json": _json(program),
        "data/sample_inputs/model.pt": inputs,
        "archive_format": b"pt2",
        "archive_version": b"0",
    }
    return zipped({**plain, **(members or {})})


def _json(plain: Any) -> bytes:
    return json.dumps(plain).encode()


def safetensors(header: Any, data: bytes = bytes(16), length: int | None = None) -> bytes:
    """A file of safetensors; `length`: what it says of its header's length."""
    raw = header if isinstance(header, bytes) else _json(header)
    return struct.pack("<Q", len(raw) if length is None else length) + raw + data
