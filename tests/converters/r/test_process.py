"""The R process: what a file does to it stays there, and every way in which it ends is told in a sentence.

A formula keeps its environment, and an environment may hold code that runs when somebody looks at a name in it.
"""

from __future__ import annotations

import json
import os
import re
import socket
from pathlib import Path
from time import monotonic

import pytest

from mlpack_toolkit.converters.messages import Load, Loaded
from mlpack_toolkit.converters.r._model import loaded_in
from mlpack_toolkit.converters.r._process import RProcess
from mlpack_toolkit.converters.r._program import SAFE_VERSION, rscript, version_of
from mlpack_toolkit.packager.errors import ConversionError, MlpackError, ModelError
from mlpack_toolkit.packager.original.sandbox import expected
from mlpack_toolkit.packager.original.worker import Limits, Worker
from tests.converters.r.check import fit

TRAPS = {
    "noise": 'cat("hello\\n"); message("hello"); 2',
    "hang": "repeat Sys.sleep(1)",
    "crash": "tools::pskill(Sys.getpid(), 11); Sys.sleep(5)",
    "quit": 'quit("no", 3)',
    "stop": 'stop("I will not")',
    "memory": "sum(numeric(1e10))",
    "home": 'writeLines("x", "~/was-here"); 2',
    "network": 'close(socketConnection("127.0.0.1", 9, open = "r", timeout = 1)); 2',
    "interface": 'length(readLines("/proc/net/dev")) - 1',
}
SCRIPT = "".join(
    f"""
put("{name}", local({{
  k <- 2
  m <- lm(y ~ I(x1 * k), train)
  delayedAssign("k", {{ {code} }}, assign.env = environment(formula(m)))
  m$model <- NULL
  m
}}))
"""
    for name, code in TRAPS.items()
)


SCRIPT_OF_ONE = """
put("attack", local({{
  k <- 2
  m <- lm(y ~ I(x1 * k), train)
  delayedAssign("k", {{ {code} }}, assign.env = environment(formula(m)))
  m$model <- NULL
  m
}}))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with models that do something when they are looked at."""
    return fit(SCRIPT, tmp_path_factory.mktemp("traps"))


def load(path: Path, scratch: Path, limits: Limits | None = None) -> Loaded:
    """What the worker says of the model."""
    import sys

    with Worker(sys.executable, scratch, limits or Limits(seconds=60)) as worker:
        return worker.call(Load(str(path), "rds"))


def test_noise_does_no_harm(folder: Path, tmp_path: Path) -> None:
    assert load(folder / "noise.rds", tmp_path).title == "lm"
    log = (tmp_path / "worker.log").read_text()
    assert "hello" in log and "During startup" not in log


def test_a_hang_ends_at_the_limit(folder: Path, tmp_path: Path) -> None:
    start = monotonic()
    with pytest.raises(ModelError, match="no answer within 5 s"):
        load(folder / "hang.rds", tmp_path, Limits(seconds=5))
    assert monotonic() - start < 30


@pytest.mark.parametrize(("name", "said"), [("crash", "signal 11"), ("quit", "exit status 3")])
def test_an_end_is_told(folder: Path, tmp_path: Path, name: str, said: str) -> None:
    with pytest.raises(ModelError, match=f"R ended .{said}. while it worked on the model"):
        load(folder / f"{name}.rds", tmp_path)


def test_what_r_says_reaches_the_user(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match="R reports: I will not"):
        load(folder / "stop.rds", tmp_path)


