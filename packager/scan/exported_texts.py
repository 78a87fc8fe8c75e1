"""The texts in an exported program that torch evaluates, imports by, or writes into source that it runs.

`torch.export.load` hands sizes to sympy, which evaluates them; looks operators up attribute by attribute from the
module `torch`; imports modules that the structure of inputs names; and makes Python source of the graph's names and
guards. So each text has a small language of its own here, and everything else is refused.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable
from typing import Any

from mlpack_toolkit.converters._trust.rules import Refused

from .torch_files import once

LONGEST = 20_000
_NAME = re.compile(r"[^\W\d]\w*")
_PATH = re.compile(r"[\w.-]*")
_DOTTED = re.compile(r"[^\W\d]\w*(\.\w+)*")
_PLAIN = re.compile(r"[\w .,+\-*/%()<>=!&|~\[\]']*")
"""The characters of sizes and guards: nothing that ends a text, a line or a comment of the source that they become."""
_NAMESPACES = frozenset({"aten", "prim", "prims", "torchvision"})
_NO_OPERATORS = frozenset({"from_file", "save", "load", "_print", "print", "warn", "breakpoint"})
"""Operators of those namespaces that read or write files, or text."""
_HIGHER = (
    "cond while_loop scan map map_impl associative_scan wrap_with_set_grad_enabled wrap_with_autocast out_dtype "
    "auto_functionalized auto_functionalized_v2 flex_attention"
)
_OPERATOR = (
    "abs add and_ eq floordiv ge getitem gt iadd imul index isub le lshift lt matmul mod mul ne neg not_ or_ pos pow "
    "rshift sub truediv truth xor"
)
_MATH = "acos asin atan ceil cos cosh exp floor log log2 pow sin sinh sqrt tan tanh trunc"
_SIZES = (
    "Abs Add And CeilDiv CeilToInt CleanDiv Eq Equality Float FloatPow FloatTrueDiv FloorDiv FloorToInt Ge GreaterThan "
    "Gt Identity Integer IntTrueDiv IsNonOverlappingAndDenseIndicator Le LessThan Lt Max Min Mod ModularIndexing Mul "
    "Ne Not OpaqueUnaryFn_sqrt Or Piecewise Pow PowByNatural PythonMod Rational RoundDecimal RoundToInt "
    "StrictGreaterThan StrictLessThan Symbol ToFloat TruncToFloat TruncToInt Unequality Where "
    "float int max min sym_float sym_int"
)
"""Functions of sizes."""
_ASKED = frozenset({"size", "stride", "storage_offset", "item"})
"""What a guard may ask a tensor for."""
_LARGEST_POWER = 64
_FACTORIES = frozenset({"dict", "float", "int", "list", "set", "str", "tuple"})


def is_operator(target: str) -> bool:
    """Whether it names an operator of torch, or of Python on sizes, that computes."""
    first, *rest = target.split(".")
    if not _DOTTED.fullmatch(target):
        return False
    if first in ("_operator", "math"):
        return len(rest) == 1 and rest[0] in (_OPERATOR if first == "_operator" else _MATH).split()
    if target.startswith("torch.ops.") and len(rest) in (3, 4):
        space, name = rest[1], rest[2]
        return (
            name in _HIGHER.split() if space == "higher_order" else space in _NAMESPACES and name not in _NO_OPERATORS
        )
    return len(rest) == 1 and target.startswith(("torch.sym_", "torch._sym_"))


def _on_sizes(target: str) -> bool:
    """Whether it is a function of torch or of Python on sizes: `torch.sym_max`, `math.ceil`."""
    return is_operator(target) and target.startswith(("torch.sym_", "torch._sym_", "math."))


def check_name(text: str, what: str) -> None:
    """Raises `Refused` for a name that is no identifier: it becomes source."""
    if not _NAME.fullmatch(text):
        raise Refused(f"has a {what} that is no plain name: {text[:80]!r}")


def check_path(text: str, what: str) -> None:
    """Raises `Refused` for a name of a parameter or a module that has other characters than letters, digits, `.-_`."""
    if not _PATH.fullmatch(text):
        raise Refused(f"has a {what} that is no plain name: {text[:80]!r}")


def check_size(text: str) -> None:
    """Raises `Refused` for a size that is not arithmetic with symbols and numbers."""
    _check_expression(text, "size", lambda node: isinstance(node, ast.Name))


def check_guard(text: str) -> None:
    """Raises `Refused` for a guard that is not arithmetic with the sizes of inputs: `L['x'].size()[0] >= 2`."""
    _check_expression(text, "guard", lambda node: isinstance(node, ast.Name) or _asked(node))


def _asked(node: ast.AST) -> bool:
    """Whether it is an input, a part of one, or what a tensor is asked for."""
    if isinstance(node, ast.Subscript):
        key = node.slice
        plain = isinstance(key, ast.Constant) and bool(_PATH.fullmatch(str(key.value)))
        return plain and _asked(node.value)
    if isinstance(node, ast.Call):
        method = node.func
        return isinstance(method, ast.Attribute) and method.attr in _ASKED and not node.args and _asked(method.value)
    return isinstance(node, ast.Name)


def _check_expression(text: str, what: str, leaf: Callable[[ast.AST], bool]) -> None:
    if len(text) > LONGEST:
        raise Refused(f"has a {what} of {len(text)} characters")
    try:
        fits = bool(_PLAIN.fullmatch(text)) and _arithmetic(ast.parse(text, mode="eval").body, leaf)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        fits = False
    if not fits:
        raise Refused(f"has a {what} that is more than arithmetic: {text[:80]!r}")


def _arithmetic(node: ast.AST, leaf: Callable[[ast.AST], bool]) -> bool:
    if isinstance(node, ast.Constant):
        return type(node.value) in (int, float, bool)
    if isinstance(node, ast.BinOp):
        return _arithmetic(node.left, leaf) and _arithmetic(node.right, leaf) and _small_power(node)
    if isinstance(node, ast.UnaryOp):
        return _arithmetic(node.operand, leaf)
    if isinstance(node, (ast.BoolOp, ast.Tuple)):
        return all(_arithmetic(each, leaf) for each in (node.values if isinstance(node, ast.BoolOp) else node.elts))
    if isinstance(node, ast.Compare):
        return all(_arithmetic(each, leaf) for each in (node.left, *node.comparators))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return node.func.id in _SIZES.split() and _called(node.func.id, node, leaf)
    if isinstance(node, ast.Call) and _on_sizes(ast.unparse(node.func)):
        return not node.keywords and all(_arithmetic(each, leaf) for each in node.args)
    if isinstance(node, ast.Name) and node.id.startswith("__"):
        return False
    return leaf(node)


def _called(name: str, node: ast.Call, leaf: Callable[[ast.AST], bool]) -> bool:
    """Whether the arguments are arithmetic; symbols and numbers are made of a plain text and of yes and no."""
    flags = all(
        isinstance(each.value, ast.Constant) and type(each.value.value) in (bool, int) for each in node.keywords
    )
    if name in ("Symbol", "Float"):
        texts = [each.value for each in node.args if isinstance(each, ast.Constant)]
        return flags and len(texts) == len(node.args) == 1 and bool(_PATH.fullmatch(str(texts[0])))
    if name == "Pow":
        return len(node.args) == 2 and all(_arithmetic(each, leaf) for each in node.args) and _small(*node.args)
    return not node.keywords and all(_arithmetic(each, leaf) for each in node.args)


def _small_power(node: ast.BinOp) -> bool:
    """Whether it is no power, or one of a small number: others take all of the memory."""
    if isinstance(node.op, (ast.LShift, ast.MatMult)):
        return False
    return not isinstance(node.op, ast.Pow) or _small(node.left, node.right)


def _small(base: ast.AST, power: ast.AST) -> bool:
    named = power.args[0] if isinstance(power, ast.Call) and len(power.args) == 1 else power
    plain = named.operand if isinstance(named, ast.UnaryOp) else named
    small = isinstance(plain, ast.Constant) and abs(plain.value) <= _LARGEST_POWER  # type: ignore[arg-type]
    return small and not any(_is_power(each) for each in ast.walk(base))


def _is_power(node: ast.AST) -> bool:
    return isinstance(node, ast.Pow) or (isinstance(node, ast.Name) and node.id in ("Pow", "PowByNatural", "FloatPow"))


def check_structure(text: str) -> None:
    """Raises `Refused` for a structure of inputs or outputs that makes its loader import or call something."""
    try:
        plain = json.loads(text, object_pairs_hook=once) if text else None
        todo = [plain[1]] if plain else []
        while todo:
            node = todo.pop()
            if node["type"] is not None and not _DOTTED.fullmatch(node["type"]):
                raise Refused(f"has a structure of the type {node['type'][:80]!r}")
            _check_context(node["context"])
            todo.extend(node["children_spec"])
    except (ValueError, TypeError, KeyError, IndexError, RecursionError) as error:
        raise Refused("has a structure of inputs that is not what torch writes") from error


def _check_context(context: Any) -> None:
    """A context is a value, or one as JSON; a default's factory and a member of an enumeration are looked up by it."""
    value = (
        json.loads(context, object_pairs_hook=once) if isinstance(context, str) and context[:1] in '[{"' else context
    )
    todo = [value]
    while todo:
        part = todo.pop()
        if isinstance(part, list):
            todo.extend(part)
        elif isinstance(part, dict):
            _check_object(part)
            todo.extend(part.values())


def _check_object(part: dict[str, Any]) -> None:
    if "__enum__" in part:
        raise Refused(f"has a structure of inputs that imports {str(part.get('fqn'))[:80]!r}")
    if "default_factory_module" in part or "default_factory_name" in part:
        module, name = part.get("default_factory_module"), part.get("default_factory_name")
        if module != "builtins" or name not in _FACTORIES:
            raise Refused(f"has a structure of inputs that calls {module}.{name}"[:160])
