"""A net as its prototxt describes it: inputs and layers of the phase TEST, old forms upgraded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import prod

from .._caffe_files.text import Message, Scalar, parse
from ..spec import Unreadable, Unsupported
from .parameters import Parameters

MOST_LAYERS = 20_000
MOST_AXES = 8
MOST_NUMBERS = 1 << 28
"""Of an input: 1 GiB."""
TEST = "TEST"
V1 = {
    "ABSVAL": "AbsVal",
    "ARGMAX": "ArgMax",
    "BNLL": "BNLL",
    "CONCAT": "Concat",
    "CONVOLUTION": "Convolution",
    "DECONVOLUTION": "Deconvolution",
    "DROPOUT": "Dropout",
    "ELTWISE": "Eltwise",
    "EXP": "Exp",
    "FLATTEN": "Flatten",
    "INNER_PRODUCT": "InnerProduct",
    "LRN": "LRN",
    "MVN": "MVN",
    "POOLING": "Pooling",
    "POWER": "Power",
    "RELU": "ReLU",
    "SIGMOID": "Sigmoid",
    "SILENCE": "Silence",
    "SLICE": "Slice",
    "SOFTMAX": "Softmax",
    "SPLIT": "Split",
    "TANH": "TanH",
    "THRESHOLD": "Threshold",
}
"""The types of nets of before 2014, in which a layer is `layers`, and the names that they have now."""
_LAYER = {"name", "type", "bottom", "top", "include", "exclude", "phase", "param", "propagate_down", "loss_weight"}
_OLD = {"blobs_lr", "weight_decay", "blob_share_mode"}
_NET = {"name", "layer", "layers", "input", "input_dim", "input_shape", "state", "force_backward", "debug_info"}


@dataclass(frozen=True)
class Input:
    """An input of the net. `shape`: the batch first."""

    name: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Layer:
    """A layer: the blobs that it takes and gives by name, and its parameters."""

    name: str
    type: str
    bottoms: tuple[str, ...]
    tops: tuple[str, ...]
    parameters: Parameters
    line: int

    def __str__(self) -> str:
        return f"the layer {self.name!r} ({self.type}, line {self.line} of the prototxt)"


@dataclass(frozen=True)
class Net:
    """What is computed. `text`: the prototxt without the layers that are no part of it. `left_out`: their names.

    `upgraded`: the layers are in the form of before 2014.
    """

    name: str
    inputs: tuple[Input, ...]
    layers: tuple[Layer, ...]
    text: bytes
    left_out: tuple[str, ...]
    upgraded: bool

    @property
    def outputs(self) -> tuple[str, ...]:
        """The blobs that no layer takes, in the order of the layers that gave them last."""
        waiting = dict.fromkeys(each.name for each in self.inputs)
        for layer in self.layers:
            for name in layer.bottoms:
                waiting.pop(name, None)
            waiting.update(dict.fromkeys(layer.tops))
        return tuple(waiting)


def read(content: bytes, name: str) -> Net:
    """The net of a prototxt called `name`."""
    whole = parse(content, name)
    for key, value in whole.fields:
        if key not in _NET:
            raise Unreadable(f"{name}, line {value.line}: {key} is no field of a net")
    old, new = whole.messages("layers"), whole.messages("layer")
    if old and new:
        raise Unreadable(f"{name} has both layer and layers: write all of them in one form")
    blocks = new or old
    if not blocks:
        raise Unreadable(f"{name} has no layer: give the prototxt of a net (a solver's, for one, is none)")
    if len(blocks) > MOST_LAYERS:
        raise Unreadable(f"{name} has {len(blocks)} layers, of {MOST_LAYERS} at most")
    kept = [each for each in blocks if _in_test(each)]
    inputs = (*_declared(whole, name), *_of_layers(kept, name))
    layers = tuple(_layer(each, bool(old)) for each in kept if each.text("type") != "Input")
    _check(inputs, layers, name)
    there = {id(each) for each in kept}
    gone = [each for each in blocks if id(each) not in there]
    text, left_out = _without(content, gone), tuple(each.text("name") for each in gone)
    return Net(whole.text("name"), inputs, layers, text, left_out, bool(old))


def _without(content: bytes, gone: Iterable[Message]) -> bytes:
    """The text in which the layers are blank, so that all others keep their lines."""
    text, at = content.decode("utf-8"), 0
    pieces: list[str] = []
    for each in gone:
        inside = "".join(c if c == "\n" else " " for c in text[each.start : each.end])
        pieces += [text[at : each.start], inside]
        at = each.end
    return "".join([*pieces, text[at:]]).encode("utf-8")


def _in_test(block: Message) -> bool:
    """Whether the layer belongs to the phase TEST, as Caffe's rules say."""
    include, exclude = block.messages("include"), block.messages("exclude")
    if include and exclude:
        raise Unreadable(f"line {block.line}: a layer has include or exclude, not both")
    if include:
        return any(_meets(rule) for rule in include)
    return not any(_meets(rule) for rule in exclude)


