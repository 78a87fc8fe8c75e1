"""skops files: the same names by the same list, read from their schema."""

from __future__ import annotations

import io
import json
import stat
import zipfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from mlpack_toolkit.packager.errors import ModelError, UntrustedError
from mlpack_toolkit.packager.scan import require_trusted, scan

X = np.random.default_rng(0).normal(size=(40, 3))
Y = np.arange(40) % 2
MODELS = [
    make_pipeline(StandardScaler(), LogisticRegression()),
    RandomForestClassifier(3),
    GradientBoostingClassifier(n_estimators=2),
    HistGradientBoostingRegressor(max_iter=2),
    KNeighborsClassifier(algorithm="brute"),
    make_pipeline(FunctionTransformer(partial(np.clip, a_min=0, a_max=1)), LogisticRegression()),
]


@pytest.mark.parametrize("model", MODELS, ids=lambda m: type(m).__name__)
def test_a_real_model_is_allowed_and_loads_with_the_names_that_were_read(tmp_path: Path, model: Any) -> None:
    path = tmp_path / "m.skops"
    skops.io.dump(model.fit(X, Y), path)
    found = scan(path)
    assert (found.kind, found.refused) == ("skops", ())
    assert set(skops.io.get_untrusted_types(file=path)) <= set(found.names)
    assert found.root == f"{type(model).__module__}.{type(model).__name__}"
    assert found.versions == {"scikit-learn": __import__("sklearn").__version__}
    loaded = skops.io.load(path, trusted=list(found.names))
    assert np.array_equal(loaded.predict(X), model.predict(X))


def node(module: str, name: str, loader: str, **rest: Any) -> dict[str, Any]:
    return {"__class__": name, "__module__": module, "__loader__": loader, **rest}


LITERAL = node("builtins", "str", "JsonNode", content='"x"')
EMPTY = node("builtins", "dict", "DictNode", content={}, key_types=node("builtins", "list", "ListNode", content=[]))
HOSTILE = {
    "os.system": node("os", "system", "FunctionNode"),
    "builtins.eval": node("builtins", "eval", "TypeNode"),
    "operator.attrgetter": node("operator", "attrgetter", "OperatorFuncNode", attrs=LITERAL),
    "builtins.exec": node("builtins", "exec", "ConstructorFromReduceNode", content=LITERAL),
    "joblib.memory.Memory": node("joblib.memory", "Memory", "ObjectNode", content=EMPTY),
    "numpy.exp": node("numpy", "exp", "ConstructorFromReduceNode", content=LITERAL),
    "subprocess.Popen": node("x", "y", "FunctionNode", content={"module_path": "subprocess", "function": "Popen"}),
    "sklearn.pipeline.Pipeline.fit": node(
        "sklearn.pipeline",
        "Pipeline",
        "MethodNode",
        content={"func": "fit", "obj": node("sklearn.pipeline", "Pipeline", "ObjectNode")},
    ),
    "numpy.random.seed": node(
        "numpy.random._generator",
        "Generator",
        "RandomGeneratorNode",
        content={
            "bit_generator": EMPTY | {"content": {"bit_generator": LITERAL | {"content": '"seed"'}}},
            "seed_seq": EMPTY,
        },
    ),
}


