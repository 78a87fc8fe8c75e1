"""Real engines of TensorRT for RTX, made without a GPU: in bundles, made again, refused before anything opens them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from mlpack_toolkit.packager.bundle.proofs import FOLDER as PROOFS
from mlpack_toolkit.packager.bundle.reader import Bundle, open_bundle
from mlpack_toolkit.packager.commands.build import build
from mlpack_toolkit.packager.commands.inspect import inspect
from mlpack_toolkit.packager.commands.predict import predict
from mlpack_toolkit.packager.commands.verify import check_bundle
from mlpack_toolkit.packager.config import build_request
from mlpack_toolkit.packager.engines import card as driver
from mlpack_toolkit.packager.equivalence.session import session_of
from mlpack_toolkit.packager.errors import ConversionError, DamagedError, MissingToolError, UsageError
from tests.conftest import Run
from tests.once import once
from tests.packager.engines.test_recipes import fake
from tests.packager.variants.nets import net, rows
from tests.quick import TENSORRT
from tests.seal import seal

pytestmark = pytest.mark.skipif(
    not TENSORRT, reason="needs TensorRT for RTX: MLPACK_TENSORRT_PYTHON names an interpreter that has it"
)
__all__ = ["fake"]
RTX = "NvTensorRTRTXExecutionProvider"
TOML = """
[build]
model = "net.onnx"
example = "net.npz"
output = "dist"
target = []

[[variant]]
kind = "tensorrt"
name = "engine"
profile = {N = "1:8:64"}
workspace = 256

[[variant]]
kind = "tensorrt"
name = "half"
precision = "fp16"
"""


def convolutions(path: Path) -> Path:
    """A convolution of pictures of any size, pooled."""
    rng = np.random.default_rng(0)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["h"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["h"], ["r"]),
        helper.make_node("GlobalAveragePool", ["r"], ["p"]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("Gemm", ["f", "v"], ["y"]),
    ]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, "H", "W"])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 5])]
    shapes = {"w": (8, 3, 3, 3), "v": (8, 5)}
    held = [numpy_helper.from_array(rng.normal(size=s).astype(np.float32), n) for n, s in shapes.items()]
    graph = helper.make_graph(nodes, "net", inputs, outputs, held)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
    return path


def request(folder: Path, **options: Any) -> Any:
    return build_request(folder / "mlpack.toml", options, _settings())


def _settings() -> tuple[Any, ...]:
    from mlpack_toolkit.packager.options import from_text

    return (from_text(f"tensorrt.python={TENSORRT}"),)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a bundle of two engines below `dist`, and what `--json` prints of it."""

    def fill(folder: Path) -> None:
        net(folder / "net.onnx")
        np.savez(folder / "net.npz", **rows(24, 1))
        (folder / "mlpack.toml").write_text(TOML)
        built = build(request(folder))
        (folder / "built.json").write_text(json.dumps({**built.to_json(), "remarks": built.remarks}))

    return once(tmp_path_factory, "engines", fill)


@pytest.fixture
def bundle(made: Path) -> Bundle:
    return open_bundle(made / "dist" / "net-1.0.0")


@pytest.fixture
def copy(bundle: Bundle, tmp_path: Path) -> Path:
    return Path(shutil.copytree(bundle.place, tmp_path / "copy"))


def test_the_recipe_is_in_the_manifest_and_the_engine_in_the_report(bundle: Bundle, made: Path) -> None:
    engine, half = bundle.variant("engine"), bundle.variant("half")
    reference = [file.sha256 for file in bundle.variant().artifact.files]
    assert engine.recipe == {
        "kind": "tensorrt",
        "flavour": "rtx",
        "version": engine.recipe["version"],
        "precision": "float32",
        "strongly_typed": True,
        "capabilities": ["sm86", "sm89", "sm120"],
        "profiles": {"x": {"min": [1, 16], "opt": [8, 16], "max": [64, 16]}},
        "flags": [],
        "workspace": 256 << 20,
        "network": reference,
        "timing_cache": None,
        "nodes": {"EPContext": 1},
        "put_back": [],
        "parent": reference,
    }
    assert engine.recipe["version"].startswith("1.") and (engine.provider, engine.weights) == (RTX, "float32")
    assert (half.weights, half.io, half.recipe["precision"]) == ("float16", "float32", "fp16")
    assert half.recipe["network"] != reference and half.recipe["parent"] == reference
    assert engine.artifact.main == "model.onnx" and [f.path for f in engine.artifact.files][1:] == ["model.engine"]
    assert [(each.name, each.least, each.most) for each in engine.signature.ranges] == [("N", 1, 64)]
    for name, types in (("engine", {"float"}), ("half", {"half", "float"})):
        report = bundle.json(bundle.proof(name).report)
        assert report["verdict"] == "not proved" and report["inside"]["layers"] > 6
        assert set(report["inside"]["types"]) == types and report["inside"]["kinds"]["matrix_multiply"] == 3
        assert report["inside"]["inputs"] == [{"name": "x", "type": "float", "shape": [-1, 16]}]
    assert bundle.json("reports/variants/half.json")["inside"]["types"]["half"] > 6
    measured = json.loads((bundle.place / "evidence/measurements/variants.json").read_text())
    assert measured["engine"]["latency"] == [] and set(measured["engine"]["engine"]) & {"not_opened", "information"}
    page = (bundle.place / "evidence/report.html").read_text()
    assert "not proved: no provider of the machine" in page and "[1, 16] to [64, 16]" in page
    notes = json.loads((made / "built.json").read_text())["remarks"]
    assert any("`mlpack verify BUNDLE --variant engine --provider tensorrt_rtx`" in note for note in notes)


