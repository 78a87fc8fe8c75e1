"""Lists the user's secret files, and all paths that do not contain one."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator, Sequence
from contextlib import suppress

SECRETS = (
    ".ssh",
    ".gnupg",
    ".aws",
    ".azure",
    ".kube",
    ".docker",
    ".netrc",
    ".pypirc",
    ".pgpass",
    ".my.cnf",
    ".npmrc",
    ".Renviron",
    ".git-credentials",
    ".config/gcloud",
    ".config/gh",
    ".config/git/credentials",
    ".config/rclone",
    ".huggingface",
    ".cache/huggingface/token",
    ".kaggle",
    ".mozilla",
    ".config/google-chrome",
    ".config/chromium",
    ".local/share/keyrings",
    ".password-store",
    ".bash_history",
    ".zsh_history",
    ".python_history",
    ".Rhistory",
)
"""In the home folder."""
NAMED = ("AWS_SHARED_CREDENTIALS_FILE", "GOOGLE_APPLICATION_CREDENTIALS", "KUBECONFIG", "NETRC", "PGPASSFILE")
"""Variables that name such a file elsewhere."""
_MOST = 10_000


def readable(needed: Sequence[str]) -> tuple[list[str], bool]:
    """Returns files and folders that cover everything but the secrets, and whether that was possible.

    `needed`: folders that may be created only later. Landlock can allow but not deny: so the siblings on the path to
    each secret are listed.
    """
    hidden = {os.path.realpath(path) for path in _secrets() if os.path.exists(path)}
    try:
        return [*_around("/", hidden), *needed], True
    except OSError:  # a folder on the path cannot be listed, or is too large
        return ["/"], not hidden


def _secrets() -> Iterator[str]:
    homes = {os.path.expanduser("~")}
    with suppress(KeyError):  # the user id has no entry
        homes.add(pwd.getpwuid(os.getuid()).pw_dir)
    yield from (os.path.join(home, name) for home in homes if os.path.isabs(home) for name in SECRETS)
    for variable in NAMED:
        yield from filter(os.path.isabs, os.environ.get(variable, "").split(os.pathsep))


def _around(folder: str, hidden: set[str]) -> Iterator[str]:
    below = folder.rstrip("/") + "/"
    if folder in hidden:
        return
    if not any(path.startswith(below) for path in hidden):
        yield folder
        return
    with os.scandir(folder) as entries:
        names = [entry.path for entry in entries if not entry.is_symlink()]  # a link's target has its own path
    if len(names) > _MOST:
        raise OSError(f"{folder} contains too many files to list")
    for path in names:
        yield from _around(path, hidden)
