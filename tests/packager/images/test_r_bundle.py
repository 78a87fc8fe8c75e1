"""An R model in containers: they answer its golden cases like R, without R."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from mlpack_toolkit.packager.images import make
from mlpack_toolkit.packager.images._engine import find
from tests.conftest import Run

from .conftest import needs

pytestmark = pytest.mark.slow
SCRIPT = """
folder <- commandArgs(TRUE)[[1]]
model <- glm(am ~ wt + factor(cyl), binomial, mtcars)
saveRDS(model, file.path(folder, "cars.rds"))
write.csv(mtcars, file.path(folder, "cars.csv"), row.names = FALSE)
"""


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model and rows that R saved."""
    folder = tmp_path_factory.mktemp("cars")
    (folder / "fit.R").write_text(SCRIPT)
    subprocess.run([needs("Rscript"), "--vanilla", folder / "fit.R", folder], check=True, capture_output=True)
    return folder


def test_mlpacks_own_image_and_the_engines_replay_it(client: Any, mlpack: Run, fitted: Path, tmp_path: Path) -> None:
    code, made, said = mlpack("build", fitted / "cars.rds", "--example", fitted / "cars.csv")
    assert code == 0, said
    bundle = tmp_path / made["bundle"]
    assert not isinstance(find(), str)
    for kind in ("oci", "docker"):
        facts = make(bundle, f"cars:{kind}", kind, None, "debian", True, lambda step: None)
        assert facts["replayed"]["cases"] > 3, facts
        if facts["archive"]:
            Path(facts["archive"]).unlink()
    assert client.containers.list(all=True) == []
