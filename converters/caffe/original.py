"""The original: the net as OpenCV reads and computes it, with nothing fused and no fast approximations."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .._caffe_files.wire import Blob
from ..spec import MissingTool, Table, Unreadable, Unsupported
from .building import Size, shown
from .net import Net
from .preprocessing import Steps

LEAST, BEYOND = (4, 12), (5, 0)
BRING = 'pip install "opencv-python-headless>=4.12,<5"'


@dataclass
class CaffeModel:
    """A net with its weights and the user's options. `free`: images of any size are taken.

    `shapes`: the sizes of the outputs by Caffe's definition. `fast`: OpenCV's net as it is by default, made where it is
    first asked for.
    """

    path: Path
    weights_path: Path | None
    net: Net
    weights: dict[str, tuple[Blob, ...]]
    steps: Steps | None
    free: bool
    shapes: dict[str, tuple[Size, ...]]
    exact: Any
    fast: list[Any] = field(default_factory=list, repr=False)

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of the outputs."""
        return self.net.outputs

    def places(self) -> dict[str, tuple[str, int]]:
        """By output, the layer that gives it last, and which of its tops it is."""
        return {top: (layer.name, at) for layer in self.net.layers for at, top in enumerate(layer.tops)}

    def answers(self, x: Table, net: Any = None) -> Table:
        """The outputs by name."""
        places = self.places()
        layers = list(dict.fromkeys(places[name][0] for name in self.outputs))
        found = dict(zip(layers, self.forward(x, layers, net)))
        return {name: self._shaped(found[places[name][0]][places[name][1]], name) for name in self.outputs}

    def forward(self, x: Table, layers: list[str], net: Any = None) -> list[list[Any]]:
        """What the tops of these layers hold."""
        import numpy as np

        asked = self.exact if net is None else net
        for each in self.net.inputs:
            if each.name not in x:
                raise Unreadable(f"the net takes an input {each.name!r}; there is: {', '.join(x)}")
            values = np.asarray(x[each.name])
            steps = self.steps if self.steps is not None and self.steps.name == each.name else None
            if not values.size:
                raise Unreadable("OpenCV takes no batch without images")
            net_gets = values.astype(np.float32) if steps is None else steps.applied(values)
            self._check(each.name, net_gets.shape)
            asked.setInput(np.ascontiguousarray(net_gets), each.name)
        own = self._named(asked, layers)
        return [[np.array(top, copy=True) for top in tops] for tops in asked.forwardAndRetrieve(own)]

    def _named(self, net: Any, layers: list[str]) -> list[str]:
        """What OpenCV calls the layers, which it keeps in order: some versions call a convolution after its top."""
        names = dict(zip((layer.name for layer in self.net.layers), net.getLayerNames()))
        return [names[name] for name in layers]

    def _check(self, name: str, shape: tuple[int, ...]) -> None:
        """Nothing. Raises `Unreadable` for sizes that the prototxt does not say."""
        wanted = next(each.shape for each in self.net.inputs if each.name == name)
        first = 2 if self.free and len(wanted) == 4 else len(wanted)
        if len(shape) != len(wanted) or shape[1:first] != wanted[1:first]:
            raise Unreadable(f"the input {name!r} is {list(shape)}, and the prototxt says {list(wanted)}")

    def _shaped(self, values: Any, name: str) -> Any:
        """The values in Caffe's own axes; OpenCV may have some of size 1 behind them."""
        rank = len(self.shapes.get(name, values.shape))
        more = values.shape[rank:]
        return values.reshape(values.shape[:rank]) if more and set(more) == {1} else values

    def again(self, x: Table) -> Iterator[Table]:
        """The same answers with OpenCV's own settings."""
        yield self.quick(x)

    def quick(self, x: Table) -> Table:
        """The same at OpenCV's own best: layers fused, fast convolutions."""
        if not self.fast:
            self.fast.append(opened(self.net, self.weights_path))
        return self.answers(x, self.fast[0])


def opencv() -> Any:
    """OpenCV in a version that reads Caffe. Raises `MissingTool` without one, `Unsupported` for another version."""
    try:
        import cv2
    except ModuleNotFoundError as error:
        raise MissingTool(
            f"the original of a Caffe net is asked with OpenCV, which is not installed: {BRING}"
        ) from error

    version = tuple(int(part) for part in cv2.__version__.split(".")[:2])
    if not LEAST <= version < BEYOND:
        raise Unsupported(
            f"OpenCV {cv2.__version__} is installed, and the original of a Caffe net is asked with 4.12 or a later 4: "
            f"{BRING}"
        )
    return cv2


def opened(net: Net, weights: Path | None) -> Any:
    """OpenCV's net. Raises `Unsupported` with OpenCV's own reason."""
    import numpy as np

    from .definitions import DEFINED

    cv2 = opencv()
    cv2.setNumThreads(1)
    used = sorted({layer.type for layer in net.layers} & DEFINED.keys())
    for kind in used:
        with suppress(cv2.error):
            cv2.dnn_unregisterLayer(kind)
        cv2.dnn_registerLayer(kind, DEFINED[kind])
    text = np.frombuffer(net.text, np.uint8)
    try:
        if weights is None:
            return cv2.dnn.readNetFromCaffe(text)
        return cv2.dnn.readNetFromCaffe(text, np.fromfile(weights, np.uint8))
    except cv2.error as error:
        raise Unsupported(f"OpenCV {cv2.__version__} does not read the net: {reason(error)}") from error


def reason(error: Exception) -> str:
    """OpenCV's sentence without its place in its own source."""
    lines = [line for line in str(error).strip().splitlines() if line.strip()]
    return lines[0].split(" error: ", 1)[-1][:300] if lines else "it gives no reason"


def exact(net: Net, weights: Path | None) -> Any:
    """OpenCV's net with each layer computed as it stands."""
    found = opened(net, weights)
    found.enableFusion(False)
    found.enableWinograd(False)
    if len(found.getLayerNames()) != len(net.layers):
        raise Unsupported("OpenCV makes other layers of the net than the prototxt has: write each as one layer")
    return found


def check_answers(model: CaffeModel) -> None:
    """Nothing. Raises `Unsupported` where OpenCV refuses an image of zeros, with its reason."""
    import numpy as np

    from .preprocessing import sizes_sent

    x = {each.name: np.zeros(sizes_sent(model.steps, each), np.float32) for each in model.net.inputs}
    try:
        answers = model.answers(x)
    except opencv().error as error:
        raise Unsupported(
            f"OpenCV does not compute the net, so there is no original to ask: {reason(error)}"
        ) from error
    for name, values in answers.items():
        wanted = model.shapes[name]
        if len(wanted) != values.ndim or any(n not in (None, size) for n, size in zip(wanted, values.shape)):
            raise Unsupported(
                f"OpenCV answers {name!r} of the shape {list(values.shape)}, and by Caffe's definition it is "
                f"{shown(wanted)}: there is no original to ask"
            )
