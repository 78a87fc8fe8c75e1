"""The rules of the house, kept by reading the source: who imports whom, sizes, variants, and nobody else's names."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from mlpack_toolkit import converters, runtimes

pytestmark = pytest.mark.quick
ROOT = Path(__file__).parent.parent
PACKAGE = "mlpack_toolkit"
FOLDERS = ("packager", "converters", "runtimes", "templates")
MAY_IMPORT = {
    "templates": ("templates", "jinja2"),
    "converters": ("converters",),
    "runtimes": (
        "runtimes",
        "converters.needs",
        "converters.spec",
        "converters.bfloat16",
        "converters.artifact",
        "converters.graph_file",
        "converters.image",
        "templates",
    ),
    "packager": ("packager", "converters", "runtimes", "templates", "click"),
}
"""Besides the standard library, at the head of a file; deeper inside, frameworks too."""
HEAVY = ("numpy", "google", "packageurl", "rich", "pyarrow")
"""What `packager` alone may have at the head of a file that `mlpack --help` does not read."""
SERVER = ("numpy", "orjson", "onnxruntime", "uvloop", "httptools")
"""What the server, a program of its own, may have at the head of a file."""
LONGEST_FUNCTION = 60
LONGEST_MODULE = 400
FAMILIES = ("converters", "converters/sklearn", "converters/r", "runtimes", "packager/images")
FAMILIES += ("packager/scan/containers", "packager/variants", "packager/providers")
"""Folders whose files are variants: none of them knows another."""
STANDS_ON = {"converters.transformers": ("converters.torch",)}
"""The one variant that another may import: transformers' models are modules of PyTorch, converted the same way."""
NOT_VARIANTS = "artifact bfloat16 engine graph_file image latency messages needs plugin rds rds_frame rds_writer "
NOT_VARIANTS += "spec table variant"


@dataclass(frozen=True)
class Import:
    """One imported name in full; `late`: in a function, or for type checkers only."""

    name: str
    late: bool
    where: str


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def _modules(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def _dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def _imports(tree: ast.Module, path: Path) -> Iterator[Import]:
    """Every imported name: `from a import b` is `a.b`, `from . import b` is the full name of `b`."""
    late = {id(inner) for outer in ast.walk(tree) if _delays(outer) for inner in ast.walk(outer)}
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            base = f"{_base(path, node)}." if isinstance(node, ast.ImportFrom) else ""
            base = base.removeprefix(f"{PACKAGE}.")
            where = f"{path.relative_to(ROOT)}:{node.lineno}"
            yield from (Import(base + alias.name, id(node) in late, where) for alias in node.names)


def _delays(node: ast.AST) -> bool:
    if isinstance(node, ast.If):
        return ast.unparse(node.test).endswith("TYPE_CHECKING")
    return isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))


