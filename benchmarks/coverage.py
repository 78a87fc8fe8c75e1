"""Every scikit-learn estimator under the full probes of a build, and what plain skl2onnx gives beside it.

`python -m benchmarks.coverage [--json] [--write] [NAME ...]`; `--write` puts the table into docs/coverage.md.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import numpy as np

from mlpack_toolkit.converters import for_object
from mlpack_toolkit.converters._worker.session import BadExample
from mlpack_toolkit.converters._worker.session import ModelSession as Worker
from mlpack_toolkit.converters.artifact import Artifact
from mlpack_toolkit.converters.messages import Convert, Probe
from mlpack_toolkit.converters.spec import Signature, Table, Unreadable, Unsupported
from mlpack_toolkit.converters.table import write_table
from mlpack_toolkit.packager.equivalence.comparison import compare, tolerances
from mlpack_toolkit.packager.equivalence.probes import Probes
from mlpack_toolkit.packager.equivalence.prove import Proven, Wanted, prove
from mlpack_toolkit.packager.errors import ConversionError, MismatchError

from ._estimators import fitted, names

PAGE = Path(__file__).parent.parent / "docs" / "coverage.md"
EQUAL, REFUSED, DIFFERS, FAILS = "equal", "refused", "differs", "fails"


@dataclass(frozen=True)
class Verdict:
    """What became of one estimator. `error`: the largest difference, as a share of what the tolerance allows.

    `reason`: why it is refused, or where it differs. `bare`: what plain skl2onnx gives on the same rows.
    """

    name: str
    verdict: str
    precision: str = ""
    error: float = 0.0
    absolute: float = 0.0
    converter: str = ""
    reason: str = ""
    bare: str = ""


def judge(name: str, bare: bool = True) -> Verdict:
    """The verdict on one estimator, by the very steps that `mlpack build` takes, in this process."""
    model, example = fitted(name)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        worker = Worker()
        try:
            probes, signature = _probe(worker, model, example, Path(folder))
            proven = _prove(worker, probes, signature, Path(folder))
        except (ConversionError, Unsupported, Unreadable, BadExample) as error:
            return Verdict(name, REFUSED, reason=str(error), bare=_bare(model, example, None) if bare else "")
        except MismatchError as error:
            return Verdict(name, DIFFERS, reason=str(error), bare=_bare(model, example, probes) if bare else "")
        except Exception as error:  # the build would end in an error nobody foresaw: shown as what it is
            return Verdict(name, FAILS, reason=f"{type(error).__name__}: {error}", bare="")
        beside = _bare(model, example, probes) if bare else ""
        return _equal(name, model, proven, beside)


def _equal(name: str, model: Any, proven: Proven, bare: str) -> Verdict:
    errors = [e for by_output in proven.report.probes.values() for e in by_output.values()]
    share = max((e.share for e in errors), default=0.0)
    return Verdict(name, EQUAL, proven.precision, share, _absolute(proven), _origin(model), bare=bare)


def _absolute(proven: Proven) -> float:
    """The largest absolute error on example rows."""
    return max((e.max_abs for e in proven.report.probes.get("example", {}).values()), default=0.0)


def _origin(model: Any) -> str:
    from mlpack_toolkit.converters.sklearn import _steps

    return "own" if type(model).__name__ in _steps() else "skl2onnx"


def _probe(worker: Worker, model: Any, example: Any, folder: Path) -> tuple[Probes, Signature]:
    converter = for_object(model)
    if converter is None:
        raise Unsupported(f"there is no converter for {type(model).__name__}")
    worker.model, worker.converter, worker.description = model, converter, converter.original.describe(model)
    write_table(_table(example), folder / "example.npz")
    reply = worker.probe(Probe(str(folder / "example.npz"), str(folder)))
    return Probes.read(folder, reply), reply.signature


def _prove(worker: Worker, probes: Probes, signature: Signature, folder: Path) -> Proven:
    def convert(real: str) -> Artifact:
        try:
            worker.convert(Convert(real, str(folder / "model.onnx")))
        except Exception as error:  # as the worker does: a converter that fails refuses
            what = (
                str(error)
                if isinstance(error, Unsupported)
                else f"the converter fails: {type(error).__name__}: {error}"
            )
            raise ConversionError(what) from error
        return Artifact.of(folder / "model.onnx")

    return prove(convert, signature, probes, worker.converter.export.precisions(worker.model), Wanted())


def _table(example: Any) -> Table:
    if isinstance(example, list):
        return {"text": np.array(example, object)}
    if isinstance(example, np.ndarray):
        return {"X": example.astype(np.float64) if example.dtype.kind == "f" else example.astype(np.int64)}
    return {str(name): _column(example[name]) for name in example}


def _column(series: Any) -> np.ndarray[Any, Any]:
    return np.asarray(series) if series.dtype.kind in "fiub" else np.array(series.tolist(), object)


def _bare(model: Any, example: Any, probes: Probes | None) -> str:
    """What `skl2onnx.to_onnx` as it comes gives: on the example rows, and where it is equal there, on all probes."""
    if not isinstance(example, np.ndarray):
        return "not tried: not a matrix of numbers"
    try:
        session = _bare_session(model, example)
    except Exception as error:  # skl2onnx and ONNX Runtime raise whatever comes up
        return f"no graph ({type(error).__name__})"
    for what, rows, want in _rounds(model, example, probes):
        try:
            wrong = _wrong(session, rows, want)
        except Exception as error:
            return f"fails at run time, on {what} ({type(error).__name__})"
        if wrong:
            return f"WRONG on {wrong} of {len(rows)} {what}"
    return "equal" if probes is not None else "equal on the example"


def _bare_session(model: Any, example: np.ndarray[Any, Any]) -> Any:
    import onnxruntime as ort
    from skl2onnx import to_onnx

    options: Any = {id(model): {"zipmap": False}}
    try:
        graph = to_onnx(model, example[:1].astype(np.float32), options=options)
    except Exception:  # the option is unknown to most classes
        graph = to_onnx(model, example[:1].astype(np.float32))
    return ort.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])


def _rounds(model: Any, example: Any, probes: Probes | None) -> Iterator[tuple[str, Any, Table]]:
    converter = for_object(model)
    assert converter is not None
    try:
        yield "example rows", example, converter.original.predict(model, example)
    except Exception:  # an original that nothing of ours can ask is compared by nobody
        return
    if probes is not None and list(probes.rows) == ["X"]:
        rows, answers, _ = probes.keep(probes.kinds != "large")
        yield "probe rows", rows["X"], answers


def _wrong(session: Any, x: np.ndarray[Any, Any], want: Table) -> int:
    """Rows that differ, of the outputs that both have; numbers by the tolerance of float32."""
    from mlpack_toolkit.converters.spec import TensorSpec

    got = session.run(None, {session.get_inputs()[0].name: x.astype(np.float32)})
    named = _paired(want, got)
    if not named:
        return len(x)
    pair = {name: want[name] for name in named}
    spec = Signature("", (), tuple(TensorSpec(n, "float32", ("N",)) for n in pair))
    kinds = np.full(len(x), "example", object)
    comparison = compare(pair, named, kinds, tolerances(spec, pair, kinds == "example"))
    return int(comparison.differs.sum())


def _paired(want: Table, got: list[Any]) -> Table:
    """Our names for its outputs, which come in the order label, scores; shapes that mean the same made alike."""
    named = {}
    for (name, expected), actual in zip(want.items(), got, strict=False):
        array = np.asarray(actual)
        if array.size == expected.size:
            array = array.reshape(expected.shape)
        named[name] = array
    return named


def rows(verdicts: Sequence[Verdict]) -> list[dict[str, str]]:
    """The lines of the table."""
    return [
        {
            "estimator": v.name,
            "mlpack": f"{v.verdict} ({v.precision})" if v.precision else f"**{v.verdict}**",
            "largest error": f"{v.absolute:.1e}" if v.verdict == EQUAL else "",
            "share of the tolerance": f"{v.error:.2g}" if v.verdict == EQUAL else "",
            "converter": v.converter,
            "bare skl2onnx": v.bare,
            "why": v.reason.replace("|", "\\|").replace("\n", " "),
        }
        for v in verdicts
    ]


def page(verdicts: Sequence[Verdict]) -> str:
    """The text of docs/coverage.md."""
    counts = {kind: sum(v.verdict == kind for v in verdicts) for kind in (EQUAL, REFUSED, DIFFERS)}
    bare = sum(v.bare.startswith("equal") for v in verdicts)
    return _INTRODUCTION.format(total=len(verdicts), bare=bare, **counts) + table_of(rows(verdicts))


def table_of(lines: Sequence[Mapping[str, str]]) -> str:
    """The lines as a table of markdown."""
    head = list(lines[0])
    table = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    table += ["| " + " | ".join(line.values()) + " |" for line in lines]
    return "\n".join(table) + "\n"


_INTRODUCTION = """# Coverage of scikit-learn

