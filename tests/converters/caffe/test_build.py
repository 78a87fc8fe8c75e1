"""Caffe as a user meets it: two files become a bundle, whose answers are those of OpenCV, or a sentence."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from mlpack_toolkit.converters.caffe.preprocessing import read_mean
from mlpack_toolkit.packager.commands.build import Built
from mlpack_toolkit.packager.commands.predict import predict
from mlpack_toolkit.packager.commands.verify import check_bundle
from tests.converters.caffe.cases import n
from tests.converters.caffe.writer import Writer, blob
from tests.make import asked_again, build_model
from tests.warm import run_mlpack

MEAN = np.linspace(90, 130, 3 * 14 * 12, dtype=np.float32).reshape(1, 3, 14, 12)


def classifier(whole: bool = True) -> Writer:
    """A small net of the usual layers; `whole`: with a loss that belongs to training, and a layer OpenCV has not."""
    net = Writer("small").input("data", 1, 3, 12, 10)
    net.layer("c", "Convolution", "data", "c", "convolution_param { num_output: 8 kernel_size: 3 pad: 1 }",
              (n(8, 3, 3, 3), n(8)))  # fmt: skip
    net.layer("bn", "BatchNorm", "c", "c", "", (n(8), abs(n(8)) + 1, np.array([2], np.float32)))
    net.layer("s", "Scale", "c", "c", "scale_param { bias_term: true }", (n(8), n(8))).layer("r", "ReLU", "c", "c")
    net.layer("p", "Pooling", "c", "p", "pooling_param { pool: AVE kernel_size: 3 stride: 2 pad: 1 }")
    net.layer("f", "InnerProduct", "p", "f", "inner_product_param { num_output: 5 }", (n(5, 336) * 0.1, n(5)))
    net.layer("prob", "Softmax", "f", "prob")
    if whole:
        net.layer("loss", "SoftmaxWithLoss", "f", "loss", "include { phase: TRAIN }")
        net.layer("best", "ArgMax", "f", "best", "argmax_param { axis: 1 top_k: 2 }")
    return net


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """A net whose pixels come as images with red first, and channels last."""
    folder = tmp_path_factory.mktemp("caffe")
    path = classifier().write(folder, "small")
    (folder / "mean.binaryproto").write_bytes(blob(MEAN, "legacy"))
    np.save(folder / "x.npy", np.random.default_rng(1).integers(0, 256, (6, 12, 10, 3)).astype(np.uint8))
    mean = read_mean(folder / "mean.binaryproto")
    given = {"image": "data:rgb:nhwc", "mean_file": mean, "scale": 0.02}
    return build_model(path, folder / "x.npy", folder / "dist", options={"caffe": given})


def test_a_net_with_its_preprocessing_becomes_a_bundle(built: Built) -> None:
    """The bundle answers pixels as OpenCV answers what the net gets; signature and report say what happens to them."""
    check_bundle(built.bundle, (), "cpu", lambda line: None)
    (taken,) = built.signature.inputs
    assert (taken.dtype, taken.image, taken.shape) == ("uint8", "rgb", ("N", 12, 10, 3))
    assert {t.name: t.shape for t in built.signature.outputs} == {"prob": ("N", 5), "best": ("N", 2)}
    report = json.dumps(json.loads((built.bundle / "manifest.json").read_text()))
    for said in ("swaps the channels", "subtracts the mean", "by 0.02", "left out: loss", "OpenCV has no layer ArgMax"):
        assert said in report, said
    predict(built.bundle, built.bundle.parent.parent / "x.npy", out := built.bundle.parent / "out.npz")
    answers = np.load(out)
    pixels = np.load(built.bundle.parent.parent / "x.npy")[..., ::-1].transpose(0, 3, 1, 2).astype(np.float32)
    plain = classifier(whole=False)
    net = cv2.dnn.readNetFromCaffe(*(np.frombuffer(each, np.uint8) for each in (plain.text.encode(), plain.binary)))
    net.setInput(np.ascontiguousarray((pixels - MEAN[:, :, 1:13, 1:11]) * np.float32(0.02)))
    want = net.forward()
    np.testing.assert_allclose(answers["prob"], want, rtol=1e-5, atol=1e-6)
    assert answers["best"].tolist() == np.argsort(-want, 1)[:, :2].tolist()


def test_reproduce_asks_opencv_again(built: Built) -> None:
    again = asked_again(built)
    assert again["same_bits"] == again["cases"] > 0


def test_a_detector_becomes_a_bundle(tmp_path: Path) -> None:
    """Boxes over two feature maps; the batch is no batch of rows, as the boxes of all images are one list."""
    net = Writer("detector").input("data", 1, 3, 24, 24)
    net.layer("c", "Convolution", "data", "c", "convolution_param { num_output: 6 kernel_size: 3 stride: 3 }",
              (n(6, 3, 3, 3) * 0.003, n(6)))  # fmt: skip
    net.layer("p", "Pooling", "c", "p", "pooling_param { kernel_size: 2 stride: 2 }")
    parts = []
    for blob_name, size in (("c", 6), ("p", 12)):
        for kind, count, first in (("loc", 4, 0), ("conf", 3, 6)):
            biases = np.zeros(count, np.float32)
            biases[0] = first
            name = f"{blob_name}_{kind}"
            net.layer(
                name,
                "Convolution",
                blob_name,
                name,
                f"convolution_param {{ num_output: {count} kernel_size: 1 }}",
                (n(count, 6, 1, 1), biases),
            )
            net.layer(
                f"{name}_perm", "Permute", name, f"{name}_perm", "permute_param { order: 0 order: 2 order: 3 order: 1 }"
            )
            net.layer(f"{name}_flat", "Flatten", f"{name}_perm", f"{name}_flat")  # fmt: skip
        parts.append(f"{blob_name}_prior")
        net.layer(parts[-1], "PriorBox", f"{blob_name} data", parts[-1],
                  f"prior_box_param {{ min_size: {size} clip: false variance: 0.1 }}")  # fmt: skip
    net.layer("loc", "Concat", "c_loc_flat p_loc_flat", "loc").layer(
        "conf", "Concat", "c_conf_flat p_conf_flat", "conf"
    )
    net.layer("prior", "Concat", " ".join(parts), "prior", "concat_param { axis: 2 }")
    net.layer("rows", "Reshape", "conf", "rows", "reshape_param { shape { dim: 0 dim: -1 dim: 3 } }")
    net.layer("shares", "Softmax", "rows", "shares", "softmax_param { axis: 2 }").layer(
        "flat", "Flatten", "shares", "flat"
    )
    text = (
        "num_classes: 3 share_location: true background_label_id: 0 code_type: CENTER_SIZE "
        "nms_param { nms_threshold: 0.45 top_k: 20 } keep_top_k: 10 confidence_threshold: 0.3"
    )
    net.layer("boxes", "DetectionOutput", "loc flat prior", "boxes", f"detection_output_param {{ {text} }}")
    np.save(tmp_path / "x.npy", np.random.default_rng(7).integers(0, 256, (2, 3, 24, 24)).astype(np.uint8))
    given = {"caffe": {"image": "data:bgr", "mean": "104,117,123"}}
    built = build_model(net.write(tmp_path, "detector"), tmp_path / "x.npy", tmp_path / "dist", options=given)
    assert built.signature.inputs[0].shape == ("images", 3, 24, 24) and not built.signature.has_rows
    assert built.signature.outputs[0].shape == (1, 1, "rows", 7)
    case = json.loads(next((built.bundle / "golden").glob("*.response.json")).read_text())
    rows = np.array(case["outputs"][0]["data"], np.float64).reshape(-1, 7)
    assert (rows[:, 2] > 0).sum() > 2 and len(rows) % 10 == 0 and set(rows[rows[:, 2] > 0][:, 1]) <= {1, 2}


def test_an_example_of_bytes_for_a_net_of_floats(tmp_path: Path) -> None:
    """Without `caffe.image` the net takes floats, though the images of the example are bytes."""
    np.save(tmp_path / "x.npy", np.random.default_rng(1).integers(0, 256, (4, 3, 12, 10)).astype(np.uint8))
    built = build_model(classifier(whole=False).write(tmp_path, "plain"), tmp_path / "x.npy", tmp_path / "dist")
    assert [(t.dtype, t.image) for t in built.signature.inputs] == [("float32", "")]
    assert check_bundle(built.bundle, (), "cpu", lambda line: None)["golden"]["CPUExecutionProvider"] > 3


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        (lambda text: text.replace("Softmax", "RoiAlign"), 4, "of a type that has no converter"),
        (lambda text: text.replace("kernel_size: 3", "kernel_size: -3", 1), 3, "a whole number from 1"),
        (lambda text: text + "layer { " * 999, 3, "nested more than 32 deep"),
    ],
)
def test_a_net_that_is_refused_has_an_exit_code_and_a_sentence(
    change: object, code: int, said: str, tmp_path: Path
) -> None:
    assert callable(change)
    path = classifier(whole=False).write(tmp_path)
    path.write_text(change(path.read_text()))
    np.save(tmp_path / "x.npy", np.zeros((2, 3, 12, 10), np.float32))
    done = run_mlpack("build", path, "--example", "x.npy", "-o", "dist", cwd=tmp_path)
    assert done.returncode == code and said in done.stderr and "Traceback" not in done.stderr, done.stderr
    assert done.stderr.count("mlpack: ") == 1


def test_inspect_loads_nothing(tmp_path: Path) -> None:
    done = run_mlpack("inspect", classifier().write(tmp_path), "--json", cwd=tmp_path)
    found = json.loads(done.stdout.splitlines()[-1])
    assert done.returncode == 0 and "Convolution: 1" in json.dumps(found) and "net.caffemodel" in json.dumps(found)
