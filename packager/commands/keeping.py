"""What is left of a build that fails, where the user asks for it."""

from __future__ import annotations

import json
import shutil
import stat
from pathlib import Path

from ..errors import MismatchError
from ..travel import share

GRAPHS = "graphs"
"""The folder of the tried graphs, each in a folder of its own, in order."""


def keep(scratch: Path, place: Path, error: MismatchError) -> None:
    """Leaves the graphs, the probes and both sides' answers for study."""
    shutil.rmtree(place, ignore_errors=True)
    if (graphs := scratch.with_name(GRAPHS)).is_dir():
        shutil.copytree(graphs, place / GRAPHS, copy_function=lambda a, b: share(Path(a), Path(b)))
    shutil.copytree(scratch, place, ignore=_folders, dirs_exist_ok=True)
    (place / "error.json").write_text(json.dumps(error.to_json(), indent=1, default=str))
    error.facts["kept"] = str(place)


def _folders(folder: str, names: list[str]) -> list[str]:
    """The names of links, pipes and folders, which a model may have made, and the name of the graphs' folder."""
    return [name for name in names if name == GRAPHS or not stat.S_ISREG(Path(folder, name).lstat().st_mode)]
