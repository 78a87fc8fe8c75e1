"""A real engine: the image is started in bounds, answers every golden case, and nothing of it stays."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import onnx
import pytest

from mlpack_toolkit.packager.errors import MismatchError
from mlpack_toolkit.packager.images import make
from tests.conftest import Run
from tests.packager.conftest import Made
from tests.seal import seal

from .conftest import Archived, answering

pytestmark = pytest.mark.slow


def _left(client: Any) -> tuple[list[Any], list[Any], list[Any]]:
    networks = [n.name for n in client.networks.list() if n.name.startswith("mlpack-")]
    return client.containers.list(all=True), [i.id for i in client.images.list(all=True)], networks


def test_a_good_image_is_replayed_and_leaves_nothing(
    client: Any, crew: Made, image: Archived, mlpack: Run, tmp_path: Path
) -> None:
    code, facts, said = mlpack("image", crew.folder, "-o", tmp_path / "crew.tar")
    assert code == 0, said
    assert facts["replayed"]["cases"] == sum(1 for _ in crew.bundle.golden())
    assert facts["replayed"]["engine"] == client.version()["Version"]
    assert facts["replayed"]["first_answer_s"] < 2
    assert (tmp_path / "crew.tar").read_bytes() == image.path.read_bytes()
    assert _left(client) == ([], [], [])


def test_what_the_engine_has_already_stays(client: Any, crew: Made, image: Archived, tmp_path: Path) -> None:
    with image.path.open("rb") as file:
        own = client.images.load(file)[0]
    try:
        assert own.tags == ["crew:1.0.0"] and own.id == image.facts["image"]
        make(crew.folder, None, None, tmp_path / "crew.tar", "debian", True, lambda step: None)
        assert client.images.get("crew:1.0.0").id == own.id
        assert _left(client) == ([], [own.id], [])
    finally:
        client.images.remove(own.id, force=True)


@pytest.mark.parametrize("options", [{}, {"user": "12345:0"}, {"user": "0"}])
def test_it_runs_for_any_user_without_writing(
    options: dict[str, Any], client: Any, crew: Made, image: Archived
) -> None:
    """`SIGTERM` ends it at once with 0; nothing is written anywhere."""
    with answering(client, image, **options) as container:
        assert container.diff() in (None, [])


def _with_wrong_answers(made: Made, place: Path) -> Path:
    shutil.copytree(made.folder, place)
    for path in (place / "golden").glob("*.response.json"):
        path.write_text(path.read_text().replace("<b>aye</b>", "nay"))
    return place


def test_a_difference_is_exit_5_and_no_archive(
    client: Any, crew: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = _with_wrong_answers(crew, tmp_path / "wrong")
    seal(folder)
    place = tmp_path / "out" / "crew.tar"
    with pytest.raises(MismatchError, match="does not answer like the original") as caught:
        make(folder, None, None, place, "debian", True, lambda step: None)
    assert caught.value.exit_code == 5 and caught.value.facts["worst"]
    assert list(place.parent.iterdir()) == [] and _left(client) == ([], [], [])


def test_a_server_that_does_not_start_is_said_in_its_own_words(
    client: Any, crew: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "broken"
    shutil.copytree(crew.folder, folder)
    graph = onnx.load(folder / "model" / "model.onnx")
    graph.graph.node[0].op_type = "NoSuchOperator"
    (folder / "model" / "model.onnx").write_bytes(graph.SerializeToString())
    seal(folder)
    with pytest.raises(MismatchError, match="cannot load the graph"):
        make(folder, None, None, tmp_path / "crew.tar", "debian", True, lambda step: None)
    assert not (tmp_path / "crew.tar").exists() and _left(client) == ([], [], [])
