"""Finds the functions and classes of a running program or notebook that a model uses, and writes them as a module.

A pickle names them `__main__.NAME`, which no other process can import.
"""

from __future__ import annotations

import ast
import dis
import inspect
import linecache
import pickle
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

from ..errors import UsageError

MAIN = "__main__"
MODULE = "notebook_code"
"""The module that the definitions become."""
PLAIN = (bool, int, float, complex, str, bytes, type(None))
MOST = 10_000
"""The most letters of a constant that is written into the module."""


class _Nothing:
    """A file that keeps nothing."""

    def write(self, content: bytes) -> int:
        return len(content)


class _Finder(pickle.Pickler):
    """Notes what a pickle would import from the program itself."""

    def __init__(self) -> None:
        super().__init__(_Nothing(), pickle.HIGHEST_PROTOCOL)
        self.found: dict[str, Any] = {}

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, (FunctionType, type)) and value.__module__ == MAIN:
            if not value.__qualname__.isidentifier():
                raise UsageError(
                    f"the model uses {value.__qualname__}, a function without a name of its own in this program: "
                    "write it as a def (or class) at the top level"
                )
            self.found[value.__qualname__] = value
        return NotImplemented


@dataclass(frozen=True)
class Definitions:
    """Functions and classes of the program itself, by name."""

    found: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, model: Any) -> Definitions:
        """Those that the model's pickle would import; none where the model cannot be pickled, which the pickle says."""
        finder = _Finder()
        try:
            finder.dump(model)
        except UsageError:
            raise
        except Exception:  # said where the model is saved
            return cls(finder.found)
        return cls(finder.found)

    def __bool__(self) -> bool:
        return bool(self.found)

    @property
    def said(self) -> str:
        """Their names, for a sentence."""
        return ", ".join(sorted(self.found))

    @contextmanager
    def importable(self, folder: Path) -> Iterator[tuple[Path, ...]]:
        """While this lasts a pickle names them as members of the module that is now in the folder."""
        if not self.found:
            yield ()
            return
        folder.mkdir()
        (folder / f"{MODULE}.py").write_text(source_of(self.found), "utf-8")
        module = ModuleType(MODULE)
        vars(module).update(self.found)
        before = sys.modules.get(MODULE)
        sys.modules[MODULE] = module
        try:
            for each in self.found.values():
                each.__module__ = MODULE
            yield (folder,)
        finally:
            for each in self.found.values():
                each.__module__ = MAIN
            if before is None:
                del sys.modules[MODULE]
            else:
                sys.modules[MODULE] = before


def source_of(found: dict[str, Any]) -> str:
    """The text of a module with the definitions and all that they use; `UsageError` for what no text can hold."""
    module = _Module()
    for name, value in found.items():
        module.add(name, value)
    return module.text


@dataclass
class _Module:
    """The parts of a module by the names that they define."""

    imports: dict[str, str] = field(default_factory=dict)
    constants: dict[str, str] = field(default_factory=dict)
    definitions: dict[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        parts = [*self.imports.values(), *self.constants.values(), *self.definitions.values()]
        return '"""Definitions of the program that built the bundle."""\n\n' + "\n\n".join(parts) + "\n"

    def add(self, name: str, value: Any) -> None:
        """Puts a definition after all that it uses."""
        if name in self.definitions:
            return
        self.definitions[name] = ""  # for two that use each other
        source, main = _source(name, value), vars(sys.modules[MAIN])
        for used in sorted(_names(compile(source, MODULE, "exec")) & set(main) - {name}):
            self._use(name, used, main[used])
        del self.definitions[name]
        self.definitions[name] = source

    def _use(self, user: str, name: str, value: Any) -> None:
        if isinstance(value, (FunctionType, type)) and value.__module__ == MAIN:
            self.add(name, value)
        elif (line := _import(name, value)) is not None:
            self.imports[name] = line
        else:
            self.constants[name] = _constant(user, name, value)


def _source(name: str, value: Any) -> str:
    try:
        text = _of_class(value) if isinstance(value, type) else inspect.getsource(value)
        return textwrap.dedent(text).rstrip() + "\n"
    except (OSError, TypeError, SyntaxError) as error:
        raise UsageError(
            f"Python does not know the source of {name}: move it into a module, and give its folder as code"
        ) from error


def _of_class(value: type) -> str:
    """The source of a class; in a notebook, where Python finds that of functions only, by the cell of its methods."""
    try:
        return inspect.getsource(value)
    except (OSError, TypeError):
        functions = (each for each in vars(value).values() if isinstance(each, FunctionType))
        for file in dict.fromkeys(each.__code__.co_filename for each in functions):
            text = "".join(linecache.getlines(file))
            for node in ast.parse(text).body:
                if isinstance(node, ast.ClassDef) and node.name == value.__name__:
                    first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
                    return "\n".join(text.splitlines()[first - 1 : node.end_lineno])
        raise


def _names(code: CodeType) -> set[str]:
    """The names that the code and the functions in it read from their module."""
    read = (each.argval for each in dis.get_instructions(code) if each.opname in ("LOAD_GLOBAL", "LOAD_NAME"))
    own = {name for name in read if not name.startswith("__")}  # a class reads `__name__` of its module
    return own.union(*(_names(each) for each in code.co_consts if isinstance(each, CodeType)))


def _import(name: str, value: Any) -> str | None:
    """The line that imports a value; None of one that no module has."""
    if isinstance(value, ModuleType):
        return f"import {value.__name__} as {name}"
    module, own = getattr(value, "__module__", None), getattr(value, "__qualname__", None) or name
    there = sys.modules.get(module) if isinstance(module, str) and module != MAIN else None
    if there is not None and own.isidentifier() and getattr(there, own, None) is value:
        return f"from {module} import {own} as {name}"
    return None


def _constant(user: str, name: str, value: Any) -> str:
    text = f"{name} = {value!r}"
    if not _is_plain(value) or len(text) > MOST:
        raise UsageError(
            f"{user} reads the variable {name}, a {type(value).__name__} of this program: give it as a parameter of "
            "the step, or move both into a module and give its folder as code"
        )
    return text


def _is_plain(value: Any) -> bool:
    """Whether Python reads the value back from its repr."""
    if type(value) in (list, tuple, set, frozenset):
        return all(map(_is_plain, value))
    if type(value) is dict:
        return all(map(_is_plain, (*value, *value.values())))
    return type(value) in PLAIN and value == value and value not in (float("inf"), float("-inf"))
