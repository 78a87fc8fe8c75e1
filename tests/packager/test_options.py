"""Options of frameworks: each spelling gives the framework the same values; anything else is one sentence."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import mlpack_toolkit
from mlpack_toolkit import converters
from mlpack_toolkit.converters.plugin import (
    FILE,
    FLAG,
    FUNCTION,
    MODEL,
    NUMBER,
    PAIR,
    PROGRAM,
    Converter,
    Export,
    Option,
    Original,
    Source,
)
from mlpack_toolkit.converters.spec import Unreadable
from mlpack_toolkit.packager import declared
from mlpack_toolkit.packager.api import building
from mlpack_toolkit.packager.cli import cli
from mlpack_toolkit.packager.cli_options import _VALUES
from mlpack_toolkit.packager.commands import build as flow
from mlpack_toolkit.packager.commands.build import Request
from mlpack_toolkit.packager.errors import UsageError
from mlpack_toolkit.packager.options import again, from_tables, from_text, functions, kept, over, values
from mlpack_toolkit.packager.remarks import needless_options


def _no_odd(value: str) -> None:
    if value == "odd":
        raise Unreadable("odd is no word")


OPTIONS = (
    Option("word", "A word.", old_spelling="--word", check=_no_odd),
    Option("size", "A number.", kind=NUMBER, default=2.0),
    Option("loud", "Whether.", kind=FLAG),
    Option("file", "A file.", kind=FILE, key="lines", read=lambda path: {"lines": tuple(path.read_text().split())}),
    Option("tool", "A program.", kind=PROGRAM, scope="machine"),
    Option("pair", "A pair.", kind=PAIR, repeatable=True, old_spelling="--pair", key="pairs"),
    Option("tag", "Tags.", repeatable=True),
    Option("maker", "A function.", kind=FUNCTION),
)
ALL = {
    "word": "hi",
    "size": 0.5,
    "loud": True,
    "lines": {"lines": ["a", "b"]},
    "pairs": {"s": 0.01, "n.trees": 200.0, "kind": "x"},
    "tag": ["a", "b"],
}


@pytest.fixture
def nova(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A framework with an option of each kind, beside those that there are; a model, and a file that options name."""
    monkeypatch.setattr(declared, "declared", lambda: DECLARED)
    monkeypatch.setattr("mlpack_toolkit.packager.options.declared", lambda: DECLARED)
    monkeypatch.chdir(tmp_path)
    for name, text in (("m.joblib", "x"), ("x.csv", "x"), ("lines.txt", "a b")):
        (tmp_path / name).write_text(text)


DECLARED = {"nova": OPTIONS, "r": converters.load("r").source.options}


def asked(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Request:
    """The request that the command line leads to."""
    requests: list[Request] = []

    def build(request: Request, progress: Any) -> Any:
        requests.append(request)
        raise UsageError("asked")

    monkeypatch.setattr(flow, "build", build)
    # The thread of `guard` would outlive this test, and end pytest on the signal of a later one.
    monkeypatch.setattr("mlpack_toolkit.packager.running.guard", lambda say: None)
    with pytest.raises(SystemExit) as caught:
        cli.main(["build", "m.joblib", "--example", "x.csv", *arguments], standalone_mode=False)
    assert caught.value.code == 2
    if not requests:
        raise AssertionError("not asked")
    return requests[0]


def test_every_spelling_leads_to_the_same_values(nova: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    line = [
        "word=hi",
        "size=0.5",
        "loud=true",
        "file=lines.txt",
        "pair=s=0.01",
        "pair=n.trees=200",
        "pair=kind=x",
        "tag=a",
        "tag=b",
    ]
    new = asked(monkeypatch, *(part for each in line for part in ("-O", f"nova.{each}"))).options
    assert new == {"nova": ALL}
    pairs = ("--pair", "s=0.01", "--pair", "n.trees=200", "--pair=kind=x")
    others = ("-O", "nova.size=0.5", "--option", "nova.loud=TRUE", "-O", "nova.file=lines.txt", "-O", "nova.tag=a")
    assert asked(monkeypatch, "--word", "hi", *pairs, *others, "-O", "nova.tag=b").options == new
    table = {
        "word": "hi",
        "size": 0.5,
        "loud": True,
        "file": Path("lines.txt"),
        "pair": {"s": 0.01, "n.trees": 200, "kind": "x"},
        "tag": ["a", "b"],
    }
    assert values(from_tables({"nova": table}, "options")) == new


def test_a_function_is_named_with_its_module(nova: None) -> None:
    given = values([from_text("nova.maker=mine.nets:make")])
    assert given == {"nova": {"maker": "mine.nets:make"}} and functions(given) == ("mine.nets.make",)
    assert functions(values([from_text("nova.word=mine:make")])) == ()
    for odd in ("make", "mine:", ":make", "mine:make()", "mine:a.b", "mine nets:make"):
        with pytest.raises(UsageError, match="must be MODULE:FUNCTION"):
            values([from_text(f"nova.maker={odd}")])


def test_a_toml_file_has_them_too_and_the_command_line_wins(
    nova: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below/lines.txt").write_text("c")
    toml = '[build]\npair = ["s=1"]\n[options.nova]\nword = "file"\nsize = 3\nfile = "lines.txt"\ntag = ["a"]\n'
    (tmp_path / "below/mlpack.toml").write_text(toml)
    found = asked(monkeypatch, "--config", "below/mlpack.toml", "--word", "line", "-O", "nova.tag=z").options
    assert found == {
        "nova": {"word": "line", "size": 3.0, "lines": {"lines": ["c"]}, "pairs": {"s": 1.0}, "tag": ["z"]}
    }


def test_a_python_program_has_them_as_keywords(nova: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    made: list[Request] = []
    monkeypatch.setattr(building, "build_bundle", made.append)
    options = {"nova": {"size": 1, "pair": {"s": 2}}}
    mlpack_toolkit.build("m.joblib", "x.csv", options=options, word="hi", overwrite=True)
    assert made[0].options == {"nova": {"size": 1.0, "pairs": {"s": 2.0}, "word": "hi"}} and made[0].overwrite


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nova", "must be FRAMEWORK.OPTION=VALUE; there are: nova.word, .*r.object"),
        ("nova.wrod=1", "there is no option nova.wrod; there are: nova.word, nova.size"),
        ("super.word=1", "there is no option super.word; there are: nova.word"),
        ("nova.size=big", "must be a number"),
        ("nova.size=nan", "must be a number"),
        ("nova.loud=maybe", "must be true or false"),
        ("nova.file=none.txt", "there is no file none.txt"),
        ("nova.pair=s", "must be NAME=VALUE"),
        ("nova.pair=1s=2", "must be NAME=VALUE"),
        ("nova.word=odd", "odd is no word"),
    ],
)
def test_what_is_wrong_is_one_sentence(text: str, said: str, nova: None) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        values([from_text(text)])
    assert str(caught.value).startswith(f"-O {text}") and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        ([], "must hold a table of options"),
        ({"nova": 3}, "must hold a table of options"),
        ({"nova": {"word": 3}}, "options.nova.word must be a text, not 3"),
        ({"nova": {"size": True}}, "options.nova.size must be a number"),
        ({"nova": {"size": [1]}}, "options.nova.size must be a number"),
        ({"nova": {"loud": 1}}, "options.nova.loud must be true or false"),
        ({"nova": {"pair": {"s": []}}}, "options.nova.pair must be NAME=VALUE"),
        ({"nova": {"tag": [1]}}, "options.nova.tag must be a text"),
        ({"other": {"word": "x"}}, r"there is no option other\.word"),
    ],
)
def test_a_wrong_table_is_one_sentence(tables: Any, said: str, nova: None) -> None:
    with pytest.raises(UsageError, match=said):
        values(from_tables(tables, "options"))


