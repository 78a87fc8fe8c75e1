"""The model's process: whatever the model does in it, mlpack's own says a clean sentence."""

from __future__ import annotations

import json
import os
import pickle
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlpack_toolkit import converters
from mlpack_toolkit.converters.messages import Load
from mlpack_toolkit.packager.errors import ConversionError, MissingToolError, MlpackError, ModelError
from mlpack_toolkit.packager.original.source import take_source
from mlpack_toolkit.packager.original.worker import Limits, Worker, start
from tests.packager.conftest import Made
from tests.pythons import python39

ROOT = Path(__file__).parents[3]
QUICK = Limits(seconds=30.0)


@pytest.fixture(autouse=True)
def cold(monkeypatch: pytest.MonkeyPatch) -> None:
    """Starts every worker as a user does."""
    monkeypatch.setattr("mlpack_toolkit.packager.original.worker.start", start)


@contextmanager
def worker(folder: Path, limits: Limits = QUICK, python: str = sys.executable) -> Iterator[Worker]:
    scratch = folder / "scratch"
    scratch.mkdir(exist_ok=True)
    with Worker(python, scratch, limits) as found:
        yield found


def model(folder: Path, body: str) -> Load:
    """The request to load a pickle whose loading runs `body`, with a module of the user's own."""
    code = folder / "code"
    code.mkdir(exist_ok=True)
    (code / "users_own.py").write_text(f"import os, sys, time, ctypes\ndef run():\n    {body}\n")
    (folder / "model.pkl").write_bytes(b"cusers_own\nrun\n(tR.")
    return trusting("users_own.run", folder, code)


def trusting(name: str, folder: Path, *code: Path, kind: str = "pickle") -> Load:
    """The request to load a file of which one name is trusted, by the user's word."""
    return Load(str(folder / "model.pkl"), kind, (name,), own=(name,), code=tuple(map(str, code)))


def load(folder: Path, body: str, limits: Limits = QUICK) -> str:
    """The sentence that a load ends with."""
    with worker(folder, limits) as child, pytest.raises(MlpackError) as caught:
        child.call(model(folder, body))
    return f"{type(caught.value).__name__}: {caught.value}"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("os._exit(7)", r"died \(exit status 7\)"),
        ("ctypes.string_at(0)", r"died \(signal SIGSEGV\)"),
        ("os.abort()", r"died \(signal SIGABRT\)"),
        ("os.kill(os.getpid(), 9)", r"died \(signal SIGKILL\)"),
        ("sys.exit(3)", r"died \(exit status 3\)"),
        ("raise KeyboardInterrupt", r"died \("),
        ("os.closerange(3, 99); time.sleep(60)", "closed its connection to mlpack and kept running"),
        ("raise ValueError('broken 😀')", "ValueError: broken 😀"),
        ("raise RecursionError('deep')", "RecursionError: deep"),
        ("raise MemoryError", "the memory limit was reached"),
        ("import not_there", r"needs the module 'not_there'.*--python PATH.*--code DIR"),
        ("raise Exception('\\udc80')", "Exception"),
    ],
)
def test_whatever_ends_it_is_a_sentence(body: str, said: str, tmp_path: Path) -> None:
    started = time.monotonic()
    found = load(tmp_path, body, Limits(seconds=5.0))
    assert found.startswith("ModelError: ") and re.search(said, found), found
    assert time.monotonic() - started < 30


def test_the_last_words_are_told(tmp_path: Path) -> None:
    assert "the disk is on fire" in load(tmp_path, "print('the disk is on fire', file=sys.stderr); os._exit(1)")


def test_a_hang_is_ended(tmp_path: Path) -> None:
    started = time.monotonic()
    assert "no answer within 2 s" in load(tmp_path, "time.sleep(300)", Limits(seconds=2.0))
    assert time.monotonic() - started < 10


def test_memory_is_limited(tmp_path: Path) -> None:
    limits = Limits(seconds=30.0, memory=1 << 30)
    assert load(tmp_path, "bytearray(1 << 31)", limits) == "ModelError: the memory limit was reached"


def test_memory_below_the_limit_is_free(tmp_path: Path) -> None:
    found = load(tmp_path, "return bytearray(1 << 20)", Limits(seconds=30.0, memory=1 << 30))
    assert "there is no converter for builtins.bytearray" in found


