"""The command line as outsiders call it: in a process of its own, by exit code and by the JSON on the last line."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlpack_toolkit.packager import cli, output
from tests.warm import run_mlpack

ROOT = Path(__file__).parent.parent
KINDS = {
    2: ("UsageError",),
    3: ("ModelError", "UntrustedError"),
    4: ("ConversionError",),
    5: ("MismatchError",),
    6: ("LatencyError",),
    8: ("DamagedError",),
    9: ("MissingToolError",),
}


@dataclass(frozen=True)
class Done:
    """How a command ended; `last`: the object on the last line of standard output."""

    code: int
    last: dict[str, Any]
    out: str
    err: str


def call(folder: Path, *arguments: object, environment: dict[str, str] | None = None) -> Done:
    """Runs `mlpack ARGUMENTS --json` in the folder; the processes start the quick way of the tests."""
    return _done(run_mlpack(*arguments, "--json", cwd=folder, environment=environment, timeout=300))


def _done(done: subprocess.CompletedProcess[str]) -> Done:
    lines = done.stdout.splitlines()
    return Done(done.returncode, json.loads(lines[-1]) if lines else {}, done.stdout, done.stderr)


def assert_fails(done: Done, code: int, *words: str) -> None:
    """It stopped with that code, said why in a sentence, and showed no traceback."""
    assert done.code == code, (done.code, done.out, done.err)
    error = done.last["error"]
    assert error["exit"] == code and error["kind"] in KINDS[code]
    assert len(error["message"]) > 10
    assert f"mlpack: {error['message']}" in done.err
    assert "Traceback" not in done.out + done.err
    for word in words:
        assert word in error["message"], error["message"]


def _frame(rows: int = 40) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame({"height": rng.normal(size=rows), "weight": rng.normal(size=rows)})


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `model.joblib`, `rows.parquet`, `rows.csv`, and the bundle `dist/model-1.0.0` made of them."""
    import joblib
    from sklearn.linear_model import LogisticRegression

    folder = tmp_path_factory.mktemp("shelf")
    x = _frame()
    size = (x["height"] > 0).map({True: "tall", False: "small"})
    joblib.dump(LogisticRegression().fit(x, size), folder / "model.joblib")
    x.to_parquet(folder / "rows.parquet")
    x.to_csv(folder / "rows.csv", index=False)
    done = _done(plain(folder, "build", "model.joblib", "--example", "rows.parquet", "--json"))
    assert done.code == 0, done.err
    (folder / "built.json").write_text(json.dumps(done.last))
    return folder


def test_build_prints_what_it_made(shelf: Path) -> None:
    facts = json.loads((shelf / "built.json").read_text())
    assert set(facts) == {"bundle", "identity", "signature", "verification", "latency"}
    assert facts["bundle"] == "dist/model-1.0.0" and facts["identity"].startswith("sha256:")
    assert [t["name"] for t in facts["signature"]["inputs"]] == ["height", "weight"]
    assert [t["name"] for t in facts["signature"]["outputs"]] == ["label", "probabilities"]
    assert facts["signature"]["classes"] == ["small", "tall"]
    assert facts["verification"]["mismatches"] == 0 and facts["verification"]["rows"] > 40
    assert [b["batch"] for b in facts["latency"]["graph"]] == [1, 8, 64, 1000]


@pytest.mark.parametrize(
    ("command", "keys"),
    [
        (("verify", "dist/model-1.0.0"), {"bundle", "identity", "files", "golden"}),
        (("bench", "dist/model-1.0.0", "--seconds", "0.01"), {"graph", "machine", "threads"}),
        (("inspect", "dist/model-1.0.0"), {"bundle", "identity", "inputs", "outputs", "classes"}),
        (("inspect", "model.joblib"), {"file", "kind", "root", "imports"}),
        (("predict", "dist/model-1.0.0", "rows.csv", "-o", "out/answers.parquet"), {"rows", "output"}),
        (("doctor",), {"checks"}),
    ],
)
def test_every_command_ends_in_one_object(shelf: Path, command: tuple[str, ...], keys: set[str]) -> None:
    done = call(shelf, *command)
    assert done.code == 0, done.err
    assert keys <= set(done.last)
    assert len(done.out.splitlines()) == 1


