"""The systems of the field in PyTorch through `mlpack build`, and torch's exporter as it comes beside it.

`MLPACK_TORCH_PYTHON=PYTHON python -m benchmarks.coverage_torch [--json] [--write] [--all] [--cases] [KEY ...]`;
`--write` puts the lines of what was run into docs/coverage-torch.md, in which the others stay. `--no-plain` runs
`mlpack build` alone; what the page has of the plain exporter stays.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ._process import MLPACK, ROOT, Failed, answer, interpreter, run
from ._show import table

PAGE = ROOT / "docs" / "coverage-torch.md"
CODE = ROOT / "tests" / "deep" / "systems"
CASES = ROOT / "tests" / "converters" / "torch" / "run_cases.py"
GIGABYTE = 1 << 30
REFUSED = {3: "refused", 4: "refused", 5: "stopped, the numbers differ"}
"""By exit code of `mlpack build`."""
EMPTY = "-"
LONGEST_CELL = 160
SYSTEM, CASE = ("model", "mlpack"), ("small module", "mlpack")
"""The first columns of the two tables."""


def torch_python() -> str:
    """The interpreter that has torch; raises `SystemExit`."""
    return interpreter("MLPACK_TORCH_PYTHON", "of requirements-deep.txt, which `make deep` makes")


def in_torch(*arguments: object) -> Any:
    """The answer of a command of `_in_torch`; raises `Failed`."""
    return answer([torch_python(), "-m", "benchmarks._in_torch", *map(str, arguments)])


def judge(system: Mapping[str, Any], rtol: float | None = None, beside: bool = True) -> dict[str, str]:
    """The line of one system: what became of it under `mlpack build`, and what the plain exporter gives.

    `beside`: whether the plain exporter is run, too.
    """
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        size = in_torch("make", system["key"], folder)["parameters"]
        line = {"model": system["name"], "mlpack": "right", **dict.fromkeys(_MEASURED, EMPTY)}
        bundle: Path | None = None
        try:
            used = run(build_command(system, folder, rtol), together=True)
        except Failed as failed:
            line["mlpack"] = f"{REFUSED.get(failed.code, f'fails (exit {failed.code})')}: {_said(failed.said, folder)}"
        else:
            bundle = folder / "dist" / "model-1.0.0"
            numbers = _numbers(bundle)
            memory = f"{used.together / GIGABYTE:.1f}"
            line |= {**numbers, "build s": f"{used.wall:.0f}", "CPU s": f"{used.cpu:.0f}", "peak GB": memory}
        plain = _NO_PLAIN if system["frame"] else _plain(system["key"], folder, bundle) if beside else {}
        return {**line, "parameters": f"{size / 1e6:,.1f} M", **plain}


_MEASURED = ("parameters", "probe rows", "largest error", "of tolerance", "faster", "build s", "CPU s", "peak GB")


def build_command(system: Mapping[str, Any], folder: Path, rtol: float | None = None) -> list[object]:
    """`mlpack build` of the weights and the example in the folder."""
    given = ["--rtol", str(rtol)] if rtol is not None else []
    if system["frame"]:
        files = [folder / "model.joblib", "--example", folder / "example.csv"]
    else:
        files = [folder / "model.pt", "--example", folder / "example.npz", "-O", f"torch.factory={system['key']}"]
        given += ["-O", f"torch.dynamic={system['dynamic']}"] if system["dynamic"] else []
    files += ["--code", CODE, "-o", folder / "dist"]
    return [*MLPACK, "build", *files, "--python", torch_python(), "--target", "docker", *given]


def _said(text: str, folder: Path) -> str:
    """The sentence of an error, without the folder that is gone by then."""
    text = text.replace(f"{folder}/", "")
    lines = [line for line in text.splitlines() if line.startswith("mlpack: ")]
    return (lines[-1] if lines else text.strip().splitlines()[-1]).removeprefix("mlpack: ").replace("|", "/")[:700]


def _numbers(bundle: Path) -> dict[str, str]:
    """What a bundle's own reports say."""
    report = json.loads((bundle / "reports" / "verification.json").read_text())
    latency = json.loads((bundle / "evidence" / "measurements" / "latency.json").read_text())
    errors = [error for by_output in report["probes"].values() for error in by_output.values()]
    example = report["probes"]["example"].values()
    graph, original = latency["graph"][0], latency["original"][0]
    return {
        "probe rows": f"{report['rows']}",
        "largest error": f"{max(e['max_abs'] for e in example):.1e}",
        "of tolerance": f"{max(e['share'] for e in errors):.0%} of rtol {_widest(report['tolerances']):.1e}",
        "faster": f"{original['p50_ms'] / graph['p50_ms']:.2f}",
    }


