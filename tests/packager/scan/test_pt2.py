"""Exported programs of torch: all that `torch.export.load` would run, import or evaluate is refused before it does."""

from __future__ import annotations

import json
import pickle
import zipfile
from pathlib import Path
from typing import Any

import pytest

from mlpack_toolkit.packager.errors import ModelError, UntrustedError
from mlpack_toolkit.packager.scan import Scan, look, require_trusted, scan
from tests.conftest import Run

from . import torch_forge as forge
from .forge import G, call
from .torch_forge import META, PROGRAM, SIZE, SPEC, WEIGHT, changed, exported, saved, tensor

GRAPH = "graph_module/graph"
NODE = f"{GRAPH}/nodes/0"
CALLS = "graph_module/module_call_graph/0/signature"
EVIL = "__import__('os').system('true')"


def scanned(content: bytes, folder: Path, allow: tuple[str, ...] = ()) -> Scan:
    path = folder / "m.pt2"
    path.write_bytes(content)
    return scan(path, allow)


def sized(text: str) -> Any:
    return changed(PROGRAM, f"{GRAPH}/tensor_values/x/sizes/0", {"as_expr": {"expr_str": text, "hint": None}})


def spec(**node: Any) -> Any:
    plain = {"type": "builtins.dict", "context": "[]", "children_spec": []}
    return changed(PROGRAM, f"{CALLS}/in_spec", json.dumps([1, {**plain, **node}]))


def weight(place: str, value: Any) -> Any:
    return {"w": changed(WEIGHT, place, value)}


def constant(name: str) -> Any:
    return {"c": {**WEIGHT, "path_name": name}}