@pytest.mark.parametrize("stream", ["1", "2"])
def test_noise_is_no_reply(stream: str, tmp_path: Path) -> None:
    noise = f"os.write({stream}, b'{{\"ok\": true}}\\n' * 50000); print('x' * 10**6, flush=True)"
    found = load(tmp_path, f"{noise}; return 1")
    assert found.startswith("ConversionError: the file holds a bare value of type int, not a model")


def test_reading_standard_input_does_not_eat_commands(tmp_path: Path) -> None:
    with worker(tmp_path) as child:
        request = model(tmp_path, "return sys.stdin.read() + os.read(0, 10).decode()")
        child.send(request)
        child.send(replace(request, model=str(tmp_path / "nowhere")))
        with pytest.raises(ConversionError, match="a bare value of type str"):
            child.receive(request)
        with pytest.raises(ModelError, match="nowhere"):
            child.receive(request)


def test_it_goes_on_after_an_error(tmp_path: Path, flowers: Made) -> None:
    with worker(tmp_path) as child:
        with pytest.raises(ModelError):
            child.call(model(tmp_path, "raise ValueError"))
        reply = child.call(take_source(flowers.model, tmp_path / "copy", ()).request())
    assert (reply.framework, reply.width) == ("sklearn", 4)


@pytest.mark.parametrize("python", ["/nowhere/python", "no-such-python", "/"])
def test_no_interpreter(python: str, tmp_path: Path) -> None:
    with pytest.raises(MissingToolError, match="cannot be started"), worker(tmp_path, python=python):
        pass


def test_what_is_no_python_is_a_sentence(tmp_path: Path) -> None:
    with worker(tmp_path, python="/bin/true") as child, pytest.raises(ModelError, match="died"):
        child.call(model(tmp_path, "pass"))


OWN = ("converters", "templates", "packager", "runtimes", "json", "spec")


@pytest.mark.parametrize("name", OWN[:4])
def test_a_users_module_of_our_name_is_theirs(name: str, tmp_path: Path) -> None:
    """In the worker's `import` and in a pickle alike."""
    code = tmp_path / "code"
    code.mkdir()
    (code / f"{name}.py").write_text("class Mine:\n    pass\nSAID = 'mine'\n")
    (tmp_path / "model.pkl").write_bytes(f"c{name}\nMine\n(tR.".encode())
    with worker(tmp_path) as child, pytest.raises(ConversionError, match=rf"no converter for {name}\.Mine"):
        child.call(trusting(f"{name}.Mine", tmp_path, code))


