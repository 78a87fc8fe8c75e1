"""Detectors of torchvision while a program is recorded: what they compute in Python from sizes, as operators.

Outside of a recording their own functions stay. Each one here answers as its own one does, for all sizes and counts.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import Any

from ...spec import Unsupported

NAME = "mlpack::suppressed"
TOGETHER = 4000
"""Most numbers of boxes that torchvision suppresses at once, each class moved apart; more go class by class."""
LARGEST = (1 << 63) - 1
_PLACE = "torchvision.models.detection"


@contextmanager
def detectors_recorded() -> Iterator[None]:
    """While a program is recorded, detectors compute with free sizes and with any number of boxes."""
    with ExitStack() as stack:
        for owner, name, value in _replaced():
            stack.callback(setattr, owner, name, getattr(owner, name))
            setattr(owner, name, value)
        yield


def _replaced() -> Iterator[tuple[Any, str, Any]]:
    """Owner, name and replacement: of the modules of torchvision that are in use, and of torch for their heads."""
    functional = sys.modules["torch.nn.functional"]
    yield functional, "_verify_batch_size", _with_values(functional._verify_batch_size)
    boxes = sys.modules.get("torchvision.ops.boxes")
    if boxes is not None:
        suppress = _suppressing(boxes.batched_nms)
        yield from ((owner, "batched_nms", suppress) for owner in (boxes, sys.modules["torchvision.ops"]))
    transform = sys.modules.get(f"{_PLACE}.transform")
    if transform is not None:
        yield transform, "_resize_image_and_masks", _resizing(transform._resize_image_and_masks)
        yield transform, "resize_boxes", _resized_boxes
        heads = sys.modules[f"{_PLACE}.roi_heads"]
        yield transform, "paste_masks_in_image", _pasting(heads)
        yield heads, "heatmaps_to_keypoints", _no_keypoints
        network = transform.GeneralizedRCNNTransform
        yield network, "batch_images", _batching(network.batch_images)
    helpers = sys.modules.get(f"{_PLACE}._utils")
    if helpers is not None:
        yield helpers, "_topk_min", _fewest
        yield helpers.BoxCoder, "decode", _decoded
    poolers = sys.modules.get("torchvision.ops.poolers")
    if poolers is not None:
        yield poolers, "_multiscale_roi_align", _pooling(poolers)
    anchors = sys.modules.get(f"{_PLACE}.anchor_utils")
    if anchors is not None:
        generator = anchors.AnchorGenerator
        yield generator, "set_cell_anchors", _kept(generator.set_cell_anchors)


def _is_known(*sizes: Any) -> bool:
    return all(isinstance(size, int) for size in sizes)


def _with_values(own: Callable[..., Any]) -> Callable[..., Any]:
    """A group of a normalisation has more than one value where one of its known sizes is more than 1."""

    def verified(size: Sequence[Any]) -> None:
        if not any(_is_known(each) and each > 1 for each in (size[0], *size[2:])):
            own(size)

    return verified


def _size_of(value: Any) -> Any:
    """A size of 1 or more that a tensor holds."""
    import torch

    less = (value.to(torch.int64) - 1).item()
    torch._check(less >= 0)
    return less + 1


def _resizing(own: Callable[..., Any]) -> Callable[..., Any]:
    """Images as large as the least and the most side allow, by the numbers of Python, which are float64."""

    def resized(image: Any, least: Any, most: Any, target: Any = None, fixed_size: Any = None) -> Any:
        import torch

        if fixed_size is not None or target is not None or _is_known(*image.shape[-2:]):
            return own(image, least, most, target, fixed_size)
        sides = torch.stack([torch.scalar_tensor(size, dtype=torch.float64) for size in image.shape[-2:]])
        sides = sides * torch.minimum(least / sides.min(), most / sides.max())
        sizes = [_size_of(side) for side in sides]
        found = torch.nn.functional.interpolate(image[None], size=sizes, mode="bilinear", align_corners=False)
        return found[0], target

    return resized


def _batching(own: Callable[..., Any]) -> Callable[..., Any]:
    """Images in one tensor, padded with 0 to the largest of them and to a multiple of the stride."""

    def batched(self: Any, images: Sequence[Any], size_divisible: int = 32) -> Any:
        import torch

        if all(_is_known(*image.shape) for image in images):
            return own(self, images, size_divisible)
        height, width = (_multiple([image.shape[axis] for image in images], size_divisible) for axis in (1, 2))
        padded = [(image, (0, width - image.shape[2], 0, height - image.shape[1])) for image in images]
        return torch.stack([torch.nn.functional.pad(image, sides) for image, sides in padded])

    return batched


def _multiple(sizes: Sequence[Any], stride: int) -> Any:
    """The largest size, up to the next multiple of the stride."""
    import torch

    largest = sizes[0]
    for size in sizes[1:]:
        largest = torch.sym_max(largest, size)
    steps = torch.scalar_tensor(largest + stride - 1, dtype=torch.int64)
    return _size_of(torch.div(steps, stride, rounding_mode="floor")) * stride


def _resized_boxes(boxes: Any, original_size: Sequence[Any], new_size: Sequence[Any]) -> Any:
    """Boxes of an image that has another size now."""
    import torch

    pairs = zip(new_size, original_size)
    ratios = [torch.scalar_tensor(new, dtype=torch.float32) / torch.scalar_tensor(old) for new, old in pairs]
    return boxes * torch.stack([ratios[1], ratios[0], ratios[1], ratios[0]])


def _fewest(input: Any, orig_kval: int, axis: int) -> Any:
    """As many as wanted, or as there are."""
    import torch

    return torch.sym_min(orig_kval, input.shape[axis])


def _decoded(self: Any, rel_codes: Any, boxes: Sequence[Any]) -> Any:
    """Boxes from their codes, of every class; of none as well."""
    import torch

    found = self.decode_single(rel_codes, torch.cat(list(boxes), 0))
    return found.unflatten(1, (found.shape[1] // 4, 4))


def _kept(own: Callable[..., Any]) -> Callable[..., Any]:
    """Anchors of the right type stay as they are."""

    def kept(self: Any, dtype: Any, device: Any) -> None:
        if any(each.dtype != dtype for each in self.cell_anchors):
            own(self, dtype, device)

    return kept


def _pooling(poolers: Any) -> Callable[..., Any]:
    """What is in each box, from the map whose scale fits it."""
    own = poolers._multiscale_roi_align

    def pooled(
        maps: Sequence[Any], boxes: Sequence[Any], size: Any, samples: int, scales: Sequence[float], levels: Any
    ) -> Any:
        import torch

        if len(maps) == 1:
            return own(maps, boxes, size, samples, scales, levels)
        rois, level_of = poolers._convert_to_roi_format(boxes), levels(boxes)
        found = maps[0].new_zeros((rois.shape[0], maps[0].shape[1], *size))
        for level, (each, scale) in enumerate(zip(maps, scales)):
            places = torch.where(level_of == level)[0]
            part = poolers.roi_align(each, rois[places], size, scale, samples)
            found = found.index_put((places,), part.to(found.dtype))
        return found

    return pooled


def _pasting(heads: Any) -> Callable[..., Any]:
    """Masks in the image, each bilinear in its box: by the weight of every cell of the mask in every row and column."""

    def pasted(masks: Any, boxes: Any, img_shape: Sequence[Any], padding: int = 1) -> Any:
        import torch

        masks, scale = heads.expand_masks(masks, padding=padding)
        boxes = heads.expand_boxes(boxes, scale).to(torch.int64)
        rows = _weights(boxes[:, 1], boxes[:, 3], img_shape[0], masks.shape[-1])
        columns = _weights(boxes[:, 0], boxes[:, 2], img_shape[1], masks.shape[-1])
        return (rows @ masks[:, 0] @ columns.transpose(1, 2))[:, None]

    return pasted


def _no_keypoints(maps: Any, rois: Any) -> Any:
    raise Unsupported(
        "torchvision finds keypoints in a loop over the boxes, in a heat map as large as each box, and no graph does: "
        "in your own code (--code), put a function in place of torchvision.models.detection.roi_heads."
        "keypointrcnn_inference that returns the heat maps and their scores, and find the places after the graph"
    )


def _weights(first: Any, last: Any, size: Any, cells: int) -> Any:
    """[boxes, size, cells]: how much of each cell is at each place between first and last; 0 outside."""
    import torch

    places = torch.arange(size)
    step = cells / (last - first + 1).clamp(min=1).to(torch.float32)
    source = step[:, None] * ((places - first[:, None]).to(torch.float32) + 0.5) - 0.5
    apart = source.clamp(0, cells - 1)[..., None] - torch.arange(cells, dtype=torch.float32)
    inside = (places >= first[:, None]) & (places <= last[:, None])
    return torch.where(inside[..., None], (1 - apart.abs()).clamp(min=0), 0.0)


def _suppressing(own: Callable[..., Any]) -> Callable[..., Any]:
    operator(own)

    def suppressed(boxes: Any, scores: Any, idxs: Any, iou_threshold: float) -> Any:
        import torch

        return torch.ops.mlpack.suppressed(boxes, scores, idxs.to(torch.int64), iou_threshold)

    return suppressed


@cache
def operator(own: Callable[..., Any]) -> Any:
    """torchvision's suppression of boxes by class as one operator, whose number of answers is found as it runs."""
    import torch

    def run(boxes: torch.Tensor, scores: torch.Tensor, classes: torch.Tensor, threshold: float) -> torch.Tensor:
        return own(boxes, scores, classes, threshold).clone()  # type: ignore[no-any-return, unused-ignore]

    def shapes(boxes: Any, scores: Any, classes: Any, threshold: float) -> Any:
        return boxes.new_empty((torch.library.get_ctx().new_dynamic_size(),), dtype=torch.int64)

    schema = "(Tensor boxes, Tensor scores, Tensor classes, float threshold) -> Tensor"
    made = torch.library.custom_op(NAME, run, mutates_args=(), schema=schema)
    made.register_fake(shapes)
    return torch.ops.mlpack.suppressed.default


