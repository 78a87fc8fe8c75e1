"""Forms of attack on what an allowed name does: each has a callable from the file run while it loads, or later."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .forge import G, Op, add, again, append, appends, build, call, keep, new, setitem, setitems, then

MODEL = G("sklearn.linear_model._logistic.LogisticRegression")
PLAIN = G("sklearn.calibration._CalibratedClassifier")
BUNCH = G("sklearn.utils._bunch.Bunch")
SCORER = G("sklearn.metrics._scorer._Scorer")
PARTIAL = G("functools.partial")
FUNCTIONS = G("sklearn.preprocessing._function_transformer.FunctionTransformer")
DTYPE = G("numpy.dtype")
RECONSTRUCT = G("numpy._core.multiarray._reconstruct")


def loading(fire: Any) -> dict[str, Any]:
    """Pickles that call `fire` while they load, with a loader that holds nothing against it."""
    owner = build(new(MODEL), {"append": fire, "extend": fire, "add": fire})
    return {
        "APPEND on an object": append(owner, 1),
        "APPENDS on an object": appends(owner, 1, 2),
        "ADDITEMS on an object": add(owner, 1),
        "APPENDS with extend alone": appends(build(new(MODEL), {"extend": fire}), 1),
        "BUILD twice": build(build(new(PLAIN), {"__setstate__": fire}), {"a": 1}),
        "BUILD twice with slots": build(build(new(PLAIN), (None, {"__setstate__": fire})), {"a": 1}),
        "BUILD of an empty state first": build(build(new(PLAIN), {"a": 1}), {"append": fire}),
        "SETITEM on a Bunch": append(setitem(new(BUNCH), "append", fire), 1),
        "SETITEMS on a Bunch": append(setitems(new(BUNCH), "append", fire), 1),
        "BUILD of a Bunch": build(setitem(new(BUNCH), "__setstate__", fire), {"a": 1}),
        "a Bunch of a dict": append(call(G("copyreg._reconstructor"), BUNCH, G("builtins.dict"), {"append": fire}), 1),
        "the owner from the memo": then(keep(1, owner), append(again(1), 1)),
        "a key of update": build(new(MODEL), {"update": fire}),
        "APPEND on a partial": append(build(call(PARTIAL, fire), (fire, (), {}, {"append": fire})), 1),
        "a dict of a partial": build(call(PARTIAL, fire), (fire, (), {}, {"a": 1})),
        "APPEND on an array": append(call(RECONSTRUCT, G("numpy.ndarray"), (0,), b"b"), fire),
        "a call of what may be mentioned": call(fire, 1),
        "a factory": setitem(call(G("collections.defaultdict"), fire), "a", 1),
        "a class as a state's value": build(new(MODEL), {"loss": MODEL}),
        "a class in a list": [MODEL],
        "a constructor in a tuple in a state": build(new(MODEL), {"a": (1, (G("copyreg._reconstructor"),))}),
        "a class handed to another class's maker": call(
            G("sklearn._loss._loss.__pyx_unpickle_CyHalfMultinomialLoss"), MODEL, 1, None
        ),
        "a class handed to newObj": call(G("sklearn.neighbors._kd_tree.newObj"), MODEL),
        "a class handed to a random generator": call(G("numpy.random._pickle.__bit_generator_ctor"), MODEL),
        "a constructor handed to a random generator": call(
            G("numpy.random._pickle.__generator_ctor"), "MT19937", G("collections.OrderedDict")
        ),
        "another base": call(G("copyreg._reconstructor"), MODEL, G("builtins.dict"), {}),
        "a base that is called": call(G("copyreg._reconstructor"), G("builtins.object"), MODEL, None),
        "a class that is called": call(MODEL),
        "a codec of its own choice": call(G("_codecs.encode"), "a", "rot13"),
        "an object as a key": setitem({}, new(MODEL), 1),
        "an object in a set": add(call(G("builtins.set"), [1]), new(MODEL)),
        "ADDITEMS on a Bunch": add(new(BUNCH), 1),
        "a class that is called with arguments": call(G("sklearn.pipeline.Pipeline"), []),
        "an index of anything": call(
            G("pandas.core.indexes.base._new_Index"), G("pandas.Index"), {"data": new(MODEL), "name": fire}
        ),
        "an index of another class": call(G("pandas.core.indexes.base._new_Index"), MODEL, {"a": fire}),
    }


def later(fire: Any) -> dict[str, Any]:
    """Pickles whose model calls what the file says when it is asked, and not while it loads."""
    scorer = build(new(SCORER), {"_score_func": G("numpy.sum"), "_sign": 1, "_kwargs": {}, "_response_method": "eval"})
    words: dict[str, Any] = {
        "a word in a list": ["eval"],
        "a word in a tuple": ("predict", "eval"),
        "a word among lists": [["eval"]],
    }
    stacking = G("sklearn.ensemble._stacking.StackingClassifier")
    chain = G("sklearn.multioutput.ClassifierChain")
    return {
        "a scorer of any method": build(new(FUNCTIONS), {"func": scorer}),
        "partial of a scorer": build(new(FUNCTIONS), {"func": call(PARTIAL, scorer)}),
        "partial of a model": build(new(FUNCTIONS), {"func": call(PARTIAL, new(MODEL))}),
        "partial whose state is another": build(call(PARTIAL, fire), (new(MODEL), (), {}, None)),
        "a scorer's function": build(new(SCORER), {"_score_func": new(MODEL)}),
        "a class as a function": build(new(FUNCTIONS), {"func": G("sklearn.pipeline.Pipeline")}),
        "a maker as a function": build(new(FUNCTIONS), {"func": G("numpy._core.numeric._frombuffer")}),
        "stacking by name": build(new(stacking), {"stack_method_": "save_model"}),
        "a word that comes later": then(
            keep(1, []),
            keep(
                2,
                build(new(stacking), {"stack_method_": again(1)}),
            ),
            append(again(1), "eval"),
            again(2),
        ),
        "a threshold's word": build(
            new(G("sklearn.model_selection._classification_threshold.FixedThresholdClassifier")),
            {"response_method": "save_model"},
        ),
        "a chain's word": build(new(chain), {"chain_method_": "eval"}),
        "predict itself": build(new(MODEL), {"predict": fire}),
        "an address as a booster": build(new(G("lightgbm.basic.Booster")), {"_handle": 4096}),
        "a model as a booster's text": build(new(G("lightgbm.basic.Booster")), {"_handle": new(MODEL)}),
        "an address as xgboost's booster": build(new(G("xgboost.core.Booster")), {"handle": 4096}),
        **{name: build(new(stacking), {"stack_method_": word}) for name, word in words.items()},
    }


def _dtype(code: str, *state: Any) -> Op:
    made = call(DTYPE, code, False, True)
    return build(made, state) if state else made


_RECORD = (3, "|", None, ("a",), {"a": (_dtype("O8"), 0)}, 8, 1, 27)


def dtypes() -> dict[str, Any]:
    """Dtypes that numpy believes, and crashes by: all are raw bytes read as pointers."""
    scalar, frombuffer = G("numpy._core.multiarray.scalar"), G("numpy._core.numeric._frombuffer")
    return {
        "an object handed through": call(scalar, _dtype("O8"), new(MODEL)),
        "a class handed through": call(scalar, _dtype("O8"), MODEL),
        "bytes as an object": call(scalar, _dtype("O8", 3, "|", None, None, None, -1, -1, 0), b"12345678"),
        "a record that becomes one of objects": then(
            keep(1, _dtype("V8")),
            keep(2, call(frombuffer, b"12345678", again(1), (1,), "C")),
            build(again(1), _RECORD),
            again(2),
        ),
        "objects out of a buffer": call(frombuffer, b"12345678", _dtype("O8"), (1,), "C"),
        "an array of objects of bytes": build(
            call(RECONSTRUCT, G("numpy.ndarray"), (0,), b"b"),
            (1, (1,), _dtype("O8"), False, b"12345678"),
        ),
        "an array that is given a state twice": build(
            build(
                call(RECONSTRUCT, G("numpy.ndarray"), (0,), b"b"),
                (1, (1,), _dtype("u1"), False, b"1"),
            ),
            (1, (1,), _dtype("u1"), False, b"1"),
        ),
        "an array that already lies in memory": build(
            call(frombuffer, b"1", _dtype("u1"), (1,), "C"), (1, (1,), _dtype("u1"), False, b"1")
        ),
        "a record that is aligned to nothing": _dtype("V8", 3, "|", None, ("a",), {"a": (_dtype("i8"), 0)}, 8, 0, 0),
        "dates without a unit": _dtype("M8", 3, "<", None, None, None, -1, -1, 0),
        "times without a unit": _dtype("m8", 4, "<", None, None, None, -1, -1, 0, {}),
        "dates in steps of nothing": _dtype("M8", 4, "<", None, None, None, -1, -1, 0, ({}, (b"ns", 0, 1, 1))),
        "more of a dtype than a dict": _dtype("f8", 4, "<", None, None, None, -1, -1, 0, new(MODEL)),
        "numpy.object_": call(G("numpy.object_"), _dtype("V8")),
        "a dtype of text": call(DTYPE, "i4,O", False, True),
        "a dtype of a class": call(DTYPE, G("numpy.float64")),
        "fields that change later": then(
            keep(1, {"a": (_dtype("i8"), 0)}),
            keep(2, _dtype("V8", 3, "|", None, ("a",), again(1), 8, 1, 0)),
            setitem(again(1), "a", (_dtype("O8"), 0)),
            again(2),
        ),
    }


KEYS = ("append", "extend", "add", "update", "__setstate__", "__reduce__", "__class__", "__call__")


def hostile(name: G, fire: Any) -> Iterator[Op]:
    """The five instructions on whatever a file may get of the name, with `fire` where they would call it."""
    for target in (new(name), call(name), call(name, fire), call(name, "x", fire)):
        for key in KEYS:
            state = build(target, {key: fire})
            yield state
            if key in ("append", "extend", "add"):
                yield from (append(state, 1), appends(state, 1), add(state, 1))
        yield from (append(setitem(target, key, fire), fire) for key in ("append", "__setstate__"))
        yield build(build(target, {"a": 1}), {"b": 1})
        yield build(target, fire)
        yield build(target, (None, {"append": fire}))
        yield build(target, [("append", fire)])