@pytest.mark.parametrize("name", ["converters"])
def test_a_model_that_needs_a_users_module_of_our_name_is_built(
    name: str, tmp_path: Path, mlpack: Callable[..., tuple[int, dict[str, Any], str]]
) -> None:
    """A pipeline with a function of that module: it is packed, and the original is found again for `bench`."""
    code = tmp_path / "code"
    code.mkdir()
    (code / f"{name}.py").write_text("from sklearn.linear_model import Ridge\nclass Mine(Ridge):\n    pass\n")
    script = (
        f"import sys; sys.path[:0] = [{str(code)!r}]\n"
        f"import numpy as np, joblib\nfrom {name} import Mine\n"
        "x = np.arange(20.0).reshape(10, 2)\n"
        f"joblib.dump(Mine().fit(x, x[:, 0]), {str(tmp_path / 'model.joblib')!r})\n"
        f"np.save({str(tmp_path / 'x.npy')!r}, x)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=tmp_path, timeout=60)
    given = ("--example", tmp_path / "x.npy", "-o", tmp_path / "dist", "--code", code)
    code_number, said, error = mlpack("build", tmp_path / "model.joblib", *given, "--allow", f"{name}.Mine")
    # There is no converter for a user's own class: but it was found, loaded, and named.
    assert code_number == 4, error
    assert f"{name}.Mine" in said["error"]["message"]


def test_our_own_folders_are_not_on_the_models_path(tmp_path: Path) -> None:
    """`import converters` fails in a model that brings none, as it did where the model was trained."""
    names = ("converters", "packager", "templates", "runtimes", "spec", "_worker")
    request = model(tmp_path, f"raise ValueError([n for n in {names} if n in sys.modules])")
    with worker(tmp_path) as child, pytest.raises(ModelError, match=r"ValueError: \[\]"):
        child.call(request)


class Trace:
    """Stops the load with the number of the process that unpickles it."""

    def __reduce__(self) -> tuple[Any, ...]:
        return exec, ("import os; raise ValueError(f'loaded by {os.getpid()}')",)


WATCHED_BUILD = """
import os, sys
from pathlib import Path
from mlpack_toolkit.packager.commands.build import Request, build
from mlpack_toolkit.packager.errors import MlpackError
model, example, output, *allow = sys.argv[1:]
try:
    build(Request(Path(model), Path(example), Path(output), allow=tuple(allow), targets=()))
    print("built")
except MlpackError as error:
    print(type(error).__name__, str(error).replace("\\n", " "))
heavy = ("sklearn", "pandas", "joblib", "scipy", "xgboost", "lightgbm", "catboost", "skops", "cloudpickle")
print(os.getpid(), [name for name in heavy if name in sys.modules])
"""


def watched(*arguments: object) -> tuple[str, int, str]:
    """How a build ended, in which process, and which frameworks that process had imported."""
    done = subprocess.run(
        [sys.executable, "-c", WATCHED_BUILD, *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    ended_as, last = done.stdout.strip().splitlines()[-2:]
    pid, modules = last.split(" ", 1)
    return ended_as, int(pid), modules


def test_a_refused_pickle_is_loaded_by_nobody(tmp_path: Path) -> None:
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(Trace()))
    (tmp_path / "x.json").write_text("[[1, 2]]")
    ended_as, _, modules = watched(tmp_path / "model.pkl", tmp_path / "x.json", tmp_path / "dist")
    assert ended_as.startswith("UntrustedError ") and "loaded by" not in ended_as and modules == "[]"


def test_an_allowed_pickle_is_loaded_once_and_not_in_mlpacks_process(tmp_path: Path) -> None:
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(Trace()))
    (tmp_path / "x.json").write_text("[[1, 2]]")
    ended_as, pid, modules = watched(
        tmp_path / "model.pkl", tmp_path / "x.json", tmp_path / "dist", "builtins.exec", "builtins"
    )
    loaded = re.findall(r"loaded by (\d+)", ended_as)
    assert ended_as.startswith("ModelError ") and modules == "[]"
    assert len(loaded) == 1 and int(loaded[0]) != pid


def test_a_whole_build_imports_no_framework(flowers: Made, tmp_path: Path) -> None:
    assert watched(flowers.model, flowers.example, tmp_path / "dist")[::2] == ("built", "[]")


def test_converters_compile_under_python_39(tmp_path: Path) -> None:
    """And the probe of the environment, which runs there too."""
    sources = [*Path(converters.__file__).parent.rglob("*.py"), ROOT / "packager/environments/python/probe.py"]
    script = (
        "import sys, py_compile\nfor p in sys.stdin.read().split(): py_compile.compile(p, sys.argv[1], doraise=True)"
    )
    names = "\n".join(map(str, sources))
    command = [python39(), "-c", script, str(tmp_path / "out.pyc")]
    done = subprocess.run(command, input=names, capture_output=True, text=True, timeout=60)
    assert len(sources) > 40 and done.returncode == 0, done.stderr


def test_the_worker_starts_under_python_39(tmp_path: Path) -> None:
    """An interpreter with nothing installed: loads a plain pickle, imports every converter, names the class."""
    with worker(tmp_path, python=python39()) as child:
        with pytest.raises(ConversionError, match=r"no converter for users_own\.Thing.*sklearn"):
            child.call(model(tmp_path, "return type('Thing', (), {'__module__': 'users_own'})()"))
        with pytest.raises(ModelError, match=r"needs the module 'joblib'.*--python"):
            child.call(trusting("a.B", tmp_path, kind="joblib"))


def test_replies_are_json_of_one_line(tmp_path: Path, flowers: Made) -> None:
    with worker(tmp_path) as child:
        request = take_source(flowers.model, tmp_path / "copy", ()).request()
        child.send(request)
        line = child._line(request)
    assert line.count(b"\n") == 1 and json.loads(line)["ok"] is True


def test_leaving_kills(tmp_path: Path) -> None:
    with worker(tmp_path) as child:
        child.send(model(tmp_path, "time.sleep(300)"))
        pid = child._process.pid
        os.kill(pid, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
