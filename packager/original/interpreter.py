"""Checks the interpreter of `--python` by starting it once, so that a wrong one fails before any work."""

from __future__ import annotations

import re
import subprocess
import sys
from threading import Timer

from ..errors import MissingToolError
from ..paths import program

OLDEST = (3, 9)
SECONDS = 60.0
MOST = 1 << 16
_ASK = "import sys; sys.stdout.write('\\nmlpack %d.%d\\n' % sys.version_info[:2])"
_NEXT = "give the interpreter that the model was trained with (--python PATH)"


def check_interpreter(python: str) -> None:
    """Raises `MissingToolError` where the program is not a working Python, or too old."""
    if python == sys.executable:
        return
    status, said = _asked(python)
    found = re.search(r"^mlpack (\d+)\.(\d+)$", said, re.MULTILINE)
    if status or found is None:
        raise MissingToolError(
            f"the interpreter {python} cannot be started as a Python: {_words(said, status)}; {_NEXT}"
        )
    version = (int(found[1]), int(found[2]))
    if version < OLDEST:
        said = f"{python} is Python {version[0]}.{version[1]}, and mlpack reads models with Python 3.9 and later"
        raise MissingToolError(f"{said}: save the model from a later one, and give that with --python PATH")


def _asked(python: str) -> tuple[int, str]:
    """Runs the program to print its Python version; its exit status and output. Kills one that does not end."""
    command = [program(python), "-c", _ASK]
    nothing, pipe = subprocess.DEVNULL, subprocess.PIPE
    try:
        started = subprocess.Popen(command, stdin=nothing, stdout=pipe, stderr=subprocess.STDOUT, cwd="/")
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise MissingToolError(f"the interpreter {python} cannot be started: {why}; {_NEXT}") from error
    with started:
        clock = Timer(SECONDS, started.kill)
        clock.start()
        assert started.stdout is not None
        said = started.stdout.read(MOST).decode("utf-8", "replace")
        if len(said) >= MOST:
            started.kill()
        status = started.wait()
        clock.cancel()
    return status, said


def _words(said: str, status: int) -> str:
    """The first line of a failing program's output, shortened; its exit status where there is no output."""
    first = next((line.strip() for line in said.splitlines() if line.strip()), "")
    return first[:200] or f"it ends with exit status {status} and no output"
