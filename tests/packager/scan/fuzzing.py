"""Run as a program in a scratch folder: written pickles through scan, guard and use, in the sandbox, with a canary.

Arguments: seed, number of the first pickle, seconds, and what is switched off: `nothing`, the guard's
`names` or `rules`, or the `use` of models. The file
`now` holds the number and the step at work, `counts.json` what was found: a parent reads both when this process dies.
"""

from __future__ import annotations

import faulthandler
import io
import json
import os
import pickle
import resource
import signal
import sys
import time
import types
import warnings
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from mlpack_toolkit.converters._trust.guard import Guard, Trusted
from mlpack_toolkit.converters._trust.rules import Refused
from mlpack_toolkit.converters._trust.unpickler import guarded
from mlpack_toolkit.converters._worker.confinement import confine
from mlpack_toolkit.converters.messages import Load
from mlpack_toolkit.packager.errors import ModelError
from mlpack_toolkit.packager.scan import Scan, Vouched, require_trusted, scan
from mlpack_toolkit.packager.scan.allowlist import allowed_names, referred_names

from .canary import Canary
from .pickle_grammar import FIRE

OWN = Vouched(functions=frozenset({FIRE}))
REFERRED = frozenset({*referred_names(), FIRE})
EVERYTHING = Trusted({*allowed_names(), *REFERRED}, (), REFERRED)
SECONDS_EACH = 2.0
MEMORY = 6 << 30
KEPT = 40


class Slow(BaseException):
    """A step took too long."""


def _slow(*_: Any) -> None:
    raise Slow


@contextmanager
def bounded() -> Iterator[None]:
    """A step with a clock."""
    signal.setitimer(signal.ITIMER_REAL, SECONDS_EACH)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


class Watched(Guard):
    """A guard that says whose state it sets, for the parent of a process that dies of it."""

    say: Callable[[str], None]

    def build(self, target: Any, state: Any) -> None:
        self.say(type(target).__name__)
        super().build(target, state)


class Run:
    """What was counted, and the faults that were found."""

    def __init__(self, off: str, canary: Canary) -> None:
        self.off, self.canary = off, canary
        self.counts: Counter[str] = Counter()
        self.faults: list[str] = []
        self.slowest = 0.0
        self.now = os.open("now", os.O_WRONLY | os.O_CREAT)

    def at(self, number: int, step: str) -> None:
        """Nothing; the parent can see where this process is."""
        os.pwrite(self.now, f"{number} {step:60}".encode(), 0)

    def fault(self, number: int, what: str) -> None:
        """Nothing; what must not be is kept."""
        self.counts["faults"] += 1
        if len(self.faults) < KEPT:
            self.faults.append(f"{number}: {what}")

    def write(self) -> None:
        """Nothing; the parent can read what was found so far."""
        found = {"counts": self.counts, "faults": self.faults, "slowest": self.slowest}
        Path("counts.new").write_text(json.dumps(found))
        os.replace("counts.new", "counts.json")

    def scanned(self, number: int, path: Path) -> Scan | None:
        """What the scan found, if it passes."""
        start = time.monotonic()
        try:
            with bounded():
                found = scan(path, (), OWN)
                require_trusted(found, path)
        except ModelError:
            return None
        except BaseException as error:
            self.fault(number, f"the scan raised {type(error).__name__}: {error}")
            return None
        finally:
            self.slowest = max(self.slowest, time.monotonic() - start)
        return found if found.kind in ("pickle", "joblib", "skops") else None

    def alone(self, number: int, data: bytes, trusted: Trusted) -> tuple[str, Any]:
        """How loading under the guard ends, and the object."""
        loader = guarded(pickle._Unpickler)(io.BytesIO(data)) if self.off != "rules" else _by_names(data)
        loader.guard = Watched(trusted)
        loader.guard.say = lambda what: self.at(number, f"load {what}")

        def load() -> Any:
            model = loader.load()
            loader.guard.finish()
            return model

        value, end = self.watched(number, "load", load)
        return end, value

    def watched(self, number: int, step: str, deed: Callable[[], Any]) -> tuple[Any, str]:
        """What the deed gives, or the kind of its end; the canary listens."""
        self.canary.listening = True
        try:
            with bounded():
                return deed(), "loaded"
        except Refused as refused:
            return None, f"refused {refused}"
        except PermissionError:
            self.counts[f"blocked at {step}"] += 1
            return None, "PermissionError"
        except Slow:
            return None, "slow"
        except BaseException as error:
            return None, type(error).__name__
        finally:
            self.canary.listening = False
            for heard in self.canary.take():
                if step == "load" or "the canary" not in heard:
                    self.fault(number, f"{step}: {heard}")
                else:
                    self.counts["mentioned functions called by a model"] += 1


