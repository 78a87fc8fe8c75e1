"""nnet's `multinom`: softmax of linear scores, or one logistic score for two classes."""

from __future__ import annotations

from ._form.columns import Columns
from ._form.design import Design
from ._form.form import Fields
from ._labels import index_of_largest
from ._network import network
from ._registry import Kind, Outputs
from ._softmax import two_classes


def _convert(fields: Fields, columns: Columns) -> Outputs:
    graph = columns.graph
    answer = network(graph, fields.of("network"), Design(fields.of("design"), columns).matrix())
    alone = int(fields.of("network").integers("sizes")[2]) == 1
    probabilities = two_classes(graph, answer) if alone else answer
    return {
        "index": index_of_largest(graph, probabilities, len(fields.texts("classes"))),
        "probabilities": probabilities,
    }


KIND = Kind(_convert)
