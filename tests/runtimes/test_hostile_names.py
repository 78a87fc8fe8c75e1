"""Names that attack, in all that is generated: compiled and run, or read by a parser of that format."""

from __future__ import annotations

import html.parser
import json
import re
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import yaml
from google.protobuf import text_format  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st

from mlpack_toolkit.packager.bundle.report import report_html
from mlpack_toolkit.packager.commands.bench import LatencyReport
from mlpack_toolkit.packager.equivalence.report import VerificationReport
from mlpack_toolkit.runtimes import load
from mlpack_toolkit.runtimes.cpp import names as _cpp_names
from mlpack_toolkit.runtimes.docker import names as _docker_names
from mlpack_toolkit.runtimes.docker import triton
from mlpack_toolkit.runtimes.java import names as _java_names
from mlpack_toolkit.runtimes.spec import Package
from tests.runtimes.hostile_names import BUNDLE, NAMES, table, tensors
from tests.runtimes.test_cpp import follow_steps, tools  # noqa: F401
from tests.runtimes.test_java import verify_all, write

UNSEEN = ("Cc", "Cf", "Zl", "Zp", "Cs", "Co", "Cn")
"""Characters that do not show: controls, marks that turn the reading direction, private and unassigned ones."""
anything = st.text(st.characters(exclude_categories=())) | st.sampled_from([*NAMES, BUNDLE])
many = settings(max_examples=300, deadline=None)


@pytest.fixture(scope="module", params=[table, tensors], ids=["rows", "tensors"])
def package(request: pytest.FixtureRequest) -> Package:
    """A model of rows, and one of tensors."""
    made: Package = request.param()
    return made


@pytest.mark.slow
def test_java_compiles_and_answers(tmp_path: Path) -> None:
    for make in (table, tensors):
        write(make(), tmp_path / make.__name__)
    assert verify_all(tmp_path, ["table", "tensors"]) == {"table": True, "tensors": True}
    assert not list(tmp_path.rglob("pwned"))


@pytest.mark.slow
@pytest.mark.usefixtures("tools")
def test_cpp_compiles_and_answers(package: Package, tmp_path: Path) -> None:
    for name, content in load("cpp").render(package).items():
        (tmp_path / "project" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "project" / name).write_bytes(content)
    done = follow_steps(tmp_path / "project", tmp_path / "work")
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    assert not list(tmp_path.rglob("pwned"))


@pytest.mark.parametrize("target", ["java", "cpp", "docker"])
def test_no_text_hides_or_turns_what_a_person_reads(target: str, package: Package) -> None:
    """Trojan source: neither code nor comment nor document holds a character that does not show."""
    for name, content in load(target).render(package).items():
        if name.endswith((".onnx", ".json", ".tsv", ".bin")):
            continue
        unseen = {c for c in content.decode() if unicodedata.category(c) in UNSEEN} - {"\n", "\t"}
        assert not unseen, (name, unseen)
        assert BUNDLE.splitlines()[0] not in name and ".." not in name.split("/")


def test_files_of_an_image_are_what_their_parsers_read(package: Package) -> None:
    files = load("docker").render(package)
    for name in (n for n in files if n.endswith(".yaml")):
        for document in yaml.safe_load_all(files[name]):
            assert isinstance(document, dict), name
            assert "pwned)" not in json.dumps(document)
    first = files["Dockerfile"].decode().splitlines()[0]
    assert re.match(r"#\s*\w+\s*=", first) is None, "that is a directive to the builder"
    assert "pwned" not in " ".join(line for line in files["Dockerfile"].decode().splitlines() if line.startswith("RUN"))


def test_a_name_is_no_directive_to_an_image_builder(package: Package) -> None:
    named = Package("syntax=evil.example/frontend", "1", package.signature, package.model, package.golden)
    first = load("docker").render(named)["Dockerfile"].decode().splitlines()[0]
    assert re.match(r"#\s*\w+\s*=", first) is None


def test_triton_reads_the_names_back(package: Package) -> None:
    config = next(c for n, c in load("docker").render(package).items() if n.endswith("config.pbtxt")).decode()
    quoted = re.findall(r'^\s*name: ("(?:[^"\\]|\\.)*")$', config, re.MULTILINE)
    names = [text_format.ParseLines([f"name: {q}"], _message()).name for q in quoted]
    signature = package.signature
    assert names == [t.name for t in (*signature.inputs, *signature.outputs)]


def _message() -> object:
    from onnx import NodeProto

    return NodeProto()


