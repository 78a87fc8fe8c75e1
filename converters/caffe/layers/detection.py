"""Prior boxes, and the boxes that remain of a detector's answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...spec import Unreadable
from ..building import Known, Site, Value, shown
from ..parameters import Fields

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

CORNER, CENTRE = CODES = ("CORNER", "CENTER_SIZE")
MOST_BOXES = 1 << 20


def prior_box(site: Site) -> list[Value]:
    """The boxes around each place of a blob, and their variances: the same for every image."""
    x, image = site.takes(2)
    fields = site.layer.parameters.of("prior_box_param")
    for name in ("clip", "variance"):
        if not fields.has(name):
            said = "clips boxes and Caffe does not" if name == "clip" else "refuses the net, and Caffe takes 0.1"
            raise site.refused(f"lacks {name}, without which OpenCV {said}: write {name} into the prototxt")
    if len(x.shape) != 4 or len(image.shape) != 4:
        raise site.refused("takes blobs of other than 4 axes")
    rows, columns = site.known(x, 2, "the sizes of its blobs")
    height, width = site.known(image, 2, "the sizes of its blobs")
    boxes = _boxes(site, fields, (rows, columns), (height, width))
    found = site.const(boxes)
    return [Value(found, (1, 2, boxes.shape[2]))]


def _boxes(site: Site, fields: Fields, cells: tuple[int, int], image: tuple[int, int]) -> Array:
    import numpy as np

    sizes = _sizes(site, fields)
    steps = _steps(site, fields, cells, image)
    offset, clip = np.float32(fields.number("offset", 0.5)), fields.flag("clip", False)
    variances = fields.numbers("variance")
    fields.check_all_read()
    if len(variances) not in (1, 4) or min(variances) <= 0:
        raise Unreadable(f"{site.layer} has the variances {variances}: give one or four, all above 0")
    if cells[0] * cells[1] * len(sizes) > MOST_BOXES:
        raise Unreadable(f"{site.layer} makes more than {MOST_BOXES} boxes, as no detector does: mend its sizes")
    y, x = (((np.arange(n, dtype=np.float32) + offset) * step).astype(np.float32) for n, step in zip(cells, steps))
    centre_y, centre_x = (each[..., None] for each in np.meshgrid(y, x, indexing="ij"))
    half = np.array(sizes, np.float32) * np.float32(0.5)
    corners = (centre_x - half[:, 0], centre_y - half[:, 1], centre_x + half[:, 0], centre_y + half[:, 1])
    scales = np.array([image[1], image[0]] * 2, np.float32)
    boxes = (np.stack(corners, -1) / scales).astype(np.float32)
    boxes = boxes.clip(0, 1) if clip else boxes
    both = np.stack([boxes.reshape(-1), np.resize(np.array(variances, np.float32), boxes.size)])
    return both[None]


def _sizes(site: Site, fields: Fields) -> list[tuple[Any, Any]]:
    """Width and height of each box at a place, in the order of Caffe."""
    import numpy as np

    low, high = fields.numbers("min_size"), fields.numbers("max_size")
    if len(low) != 1 or len(high) > 1 or low[0] <= 0 or (high and high[0] <= low[0]):
        raise site.refused("has other than one min_size and at most one larger max_size, which OpenCV does not read")
    least = np.float32(low[0])
    ratios = _ratios(fields)
    sizes = [(least, least)]
    if high:
        middle = np.float32(np.sqrt(least * np.float32(high[0])))
        sizes.append((middle, middle))
    roots = [np.float32(np.sqrt(np.float32(each))) for each in ratios]
    return [*sizes, *((least * root, least / root) for root in roots)]


def _ratios(fields: Fields) -> list[float]:
    flip = fields.flag("flip", True)
    found: list[float] = []
    for ratio in fields.numbers("aspect_ratio"):
        if any(abs(ratio - each) < 1e-6 for each in (1.0, *found)) or ratio <= 0:
            continue
        found += [ratio, 1 / ratio] if flip else [ratio]
    return found


def _steps(site: Site, fields: Fields, cells: tuple[int, int], image: tuple[int, int]) -> list[Any]:
    import numpy as np

    if fields.has("step"):
        steps = [fields.number("step")] * 2
    elif fields.has("step_h") or fields.has("step_w"):
        steps = [fields.number("step_h"), fields.number("step_w")]
    else:
        return [np.float32(np.float32(size) / count) for size, count in zip(image, cells)]
    if min(steps) <= 0:
        raise Unreadable(f"{site.layer} has a step that is not above 0")
    return [np.float32(step) for step in steps]


@dataclass(frozen=True)
class Detector:
    """What a DetectionOutput asks for. `boxes`: how many priors there are."""

    classes: int
    background: int
    shared: bool
    code: str
    top: int
    keep: int
    least: float
    overlap: float
    boxes: int

    @property
    def places(self) -> int:
        """Boxes of an image for each prior: one, or one for each class."""
        return 1 if self.shared else self.classes


def detection_output(site: Site) -> list[Value]:
    """The boxes of all images that are sure enough and cover each other little, those that are surest first.

    As OpenCV does, with rows of zeros behind the last: `[1, 1, images * keep_top_k, 7]`.
    """
    places, scores, priors = site.takes(3)
    asked = _detector(site, priors)
    size = asked.boxes * asked.places * 4, asked.boxes * asked.classes
    if places.shape[1:] != (size[0],) or scores.shape[1:] != (size[1],):
        raise Unreadable(
            f"{site.layer} takes {shown(places.shape)} and {shown(scores.shape)}, and for {asked.boxes} priors of "
            f"{asked.classes} classes it needs {size[0]} and {size[1]} numbers for each image"
        )
    site.notes.append(
        f"{site.layer.name} answers {asked.keep} rows for each image, as OpenCV does: the surest first, rows of zeros "
        "behind the last (Caffe itself orders them by class, and answers no rows of zeros)"
    )
    boxes = _decoded(site, asked, places.name, priors.name)
    chosen = _chosen(site, asked, boxes, scores.name)
    return [Value(_kept(site, asked, scores.name, *chosen), (1, 1, None, 7))]


def _detector(site: Site, priors: Value) -> Detector:
    fields = site.layer.parameters.of("detection_output_param")
    suppression = fields.message("nms_param")
    if not fields.has("confidence_threshold"):
        raise site.refused("lacks confidence_threshold, for which OpenCV takes 0 and Caffe takes all boxes: write it")
    found = Detector(
        fields.integer("num_classes", least=1),
        fields.integer("background_label_id", 0, -1),
        fields.flag("share_location", True),
        fields.word("code_type", CORNER, CODES),
        suppression.integer("top_k", -1, -1),
        fields.integer("keep_top_k", -1, -1),
        fields.number("confidence_threshold"),
        suppression.number("nms_threshold", 0.3),
        site.known(priors, 2, "the number of priors")[0] // 4,
    )
    suppression.check_all_read("eta")
    if fields.flag("variance_encoded_in_target", False):
        raise site.refused(
            "sets variance_encoded_in_target, for which OpenCV wants other priors than Caffe's: remove it"
        )
    if not fields.flag("normalized_bbox", True):
        raise site.refused("has boxes in pixels (normalized_bbox: false), which Caffe's own layer does not know")
    if suppression.number("eta", 1.0) != 1:
        raise site.refused("lowers the overlap as it goes (eta below 1), which OpenCV does not")
    fields.check_all_read("save_output_param", "visualize", "visualize_threshold")
    if found.keep < 1:
        raise site.refused("keeps all boxes (keep_top_k: -1), for which OpenCV has no answer: give a number")
    if found.background < 0 or found.background >= found.classes:
        raise site.refused("has no class of the background: give background_label_id")
    return found


def _decoded(site: Site, asked: Detector, places: str, priors: str) -> list[str]:
    """xmin, ymin, xmax and ymax of all boxes, each `[images, priors, places]`."""
    numbers = site.op("Reshape", places, site.whole([-1, asked.boxes, asked.places, 4]))
    moves = _columns(site, numbers, 3)
    halves = site.graph.ops("Split", (priors, site.whole([1, 1])), 2, stem=site.layer.name, axis=1)
    shaped = [site.op("Reshape", each, site.whole([1, asked.boxes, 1, 4])) for each in halves]
    box, variance = _columns(site, shaped[0], 3), _columns(site, shaped[1], 3)
    moves = [site.op("Mul", move, share) for move, share in zip(moves, variance)]
    if asked.code == CORNER:
        return [site.op("Add", own, move) for own, move in zip(box, moves)]
    half = site.scalar(0.5)
    found = []
    for axis in (0, 1):
        size = site.op("Sub", box[axis + 2], box[axis])
        middle = site.op("Add", box[axis], site.op("Mul", size, half))
        middle = site.op("Add", site.op("Mul", moves[axis], size), middle)
        reach = site.op("Mul", site.op("Mul", site.op("Exp", moves[axis + 2]), size), half)
        found.append((site.op("Sub", middle, reach), site.op("Add", middle, reach)))
    return [found[0][0], found[1][0], found[0][1], found[1][1]]


def _columns(site: Site, value: str, axis: int) -> list[str]:
    """The four numbers along the last axis, without that axis."""
    parts = site.graph.ops("Split", (value, site.whole([1] * 4)), 4, stem=site.layer.name, axis=axis)
    return [site.op("Squeeze", each, site.whole([axis])) for each in parts]


def _chosen(site: Site, asked: Detector, corners: list[str], scores: str) -> tuple[str, str]:
    """The boxes `[images * places, priors, 4]`, and image, class and prior of those that remain, class by class."""
    import numpy as np

    by_class = site.op(
        "Transpose", site.op("Reshape", scores, site.whole([-1, asked.boxes, asked.classes])), perm=[0, 2, 1]
    )
    sure = _only_top(site, asked, by_class)
    background = np.zeros((1, asked.classes, 1), bool)
    background[0, asked.background] = True
    sure = site.op("Where", site.graph.const(background, "bool"), site.scalar(asked.least - 1), sure)
    apart = [site.op("Unsqueeze", site.op("Transpose", each, perm=[0, 2, 1]), site.whole([3])) for each in corners]
    boxes = site.op("Reshape", site.op("Concat", *apart, axis=3), site.whole([-1, asked.boxes, 4]))
    if not asked.shared:
        sure = site.op("Reshape", sure, site.whole([-1, 1, asked.boxes]))
    limits = site.whole([asked.boxes]), site.scalar(asked.overlap), site.scalar(asked.least)
    found = site.op("NonMaxSuppression", boxes, sure, *limits)
    if asked.shared:
        return boxes, found
    joined, _, prior = site.graph.ops("Split", (found, site.whole([1, 1, 1])), 3, stem=site.layer.name, axis=1)
    image, label = (site.op(kind, joined, site.whole([asked.classes])) for kind in ("Div", "Mod"))
    return boxes, site.op("Concat", image, label, prior, axis=1)


def _only_top(site: Site, asked: Detector, scores: str) -> str:
    """The scores, those beyond the surest `top_k` of a class below the threshold: they are left out before boxes are
    compared, which ONNX's own limit does afterwards."""
    if asked.top < 0 or asked.top >= asked.boxes:
        return scores
    top, places = site.graph.ops("TopK", (scores, site.whole([asked.top])), 2, stem=site.layer.name, axis=2)
    none = site.op("Expand", site.scalar(asked.least - 1), site.op("Shape", scores))
    return site.op("ScatterElements", none, places, top, axis=2)