def _meets(rule: Message) -> bool:
    for key, value in rule.fields:
        if key not in ("phase", "min_level", "max_level", "stage", "not_stage"):
            raise Unreadable(f"line {value.line}: {key} is no field of a rule")
    low, high = rule.text("min_level", "0"), rule.text("max_level", "0")
    for word in (low, high):
        if not word.lstrip("-").isdigit():
            raise Unreadable(f"line {rule.line}: a level is a whole number, not {word!r}")
    if rule.text("phase", TEST) not in (TEST, "1") or rule.texts("stage"):
        return False
    return int(low) <= 0 and (int(high) >= 0)


def _declared(whole: Message, name: str) -> Iterator[Input]:
    """The inputs that are fields of the net, with their sizes from either form."""
    names = whole.texts("input")
    dims = [_size(each) for each in whole.all("input_dim")]
    shapes = [_dims(each) for each in whole.messages("input_shape")]
    if dims:
        if len(dims) != 4 * len(names):
            raise Unreadable(f"{name} has {len(dims)} input_dim for {len(names)} inputs: give four for each")
        shapes = [tuple(dims[i : i + 4]) for i in range(0, len(dims), 4)]
    if len(shapes) != len(names):
        raise Unreadable(f"{name} has {len(names)} inputs, and sizes of {len(shapes)}: give input_shape for each")
    yield from map(Input, names, shapes)


def _of_layers(blocks: Iterable[Message], name: str) -> Iterator[Input]:
    for block in blocks:
        if block.text("type") != "Input":
            continue
        tops = block.texts("top")
        shapes = [_dims(each) for holder in block.messages("input_param") for each in holder.messages("shape")]
        if len(shapes) == 1:
            shapes *= len(tops)
        if len(shapes) != len(tops) or not tops:
            raise Unreadable(f"{name}, line {block.line}: an Input needs input_param {{ shape {{ dim: ... }} }}")
        yield from map(Input, tops, shapes)


def _dims(shape: Message) -> tuple[int, ...]:
    return tuple(_size(each) for each in shape.all("dim"))


def _size(value: Scalar | Message) -> int:
    if isinstance(value, Message) or not value.text.isdigit() or not 0 < int(value.text[:12]) < 1 << 31:
        shown = "a message" if isinstance(value, Message) else value.text[:24]
        raise Unreadable(f"line {value.line}: the size of an input is a whole number from 1, not {shown}")
    return int(value.text)


def _layer(block: Message, old: bool) -> Layer:
    name, kind = block.text("name"), block.text("type")
    if old and not kind:
        raise Unsupported(
            f"line {block.line} of the prototxt is a layer in the form of Caffe's first months (V0): run Caffe's "
            "upgrade_net_proto_text and upgrade_net_proto_binary over the two files, and give what they write"
        )
    for key, value in block.fields:
        if key not in _LAYER | _OLD and not key.endswith("_param"):
            raise Unsupported(
                f"line {value.line}: {key} is no field of a layer that is known: remove it, or write the layer in the "
                "form that Caffe's upgrade_net_proto_text gives"
            )
    found = kind if not old else V1.get(kind.upper(), kind)
    where = f"the layer {name!r} ({found}, line {block.line} of the prototxt)"
    parameters = Parameters([each for each in block.fields if each[0].endswith("_param")], where)
    return Layer(name, found, tuple(block.texts("bottom")), tuple(block.texts("top")), parameters, block.line)


def _check(inputs: tuple[Input, ...], layers: tuple[Layer, ...], name: str) -> None:
    """Nothing. Raises where blobs have no source, or two; Caffe has no circles, as a layer takes what is above it."""
    names = Counter(each.name for each in layers)
    twice = next((each for each in layers if names[each.name] > 1), None)
    if twice is not None:
        raise Unreadable(f"{name} has two layers called {twice.name!r}: weights go by name, so give each its own")
    known: set[str] = set()
    for each in inputs:
        if not 2 <= len(each.shape) <= MOST_AXES or prod(each.shape) > MOST_NUMBERS:
            shown = " x ".join(map(str, each.shape[:10]))
            raise Unreadable(f"{name} has an input {each.name!r} of {shown}: give 2 to 8 axes, and less than 1 GiB")
        if each.name in known:
            raise Unreadable(f"{name} has two inputs called {each.name!r}: give each its own name")
        known.add(each.name)
    if not inputs and not any(not layer.bottoms for layer in layers):
        raise Unreadable(f"{name} has no input: add a layer of the type Input with its shape")
    for layer in layers:
        _check_blobs(layer, known)


def _check_blobs(layer: Layer, known: set[str]) -> None:
    for bottom in layer.bottoms:
        if bottom not in known:
            raise Unreadable(f"{layer} takes {bottom!r}, which no layer above it gives: layers stand in order")
    for place, top in enumerate(layer.tops):
        in_place = place < len(layer.bottoms) and layer.bottoms[place] == top
        if top in known and not in_place:
            raise Unreadable(f"{layer} gives {top!r}, which a layer above it gives already: give each blob one name")
        known.add(top)
