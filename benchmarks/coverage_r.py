"""Every kind of R model under the full probes of a build, and what jpmml-r says it reads.

`python -m benchmarks.coverage_r [--json] [--write] [--forms]`; `--write` puts the table into docs/coverage-r.md,
`--forms` the intermediate forms, with rows and R's answers, where the tests convert them without R.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

from mlpack_toolkit.converters import load as converter_of
from mlpack_toolkit.converters._worker.session import BadExample
from mlpack_toolkit.converters._worker.session import ModelSession as Worker
from mlpack_toolkit.converters.artifact import Artifact
from mlpack_toolkit.converters.messages import Convert, Probe
from mlpack_toolkit.converters.r._model import RModel
from mlpack_toolkit.converters.rds_frame import levels_in
from mlpack_toolkit.converters.rds_writer import write
from mlpack_toolkit.converters.spec import Table, Unreadable, Unsupported
from mlpack_toolkit.converters.table import write_table
from mlpack_toolkit.packager.data.rds_frames import read_frame
from mlpack_toolkit.packager.equivalence.probes import Probes
from mlpack_toolkit.packager.equivalence.prove import Proven, Wanted, prove
from mlpack_toolkit.packager.errors import ConversionError, MismatchError

from .coverage import DIFFERS, EQUAL, REFUSED, table_of

SCRIPT = Path(__file__).with_name("r_models.R")
PAGE = Path(__file__).parent.parent / "docs" / "coverage-r.md"
FORMS = Path(__file__).parent.parent / "tests" / "converters" / "r" / "forms"
JPMML = {
    "lm": "lm", "glm": "glm", "negbin": "negbin", "polr": "polr", "multinom": "multinom", "nnet": "nnet.formula",
    "glmnet": "glmnet (elnet, lognet, fishnet, multnet)", "cv.glmnet": "cv.glmnet", "rpart": "rpart",
    "randomForest": "randomForest", "ranger": "ranger", "gbm": "gbm", "svm": "svm", "naiveBayes": "naiveBayes",
    "earth": "earth", "kmeans": "kmeans", "train": "train",
    "preProcess": "preProcess (range, center, scale, medianImpute)",
}  # fmt: skip
"""By our class, what jpmml-r 1.7.8 has for it."""
ONLY_JPMML = (
    "ada; adabag bagging, boosting; apollo; caretEnsemble; CHAID; elmNNRcpp; evtree; IsolationForest; lightgbm; "
    "mlr WrappedModel; neuralnet; party, partykit; pls mvr; pscl hurdle, zeroinfl; rms lrm, ols, orm; xgboost"
)


@dataclass(frozen=True)
class Fit:
    """One fitted model: its file, R's class, and what is special about it."""

    path: Path
    kind: str
    what: str

    @property
    def rows(self) -> Table:
        return read_frame(self._frame)

    @property
    def levels(self) -> dict[str, list[str]]:
        return levels_in(self._frame)

    @property
    def _frame(self) -> Path:
        return self.path.with_suffix(".rows.rds")


@dataclass(frozen=True)
class Verdict:
    """What became of one fit. `absolute`: the largest error on its rows. `probes`: how many rows were compared."""

    fit: Fit
    verdict: str
    absolute: float = 0.0
    probes: int = 0
    reason: str = ""


def fits(folder: Path) -> list[Fit]:
    """All models, fitted by R just now."""
    done = subprocess.run(["Rscript", "--vanilla", SCRIPT, folder], capture_output=True, text=True, timeout=600)
    if done.returncode:
        raise RuntimeError(f"{SCRIPT.name} fails: {done.stderr.strip().splitlines()[-1]}")
    lines = (folder / "table.tsv").read_text("utf-8").splitlines()
    return [Fit(folder / f"{name}.rds", kind, what) for name, kind, what in (line.split("\t") for line in lines)]


