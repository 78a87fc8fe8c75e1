"""The process behind `tests/warm.py`: imports modules once (with a `?` where they are installed), then forks a process
for each connection to its socket.

A connection sends one message: a JSON object, with the process's standard input, output and error, and with a
descriptor that it keeps under the number that its arguments give, if any. It gets the process id, and the exit code
when the process ends. The server ends when its standard input does.
"""

from __future__ import annotations

import atexit
import importlib
import json
import os
import select
import signal
import socket
import sys
import traceback
from contextlib import nullcontext, suppress
from typing import Any, NoReturn


def serve(listener: socket.socket) -> None:
    """Forks processes until standard input ends."""
    children: dict[int, socket.socket] = {}
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    while True:
        ready, _, _ = select.select([0, woken, listener], [], [])
        if woken in ready:
            os.read(woken, 4096)
            reap(children)
        if listener in ready:
            connection, _ = listener.accept()
            message, fds, _, _ = socket.recv_fds(connection, 1 << 20, 4)
            fork(json.loads(message), fds, connection, children)
        if 0 in ready:
            return


def fork(request: dict[str, Any], fds: list[int], line: socket.socket, children: dict[int, socket.socket]) -> None:
    """Forks one process, which answers with its process id once it leads a session: from then on it can be killed."""
    pid = os.fork()
    if pid == 0:
        os.setsid()
        line.send(str(os.getpid()).encode())
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        become(request, *fds)
    children[pid] = line
    for passed in fds:
        os.close(passed)


def reap(children: dict[int, socket.socket]) -> None:
    """Passes on the exit codes of the processes that ended."""
    while children:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        with children.pop(pid) as connection:
            try:
                connection.send(str(os.waitstatus_to_exitcode(status)).encode())
            except OSError:  # nobody waits for it
                continue


def become(request: dict[str, Any], stdin: int, out: int, error: int, *kept: int) -> NoReturn:
    """Runs the program as a fresh interpreter would."""
    code = 1
    try:
        os.chdir(request["cwd"])
        os.environ.clear()
        os.environ.update(request["environment"])
        moved = [os.dup(descriptor) if descriptor < 3 else descriptor for descriptor in kept]
        for target, passed in ((0, stdin), (1, out), (2, error)):
            os.dup2(passed, target)
        for descriptor in {*range(3, 1024)}.difference(moved):
            with suppress(OSError):
                os.close(descriptor)
        sys.argv[:] = ["-c", *(str(moved[0]) if a == request["kept"] else a for a in request["arguments"])]
        exec(request["program"], {"__name__": "__main__"})
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    del sys.path[0]
    place, *modules = sys.argv[1:]
    for name in modules:
        with suppress(ModuleNotFoundError) if name.startswith("?") else nullcontext():
            importlib.import_module(name.lstrip("?"))
    sys.path.insert(0, "")  # as `python -c` has it
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(place + ".starting")
        listener.listen(16)
        os.rename(place + ".starting", place)
        serve(listener)