def archive(schema: Any, **members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as out:
        out.writestr("schema.json", schema if isinstance(schema, str) else json.dumps(schema))
        for name, content in members.items():
            out.writestr(name, content)
    return buffer.getvalue()


def wrapped(inner: dict[str, Any]) -> dict[str, Any]:
    listed = node("builtins", "list", "ListNode", content=[LITERAL, inner])
    return node(
        "sklearn.pipeline", "Pipeline", "ObjectNode", content=EMPTY | {"content": {"steps": listed}}, protocol=2
    )


@pytest.mark.parametrize("name", HOSTILE)
def test_a_gadget_is_refused_wherever_it_is_in_the_tree(tmp_path: Path, name: str) -> None:
    path = tmp_path / "m.skops"
    for schema in (HOSTILE[name] | {"protocol": 2}, wrapped(HOSTILE[name])):
        path.write_bytes(archive(schema))
        found = scan(path)
        assert name in found.refused
        with pytest.raises(UntrustedError, match=name):
            require_trusted(found, path)
        assert scan(path, found.refused).refused == ()


def broken(path: Path, data: bytes, match: str) -> None:
    path.write_bytes(data)
    with pytest.raises(ModelError, match=match):
        scan(path)


@pytest.mark.parametrize("name", ["../x", "/x", "a/../../x", "..\\x", "C:\\x", "a\\b"])
def test_a_member_that_leaves_the_archive_is_refused(tmp_path: Path, name: str) -> None:
    broken(tmp_path / "m.skops", archive(wrapped(LITERAL), **{name: b""}), "leaves the archive")


@pytest.mark.parametrize(
    "schema, match",
    [
        ("{", "JSON"),
        ("[" * 200_000, "JSON"),
        ("[]", "skops"),
        ("{}", "skops"),
        (json.dumps(node("a", "b", "X") | {"__module__": 3}), "class"),
        (json.dumps(node("a", "b", "MethodNode", content={})), "func"),
        (json.dumps(node("a", "b", "RandomGeneratorNode", content={"bit_generator": 1})), "content"),
    ],
)
def test_a_broken_schema_is_a_model_error(tmp_path: Path, schema: str, match: str) -> None:
    broken(tmp_path / "m.skops", archive(schema), match)


def test_hostile_archives_are_model_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "m.skops"
    good = archive(wrapped(LITERAL), data=bytes(4000))
    path.write_bytes(good)
    assert scan(path).kind == "skops"
    broken(path, good[:-10], "zip")
    broken(path, b"PK\x05\x06" + bytes(5), "zip")
    link = zipfile.ZipInfo("link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    buffer = io.BytesIO(good)
    with zipfile.ZipFile(buffer, "a") as out:
        out.writestr(link, "/etc/passwd")
    broken(path, buffer.getvalue(), "leaves the archive")
    buffer = io.BytesIO(good)
    with zipfile.ZipFile(buffer, "a") as out, pytest.warns(UserWarning, match="Duplicate"):
        out.writestr("schema.json", "{}")
    broken(path, buffer.getvalue(), "two files")
    monkeypatch.setattr("mlpack_toolkit.packager.scan.skops_files.TOTAL_LIMIT", 3000)
    broken(path, good, "more than")


def test_a_schema_that_lies_about_its_size_stops_at_the_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlpack_toolkit.packager.scan.skops_files.SCHEMA_LIMIT", 1000)
    broken(tmp_path / "m.skops", archive(wrapped(LITERAL) | {"pad": "x" * 2000}), "larger than")


MODEL = ("sklearn.linear_model._logistic", "LogisticRegression")
KEY = {"key_types": node("builtins", "list", "ListNode", content=[node("builtins", "str", "TypeNode")])}


def one(key: str, value: dict[str, Any], kind: tuple[str, str] = ("builtins", "dict")) -> dict[str, Any]:
    return node(*kind, "DictNode", content={key: value}, **KEY)


def model(state: dict[str, Any]) -> dict[str, Any]:
    return node(*MODEL, "ObjectNode", content=state)


EXP = node("numpy", "exp", "FunctionNode")
SUM = node("numpy", "sum", "FunctionNode")
NONE = node("builtins", "str", "JsonNode", content="null")
TUPLE = node("builtins", "tuple", "TupleNode", content=[])
EVAL = node("builtins", "str", "JsonNode", content='"eval"', __id__=1)
PREDICT = node("builtins", "str", "JsonNode", content='"predict"', __id__=1)
SCORER = ("sklearn.metrics._scorer", "_Scorer")


def bound(function: dict[str, Any], namespace: dict[str, Any] = NONE) -> dict[str, Any]:
    content = {"func": function, "args": TUPLE, "kwds": EMPTY, "namespace": namespace}
    return node("functools", "partial", "PartialNode", content=content)


FORBIDDEN = {
    "a method": model(one("predict", EXP)),
    "a mutator": model(one("append", EXP)),
    "a dunder": model(one("__class__", EXP)),
    "a method of a Bunch": one("append", EXP, ("sklearn.utils._bunch", "Bunch")),
    "a scorer of any method": node(*SCORER, "ObjectNode", content=one("_response_method", EVAL)),
    "a word under the identity of another": node(
        "builtins",
        "list",
        "ListNode",
        content=[EVAL, node(*SCORER, "ObjectNode", content=one("_response_method", PREDICT))],
    ),
    "a class as a value": model(one("loss", node(*MODEL, "TypeNode"))),
    "partial of a model": bound(node(*MODEL, "ObjectNode")),
    "partial with attributes": bound(EXP, one("append", SUM)),
    "a key made by a function": node(
        "builtins",
        "dict",
        "DictNode",
        content={"1": NONE},
        key_types=node("builtins", "list", "ListNode", content=[EXP]),
    ),
    "a class called": node(*MODEL, "ConstructorFromReduceNode", content=TUPLE),
    "an array made an object": node("numpy", "object_", "NdArrayNode", type="json", content=[EXP], shape=TUPLE),
    "a list of another class": node(*MODEL, "ListNode", content=[]),
    "a state that is no dict": model(TUPLE | {"content": [LITERAL]}),
    "a factory": node("collections", "defaultdict", "DefaultDictNode", content={"main": EMPTY, "default_factory": EXP}),
}


@pytest.mark.parametrize("name", FORBIDDEN)
def test_allowed_names_are_held_to_the_rules_of_a_pickle(tmp_path: Path, name: str) -> None:
    path = tmp_path / "m.skops"
    path.write_bytes(archive(wrapped(FORBIDDEN[name])))
    found = scan(path)
    assert found.kind == "skops" and (found.forbidden or found.refused)
    with pytest.raises(UntrustedError):
        require_trusted(found, path)


def test_an_object_that_is_written_twice_is_one(tmp_path: Path) -> None:
    """Its state is made anew for each writing, with other identities; a forest's `estimator_` is its `estimator`."""
    import skops.io
    from sklearn.ensemble import RandomForestClassifier, VotingClassifier
    from sklearn.tree import DecisionTreeClassifier

    x, y = [[0.0], [1.0], [2.0], [3.0]], [0, 1, 0, 1]
    forest = RandomForestClassifier(2, random_state=0).fit(x, y)
    voting = VotingClassifier([("a", DecisionTreeClassifier()), ("b", forest)]).fit(x, y)
    for number, fitted in enumerate((forest, voting)):
        path = tmp_path / f"{number}.skops"
        skops.io.dump(fitted, path)
        require_trusted(scan(path), path)


def test_what_these_are_made_of_is_allowed(tmp_path: Path) -> None:
    path = tmp_path / "m.skops"
    path.write_bytes(archive(wrapped(model(one("func", bound(EXP, EMPTY))))))
    require_trusted(scan(path), path)
