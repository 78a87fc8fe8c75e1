"""The sandbox alone: a hostile module runs in the worker, past scan and unpickler, and gets nowhere.

`mlpack_converters.py` in a folder of `--code` is imported in the worker before the model is loaded: there the attacks
sit.
"""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import socket
import stat
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlpack_toolkit import converters
from mlpack_toolkit.converters import _sandbox
from mlpack_toolkit.converters._sandbox._seccomp import _filter
from mlpack_toolkit.converters._sandbox._syscalls import DENIED, WEIGHED
from mlpack_toolkit.converters.messages import Load, Loaded
from mlpack_toolkit.packager.commands.build import Request, build
from mlpack_toolkit.packager.errors import ConversionError, MlpackError, ModelError
from mlpack_toolkit.packager.original.sandbox import expected, sandbox_found, sandbox_words
from mlpack_toolkit.packager.original.worker import Limits, Worker

HELD = expected()["held"]
MISSING = [guard for guard in _sandbox.GUARDS if guard not in HELD and guard != "sharing"]
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"this kernel does not hold {MISSING}")

ATTACKS = {
    # Programs and processes.
    "a shell": "os.system(f'echo x > {outside}/shell')",
    "subprocess": "subprocess.run(['touch', f'{outside}/subprocess'])",
    "subprocess with vfork off": "_no_vfork(); subprocess.run(['touch', f'{outside}/subprocess'])",
    "fork": "os.fork()",
    "spawn": "os.posix_spawn('/bin/true', ['true'], {})",
    "execve": "os.execve('/bin/true', ['true'], {})",
    "execve of an open file": "os.execve(os.open('/bin/true', os.O_RDONLY), ['true'], {})",
    "execve by number": "syscall('execve', ctypes.c_char_p(b'/bin/true'), None, None)",
    "execve from the launcher's address": "syscall('execve', ctypes.c_void_p(1 << 20), None, None)",
    "execveat by number": "syscall('execveat', -100, ctypes.c_char_p(b'/bin/true'), None, None, 0)",
    "vfork by number": "syscall('vfork')",
    "clone by number": "syscall('clone', 17, None, None, None, None)",
    "clone into new namespaces": "syscall('clone', 0x10900 | 0x10000000, None, None, None, None)",
    "clone3 by number": "syscall('clone3', ctypes.create_string_buffer(88), 88)",
    "unshare": "syscall('unshare', 0x10000000)",
    "a session of its own": "os.setsid()",
    "a pool of processes": "multiprocessing.get_context('fork').Process(target=print).start()",
    # The network.
    "TCP": "socket.create_connection(('127.0.0.1', port), 2).sendall(b'secret')",
    "UDP": "socket.socket(socket.AF_INET, socket.SOCK_DGRAM)",
    "IPv6": "socket.socket(socket.AF_INET6)",
    "a Unix socket": "socket.socket(socket.AF_UNIX).connect(f'{outside}/socket')",
    "a pair of datagram sockets": "socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)",
    "netlink": "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
    "packets": "socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
    "urllib": "urllib.request.urlopen(f'http://127.0.0.1:{port}/', timeout=2)",
    "io_uring": "syscall('io_uring_setup', 8, ctypes.create_string_buffer(120))",
    # Files.
    "a file in the home folder": "open(f'{home}/.bashrc', 'a').write('evil')",
    "a file in the temporary folder": "open(f'{outside}/new', 'w')",
    "a file that is there": "open(f'{outside}/victim', 'r+').write('evil')",
    "emptying a file": "os.truncate(f'{outside}/victim', 0)",
    "the interpreter's packages": "open(os.path.join(sysconfig.get_paths()['purelib'], 'evil.pth'), 'w')",
    "removing a file": "os.remove(f'{outside}/victim')",
    "removing a folder": "os.rmdir(f'{outside}/folder')",
    "making a folder": "os.mkdir(f'{outside}/made')",
    "renaming out": "open('inside', 'w').close(); os.rename('inside', f'{outside}/renamed')",
    "renaming in": "os.rename(f'{outside}/victim', 'taken')",
    "a link out": "os.symlink(f'{outside}/victim', 'rows.npz')",
    "a hard link in": "os.link(f'{outside}/victim', 'rows.npz')",
    "a hard link out": "open('inside', 'w').close(); os.link('inside', f'{outside}/linked')",
    "a pipe by name": "os.mkfifo('answers.npz')",
    "a device": "os.mknod('device', 0o600 | stat.S_IFCHR, os.makedev(1, 3))",
    "another's rights": "os.chmod(f'{outside}/victim', 0o777)",
    "another's owner": "os.chown(f'{outside}/victim', 1, 1)",
    "another's time": "os.utime(f'{outside}/victim', (1, 1))",
    "an attribute": "os.setxattr(f'{outside}/victim', 'user.evil', b'x')",
    "shared memory of others": "open('/dev/shm/mlpack-shared').read()",
    "the model's copy": "open(f'{model}', 'ab').write(b'evil')",
    "our own code": "open(f'{ours}/evil.py', 'w')",
    "a private key": "open(f'{home}/.ssh/id_ed25519').read()",
    "a private key by a link": "open(f'{home}/link/id_ed25519').read()",
    "a token": "open(f'{home}/.config/gcloud/token').read()",
    "a key that a variable names": "open(f'{outside}/named').read()",
    # Other processes.
    "a signal to mlpack": "os.kill(os.getppid(), 0)",
    "a signal to all": "os.kill(-1, 0)",
    "tracing mlpack": "syscall('ptrace', 16, os.getppid(), None, None)",
    "mlpack's memory": "open(f'/proc/{os.getppid()}/mem', 'r+b')",
    "reading mlpack's memory": "open(f'/proc/{os.getppid()}/mem', 'rb')",
    "mlpack's environment": "open(f'/proc/{os.getppid()}/environ', 'rb').read()",
    "mlpack's open files": "os.listdir(f'/proc/{os.getppid()}/fd') and os.readlink(f'/proc/{os.getppid()}/fd/0')",
    "mlpack's limits": "resource.prlimit(os.getppid(), resource.RLIMIT_NOFILE, (8, 8))",
    "a handle of mlpack": "os.pidfd_open(os.getppid())",
    # The kernel.
    "bpf": "syscall('bpf', 0, None, 0)",
    "perf": "syscall('perf_event_open', None, 0, -1, -1, 0)",
    "userfaultfd": "syscall('userfaultfd', 0)",
    "keys": "syscall('keyctl', 0, -3, 0)",
    "mounting": "syscall('mount', ctypes.c_char_p(b'x'), ctypes.c_char_p(b'/tmp'), ctypes.c_char_p(b'tmpfs'), 0, None)",
    "chroot": "os.chroot('.')",
    "a file in memory": "os.memfd_create('x')",
    "typing into the terminal": "fcntl.ioctl(0, 0x5412, b'x')",
    "a later system call": "ctypes.CDLL(None, use_errno=True).syscall(1000) == -1 and failed(ctypes.get_errno())",
}
HARMLESS = {
    "threads": "[t.start() or t.join() for t in [threading.Thread(target=print, args=('x',))]]",
    "a pool of threads": "list(concurrent.futures.ThreadPoolExecutor(4).map(abs, range(-9, 9)))",
    "locks between processes": "__import__('multiprocessing.pool').pool.ThreadPool(4).map(abs, [1])",
    "shared memory of its own": "open('/dev/shm/mlpack-shared', 'w').write('evil')",
    "its own folder": "open('mine', 'w').write('x') and os.mkdir('folder') or os.rename('mine', 'folder/mine')",
    "a temporary file": "tempfile.TemporaryFile().write(b'x')",
    "nowhere": "open(os.devnull, 'w').write('x')",
    "an event loop": "asyncio.run(asyncio.sleep(0))",
    "a signal to itself": "os.kill(os.getpid(), 0)",
    "other files of the home folder": "open(f'{home}/notes.txt').read()",
    "another file in the same folder": "open(f'{home}/.config/settings').read()",
    "the loaded C library": "ctypes.util.find_library('c') or failed(2)",
    "the processor": "platform.processor(), platform.platform()",
}
MODULE = """
import asyncio, concurrent.futures, ctypes, ctypes.util, fcntl, json, multiprocessing, os, platform, resource
import socket, stat, subprocess, sys, sysconfig, tempfile, threading, urllib.request
sys.path.insert(0, {folder!r})
import numbers_of_calls
names = {names!r}
globals().update(names)

def failed(number):
    raise OSError(number, os.strerror(number))

def syscall(name, *arguments):
    number = numbers_of_calls.number(name, platform.machine())
    words = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    if ctypes.CDLL(None, use_errno=True).syscall(ctypes.c_long(number), *words) == -1:
        failed(ctypes.get_errno())
    return "went through"

def _no_vfork():
    subprocess._USE_VFORK = subprocess._USE_POSIX_SPAWN = False

found = {{}}
for name, attack in {attacks!r}.items():
    try:
        found[name] = ["done", repr(eval("(" + attack.replace("; ", ", ") + ",)[-1]"))]
    except Exception as error:
        number = getattr(getattr(error, "reason", error), "errno", None)
        found[name] = [os.strerror(number) if number else type(error).__name__, str(error)]
with open("found.json", "w") as file:
    json.dump(found, file)
STEPS = {{"a.b": print}}
"""
NUMBERS = """
def number(name, machine):
    return {**_syscalls.DENIED, **_syscalls.WEIGHED}[name][("x86_64", "aarch64").index(machine)]
"""


