"""Caffe's architectures at full width and each type of layer, blob by blob beside OpenCV: docs/coverage-caffe.md.

`python -m benchmarks.coverage_caffe [--write] [--width 1.0]`. MLPACK_CAFFE_PEER names the program `caffe2onnx` of the
package caffe-onnx, which is run beside it.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from typing import Any

from ._process import PYTHON, ROOT, answer

PAGE = ROOT / "docs" / "coverage-caffe.md"
PROGRAM = "tests.converters.caffe.run_coverage"
ARCHITECTURES = ("AlexNet", "VGG-16", "GoogLeNet", "ResNet-50", "SSD-300")
SMALL = "small nets"
HEAD = """# Coverage of Caffe

Written by `python -m benchmarks.coverage_caffe --write`; do not edit. Nets with weights made here
([architectures](../tests/converters/caffe/architectures.py), [small nets](../tests/converters/caffe/cases.py)), each
read by OpenCV 4 and by mlpack, and **every blob of every layer** compared on two images: the largest difference,
relative to the largest number of its blob (at least 1). A plain converter, `caffe-onnx` 0.1.2, is run beside it on one
image (its graph in ONNX Runtime, its outputs only; whole architectures at a sixteenth of the width, for it takes
minutes for more weights). The prototxts of the small nets have a batch of two, which it keeps. The tests hold the small
nets and the architectures at that width.
"""


def asked(key: str, width: float) -> Any:
    """The answer of the program for one key; raises `Failed`."""
    return answer([PYTHON, "-m", PROGRAM, key, str(width), os.environ.get("MLPACK_CAFFE_PEER", "")])


def page(width: float, nets: Sequence[Mapping[str, Any]], small: Sequence[Mapping[str, Any]]) -> str:
    """The page of what was measured."""
    right, refused = [each for each in small if not each["why"]], [each for each in small if each["why"]]
    peers = sum(each.get("peer") == "right" for each in right)
    lines = [
        HEAD,
        f"## Architectures, width {width:g}\n",
        "| net | mlpack | blobs compared | parameters | largest error | in | caffe-onnx |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        *map(_net, nets),
        "\n## Types of layers\n",
        f"{len(right)} small nets right (caffe-onnx: {peers}), {len(refused)} refused by name.\n",
        "| net | type | mlpack | largest error | caffe-onnx |",
        "| --- | --- | --- | --- | --- |",
        *map(_right, right),
        "\n## Refused\n\n| net | why |\n| --- | --- |",
        *(f"| {each['name']} | {_cell(each['why'])} |" for each in refused),
    ]
    return "\n".join(lines) + "\n"


def _net(each: Mapping[str, Any]) -> str:
    size = f"{each['parameters'] / 1e6:,.1f} M"
    shown = f"{each['error']:.1e} | {each['at'].rpartition('.')[0]} | {_cell(each['peer'])}"
    return f"| {each['name']} | {_verdict(each['error'])} | {each['blobs']} | {size} | {shown} |"


def _right(each: Mapping[str, Any]) -> str:
    shown = f"{each['error']:.1e} | {_cell(each['peer'])}"
    return f"| {each['name']} | {each['kind']} | {_verdict(each['error'])} | {shown} |"


def _verdict(error: float) -> str:
    return "right" if error < 1e-5 else "WRONG"


def _cell(text: str) -> str:
    return text.replace("|", "/").replace("\n", " ")


def main() -> None:
    """Measures, prints, and writes the page where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write docs/coverage-caffe.md")
    parser.add_argument("--width", type=float, default=1.0, help="the share of the channels")
    given = parser.parse_args()
    text = page(given.width, [asked(name, given.width) for name in ARCHITECTURES], asked(SMALL, 1.0))
    if given.write:
        PAGE.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