def test_memory_is_limited(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(MlpackError, match="cannot allocate"):
        load(folder / "memory.rds", tmp_path, Limits(seconds=60, memory=6 * 2**30))


def test_the_home_is_its_own(folder: Path, tmp_path: Path) -> None:
    load(folder / "home.rds", tmp_path)
    assert not (Path.home() / "was-here").exists()


@pytest.mark.skipif(version_of(rscript("")) >= SAFE_VERSION, reason="this R runs no code while it reads")
def test_an_older_r_is_told(folder: Path, tmp_path: Path) -> None:
    told = load(folder / "noise.rds", tmp_path)
    assert "CVE-2024-27322" in json.dumps(told.notes) and "sandbox" in json.dumps(told.notes)


FORK_OF_LIBC = """
  maps <- grep("/libc.so.6$", readLines("/proc/self/maps"), value = TRUE)
  dyn.load(sub(".* ", "", maps[[1]]))
  .C("fork")
  length(readLines(file.path("/proc/self/task", Sys.getpid(), "children"), warn = FALSE))
"""
ATTACKS = {
    "a shell": 'as.character(system(paste0("touch ", outside, "/shell")))',
    "a shell's words": 'system("echo x", intern = TRUE)',
    "system2": 'as.character(system2("touch", paste0(outside, "/system2")))',
    "a shell with changed paths": '{ Sys.setenv(PATH = "/bin"); system2("/bin/echo", "x", stdout = TRUE) }',
    "a pipe": 'readLines(pipe("echo x"))',
    "fork": "{ parallel::mcparallel(1); 0 }",
    "fork of libc": f"{{ {FORK_OF_LIBC} }}",
    "TCP": 'close(socketConnection("127.0.0.1", PORT, open = "r", timeout = 1))',
    "a server": "close(serverSocket(0))",
    "a download": 'utils::download.file("http://127.0.0.1:PORT/", tempfile(), quiet = TRUE)',
    "a url": 'readLines(url("http://127.0.0.1:PORT/"))',
    "a file": 'writeLines("evil", file.path(outside, "victim"))',
    "a new file": 'saveRDS(1, file.path(outside, "new.rds"))',
    "removing": 'as.character(unlink(file.path(outside, "victim")))',
    "a folder": 'as.character(dir.create(file.path(outside, "made")))',
    "renaming": 'as.character(file.rename(file.path(outside, "victim"), "taken"))',
    "copying out": '{ writeLines("x", "mine"); as.character(file.copy("mine", file.path(outside, "copied"))) }',
    "a link": 'as.character(file.symlink(file.path(outside, "victim"), "link"))',
    "rights": 'as.character(Sys.chmod(file.path(outside, "victim"), "777"))',
    "time": 'as.character(Sys.setFileTime(file.path(outside, "victim"), as.POSIXct(1, origin = "1970-01-01")))',
    "a key": 'readLines(file.path(home, ".ssh", "id_ed25519"))',
    "the model": 'cat("evil", file = model, append = TRUE)',
    "a signal": "as.character(tools::pskill(PARENT, 0))",
    "memory of mlpack": 'file("/proc/PARENT/mem", "rb")',
    "its own folder": '{ writeLines("x", "mine"); saveRDS(1, tempfile()); readLines("mine") }',
    "threads of a package": "as.character(is.na(parallel::detectCores()))",
}
REFUSED_SOFTLY = {
    "a shell": "127",
    "system2": "127",
    "removing": "1",
    "a folder": "FALSE",
    "renaming": "FALSE",
    "copying out": "FALSE",
    "a link": "FALSE",
    "rights": "FALSE",
    "time": "FALSE",
    "a signal": "FALSE",
    "fork of libc": "0",
}
HARMLESS = {"its own folder": "x", "threads of a package": "TRUE"}


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], Path]:
    """What became of each attack in an R model's own code, and the world around it."""
    world = tmp_path_factory.mktemp("world")
    for path in ("home/.ssh/id_ed25519", "outside/victim"):
        (world / path).parent.mkdir(parents=True)
        (world / path).write_text("mine")
    with pytest.MonkeyPatch.context() as patch, socket.socket() as listener:
        patch.setenv("HOME", str(world / "home"))
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.settimeout(0)
        known = {name: str(world / name) for name in ("outside", "home")} | {"model": str(world / "attack.rds")}
        set_up = "; ".join(f"{name} <- {json.dumps(value)}" for name, value in known.items())
        codes = "\n".join(
            f"said[[{json.dumps(name)}]] <- tryCatch(paste(suppressWarnings({code})), error = conditionMessage)"
            for name, code in ATTACKS.items()
        )
        body = f"{set_up}; said <- list()\n{codes}\nstop(paste(names(said), said, sep = ' => ', collapse = ' || '))"
        body = body.replace("PORT", str(listener.getsockname()[1])).replace("PARENT", str(os.getpid()))
        fit(SCRIPT_OF_ONE.format(code=body), world)
        with pytest.raises(ConversionError) as caught:
            load(world / "attack.rds", tmp_path_factory.mktemp("scratch"))
        with pytest.raises(BlockingIOError):
            listener.accept()
    told = str(caught.value).removeprefix("R reports: ").split(" || ")
    return {name: said for name, _, said in (each.partition(" => ") for each in told)}, world


@pytest.mark.parametrize("attack", [name for name in ATTACKS if name not in HARMLESS])
def test_an_attack_is_refused(attack: str, attacked: tuple[dict[str, str], Path]) -> None:
    said = attacked[0][attack]
    if attack in REFUSED_SOFTLY:
        assert said == REFUSED_SOFTLY[attack]
    else:
        assert re.search("cannot (open|popen)|unable to fork|creation of server socket failed", said), said


@pytest.mark.parametrize("need", HARMLESS)
def test_what_models_do_goes_on(need: str, attacked: tuple[dict[str, str], Path]) -> None:
    assert attacked[0][need] == HARMLESS[need]


def test_nothing_changed_outside(attacked: tuple[dict[str, str], Path]) -> None:
    outside = attacked[1] / "outside"
    assert [path.name for path in outside.iterdir()] == ["victim"]
    assert (outside / "victim").read_text() == "mine" and (outside / "victim").stat().st_mtime > 10**9
    assert b"evil" not in (attacked[1] / "attack.rds").read_bytes()[-100:]


def test_what_holds_r_is_told(folder: Path, tmp_path: Path) -> None:
    sandbox = load(folder / "noise.rds", tmp_path).sandbox
    assert isinstance(sandbox, dict) and sandbox["held"] == expected()["held"]


def test_a_script_that_starts_r_is_no_obstacle(folder: Path, tmp_path: Path) -> None:
    """As conda and modules of clusters have them: it runs programs first, outside of the sandbox."""
    wrapper = tmp_path / "my R"
    wrapper.write_text(f'#!/bin/sh\nexport MINE=$(echo from the script)\nexec {rscript("")} "$@"\n')
    wrapper.chmod(0o755)
    started = RProcess(str(wrapper))
    assert loaded_in(started, folder / "noise.rds", {}).form.task == "regressor"
    environment = Path(f"/proc/{started._process.pid}/environ").read_bytes()
    assert started.sandbox["held"] and b"MINE=from the script" in environment


def test_nothing_is_left_of_a_hang(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no answer within 8 s"):
        load(folder / "hang.rds", tmp_path, Limits(seconds=8))
    commands = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    assert not [command for command in commands if str(tmp_path).encode() in command]