def hostile(folder: Path, module: str) -> Path:
    """A folder for `--code` whose registry is that module."""
    code = folder / "code"
    code.mkdir()
    (code / "mlpack_converters.py").write_text(module)
    (folder / "model.pkl").write_bytes(b"N.")
    return code


def load(folder: Path, code: Path, limits: Limits | None = None) -> Loaded:
    """The worker's reply to a model that is nothing, once the registry was imported."""
    scratch = folder / "scratch"
    scratch.mkdir()
    with Worker(sys.executable, scratch, limits or Limits(seconds=120.0)) as worker:
        return worker.call(Load(str(folder / "model.pkl"), "pickle", code=(str(code),)))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home with keys, a folder outside, and a port that counts who calls."""
    folder = tmp_path_factory.mktemp("world")
    for path in ("home/.ssh/id_ed25519", "home/.config/gcloud/token", "home/.config/settings", "home/notes.txt"):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text("text")
    (folder / "home/link").symlink_to(folder / "home/.ssh")
    (folder / "home/.bashrc").write_text("mine")
    (folder / "outside/folder").mkdir(parents=True)
    (folder / "outside/victim").write_text("mine")
    (folder / "outside/named").write_text("mine")
    shared = Path("/dev/shm/mlpack-shared")
    shared.write_text("mine")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "outside/socket"))
        listener.listen()
        yield folder
    said = shared.read_text()
    shared.unlink()
    assert said == "mine" or "sharing" not in HELD


@pytest.fixture(scope="module")
def found(world: Path) -> dict[str, list[str]]:
    """What became of each attack: the error that the kernel gave, or `done`."""
    with pytest.MonkeyPatch.context() as patch, socket.socket() as listener:
        patch.setenv("HOME", str(world / "home"))
        patch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(world / "outside/named"))
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.settimeout(0)
        shutil.copy(Path(_sandbox.__file__).with_name("_syscalls.py"), world / "_syscalls.py")
        (world / "numbers_of_calls.py").write_text("import _syscalls\n" + NUMBERS)
        names = {
            "outside": str(world / "outside"),
            "home": str(world / "home"),
            "model": str(world / "model.pkl"),
            "ours": str(Path(converters.__file__).parent),
            "port": listener.getsockname()[1],
        }
        code = hostile(world, MODULE.format(folder=str(world), names=names, attacks=ATTACKS | HARMLESS))
        with pytest.raises(Exception, match="nothing \\(None\\), not a model"):
            load(world, code)
        with pytest.raises(BlockingIOError):
            listener.accept()
    told: dict[str, list[str]] = json.loads((world / "scratch/found.json").read_text())
    return told


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_is_refused_by_the_kernel(attack: str, found: dict[str, list[str]]) -> None:
    told, said = found[attack]
    if attack == "shared memory of others" and "sharing" not in HELD:
        pytest.skip("this system gives no process a /dev/shm of its own")
    if attack == "a shell":
        assert (told, said) == ("done", str(127 << 8))  # what `system` gives where no shell could be started
    else:
        allowed = ["Operation not permitted", "Permission denied"]
        allowed += ["Function not implemented"] if attack in ("clone3 by number", "a later system call") else []
        allowed += ["No such file or directory"] if attack == "shared memory of others" else []
        allowed += ["Invalid cross-device link"] if attack.startswith(("renaming", "a hard link")) else []
        assert told in allowed, (told, said)


def test_nothing_changed_outside(world: Path, found: dict[str, list[str]]) -> None:
    assert sorted(path.name for path in (world / "outside").iterdir()) == ["folder", "named", "socket", "victim"]
    victim = world / "outside/victim"
    assert victim.read_text() == (world / "home/.bashrc").read_text() == "mine"
    assert victim.stat().st_mode & 0o777 != 0o777 and victim.stat().st_mtime > 10**9
    assert (world / "model.pkl").read_bytes() == b"N."
    kinds = {stat.S_IFMT(path.lstat().st_mode) for path in (world / "scratch").rglob("*")}
    assert kinds == {stat.S_IFREG, stat.S_IFDIR}


@pytest.mark.parametrize("need", HARMLESS)
def test_what_models_do_goes_on(need: str, found: dict[str, list[str]]) -> None:
    assert found[need][0] == "done", found[need]


@pytest.mark.parametrize("call", ["libc.syscall(0x40000000 | 39)", "foreign()"])
@pytest.mark.skipif(os.uname().machine != "x86_64", reason="only this processor has calls of other kinds")
def test_system_calls_of_another_kind_end_the_process(call: str, tmp_path: Path) -> None:
    """Numbers of x32, and of 32 bits by `int 0x80`: the filter judges neither."""
    module = f"""
