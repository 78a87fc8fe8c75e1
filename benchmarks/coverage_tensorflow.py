"""Models of Keras and TensorFlow through `mlpack build`, and tf2onnx as it comes beside it.

`MLPACK_TENSORFLOW_PYTHON=PYTHON python -m benchmarks.coverage_tensorflow [--write] [--cases] [KEY ...]`; `--write` puts
the lines of what was run into docs/coverage-tensorflow.md, in which the others stay.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ._process import MLPACK, ROOT, Failed, answer, interpreter, run
from ._show import table
from .coverage_torch import CASE, EMPTY, GIGABYTE, REFUSED, SYSTEM, _cell, _last, _numbers, _said, merged, rows_of

PAGE = ROOT / "docs" / "coverage-tensorflow.md"
SYSTEMS = ROOT / "tests" / "deep" / "tensorflow_systems.py"
CASES = ROOT / "tests" / "converters" / "tensorflow" / "run_cases.py"
_MEASURED = ("parameters", "probe rows", "largest error", "of tolerance", "faster", "build s", "CPU s", "peak GB")


def tensorflow_python() -> str:
    """The interpreter that has TensorFlow; raises `SystemExit`."""
    return interpreter("MLPACK_TENSORFLOW_PYTHON", "with TensorFlow, tf2onnx and keras_hub")


def in_tensorflow(*arguments: object) -> Any:
    """The answer of a command of `tensorflow_systems.py`; raises `Failed`."""
    return answer([tensorflow_python(), str(SYSTEMS), *map(str, arguments)])


def judge(key: str, name: str) -> dict[str, str]:
    """The line of one model: what became of it under `mlpack build`."""
    line = {"model": name, "mlpack": "right", **dict.fromkeys(_MEASURED, EMPTY)}
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        try:
            made = in_tensorflow("make", key, folder)
        except Failed as failed:
            return {**line, "mlpack": f"not made: {_last(failed.said)}"}
        files = [folder / made["model"], "--example", folder / made["example"], *made["options"].split()]
        more = ["-o", folder / "dist", "--name", "model", "--python", tensorflow_python(), "--target", "docker"]
        try:
            used = run([*MLPACK, "build", *files, *more], together=True)
        except Failed as failed:
            line["mlpack"] = f"{REFUSED.get(failed.code, f'fails (exit {failed.code})')}: {_said(failed.said, folder)}"
        else:
            memory = f"{used.together / GIGABYTE:.1f}"
            took = {"build s": f"{used.wall:.0f}", "CPU s": f"{used.cpu:.0f}", "peak GB": memory}
            line |= {**_numbers(folder / "dist" / "model-1.0.0"), **took}
        return {**line, "parameters": f"{made['parameters'] / 1e6:,.2f} M"}


def cases() -> Iterator[dict[str, str]]:
    """A line per small model: what the converter gives, and what tf2onnx gives of its SavedModel."""
    ours, bare = ({each["case"]: each for each in _run_cases(*flag)} for flag in ((), ("--bare",)))
    for name, found in ours.items():
        why = str(found["why"]).partition(": ")[2] if found["outcome"] == "refused" else str(found["why"])
        plain = bare.get(name, {"outcome": "ends its process", "why": ""})
        yield {
            "small module": f"`{name}`",
            "mlpack": str(found["outcome"]),
            "why": _cell(why),
            "tf2onnx": _cell(f"{plain['outcome']}: {plain['why']}" if plain["why"] else str(plain["outcome"])),
        }


def _run_cases(*flags: str) -> list[dict[str, Any]]:
    """The lines of all cases; one that ends the process is left out, and the rest are run again."""
    found: list[dict[str, Any]] = []
    names = _names()
    while names:
        done = subprocess.run([tensorflow_python(), CASES, *flags, *names], capture_output=True, text=True)
        lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        found += lines
        names = names[len(lines) + 1 :] if done.returncode else []
    return found


def _names() -> list[str]:
    listed = subprocess.run([tensorflow_python(), CASES, "--list"], capture_output=True, text=True, check=True)
    return listed.stdout.split()


_INTRODUCTION = """# Coverage of TensorFlow and Keras

Written by `python -m benchmarks.coverage_tensorflow --write`; do not edit. Whole models with random weights, from
[tests/deep/tensorflow_systems.py](../tests/deep/tensorflow_systems.py), each built with `mlpack build`. A line holds
what was measured when it was written; a model without a line was not run.

*Largest error*: absolute, on the example. *Of tolerance*: the largest share over all probes, and the relative
tolerance that it is a share of. *Faster*: the median of the original as a `tf.function` over the graph's at batch 1,
one thread. *Build s*, *CPU s*: the whole command by the clock (on a machine that others used) and in processor time;
*peak GB*: all its processes together.

"""


def page(systems: Sequence[Mapping[str, str]], modules: Sequence[Mapping[str, str]]) -> str:
    """The page of these lines."""
    text = _INTRODUCTION + (table(systems) if systems else "")
    if not modules:
        return text
    counts = {name: sum(each["mlpack"] == name for each in modules) for name in ("right", "refused")}
    plain = {
        name: sum(each["tf2onnx"].startswith(name) for each in modules)
        for name in ("right", "wrong", "fails", "refused")
    }
    said = (
        f"## Small models where tf2onnx goes wrong\n\n{len(modules)} models of a few lines: {counts['right']} right, "
        f"{counts['refused']} refused with a reason. tf2onnx of the same SavedModels, opened in ONNX Runtime: "
        f"{plain['right']} right, {plain['wrong']} wrong without an error, {plain['fails']} fail when they are opened "
        f"or run, {plain['refused']} refused."
    )
    return f"{text}\n{said}\n\n{table(modules)}"


def _put(systems: Sequence[Mapping[str, str]], modules: Sequence[Mapping[str, str]]) -> None:
    """Writes the lines into the page as it is now."""
    text = PAGE.read_text("utf-8") if PAGE.is_file() else ""
    lines = merged(rows_of(text, SYSTEM), systems)
    PAGE.write_text(page(lines, modules or rows_of(text, CASE)), "utf-8")


def main(arguments: Sequence[str] | None = None) -> None:
    """Judges and prints, a line as soon as it is known."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("keys", nargs="*", help="models; all unless given")
    parser.add_argument("--cases", action="store_true", help="the small models; whole ones only by name")
    parser.add_argument("--write", action="store_true", help="write docs/coverage-tensorflow.md")
    given = parser.parse_args(arguments)
    known = in_tensorflow("list")
    systems = []
    for key in given.keys or ([] if given.cases else known):
        systems.append(judge(key, known[key]))
        print(json.dumps(systems[-1]), file=sys.stderr, flush=True)
        if given.write:
            _put(systems[-1:], ())
    modules = list(cases()) if given.cases else []
    if given.write:
        _put((), modules)
    print(page(systems, modules))


if __name__ == "__main__":
    main()
