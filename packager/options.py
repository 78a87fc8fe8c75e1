"""Finds the options that frameworks declare, checks their values and converts them, wherever the user wrote them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlpack_toolkit.converters.plugin import (
    FILE,
    FLAG,
    FUNCTION,
    MACHINE,
    MODEL,
    NUMBER,
    PAIR,
    PROGRAM,
    Option,
    Options,
)
from mlpack_toolkit.converters.spec import Unreadable

from .declared import declared, old_spellings
from .errors import UsageError
from .paths import program

_FUNCTION = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")
_FLAGS = {"true": True, "false": False}


@dataclass(frozen=True)
class Setting:
    """One option as the user wrote it: `raw`: a text of the command line, or a value from toml or Python.

    `where`: the user's spelling, for messages. `folder`: the base of relative paths.
    """

    framework: str
    option: Option
    raw: Any
    where: str
    folder: Path = Path()

    @property
    def key(self) -> tuple[str, str]:
        """The same value for all spellings of one option."""
        return self.framework, self.option.name


def from_text(text: str, where: str = "") -> Setting:
    """The option in `FRAMEWORK.NAME=VALUE`; `where`: an older spelling that the user wrote in its place."""
    dotted, equals, raw = text.partition("=")
    framework, _, name = dotted.partition(".")
    spelled = where or f"-O {text}"
    if not equals:
        raise UsageError(f"{spelled} must be FRAMEWORK.OPTION=VALUE; there are: {_known()}")
    return Setting(framework, _option(framework, name, spelled), raw, spelled)


def from_tables(tables: Any, where: str, folder: Path = Path()) -> tuple[Setting, ...]:
    """The options in tables by framework, from toml or Python."""
    if not isinstance(tables, Mapping) or not all(isinstance(table, Mapping) for table in tables.values()):
        raise UsageError(f"{where} must hold a table of options for each framework; there are: {_known()}")
    each = ((str(framework), str(name), raw) for framework, table in tables.items() for name, raw in table.items())
    return tuple(_in_table(*one, f"{where}.{one[0]}.{one[1]}", folder) for one in each)


def _in_table(framework: str, name: str, raw: Any, where: str, folder: Path) -> Setting:
    return Setting(framework, _option(framework, name, where), raw, where, folder)


def from_keywords(
    given: Mapping[str, Any], where: str, folder: Path = Path()
) -> tuple[tuple[Setting, ...], dict[str, Any]]:
    """The options in their older spellings, as keys without dashes, and the remaining keys."""
    older = {spelling.lstrip("-"): found for spelling, found in old_spellings().items()}
    settings = (Setting(*older[key], raw, f"{where}{key}", folder) for key, raw in given.items() if key in older)
    return tuple(settings), {key: raw for key, raw in given.items() if key not in older}


def _option(framework: str, name: str, where: str) -> Option:
    found = next((each for each in declared().get(framework, ()) if each.name == name), None)
    if found is None:
        raise UsageError(f"{where}: there is no option {framework}.{name}; there are: {_known(framework)}")
    return found


def _known(framework: str = "") -> str:
    """The options of the framework, of all where it has none."""
    those = {framework: declared()[framework]} if framework in declared() else declared()
    return ", ".join(f"{name}.{each.name}" for name, options in those.items() for each in options) or "none"


def values(settings: Sequence[Setting], scopes: Iterable[str] = ()) -> Options:
    """The values by framework and key; raises `UsageError`. `scopes`: the only ones that this command takes."""
    found: dict[str, dict[str, Any]] = {}
    for key in dict.fromkeys(each.key for each in settings):
        same = [each for each in settings if each.key == key]
        first = same[0]
        if scopes and first.option.scope not in set(scopes):
            raise UsageError(f"{first.where}: this option is one of `mlpack build` alone; leave it out")
        found.setdefault(first.framework, {})[first.option.kept_as] = _value(same)
    return found


def of_this_machine(spelled: Sequence[tuple[str, str]]) -> Options:
    """The values of options, for a command that runs the original of a bundle again."""
    return values([from_text(*each) for each in spelled], (MACHINE,))


def over(stronger: Sequence[Setting], weaker: Sequence[Setting]) -> tuple[Setting, ...]:
    """The stronger settings, and those weaker ones that they do not override."""
    known = {each.key for each in stronger}
    return (*stronger, *(each for each in weaker if each.key not in known))


def _value(same: Sequence[Setting]) -> Any:
    """The value of one option, which may be given several times if it is repeatable."""
    option, raws = same[0].option, [(each, raw) for each in same for raw in _each(each)]
    if option.kind == PAIR:
        return dict(pair for each, raw in raws for pair in _pairs(each, raw))
    typed = [_checked(each, _one(each, raw)) for each, raw in raws]
    return typed if option.repeatable else typed[-1]


def _each(setting: Setting) -> Sequence[Any]:
    many = setting.option.repeatable and isinstance(setting.raw, (list, tuple))
    return setting.raw if many else [setting.raw]


def _pairs(setting: Setting, raw: Any) -> Iterable[tuple[str, float | str]]:
    if isinstance(raw, Mapping):
        return [_pair(setting, str(name), value) for name, value in raw.items()]
    name, equals, value = str(raw).partition("=")
    return [_pair(setting, name if equals else "", value)]


def _pair(setting: Setting, name: str, value: Any) -> tuple[str, float | str]:
    if not name.replace(".", "_").isidentifier() or not isinstance(value, (str, int, float)):
        raise UsageError(f"{setting.where} must be NAME=VALUE, like s=0.01")
    try:
        number = float(value)
    except ValueError:
        return name, str(value)
    return name, number if math.isfinite(number) else str(value)


def _one(setting: Setting, raw: Any) -> Any:
    kind = setting.option.kind
    if kind == FLAG:
        return _flag(setting, raw)
    if kind == NUMBER:
        return _number(setting, raw)
    if not isinstance(raw, (str, Path)):
        raise UsageError(f"{setting.where} must be a text, not {raw!r}")
    if kind == FILE:
        return _file(setting, setting.folder / raw)
    if kind == FUNCTION and not _FUNCTION.fullmatch(str(raw)):
        raise UsageError(f"{setting.where} must be MODULE:FUNCTION of a module in --code")
    return program(str(raw)) if kind == PROGRAM else str(raw)


def _flag(setting: Setting, raw: Any) -> bool:
    found = raw if isinstance(raw, bool) else _FLAGS.get(str(raw).lower())
    if found is None:
        raise UsageError(f"{setting.where} must be true or false")
    return found


def _number(setting: Setting, raw: Any) -> float:
    try:
        found = math.nan if isinstance(raw, bool) else float(raw)
    except (TypeError, ValueError):
        found = math.nan
    if not math.isfinite(found):
        raise UsageError(f"{setting.where} must be a number")
    return found


def _file(setting: Setting, path: Path) -> Any:
    if not path.is_file():
        raise UsageError(f"{setting.where}: there is no file {path}")
    try:
        return str(path.absolute()) if setting.option.read is None else _plain(setting.option.read(path))
    except Unreadable as error:
        raise UsageError(f"{setting.where}: {error}") from error


def _plain(read: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    return {name: list(texts) for name, texts in read.items()}


def _checked(setting: Setting, value: Any) -> Any:
    try:
        if setting.option.check is not None:
            setting.option.check(value)
    except Unreadable as error:
        raise UsageError(f"{setting.where}: {error}") from error
    return value


def kept(options: Options, framework: str) -> dict[str, Any]:
    """The values that the bundle keeps: those of scope `MODEL`, of the model's framework."""
    about = {each.kept_as for each in declared().get(framework, ()) if each.scope == MODEL}
    return {key: value for key, value in options.get(framework, {}).items() if key in about}


def again(framework: str, recorded: Mapping[str, Any], given: Options) -> Options:
    """The options for running an original again: those in its bundle, and the user's of scope `MACHINE`."""
    here = {each.kept_as for each in declared().get(framework, ()) if each.scope == MACHINE}
    own = {key: value for key, value in given.get(framework, {}).items() if key in here}
    return {framework: {**kept({framework: recorded}, framework), **own}}


def functions(options: Options) -> tuple[str, ...]:
    """The functions that values of options name, dotted: the original calls them."""
    named = [
        str(given[each.kept_as])
        for framework, given in options.items()
        for each in declared().get(framework, ())
        if each.kind == FUNCTION and each.kept_as in given
    ]
    return tuple(sorted(name.replace(":", ".") for name in named))