import ctypes, mmap
libc = ctypes.CDLL(None)
def foreign():
    code = mmap.mmap(-1, 4096, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, 7)
    code.write(b"\\xb8\\x14\\0\\0\\0\\xcd\\x80\\xc3")
    ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))()
{call}
"""
    with pytest.raises(ModelError, match="signal SIGSYS"):
        load(tmp_path, hostile(tmp_path, module))


BOMBS = {
    "private memory": "hold = [bytearray(1 << 26) for _ in range(64)]",
    "shared memory of nobody": "import mmap; mmap.mmap(-1, 1 << 20)",
    "a huge file": "file = open('huge', 'wb'); file.seek(1 << 31); file.write(b'x'); file.flush()",
    "threads": "import threading, time\nwhile True: threading.Thread(None, time.sleep, '', (99,), daemon=True).start()",
}


@pytest.mark.parametrize(
    ("bomb", "said"),
    [
        ("private memory", "MemoryError"),
        ("shared memory of nobody", "Cannot allocate memory"),
        ("a huge file", "File too large"),
        ("threads", "can't start new thread"),
    ],
)
def test_a_bomb_ends_in_a_sentence(bomb: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=said):
        load(tmp_path, hostile(tmp_path, BOMBS[bomb]), Limits(seconds=60.0, memory=1 << 30))


RESERVES = """
import ctypes, os, resource
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
size = 1 << 43
nothing, private, anonymous, no_reserve = 0, 2, 0x20, 0x4000
place = libc.mmap(None, size, nothing, private | anonymous | no_reserve, -1, 0)
if place in (None, ctypes.c_void_p(-1).value):
    raise OSError(ctypes.get_errno(), "address space cannot be reserved")
if resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY:
    raise OSError("address space has a bound")
STEPS = {"a.b": print}
"""
"""Address space of 8 TiB without a page behind it, as the driver of a graphics card reserves it when it starts."""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux bounds memory without a bound on address space")
def test_address_space_is_free_so_that_graphics_drivers_start(tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match=r"nothing \(None\)"):  # the registry was imported, and the file read
        load(tmp_path, hostile(tmp_path, RESERVES), Limits(seconds=60.0, memory=1 << 30))


def test_a_loop_without_end_is_ended(tmp_path: Path) -> None:
    started = time.monotonic()
    with pytest.raises(ModelError, match="no answer within 3 s"):
        load(tmp_path, hostile(tmp_path, "while True: pass"), Limits(seconds=3.0))
    assert time.monotonic() - started < 20


def test_a_refusal_names_the_sandbox(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"PermissionError.*start no program, open no connection.*docs/trust\.md"):
        load(tmp_path, hostile(tmp_path, "import subprocess\nsubprocess.run(['true'])"))


def test_a_model_that_starts_a_program_when_it_is_asked_is_refused(tmp_path: Path) -> None:
    """A class of the user's own, trusted by `--code`, through a whole build."""
    code = tmp_path / "code"
    code.mkdir()
    source = """
import subprocess
from sklearn.linear_model import Ridge
class Calling(Ridge):
    def predict(self, x):
        subprocess.run(["true"], check=True)
        return super().predict(x)
"""
    (code / "calling_out.py").write_text(source)
    (code / "mlpack_converters.py").write_text('STEPS = {"calling_out.Calling": lambda fitted, graph, frame: None}')
    script = (
        f"import sys; sys.path[:0] = [{str(code)!r}]\nimport numpy as np, joblib\nfrom calling_out import Calling\n"
        "x = np.arange(20.0).reshape(10, 2)\nnp.save('x.npy', x)\n"
        "joblib.dump(Calling().fit(x, x[:, 0]), 'model.joblib')"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=tmp_path, timeout=120)
    request = Request(tmp_path / "model.joblib", tmp_path / "x.npy", tmp_path / "dist", code=(code,), targets=())
    with pytest.raises(MlpackError, match=r"Operation not permitted.*it may start no program"):
        build(request)


