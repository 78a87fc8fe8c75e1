"""R models behind the common converter interface: load, describe, predict, convert."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._graph.builder import GraphBuilder
from .._worker.signature import FACTOR
from ..rds import Fault, File, Item, plain, read
from ..spec import Description, Feature, Signature, Table, TensorSpec, Unreadable, Unsupported
from ._form.columns import Columns
from ._form.form import Form, Input
from ._process import RError, RProcess, held
from ._program import SAFE_VERSION, rscript
from ._registry import Outputs, kind_of

if TYPE_CHECKING:
    import numpy as np

OK, MISSING, UNSEEN = 0, 1, 2
"""The output `status`: R predicts the row; R returns NA or drops it; it contains an unknown level."""
_DTYPES = {"double": "float64", "logical": "bool", "factor": "string", "ordered": "string", "text": "string"}


@dataclass(frozen=True)
class RModel:
    """A model in an R process, in the intermediate form."""

    session: RProcess
    form: Form
    promises: int


def look(path: Path) -> dict[str, Any]:
    """Reads a file's own description, without R: the objects' classes, and the version of R that saved it."""
    file = _file(path)
    objects = file.root.items() if file.workspace else {"": file.root}
    classes = [f"{name}: {_class_of(item)}".removeprefix(": ") for name, item in objects.items()]
    return {"objects": classes, "saved by": f"R {file.version}", "unevaluated expressions": file.promises}


def _file(path: Path) -> File:
    try:
        return read(path.read_bytes())
    except Fault as fault:
        raise Unreadable(f"{path.name} cannot be read as R's: {fault}") from fault


def _class_of(item: Item) -> str:
    return " / ".join(item.text("class")) or item.kind


def load(path: Path, given: Mapping[str, Any]) -> RModel:
    """Loads the model of a file that R saved. `given`: `rscript`, the program; `object`, the model's name in a
    workspace; `levels`, of factors that the model does not store; `arguments`, of R's `predict`."""
    file = _file(path)
    return loaded_in(_session(given), path, given, file.promises)


