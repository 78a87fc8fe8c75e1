"""The OpenAPI document, held against the server by a program that nobody here wrote."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.runtimes.server.conftest import HOSTILE, Served

pytest.importorskip("schemathesis")
EXAMPLES = 6


def schemathesis(server: Served, folder: Path, *options: str) -> None:
    """Its command line finds nothing to complain about."""
    program = Path(sys.executable).parent / "schemathesis"
    address = f"http://127.0.0.1:{server.port}/openapi.json"
    command = [
        program,
        "run",
        address,
        "-n",
        str(EXAMPLES),
        "--phases",
        "examples,coverage,fuzzing",
        "--seed",
        "1",
        *options,
    ]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=120, cwd=folder)
    assert done.returncode == 0, done.stdout[-6000:]


INFER = "/infer$"
VALID = ("--exclude-checks", "positive_data_acceptance")


def test_the_document_says_what_the_server_does(crew_server: Served, tmp_path: Path) -> None:
    """All but the protocol's own requests: no schema can say that a tensor's shape and data agree."""
    schemathesis(crew_server, tmp_path, "--exclude-path-regex", INFER)


def test_of_the_protocols_requests_the_rest_holds(crew_server: Served, tmp_path: Path) -> None:
    schemathesis(crew_server, tmp_path, "--include-path-regex", INFER, *VALID)


@pytest.mark.parametrize(("fixture", "options"), [("flower_server", ()), ("typed_server", VALID)])
def test_rows_of_other_models(
    fixture: str, options: tuple[str, ...], request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Nor can one say that lists in lists are as long in each row."""
    schemathesis(request.getfixturevalue(fixture), tmp_path, "--include-path", "/predict", *options)


def resolved(server: Served) -> dict[str, Any]:
    found: dict[str, Any] = server.get("/openapi.json").json
    return found


def test_the_models_own_columns_and_rules(crew_server: Served) -> None:
    schemas = resolved(crew_server)["components"]["schemas"]
    row = schemas["Row"]
    assert row["required"] == ["mood", HOSTILE, "age", "aboard"]
    assert set(row["properties"]["mood"]["enum"]) == {"😀", "naïve", "日本", ""}
    assert row["properties"]["aboard"]["type"] == "boolean"
    assert row["properties"]["age"]["type"] == "integer"
    assert crew_server.post("/predict", row["examples"][0]).status == 200
    assert set(schemas["Answer"]["properties"]) == set(crew_server.post("/predict", row["examples"][0]).json[0])


def test_every_example_is_answered(penguin_server: Served, flower_server: Served, typed_server: Served) -> None:
    for server in (penguin_server, flower_server, typed_server):
        example = resolved(server)["components"]["schemas"]["Row"]["examples"][0]
        assert server.post("/predict", example).status == 200


def test_the_page_holds_the_model(penguin_server: Served) -> None:
    page = penguin_server.get("/").body.decode()
    plain = page.partition('id="model">')[2].partition("</script>")[0]
    assert [c["name"] for c in json.loads(plain)["columns"]][:2] == ["island", "sex"]
    assert "http://" not in page and "https://" not in page
