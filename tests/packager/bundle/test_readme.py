"""The README at a bundle's root: right, the same for the same bundle, and nothing but text whatever names are in it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from mlpack_toolkit.packager.bundle.readme import code, plain, readme
from mlpack_toolkit.packager.equivalence.report import VerificationReport
from tests.packager.conftest import HOSTILE, Made

HOSTILE_NAMES = [
    "<script>alert(1)</script>",
    "a`b",
    "``",
    "`",
    "![x](http://evil.example/x.png)",
    "a\nb\n# c",
    "**b**",
    " pad ",
    "",
]
PROOF = VerificationReport("float32", "CPUExecutionProvider", {}, False, {}, {}, (), {})


def facts(name: str) -> dict[str, Any]:
    tensor = {"name": name, "dtype": "float32", "shape": ["N", 1]}
    signature = {"task": "regressor", "inputs": [tensor], "outputs": [{**tensor, "name": "prediction"}], "classes": []}
    return {
        **{"name": "a_b", "version": "1.0.0", "mlpack": "0.1.0", "framework": "sklearn", "title": name or "x"},
        **{"source": f"model/source/{name}", "notes": [name], "signature": signature},
    }


def rendered(text: str) -> str:
    """The page as a reader of CommonMark shows it."""
    from markdown_it import MarkdownIt

    return str(MarkdownIt("commonmark", {"html": True}).render(text))


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_hostile_names_are_text(name: str) -> None:
    text = readme(facts(name), PROOF, [])["README.md"].decode()
    usual = readme(facts("x"), PROOF, [])["README.md"].decode()
    assert text.count("\n") == usual.count("\n")
    page = rendered(text)
    assert page.count("<a ") == rendered(usual).count("<a ")
    for tag in ("<script", "<img", "<b>", 'http://evil.example/x.png"'):
        assert tag not in page
    assert page.count("<h1>") == 1 and page.count("<strong>") == rendered(usual).count("<strong>")


def test_code_and_plain() -> None:
    assert code("a`b") == "``a`b``" and code("`") == "`` ` ``" and code("a\nb") == "`a\\nb`"
    assert plain("<a_b>*\u202e") == "\\<a\\_b\\>\\*\\\\u202e"
    assert plain("Pipeline(A, B)") == "Pipeline(A, B)"


def test_of_a_bundle(crew: Made) -> None:
    bundle = crew.bundle
    text = (bundle.place / "README.md").read_text(encoding="utf-8")
    proof = bundle.json("reports/verification.json")
    assert text.startswith("# crew 1.0.0\n")
    assert (
        "Pipeline(ColumnTransformer(OneHotEncoder, FunctionTransformer), LogisticRegression) (classifier, sklearn)"
        in (text)
    )
    assert f"**Verdict: it computes the same.** {proof['rows']:,} probe rows" in text
    assert f"* `{HOSTILE}`: float" in text and "mlpack verify crew-1.0.0" in text
    assert "README.md" in {entry.path for entry in bundle.manifest.files}
    links = re.findall(r"\]\(([^)]*)\)", text)
    assert "evidence/report.html" in links and all((bundle.place / link).exists() for link in links)


def test_guides_are_those_of_the_targets() -> None:
    paths = ["deploy/java/README.md", "deploy/cpp/src/README.md", "model/README.md", "deploy/a b/README.md"]
    text = readme(facts("x"), PROOF, paths)["README.md"].decode()
    assert [line for line in text.splitlines() if " project, its use" in line] == [
        "* [`deploy/java/README.md`](deploy/java/README.md): the java project, its use and its content."
    ]


def test_many_columns_are_cut() -> None:
    wide = facts("x")
    one = wide["signature"]["inputs"][0]
    wide["signature"]["inputs"] = [{**one, "name": f"c{i}"} for i in range(100)]
    text = readme(wide, PROOF, [])["README.md"].decode()
    assert (
        "* `c39`: float32, never missing\n" in text
        and "`c40`" not in text
        and "and 60 more, see `manifest.json`" in text
    )