HUGE = [{"as_int": 10**12}, {"as_int": 1}]
SAMPLES = {
    "a function": call(G("os.system"), "true"),
    "a class of others": (forge.module(of=G("mine.Net")),),
    "a layer": (forge.module(),),
    "a partial": call(G("functools.partial"), G("os.system"), "true"),
    "another file": call(G("torch.storage._load_from_bytes"), b"x"),
}
REFUSED: dict[str, tuple[bytes, str]] = {
    "a weight as a pickle": (exported(weights=weight("use_pickle", True)), r"'w' as a pickle \(use_pickle\)"),
    "a flag of another type": (exported(weights=weight("use_pickle", 1)), "as a pickle"),
    "a constant as a pickle": (
        exported(constants={"c": {**WEIGHT, "path_name": "tensor_0", "use_pickle": True}}),
        "'c' as a pickle",
    ),
    "an opaque constant": (
        exported(constants=constant("opaque_obj_0"), members={"data/constants/opaque_obj_0": pickle.dumps(print)}),
        "object of a class outside of torch.*opaque_obj_0",
    ),
    "a custom constant": (
        exported(constants=constant("custom_obj_0"), members={"data/constants/custom_obj_0": b"PK"}),
        "object of a class outside of torch.*custom_obj_0",
    ),
    "an opaque constant of no file": (exported(constants=constant("opaque_obj_0")), "'c' in a file that is not"),
    "an object as an argument": (
        exported(changed(PROGRAM, f"{NODE}/inputs/0/arg", {"as_custom_obj": {"name": "o", "class_fqn": "a.B"}})),
        "object of a class outside of torch",
    ),
    "an object as an input": (
        exported(changed(PROGRAM, "graph_module/signature/input_specs/0", {"custom_obj": {"custom_obj_name": "o"}})),
        "object of a class outside of torch",
    ),
    "a library": (exported(members={"data/aotinductor/model/a.wrapper.so": b"\x7fELF"}), "compiled code"),
    "weights of the old kind": (exported(members={"data/weights/model.pt": saved([])}), "does not write: 'data/weigh"),
    "a second program": (exported(members={"models/other.json": b"{}"}), "does not write: 'models/other.json'"),
    "a size that runs": (exported(sized(EVIL)), "a size that is more than arithmetic: \"__import__"),
    "a size of a text": (exported(sized("Symbol('a(b)')")), "more than arithmetic"),
    "a size that unpickles": (exported(sized("sympify('x')")), "more than arithmetic"),
    "a size by an attribute": (exported(sized("s0.__class__.__mro__[1]")), "more than arithmetic"),
    "a size of much memory": (exported(sized("9**9**9**9")), "more than arithmetic"),
    "a size of much memory by name": (exported(sized("Pow(Pow(Integer(9), Integer(60)), Integer(64))")), "arithmetic"),
    "a size by a lambda": (exported(sized("(lambda: 1)()")), "more than arithmetic"),
    "a comparison that runs": (exported(sized(f"GreaterThan(Symbol('u0', integer=True), {EVIL})")), "more than arithm"),
    "a comparison by an attribute": (exported(sized("LessThan(Symbol('u0').func, Integer(2))")), "more than arithm"),
    "a comparison of other functions": (exported(sized("And(Symbol('u0'), Lambda(x, x)(2))")), "more than arithmetic"),
    "a comparison with arguments by name": (
        exported(sized("GreaterThan(Symbol('u0'), Integer(2), evaluate=print)")),
        "more than arithmetic",
    ),
    "a long size": (exported(sized("1+" * 20_000 + "1")), "a size of 40001 characters"),
    "a deep size": (exported(sized("(" * 300 + "1" + ")" * 300)), "more than arithmetic"),
    "a guard that runs": (exported(changed(PROGRAM, "guards_code", [EVIL])), "a guard that is more"),
    "a guard that ends its text": (
        exported(changed(PROGRAM, "guards_code", [f"L['a\"); {EVIL}; (\"']['b'] >= 1"])),
        "a guard that is more",
    ),
    "a guard of two lines": (exported(changed(PROGRAM, "guards_code", ["(1\n)"])), "a guard that is more"),
    "an operator of torch in a guard": (
        exported(changed(PROGRAM, "guards_code", ["_operator.lshift(1, 99999999999) > 1"])),
        "a guard that is more",
    ),
    "a range that is source": (exported(changed(PROGRAM, "range_constraints", {EVIL: {}})), "a size that is more"),
    "a method in a guard": (exported(changed(PROGRAM, "guards_code", ["L['x'].numpy() == 1"])), "a guard that is more"),
    "an imported enumeration": (
        exported(spec(context=json.dumps({"__enum__": True, "fqn": "os:environ", "name": "HOME"}))),
        "imports 'os:environ'",
    ),
    "a default that is called": (
        exported(
            spec(
                type="collections.defaultdict",
                context={"default_factory_module": "os", "default_factory_name": "abort", "dict_context": []},
            )
        ),
        r"calls os\.abort",
    ),
    "a structure of no type": (exported(spec(type="a b(c)")), "a structure of the type 'a b"),
    "a structure of no JSON": (exported(changed(PROGRAM, f"{CALLS}/out_spec", "[1, {")), "not what torch writes"),
    "a name that is source": (exported(changed(PROGRAM, f"{NODE}/name", f"a={EVIL}")), "a name that is no plain name"),
    "an input that is source": (
        exported(changed(PROGRAM, f"{GRAPH}/inputs/1", {"as_tensor": {"name": f"x={EVIL}"}})),
        "a name that is no plain name",
    ),
    "a parameter that is source": (
        exported(changed(PROGRAM, "graph_module/signature/input_specs/0/parameter/parameter_name", 'w"); x("')),
        "a parameter_name that is no plain name",
    ),
    "an argument that is source": (
        exported(changed(PROGRAM, f"{CALLS}/forward_arg_names", ["x=print()"])),
        "a parameter that is no plain name",
    ),
    "a weight whose name is source": (exported(weights={'w", print("': WEIGHT}), "a weight that is no plain name"),
    "a key that is source": (exported(changed(PROGRAM, f"{GRAPH}/tensor_values", {"x;y": META})), "a key that is no"),
    "a text of a new kind": (exported(changed(PROGRAM, "news", "import os")), "a news that is no plain name"),
    "an impossible number": (exported(changed(PROGRAM, f"{NODE}/inputs/0/kind", 1 << 70)), "an impossible number"),
    "10^12 rows of four numbers": (exported(weights=weight("tensor_meta/sizes", HUGE)), "its storage has 4"),
    "10^12 rows of none": (
        exported(weights=weight("tensor_meta/sizes", HUGE), members={"data/weights/weight_0": b""}),
        "its storage has 0",
    ),
    "10^12 rows of one": (
        exported(weights={"w": {**WEIGHT, "tensor_meta": {**META, "sizes": HUGE, "strides": [{"as_int": 0}] * 2}}}),
        "its storage has 4",
    ),
    "a negative size": (exported(weights=weight("tensor_meta/sizes/0", {"as_int": -2})), "not plain numbers"),
    "a size that is asked": (exported(weights=weight("tensor_meta/sizes/0", SIZE)), "not plain numbers"),
    "a stride beyond": (exported(weights=weight("tensor_meta/strides/0", {"as_int": 9})), "its storage has 4"),
    "an offset beyond": (exported(weights=weight("tensor_meta/storage_offset", {"as_int": 1})), "its storage has 4"),
    "a negative offset": (exported(weights=weight("tensor_meta/storage_offset", {"as_int": -1})), "not plain numbers"),
    "an unknown type": (exported(weights=weight("tensor_meta/dtype", 99)), "a type that does not fit"),
    "a weight elsewhere": (exported(weights=weight("path_name", "../models/model.json")), "in a file that is not"),
    **{f"the sample inputs: {name}": (exported(sample=saved(v)), "sample inputs") for name, v in SAMPLES.items()},
    "a pickle as the sample inputs": (exported(sample=pickle.dumps(((), {}))), "its zip archive is damaged"),
    "a tensor beyond in the sample inputs": (
        exported(sample=saved(((tensor((4, 4), (4, 1)),), {}))),
        "sample inputs in which it has a tensor of 4x4",
    ),
}  # fmt: skip
DAMAGED: dict[str, tuple[bytes, str]] = {
    "a name that leaves": (exported(members={"../../evil.json": b"{}"}), "leaves the archive"),
    "names alike": (exported(members={"MODELS/model.json": b"{}"}), "differ only in case"),
    "compressed": (forge.zipped({"archive_format": b"pt2"}, how=zipfile.ZIP_DEFLATED), "is compressed"),
    "a key twice": (exported(members={"models/model.json": b'{"a": 1, "a": 2}'}), "a key twice"),
    "no JSON": (exported(members={"models/model.json": b"{"}), "not readable JSON"),
    "deep JSON": (exported(members={"models/model.json": b"[" * 200_000}), "not readable JSON"),
    "no object": (exported([]), "schema version None"),
    "another schema": (exported(changed(PROGRAM, "schema_version/major", 9)), "schema version 9"),
    "a comment": (exported()[:-2] + b"\x05\0hello", "ends in a comment"),
    "something in front": (b"PK\x03\x04 something in front" + exported(), "between its files|damaged"),
    "no weights": (exported(weights=[]), "the list of its weights"),
    "an older file": (forge.zipped({"serialized_exported_program.json": b"{}"}), "a torch before 2.8"),
}