@pytest.mark.parametrize("suffix", ["csv", "parquet", "npz", "json"])
def test_predict_answers_every_row_in_order(shelf: Path, tmp_path: Path, suffix: str) -> None:
    import joblib

    done = call(shelf, "predict", "dist/model-1.0.0", "rows.parquet", "-o", tmp_path / f"out.{suffix}")
    assert done.code == 0 and done.last["rows"] == 40, done.err
    model, x = joblib.load(shelf / "model.joblib"), pd.read_parquet(shelf / "rows.parquet")
    got = _read(tmp_path / f"out.{suffix}")
    assert list(got) == ["label", "probability.small", "probability.tall"]
    assert list(got["label"]) == list(model.predict(x))
    np.testing.assert_allclose(got["probability.tall"], model.predict_proba(x)[:, 1], rtol=1e-5)


def _read(path: Path) -> Any:
    readers: dict[str, Callable[[Path], Any]] = {
        ".csv": pd.read_csv,
        ".parquet": pd.read_parquet,
        ".json": pd.read_json,
        ".npz": lambda p: dict(np.load(p)),
    }
    return readers[path.suffix](path)


def test_exit_3_a_pickle_that_runs_code(shelf: Path, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    (tmp_path / "evil.pkl").write_bytes(b"cos\nsystem\n(S'touch " + str(mark).encode() + b"'\ntR.")
    done = call(shelf, "build", tmp_path / "evil.pkl", "--example", "rows.csv")
    assert_fails(done, 3, "os.system")
    assert done.last["error"]["kind"] == "UntrustedError" and done.last["error"]["names"] == ["os.system"]
    assert call(shelf, "inspect", tmp_path / "evil.pkl").last["not on the allow-list"] == ["os.system"]
    assert not mark.exists()


def test_exit_4_no_faithful_converter(tmp_path: Path) -> None:
    import joblib
    from sklearn.decomposition import NMF

    joblib.dump(NMF(2).fit(_frame(8).abs()), tmp_path / "m.joblib")
    _frame(8).abs().to_csv(tmp_path / "x.csv", index=False)
    assert_fails(call(tmp_path, "build", "m.joblib", "--example", "x.csv"), 4, "NMF", "tol=0")
    assert not (tmp_path / "dist").exists()


def test_exit_5_numbers_differ(shelf: Path, tmp_path: Path) -> None:
    strict = ("--precision", "float32", "--rtol", "0", "--atol", "0", "-o", tmp_path / "dist")
    done = call(shelf, "build", "model.joblib", "--example", "rows.csv", *strict)
    assert_fails(done, 5, "probe rows")
    assert {"probe", "inputs", "expected", "got"} <= set(done.last["error"]["worst"][0])
    assert not list(tmp_path.rglob("*"))


def test_keep_failed_keeps_what_was_made(shelf: Path, tmp_path: Path) -> None:
    strict = ("--precision", "float32", "--rtol", "0", "--atol", "0", "--keep-failed", "-o", tmp_path / "dist")
    done = call(shelf, "build", "model.joblib", "--example", "rows.csv", *strict)
    assert_fails(done, 5)
    kept = Path(done.last["error"]["kept"])
    assert (kept / "model.float32.onnx").is_file() and (kept / "error.json").is_file()


def test_exit_6_a_latency_gate(shelf: Path, tmp_path: Path) -> None:
    gate = ("--max-p99", "0.0000001", "-o", tmp_path / "dist")
    assert_fails(call(shelf, "build", "model.joblib", "--example", "rows.csv", *gate), 6, "p99")
    assert not list(tmp_path.rglob("*"))


@pytest.fixture
def copy(shelf: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(shelf / "dist" / "model-1.0.0", tmp_path / "copy"))


def test_exit_8_a_changed_file(copy: Path) -> None:
    with (copy / "sbom.cdx.json").open("ab") as file:
        file.write(b" ")
    assert_fails(call(copy.parent, "verify", "copy"), 8, "changed: sbom.cdx.json")


def test_exit_8_a_missing_and_an_extra_file(copy: Path) -> None:
    (copy / "golden" / "case-000.request.json").rename(copy / "golden" / "case-zzz.request.json")
    done = call(copy.parent, "verify", "copy")
    assert_fails(done, 8, "missing: golden/case-000.request.json", "extra: golden/case-zzz.request.json")


def plain(folder: Path, *arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs `mlpack ARGUMENTS` in the folder."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    command = [sys.executable, "-m", "mlpack_toolkit", *map(str, arguments)]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)


def test_alone_it_prints_its_help(tmp_path: Path) -> None:
    done = plain(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == plain(tmp_path, "--help").stdout
    assert "Begin with: mlpack build model.joblib --example rows.csv" in done.stdout
    assert all(f"  {name} " in done.stdout for name in cli.cli.commands)


def test_help_names_every_target_and_kind(tmp_path: Path) -> None:
    from mlpack_toolkit import runtimes
    from mlpack_toolkit.packager import images

    for command, names in (("build", runtimes.names()), ("verify", runtimes.names()), ("image", images.names())):
        shown = " ".join(plain(tmp_path, command, "--help").stdout.split())
        assert f"({', '.join(names)})" in shown


def test_help_imports_no_targets_and_is_quick(tmp_path: Path) -> None:
    heavy = "{'runtimes', 'converters', 'numpy', 'onnx'}"
    code = f"import sys; from mlpack_toolkit.packager import cli; print({heavy} & "
    code += "{part for m in sys.modules for part in m.removeprefix('mlpack_toolkit.').split('.')[:1]})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "set()", done.stderr
    before = os.times()
    assert plain(tmp_path, "--help").returncode == 0
    after = os.times()
    assert after.children_user + after.children_system - before.children_user - before.children_system < 0.5


@pytest.mark.parametrize("command", ["verify", "bench", "serve", "image", "predict", "reproduce", "diff"])
def test_a_file_is_no_bundle(command: str, shelf: Path, tmp_path: Path) -> None:
    more = {"predict": ("rows.csv",), "reproduce": ("--into", tmp_path / "again"), "diff": ("rows.parquet",)}
    done = call(shelf, command, "rows.parquet", *more.get(command, ()))
    assert_fails(done, 2, "rows.parquet is not a bundle")


def test_an_output_that_takes_no_folders_is_said_before_the_work(shelf: Path, tmp_path: Path) -> None:
    """The system's own folder lets its owner write by its mode, and takes nothing; the model here would be refused."""
    (tmp_path / "model.joblib").write_bytes(b"")
    done = call(shelf, "build", tmp_path / "model.joblib", "--example", "rows.csv", "-o", "/proc/x")
    assert_fails(done, 2, "cannot be written: /proc is not a folder that you may write to")


def test_a_missing_example_is_said_before_the_bundle_that_is_there(shelf: Path) -> None:
    done = call(shelf, "build", "model.joblib", "--example", "none.csv", "-o", "dist")
    assert_fails(done, 2, "there is no file none.csv")


LOCALES = [{"LC_ALL": "C"}, {"LANG": "C", "LC_ALL": "", "PYTHONCOERCECLOCALE": "0"}, {"LC_ALL": "xx_XX.ISO-8859-1"}]


@pytest.mark.parametrize("locale", LOCALES, ids=lambda locale: " ".join(locale))
def test_a_name_that_is_not_ascii_in_a_plain_locale(locale: dict[str, str], shelf: Path, tmp_path: Path) -> None:
    shutil.copy(shelf / "model.joblib", tmp_path / "modèle 日本.joblib")
    shutil.copy(shelf / "rows.csv", tmp_path / "données.csv")
    given = ("build", "modèle 日本.joblib", "--example", "données.csv", "-o", "sortie é", "--target", "cpp")
    done = call(tmp_path, *given, environment=locale)
    assert done.code == 0, done.err
    assert (tmp_path / done.last["bundle"] / "model" / "source" / "modèle 日本.joblib").is_file()
    assert call(tmp_path, "verify", done.last["bundle"], environment=locale).code == 0
    absent = call(tmp_path, "build", "été.joblib", "--example", "données.csv", environment=locale)
    assert_fails(absent, 2, "there is no model file été.joblib")


def test_a_name_that_is_no_text(shelf: Path, tmp_path: Path) -> None:
    name = os.fsdecode(b"mod\xe8le.joblib")
    shutil.copy(shelf / "model.joblib", tmp_path / name)
    shutil.copy(shelf / "rows.csv", tmp_path / "rows.csv")
    assert_fails(call(tmp_path, "build", name, "--example", "rows.csv"), 2, "is not UTF-8: rename the file")
    ascii_only = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    shutil.copy(shelf / "model.joblib", tmp_path / "été.joblib")
    done = call(tmp_path, "build", "été.joblib", "--example", "rows.csv", environment=ascii_only)
    assert_fails(done, 2, "set PYTHONUTF8=1")


def test_exit_9_no_such_interpreter_and_no_such_tool(shelf: Path, tmp_path: Path) -> None:
    options = ("--python", "/no/such/python", "-o", tmp_path / "dist")
    assert_fails(call(shelf, "build", "model.joblib", "--example", "rows.csv", *options), 9, "/no/such/python")
    bare = {"PATH": str(tmp_path)}
    done = call(shelf, "verify", "dist/model-1.0.0", "--target", "java", environment=bare)
    assert_fails(done, 9, "mvn", "apt-get install")


BUNDLE = "dist/model-1.0.0"
BAD: dict[str, tuple[int, tuple[str, ...]]] = {
    "no such command": (2, ("biuld",)),
    "no such option": (2, ("build", "model.joblib", "--exmaple", "rows.csv")),
    "no model": (2, ("build", "--example", "rows.csv")),
    "no example": (2, ("build", "model.joblib")),
    "missing model": (2, ("build", "none.joblib", "--example", "rows.csv")),
    "missing example": (2, ("build", "model.joblib", "--example", "none.csv")),
    "folder as model": (2, ("build", "folder", "--example", "rows.csv")),
    "folder as example": (2, ("build", "model.joblib", "--example", "folder")),
    "folder named as a csv": (2, ("build", "model.joblib", "--example", "folder.csv")),
    "empty model": (3, ("build", "empty.joblib", "--example", "rows.csv")),
    "empty model without a known suffix": (3, ("build", "empty.bin", "--example", "rows.csv")),
    "random bytes as joblib": (3, ("build", "random.joblib", "--example", "rows.csv")),
    "random bytes as pickle": (3, ("build", "random.pkl", "--example", "rows.csv")),
    "random bytes as onnx": (3, ("build", "random.onnx", "--example", "rows.csv")),
    "random bytes as skops": (3, ("build", "random.skops", "--example", "rows.csv")),
    "random bytes as ubj": (3, ("build", "random.ubj", "--example", "rows.csv")),
    "text as a model": (3, ("build", "rows.csv", "--example", "rows.csv")),
    "json as a model": (3, ("build", "list.json", "--example", "rows.csv")),
    "truncated joblib": (3, ("build", "truncated.joblib", "--example", "rows.csv")),
    "truncated compressed joblib": (3, ("build", "truncated.gz.joblib", "--example", "rows.csv")),
    "truncated zip": (3, ("build", "truncated.skops", "--example", "rows.csv")),
    "pickle of no model": (4, ("build", "dict.pkl", "--example", "rows.csv")),
    "unfitted model": (3, ("build", "unfitted.joblib", "--example", "rows.csv")),
    "empty example": (2, ("build", "model.joblib", "--example", "empty.csv")),
    "example of a head alone": (2, ("build", "model.joblib", "--example", "head.csv")),
    "example lacks a column": (2, ("build", "model.joblib", "--example", "narrow.csv")),
    "example with text for numbers": (2, ("build", "model.joblib", "--example", "text.csv")),
    "ragged csv": (2, ("build", "model.joblib", "--example", "ragged.csv")),
    "latin-1 csv": (2, ("build", "model.joblib", "--example", "latin.csv")),
    "random bytes as csv": (2, ("build", "model.joblib", "--example", "random.csv")),
    "random bytes as parquet": (2, ("build", "model.joblib", "--example", "random.parquet")),
    "random bytes as npz": (2, ("build", "model.joblib", "--example", "random.npz")),
    "random bytes as npy": (2, ("build", "model.joblib", "--example", "random.npy")),
    "empty npy": (2, ("build", "model.joblib", "--example", "empty.npy")),
    "objects in npy": (2, ("build", "model.joblib", "--example", "objects.npy")),
    "three dimensions in npy": (2, ("build", "model.joblib", "--example", "cube.npy")),
    "complex numbers in npy": (2, ("build", "model.joblib", "--example", "complex.npy")),
    "random bytes as json": (2, ("build", "model.joblib", "--example", "random.json")),
    "a number as json": (2, ("build", "model.joblib", "--example", "number.json")),
    "ragged rows as json": (2, ("build", "model.joblib", "--example", "ragged.json")),
    "columns of unequal length as json": (2, ("build", "model.joblib", "--example", "unequal.json")),
    "nested cells as json": (2, ("build", "model.joblib", "--example", "nested.json")),
    "half a request as json": (2, ("build", "model.joblib", "--example", "request.json")),
    "unknown suffix": (2, ("build", "model.joblib", "--example", "empty.bin")),
    "version that climbs": (2, ("build", "model.joblib", "--example", "rows.csv", "--version", "../x")),
    "empty version": (2, ("build", "model.joblib", "--example", "rows.csv", "--version", "")),
    "no such target": (2, ("build", "model.joblib", "--example", "rows.csv", "--target", "cobol")),
    "no such precision": (2, ("build", "model.joblib", "--example", "rows.csv", "--precision", "float8")),
    "tolerance in words": (2, ("build", "model.joblib", "--example", "rows.csv", "--rtol", "little")),
    "no such code folder": (2, ("build", "model.joblib", "--example", "rows.csv", "--code", "none")),
    "file as output": (2, ("build", "model.joblib", "--example", "rows.csv", "-o", "rows.csv")),
    "output below a file": (2, ("build", "model.joblib", "--example", "rows.csv", "-o", "rows.csv/dist")),
    "the bundle is there already": (2, ("build", "model.joblib", "--example", "rows.csv")),
    "there is no lock file": (2, ("build", "model.joblib", "--example", "rows.csv", "--lock", "nowhere.lock")),
    "missing configuration": (2, ("build", "--config", "none.toml")),
    "garbage configuration": (2, ("build", "--config", "random.csv")),
    "configuration of an unknown key": (2, ("build", "--config", "unknown.toml")),
    "configuration of a wrong type": (2, ("build", "--config", "wrong.toml")),
    "configuration without a table": (2, ("build", "--config", "flat.toml")),
    "verify nothing": (2, ("verify", "none")),
    "verify a file": (2, ("verify", "rows.csv")),
    "verify a folder": (2, ("verify", "folder")),
    "verify a garbage manifest": (8, ("verify", "garbage")),
    "verify a list for a manifest": (8, ("verify", "listed")),
    "verify no such target": (2, ("verify", BUNDLE, "--target", "cobol")),
    "inspect nothing": (2, ("inspect", "none")),
    "inspect an empty file": (3, ("inspect", "empty.joblib")),
    "inspect a garbage manifest": (8, ("inspect", "garbage")),
    "bench a folder": (2, ("bench", "folder")),
    "bench for no time": (2, ("bench", BUNDLE, "--seconds", "-1")),
    "predict nothing": (2, ("predict", BUNDLE, "none.csv")),
    "predict lacks a column": (2, ("predict", BUNDLE, "narrow.csv")),
    "predict text for numbers": (2, ("predict", BUNDLE, "text.csv")),
    "predict a latin-1 csv": (2, ("predict", BUNDLE, "latin.csv")),
    "predict an empty csv": (2, ("predict", BUNDLE, "empty.csv")),
    "predict random bytes": (2, ("predict", BUNDLE, "random.parquet")),
    "predict a missing number": (2, ("predict", BUNDLE, "holes.csv")),
    "predict into an unknown kind": (2, ("predict", BUNDLE, "rows.csv", "-o", "out.xlsx")),
    "predict into a folder that is a file": (2, ("predict", BUNDLE, "rows.csv", "-o", "rows.csv/out.csv")),
}


@pytest.fixture(scope="session")
def junk(shelf: Path) -> Path:
    """The shelf with bad files of every sort beside the good ones."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, 4096, np.uint8).tobytes()
    for suffix in ("joblib", "pkl", "onnx", "skops", "ubj", "csv", "parquet", "npz", "npy", "json"):
        (shelf / f"random.{suffix}").write_bytes(noise)
    for name in ("empty.joblib", "empty.bin", "empty.csv"):
        (shelf / name).write_bytes(b"")
    for name in ("folder", "folder.csv", "garbage", "listed"):
        (shelf / name).mkdir()
    (shelf / "garbage" / "manifest.json").write_bytes(noise)
    (shelf / "listed" / "manifest.json").write_text('[1, {"format": 1}]')
    _bad_models(shelf)
    _bad_rows(shelf)
    tables = {"unknown": "[build]\nmodle = 'x'", "wrong": "[build]\nrtol = 'x'", "flat": "build = 3"}
    for name, text in tables.items():
        (shelf / f"{name}.toml").write_text(text)
    return shelf


def _bad_models(shelf: Path) -> None:
    import joblib
    import skops.io
    from sklearn.linear_model import LogisticRegression

    whole = (shelf / "model.joblib").read_bytes()
    (shelf / "truncated.joblib").write_bytes(whole[: len(whole) // 2])
    model = joblib.load(shelf / "model.joblib")
    joblib.dump(model, shelf / "truncated.gz.joblib", compress=("gzip", 3))
    skops.io.dump(model, shelf / "truncated.skops")
    for name in ("truncated.gz.joblib", "truncated.skops"):
        os.truncate(shelf / name, (shelf / name).stat().st_size // 2)
    (shelf / "dict.pkl").write_bytes(pickle.dumps({"a": [1, 2]}))
    joblib.dump(LogisticRegression(), shelf / "unfitted.joblib")


def _bad_rows(shelf: Path) -> None:
    np.save(shelf / "empty.npy", np.zeros((0, 2)))
    np.save(shelf / "objects.npy", np.array([{"a": 1}], object), allow_pickle=True)
    np.save(shelf / "cube.npy", np.zeros((3, 2, 2)))
    np.save(shelf / "complex.npy", np.zeros((3, 2), complex))
    texts = {
        "head.csv": "height,weight\n",
        "narrow.csv": "height\n1\n",
        "text.csv": "height,weight\n1,heavy\n2,light\n",
        "ragged.csv": "height,weight\n1,2\n3\n",
        "holes.csv": "height,weight\n1,\n2,3\n",
        "list.json": "[1, 2]",
        "number.json": "17",
        "ragged.json": "[[1, 2], [3]]",
        "unequal.json": '{"height": [1, 2], "weight": [3]}',
        "nested.json": '[{"height": [1], "weight": {"a": 2}}]',
        "request.json": '{"inputs": [{"name": "height"}]}',
    }
    for name, text in texts.items():
        (shelf / name).write_text(text)
    (shelf / "latin.csv").write_bytes("height,weight\n1,é\n".encode("latin-1"))


@pytest.mark.parametrize("name", BAD)
def test_bad_input_ends_in_a_sentence(junk: Path, name: str) -> None:
    code, arguments = BAD[name]
    before = sorted(p.name for p in junk.iterdir())
    assert_fails(call(junk, *arguments), code)
    assert sorted(p.name for p in junk.iterdir()) == before


def test_names_with_letters_of_all_sorts(shelf: Path, tmp_path: Path) -> None:
    folder = tmp_path / "Ünï côdé 日本 😀"
    folder.mkdir()
    shutil.copy(shelf / "model.joblib", folder / "modèle été.joblib")
    shutil.copy(shelf / "rows.csv", folder / "lignes d'été.csv")
    done = call(folder, "build", "modèle été.joblib", "--example", "lignes d'été.csv", "-o", "sortie é")
    assert done.code == 0, done.err
    bundle = folder / done.last["bundle"]
    assert bundle.parent == folder / "sortie é"
    assert (bundle / "model" / "source" / "modèle été.joblib").is_file()
    assert call(folder, "verify", bundle).code == 0


def test_a_name_with_slashes_stays_in_the_output_folder(shelf: Path, tmp_path: Path) -> None:
    options = ("--name", "../../up and/away", "-o", tmp_path / "dist")
    done = call(shelf, "build", "model.joblib", "--example", "rows.csv", *options)
    assert done.code == 0, done.err
    assert Path(done.last["bundle"]).resolve().parent == (tmp_path / "dist").resolve()


def test_options_come_from_a_file_and_the_command_line_wins(shelf: Path, tmp_path: Path) -> None:
    shutil.copy(shelf / "model.joblib", tmp_path)
    shutil.copy(shelf / "rows.csv", tmp_path)
    table = '[build]\nmodel = "model.joblib"\nexample = "rows.csv"\noutput = "out"\nversion = "7"\ntarget = ["java"]\n'
    (tmp_path / "mlpack.toml").write_text(table)
    done = call(shelf, "build", "--config", tmp_path / "mlpack.toml", "--version", "8", "--name", "other")
    assert done.code == 0, done.err
    assert Path(done.last["bundle"]) == tmp_path / "out" / "other-8"
    assert [p.name for p in Path(done.last["bundle"], "deploy").iterdir()] == ["java"]


def test_a_closed_pipe_ends_quietly(shelf: Path, tmp_path: Path) -> None:
    pd.concat([_frame(2000)] * 200).to_csv(tmp_path / "many.csv", index=False)
    command = (
        f"'{sys.executable}' -m mlpack_toolkit predict {shelf / BUNDLE} many.csv | head -n 2; exit ${{PIPESTATUS[0]}}"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["bash", "-c", command], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.stdout.splitlines()[0] == '"label","probability.small","probability.tall"'
    assert len(done.stdout.splitlines()) == 2
    assert done.stderr == ""
    assert done.returncode == 141


INTERRUPTED_IMPORT = """
import os, signal, time
from mlpack_toolkit.packager import cli

def importing(**options):
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(10)
    except SystemExit as error:
        raise ImportError("initialization failed") from error

cli.cli = importing
cli.main()
"""


def test_told_to_end_while_a_library_is_imported() -> None:
    """An extension module that is interrupted while it is set up makes an ImportError of it."""
    ended = subprocess.run([sys.executable, "-c", INTERRUPTED_IMPORT], cwd=ROOT, timeout=60)
    assert ended.returncode == 143


def test_what_is_not_proved_is_named_where_the_model_needs_it() -> None:
    """A tool that only lies beside the model is no warning."""
    doubts = [{"name": "rpy2", "why": "gone"}, {"name": "numpy", "why": "edited"}, {"name": "scipy", "why": "edited"}]
    facts = {"distributions": 9, "vendored": False, "unproved": doubts[:1], "needed": ["numpy", "scipy"]}
    assert output._locked(facts) == "8 of 9 distributions proved, including all that the model is known to need"
    said = output._locked({**facts, "unproved": doubts})
    assert said == "6 of 9 distributions proved\n             not proved: numpy, scipy (edited)"
    assert output._locked({**facts, "needed": ["rpy2"]}).endswith("not proved: rpy2 (gone)")
    assert (
        output._locked({**facts, "unproved": [], "vendored": True})
        == "9 of 9 distributions proved, packages in the bundle"
    )


def test_quiet_in_a_pipe(shelf: Path, tmp_path: Path) -> None:
    done = call(shelf, "build", "model.joblib", "--example", "rows.csv", "-o", tmp_path)
    assert done.code == 0 and done.err == ""


def test_version() -> None:
    from mlpack_toolkit.packager import __version__

    shown = subprocess.run(
        [sys.executable, "-m", "mlpack_toolkit", "--version"], capture_output=True, text=True, cwd=ROOT
    )
    assert __version__ in shown.stdout and shown.returncode == 0