AS_NOBODY = """
import json, os, sys
sys.path.insert(0, sys.argv[1])
import _sandbox
os.chdir(sys.argv[2])
facts = _sandbox.enter(os.getcwd())
def refused(attack):
    try:
        attack()
    except PermissionError:
        return True
    return False
import socket
attacks = os.fork, socket.socket, lambda: open("/tmp/mlpack-evil", "w")
print(json.dumps([facts["held"], [refused(attack) for attack in attacks], open("mine", "w").write("x"), os.getuid()]))
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
def test_it_needs_no_privileges(tmp_path_factory: pytest.TempPathFactory) -> None:
    """As a user without any, with Debian's Python."""
    if not Path("/usr/bin/python3").exists():
        pytest.skip("there is no Python that everybody may run")
    folder = Path("/tmp") / tmp_path_factory.mktemp("nobody").name
    folder.mkdir(mode=0o777)
    try:
        shutil.copytree(Path(_sandbox.__file__).parent, folder / "_sandbox")
        (folder / "scratch").mkdir()
        os.chmod(folder, 0o755)
        os.chmod(folder / "scratch", 0o777)
        done = subprocess.run(
            ["/usr/bin/python3", "-c", AS_NOBODY, str(folder), str(folder / "scratch")],
            user=65534,
            group=65534,
            extra_groups=[],
            capture_output=True,
            text=True,
            env={"HOME": "/nonexistent"},
            timeout=60,
        )
    finally:
        shutil.rmtree(folder)
    held, refused, *rest = json.loads(done.stdout)
    assert [guard for guard in _sandbox.GUARDS if guard not in held] in (["memory"], ["sharing", "memory"]), done.stderr
    assert (refused, rest) == ([True] * 3, [1, 65534])


@pytest.mark.parametrize(
    ("landlock", "seccomp", "words"),
    [
        (0, False, "it could: start programs or processes, open connections, write outside"),
        (0, True, "could not: start programs or processes, open connections, use memory"),
        (3, False, "it could: open connections, write outside"),
    ],
)
def test_what_is_not_held_is_said(landlock: int, seccomp: bool, words: str) -> None:
    assert words in sandbox_words(_sandbox.facts(landlock, seccomp, True))


def test_doctor_says_what_is_held() -> None:
    assert sandbox_found().startswith("Landlock ") and "seccomp: programs, network, writing" in sandbox_found()


def test_a_kernel_with_less_is_no_obstacle(tmp_path: Path) -> None:
    """Neither Landlock nor seccomp: the process runs, and says that nothing is held but memory."""
    script = (
        "import json, sys\nfrom mlpack_toolkit.converters import _sandbox\n"
        "def none(number, *rest): raise OSError(38, 'none')\n"
        "_sandbox._landlock.call = _sandbox._seccomp.call = none\n"
        "print(json.dumps(_sandbox.enter(sys.argv[1])))"
    )
    root = Path(converters.__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, cwd=root)
    assert json.loads(done.stdout)["held"] == [] and json.loads(done.stdout)["landlock"] == 0, done.stderr


def test_a_machine_that_emulates_another_is_no_obstacle() -> None:
    """A filter for the wrong kind of calls would end the process: a child tries it first."""
    script = (
        "from mlpack_toolkit.converters import _sandbox\n"
        "from mlpack_toolkit.converters._sandbox import _kernel, _seccomp\n"
        "_seccomp._AUDIT[_kernel.machine()] += 1\nprint(_sandbox.enter('.')['seccomp'])"
    )
    root = Path(converters.__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=root)
    assert (done.returncode, done.stdout) == (0, "False\n"), done.stderr