def _widest(tolerances: Mapping[str, Mapping[str, float]]) -> float:
    return max((each["rtol"] for each in tolerances.values()), default=0.0)


_NO_PLAIN = {"plain exporter": "takes no pipeline", "its s": EMPTY, "its GB": EMPTY}
_NOT_RUN = {"plain exporter": "not run", "its s": EMPTY, "its GB": EMPTY}


def _plain(key: str, folder: Path, bundle: Path | None) -> dict[str, str]:
    """What `torch.onnx.export(dynamo=True)` gives, compared at what a build tries, by the rules of the bundle."""
    graph = folder / "plain.onnx"
    command = [torch_python(), "-m", "benchmarks._in_torch", "export", key, graph]
    try:
        used = run(command, together=True)
    except Failed as failed:
        return {"plain exporter": f"no graph: {_last(failed.said)}", "its s": EMPTY, "its GB": EMPTY}
    took = {"its s": f"{used.wall:.0f}", "its GB": f"{used.together / GIGABYTE:.1f}"}
    try:
        found = in_torch("ask", key, graph, bundle or "")
    except Failed as failed:
        return {"plain exporter": f"fails: {_last(failed.said)}", **took}
    wrong = f"WRONG on {found['wrong']} of {found['asked']} batches, first {found['first']}"
    return {"plain exporter": wrong if found["wrong"] else f"right on {found['asked']} batches", **took}


def _last(text: str) -> str:
    """The sentence of an exception, else the last line."""
    text = re.sub(r"\x1b\[\d+m", "", text)  # colours
    lines = [line for line in text.strip().splitlines() if line.strip()] or [""]
    named = [line for line in lines if re.match(r"[\w.]*(Error|Exception|Node)\w*: \S", line)]
    return (named or lines)[-1].replace("|", "/")[:160]


def cases() -> Iterator[dict[str, str]]:
    """A line per small module: what the converter gives, and what the plain exporter gives."""
    ours, bare = ({each["case"]: each for each in _run_cases(*flag)} for flag in ((), ("--bare",)))
    for name, found in ours.items():
        why = str(found["why"]).partition(": ")[2] if found["outcome"] == "refused" else str(found["why"])
        plain = bare[name]
        yield {
            "small module": f"`{name}`",
            "mlpack": found["outcome"],
            "why": _cell(why),
            "plain exporter": _cell(f"{plain['outcome']}: {plain['why']}" if plain["why"] else plain["outcome"]),
        }


def _cell(text: str) -> str:
    """The text in one line of a table, without colours and temporary folders."""
    plain = re.sub(r"\x1b\[\d+m", "", text).replace("|", "/")
    return " ".join(re.sub(r"/tmp/\S*/", "", plain).split())[:LONGEST_CELL]


