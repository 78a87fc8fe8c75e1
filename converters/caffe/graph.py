"""From a net to a graph: layer by layer, each blob under its own name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from .._caffe_files.wire import Blob
from .._graph.builder import GraphBuilder
from ..spec import Unreadable, Unsupported
from .building import Known, Site, Value
from .layers import translations
from .net import Layer, Net

REPLACED = {
    "Data": "it reads a database",
    "ImageData": "it reads files",
    "HDF5Data": "it reads files",
    "WindowData": "it reads files",
    "MemoryData": "it is fed by a program",
    "DummyData": "it makes numbers up",
    "AnnotatedData": "it reads a database",
}
TRAINING = ("Loss", "Accuracy", "DetectionEvaluate", "HDF5Output")


@dataclass
class Built:
    """A net as nodes of a graph. `values`: each blob's last value by name; `notes`: for the report."""

    values: dict[str, Value]
    notes: list[str] = field(default_factory=list)
    every: dict[str, Value] = field(default_factory=dict)


def build(net: Net, weights: Mapping[str, tuple[Blob, ...]], inputs: Mapping[str, Value], graph: GraphBuilder) -> Built:
    """The net's blobs in the graph, from values for its inputs. `Built.every`: by layer and place of its top."""
    found = Built(dict(inputs))
    known = translations()
    for layer in net.layers:
        site = Site(layer, tuple(found.values[name] for name in layer.bottoms), weights.get(layer.name, ()), graph)
        values = _translated(site, known)
        if len(values) != len(layer.tops):
            raise Unreadable(f"{layer} has {len(layer.tops)} tops, and its type gives {len(values)}")
        found.values.update(zip(layer.tops, values))
        found.every.update({f"{layer.name}.{at}": value for at, value in enumerate(values)})
        found.notes += site.notes
    return found


def _translated(site: Site, known: Known) -> list[Value]:
    layer = site.layer
    translate = known.get(layer.type)
    if translate is None:
        raise Unsupported(_unknown(layer, known))
    found = translate(site)
    layer.parameters.check_all_read()
    return found


def _unknown(layer: Layer, known: Iterable[str]) -> str:
    kind = layer.type or "no type"
    if kind in REPLACED:
        return (
            f"{layer} is no part of the answer ({REPLACED[kind]}): replace it by a layer of the type Input with the "
            "shape of an image, as a deploy.prototxt has it"
        )
    if any(word in kind for word in TRAINING) or kind.endswith("_LOSS"):
        return (
            f"{layer} belongs to training: remove it from the prototxt, or give it include {{ phase: TRAIN }}; a "
            "SoftmaxWithLoss becomes a Softmax"
        )
    return (
        f"{layer} is of a type that has no converter: write it with other layers, or cut the net before it and compute "
        f"the rest yourself; there are: {', '.join(sorted((*known, 'Input')))}"
    )