def test_what_will_hold_them_is_written_down(bundle: Bundle) -> None:
    """Float32 by the reference's tolerance; half precision by its default rule, on rows that the bundle keeps."""
    engine, half = bundle.proof("engine"), bundle.proof("half")
    assert not engine.proved and not half.proved and bundle.proof().proved
    assert engine.tolerances == bundle.proof().tolerances and not engine.gate
    assert (half.gate["metric"], half.gate["limit"], half.gate["rows"]) == ("half", 2**-10, 24)
    assert "value" not in half.gate and half.gate["path"] in bundle.listed("gates/") and not half.tolerances


def test_a_second_build_in_other_processes_gives_the_same_bytes(bundle: Bundle, made: Path, tmp_path: Path) -> None:
    again = build(request(made, output=tmp_path / "again"))
    assert again.identity == bundle.identity


def test_the_engine_is_made_again_from_its_recipe(bundle: Bundle, mlpack: Run, tmp_path: Path) -> None:
    for name in ("engine", "half"):
        place = tmp_path / name
        code, found, error = mlpack("engine", bundle.place, "--variant", name, "-o", place, "--python", TENSORRT)
        assert code == 0 and found["same"] is True, error
        own = bundle.variant(name).artifact
        for file in ("model.engine", "model.onnx"):
            assert (place / file).read_bytes() == (own.folder / file).read_bytes()
    more = ("--python", TENSORRT, "--capability", "sm89")
    code, found, _ = mlpack("engine", bundle.place, "--variant", "engine", "-o", tmp_path / "other", *more)
    assert code == 0 and found["same"] is False and found["recipe"]["capabilities"] == ["sm89"]
    recipe = json.loads((tmp_path / "other" / "recipe.json").read_text())
    assert recipe == {"kind": "tensorrt", **found["recipe"]}
    assert recipe["profiles"] == bundle.variant("engine").recipe["profiles"]
    more = ("--python", TENSORRT, "--capability", "sm90")
    code, found, _ = mlpack("engine", bundle.place, "--variant", "engine", "-o", tmp_path / "none", *more)
    assert code == 4 and "knows no capability SM90" in found["error"]["message"]
    assert not (tmp_path / "none").exists()
    code, found, _ = mlpack("engine", bundle.place, "--variant", "reference", "-o", tmp_path / "none")
    assert code == 2 and "is no engine; there is: engine, half" in found["error"]["message"]
    code, found, _ = mlpack("engine", bundle.place, "--variant", "engine", "-o", tmp_path / "none")
    assert code == 9 and "pip install tensorrt-rtx-cu13" in found["error"]["message"]


def test_onnx_runtimes_form_is_a_graph_to_it(bundle: Bundle) -> None:
    """It resolves against ONNX Runtime's own schema, whose CPU provider then has nothing that runs it."""
    import onnxruntime as ort

    path = bundle.variant("engine").artifact.path
    model = onnx.load(path)
    onnx.checker.check_model(model)
    (node,) = model.graph.node
    values = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    assert values["ep_cache_context"] == b"model.engine" and values["embed_mode"] == 0
    assert values["hardware_architecture"] == b"86" and values["source"] == RTX.encode()
    options = ort.SessionOptions()
    options.log_severity_level = 4
    with pytest.raises(Exception, match=f"EPContext node generated by '{RTX}' is not compatible"):
        ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def test_it_answers_nobody_before_it_is_proved(bundle: Bundle, made: Path, copy: Path, mlpack: Run) -> None:
    facts = check_bundle(bundle.place, (), None, lambda step: None)
    assert facts["variant"] == "reference" and set(facts["not_replayed"]) == {"engine", "half"}
    assert "native code of whoever built the bundle: it runs where you name it" in facts["not_replayed"]["engine"]
    with pytest.raises(UsageError, match=r"not proved on any machine: run `mlpack verify net-1\.0\.0 --variant engine"):
        predict(bundle.place, made / "net.npz", None, "engine")
    line = next(line for line in inspect(bundle.place)["variants"] if line.startswith("engine"))
    assert line.endswith("not proved where it was made; proofs of other machines: none")
    code, found, _ = mlpack("verify", bundle.place, "--variant", "engine", "--provider", "cpu")
    assert code == 9 and f"which {RTX} opens, not CPUExecutionProvider" in found["error"]["message"]
    proof = copy / "evidence" / PROOFS / "verify.engine.tensorrt_rtx.0123456789ab.json"
    proof.parent.mkdir(parents=True)
    proof.write_text("{}")
    line = next(line for line in inspect(copy)["variants"] if line.startswith("engine"))
    assert line.endswith("verify.engine.tensorrt_rtx.0123456789ab.json")