def judge(fit: Fit) -> Verdict:
    """The verdict on one fit, by the very steps that `mlpack build` takes, in this process."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            proven = _proven(fit, Path(folder))
        except (ConversionError, Unsupported, Unreadable, BadExample) as error:
            return Verdict(fit, REFUSED, reason=str(error))
        except MismatchError as error:
            return Verdict(fit, DIFFERS, reason=str(error))
    example = proven.report.probes.get("example", {}).values()
    return Verdict(fit, EQUAL, max((e.max_abs for e in example), default=0.0), proven.report.rows)


def _proven(fit: Fit, folder: Path) -> Proven:
    worker = Worker()
    worker.converter = converter_of("r")
    assert worker.converter.source.load is not None
    worker.model = worker.converter.source.load(fit.path, {"levels": fit.levels})
    worker.description = worker.converter.original.describe(worker.model)
    write_table(fit.rows, folder / "example.npz")
    reply = worker.probe(Probe(str(folder / "example.npz"), str(folder)))

    def convert(real: str) -> Artifact:
        worker.convert(Convert(real, str(folder / "model.onnx")))
        return Artifact.of(folder / "model.onnx")

    probes, signature = Probes.read(folder, reply), reply.signature
    return prove(convert, signature, probes, ("float64",), Wanted())


def lines(verdicts: Sequence[Verdict]) -> list[dict[str, str]]:
    """The lines of the table."""
    return [
        {
            "class": v.fit.kind,
            "fit": v.fit.what,
            "mlpack": v.verdict if v.verdict == EQUAL else f"**{v.verdict}**",
            "probe rows": str(v.probes) if v.probes else "",
            "largest error on its rows": f"{v.absolute:.1e}" if v.verdict == EQUAL else "",
            "jpmml-r": JPMML.get(v.fit.kind, "no"),
            "why": v.reason.replace("|", "\\|").replace("\n", " "),
        }
        for v in verdicts
    ]


def page(verdicts: Sequence[Verdict], versions: str) -> str:
    """The text of docs/coverage-r.md."""
    kinds = sorted({v.fit.kind for v in verdicts if v.verdict == EQUAL}, key=str.lower)
    known = ", ".join(f"`{name}`" for name in known_classes())
    table = table_of(lines(verdicts))
    return _INTRODUCTION.format(count=len(kinds), versions=versions, table=table, others=ONLY_JPMML, known=known)


def known_classes() -> list[str]:
    """The values of `class(model)` that there is a converter for, or a refusal with a reason, sorted."""
    families = Path(__file__).parent.parent / "converters" / "r"
    calls = [
        call
        for path in families.glob("[a-z]*.R")
        for call in re.findall(r'(?ms)^family\(\s*"\w+",\s*(c\(.*?\)|"[^"]*")', path.read_text("utf-8"))
    ]
    return sorted({name for call in calls for name in re.findall(r'"([^"]*)"', call)})


_INTRODUCTION = """# Coverage of R models

Written by `python -m benchmarks.coverage_r --write`; do not edit. Each model is fitted on data that ship with R and
put through the proof of `mlpack build`: **{count} classes equal**. The tests hold every class in many more forms
(options, links, kernels, contrasts, missing values) within 1e-11 of R's own answers. Beside it, what jpmml-r 1.7.8 says
that it reads; it writes PMML, and proves nothing.

{versions}.

{table}
jpmml-r also reads, and mlpack does not: {others}.

The values of `class(model)` that mlpack knows, to convert or to refuse with a reason: {known}. A class that is not
listed is refused: another class's `predict()` may compute anything.
"""


def write_forms(found: Sequence[Fit], folder: Path) -> Iterator[Path]:
    """Per fit, its intermediate form as R wrote it, a few rows and R's answers to them, in one file."""
    converter = converter_of("r")
    assert converter.source.load is not None
    for fit in found:
        try:
            model: RModel = converter.source.load(fit.path, {"levels": fit.levels})
        except Unsupported:
            continue
        yield _write_form(model, fit, folder)


def _write_form(model: RModel, fit: Fit, folder: Path) -> Path:
    from mlpack_toolkit.converters._worker.model_input import model_table
    from mlpack_toolkit.converters.r._model import describe, predict
    from mlpack_toolkit.converters.table import take

    rows = take(model_table(describe(model), fit.rows), slice(0, 40, 4))
    answers = predict(model, rows)
    name = f"{fit.kind}-{fit.what}".replace(" ", "-").replace(",", "").replace(":", "").replace(".", "-")
    path = folder / f"{name}.rds.gz"
    content = {"form": dict(model.form.fields.values), "rows": _plain(rows), "answers": _plain(answers)}
    path.write_bytes(gzip.compress(write(content), mtime=0))
    return path


def _plain(table: Mapping[str, Any]) -> dict[str, Any]:
    return {name: list(column) if column.dtype.kind in "OU" else column for name, column in table.items()}


def main() -> None:
    """Prints the table, and writes it where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--forms", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        found = fits(Path(name))
        versions = (Path(name) / "versions.txt").read_text("utf-8").replace("\n", ", ").rstrip(", ")
        verdicts = []
        for fit in found:
            verdicts.append(judge(fit))
            print(f"{fit.kind:14} {fit.what:32} {verdicts[-1].verdict} {verdicts[-1].reason[:160]}", file=sys.stderr)
        if options.forms:
            for path in write_forms(found, FORMS):
                print(path, file=sys.stderr)
    if options.write:
        PAGE.write_text(page(verdicts, versions), "utf-8")
    print(json.dumps(lines(verdicts), indent=1) if options.json else page(verdicts, versions))


if __name__ == "__main__":
    main()
