"""Makes the lowest layer without a registry: Python and its libraries, from Debian's packages."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..cache import SEAL, seal, whole
from ..debian import unpacked
from ..errors import MissingToolError
from ..paths import kept
from ._layers import Folder, Layer, Link, Source, below

SUITES = {
    "bookworm": ("3.11", "2.36", ("gcc-12-base", "libssl3")),
    "trixie": ("3.13", "2.41", ("gcc-14-base", "libssl3t64", "libzstd1")),
}
"""By suite: its Python, its C library, and the packages whose names are specific to it."""
PACKAGES = (
    "base-files", "libbz2-1.0", "libc6", "libexpat1", "libffi8", "libgcc-s1", "liblzma5", "libstdc++6", "libuuid1",
    "zlib1g",
)  # fmt: skip
LIBRARIES = ("base-files", "libc6", "libgcc-s1", "libstdc++6")
"""The packages that a compiled program needs."""
MACHINES = {
    "x86_64": ("amd64", "ld-linux-x86-64.so.2"),
    "aarch64": ("arm64", "ld-linux-aarch64.so.1"),
}
"""By machine: Debian's and OCI's names for it, and its dynamic loader."""
STAYS = (
    "bin",
    "etc/debian_version",
    "etc/os-release",
    "lib",
    "lib64",
    "usr/bin",
    "usr/lib",
    "usr/lib64",
    "usr/share/doc",
    "var/lib/dpkg",
    "sbin",
    "usr/sbin",
)
DROPPED = (
    "usr/lib/*-linux-gnu/gconv", "usr/lib/*-linux-gnu/engines-*", "usr/lib/binfmt.d", "usr/lib/python3*/config-*",
    "usr/lib/python3*/ensurepip", "usr/lib/python3*/idlelib", "usr/lib/python3*/lib2to3", "usr/lib/python3*/pydoc_data",
    "usr/lib/python3*/test", "usr/lib/python3*/tkinter", "usr/lib/python3*/turtle*",
    "usr/lib/python3*/sitecustomize.py",
    "usr/lib/python3*/lib-dynload/*test*", "usr/lib/python3*/lib-dynload/xxlimited*",
    "usr/lib/python3*/lib-dynload/_curses*", "usr/lib/python3*/lib-dynload/_dbm*",
    "usr/lib/python3*/lib-dynload/_sqlite3*", "usr/lib/python3*/lib-dynload/nis*",
    "usr/lib/python3*/lib-dynload/readline*",
)  # fmt: skip
USERS = {
    "etc/passwd": b"root:x:0:0:root:/root:/usr/sbin/nologin\nnonroot:x:65532:65532:nonroot:/tmp:/usr/sbin/nologin\n",
    "etc/group": b"root:x:0:\nnonroot:x:65532:\n",
    "etc/nsswitch.conf": b"passwd: files\ngroup: files\nhosts: files dns\n",
}
LEAST = (3, 11)
"""The oldest Python that the server supports."""
MOST_GLIBC = 40
ABOUT = "mlpack.json"
SECONDS = 300


@dataclass(frozen=True)
class Base:
    """A tree on disk with a Python, and its origin, which is the cache key of whatever is built upon it.

    `home`: the folder of the Python in the image; `place`: its folder for added packages. `layers` and `environment`:
    those of a base image from a registry.
    """

    tree: Path
    title: str
    python: str
    glibc: str
    packages: dict[str, str]
    home: str = "usr"
    place: str = ""
    libraries: tuple[str, ...] = ()
    layers: tuple[Layer, ...] = ()
    environment: tuple[str, ...] = ()

    @property
    def program(self) -> str:
        """The interpreter in the image."""
        return f"/{self.home}/bin/python{self.python}"

    @property
    def wheels(self) -> str:
        """The platform of its wheels, in uv's terms."""
        return f"{platform.machine()}-manylinux_{self.glibc}"

    def run(self, *arguments: str | Path) -> str:
        """The output of the image's interpreter, run here with its own C library; raises `MissingToolError`."""
        libraries = [self.tree / folder for folder in self.libraries]
        started = (loader(libraries), "--library-path", ":".join(map(str, libraries)), self.tree / self.program[1:])
        clean = {"PYTHONHOME": str(self.tree / self.home), "PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8"}
        return run((*started, *arguments), env=clean)

    def compile(self, folder: Path, place: str) -> None:
        """Compiles the modules below a folder, for `place` in the image, to the same bytes each time; unchecked pycs.

        Runs in one process, in order and without hash randomization, which would reorder sets of constants.
        """
        compileall = ("-S", "-m", "compileall", "-q", "-f", "--invalidation-mode", "unchecked-hash", "-j", "1")
        self.run(*compileall, "-s", folder, "-p", place, folder)

    def source(self) -> dict[str, Source]:
        """The layer's files."""
        found: dict[str, Source] = {**below(self.tree, ""), **USERS, "tmp": Folder(0o1777)}
        for own in (ABOUT, SEAL):
            found.pop(own, None)
        if self.python:
            found[f"{self.home}/bin/python3"] = Link(f"python{self.python}")
        return found | {name: Folder() for name in ("dev", "proc", "sys", "run", "root")}


