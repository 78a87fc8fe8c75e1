"""The files of a user that no model needs, and how everything else is named."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

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


def readable(home: str, needed: Sequence[str]) -> tuple[list[str], bool]:
    """Files and folders that are everything but the secrets; whether that could be said.

    `needed`: folders that may come into being only later. Landlock allows and never denies: so on the way to a secret
    each neighbour is named.
    """
    hidden = {os.path.realpath(os.path.join(home, name)) for name in SECRETS}
    hidden = {path for path in hidden if os.path.exists(path)}
    try:
        return [*_around("/", hidden), *needed], True
    except OSError:  # a folder on the way cannot be listed
        return ["/"], not hidden


def _around(folder: str, hidden: set[str]) -> Iterator[str]:
    below = folder.rstrip("/") + "/"
    if folder in hidden:
        return
    if not any(path.startswith(below) for path in hidden):
        yield folder
        return
    with os.scandir(folder) as entries:
        names = [entry.path for entry in entries if not entry.is_symlink()]  # a link leads to what has a name elsewhere
    for path in names:
        yield from _around(path, hidden)
