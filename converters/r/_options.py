"""What a user can say of a model of R."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ..plugin import BUILD, FILE, MACHINE, PAIR, PROGRAM, Option
from ..rds import Fault
from ..rds_frame import levels_in
from ..spec import Unreadable


def _levels(path: Path) -> Mapping[str, Sequence[str]]:
    try:
        return levels_in(path)
    except Fault as fault:
        raise Unreadable(f"{path} is no data frame that saveRDS wrote: {fault}") from fault


def _check_repository(place: str) -> None:
    if "://" not in place and not (Path(place) / "src" / "contrib").is_dir():
        raise Unreadable(f"{place} is no repository of R packages: it has no folder src/contrib")


OPTIONS = (
    Option(
        "rscript",
        "The program that runs R.  [default: that of R_HOME, else on the path]",
        kind=PROGRAM,
        scope=MACHINE,
        old_spelling="--rscript",
    ),
    Option("object", "The model's name in a workspace that holds several objects.", old_spelling="--object"),
    Option(
        "training",
        "The model's training frame (.rds), where the model keeps no factor levels.",
        kind=FILE,
        old_spelling="--training",
        key="levels",
        read=_levels,
    ),
    Option(
        "argument",
        "An argument of predict().",
        kind=PAIR,
        repeatable=True,
        old_spelling="--argument",
        key="arguments",
    ),
    Option(
        "repository",
        "A repository of R packages, whose sources --vendor takes.",
        scope=BUILD,
        old_spelling="--repository",
        check=_check_repository,
    ),
)
