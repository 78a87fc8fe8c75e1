"""ONNX Runtime's headers: fetched once, without touching the system, or a sentence that says what to do."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mlpack_toolkit.packager import setup_headers
from mlpack_toolkit.packager.debian import debian_source, security_source
from mlpack_toolkit.packager.errors import MissingToolError

STANZAS = """# a mirror
Types: deb
URIs: https://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: https://mirror.example/debian-security
Suites: bookworm-security
Components: main
"""


def sources(folder: Path, text: str) -> Path:
    (folder / "debian.sources").write_text(text, "utf-8")
    return folder


def test_source_keeps_all_but_the_suite(tmp_path: Path) -> None:
    found = debian_source(sources(tmp_path, STANZAS), "trixie")
    assert found.splitlines()[1:] == [
        "Types: deb",
        "URIs: https://mirror.example/debian",
        "Suites: trixie",
        "Components: main contrib",
        "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg",
    ]


def test_the_security_archive_is_asked_where_the_system_asks_it(tmp_path: Path) -> None:
    """Its stanza comes after an empty line, so that both stand in one file."""
    found = security_source(sources(tmp_path, STANZAS), "trixie")
    assert found == (
        "\nTypes: deb\nURIs: https://mirror.example/debian-security\nSuites: trixie-security\nComponents: main\n"
    )
    assert security_source(sources(tmp_path, STANZAS.partition("\n\n")[0]), "trixie") == ""


def test_the_older_form_of_sources_is_read_too(tmp_path: Path) -> None:
    parts = tmp_path / "sources.list.d"
    parts.mkdir()
    (tmp_path / "sources.list").write_text(
        "# deb https://mirror.example/debian sid main\n"
        "deb https://mirror.example/debian-security bookworm-security main\n"
        "deb [arch=amd64 signed-by=/key.gpg] https://mirror.example/debian bookworm main contrib\n",
        "utf-8",
    )
    assert debian_source(parts, "trixie").splitlines() == [
        "Types: deb",
        "URIs: https://mirror.example/debian",
        "Suites: trixie",
        "Components: main contrib",
        "Signed-By: /key.gpg",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "",
        STANZAS.partition("\n\n")[2],
        STANZAS.replace("Types: deb\n", "Types: deb-src\n"),
        STANZAS.replace("Types: deb\n", "Types: deb\nEnabled: no\n"),
    ],
)
def test_no_debian_archive_says_what_to_do(tmp_path: Path, text: str) -> None:
    with pytest.raises(MissingToolError, match=r"names the Debian archive.*ONNXRUNTIME_INCLUDE_DIR"):
        setup_headers.fetch_headers(tmp_path / "headers", sources(tmp_path, text))


def test_no_apt_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert setup_headers.main(["--into", str(tmp_path / "headers")]) == MissingToolError.exit_code
    error = capsys.readouterr().err
    assert "apt-get is not installed" in error and "ONNXRUNTIME_INCLUDE_DIR" in error
    assert not (tmp_path / "headers").exists()


def test_headers_that_are_there_are_not_fetched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    (tmp_path / "include").mkdir()
    (tmp_path / "include" / "onnxruntime_cxx_api.h").touch()
    assert setup_headers.fetch_headers(tmp_path) == tmp_path / "include"


def test_apt_that_fails_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in ("apt-get", "dpkg"):
        (tools / tool).write_text("#!/bin/sh\necho 'E: no such suite' >&2\nexit 100\n", "utf-8")
        (tools / tool).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")
    with pytest.raises(MissingToolError, match="E: no such suite"):
        setup_headers.fetch_headers(tmp_path / "headers", sources(tmp_path, STANZAS))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bin", "debian.sources"]


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("apt-get"), reason="needs apt-get")
def test_headers_come_from_the_archive_and_nothing_else_changes(tmp_path: Path) -> None:
    before = Path("/var/lib/dpkg/status").read_bytes()
    try:
        include = setup_headers.fetch_headers(tmp_path / "headers")
    except MissingToolError as error:
        pytest.skip(str(error))
    assert "#define ORT_API_VERSION 21" in (include / "onnxruntime_c_api.h").read_text("utf-8")
    assert "MIT" in (tmp_path / "headers" / "copyright").read_text("utf-8")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["headers"]
    assert Path("/var/lib/dpkg/status").read_bytes() == before