def _by_names(data: bytes) -> Any:
    """An unpickler that holds names against the list, and nothing else."""

    class ByNames(pickle._Unpickler):  # type: ignore[name-defined,misc]
        def find_class(self, module: str, name: str) -> Any:
            if not EVERYTHING.use(f"{module}.{name}"):
                raise Refused(f"asks for {module}.{name}")
            return super().find_class(module, name)

    return ByNames(io.BytesIO(data))


def one(run: Run, number: int, sort: str, data: bytes) -> None:
    """One pickle through all steps."""
    run.counts["programs"] += 1
    run.counts[sort] += 1
    packed = number % 7 == 0
    path = Path("m")
    path.write_bytes(zlib.compress(data) if packed else data)
    run.at(number, "scan")
    found = run.scanned(number, path)
    run.counts["passed the scan"] += found is not None
    run.at(number, "load")
    end, value = run.alone(number, data, EVERYTHING)
    run.counts[f"guard: {end.partition(' ')[0]}"] += 1
    if found is None:
        run.counts["loaded by the guard, not by the scan"] += end == "loaded"
        return
    if "did not see" in end:
        run.fault(number, f"the guard looked up a name that the scan passed over: {end}")
    run.counts["passed, and the guard refused"] += end.startswith("refused")
    if end == "loaded" and value is not None and run.off == "nothing":
        run.at(number, "use")
        use(run, number, path, found, value)


def use(run: Run, number: int, path: Path, found: Scan, value: Any) -> None:
    """What mlpack, and what anybody, does with a loaded model."""
    from .fuzz_use import USES, as_the_worker

    request = Load(str(path), found.kind, found.names, referred=tuple(sorted(REFERRED)))
    session, end = run.watched(number, "use", lambda: as_the_worker(request, number))
    run.counts["used"] += 1
    run.counts["known to a converter"] += session is not None
    run.counts["converted"] += end == "loaded" and session is not None and session[1]
    for deed in USES:
        run.watched(number, "use", lambda deed=deed: deed(value))
    value = session = None
    run.watched(number, "use", lambda: None)


def _models() -> tuple[list[Any], list[Any]]:
    """Fitted once, and read again by those that come after a crash."""
    from .fuzz_models import models, pool

    kept = Path("models")
    if not kept.exists():
        kept.write_bytes(pickle.dumps(models()))
    fitted = pickle.loads(kept.read_bytes())
    return fitted, pool(fitted)


def _import_all() -> None:
    modules = {dotted.rpartition(".")[0] for dotted in EVERYTHING.names - {FIRE}}
    for module in sorted({*modules, "onnx", "google.protobuf.text_format", "skl2onnx"}):
        with suppress(ImportError):
            __import__(module)


def _deadly(fault: str) -> bool:
    """Whether what was heard is what an attacker wants: for a run that proves that it can be heard."""
    return any(f"load: {deed}" in fault for deed in ("the canary was called", "os.system", "subprocess.Popen"))


def main() -> None:
    seed, first, seconds, off = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), sys.argv[4]
    facts = confine(Path("m"), Load("m", "pickle"))
    faulthandler.enable()
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGALRM, _slow)
    _import_all()
    from mlpack_toolkit.converters import load, names

    from . import fuzz_use
    from .pickle_changes import programs

    fuzz_use.SANDBOX = facts
    for name in names():
        load(name)
    fitted, pool = _models() if off not in ("names", "rules") else ([], [])
    tops = frozenset({name.split(".")[0] for name in (*sys.modules, *EVERYTHING.names)} | sys.stdlib_module_names)
    canary = Canary(os.getcwd(), tops, EVERYTHING.names)
    sys.modules["canary"] = types.ModuleType("canary")
    sys.modules["canary"].fire = canary.fire  # type: ignore[attr-defined]
    if off == "names":
        Trusted.use = lambda self, dotted: "own"  # type: ignore[method-assign]
    run = Run(off, canary)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    end = time.monotonic() + seconds
    for number, sort, data in programs(seed, first, fitted, pool):
        one(run, number, sort, data)
        if run.counts["programs"] % 20 == 0:
            run.write()
        if time.monotonic() > end or (off in ("names", "rules") and any(map(_deadly, run.faults))):
            break
    run.write()
    os._exit(0)


if __name__ == "__main__":
    main()
