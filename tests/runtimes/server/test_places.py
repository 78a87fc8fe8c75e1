"""What is said of columns that are missing, of models that are elsewhere, and of a page that has another place."""

from __future__ import annotations

from tests.runtimes.server.conftest import ROW, Served


def test_all_missing_columns_are_named(penguin_server: Served) -> None:
    reply = penguin_server.post("/predict", {"island": "Biscoe"})
    absent = ", ".join(repr(name) for name in sorted(set(ROW) - {"island"}))
    assert (reply.status, reply.json) == (400, {"error": f"row 0: the columns {absent} are missing"})
    one = penguin_server.post("/predict", [ROW, {k: v for k, v in ROW.items() if k != "sex"}])
    assert one.json == {"error": "row 1: the column 'sex' is missing"}


def test_all_missing_columns_of_a_request_are_named(penguin_server: Served) -> None:
    tensor = {"name": "island", "shape": [1, 1], "datatype": "BYTES", "data": ["Biscoe"]}
    reply = penguin_server.post(f"/v2/models/{penguin_server.name}/infer", {"inputs": [tensor]})
    absent = ", ".join(repr(name) for name in ROW if name != "island")
    assert reply.json == {"error": f"the columns {absent} are missing; there are: 'island'"}


def test_a_wrong_name_in_a_url_names_the_right_one(penguin_server: Served) -> None:
    said = f"there is nothing at this path; the model here is {penguin_server.name!r}, version '1.0.0'"
    for path in (
        "/v2/models/penguin/infer",
        f"/v2/models/{penguin_server.name}/versions/9/infer",
        "/v1/models/x:predict",
    ):
        reply = penguin_server.post(path, {})
        assert (reply.status, reply.json) == (404, {"error": said}), path
    assert penguin_server.get("/v2/models/penguin").json == {"error": said}
    assert penguin_server.get("/nowhere").json == {"error": "there is nothing at '/nowhere'"}


def test_docs_lead_to_the_page(penguin_server: Served) -> None:
    reply = penguin_server.get("/docs")
    assert (reply.status, reply.headers["location"], reply.body) == (307, "/", b"")
    assert penguin_server.get("/").status == 200
