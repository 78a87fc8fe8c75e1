"""R models from the file that `saveRDS` wrote to a bundle, and back to the same answers years later."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlpack_toolkit.packager.bundle.reader import open_bundle
from mlpack_toolkit.packager.environments.r.library import write_archive
from mlpack_toolkit.packager.environments.r.rebuild import _in_order, _unpack, rebuild_r
from mlpack_toolkit.packager.errors import DamagedError, EnvironmentFault
from tests.conftest import Run

SCRIPT = """
folder <- commandArgs(TRUE)[[1]]
put <- function(name, model) saveRDS(model, file.path(folder, paste0(name, ".rds")))
library(rpart)
tree <- rpart(Kyphosis ~ Age + Number + Start, kyphosis)
put("tree", tree)
write.csv(kyphosis, file.path(folder, "kyphosis.csv"), row.names = FALSE)
line <- lm(Sepal.Length ~ Species * Petal.Width, iris)
put("line", line)
put("iris", iris)
write.csv(iris, file.path(folder, "iris.csv"), row.names = FALSE)
save(line, tree, folder, file = file.path(folder, "work.RData"))
put("machine", e1071::svm(Petal.Length ~ Species + Petal.Width, iris))
put("outer", caret::train(Kyphosis ~ Age + Start, kyphosis, method = "rpart",
  trControl = caret::trainControl(method = "none"), tuneGrid = data.frame(cp = 0.01)))
put("strange", structure(list(1), class = "never_heard_of"))
put("frame", 1:3)
put("pair", list(n = 2, line = line))
put("items", list(1, "a"))
put("closure", function(x) x)
flags <- kyphosis
flags$young <- flags$Age < 60
put("flagged", lm(Start ~ I(young * 2) + Number, flags))
put("kinds", MASS::lda(Kyphosis ~ young + Number, flags))
put("flags", flags)
write.csv(flags, file.path(folder, "flags.csv"), row.names = FALSE)
flags$Number[3] <- NA
write.csv(flags, file.path(folder, "holes.csv"), row.names = FALSE)
put("noisy", local({ m <- line; class(m) <- c("noisy", "lm"); m }))
"""


ROOT = Path(__file__).parents[2]


@lru_cache(maxsize=1)
def no_network() -> tuple[str, ...]:
    """The command before another that takes its network away; none where this machine does not let us."""
    command = ("unshare", "--map-root-user", "--net")
    try:
        done = subprocess.run([*command, "true"], capture_output=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return command if done.returncode == 0 else ()


def offline(folder: Path, *arguments: object) -> dict[str, Any]:
    """What `mlpack ARGUMENTS --json` says where there is no network."""
    command = [*no_network(), sys.executable, "-m", "mlpack_toolkit", *map(str, arguments), "--json"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models and rows that R saved."""
    folder = tmp_path_factory.mktemp("r")
    (folder / "fit.R").write_text(SCRIPT)
    subprocess.run(["Rscript", "--vanilla", folder / "fit.R", folder], check=True, capture_output=True, timeout=120)
    return folder


def test_a_tree_comes_back_from_its_bundle_alone(mlpack: Run, shelf: Path, tmp_path: Path) -> None:
    """Its package is in the bundle; without a network the answers have the same bits."""
    command = ("build", shelf / "tree.rds", "--example", shelf / "kyphosis.csv", "--vendor", "--target", "cpp")
    code, made, _ = mlpack(*command)
    assert code == 0
    assert [o["name"] for o in made["signature"]["outputs"]] == ["label", "probabilities", "status"]
    bundle = tmp_path / made["bundle"]
    lock = json.loads((bundle / "environment/r/renv.lock").read_text())
    assert list(lock["Packages"]) == ["rpart"]
    told = offline(tmp_path, "reproduce", bundle, "--into", "again")
    assert told["golden"]["cases"] == told["golden"]["same_bits"] > 0
    assert told["kernels"] == {"recorded": "unknown", "present": "unknown"}
    where = subprocess.run(
        [tmp_path / "again/Rscript", "--vanilla", "-e", 'cat(find.package("rpart"))'], capture_output=True, text=True
    )
    assert where.stdout == str(tmp_path / "again/library/rpart")


def test_two_builds_are_the_same(mlpack: Run, shelf: Path, tmp_path: Path) -> None:
    command = ("build", shelf / "tree.rds", "--example", shelf / "kyphosis.csv", "--vendor")
    one, two = (mlpack(*command, "-o", name)[1] for name in ("one", "two"))
    assert one["identity"] == two["identity"]