def translations() -> Mapping[Any, Any]:
    """How operators of this file are written in ONNX, of a program that may have them."""
    import torch

    return {torch.ops.mlpack.suppressed.default: _translated} if operator.cache_info().currsize else {}


def _translated(boxes: Any, scores: Any, classes: Any, threshold: float) -> Any:
    """Suppression class by class; few boxes are moved apart by class before, as torchvision does, for it rounds."""
    from onnxscript import opset18 as op

    zero, none = op.Constant(value_floats=[0.0]), op.Constant(value_ints=[0])
    column, infinite = op.Constant(value_ints=[1]), op.Constant(value_floats=[float("-inf")])
    most = op.ReduceMax(op.Concat(op.Reshape(boxes, op.Constant(value_ints=[-1])), zero, axis=0))
    few = op.LessOrEqual(op.Size(boxes), op.Constant(value_int=TOGETHER))
    step = op.Where(few, op.Add(most, op.Constant(value_floats=[1.0])), zero)
    moved = op.Add(boxes, op.Unsqueeze(op.Mul(op.Cast(classes, to=1), step), column))
    known = op.Concat(classes, none, axis=0)
    lowest, highest = (op.Squeeze(each) for each in (op.ReduceMin(known), op.ReduceMax(known)))
    each = op.Range(lowest, op.Add(highest, op.Constant(value_int=1)), op.Constant(value_int=1))
    own = op.Equal(op.Unsqueeze(each, column), op.Unsqueeze(classes, none))
    by_class = op.Where(own, op.Unsqueeze(scores, none), infinite)
    least = op.Constant(value_floats=[-3.4028234663852886e38])
    count, share = op.Constant(value_ints=[LARGEST]), op.Constant(value_floats=[threshold])
    found = op.NonMaxSuppression(op.Unsqueeze(moved, none), op.Unsqueeze(by_class, none), count, share, least)
    places = op.Squeeze(op.Slice(found, op.Constant(value_ints=[2]), op.Constant(value_ints=[3]), column), column)
    marks = op.ConstantOfShape(op.Shape(scores))
    kept = op.ScatterElements(marks, places, op.CastLike(op.Add(op.Mul(places, none), column), marks), axis=0)
    ordered = op.Squeeze(op.NonZero(kept), none)
    _, order = op.TopK(op.Gather(scores, ordered), op.Shape(ordered), axis=0)
    return op.Gather(ordered, order)
