"""Intermediate forms that R wrote once, converted without R, held against what R answered then."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlpack_toolkit.converters._worker.model_input import model_table
from mlpack_toolkit.converters._worker.signature import signature_of
from mlpack_toolkit.converters.r._form.form import FORMAT, Form
from mlpack_toolkit.converters.r._model import description_of, graph_of
from mlpack_toolkit.converters.rds import plain, read
from mlpack_toolkit.converters.rds_writer import write
from mlpack_toolkit.converters.spec import Table, Unreadable
from mlpack_toolkit.runtimes.engine.engine import graph_feeds
from tests.artifacts import saved

FORMS = sorted((Path(__file__).parent / "forms").glob("*.rds.gz"))


def content(path: Path) -> dict[str, Any]:
    found = plain(read(gzip.decompress(path.read_bytes())).root)
    assert isinstance(found, dict)
    return found


def table(columns: dict[str, Any]) -> Table:
    return {n: np.array(c, object) if isinstance(c, list) else c for n, c in columns.items()}


@pytest.mark.parametrize("path", FORMS, ids=[path.name.removesuffix(".rds.gz") for path in FORMS])
def test_converted_as_r_answered(path: Path) -> None:
    import onnx
    import onnxruntime as ort

    kept = content(path)
    form = Form.of_values(kept["form"])
    rows, want = table(kept["rows"]), table(kept["answers"])
    description = description_of(form)
    rows = model_table(description, rows)
    signature = signature_of(description, rows, want)
    graph = saved(lambda out: graph_of(form, signature, out))
    session = ort.InferenceSession(graph, providers=["CPUExecutionProvider"])
    taken = {i.name for i in onnx.load_model_from_string(graph).graph.input}
    feeds = {name: value for name, value in graph_feeds(signature, rows).items() if name in taken}
    for name, got in zip(want, session.run(list(want), feeds), strict=True):
        if want[name].dtype.kind == "f":
            np.testing.assert_allclose(got, want[name].reshape(got.shape), rtol=1e-11, atol=1e-11, err_msg=name)
        else:
            assert (got == want[name]).all(), name


def test_there_is_a_form_of_every_kind() -> None:
    from mlpack_toolkit.converters.r._registry import names

    kinds = {Form.of_values(content(path)["form"]).kind for path in FORMS}
    assert kinds == set(names()) - {"loess"}


def test_a_form_of_another_version_is_not_read() -> None:
    values = content(FORMS[0])["form"]
    values["format"] = np.array([FORMAT + 1])
    with pytest.raises(Unreadable, match="has version 2, this mlpack reads 1"):
        Form.read(write(values))


@pytest.mark.parametrize("field", ["kind", "task", "inputs", "class"])
def test_a_form_that_lacks_a_field_is_told(field: str) -> None:
    values = content(FORMS[0])["form"]
    values[field] = np.array([1.0, 2.0])
    with pytest.raises(Unreadable, match=field):
        Form.read(write(values))