def test_a_tampered_package_is_not_unpacked(mlpack: Run, shelf: Path, tmp_path: Path) -> None:
    code, made, _ = mlpack("build", shelf / "tree.rds", "--example", shelf / "kyphosis.csv", "--vendor")
    assert code == 0
    archive = tmp_path / made["bundle"] / "environment/r/r-packages/rpart_4.1.19.tar"
    whole = archive.read_bytes()
    archive.write_bytes(whole.replace(b"rpart", b"qpart", 1))
    code, told, _ = mlpack("reproduce", made["bundle"], "--into", "again")
    assert (code, (tmp_path / "again").exists()) == (8, False), told


def test_an_archive_that_leaves_its_folder(shelf: Path, tmp_path: Path) -> None:
    archive = tmp_path / "rpart.tar"
    with tarfile.open(archive, "w") as tar:
        tar.add(shelf / "fit.R", "../outside")
    with pytest.raises(DamagedError, match="which is not part of rpart"):
        _unpack(archive, "rpart", tmp_path)
    with tarfile.open(archive, "w") as tar:
        link = tarfile.TarInfo("rpart/link")
        link.type, link.linkname = tarfile.SYMTYPE, "../../outside"
        tar.addfile(link)
    with pytest.raises(DamagedError, match="does not belong in a library"):
        _unpack(archive, "rpart", tmp_path)


def test_a_model_inside_a_model_brings_its_package(mlpack: Run, shelf: Path, tmp_path: Path) -> None:
    code, made, _ = mlpack("build", shelf / "outer.rds", "--example", shelf / "kyphosis.csv", "--target", "cpp")
    assert code == 0
    lock = json.loads((tmp_path / made["bundle"] / "environment/r/renv.lock").read_text())
    assert {"caret", "rpart"} <= set(lock["Packages"])
    assert all(len(package["Sha256"]) == 64 for package in lock["Packages"].values())


@pytest.mark.parametrize("name", ["../outside", "a/b", "", ".."])
def test_a_lock_names_packages_and_no_places(name: str) -> None:
    with pytest.raises(DamagedError, match="is not a package name"):
        _in_order({"rpart": {}, name: {}})


def test_a_link_out_of_a_package_is_no_part_of_its_archive(tmp_path: Path) -> None:
    """Debian's glmnet has one in its help; what lies behind it is another package's."""
    package = tmp_path / "p"
    package.mkdir()
    (package / "DESCRIPTION").write_text("Package: p")
    without = write_archive(package, None)
    (package / "inside").symlink_to("DESCRIPTION")
    inside = write_archive(package, None)
    (package / "outside").symlink_to("../../elsewhere")
    with (tmp_path / "p.tar").open("wb") as file:
        assert write_archive(package, file) == inside != without
    _unpack(tmp_path / "p.tar", "p", tmp_path / "library")
    assert (tmp_path / "library/p/inside").read_text() == "Package: p"


def test_of_a_workspace_the_named_object(mlpack: Run, shelf: Path) -> None:
    code, told, _ = mlpack("build", shelf / "work.RData", "--example", shelf / "iris.csv")
    assert code == 4
    assert (
        told["error"]["message"] == "the file holds the objects folder, line, tree: name the model with --object NAME"
    )
    code, told, _ = mlpack("build", shelf / "work.RData", "--example", shelf / "iris.csv", "--object", "line")
    assert code == 0
    levels = {i["name"]: i.get("values") for i in told["signature"]["inputs"]}
    assert levels == {"Species": ["setosa", "versicolor", "virginica"], "Petal.Width": None}


def test_rows_that_r_saved(mlpack: Run, shelf: Path, tmp_path: Path) -> None:
    code, made, _ = mlpack("build", shelf / "line.rds", "--example", shelf / "iris.rds")
    assert code == 0
    mlpack("predict", made["bundle"], shelf / "iris.rds", "-o", "answers.json")
    assert len(json.loads((tmp_path / "answers.json").read_text())) in (2, 150)


def every_kind(shelf: Path, folder: Path) -> list[Path]:
    """The rows with truth values in every kind of file that an example may be."""
    import pandas as pd

    frame = pd.read_csv(shelf / "flags.csv")
    frame.to_parquet(folder / "flags.parquet")
    frame.to_json(folder / "flags.json", orient="records")
    np.savez(folder / "flags.npz", **{n: np.asarray(frame[n], str if n == "Kyphosis" else None) for n in frame})
    return [
        shelf / "flags.csv",
        shelf / "flags.rds",
        *(folder / f"flags.{kind}" for kind in ("parquet", "json", "npz")),
    ]


