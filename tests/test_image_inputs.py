"""Models that take images, from a folder of images to answers: build, predict, the server."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto
from PIL import Image

from mlpack_toolkit.converters.spec import Range, Signature, TensorSpec
from mlpack_toolkit.packager.bundle.reader import open_bundle
from mlpack_toolkit.packager.commands.predict import predict
from mlpack_toolkit.packager.data.images import batches
from mlpack_toolkit.packager.errors import ConversionError, MissingToolError, UsageError
from mlpack_toolkit.runtimes import load
from mlpack_toolkit.runtimes.engine.errors import Refusal
from mlpack_toolkit.runtimes.engine.images import pixels_of
from mlpack_toolkit.runtimes.server.bundle_info import describe
from mlpack_toolkit.runtimes.server.model import Model
from mlpack_toolkit.runtimes.server.protocol.openapi import document
from mlpack_toolkit.runtimes.server.protocol.payloads import invocations, v2
from mlpack_toolkit.runtimes.server.protocol.payloads import predict as ask
from mlpack_toolkit.runtimes.server.settings import Settings
from mlpack_toolkit.runtimes.spec import Step
from tests.image_models import SHAPES, encoded, folder_of, graph, noise
from tests.make import build_model
from tests.once import once
from tests.runtimes.server.conftest import serving

IMAGES = {"b.png": noise(seed=1), "a.png": noise(seed=2), "c.png": noise(12, 9, seed=3)}


def means(name: str, order: str = "rgb") -> np.ndarray[Any, Any]:
    found = IMAGES[name].astype(float).mean(axis=(0, 1))
    return found if order == "rgb" else found[::-1]


def built(factory: pytest.TempPathFactory, kind: str, option: str, example: Path) -> Path:
    def fill(folder: Path) -> None:
        model = graph(folder / f"{kind}.onnx", SHAPES[kind])
        build_model(model, example, folder, ("java", "cpp"), name="means", options={"onnx": {"image": option}})

    return once(factory, f"images-{kind}", fill) / "means-1.0.0"


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of images of two sizes."""
    return folder_of(tmp_path_factory.mktemp("pictures") / "all", IMAGES)