def test_a_bundle_keeps_what_is_about_the_model_and_the_rest_is_said_again(nova: None) -> None:
    options = {"nova": {"word": "hi", "tool": "/bin/tool", "pairs": {"s": 1.0}}, "r": {"object": "fit"}}
    assert kept(options, "nova") == {"word": "hi", "pairs": {"s": 1.0}} and kept(options, "sklearn") == {}
    here = {"nova": {"tool": "/usr/bin/tool", "word": "other"}}
    recorded = {"word": "hi", "strange": 1, "tool": "/evil"}
    assert again("nova", recorded, here) == {"nova": {"word": "hi", "tool": "/usr/bin/tool"}}
    with pytest.raises(UsageError, match="one of `mlpack build` alone"):
        values([from_text("nova.word=x")], ("machine",))
    assert needless_options(options, "nova") == ("the options of r were not needed: the model is one of nova",)


def test_what_the_command_line_says_wins(nova: None) -> None:
    line, file = [from_text("nova.tag=a"), from_text("nova.tag=b")], [from_text("nova.tag=z"), from_text("nova.size=1")]
    assert values(over(line, file)) == {"nova": {"tag": ["a", "b"], "size": 1.0}}


def test_a_framework_gets_its_own_values_over_its_defaults() -> None:
    nothing: Any = None
    converter = Converter("nova", Source(options=OPTIONS), Original(nothing, nothing), Export(nothing))
    assert converters.given_to(converter, {"r": {"size": 1}}) == {"size": 2.0}
    assert converters.given_to(converter, {"nova": {"size": 1}}) == {"size": 1}


def test_all_that_declare_options_are_known_without_loading_the_rest() -> None:
    declaring = {name for name in converters.names() if converters.load(name).source.options}
    assert declaring == set(converters.with_options()) == {"caffe", "onnx", "r", "tensorflow", "torch", "transformers"}
    for name in declaring:
        names = [option.name for option in converters.load(name).source.options]
        assert len(set(names)) == len(names) and all(o.help for o in converters.load(name).source.options)


def test_a_file_that_no_bundle_can_keep_is_no_option() -> None:
    with pytest.raises(ValueError, match="which a bundle cannot keep"):
        Option("file", "A file.", kind=FILE, scope=MODEL)
    assert replace(OPTIONS[3], key="").kept_as == "file"


def test_a_relative_program_is_found_from_anywhere(nova: None, tmp_path: Path) -> None:
    assert values([from_text("nova.tool=bin/tool")]) == {"nova": {"tool": str(tmp_path / "bin/tool")}}
    assert values([from_text("nova.tool=tool")]) == {"nova": {"tool": "tool"}}


def test_help_lists_them_and_hides_the_older_spellings(nova: None, capsys: pytest.CaptureFixture[str]) -> None:
    for command, shown, hidden in (("build", "nova.word=TEXT", ""), ("bench", "nova.tool=PROGRAM", "nova.word")):
        with pytest.raises(SystemExit):
            cli.main([command, "--help"])
        text = capsys.readouterr().out
        assert shown in text and not (hidden and hidden in text)
        assert "  --object" not in text and "  --rscript" not in text
    assert {option.kind for option in OPTIONS} == set(_VALUES)