@pytest.mark.parametrize("model", ["flagged", "kinds"])
def test_what_the_example_holds_predict_takes(mlpack: Run, shelf: Path, tmp_path: Path, model: str) -> None:
    """Truth values where the formula calculates with them, and where they are a factor."""
    code, made, _ = mlpack("build", shelf / f"{model}.rds", "--example", shelf / "flags.csv", "--target", "cpp")
    assert code == 0
    found = []
    for file in every_kind(shelf, tmp_path):
        code, told, _ = mlpack("predict", made["bundle"], file, "-o", "answers.json")
        assert code == 0, told
        found.append(json.loads((tmp_path / "answers.json").read_text()))
    assert len(found[0]) == 81 and all(each == found[0] for each in found)
    if model == "kinds":
        _no_label_where_r_answers_na(mlpack, made["bundle"], shelf, tmp_path)


def _no_label_where_r_answers_na(mlpack: Run, bundle: str, shelf: Path, folder: Path) -> None:
    from pyarrow import parquet

    for kind in ("json", "parquet", "csv", "npz"):
        assert mlpack("predict", bundle, shelf / "holes.csv", "-o", f"holes.{kind}")[0] == 0
    row = json.loads((folder / "holes.json").read_text())[2]
    assert (row["label"], row["status"], row["probability.absent"]) == (None, 1, None)
    labels = parquet.read_table(folder / "holes.parquet").column("label")
    assert (labels.null_count, labels[2].as_py(), labels[0].as_py()) == (1, None, "absent")
    assert (folder / "holes.csv").read_text().splitlines()[3].startswith(",")
    assert np.load(folder / "holes.npz")["label"][2] == ""


def test_levels_that_the_model_does_not_keep_are_asked_for(mlpack: Run, shelf: Path, tmp_path: Path) -> None:
    command = ("build", shelf / "machine.rds", "--example", shelf / "iris.csv")
    code, told, _ = mlpack(*command)
    assert code == 4 and "--training FILE" in told["error"]["message"]
    code, told, _ = mlpack(*command, "--training", shelf / "iris.rds")
    assert code == 0
    given = open_bundle(tmp_path / told["bundle"]).source.given
    assert given["levels"]["Species"] == ["setosa", "versicolor", "virginica"]
    code, told, _ = mlpack("bench", told["bundle"], "--against", "original", "--seconds", "0.01")
    assert code == 0 and told["original"]


@pytest.mark.parametrize(
    ("model", "code", "said"),
    [
        ("strange", 4, "there is no converter for R's class never_heard_of"),
        ("noisy", 4, "there is no converter for R's class noisy lm"),
        ("frame", 4, "the file holds a vector or a matrix, not a model"),
        ("iris", 4, "the file holds a data frame: rows, not a model; save the fitted model"),
        ("pair", 4, "the file holds a list; its item 'line' is of class lm: save that alone"),
        ("items", 4, "the file holds a list in which no model is found"),
        ("closure", 4, "the file holds a function or an environment, not a model"),
    ],
)
def test_what_is_no_known_model(mlpack: Run, shelf: Path, model: str, code: int, said: str) -> None:
    found, told, _ = mlpack("build", shelf / f"{model}.rds", "--example", shelf / "iris.csv")
    assert found == code and told["error"]["message"].startswith(said)