def _run_cases(*flags: str) -> list[dict[str, Any]]:
    done = subprocess.run([torch_python(), CASES, *flags], capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


_INTRODUCTION = """# Coverage of PyTorch

Written by `make deep`; do not edit. Whole architectures with random weights, from
[tests/deep/systems](../tests/deep/systems), each built with `mlpack build` (weights, `--code`, `-O torch.factory`) on a
batch of two rows, and beside it torch's own exporter as it comes (`torch.onnx.export(dynamo=True)`, the same free
axes), whose graph is compared with the module at the same kinds of batches, by the same rules, within the same
tolerance and noise. A line holds what was measured when it was written; a system without a line was not run.

*Largest error*: absolute, on the example. *Of tolerance*: the largest share over all probes, and the relative
tolerance that it is a share of. *Faster*: the original's median over the graph's at batch 1, one thread. *Build s*,
*CPU s*: the whole command by the clock (on a machine that others used) and in processor time; *peak GB*: all its
processes together. *Its s*, *its GB*: the plain export alone.

"""


def page(systems: Sequence[Mapping[str, str]], modules: Sequence[Mapping[str, str]]) -> str:
    """The page of these lines."""
    text = _INTRODUCTION + (table(systems) if systems else "")
    if not modules:
        return text
    counts = {name: sum(each["mlpack"] == name for each in modules) for name in ("right", "refused")}
    plain = sum(each["plain exporter"].startswith("right") for each in modules)
    said = f"{len(modules)} modules of a few lines: {counts['right']} right, {counts['refused']} refused with a reason"
    said = f"## Small modules where exporters go wrong\n\n{said}; the plain exporter: {plain} right."
    return f"{text}\n{said}\n\n{table(modules)}"


def rows_of(text: str, first: tuple[str, str]) -> list[dict[str, str]]:
    """The lines of the table of a page that begins with these columns."""
    columns: list[str] = []
    found = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.split(" | ")] if line.startswith("| ") else []
        cells = [cell.removeprefix("| ").removesuffix(" |").strip() for cell in cells]
        if tuple(cells[:2]) == first and not columns:
            columns = cells
        elif columns and not cells:
            break
        elif columns and cells[0] != "---":
            found.append(dict(zip(columns, cells, strict=True)))
    return found


def merged(old: Sequence[Mapping[str, str]], new: Sequence[Mapping[str, str]]) -> list[Mapping[str, str]]:
    """The old lines with the new ones in their places, and what is new at the end.

    A new line without some cells keeps those of the old one.
    """
    key = next(iter((new or old or [{"": ""}])[0]))
    latest = {line[key]: line for line in new}
    kept = [{**line, **latest.pop(line[key], {})} for line in old]
    return [*kept, *latest.values()]


def _put(systems: Sequence[Mapping[str, str]], modules: Sequence[Mapping[str, str]]) -> None:
    """Writes the lines into the page as it is now."""
    text = PAGE.read_text("utf-8") if PAGE.is_file() else ""
    lines = [{**line, **_NOT_RUN, **line} for line in merged(rows_of(text, SYSTEM), systems)]
    PAGE.write_text(page(lines, modules or rows_of(text, CASE)), "utf-8")


def _chosen(keys: Sequence[str], big: bool, cases_alone: bool) -> Iterator[Mapping[str, Any]]:
    for system in in_torch("list"):
        if system["key"] in keys or (not keys and not cases_alone and (big or not system["big"])):
            yield system


def main(arguments: Sequence[str] | None = None) -> None:
    """Judges and prints, a line as soon as it is known."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("keys", nargs="*", help="systems, as family:factory; all that are not big unless given")
    parser.add_argument("--all", action="store_true", help="also the big ones")
    parser.add_argument("--cases", action="store_true", help="the small modules; systems only with --all or by name")
    parser.add_argument("--rtol", type=float)
    parser.add_argument("--no-plain", action="store_true", help="leave out torch's own exporter")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--write", action="store_true", help="write docs/coverage-torch.md")
    given = parser.parse_args(arguments)
    systems = []
    for system in _chosen(given.keys, given.all, given.cases and not given.all):
        systems.append(judge(system, given.rtol, not given.no_plain))
        print(json.dumps(systems[-1]), file=sys.stderr, flush=True)
        if given.write:
            _put(systems[-1:], ())
    modules = list(cases()) if given.cases else []
    if given.write:
        _put((), modules)
    print(json.dumps({"benchmark": "coverage_torch", "rows": systems}) if given.json else page(systems, modules))


if __name__ == "__main__":
    main()