def _kept(site: Site, asked: Detector, scores: str, boxes: str, chosen: str) -> str:
    """The rows of the answer: for each image the surest, one image behind the other, then zeros."""
    split = site.graph.ops("Split", (chosen, site.whole([1, 1, 1])), 3, stem=site.layer.name, axis=1)
    image, label, prior = (site.op("Squeeze", each, site.whole([1])) for each in split)
    all_scores = site.op("Reshape", scores, site.whole([-1, asked.boxes, asked.classes]))
    score = site.op("GatherND", all_scores, _stacked(site, image, prior, label))
    order = _by_image_and_score(site, image, score)
    rank = _rank_in_image(site, order, image, scores)
    fits = site.op("Less", rank, site.whole(asked.keep))
    order = site.op("Compress", order, fits, axis=0)
    image, label, prior, score = (site.op("Gather", each, order) for each in (image, label, prior, score))
    place = image if asked.shared else site.op("Add", site.op("Mul", image, site.whole(asked.classes)), label)
    found = site.op("GatherND", boxes, _stacked(site, place, prior))
    columns = [site.op("Cast", image, to=1), site.op("Cast", label, to=1), score]
    rows = site.op("Concat", *(site.op("Unsqueeze", each, site.whole([1])) for each in columns), found, axis=1)
    return _filled(site, asked, rows, scores)