def test_a_damaged_file(mlpack: Run, shelf: Path, tmp_path: Path) -> None:
    whole = (shelf / "line.rds").read_bytes()
    (tmp_path / "half.rds").write_bytes(whole[: len(whole) // 2])
    code, told, _ = mlpack("build", tmp_path / "half.rds", "--example", shelf / "iris.csv")
    assert code == 3 and "cannot be read as R's" in told["error"]["message"]


def test_without_r(mlpack: Run, shelf: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("R_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    code, told, _ = mlpack("build", shelf / "line.rds", "--example", shelf / "iris.csv")
    assert code == 9 and "--rscript PATH" in told["error"]["message"]


def test_r_is_found_by_its_home_and_by_its_program(
    mlpack: Run, shelf: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = shutil.which("Rscript")
    assert program is not None
    home = subprocess.run([program, "-e", "cat(R.home())"], capture_output=True, text=True).stdout
    for tool in ("unshare", "sh", "uname", "sed", "grep", "dirname", "rm", "true"):
        os.symlink(str(shutil.which(tool)), tmp_path / tool)
    monkeypatch.setenv("PATH", str(tmp_path))
    command = ("build", shelf / "line.rds", "--example", shelf / "iris.csv", "--target", "cpp")
    assert mlpack(*command, "--rscript", program, "--name", "one")[0] == 0
    monkeypatch.setenv("R_HOME", home)
    assert mlpack(*command, "--name", "two")[0] == 0


SOURCES = """
folder <- commandArgs(TRUE)[[1]]
for (name in c("below", "above")) {
  dir.create(file.path(folder, name, "R"), recursive = TRUE)
  writeLines(c(paste("Package:", name), "Version: 0.1.0", "Title: A Package", "Description: For a test.",
    "Author: Nobody", "Maintainer: Nobody <nobody@example.invalid>", "License: CC0",
    if (name == "above") "Imports: below"), file.path(folder, name, "DESCRIPTION"))
  writeLines("export(f)", file.path(folder, name, "NAMESPACE"))
  writeLines(if (name == "below") "f <- function(x) 2 * x" else "f <- function(x) below::f(x)",
    file.path(folder, name, "R", "f.R"))
}
"""


def test_sources_of_a_repository_are_built_again(mlpack: Run, shelf: Path, tmp_path: Path) -> None:
    """Two packages, one needs the other; the repository has both as sources."""

    def say(*command: object) -> None:
        subprocess.run([str(c) for c in command], check=True, capture_output=True, timeout=120, cwd=tmp_path)

    (tmp_path / "make.R").write_text(SOURCES)
    say("Rscript", "--vanilla", "make.R", tmp_path)
    place = tmp_path / "repository" / "src" / "contrib"
    place.mkdir(parents=True)
    (tmp_path / "library").mkdir()
    for name in ("below", "above"):
        say("R", "CMD", "build", "--no-build-vignettes", name)
        (tmp_path / f"{name}_0.1.0.tar.gz").rename(place / f"{name}_0.1.0.tar.gz")
        say("env", "R_LIBS=library", "R", "CMD", "INSTALL", "--library=library", place / f"{name}_0.1.0.tar.gz")
    with_it = "m <- lm(mpg ~ wt, mtcars); m$helper <- above::f; saveRDS(m, 'm.rds'); write.csv(mtcars, 'm.csv')"
    say("env", "R_LIBS=library", "Rscript", "--vanilla", "-e", with_it)
    stub = tmp_path / "Rscript"
    stub.write_text(f'#!/bin/sh\nR_LIBS={tmp_path}/library exec Rscript "$@"\n')
    stub.chmod(0o755)
    command = ("build", "m.rds", "--example", "m.csv", "--rscript", stub, "--vendor", "--target", "cpp")
    code, made, _ = mlpack(*command, "--repository", "repository")
    assert code == 0, made
    kept = sorted(p.name for p in (tmp_path / made["bundle"] / "environment/r/r-packages").iterdir())
    assert kept == ["above_0.1.0.tar.gz", "below_0.1.0.tar.gz"]
    told = offline(tmp_path, "reproduce", made["bundle"], "--into", "again")
    assert told["distributions"] == 2 and told["golden"]["same_bits"] == told["golden"]["cases"]
    code, told, _ = mlpack(*command, "--repository", "library", "--name", "none")
    assert code == 2 and "no folder src/contrib" in told["error"]["message"]


PROGRAM = """
import mlpack_toolkit
from rpy2 import robjects

fit = robjects.r("lm(mpg ~ wt, mtcars)")
built = mlpack_toolkit.build(fit, robjects.r("mtcars"), output="dist", name="cars", target="java")
print(built.identity)
"""


def test_a_program_hands_its_r_object_over(mlpack: Run, shelf: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert open_bundle(tmp_path / "dist/cars-1.0.0").source.title == "lm" and "sha256:" in done.stdout
    assert mlpack("verify", "dist/cars-1.0.0")[0] == 0


def test_another_r_is_told_before_anything_is_unpacked(mlpack: Run, shelf: Path, tmp_path: Path) -> None:
    """Installed packages run in R of the same minor version only."""
    code, made, _ = mlpack("build", shelf / "line.rds", "--example", shelf / "iris.csv", "--target", "cpp")
    assert code == 0
    bundle = tmp_path / made["bundle"]
    wanted = json.loads((bundle / "environment/r/environment.json").read_text())
    wanted["interpreter"]["version"] = "3.6.1"
    with pytest.raises(EnvironmentFault, match=r"install R 3\.6\.1, or give its Rscript with --rscript"):
        rebuild_r(bundle / "environment/r", wanted, tmp_path / "again", None)
    assert not (tmp_path / "again").exists()