def _base(path: Path, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    package = path.relative_to(ROOT).parent.parts
    return ".".join([*package[: len(package) - node.level + 1], *([node.module] if node.module else [])])


def _below(name: str, modules: tuple[str, ...]) -> bool:
    return any(name == m or name.startswith(m + ".") for m in modules)


def _all_imports(folder: str) -> list[Import]:
    return [found for path in _modules(folder) for found in _imports(_tree(path), path)]


def test_the_reader_of_imports_sees_every_kind() -> None:
    source = "import a.b\nfrom . import c\nfrom ..d import e\ndef f():\n    import g\nif TYPE_CHECKING:\n    import h\n"
    found = _imports(ast.parse(source), ROOT / "converters" / "sklearn" / "made_up.py")
    assert {(i.name, i.late) for i in found} == {
        ("a.b", False),
        ("converters.sklearn.c", False),
        ("converters.d.e", False),
        ("g", True),
        ("h", True),
    }


@pytest.mark.parametrize("folder", FOLDERS)
def test_imports_run_one_way(folder: str) -> None:
    house = (*FOLDERS, "tests", "examples", "benchmarks")
    strangers = [i for i in _all_imports(folder) if _below(i.name, house) and not _below(i.name, MAY_IMPORT[folder])]
    assert not strangers, [f"{i.where} imports {i.name}" for i in strangers]


def _files_by_name() -> dict[str, Path]:
    return {_dotted(path): path for folder in FOLDERS for path in _modules(folder)}


def _arrows() -> dict[str, set[str]]:
    """By module, the modules of the house that it imports anywhere in its text."""
    files = _files_by_name()
    arrows: dict[str, set[str]] = {}
    for name, path in files.items():
        found = {i.name if i.name in files else i.name.rpartition(".")[0] for i in _imports(_tree(path), path)}
        arrows[name] = {other for other in found if other in files and other != name}
    return arrows


def _circle(arrows: dict[str, set[str]]) -> list[str]:
    """The modules of one circle of imports, in order; none where there is no circle."""
    done: set[str] = set()

    def walk(name: str, path: list[str]) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return []
        found = next(filter(None, (walk(other, [*path, name]) for other in sorted(arrows[name]))), [])
        done.add(name)
        return found

    return next(filter(None, (walk(name, []) for name in sorted(arrows))), [])


def test_no_circle_of_imports() -> None:
    """Late imports and those for type checkers count too: a reader follows them all."""
    assert _circle({"a": {"b"}, "b": {"c"}, "c": {"a"}}) == ["a", "b", "c", "a"]
    assert _circle(_arrows()) == []


@pytest.mark.parametrize("folder", FOLDERS)
def test_frameworks_are_imported_inside_functions(folder: str) -> None:
    allowed = MAY_IMPORT[folder] + (HEAVY if folder == "packager" else ())
    early = [i for i in _all_imports(folder) if not i.late and i.name.split(".")[0] not in sys.stdlib_module_names]
    served = [
        i for i in early if i.where.startswith(("runtimes/server/", "runtimes/engine/")) and _below(i.name, SERVER)
    ]
    wrong = [f"{i.where} imports {i.name}" for i in early if not _below(i.name, allowed) and i not in served]
    assert not wrong, wrong


def test_the_server_knows_itself_and_the_spec_alone() -> None:
    """So that an image needs no more of this house than the server, its engine and five files of `converters`."""
    paths = [*_modules("runtimes/server"), *_modules("runtimes/engine")]
    found = [i for p in paths for i in _imports(_tree(p), p) if _below(i.name, FOLDERS)]
    files = ("spec", "bfloat16", "graph_file", "image", "needs")
    known = ("runtimes.server", "runtimes.engine", *(f"converters.{file}" for file in files))
    strangers = [i for i in found if not _below(i.name, known)]
    assert found and not strangers, [f"{i.where} imports {i.name}" for i in strangers]


@pytest.mark.parametrize("folder", FOLDERS)
def test_inside_a_folder_imports_are_relative(folder: str) -> None:
    """So that a folder also works under the private name that the worker gives it."""
    full = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in _modules(folder)
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.ImportFrom)
        and not node.level
        and _below((node.module or "").removeprefix(f"{PACKAGE}."), (folder,))
    ]
    assert not full, full


def _variants(family: str) -> set[str]:
    """The dotted names of the variants in a folder."""
    found = [p for p in (ROOT / family).iterdir() if p.suffix == ".py" or (p / "__init__.py").is_file()]
    return {_dotted(p) for p in found if not p.stem.startswith("_") and p.stem not in NOT_VARIANTS.split()}


@pytest.mark.parametrize("family", FAMILIES)
def test_variants_never_import_each_other(family: str) -> None:
    variants = _variants(family)
    wrong = []
    for own in variants:
        others = tuple(variants - {own, *STANDS_ON.get(own, ())})
        paths = [p for p in _modules(family) if _below(_dotted(p), (own,))]
        found = [i for path in paths for i in _imports(_tree(path), path)]
        wrong += [f"{i.where} imports {i.name}" for i in found if _below(i.name, others)]
    assert not wrong, wrong


def test_shared_files_of_a_family_know_no_variant() -> None:
    wrong = []
    for family in FAMILIES:
        variants = tuple(_variants(family))
        shared = [p for p in (ROOT / family).glob("_*.py") if p.name != "__main__.py"]
        found = [i for path in shared for i in _imports(_tree(path), path)]
        wrong += [f"{i.where} imports {i.name}" for i in found if _below(i.name, variants)]
    assert not wrong, wrong


NAMES_OF_OTHERS = ("commands/doctor.py", "scan/generate.py", "scan/machine.py", "scan/containers/onnx.py")
NAMES_OF_OTHERS += ("images/docker.py", "scan/containers/torch.py", "scan/generate_torch.py")
"""What is installed, classes in other people's pickles, a kind of file, a kind of image: not names of variants."""