def test_a_plain_program_is_data_and_says_what_it_is(tmp_path: Path) -> None:
    found = scanned(exported(), tmp_path)
    assert found == Scan("pt2")
    require_trusted(found, tmp_path)
    told = look("pt2", tmp_path / "m.pt2")
    assert told["inputs"] == ["x: float32 [s77, 2]"] and told["outputs"] == ["matmul: float32 [s77, 2]"]
    assert told["ranges"] == ["s77: 1 to 64"] and told["operators"] == ["aten.matmul.default: 1"]


@pytest.mark.parametrize("name", REFUSED)
def test_what_loading_would_run_is_refused(name: str, tmp_path: Path) -> None:
    content, said = REFUSED[name]
    with pytest.raises(ModelError, match=said) as caught:
        require_trusted(scanned(content, tmp_path, ("os", "mine", "opaque")), tmp_path / "m.pt2")
    assert caught.value.exit_code == 3 and len(str(caught.value)) < 600


@pytest.mark.parametrize("name", DAMAGED)
def test_what_torch_does_not_write_is_a_clear_error(name: str, tmp_path: Path) -> None:
    content, said = DAMAGED[name]
    with pytest.raises(ModelError, match=said) as caught:
        scanned(content, tmp_path)
    assert not isinstance(caught.value, UntrustedError) and str(tmp_path / "m.pt2") in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "s0",
        "2*s0 + 1",
        "((s0 - 1)//16)**2",
        "Max(1, u0)",
        "Mul(Integer(2), Symbol('s77', positive=True, integer=True))",
        "Pow(Symbol('s1'), Integer(-1))",
        "FloorDiv(Symbol('s1'), Integer(8))",
        "ToFloat(s0)*Float('0.5', precision=53)",
        "Eq(s0, 2) & (s1 > 3)",
        "GreaterThan(Symbol('u0', integer=True), Integer(0))",
        "LessThan(Symbol('u1', integer=True), Integer(1000))",
        "And(StrictGreaterThan(Symbol('u0'), Integer(1)), Not(Equality(Symbol('u1'), Symbol('u0'))))",
        "Or(StrictLessThan(Symbol('u0'), Integer(9)), Unequality(Mod(Symbol('u0'), Integer(2)), Integer(0)))",
    ],
)
def test_arithmetic_with_sizes_is_taken(text: str, tmp_path: Path) -> None:
    assert not scanned(exported(sized(text)), tmp_path).forbidden