def start(given: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the guards in force for the R process that will load the model."""
    return _session(given).sandbox


def _session(given: Mapping[str, Any]) -> RProcess:
    return held(rscript(given.get("rscript", "")))


def loaded_in(session: RProcess, path: Path, given: Mapping[str, Any], promises: int = 0) -> RModel:
    """Loads the model of a file in that R process, replacing any other; `given` as for `load`."""
    try:
        families = str(Path(__file__).parent)
        levels = {name: list(known) for name, known in given.get("levels", {}).items()}
        options = {"object": given.get("object", ""), "levels": levels, "arguments": given.get("arguments", {})}
        session.ask("load", model=str(path), families=families, **options)
        form = Form.of(session.ask("export"))
    except RError as error:
        raise Unsupported(f"R reports: {error}") from error
    return RModel(session, form, promises)


def describe(model: RModel) -> Description:
    """Describes the model, with notes on how it was read."""
    return replace(description_of(model.form), notes=_notes(model))


def description_of(form: Form) -> Description:
    """Describes the model of a form."""
    kind = kind_of(form.kind)
    thresholds = kind.thresholds(form.fields) if kind.thresholds else {}
    return Description(
        title=form.classes_of_r[0],
        task=form.task,
        features=tuple(_feature(each, tuple(thresholds.get(each.name, ()))) for each in form.inputs),
        named=True,
        classes=form.classes,
        columnar=True,
    )


def _feature(each: Input, thresholds: tuple[float, ...]) -> Feature:
    return Feature(
        each.name,
        kind=FACTOR if each.is_factor else "number",
        thresholds=thresholds,
        values=each.levels if each.is_factor else (),
        knows_empty=True,  # a level may be ""; where "" is not a level, R stops on it, but not on NA
        dtype=_DTYPES.get(each.type, ""),
    )


def adapt(model: RModel, description: Description) -> Description:
    """Adds the levels that a formula creates from a column, in the column's type in the example."""
    example = description.example or {}
    made = {each.name: each.levels for each in model.form.inputs if each.levels and not each.is_factor}
    features = tuple(
        replace(f, values=_values(made[f.name], example[f.name])) if f.name in made and f.name in example else f
        for f in description.features
    )
    return replace(description, features=features)


def _values(levels: tuple[str, ...], column: np.ndarray[Any, Any]) -> tuple[str | float, ...]:
    """Converts levels back to the cells that they were made from."""
    if column.dtype.kind in "OU":
        return levels
    return tuple(float(level) for level in levels if level not in ("TRUE", "FALSE"))


def _notes(model: RModel) -> tuple[str, ...]:
    version = ".".join(map(str, model.session.version))
    notes = [f"fitted by R, class {' / '.join(model.form.classes_of_r)}; predictions by R {version}"]
    if model.session.version < SAFE_VERSION:
        notes.append(
            "R before 4.4 can run code of a file while it reads it (CVE-2024-27322): it was read in a sandbox as this "
            f"machine has it (evidence/measurements/machine.json); the file holds {model.promises} unevaluated "
            "expressions"
        )
    return tuple(notes)


def predict(model: RModel, x: Table) -> Table:
    """Returns R's own predictions: arrays by output name; text is empty where R has no label."""
    answer = model.session.ask("predict", rows={name: _cells(column) for name, column in x.items()})
    return {name: _answer(item) for name, item in answer.items().items()}


def _cells(column: np.ndarray[Any, Any]) -> Any:
    return column.tolist() if column.dtype.kind in "OU" else column


def _answer(item: Item) -> np.ndarray[Any, Any]:
    import numpy as np

    values = plain(item)
    if isinstance(values, list):
        return np.array(["" if cell is None else cell for cell in values], object)
    return np.asarray(values)


def clock(model: RModel, x: Table) -> float:
    """Returns the seconds of one prediction by R's own clock."""
    answer = model.session.ask("clock", rows={name: _cells(column) for name, column in x.items()})
    return float(answer.items()["seconds"].value[0])


def environment(model: RModel) -> dict[str, Any]:
    """Returns R and its packages, as `_environment.R` reports them."""
    found: dict[str, Any] = _single(plain(model.session.ask("environment")))
    return found


def _single(value: Any) -> Any:
    """Converts R's vectors of length one to scalars."""
    if isinstance(value, dict):
        return {name: _single(each) for name, each in value.items()}
    if isinstance(value, list) and any(isinstance(each, dict) for each in value):
        return [_single(each) for each in value]
    cells = value.tolist() if hasattr(value, "tolist") else value
    return cells[0] if isinstance(cells, list) and len(cells) == 1 else cells


def convert(model: RModel, description: Description, signature: Signature, real: str, out: Path) -> None:
    """Writes the graph of a loaded model to `out`."""
    graph_of(model.form, signature, out)


def graph_of(form: Form, signature: Signature, out: Path) -> None:
    """Writes the graph of a form, in double precision."""
    graph = GraphBuilder("float64")
    columns = Columns(form.inputs, signature.inputs, graph)
    outputs = kind_of(form.kind).convert(form.fields, columns)
    for spec in signature.outputs:
        value = _value_of(spec, outputs, form, columns)
        shaped = graph.op("Reshape", value, graph.const([-1, *spec.shape[1:]], "int64"))
        graph.output(spec.name, shaped, spec.dtype, spec.shape)
    graph.write(out)


def _value_of(spec: TensorSpec, outputs: Outputs, form: Form, columns: Columns) -> str:
    if spec.name in outputs:
        return outputs[spec.name]
    if spec.name == "status":
        return _status(outputs, columns)
    if spec.name == "label" and "index" in outputs:
        return columns.graph.op("Gather", columns.graph.const([*form.classes, ""], "string"), outputs["index"])
    raise Unsupported(f"the converter does not produce the output {spec.name!r}")


def _status(outputs: Outputs, columns: Columns) -> str:
    """Returns the status of each row, from the last numeric output."""
    graph = columns.graph
    value = outputs[[name for name in outputs if name != "index"][-1]]
    flat = graph.op("Flatten", value, axis=1)
    number = graph.op("Cast", graph.op("IsNaN", flat), to=7)
    found = graph.op("ReduceMax", graph.op("Cast", number, to=6), graph.const([1], "int64"), keepdims=0)
    status = graph.op("Cast", found, to=7)
    unseen = columns.unseen()
    return graph.op("Where", unseen, graph.const(UNSEEN, "int64"), status) if unseen else status