def glibc(version: str) -> str:
    """The C library's version, such as `2.36`, as in wheel names; at most the latest that uv knows."""
    return f"2_{min(int(version.split('.')[1]), MOST_GLIBC)}"


def triplet() -> str:
    """Debian's name for the folders of this machine's libraries."""
    return f"{platform.machine()}-linux-gnu"


def loader(libraries: Sequence[Path]) -> Path:
    """The dynamic loader, in the first of the folders that has it; raises `MissingToolError`."""
    for folder in libraries:
        found = folder / MACHINES[platform.machine()][1]
        if found.is_file() and not os.path.isabs(os.readlink(found) if found.is_symlink() else ""):
            return found
    raise MissingToolError("the base has no GNU C library, which the server's packages need")


def architecture() -> str:
    """OCI's name for this machine; raises `MissingToolError` for an unsupported one."""
    if platform.system() != "Linux" or platform.machine() not in MACHINES:
        raise MissingToolError(f"images are made on Linux on {' or '.join(MACHINES)}, not on {platform.machine()}")
    return MACHINES[platform.machine()][0]


def suite_here() -> str:
    """The Debian suite of this machine where it is a known one, else the oldest known."""
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        release = {}
    suite = release.get("VERSION_CODENAME", "")
    return suite if release.get("ID") == "debian" and suite in SUITES else next(iter(SUITES))


def debian(suite: str) -> Base:
    """The tree of a suite, from the cache or the Debian archive. Raises `MissingToolError`."""
    python, _, own = SUITES[suite]
    interpreter = (f"python{python}-minimal", f"libpython{python}-minimal", f"libpython{python}-stdlib")
    return _kept(suite, (*PACKAGES, *own, *interpreter), f"Python {python} from Debian {suite}")


def libraries(suite: str) -> Base:
    """The tree of a suite with only the C and C++ libraries, without Python. Raises `MissingToolError`."""
    return _kept(suite, (*LIBRARIES, SUITES[suite][2][0]), f"C++ libraries from Debian {suite}")


def _kept(suite: str, packages: Sequence[str], title: str) -> Base:
    wanted = sorted(packages)
    recipe = json.dumps([suite, "security", architecture(), wanted, STAYS, DROPPED]).encode()
    place = kept() / "images" / f"debian-{suite}-{hashlib.sha256(recipe).hexdigest()[:16]}"
    if not whole(place):
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=place.parent) as scratch:
            made = _base(Path(scratch) / "made", suite, title, {})
            _make(made, suite, wanted, Path(scratch))
            _keep(made.tree, place)
    return _base(place, suite, title, json.loads((place / ABOUT).read_bytes()))