def test_the_numbers_of_system_calls_are_the_kernels() -> None:
    """Against the headers of Linux, where they are installed."""
    headers = ("/usr/include/x86_64-linux-gnu/asm/unistd_64.h", "/usr/include/asm-generic/unistd.h")
    if not all(Path(header).is_file() for header in headers):
        pytest.skip("the headers of Linux are not installed")
    for place, header in enumerate(headers):
        numbers = dict(re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", Path(header).read_text()))
        for name, known in (DENIED | WEIGHED).items():
            if name in numbers or known[place] < 450:  # later ones are not in older headers
                assert str(known[place]) == numbers.get(name, "-1"), (header, name)


def judged(machine: str, number: int, *arguments: int, starts: bool = False) -> int:
    """What the filter answers on a machine to a call made there by process 77: `ALLOW`, or the number of the error."""
    architecture = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}[machine]
    data = struct.pack("<IIQ6Q", number, architecture, 0, *arguments, *[0] * (6 - len(arguments)))
    program, at, value = _filter(machine, 77, starts), 0, 0
    while True:
        code, yes, no, k = program[at]
        jumps = {0x15: value == k, 0x25: value > k, 0x35: value >= k, 0x45: bool(value & k)}
        if code == 0x06:
            return ALLOW if k == 0x7FFF0000 else k & 0xFFFF if k >> 16 == 5 else -1
        at += 1 + ((yes if jumps[code] else no) if code in jumps else 0)
        value = struct.unpack_from("<I", data, k)[0] if code == 0x20 else value & k if code == 0x54 else value


ALLOW = 1 << 20
THREAD = 0x3D0F00
PROCESS = 0x01200011
JUDGED = [
    ("execve", (1 << 20,), errno.EPERM),
    ("clone", (THREAD,), ALLOW),
    ("clone", (PROCESS,), errno.EPERM),
    ("clone", (THREAD | 0x10000000,), errno.EPERM),
    ("clone3", (), errno.ENOSYS),
    ("kill", (77, 9), ALLOW),
    ("kill", (78, 9), errno.EPERM),
    ("kill", (2**64 - 1, 9), errno.EPERM),
    ("tgkill", (77, 80, 6), ALLOW),
    ("tgkill", (76, 76, 6), errno.EPERM),
    ("prlimit64", (0,), ALLOW),
    ("prlimit64", (77,), ALLOW),
    ("prlimit64", (1,), errno.EPERM),
    ("socketpair", (1, 0x80001), ALLOW),
    ("socketpair", (1, 2), errno.EPERM),
    ("socketpair", (2, 1), errno.EPERM),
    ("ioctl", (0, 0x5401), ALLOW),
    ("ioctl", (0, 0x5412), errno.EPERM),
    ("mmap", (0, 4096, 3, 0x22), ALLOW),
    ("mmap", (0, 4096, 3, 0x21), errno.ENOMEM),
    ("mmap", (0, 4096, 3, 0x01, 5), ALLOW),
    ("mmap", (1 << 21, 4096, 3, 0x132), errno.EPERM),
    ("mmap", (1 << 20, 4096, 3, 0x32), errno.EPERM),
    ("mmap", (1 << 19, 1 << 21, 3, 0x32), errno.EPERM),
    ("mmap", ((1 << 32) + (1 << 20), 4096, 3, 0x32), ALLOW),
    ("mremap", (1 << 30, 1, 1, 1, 1 << 20), ALLOW),
    ("mremap", (1 << 30, 1, 1, 3, 1 << 20), errno.EPERM),
    ("mremap", (1 << 30, 1, 1, 3, 1 << 30), ALLOW),
]


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_filter_judges_alike_on_every_machine(machine: str) -> None:
    """By stepping through its lines, also for machines that this is not."""
    place = ("x86_64", "aarch64").index(machine)
    for name, arguments, answer in JUDGED:
        assert judged(machine, WEIGHED[name][place], *arguments) == answer, (name, arguments)
    for name, numbers in DENIED.items():
        assert numbers[place] == -1 or judged(machine, numbers[place]) == errno.EPERM, name
    for allowed in {"x86_64": (0, 1, 9, 11, 12, 202, 257), "aarch64": (56, 63, 64, 98, 215, 222)}[machine]:
        assert judged(machine, allowed) == ALLOW
    assert judged(machine, 470) == judged(machine, 2000) == errno.ENOSYS


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_a_launcher_may_become_one_program(machine: str) -> None:
    number = WEIGHED["execve"][("x86_64", "aarch64").index(machine)]
    assert judged(machine, number, 1 << 20, starts=True) == ALLOW
    assert judged(machine, number, (1 << 20) + 1, starts=True) == errno.EPERM
    assert judged(machine, number, (1 << 32) + (1 << 20), starts=True) == errno.EPERM
