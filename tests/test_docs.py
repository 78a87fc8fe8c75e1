"""The documentation against the program: options, links, quoted code, commands that a reader may type."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from mlpack_toolkit import converters, runtimes
from mlpack_toolkit.packager import errors, scan
from mlpack_toolkit.packager.cli import cli
from mlpack_toolkit.packager.commands.build import Request, build
from mlpack_toolkit.packager.errors import MismatchError
from mlpack_toolkit.packager.scan import containers

ROOT = Path(__file__).parents[1]
OWN = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
PAGES = (*(ROOT / name for name in OWN), *sorted((ROOT / "docs").glob("*.md")))
NAMES = [path.relative_to(ROOT).as_posix() for path in PAGES]
LINK = re.compile(r"\]\(([^)\s]+)\)")
RUN = re.compile(r"<!-- run -->\n```console\n(.*?)```", re.DOTALL)


PROGRAM = re.compile(r"<!-- run -->\n```python\n(.*?)```.*?```text\n(.*?)```", re.DOTALL)


def _sections() -> dict[str, str]:
    """Each command's part of docs/cli.md."""
    parts = re.split(r"^## mlpack (\w+)$", (ROOT / "docs/cli.md").read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_every_command_has_its_section() -> None:
    assert set(_sections()) == set(cli.commands)


@pytest.mark.parametrize("name", sorted(cli.commands))
def test_the_section_lists_exactly_the_options(name: str) -> None:
    command = cli.commands[name]
    options = [p for p in command.params if isinstance(p, click.Option)]
    documented = [row.split("|", 2)[1] for row in _rows(_sections()[name]) if "`-" in row.split("|", 2)[1]]
    assert {o for cell in documented for o in re.findall(r"`(-{1,2}[\w-]+)", cell)} == {
        flag for o in options for flag in o.opts
    }
    for option in options:
        row = next(r for r in _rows(_sections()[name]) if f"`{option.opts[-1]}" in r)
        if isinstance(option.type, click.Choice):
            assert all(str(choice) in row for choice in option.type.choices)
        if option.show_default and option.default is not None:
            assert f"`{option.default}`" in row
    arguments = [p.make_metavar(click.Context(command)) for p in command.params if isinstance(p, click.Argument)]
    assert f"`mlpack {' '.join([name, '[OPTIONS]', *arguments])}`" in _sections()[name]


def _rows(section: str) -> list[str]:
    return [line.replace("\\|", "/") for line in section.splitlines() if line.startswith("| `")]


@pytest.mark.parametrize("page", NAMES)
def test_no_link_is_dead(page: str) -> None:
    for link in LINK.findall((ROOT / page).read_text()):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (ROOT / page).parent / path if path else ROOT / page
        assert target.exists(), f"{page} links to {link}"
        assert not anchor or anchor in _anchors(target), f"{page} links to {link}"


def _anchors(page: Path) -> set[str]:
    heads = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def test_every_page_is_linked_from_the_readme() -> None:
    linked = set(LINK.findall((ROOT / "README.md").read_text()))
    assert {name for name in NAMES if name != "README.md"} <= linked


def test_every_page_is_in_the_index() -> None:
    linked = {link.partition("#")[0] for link in LINK.findall((ROOT / "docs/index.md").read_text())}
    assert {path.name for path in (ROOT / "docs").glob("*.md")} - {"index.md"} <= linked


@pytest.mark.parametrize("page", ["README.md", "docs/ci.md"])
def test_every_exit_code_is_named(page: str) -> None:
    text = (ROOT / page).read_text()
    kinds = [k for k in vars(errors).values() if isinstance(k, type) and issubclass(k, errors.MlpackError)]
    for code in {k.exit_code for k in kinds} - {errors.MlpackError.exit_code}:
        assert f"\n| {code} | " in text


def test_the_targets_are_named() -> None:
    section = _sections()["build"]
    assert all(f"`{name}`" in section for name in runtimes.names())


def test_quoted_code_is_the_code() -> None:
    for page, source in (("converters", "converters/sklearn/scaling.py"), ("runtimes", "runtimes/java/__init__.py")):
        quoted = re.findall(r"```python\n(def .*?)```", (ROOT / f"docs/{page}.md").read_text(), re.DOTALL)
        assert quoted and all(block in (ROOT / source).read_text() for block in quoted)
    own = "".join(path.read_text() for path in sorted((ROOT / "examples/user-code/code").glob("*.py")))
    quoted = re.findall(r"```python\n(.*?)```", (ROOT / "docs/user-code.md").read_text(), re.DOTALL)
    assert len(quoted) == 3 and all(block in own for block in quoted)


def _sentences() -> list[str]:
    """Every text in the source, `…` for each value in it."""
    houses = (Path(errors.__file__).parent, Path(converters.__file__).parent, Path(runtimes.__file__).parent)
    trees = [ast.parse(path.read_text()) for house in houses for path in sorted(house.rglob("*.py"))]
    found = []
    for node in (node for tree in trees for node in ast.walk(tree)):
        if isinstance(node, ast.JoinedStr):
            found.append("".join(str(v.value) if isinstance(v, ast.Constant) else "…" for v in node.values))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.append(re.sub(r"{\w*}", "…", node.value))
    return found


def test_every_message_that_is_explained_is_in_the_source() -> None:
    text = (ROOT / "docs/troubleshooting.md").read_text()
    messages = re.findall(r"^### `(.+)`$", text, re.MULTILINE)
    assert len(messages) >= 30 and len(messages) == text.count("\n### ")
    patterns = {m: re.compile(".*".join(map(re.escape, m.split("…"))), re.DOTALL) for m in messages}
    sentences = _sentences()
    unknown = [m for m, pattern in patterns.items() if not any(pattern.fullmatch(s) for s in sentences)]
    assert not unknown, unknown


def test_the_allow_list_is_as_long_as_said() -> None:
    names = (ROOT / "packager/scan/allowed.txt").read_text().split()
    assert f"holds {len(names)} dotted names" in (ROOT / "docs/trust.md").read_text()


def _runnable() -> list[tuple[str, str]]:
    return [(name, block) for name in NAMES for block in RUN.findall((ROOT / name).read_text())]


def test_there_are_blocks_to_run() -> None:
    assert len(_runnable()) >= 3


@pytest.mark.parametrize(("page", "block"), _runnable(), ids=lambda v: v if v.endswith(".md") else "block")
def test_what_a_reader_types_gives_what_is_shown(page: str, block: str, penguins: Path, tmp_path: Path) -> None:
    """`…` stands for anything within a line; as a line of its own, for any lines."""
    shutil.copytree(penguins, tmp_path / "demo")
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    shell = {**os.environ, "PATH": f"{_commands(tmp_path)}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, shown = part.partition("\n")
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=tmp_path,
            env=shell,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
        )
        assert re.fullmatch(_pattern(shown), done.stdout), f"{page}: {command}\n{done.stdout}"


def test_the_identity_is_the_sum_of_the_manifest(penguins: Path, tmp_path: Path) -> None:
    """What docs/auditor.md shows: `verify` names it, `sha256sum` makes it, and the report holds it."""
    (block,) = RUN.findall((ROOT / "docs/auditor.md").read_text().partition("## Layout")[0])
    (tmp_path / "demo").symlink_to(penguins)
    shell = {**os.environ, "PATH": f"{_commands(tmp_path)}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    commands = [line[2:] for line in block.splitlines() if line.startswith("$ ")]
    said = [
        subprocess.run(
            ["bash", "-c", each], cwd=tmp_path, env=shell, capture_output=True, text=True, timeout=300
        ).stdout
        for each in commands
    ]
    sums = [re.findall(r"[0-9a-f]{64}", each) for each in said]
    assert len(sums) == 2 and len(sums[0]) == 1 and sums[0] == sums[1]
    report = (penguins / "dist/penguins-1.0.0/evidence/report.html").read_text()
    assert f"sha256:{sums[0][0]}" in report


def _pattern(shown: str) -> str:
    lines = ("(?:.*\n)*" if line == "…\n" else re.escape(line).replace("…", ".*") for line in shown.splitlines(True))
    return "".join(lines)


def _commands(folder: Path) -> Path:
    """A folder with `mlpack` and `python` as this interpreter has them."""
    place = folder / "commands"
    place.mkdir()
    for name, words in (("mlpack", "-m mlpack_toolkit "), ("python", "")):
        (place / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {words}"$@"\n')
        (place / name).chmod(0o755)
    return place


def _build_a_tariff(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *changes: tuple[str, str]) -> str:
    """The precision of the bundle that the page's converter makes, with these changes."""
    blocks = re.findall(r'```python\n(""".*?)```', (ROOT / "docs/converters.md").read_text(), re.DOTALL)
    code, scanner = blocks[:2]
    for old, new in changes:
        assert old in code
        code = code.replace(old, new)
    shutil.copytree(ROOT / "converters", tmp_path / "converters", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "converters/tariff.py").write_text(code)
    monkeypatch.setattr(converters, "__file__", str(tmp_path / "converters/__init__.py"))
    (tmp_path / "scanners").mkdir()
    (tmp_path / "scanners/tariff.py").write_text(scanner)
    monkeypatch.setattr(containers, "__path__", [*containers.__path__, str(tmp_path / "scanners")])
    monkeypatch.delitem(sys.modules, f"{containers.__name__}.tariff", raising=False)
    monkeypatch.setattr(scan, "scanners", containers.scanners.__wrapped__)
    tariff = {"column": "kwh", "limit": 100.3, "below": 0.31, "above": 0.27}
    (tmp_path / "night.tariff").write_text(json.dumps(tariff))
    (tmp_path / "kwh.csv").write_text("kwh\n" + "".join(f"{12.5 * i}\n" for i in range(40)))
    request = Request(tmp_path / "night.tariff", tmp_path / "kwh.csv", tmp_path / "dist", targets=())
    return str(build(request).verification.precision)


def test_the_converter_on_the_page_builds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _build_a_tariff(tmp_path, monkeypatch) == "float64"


def test_its_fault_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MismatchError) as caught:
        _build_a_tariff(tmp_path, monkeypatch, ("LessOrEqual", "Less"))
    assert any(row["inputs"]["kwh"] == 100.3 for row in caught.value.facts["worst"])


def test_it_is_missed_where_the_converter_tells_no_threshold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changes = (("LessOrEqual", "Less"), (', thresholds=(tariff["limit"],)', ""))
    assert _build_a_tariff(tmp_path, monkeypatch, *changes) == "float32"


PROGRAMS = [(path, *found) for path in NAMES for found in PROGRAM.findall((ROOT / path).read_text())]


@pytest.mark.slow
@pytest.mark.parametrize(("page", "program", "printed"), PROGRAMS, ids=[page for page, *_ in PROGRAMS])
def test_a_program_prints_what_is_shown(page: str, program: str, printed: str, tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    assert done.stdout == printed
