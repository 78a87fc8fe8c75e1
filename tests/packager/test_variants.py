"""A bundle of several variants, sources and parts, assembled by the writer: every command reads it."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlpack_toolkit.converters.artifact import Artifact, File
from mlpack_toolkit.converters.spec import Signature, Table
from mlpack_toolkit.converters.variant import Variant
from mlpack_toolkit.packager.bundle.facts import Proof, variant_facts
from mlpack_toolkit.packager.bundle.golden import Tolerance
from mlpack_toolkit.packager.bundle.reader import Bundle, check_files, open_bundle
from mlpack_toolkit.packager.bundle.writer import write_bundle
from mlpack_toolkit.packager.commands.inspect import inspect
from mlpack_toolkit.packager.commands.predict import predict
from mlpack_toolkit.packager.commands.reproduce import reproduce
from mlpack_toolkit.packager.commands.verify import check_bundle, replay
from mlpack_toolkit.packager.diff import diff
from mlpack_toolkit.packager.diff.text import lines
from mlpack_toolkit.packager.equivalence.runners import Graph, Runner, check_answers
from mlpack_toolkit.packager.equivalence.session import session_of
from mlpack_toolkit.packager.errors import DamagedError, MismatchError, MissingToolError, UsageError
from mlpack_toolkit.packager.original.reload import original_worker
from mlpack_toolkit.runtimes.server.bundle_info import describe
from mlpack_toolkit.runtimes.server.model import Model
from tests.conftest import Run
from tests.make import build_model
from tests.packager.conftest import Made
from tests.seal import seal

CPU = "CPUExecutionProvider"
RECIPE = {"tensorrt": "10.9", "gpu": "sm89"}


@pytest.fixture(scope="module")
def double(flowers: Made, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The same model as a graph of float64."""
    output = tmp_path_factory.mktemp("double")
    return open_bundle(build_model(flowers.model, flowers.example, output, precision="float64").bundle)