def test_the_packager_names_no_variant() -> None:
    """No converter, language or kind of image by name: neither imported nor spelled as one."""
    names = {*converters.names(), *runtimes.names()}
    forbidden = tuple(f"{room}.{name}" for room in ("converters", "runtimes") for name in names)
    imported = [f"{i.where} imports {i.name}" for i in _all_imports("packager") if _below(i.name, forbidden)]
    spelled = [
        f"{path.relative_to(ROOT)}:{node.lineno} says {node.value!r}"
        for path in _modules("packager")
        if path.relative_to(ROOT / "packager").as_posix() not in NAMES_OF_OTHERS
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if node.value in names or _below(node.value, forbidden)
    ]
    assert not imported + spelled, imported + spelled


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_function_is_long(folder: str) -> None:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    found = [(path, node) for path in _modules(folder) for node in ast.walk(_tree(path)) if isinstance(node, kinds)]
    lengths = {f"{p.relative_to(ROOT)}:{n.lineno} {n.name}": (n.end_lineno or 0) - n.lineno + 1 for p, n in found}
    assert lengths or folder == "templates"
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_FUNCTION} == {}


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_module_is_long(folder: str) -> None:
    lines = {str(p.relative_to(ROOT)): len(p.read_text(encoding="utf-8").splitlines()) for p in _modules(folder)}
    assert lines
    assert {name: count for name, count in lines.items() if count > LONGEST_MODULE} == {}


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_module_and_public_name_says_what_it_is(folder: str) -> None:
    kinds = (ast.FunctionDef, ast.ClassDef)
    silent = []
    for path in _modules(folder):
        tree = _tree(path)
        if tree.body and not ast.get_docstring(tree):
            silent.append(str(path.relative_to(ROOT)))
        public = [n for n in tree.body if isinstance(n, kinds) and not n.name.startswith("_")]
        silent += [f"{path.relative_to(ROOT)}:{n.lineno} {n.name}" for n in public if not ast.get_docstring(n)]
    assert not silent, silent


@pytest.mark.parametrize(("room", "constant"), [(converters, "CONVERTER"), (runtimes, "RUNTIME")])
def test_a_variant_ends_in_one_constant_of_its_own_name(room: object, constant: str) -> None:
    names = room.names()  # type: ignore[attr-defined]
    assert names
    for name in names:
        folder = ROOT / room.__name__.removeprefix(f"{PACKAGE}.")  # type: ignore[attr-defined]
        path = folder / f"{name}.py" if (folder / f"{name}.py").is_file() else folder / name / "__init__.py"
        last = _tree(path).body[-1]
        assert isinstance(last, ast.Assign), f"{path} does not end in {constant}"
        assert [ast.unparse(t) for t in last.targets] == [constant]
        assert room.load(name).name == name  # type: ignore[attr-defined]


def test_no_drawer_for_odds_and_ends() -> None:
    wrong = [str(p.relative_to(ROOT)) for f in FOLDERS for p in _modules(f) if re.search("util|manager|helper", p.stem)]
    assert not wrong, wrong


NEW_CONVERTER = '''"""A framework nobody has heard of."""

from .plugin import NUMBER, Converter, Export, Option, Original, Source
from .needs import Requirement, Tool
from .spec import Description, Feature


def load(path, given):
    """The number that the sum is multiplied with."""
    return given["scale"]


def describe(model):
    """Two columns."""
    return Description("new", "regressor", (Feature("a"), Feature("b")), named=False)


def predict(model, x):
    """The sum, scaled."""
    return {"prediction": x.sum(axis=1) * model}


def convert(model, description, signature, real, out):
    """A graph of two nodes, scaled by the model."""
    from onnx import TensorProto, helper

    kind = TensorProto.FLOAT if real == "float32" else TensorProto.DOUBLE
    nodes = [
        helper.make_node("ReduceSum", ["X", "one"], ["sum"], keepdims=0),
        helper.make_node("Mul", ["sum", "scale"], ["prediction"]),
    ]
    graph = helper.make_graph(
        nodes,
        "sum",
        [helper.make_tensor_value_info("X", kind, ["N", 2])],
        [helper.make_tensor_value_info("prediction", kind, ["N"])],
        [helper.make_tensor("one", TensorProto.INT64, [1], [1]), helper.make_tensor("scale", kind, [1], [model])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    out.write_bytes(model.SerializeToString())


CONVERTER = Converter(
    name="novel",
    source=Source(
        packages=("novel",),
        containers=("novel",),
        load=load,
        options=(Option("scale", "What the sum is multiplied with.", kind=NUMBER, default=1.0),),
    ),
    original=Original(describe, predict),
    export=Export(convert),
    needs=(
        Requirement("novel>=3", "novel", "models of novel"),
        Tool("novelc", "compiling novels", "apt-get install novelc"),
    ),
)
'''