def _stacked(site: Site, *columns: str) -> str:
    return site.op("Concat", *(site.op("Unsqueeze", each, site.whole([1])) for each in columns), axis=1)


def _by_image_and_score(site: Site, image: str, score: str) -> str:
    """The order of the rows: by falling score, then, without a change among equals, by image."""
    count = site.op("Shape", image)
    _, by_score = site.graph.ops("TopK", (score, count), 2, stem=site.layer.name, axis=0)
    images = site.op("Gather", image, by_score)
    _, by_image = site.graph.ops("TopK", (images, count), 2, stem=site.layer.name, axis=0, largest=0)
    return site.op("Gather", by_score, by_image)


def _rank_in_image(site: Site, order: str, image: str, scores: str) -> str:
    """The place of each row among those of its image, from 0."""
    images = site.op("Gather", image, order)
    zero, one = site.whole(0), site.whole(1)
    there = site.op("Range", zero, site.op("Squeeze", site.op("Shape", scores, start=0, end=1), site.whole([0])), one)
    own = site.op("Equal", site.op("Unsqueeze", images, site.whole([1])), site.op("Unsqueeze", there, site.whole([0])))
    counts = site.op("ReduceSum", site.op("Cast", own, to=7), site.whole([0]), keepdims=0)
    before = site.op("Gather", site.op("CumSum", counts, zero, exclusive=1), images)
    count = site.op("Squeeze", site.op("Shape", images), site.whole([0]))
    return site.op("Sub", site.op("Range", zero, count, one), before)


def _filled(site: Site, asked: Detector, rows: str, scores: str) -> str:
    """The rows with as many of zeros behind them that there are `keep_top_k` for each image."""
    images = site.op("Shape", scores, start=0, end=1)
    wanted = site.op("Mul", images, site.whole([asked.keep]))
    missing = site.op("Sub", wanted, site.op("Shape", rows, start=0, end=1))
    ends = site.op("Concat", site.whole([0, 0]), missing, site.whole([0]), axis=0)
    padded = site.op("Pad", rows, ends, site.scalar(0.0))
    return site.op("Unsqueeze", padded, site.whole([0, 1]))


KNOWN: Known = {"PriorBox": prior_box, "DetectionOutput": detection_output}