class Reading(html.parser.HTMLParser):
    """All elements and all text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.words: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_the_report_holds_no_markup_of_a_name(package: Package) -> None:
    facts = {
        "signature": package.signature.to_json(), "name": BUNDLE, "version": "1", "title": BUNDLE, "framework": "onnx",
        "mlpack": "1", "notes": list(NAMES), "environment": {"unproved": []},
        "locks": "python/pylock.toml",
    }  # fmt: skip
    interpreter = {"implementation": "CPython", "version": "3", "platform": "linux"}
    environment = {"interpreter": interpreter, "libc": "glibc", "distributions": []}
    proof = VerificationReport("float32", "CPU", {}, False, {}, {}, tuple((n, n, 1, 1) for n in NAMES), {})
    each = {"batch": 1, "p50_ms": 1.0, "p90_ms": 1.0, "p95_ms": 1.0, "p99_ms": 1.0, "rows_per_second": 1.0}
    machine = {"cpu": BUNDLE, "cores": 1, "kernel": "k", "libc": "l"}
    latency = LatencyReport((each,), (each,), machine, {n: n for n in NAMES})
    page = report_html(facts, proof, environment, latency, (), "", "").decode()
    assert not {"script", "img", "iframe"} & Reading(page).tags
    assert not {c for c in page if unicodedata.category(c) in UNSEEN} - {"\n", "\t"}
    assert "\\u202e txt.exe" in page and "&lt;/script&gt;" in page


@many
@given(anything)
def test_a_java_literal_is_the_text(text: str) -> None:
    """Read as javac does: Unicode escapes first, wherever they stand, then the escapes of a literal."""
    literal = _java_names.literal(text)
    assert literal.isascii() and "\n" not in literal and "\r" not in literal
    units = re.sub(r"\\(\\|u+([0-9a-f]{4}))", lambda m: m[0] if m[1] == "\\" else chr(int(m[2], 16)), literal)
    assert re.fullmatch(r'"(?:[^"\\\n\r]|\\["\\]|\\[0-3][0-7]{2})*"', units)
    again = re.sub(r"\\([0-7]{3}|.)", lambda m: chr(int(m[1], 8)) if len(m[1]) == 3 else m[1], units[1:-1])
    assert again.encode("utf-16-le", "surrogatepass") == text.encode("utf-16-le", "surrogatepass")


@many
@given(anything)
def test_a_javadoc_comment_is_text(text: str) -> None:
    comment = _java_names.javadoc(text)
    assert not re.search(r"[\n\r\\*/<>{}@]|\*/", comment)
    assert not {c for c in comment if unicodedata.category(c) in UNSEEN}


@many
@given(anything.filter(lambda t: t.encode("utf-8", "ignore").decode() == t))
def test_a_cpp_literal_is_the_text(text: str) -> None:
    literal = _cpp_names.literal(text)
    assert re.fullmatch(r'"(?:[^"\\\n\r]|\\["\\?]|\\[0-7]{3})*"', literal) and "??" not in literal
    again = re.sub(
        rb"\\([0-7]{3}|.)", lambda m: bytes([int(m[1], 8)]) if len(m[1]) == 3 else m[1], literal[1:-1].encode()
    )
    assert again.decode() == text


@many
@given(anything.filter(lambda t: t.encode("utf-8", "ignore").decode() == t))
def test_a_text_of_protobuf_is_the_text(text: str) -> None:
    assert text_format.ParseLines([f"name: {triton.text(text)}"], _message()).name == text


@many
@given(st.lists(anything, max_size=8))
def test_identifiers_are_identifiers(names: list[str]) -> None:
    java = _java_names.identifiers(names)
    cpp = _cpp_names.unique_names(names, "column")
    assert len(set(java)) == len(java) == len(names) == len(set(cpp))
    assert not set(java) & _java_names.KEYWORDS and not set(cpp) & _cpp_names.KEYWORDS
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", name) and "__" not in name for name in cpp)
    assert all(re.fullmatch(r"\w+", name) and not name[0].isdigit() for name in java)


@many
@given(anything, anything)
def test_names_of_images_and_labels(name: str, version: str) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9-]{0,39}", _docker_names.dns_label(name))
    assert re.fullmatch(r"([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?", _docker_names.label_value(version))
    assert re.fullmatch(r"[a-z0-9-]{1,128}:[A-Za-z0-9_][A-Za-z0-9._-]{0,127}", _docker_names.image_name(name, version))
    assert re.fullmatch(r"[A-Za-z0-9._-]+", _docker_names.folder_name(name))
    assert "\n" not in _docker_names.quoted(name) and not re.search(r"(?<!\\)(\\\\)*[$]", _docker_names.quoted(name))


def test_every_name_is_itself_in_numpy() -> None:
    """What the tests above rely on: no two names are one, and none is lost on the way into a graph."""
    assert len(set(NAMES)) == len(NAMES) and np.array(NAMES, object).tolist() == list(NAMES)