def test_a_flipped_byte_is_noticed_before_anything_opens_it(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlpack_toolkit.packager.equivalence import session

    def opens(*given: Any) -> None:
        raise AssertionError("the driver was asked, or the engine opened")

    engine = copy / "model" / "engine" / "model.engine"
    content = bytearray(engine.read_bytes())
    content[len(content) // 2] ^= 1
    engine.write_bytes(content)
    monkeypatch.setattr(session, "Session", opens)
    monkeypatch.setattr(driver, "card", opens)
    with pytest.raises(DamagedError, match=r"changed: model/engine/model\.engine"):
        session_of(open_bundle(copy), variant="engine")


def test_the_card_is_asked_before_the_engine_is_opened(
    bundle: Bundle, fake: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver, "DRIVER", fake("90"))
    with pytest.raises(MissingToolError, match="--variant engine --capability sm90 -o DIR` makes it again"):
        session_of(bundle, variant="engine")
    monkeypatch.setattr(driver, "DRIVER", fake("89"))
    with pytest.raises(MissingToolError, match=f"no {RTX}: pip install onnxruntime-ep-nv-tensorrt-rtx-cu13"):
        session_of(bundle, variant="engine")


@pytest.fixture
def full(fake: Callable[[str], str], tmp_path: Path) -> Path:
    """An interpreter in which TensorRT for RTX stands in for TensorRT, on a machine with a card of sm89."""
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "tensorrt.py").write_text("from tensorrt_rtx import *\n__version__ = '10.9.0'\n")
    (tmp_path / "driver").mkdir()
    (tmp_path / "driver" / "libcuda.so.1").symlink_to(fake("89"))
    program = tmp_path / "python"
    given = f"PYTHONPATH={tmp_path}/modules LD_LIBRARY_PATH={tmp_path}/driver"
    program.write_text(f'#!/bin/sh\nshift\n{given} exec {TENSORRT} "$@"\n')
    program.chmod(0o755)
    return program


def test_the_full_tensorrt_is_made_by_the_same_code(full: Path, tmp_path: Path, mlpack: Run) -> None:
    """For the card present, with a timing cache that the bundle keeps; a stand-in, as the real one is not on PyPI."""
    net(tmp_path / "net.onnx")
    np.savez(tmp_path / "net.npz", **rows(24, 1))
    variant = f'[[variant]]\nkind = "tensorrt"\nflavour = "tensorrt"\npython = "{full}"\n'
    (tmp_path / "mlpack.toml").write_text(TOML.partition("[[variant]]")[0] + variant)
    bundle = open_bundle(build(build_request(tmp_path / "mlpack.toml", {})).bundle)
    engine = bundle.variant("tensorrt")
    assert engine.provider == "TensorrtExecutionProvider" and engine.options["trt_fp16_enable"] == 0
    assert [file.path for file in engine.artifact.files] == ["model.onnx", "model.engine", "timing.cache"]
    assert (engine.recipe["version"], engine.recipe["capabilities"]) == ("10.9.0", ["sm89"])
    assert engine.recipe["timing_cache"] == engine.artifact.files[2].sha256
    measured = json.loads((bundle.place / "evidence/measurements/variants.json").read_text())["tensorrt"]["engine"]
    assert measured == {"not_opened": "TensorRT does not open it on this card (sm89)"}
    code, found, error = mlpack("engine", bundle.place, "-o", tmp_path / "again", "--python", full)
    assert code == 0 and found["same"] is True and found["recipe"]["capabilities"] == ["sm89"], error
    (tmp_path / "driver" / "libcuda.so.1").unlink()
    code, found, _ = mlpack("engine", bundle.place, "-o", tmp_path / "none", "--python", full)
    assert code == 9 and "TensorRT makes an engine on the card that runs it" in found["error"]["message"]


def _embedded(node: Any) -> None:
    next(a for a in node.attribute if a.name == "embed_mode").i = 1


def _elsewhere(node: Any) -> None:
    next(a for a in node.attribute if a.name == "ep_cache_context").s = b"../../../../tmp/evil.engine"


@pytest.mark.parametrize(
    ("change", "said"), [(_embedded, "it holds native code"), (_elsewhere, "refers to '../../../../tmp/evil.engine'")]
)
def test_another_engine_than_that_of_the_manifest_is_refused(copy: Path, change: Any, said: str) -> None:
    path = copy / "model" / "engine" / "model.onnx"
    model = onnx.load(path)
    change(model.graph.node[0])
    path.write_bytes(model.SerializeToString())
    seal(copy)
    with pytest.raises(DamagedError, match=said):
        session_of(open_bundle(copy), variant="engine")


def test_a_graph_that_is_no_engines_names_no_native_code(copy: Path) -> None:
    shutil.copy(copy / "model" / "engine" / "model.onnx", copy / "model" / "model.onnx")
    shutil.copy(copy / "model" / "engine" / "model.engine", copy / "model" / "model.engine")
    plain = json.loads((copy / "manifest.json").read_bytes())["variants"]
    plain["reference"]["artifact"]["files"].append("model/model.engine")
    seal(copy, variants=plain)
    with pytest.raises(DamagedError, match="it holds native code, which only an engine's own variant names"):
        session_of(open_bundle(copy))


@pytest.mark.parametrize(("field", "value"), [("flags", ["TF32"]), ("version", "; rm"), ("profiles", {"x": {}})])
def test_a_hostile_recipe_stops_every_command(copy: Path, mlpack: Run, field: str, value: Any) -> None:
    plain = json.loads((copy / "manifest.json").read_bytes())["variants"]
    plain["engine"]["recipe"][field] = value
    seal(copy, variants=plain)
    with pytest.raises(DamagedError, match="the variant engine has no recipe of an engine"):
        session_of(open_bundle(copy), variant="engine")
    code, found, _ = mlpack("engine", copy, "--variant", "engine", "-o", copy / "again", "--python", TENSORRT)
    assert code == 8 and field in found["error"]["message"]


def test_a_recipe_of_other_inputs_is_refused(copy: Path, mlpack: Run) -> None:
    plain = json.loads((copy / "manifest.json").read_bytes())["variants"]
    plain["engine"]["recipe"]["profiles"] = {"y": plain["engine"]["recipe"]["profiles"]["x"]}
    seal(copy, variants=plain)
    code, found, _ = mlpack("engine", copy, "--variant", "engine", "-o", copy / "again", "--python", TENSORRT)
    assert code == 8 and "not those of the model's inputs" in found["error"]["message"]


def test_a_convolution_of_free_sizes_and_a_graph_that_tensorrt_lacks(tmp_path: Path) -> None:
    convolutions(tmp_path / "net.onnx")
    np.savez(tmp_path / "net.npz", x=np.random.default_rng(1).normal(size=(5, 3, 12, 10)).astype(np.float32))
    variant = '[[variant]]\nkind = "tensorrt"\nprofile = {H = "8:12:32"}\n'
    (tmp_path / "mlpack.toml").write_text(TOML.partition("[[variant]]")[0] + variant)
    bundle = open_bundle(build(request(tmp_path)).bundle)
    shapes = bundle.variant("tensorrt").recipe["profiles"]["x"]
    assert shapes["min"][:3] == [1, 3, 8] and shapes["opt"][2] == 12 and shapes["max"][2] == 32
    kinds = bundle.json("reports/variants/tensorrt.json")["inside"]["kinds"]
    assert kinds["convolution"] == 1 and kinds["reduce"] + kinds.get("pooling", 0) >= 1
    nodes = [helper.make_node("Gemm", ["x", "w"], ["g"]), helper.make_node("Det", ["square"], ["d"], name="the det")]
    nodes.insert(1, helper.make_node("Reshape", ["g", "shape"], ["square"]))
    nodes.append(helper.make_node("Reshape", ["d", "flat"], ["logits"]))
    constants = {"w": np.eye(16, dtype=np.float32), "shape": np.array([-1, 4, 4]), "flat": np.array([-1, 1])}
    held = [numpy_helper.from_array(values, name) for name, values in constants.items()]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 16])]
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", 1])]
    graph = helper.make_graph(nodes, "net", inputs, outputs, held)
    opsets = [helper.make_opsetid("", 18)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), tmp_path / "net.onnx")
    np.savez(tmp_path / "net.npz", **rows(4, 1))
    (tmp_path / "mlpack.toml").write_text(TOML.partition("[[variant]]")[0] + '[[variant]]\nkind = "tensorrt"\n')
    with pytest.raises(
        ConversionError, match=r"TensorRT for RTX makes no engine of this graph: unsupported node: Det 'the det'"
    ):
        build(request(tmp_path, overwrite=True))
