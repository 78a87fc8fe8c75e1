"""Words for writing ONNX nodes into tf2onnx's graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class Nodes:
    """Writes nodes in place of one of TensorFlow's: `op` gives the name of its answer."""

    def __init__(self, graph: Any, node: Any) -> None:
        self.graph, self.node = graph, node
        self.inputs = list(node.input)
        self.dtypes = [graph.get_dtype(name) for name in node.input]

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """One more node."""
        found: str = self.graph.make_node(kind, list(inputs), attr=attributes).output[0]
        return found

    def const(self, values: Any, dtype: str) -> str:
        """A constant."""
        import numpy as np
        from tf2onnx import utils

        found: str = self.graph.make_const(utils.make_name("own"), np.array(values, dtype)).output[0]
        return found

    def like(self, value: Any, place: int) -> str:
        """A constant in the type of an input."""
        return self.const(value, self.numpy(place))

    def numpy(self, place: int) -> str:
        """The name of numpy's type of an input."""
        import numpy as np
        from tf2onnx import utils

        found: str = np.dtype(utils.map_onnx_to_numpy_type(self.dtypes[place])).name
        return found

    def cast(self, name: str, dtype: str) -> str:
        """The tensor in another type."""
        import numpy as np
        from onnx import helper

        return self.op("Cast", name, to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def flag(self, key: str) -> bool:
        """Whether an attribute of the node is set."""
        found = self.node.get_attr(key)
        return bool(found is not None and found.i)

    def become(self, name: str) -> None:
        """Ends the translation: the tensor takes the place of the node's first output."""
        output = self.node.output[0]
        shape, dtype = self.graph.get_shape(output), self.graph.get_dtype(output)
        self.graph.remove_node(self.node.name)
        self.graph.make_node("Identity", [name], outputs=[output], shapes=[shape], dtypes=[dtype])

    def static(self, place: int) -> Sequence[int] | None:
        """The sizes of an input, -1 where free; None where its rank is not known."""
        found: Sequence[int] | None = self.graph.get_shape(self.inputs[place])
        return found