def _base(tree: Path, suite: str, title: str, packages: dict[str, str]) -> Base:
    python, library, _ = SUITES[suite]
    place = f"usr/local/lib/python{python}/dist-packages"
    return Base(tree, title, python, glibc(library), packages, place=place, libraries=(f"usr/lib/{triplet()}",))


def _keep(made: Path, place: Path) -> None:
    """Moves the tree into the cache; another process may have put the same one there first."""
    seal(made)
    try:
        made.rename(place)
    except OSError:
        if not whole(place):
            raise


def _make(base: Base, suite: str, wanted: Sequence[str], scratch: Path) -> None:
    tree = unpacked(wanted, suite, scratch, security=True)
    packages = _record(tree, sorted(scratch.glob("*.deb")))
    _merge(tree)
    _trim(tree)
    _reduce_documents(tree)
    tree.rename(base.tree)
    library = f"usr/lib/python{base.python}"
    if (base.tree / library).is_dir():
        base.compile(base.tree / library, f"/{library}")
    (base.tree / ABOUT).write_text(json.dumps(packages, sort_keys=True), "utf-8")


def _record(tree: Path, debs: Sequence[Path]) -> dict[str, str]:
    """Package to version; also writes each package's record for image scanners."""
    status = tree / "var" / "lib" / "dpkg" / "status.d"
    status.mkdir(parents=True, exist_ok=True)
    found = {}
    for deb in debs:
        control = run(("dpkg-deb", "--field", deb))
        fields = dict(line.split(": ", 1) for line in control.splitlines() if line[:1].isalpha() and ": " in line)
        found[fields["Package"]] = fields["Version"]
        (status / fields["Package"]).write_text(control, "utf-8")
    return found


def _merge(tree: Path) -> None:
    """Moves `/bin`, `/lib` and the like below `/usr`, as Debian has them since bookworm."""
    for name in ("bin", "sbin", "lib", "lib64"):
        old, new = tree / name, tree / "usr" / name
        if old.is_symlink():
            continue
        if old.is_dir():
            shutil.copytree(old, new, symlinks=True, dirs_exist_ok=True)
            shutil.rmtree(old)
        new.mkdir(exist_ok=True)
        old.symlink_to(f"usr/{name}")


def _trim(tree: Path) -> None:
    """Keeps only the paths that a server needs."""
    for pattern in DROPPED:
        for path in tree.glob(pattern):
            remove(path)
    for path in sorted(tree.rglob("*"), reverse=True):
        inside = path.relative_to(tree).as_posix()
        if any(inside == stay or inside.startswith(f"{stay}/") for stay in STAYS):
            continue
        if path.is_symlink() or not path.is_dir():
            path.unlink()
        elif not any(path.iterdir()):
            path.rmdir()
    _remove_dead_links(tree)


def _remove_dead_links(tree: Path) -> None:
    """Removes links to removed files; an absolute link is relative to the tree's root."""
    for path in [p for p in tree.rglob("*") if p.is_symlink()]:
        target = os.readlink(path)
        if not (tree / target.lstrip("/") if target.startswith("/") else path.parent / target).exists():
            path.unlink()


def _reduce_documents(tree: Path) -> None:
    """Removes all documents except the licences."""
    for path in [p for p in (tree / "usr/share/doc").rglob("*") if p.is_file() and p.name != "copyright"]:
        path.unlink()


def remove(path: Path) -> None:
    """Removes the file, link or folder at the path, if any."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def run(command: Sequence[str | Path], env: dict[str, str] | None = None) -> str:
    """The command's output; raises `MissingToolError` with the end of its error output where it fails."""
    try:
        done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=SECONDS, env=env)
    except subprocess.TimeoutExpired:
        raise MissingToolError(f"{command[0]} did not end within {SECONDS} s") from None
    if done.returncode:
        last = "\n".join((done.stdout + done.stderr).splitlines()[-5:])
        raise MissingToolError(f"{Path(command[0]).name} failed with exit {done.returncode}:\n{last}")
    return done.stdout
