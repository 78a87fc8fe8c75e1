"""rpart: one tree whose splits have surrogates for missing values.

Rows go down the tree by the primary splits. For a row that one of them cannot place, the direction at each split is
computed first, as a column: a list of tests, primary, then surrogates, ends at the first whose variable is present; a
second tree reads these columns.
"""

from __future__ import annotations

from .._graph.builder import Value
from .._graph.set_membership import INT64
from .._trees.arrays import Trees
from .._trees.ensemble_sum import per_tree
from ._fallback_subgraph import again
from ._form.columns import Columns
from ._form.form import Fields
from ._level_sets import without_sets
from ._predictors import Predictors
from ._registry import Kind, Outputs
from ._thresholds import thresholds_in

LEFT, RIGHT = -1.0, 1.0


def _convert(fields: Fields, columns: Columns) -> Outputs:
    import numpy as np

    graph, predictors = columns.graph, Predictors(fields, columns)
    place = _place(fields, predictors)
    values = fields.numbers("values")
    if not fields.has("shares"):
        answer = graph.op("Gather", graph.const(values), place)
        return {"prediction": _known(columns, answer, float("nan"))}
    classes = fields.texts("classes")
    index = graph.op("Gather", graph.const(values.astype(np.int64) - 1), place)
    shares = graph.op("Gather", graph.const(fields.numbers("shares")), place)
    return {"index": _known(columns, index, len(classes)), "probabilities": _known(columns, shares, float("nan"), 1)}


def _known(columns: Columns, answer: str, none: float, wide: int = 0) -> str:
    """Returns the output, or `none` where a level is unknown, at which R stops."""
    graph, unseen = columns.graph, columns.unseen()
    if not unseen:
        return answer
    flag = graph.op("Unsqueeze", unseen, graph.const([1], "int64")) if wide else unseen
    return graph.op("Where", flag, graph.const(none, "int64" if isinstance(none, int) else "float64"), answer)


def _place(fields: Fields, predictors: Predictors) -> str:
    """Returns the row of R's frame at which each row ends, `int64 [N]`."""
    graph, x = predictors.graph, predictors.matrix()
    tests = _tests(fields, predictors)
    if not len(tests.roots):
        first = graph.op("Gather", x.name, graph.const(0, "int64"), axis=1)
        return graph.op("Mul", graph.op("Cast", graph.op("IsNaN", first), to=INT64), graph.const(0, "int64"))
    direct = per_tree(graph, *without_sets(graph, _direct_tree(fields, predictors), x), "float64")

    def by_ways(rows: Value) -> str:
        ways = Value(per_tree(graph, *without_sets(graph, tests, rows), "float64"), "float64", len(tests.roots))
        return per_tree(graph, _tree(fields), ways, "float64")

    nowhere = graph.op("Less", graph.op("Reshape", direct, graph.const([-1], "int64")), graph.const([0.0]))
    place = again(graph, x, nowhere, direct, by_ways)
    return graph.op("Cast", graph.op("Reshape", place, graph.const([-1], "int64")), to=INT64)


def _direct_tree(fields: Fields, predictors: Predictors) -> Trees:
    """Returns the tree over the variables themselves; a row that a primary split cannot place ends at -1."""
    nodes = _Nodes()
    left, right = fields.integers("left").tolist(), fields.integers("right").tolist()
    first_tests = [0, *fields.integers("counts").cumsum().tolist()]
    start: dict[int, int] = {}
    for node, child in enumerate(left):
        start[node] = len(nodes.feature)
        if child < 0:
            nodes.add(leaf=float(node))
            continue
        _test(fields, predictors, first_tests.pop(0), nodes)
        nodes.add(leaf=-1.0)
    for node, child in enumerate(left):
        if child < 0:
            continue
        first = start[node]
        for test in (first, first + 2):
            way = nodes.leaf[nodes.left[test]]
            nodes.left[test] = start[child if way == LEFT else right[node]]
    nodes.roots.append(start[0])
    return nodes.trees()


def _tests(fields: Fields, predictors: Predictors) -> Trees:
    """Returns a tree per split that computes a row's direction there."""
    nodes = _Nodes()
    unplaced = fields.numbers("unplaced")[fields.integers("left") >= 0]
    last = 0
    for count, way in zip(fields.integers("counts").tolist(), unplaced.tolist()):
        nodes.roots.append(len(nodes.feature))
        for test in range(last, last + count):
            _test(fields, predictors, test, nodes)
        nodes.add(leaf=way)
        last += count
    return nodes.trees()


def _test(fields: Fields, predictors: Predictors, test: int, nodes: _Nodes) -> None:
    """Adds two nodes, for rows that go one way and for rows that go the other; the rest goes to the next node."""
    import numpy as np

    place, row = int(fields.integers("test_variable")[test]), int(fields.integers("test_row")[test])
    way = float(fields.integers("test_below")[test]) if row < 0 else LEFT
    first, one = nodes.add(place), nodes.add(leaf=way)
    second, other = nodes.add(place), nodes.add(leaf=-way)
    nodes.left[first], nodes.right[first] = one, second
    nodes.left[second], nodes.right[second] = other, other + 1
    if row < 0:
        nodes.threshold[first] = float(np.nextafter(fields.numbers("test_threshold")[test], -np.inf))
        nodes.threshold[second] = np.inf
        return
    ways = fields.integers("ways")[row][: predictors.levels(place)]
    for node, to in ((first, LEFT), (second, RIGHT)):
        nodes.category[node] = frozenset((np.flatnonzero(ways == to) + 1).tolist())


def _tree(fields: Fields) -> Trees:
    """Returns the tree over the directions, a column per split; its leaves are the rows' ends."""
    nodes = _Nodes()
    left, right = fields.integers("left").tolist(), fields.integers("right").tolist()
    inner = {node: split for split, node in enumerate(i for i, child in enumerate(left) if child >= 0)}
    start: dict[int, int] = {}
    for node in range(len(left)):
        start[node] = nodes.add(inner.get(node, -1), leaf=node)
        if node in inner:
            nodes.add(inner[node])
            nodes.add(leaf=node)
    for node in inner:
        first = start[node]
        nodes.threshold[first], nodes.threshold[first + 1] = LEFT / 2, RIGHT / 2
        nodes.left[first], nodes.right[first] = start[left[node]], first + 1
        nodes.left[first + 1], nodes.right[first + 1] = first + 2, start[right[node]]
    nodes.roots.append(start[0])
    return nodes.trees()


class _Nodes:
    """Nodes of trees under construction."""

    def __init__(self) -> None:
        self.feature: list[int] = []
        self.threshold: list[float] = []
        self.left: list[int] = []
        self.right: list[int] = []
        self.leaf: list[float] = []
        self.category: dict[int, frozenset[int]] = {}
        self.roots: list[int] = []

    def add(self, feature: int = -1, leaf: float = 0.0) -> int:
        """Adds a node and returns its index."""
        self.feature.append(feature)
        self.leaf.append(leaf)
        self.threshold.append(0.0)
        self.left.append(0)
        self.right.append(0)
        return len(self.feature) - 1

    def trees(self) -> Trees:
        """Returns the nodes as trees."""
        import numpy as np

        feature = np.array(self.feature, np.int64)
        return Trees(
            roots=np.array(self.roots, np.int64),
            feature=feature,
            threshold=np.array(self.threshold, np.float64),
            left=np.array(self.left, np.int64),
            right=np.array(self.right, np.int64),
            missing_left=np.zeros(len(feature), bool),
            leaf=np.array(self.leaf, np.float64),
            category=self.category,
        )


KIND = Kind(_convert, thresholds_in)