@pytest.mark.parametrize(
    "guard",
    [
        "L['x'].size()[0] >= 2",
        "Mod(L['d']['q'][0].size()[1], 8) == 0",
        "2 <= L['n']",
        "torch.sym_max(1, L['x'].size()[3] // 4) * 2 != 1",
    ],
)
def test_guards_on_sizes_are_taken(guard: str, tmp_path: Path) -> None:
    assert not scanned(exported(changed(PROGRAM, "guards_code", [guard])), tmp_path).forbidden


OPERATORS = {
    "torch.os.system": "torch.os.system",
    "torch.hub.load": "torch.hub.load",
    "torch.load": "torch.load",
    "torch._C._jit_eval": "torch._C._jit_eval",
    "_operator.methodcaller": "_operator.methodcaller",
    "torch.ops.aten.from_file.default": "torch.ops.aten.from_file",
    "torch.ops.load_library": "torch.ops.load_library",
    "torch.ops.mylib.scale.default": "torch.ops.mylib.scale",
    "torch.ops.higher_order.triton_kernel_wrapper_mutation": "torch.ops.higher_order.triton_kernel_wrapper_mutation",
}


@pytest.mark.parametrize("target", OPERATORS)
@pytest.mark.parametrize("place", [f"{NODE}/target", f"{NODE}/inputs/0/arg"])
def test_operators_of_others_need_to_be_allowed(place: str, target: str, tmp_path: Path) -> None:
    value = target if place.endswith("target") else {"as_operator": target}
    content = exported(changed(PROGRAM, place, value))
    found = scanned(content, tmp_path)
    assert found.refused == (OPERATORS[target],)
    with pytest.raises(UntrustedError, match=f"not trusted: {OPERATORS[target]}"):
        require_trusted(found, tmp_path)
    allowed = scanned(content, tmp_path, (OPERATORS[target],))
    assert (allowed.refused, allowed.own) == ((), (OPERATORS[target],))


def test_a_build_and_an_inspection_of_a_hostile_program(mlpack: Run, tmp_path: Path) -> None:
    (tmp_path / "m.pt2").write_bytes(REFUSED["a weight as a pickle"][0])
    (tmp_path / "x.json").write_text("[[1, 2]]")
    code, told, error = mlpack("build", "m.pt2", "--example", "x.json")
    assert (code, told["error"]["kind"]) == (3, "UntrustedError") and "use_pickle" in error
    code, told, _ = mlpack("inspect", "m.pt2")
    assert code == 0 and "use_pickle" in told["refused"] and "operators" not in told


def test_a_range_of_an_expression_is_taken(tmp_path: Path) -> None:
    ranges = {"2*s39": {"min_val": 0, "max_val": None}}
    assert not scanned(exported(changed(PROGRAM, "range_constraints", ranges)), tmp_path).forbidden


def test_the_structure_that_is_plain_stays_plain(tmp_path: Path) -> None:
    factory = {"default_factory_module": "builtins", "default_factory_name": "list", "dict_context": ["a"]}
    for program in (spec(type="collections.defaultdict", context=factory), changed(PROGRAM, f"{CALLS}/out_spec", SPEC)):
        assert not scanned(exported(program), tmp_path).forbidden