NEW_SCANNER = '''"""Files that begin with their name."""

from ..scanner import Scanner, holds_data

SCANNER = Scanner("novel", "novels", lambda path, head: head.startswith(b"NOVEL"), holds_data("novel"))
'''

NEW_RUNTIME = '''"""A language nobody has heard of."""

from mlpack_toolkit import templates

from .spec import Runtime


def render(package):
    """One file out of one template."""
    return templates.render("novelty", {"name": package.name})


RUNTIME = Runtime("novelty", "Novelty", render, lambda project, work: ())
'''


def test_adding_a_framework_and_a_language_edits_no_file(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "src", tmp_path, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    added = {
        "converters/novel.py": NEW_CONVERTER,
        "packager/scan/containers/novel.py": NEW_SCANNER,
        "runtimes/novelty.py": NEW_RUNTIME,
        "templates/novelty/{{ name }}/hello.nov.j2": "say {{ name }}\n",
    }
    for path, text in added.items():
        place = tmp_path / PACKAGE / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    (tmp_path / "model.nov").write_bytes(b"NOVEL model")
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n3.5,4\n")
    names = "from mlpack_toolkit import converters, runtimes; print(converters.names() + runtimes.names())"
    offered = _python(tmp_path, "-c", names).stdout
    assert "'novel'" in offered and "'novelty'" in offered
    _it_declares_its_option_and_its_extra(tmp_path)
    options = ("--example", "rows.csv", "--target", "novelty", "--json")
    done = _python(tmp_path, "-m", "mlpack_toolkit", "build", "model.nov", "-O", "novel.scale=3", *options)
    assert done.returncode == 0, done.stderr
    bundle = tmp_path / json.loads(done.stdout.splitlines()[-1])["bundle"]
    assert (bundle / "deploy/novelty/model/hello.nov").read_text() == "say model\n"
    assert json.loads((bundle / "manifest.json").read_text())["sources"][0]["given"] == {"scale": 3.0}
    assert _python(tmp_path, "-m", "mlpack_toolkit", "verify", str(bundle), "--target", "novelty").returncode == 0
    asked = ("bench", str(bundle), "--against", "original", "--seconds", "0.01")  # it is loaded with what was said
    assert _python(tmp_path, "-m", "mlpack_toolkit", *asked).returncode == 0


def _it_declares_its_option_and_its_extra(folder: Path) -> None:
    shown = _python(folder, "-m", "mlpack_toolkit", "build", "--help").stdout
    assert "novel.scale=NUMBER" in shown and "What the sum is multiplied with." in shown
    wrong = _python(
        folder, "-m", "mlpack_toolkit", "build", "model.nov", "--example", "rows.csv", "-O", "novel.scale=x"
    )
    assert wrong.returncode == 2 and "-O novel.scale=x must be a number" in wrong.stderr
    checks = json.loads(_python(folder, "-m", "mlpack_toolkit", "doctor", "--json").stdout.splitlines()[-1])["checks"]
    found = {(c["name"], c["for"]): c["mend"] for c in checks}
    assert found["novel", "models of novel"] == "pip install 'mlpack-toolkit[novel]'"
    assert found["novelc", "compiling novels"] == "apt-get install novelc"
    extras = _python(folder, "-c", "from mlpack_toolkit.packager.needs import extras; print(extras()['novel'])").stdout
    assert extras.strip() == "['novel>=3']"
    (folder / "other.nov").write_bytes(b"TELLTALE")
    refused = _python(folder, "-m", "mlpack_toolkit", "inspect", "other.nov")
    assert refused.returncode == 3 and "novels" in refused.stderr
    known = json.loads(
        _python(folder, "-m", "mlpack_toolkit", "inspect", "model.nov", "--json").stdout.splitlines()[-1]
    )
    assert (known["kind"], known["framework"]) == ("novel", "novel")


def _python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Python in that folder, with the packages that lie there rather than those of the installation."""
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)


HOSTS = re.compile(r"\bhttps?://([A-Za-z0-9.\-]+)|\bgit@([A-Za-z0-9.\-]+)")
KNOWN_HOSTS = (
    "apache.org",
    "www.apache.org",
    "maven.apache.org",
    "cyclonedx.org",
    "www.w3.org",
    "json-schema.org",
    "peps.python.org",
    "docs.python.org",
    "github.com",
    "keepachangelog.com",
    "semver.org",
    "spdx.org",
    "onnx.ai",
    "onnxruntime.ai",
    "scikit-learn.org",
    "xgboost.readthedocs.io",
    "lightgbm.readthedocs.io",
    "catboost.ai",
    "kserve.github.io",
    "cmake.org",
    "files.pythonhosted.org",
    "127.0.0.1",
    "localhost",
)
"""Namespaces, licences and documentation, and the public home of wheels, the one host that a lock may name."""
HOMES = re.compile(r"(?<![\w.{}$-])/(?:home|root|Users)/\w+|(?<![\w.{}$-])/(?:work|opt)/(?:main|shared|wheels)\b")


def _tracked() -> Iterator[tuple[str, str]]:
    """Path and text of every file that git tracks or would take."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    for name in filter(None, listed.stdout.split("\0")):
        path = ROOT / name
        if path.is_file() and path != Path(__file__):
            yield name, path.read_bytes().decode("utf-8", "replace")


def test_nothing_names_a_registry_or_a_home_folder() -> None:
    wrong = []
    for name, text in _tracked():
        hosts = {a or b for a, b in HOSTS.findall(text)}
        wrong += [f"{name}: {h}" for h in sorted(hosts - set(KNOWN_HOSTS)) if not h.endswith((".example", ".invalid"))]
        wrong += [f"{name}: {home}" for home in sorted(set(HOMES.findall(text)))]
    assert not wrong, wrong


def test_the_search_for_names_finds_them() -> None:
    assert HOSTS.findall("index-url = http://mirror.example:8080/simple") == [("mirror.example", "")]
    assert HOMES.search("open('/home/anna/x')") and HOMES.search("/root/work") and not HOMES.search("a/home/x")


FRAMEWORKS = (
    "numpy",
    "onnx",
    "onnxruntime",
    "pyarrow",
    "sklearn",
    "pandas",
    "xgboost",
    "lightgbm",
    "catboost",
    "jinja2",
)


COMMANDS = ("build", "verify", "bench", "inspect", "predict", "reproduce", "serve", "image", "diff", "doctor")


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_imports_no_framework(command: str) -> None:
    code = (
        "import sys; from mlpack_toolkit.packager.cli import cli\n"
        "try: cli([*sys.argv[1:], '--help'])\n"
        "finally: print('LOADED', *sorted({m.split('.')[0] for m in sys.modules}), flush=True)"
    )
    done = _python(ROOT, "-c", code, *filter(None, [command]))
    said, _, loaded = done.stdout.rpartition("LOADED")
    assert "Usage:" in said and loaded
    assert not set(FRAMEWORKS) & set(loaded.split())


def test_every_command_and_option_has_help() -> None:
    from mlpack_toolkit.packager.cli import cli

    assert cli.help
    for name, command in cli.commands.items():
        assert command.help, name
        for option in command.params:
            named = option.param_type_name == "argument" or getattr(option, "help", None) or option.name == "provider"
            assert named, f"{name} {option.opts}"


def test_the_documentation_names_every_command_and_option() -> None:
    from mlpack_toolkit.packager.cli import cli

    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    text = "\n".join(p.read_text(encoding="utf-8") for p in pages if p.is_file())
    missing = [f"mlpack {name}" for name in cli.commands if f"mlpack {name}" not in text]
    for name, command in cli.commands.items():
        options = [o for p in command.params if p.param_type_name == "option" for o in p.opts if o.startswith("--")]
        missing += [f"{name} {o}" for o in options if not re.search(rf"{re.escape(o)}(?![\w-])", text)]
    assert not missing, missing
