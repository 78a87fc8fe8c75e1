"""Architectures of transformers, tiny and with random weights, through the converter; docs/coverage-transformers.md.

`MLPACK_TORCH_PYTHON=PYTHON python -m benchmarks.coverage_transformers [--write] [KEY ...]`; without keys all of them.
`--write` puts the lines of what was run into the page, in which the others stay.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ._process import ROOT
from ._show import table
from .coverage_torch import EMPTY, merged, rows_of, torch_python

PAGE = ROOT / "docs" / "coverage-transformers.md"
CASES = ROOT / "tests" / "converters" / "transformers"
HEAD = """# Coverage of transformers

Written by `python -m benchmarks.coverage_transformers --write`; do not edit. Architectures of transformers at a tiny
size with random weights ([folders.py](../tests/converters/transformers/folders.py)), each saved as a folder, loaded,
converted and compared in one process ([run_cases.py](../tests/converters/transformers/run_cases.py)): with the example
that mlpack makes, at other sizes of every free axis (an empty cache among them), and padded on the other side. Models
that continue text also answer for their sequences: transformers' own `generate` against the graph, 16 steps from
4 prompts, and the graph against itself (cached and not, step by step, in a batch, padded).

*Largest error*: absolute, over all outputs and batches; *of tolerance*: its share of 1e-5 + 2e-5 times the largest
number of that output, above which a line says WRONG; *scale*: the largest number among the answers. *Ids equal*:
steps up to the first that is too close to call, of all. *CPU s*: processor time of all that.

"""
FIRST = ("architecture", "mlpack")


def lines(keys: Sequence[str]) -> Iterator[dict[str, str]]:
    """A line for each architecture, as it is done."""
    with tempfile.TemporaryDirectory() as folder:
        command = [torch_python(), str(CASES / "run_cases.py"), folder, *keys]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
            assert process.stdout is not None
            for said in process.stdout:
                if said.startswith("{"):
                    yield line(json.loads(said))


def line(found: Mapping[str, Any]) -> dict[str, str]:
    """The line of what `run_cases.py` found."""
    wrong = "fails" if "fails" in found else "refused" if "refused" in found else ""
    if wrong:
        said = " ".join(str(found[wrong]).split()).replace("|", "/")[:240]
        return {"architecture": found["key"], "mlpack": f"{wrong}: {said}", **dict.fromkeys(_MEASURED, EMPTY)}
    title = str(found["title"])
    return {
        "architecture": found["key"],
        "mlpack": "right" if found["share"] <= 1 else "WRONG",
        "class": title.partition(" (")[0],
        "task": title.partition("(")[2].partition(",")[0],
        "largest error": f"{found['error']:.1e}",
        "of tolerance": f"{found['share']:.0%}",
        "scale": f"{found['scale']:.2g}",
        "ids equal": _ids(found),
        "CPU s": f"{found['seconds']:.0f}",
    }


_MEASURED = ("class", "task", "largest error", "of tolerance", "scale", "ids equal", "CPU s")


def _ids(found: Mapping[str, Any]) -> str:
    if "generation" not in found:
        return EMPTY
    report, sequences = found["generation"]["report"], found["generation"]["sequences"]
    ends = {each["sequence"]: each["step"] for each in report["first_undecided"]}
    return f"{sum(ends.get(i, len(s['ids'])) for i, s in enumerate(sequences))} of {report['steps']}"


def page(found: Sequence[Mapping[str, Any]]) -> str:
    """The page."""
    right = sum(each["mlpack"] == "right" for each in found)
    refused = sum(each["mlpack"].startswith("refused") for each in found)
    return f"{HEAD}{len(found)} architectures: {right} right, {refused} refused with a reason.\n\n{table(found)}"


def main() -> None:
    """Runs the architectures and shows or writes their lines."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--write", action="store_true")
    asked.add_argument("keys", nargs="*")
    options = asked.parse_args()
    sys.path.insert(0, str(CASES))
    import folders  # type: ignore[import-not-found, unused-ignore]

    found = list(lines(options.keys or list(folders.ALL)))
    print(table(found))
    if options.write:
        before = rows_of(PAGE.read_text("utf-8"), FIRST) if PAGE.is_file() else []
        PAGE.write_text(page(merged(before, found)), "utf-8")


if __name__ == "__main__":
    main()