Written by `python -m benchmarks.coverage --write`; do not edit. {total} estimators can infer on new data; each is
fitted on real data and put through the proof of `mlpack build`: **{equal} equal, {refused} refused with a reason,
{differs} stopped because the numbers differ**. No row is silently wrong. Plain skl2onnx on the same rows: {bare} equal.

*Largest error*: absolute, on the example rows. *Share of the tolerance*: over all probes, 1 is what is allowed
(float32: 1e-5, float64: 1e-9). *Bare skl2onnx*: `to_onnx` as it comes, on the example rows and then on the probe rows
(without those beyond ±1e6) that the original answers, in the tolerance of float32. `HashingVectorizer` stands before a
linear model: alone, the million columns of its default are refused.

"""


def verdicts_of(page_text: str) -> dict[str, str]:
    """Estimator to verdict, as a page says; what the test of the table reads."""
    found = {}
    for line in page_text.splitlines():
        cells = [c.strip() for c in line.split("|")[1:-1]]
        if len(cells) > 2 and cells[0] not in ("estimator", "---"):
            found[cells[0]] = cells[1].strip("*").split(" ")[0]
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Judges and prints, a line as soon as it is known."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="estimators; all of them unless given")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--write", action="store_true", help="write docs/coverage.md")
    given = parser.parse_args(arguments)
    if given.write and given.names:
        parser.error("the page holds all estimators: --write goes without names")
    verdicts = []
    for name in given.names or names():
        verdicts.append(judge(name))
        print(*rows(verdicts[-1:])[0].values(), sep=" | ", file=sys.stderr, flush=True)
    if given.write:
        PAGE.write_text(page(verdicts), "utf-8")
    if given.json:
        print(json.dumps({"benchmark": "coverage", "rows": [vars(v) for v in verdicts]}))
    else:
        print(page(verdicts))


if __name__ == "__main__":
    main()