@pytest.fixture(scope="session")
def alike(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of images of one size."""
    return folder_of(tmp_path_factory.mktemp("alike") / "alike", {n: IMAGES[n] for n in ("a.png", "b.png")})


@pytest.fixture(scope="session")
def batched(tmp_path_factory: pytest.TempPathFactory, alike: Path) -> Path:
    """A bundle that takes batches of images of any size, channels first, blue first."""
    return built(tmp_path_factory, "nchw", "x:bgr", alike)


@pytest.fixture(scope="session")
def single(tmp_path_factory: pytest.TempPathFactory, alike: Path) -> Path:
    """A bundle that takes one image, channels last."""
    return built(tmp_path_factory, "hwc", "x", alike / "a.png")


def test_the_bundle_says_which_input_is_an_image(batched: Path, single: Path) -> None:
    assert open_bundle(batched).signature.inputs[0].image == "bgr"
    assert open_bundle(batched).facts["sources"][0]["given"] == {"image": "x:bgr"}
    assert open_bundle(single).signature.inputs[0].image == "rgb"
    request = json.loads((batched / "golden" / "case-000.request.json").read_text())
    assert request["inputs"][0]["shape"] == [2, 3, 8, 10]  # pixels, as an image's decoding is no part of the proof


def test_a_folder_in_the_order_of_its_names(batched: Path, pictures: Path, tmp_path: Path) -> None:
    assert predict(batched, pictures, tmp_path / "out.npz")["rows"] == 3
    with np.load(tmp_path / "out.npz") as found:
        assert found["image"].tolist() == ["a.png", "b.png", "c.png"]
        want = np.array([means(name, "bgr") for name in sorted(IMAGES)])
        assert np.allclose(found["mean"], want, rtol=1e-6)
        assert (found["label"] == want.argmax(1)).all()
    predict(batched, pictures, tmp_path / "out.csv")
    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert lines[0].replace('"', "") == "image,mean.0,mean.1,mean.2,label"
    assert [line.partition(",")[0].strip('"') for line in lines[1:]] == sorted(IMAGES)
    predict(batched, pictures, tmp_path / "out.json")
    plain = json.loads((tmp_path / "out.json").read_text())
    assert [row["image"] for row in plain] == sorted(IMAGES)
    assert np.allclose(plain[2]["mean"], means("c.png", "bgr"), rtol=1e-6) and type(plain[2]["label"]) is int


def test_a_model_of_one_image_answers_a_folder_as_objects(single: Path, pictures: Path, tmp_path: Path) -> None:
    predict(single, pictures, tmp_path / "out.json")
    plain = json.loads((tmp_path / "out.json").read_text())
    assert [row["image"] for row in plain] == sorted(IMAGES)
    assert all(np.allclose(row["mean"], means(row["image"]), rtol=1e-6) for row in plain)
    for suffix in ("csv", "npz"):
        with pytest.raises(UsageError, match=r"-o FILE\.json"):
            predict(single, pictures, tmp_path / f"none.{suffix}")
    assert predict(single, pictures / "a.png", tmp_path / "one.npz")["rows"] == 1
    with np.load(tmp_path / "one.npz") as found:
        assert np.allclose(found["mean"], means("a.png"), rtol=1e-6)


def _text(folder: Path) -> None:
    (folder / "notes.txt").write_text("none")


def _folder(folder: Path) -> None:
    (folder / "more.png").mkdir()


def _nothing(folder: Path) -> None:
    (folder / ".hidden.png").write_bytes(b"")


def _damaged(folder: Path) -> None:
    (folder / "z.jpg").write_bytes(b"no image")


def _bomb(folder: Path) -> None:
    (folder / "z.png").write_bytes(encoded(Image.new("1", (12_000, 12_000))))


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (_text, r"holds 'notes.txt', which is no JPEG or PNG file"),
        (_folder, r"holds 'more.png', which is no JPEG or PNG file"),
        (_nothing, "holds no images"),
        (_damaged, r"z\.jpg: the bytes are no JPEG or PNG image"),
        (_bomb, r"z\.png: the image has 12000 x 12000 pixels"),
    ],
)
def test_folders_that_are_refused(make: Callable[[Path], None], why: str, batched: Path, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    make(folder)
    with pytest.raises(UsageError, match=why):
        predict(batched, folder, tmp_path / "out.npz")
    assert not (tmp_path / "out.npz").exists()


def test_without_pillow(batched: Path, alike: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(MissingToolError, match=r"pip install 'mlpack-toolkit\[image-input\]'"):
        predict(batched, alike, tmp_path / "out.npz")


def test_builds_that_are_refused(alike: Path, pictures: Path, tmp_path: Path) -> None:
    floats = graph(tmp_path / "float.onnx", SHAPES["nchw"], TensorProto.FLOAT)
    image = {"onnx": {"image": "x"}}
    with pytest.raises(ConversionError, match="make resize and normalise part of the module"):
        build_model(floats, alike, tmp_path, options=image)
    nchw = graph(tmp_path / "nchw.onnx", SHAPES["nchw"])
    with pytest.raises(UsageError, match="say which input is the image"):
        build_model(nchw, alike, tmp_path)
    with pytest.raises(UsageError, match=r"a\.png has 10 x 8 pixels and c\.png 9 x 12"):
        build_model(nchw, pictures, tmp_path, options=image)
    grey = graph(tmp_path / "grey.onnx", SHAPES["grey"])
    with pytest.raises(ConversionError, match="three channels"):
        build_model(grey, alike, tmp_path, options=image)
    chw = graph(tmp_path / "chw.onnx", SHAPES["chw"])
    with pytest.raises(UsageError, match="one image at a time, and there are 2"):
        build_model(chw, alike, tmp_path, options=image)
    fixed = graph(tmp_path / "fixed.onnx", SHAPES["fixed"])
    with pytest.raises(UsageError):
        build_model(fixed, alike, tmp_path, options=image)


def test_models_that_take_no_folder(alike: Path) -> None:
    x, scale = TensorSpec("x", "uint8", ("N", "h", "w", 3)), TensorSpec("scale", "float32", (1,))
    with pytest.raises(UsageError, match="no input of this model is an image"):
        next(batches(alike, Signature("graph", (x,), (x,))))
    with pytest.raises(UsageError, match="takes 'scale' beside the image"):
        next(batches(alike, Signature("graph", (replace(x, image="rgb"), scale), (x,))))


def test_batches_of_a_fixed_size(pictures: Path, alike: Path) -> None:
    x = TensorSpec("x", "uint8", (2, 3, "h", "w"), image="rgb")
    signature = Signature("graph", (x,), (x,))
    assert [(names, table["x"].shape) for table, names in batches(alike, signature)] == [
        (["a.png", "b.png"], (2, 3, 8, 10))
    ]
    with pytest.raises(UsageError, match=r"2 images of one size at once, and from c\.png on there are fewer"):
        list(batches(pictures, signature))
    few = Signature(
        "graph", (replace(x, shape=("N", 3, "h", "w")),), (replace(x, shape=("N",)),), (), (Range("N", 1, 1),)
    )
    assert [names for _, names in batches(pictures, few)] == [["a.png"], ["b.png"], ["c.png"]]


# The server.

PNG, JPEG = {b"content-type": b"image/png"}, {b"content-type": b"Image/JPEG; x=1"}


@pytest.fixture(scope="module")
def served(batched: Path) -> Iterator[Model]:
    yield Model(describe(batched))


def test_an_image_as_the_body(served: Model, single: Path) -> None:
    body = encoded(IMAGES["c.png"])
    [answer] = json.loads(ask(served, PNG, body, 10).body)
    assert np.allclose(answer["mean"], means("c.png", "bgr"), rtol=1e-6) and set(answer) == {"mean", "label"}
    outputs = {each["name"]: each for each in json.loads(v2(served, PNG, body, 10).body)["outputs"]}
    assert outputs["mean"]["shape"] == [1, 3] and np.allclose(outputs["mean"]["data"], answer["mean"])
    assert json.loads(invocations(served, PNG, body, 10).body) == {"predictions": [answer]}
    jpeg = encoded(IMAGES["c.png"], "JPEG", quality=100, subsampling=0)
    [near] = json.loads(ask(served, JPEG, jpeg, 10).body)
    assert np.allclose(near["mean"], answer["mean"], atol=1)
    [alone] = json.loads(ask(Model(describe(single)), PNG, body, 10).body)
    assert np.allclose(alone["mean"], means("c.png"), rtol=1e-6)


@pytest.mark.parametrize(
    ("kind", "body", "status", "why"),
    [
        (b"image/gif", encoded(noise(), "GIF"), 415, "as image/jpeg or image/png, not as image/gif"),
        (b"image/png", encoded(noise(), "JPEG"), 400, "no PNG image"),
        (b"image/jpeg", encoded(noise()), 400, "no JPEG image"),
        (b"image/png", encoded(noise())[:-30], 400, "cut short or damaged"),
        (b"image/png", b"", 400, "no PNG image"),
        (b"image/png", encoded(Image.new("1", (5000, 4000))), 413, "5000 x 4000 pixels"),
    ],
)
def test_bodies_that_are_refused(served: Model, kind: bytes, body: bytes, status: int, why: str) -> None:
    for answer in (ask, v2, invocations):
        with pytest.raises(Refusal, match=why) as refused:
            answer(served, {b"content-type": kind}, body, 10)
        assert refused.value.status == status


def test_a_server_without_pillow(served: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    body = encoded(noise())
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(Refusal, match="lacks Pillow: send pixels as a tensor") as refused:
        ask(served, PNG, body, 10)
    assert refused.value.status == 415


def test_over_http(batched: Path) -> None:
    """Small bodies are answered in the loop, large ones in a thread; one beyond the limit is refused while it comes."""
    large = noise(300, 300)
    with serving(batched, MLPACK_MAX_BODY=str(1 << 20)) as server:
        for pixels in (IMAGES["a.png"], large):
            answer = server.post("/predict", encoded(pixels), Content_Type="image/png")
            assert answer.status == 200
            assert np.allclose(answer.json[0]["mean"], pixels.astype(float).mean(axis=(0, 1))[::-1], rtol=1e-5)
        assert server.post("/predict", encoded(large)[:-9000], Content_Type="image/png").status == 400
        assert server.post("/predict", encoded(large), Content_Type="image/webp").status == 415
        assert server.post("/predict", bytes(2 << 20), Content_Type="image/png").status == 413
        assert server.post("/predict", encoded(Image.new("1", (5000, 4000))), Content_Type="image/png").status == 413


def test_the_document_offers_images(served: Model) -> None:
    paths = document(served, Settings(), {})["paths"]
    for path in ("/predict", "/invocations", f"/v2/models/{served.name}/infer"):
        assert {"image/png", "image/jpeg"} <= paths[path]["post"]["requestBody"]["content"].keys()


# Java and C++.

JAVA = """package model.means;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

class PicturesTest {
    @Test
    void answersAsPythonDoes() throws Exception {
        Path folder = Path.of("FOLDER");
        try (Means model = Means.open()) {
            for (String line : Files.readAllLines(folder.resolve("expected.tsv"))) {
                String[] words = line.split("\t");
                float[] mean = model.predict(new Inputs(Images.read(folder.resolve(words[0])))).mean().values();
                float[] expected = {Float.parseFloat(words[1]), Float.parseFloat(words[2]), Float.parseFloat(words[3])};
                assertArrayEquals(expected, mean, Float.parseFloat(words[4]), words[0]);
            }
        }
        for (String name : List.of("clear.png", "deep.png", "cmyk.jpg", "short.jpg")) {
            assertThrows(Exception.class, () -> Images.read(folder.resolve(name)), name);
        }
    }
}
"""


def _written(folder: Path) -> Path:
    """Images of every kind that has one meaning, with Python's own means, blue first, and some that have none."""
    exif = Image.Exif()
    exif[0x0112] = 6
    pixels = IMAGES["c.png"]
    smooth = np.clip(np.add.outer(np.arange(32) * 7, np.arange(40)).astype(np.uint8)[..., None] // [1, 2, 3], 0, 255)
    whole = encoded(noise(64, 64), "JPEG")
    files = {
        "rgb.png": encoded(pixels),
        "grey.png": encoded(Image.fromarray(pixels[..., 0])),
        "bits.png": encoded(Image.fromarray(pixels[..., 0] > 127)),
        "palette.png": encoded(Image.fromarray(pixels).quantize(16)),
        "opaque.png": encoded(Image.fromarray(pixels).convert("RGBA")),
        "turned.jpg": encoded(smooth.astype(np.uint8), "JPEG", quality=95, exif=exif),
        "grey.jpg": encoded(Image.fromarray(smooth[..., 0].astype(np.uint8)), "JPEG", quality=95),
        "one.png": encoded(pixels[:1, :1]),
    }
    lines = []
    for name, content in files.items():
        mean = pixels_of(content).astype(float).mean(axis=(0, 1))[::-1]
        lines.append("\t".join([name, *map(str, mean), "1.5" if name.endswith("jpg") else "1e-3"]))
    files |= {"clear.png": encoded(Image.new("RGBA", (2, 2))), "short.jpg": whole[: len(whole) // 2]}
    files |= {"deep.png": encoded(Image.new("I;16", (2, 2))), "cmyk.jpg": encoded(Image.new("CMYK", (2, 2)), "JPEG")}
    for name, content in files.items():
        (folder / name).write_bytes(content)
    (folder / "expected.tsv").write_text("\n".join(lines))
    return folder


@pytest.mark.slow
def test_java_reads_the_same_pixels(batched: Path, tmp_path: Path) -> None:
    project = shutil.copytree(batched / "deploy" / "java", tmp_path / "java")
    test = project / "src/test/java/model/means/PicturesTest.java"
    test.write_text(JAVA.replace("FOLDER", str(_written(tmp_path))))
    follow(load("java").steps(project, tmp_path / "work"), project)
    reports = (tmp_path / "work").rglob("TEST-*.xml")
    assert {"TEST-model.means.PicturesTest.xml", "TEST-model.means.ImagesTest.xml"} <= {p.name for p in reports}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["batched", pytest.param("single", marks=pytest.mark.full)])
def test_cpp_answers_a_ppm(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    bundle: Path = request.getfixturevalue(kind)
    project = shutil.copytree(bundle / "deploy" / "cpp", tmp_path / "cpp")
    follow(load("cpp").steps(project, tmp_path / "work"), project)
    Image.fromarray(IMAGES["c.png"]).save(tmp_path / "c.ppm")
    command = [str(tmp_path / "work" / "cpp" / "means_image"), str(tmp_path / "c.ppm")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    lines = dict(line.split(":") for line in done.stdout.splitlines())
    want = means("c.png", "bgr" if kind == "batched" else "rgb")
    head = "mean [1, 3]" if kind == "batched" else "mean [3]"
    assert np.allclose([float(v) for v in lines[head].split()], want, rtol=1e-4)
    (tmp_path / "bad.ppm").write_bytes(b"P6 3 3 255\nshort")
    done = subprocess.run([command[0], str(tmp_path / "bad.ppm")], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "bad.ppm is cut short" in done.stderr


def follow(steps: Sequence[Step], project: Path) -> None:
    for step in steps:
        environment = {**os.environ, **(step.environment or {})}
        command = (step.tool, *step.arguments)
        done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, timeout=500)
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