@pytest.fixture(scope="module")
def several(flowers: Made, double: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reference of float32, the same in float64, and a file that stands for an engine of another machine."""
    own, place = flowers.bundle, tmp_path_factory.mktemp("several") / "flowers-1.0.0"
    files: dict[str, bytes | Path] = {path: own.read(path) for path in own.listed()}
    files |= {
        "model/double/model.onnx": double.graph.path,
        "model/model.sm89.engine": b"an engine",
        "reports/verification.double.json": double.read("reports/verification.json"),
        "reports/verification.engine.json": own.read("reports/verification.json"),
    }
    proof, looser = double.proof(), own.proof()
    artifact = Artifact(place, "model.sm89.engine", (File("model.sm89.engine", "0" * 64, 9),), "tensorrt")
    numbers = {"weights": "float16", "io": "float32", "provider": "TensorrtExecutionProvider"}
    accelerated = Variant("engine", artifact, own.signature, **numbers, recipe=RECIPE)
    fine = Proof("reports/verification.double.json", proof.tolerances, False)
    engine = Proof("reports/verification.engine.json", looser.tolerances, False)
    variants = {
        **own.facts["variants"],
        "double": variant_facts(replace(double.variant(), name="double"), fine, "model/double"),
        "engine": variant_facts(accelerated, engine),
    }
    evidence = {path: own.read(path) for path in own.evidence}
    write_bundle(place, {**own.facts, "variants": variants}, files, evidence, replay=replay)
    return place


def silent(step: str) -> None:
    """Takes no notice of a step."""


def test_the_variants_as_values(several: Path, double: Bundle) -> None:
    bundle = open_bundle(several)
    assert [variant.name for variant in bundle.variants] == ["reference", "double", "engine"]
    reference, fine, engine = bundle.variants
    assert (reference.weights, reference.io, reference.artifact.main) == ("float32", "float32", "model.onnx")
    assert (fine.weights, fine.signature, fine.artifact.folder) == (
        "float64",
        double.signature,
        several / "model/double",
    )
    assert (engine.weights, engine.io, engine.recipe) == ("float16", "float32", RECIPE)
    assert engine.artifact.format == "tensorrt" and engine.artifact.size == len(b"an engine")
    assert bundle.paths_of("double") == ("model/double/model.onnx",)
    assert bundle.proof("double").tolerances["probabilities"].rtol < bundle.proof().tolerances["probabilities"].rtol
    assert bundle.signature == reference.signature and check_files(bundle) == ()


def test_each_that_can_run_here_is_replayed(several: Path) -> None:
    found = check_bundle(several, (), None, silent)
    cases = len(list(several.glob("golden/*.request.json")))
    assert found["golden"] == {CPU: cases, f"double on {CPU}": cases} and found["variant"] == "reference"
    assert found["not_replayed"] == {"engine": "the variant engine is a file for tensorrt, not for ONNX Runtime"}
    assert found["evidence"] == {"files": 4, "added": []}


def test_one_variant_alone(several: Path, mlpack: Run) -> None:
    code, found, error = mlpack("verify", several, "--variant", "double", "--provider", "cpu")
    assert code == 0 and list(found["golden"]) == [f"double on {CPU}"] and found["variant"] == "double", error
    code, found, _ = mlpack("verify", several, "--variant", "reference")
    assert code == 0 and list(found["golden"]) == [CPU] and found["not_replayed"] == {}
    code, found, error = mlpack("verify", several, "--variant", "int8")
    assert code == 2 and found["error"]["message"].endswith("no variant 'int8'; there is: reference, double, engine")
    code, found, error = mlpack("verify", several, "--provider", "rocm")
    assert code == 2 and all(name in found["error"]["message"] for name in ("'rocm'", "cpu", "cuda", "tensorrt"))
    code, found, error = mlpack("verify", several, "--variant", "engine")
    assert code == 9 and "a file for tensorrt" in found["error"]["message"]
    import onnxruntime

    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        code, found, _ = mlpack("verify", several, "--variant", "double", "--provider", "cuda")
        assert code == 9 and "CUDAExecutionProvider" in found["error"]["message"]


def test_a_variant_is_held_to_tolerances_of_its_own(several: Path, flowers: Made, tmp_path: Path) -> None:
    """The float32 graph in the place of the float64 one: within the reference's tolerance, and far beyond its own."""
    copy = Path(shutil.copytree(several, tmp_path / "copy"))
    plain = json.loads((copy / "manifest.json").read_bytes())["variants"]
    plain["double"]["signature"] = plain["reference"]["signature"]
    shutil.copyfile(copy / "model/model.onnx", copy / "model/double/model.onnx")
    seal(copy, variants=plain)
    assert check_bundle(copy, (), "cpu", silent)["golden"]
    for options in ({"variant": "double"}, {}):
        with pytest.raises(MismatchError, match="the variant double does not answer like the original"):
            check_bundle(copy, (), None, silent, **options)
    plain["double"]["tolerances"] = plain["reference"]["tolerances"]
    seal(copy, variants=plain)
    assert check_bundle(copy, (), None, silent, "double")["golden"]


def test_a_changed_variant_is_damage(several: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(several, tmp_path / "copy"))
    (copy / "model/double/model.onnx").write_bytes(b"changed")
    with pytest.raises(DamagedError, match=r"changed: model/double/model\.onnx"):
        check_bundle(copy, (), None, silent)
    with pytest.raises(DamagedError, match=r"changed: model/double/model\.onnx"):
        session_of(open_bundle(copy), variant="double")


def test_every_other_command_takes_the_reference(several: Path, flowers: Made, tmp_path: Path) -> None:
    lines_of = inspect(several)["variants"]
    assert [line.split(":")[0] for line in lines_of] == ["reference", "double", "engine"]
    assert "float16 weights, float32 values, TensorrtExecutionProvider, model/model.sm89.engine" in lines_of[2]
    assert predict(several, flowers.example, tmp_path / "out.csv")["rows"] == 150
    model = Model(describe(several))
    assert model.identity == open_bundle(several).identity and model.signature == flowers.bundle.signature
    row = np.array([[5.1, 3.5, 1.4, 0.2]], np.float32)
    assert np.array_equal(model.ask({"X": row})["label"], session_of(flowers.bundle).run({"X": row})["label"])


def test_what_differs(several: Path, flowers: Made) -> None:
    found = diff(flowers.folder, several)
    assert found["variants"] == {"added": ["double", "engine"], "removed": [], "changed": {}}
    assert found["bundle"] == [] and found["graph"]["same"]
    text = list(lines(found))
    assert text[2].startswith("=> answers alike") and text[3:6] == ["variants", "  + double", "  + engine"]


def test_options_of_a_provider_are_its_own(several: Path, tmp_path: Path) -> None:
    """They reach ONNX Runtime, which refuses those that it does not know."""
    copy = Path(shutil.copytree(several, tmp_path / "copy"))
    plain = json.loads((copy / "manifest.json").read_bytes())["variants"]
    plain["double"]["options"] = {"no_such_option": 1}
    seal(copy, variants=plain)
    seen: list[Any] = []
    import onnxruntime

    real = onnxruntime.InferenceSession

    def spying(*arguments: Any, **options: Any) -> Any:
        seen.append(options["providers"])
        return real(*arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(onnxruntime, "InferenceSession", spying)
        for variant in ("reference", "double"):
            session_of(open_bundle(copy), variant=variant)
    assert seen == [[(CPU, {})], [(CPU, {"no_such_option": "1"})]]


@pytest.fixture(scope="module")
def mixed(flowers: Made, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sources: one runs in Python, one in R."""
    own, place = flowers.bundle, tmp_path_factory.mktemp("mixed") / "mixed-1"
    document = json.loads(own.read("environment/python/environment.json"))
    other = {"implementation": "R", "version": "4.2.2", "platform": "x86_64-pc-linux-gnu"}
    there = {
        **document,
        "language": "R",
        "interpreter": other,
        "distributions": [{"name": "stats", "version": "4.2.2"}],
    }
    files: dict[str, bytes | Path] = {path: own.read(path) for path in own.listed()}
    files |= {"model/source/rules.rds": b"R", "environment/r/environment.json": json.dumps(there).encode()}
    source = {
        "path": "model/source/rules.rds",
        "framework": "r",
        "title": "glm",
        "part": "r",
        "given": {"object": "fit"},
    }
    facts = {
        **own.facts,
        "sources": [*own.facts["sources"], source],
        "parts": [*own.facts["parts"], {"name": "r", "language": "R", "environment": {"lock": "renv.lock"}}],
    }
    write_bundle(place, facts, files, {path: own.read(path) for path in own.evidence}, replay=replay)
    return place


def test_several_sources_and_parts(mixed: Path, flowers: Made, tmp_path: Path) -> None:
    bundle = open_bundle(mixed)
    assert [(s.path, s.part) for s in bundle.sources][1] == ("model/source/rules.rds", "r")
    assert bundle.sources[1].given == {"object": "fit"} and bundle.sources[0].given == {}
    assert [(p.name, p.folder) for p in bundle.parts] == [("python", "environment/python/"), ("r", "environment/r/")]
    facts = inspect(mixed)
    assert facts["environment"].endswith("; R 4.2.2 x86_64-pc-linux-gnu") and "stats==4.2.2" in facts["distributions"]
    assert facts["model"].endswith(
        "LogisticRegression, glm (sklearn, r), model/source/flowers.joblib, model/source/rules.rds"
    )
    assert check_bundle(mixed, (), None, silent)["golden"]
    found = diff(flowers.folder, mixed)
    assert found["environment"]["parts"] == {"added": ["r"], "removed": [], "changed": {}}
    assert "  + part r" in list(lines(found))
    assert diff(mixed, mixed)["environment"]["parts"]["changed"]["r"]["distributions"]["changed"] == []


def test_the_originals_of_a_mixed_bundle_are_not_run(mixed: Path, tmp_path: Path) -> None:
    """The manifest lists them, and not how they are combined: the sentence names the models, the locks, the way out."""
    said = r"was made of 2 models \(model/source/flowers\.joblib, model/source/rules\.rds\), and its manifest does not"
    with pytest.raises(UsageError, match=said) as caught:
        reproduce(mixed, tmp_path / "again", None, ())
    assert "install environment/python/ and environment/r/ from the lock files there" in str(caught.value)
    assert not list(tmp_path.iterdir())
    with pytest.raises(UsageError, match=said), original_worker(open_bundle(mixed), sys.executable, ()):
        pass


def test_an_unknown_provider_of_a_variant(several: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(several, tmp_path / "copy"))
    plain = json.loads((copy / "manifest.json").read_bytes())["variants"]
    plain["double"]["provider"] = "NoSuchExecutionProvider"
    seal(copy, variants=plain)
    assert "double" in check_bundle(copy, (), None, silent)["not_replayed"]
    with pytest.raises(MissingToolError, match="NoSuchExecutionProvider"):
        check_bundle(copy, (), None, silent, "double")


def test_tolerances_are_values(flowers: Made) -> None:
    proof = flowers.bundle.proof()
    assert proof.report == "reports/verification.json" and not proof.user_tolerance
    assert all(isinstance(each, Tolerance) for each in proof.tolerances.values())


@dataclass(frozen=True)
class Shifted:
    """Answers like another runner, but for a shift of the numbers."""

    other: Runner
    shift: float
    name: str = "a shifted graph"

    @property
    def signature(self) -> Signature:
        return self.other.signature

    def run(self, rows: Table) -> Table:
        answers = self.other.run(rows)
        return {name: v + self.shift if v.dtype.kind == "f" else v for name, v in answers.items()}


def test_whatever_answers_is_held_to_the_recorded_answers(flowers: Made) -> None:
    graph = Graph("the graph", session_of(flowers.bundle))
    for case in (case for case in flowers.bundle.golden() if not case.error):
        allowed = (case.tolerances or {})["probabilities"].atol
        answers = check_answers(Shifted(graph, allowed / 8), case)
        assert answers["probabilities"].shape == case.answers["probabilities"].shape
        if len(answers["label"]):
            said = rf"^{case.identifier} \({case.probe}\): a shifted graph does not answer like the original$"
            with pytest.raises(MismatchError, match=said) as caught:
                check_answers(Shifted(graph, 1e-3), case)
            assert caught.value.facts["worst"][0]["probe"] == case.probe
