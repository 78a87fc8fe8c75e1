"""Hostile pickles: a name that can run code is refused however it is written and wherever it hides."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import pickle
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest

from mlpack_toolkit.packager.errors import UntrustedError
from mlpack_toolkit.packager.scan import require_trusted, scan

_GADGETS = """
os.system posix.system nt.system subprocess.Popen subprocess.check_output builtins.eval builtins.exec
builtins.getattr builtins.__import__ builtins.compile builtins.open builtins.type builtins.map builtins.vars
operator.attrgetter operator.methodcaller operator.itemgetter functools.reduce importlib.import_module
runpy.run_path pty.spawn socket.socket shutil.rmtree types.CodeType types.FunctionType codecs.open io.open
timeit.timeit pickle.loads pickle.load marshal.loads _pickle.loads copyreg.add_extension copyreg.__newobj__
copyreg.__newobj_ex__ webbrowser.open cloudpickle.cloudpickle._make_function cloudpickle.loads
numpy.testing._private.utils.runstring numpy.testing.utils.runstring numpy.testing.nosetester.runstring
numpy.load numpy.save numpy.fromfile numpy.memmap numpy.core._ufunc_reconstruct numpy._core._ufunc_reconstruct
numpy.core._internal._ufunc_doc_signature_formatter numpy.lib.format.read_array numpy.vectorize numpy.frompyfunc
numpy.apply_along_axis numpy.f2py.compile numpy.distutils.exec_command.exec_command numpy.ctypeslib.load_library
numpy.loadtxt numpy.savetxt numpy.fromregex numpy.os numpy.sys
pandas.read_pickle pandas.io.pickle.read_pickle pandas.eval pandas.core.computation.eval.eval pandas.read_csv
pandas.io.common.os pandas.compat.pickle_compat.load pandas.read_html
joblib.load joblib.numpy_pickle.load joblib.numpy_pickle_compat.load_compatibility joblib.Memory joblib.Parallel
joblib.memory.Memory joblib.externals.loky.reusable_executor.get_reusable_executor
scipy.stats._distn_infrastructure.rv_continuous_frozen scipy.stats._continuous_distns.uniform_gen
scipy.stats.uniform scipy.io.loadmat scipy.optimize.minimize scipy.integrate.quad scipy.LowLevelCallable
sklearn.utils.parallel.Parallel sklearn.utils._testing.raises sklearn.datasets.load_files
sklearn.datasets.fetch_openml sklearn.utils.estimator_checks.check_estimator sklearn.utils.gen_batches
sklearn.utils._joblib.joblib sklearn.utils.metaestimators.available_if sklearn.pipeline.joblib
sklearn.metrics.pairwise_distances sklearn.metrics.pairwise.pairwise_kernels sklearn.base.clone
xgboost.core.DMatrix xgboost.DMatrix xgboost.dask.train lightgbm.basic.Dataset catboost.core.Pool catboost.Pool
torch.load dill._dill._create_function uuid.UUID
"""
GADGETS = _GADGETS.split()


def parts(name: str) -> tuple[str, str]:
    module, _, attribute = name.rpartition(".")
    return module, attribute


def short(text: str) -> bytes:
    return b"\x8c" + bytes([len(text)]) + text.encode()


def as_global(name: str) -> bytes:
    module, attribute = parts(name)
    return f"c{module}\n{attribute}\n(S'id'\ntR.".encode()


def as_instance(name: str) -> bytes:
    module, attribute = parts(name)
    return f"(S'id'\ni{module}\n{attribute}\n.".encode()


def as_object(name: str) -> bytes:
    module, attribute = parts(name)
    return f"(c{module}\n{attribute}\nS'id'\no.".encode()


def as_protocol_2(name: str) -> bytes:
    module, attribute = parts(name)
    return b"\x80\x02" + f"c{module}\n{attribute}\nX\x02\0\0\0id\x85R.".encode()


def as_stack_global(name: str) -> bytes:
    module, attribute = parts(name)
    return b"\x80\x04" + short(module) + short(attribute) + b"\x93" + short("id") + b"\x85R."


def as_memoised(name: str) -> bytes:
    """Both strings are pushed among others, thrown away, and fetched back from the memo."""
    module, attribute = parts(name)
    stored = b"(" + short(attribute) + b"\x94" + short("x") + b"\x94" + short(module) + b"\x94" + b"1"
    return b"\x80\x04" + stored + b"h\x02h\x00\x93" + b")R."


def as_overwritten(name: str) -> bytes:
    """The memo first holds harmless strings."""
    module, attribute = parts(name)
    first = short("numpy") + b"q\x05" + b"0" + short("dtype") + b"r\x06\0\0\0" + b"0"
    return b"\x80\x04" + first + short(module) + b"q\x050" + short(attribute) + b"p6\n0" + b"h\x05j\x06\0\0\0\x93)R."


def as_old_strings(name: str) -> bytes:
    module, attribute = parts(name)
    return b"\x80\x04" + b"U" + bytes([len(module)]) + module.encode() + f"V{attribute}\n\x93)R.".encode("latin-1")


def as_duplicate(name: str) -> bytes:
    """The module's string comes off a pop and a DUP."""
    module, attribute = parts(name)
    return b"\x80\x04" + short(module) + b"2" + b"0" + short(attribute) + b"\x93" + b")R."


def as_new_object(name: str) -> bytes:
    module, attribute = parts(name)
    return b"\x80\x04" + short(module) + short(attribute) + b"\x93)}\x92."


def as_escaped(name: str) -> bytes:
    module, attribute = parts(name)
    escaped = "".join(f"\\x{ord(c):02x}" for c in attribute)
    return b"\x80\x04" + f"S'{module}'\nS'{escaped}'\n\x93)R.".encode("latin-1")


def as_framed(name: str) -> bytes:
    body = as_stack_global(name)[2:]
    return b"\x80\x04\x95" + len(body).to_bytes(8, "little") + body


def as_second_pickle(name: str) -> bytes:
    return pickle.dumps({"a": 1}) + as_stack_global(name)


def as_unused(name: str) -> bytes:
    module, attribute = parts(name)
    return b"\x80\x02" + f"c{module}\n{attribute}\n0N.".encode()


ENCODINGS = (
    as_global,
    as_instance,
    as_object,
    as_protocol_2,
    as_stack_global,
    as_memoised,
    as_overwritten,
    as_old_strings,
    as_duplicate,
    as_new_object,
    as_escaped,
    as_framed,
    as_second_pickle,
    as_unused,
)


class Ref:
    """Pickles as a reference to a name that need not exist here."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __reduce__(self) -> Any:
        return Ref, (self.name,)


def in_joblib(name: str) -> bytes:
    """Between arrays; the string that names this test's class is swapped for the gadget's."""
    return swapped([np.arange(9.0), Ref("id"), np.arange(9.0)], name)


def in_object_array(name: str) -> bytes:
    array = np.empty(2, object)
    array[:] = [{"a": 1}, Ref("id")]
    return swapped([np.arange(5), array], name)


def swapped(model: Any, name: str) -> bytes:
    module, attribute = parts(name)
    buffer = io.BytesIO()
    joblib.dump(model, buffer, protocol=0)
    data = buffer.getvalue()
    old = f"c{Ref.__module__}\nRef\n".encode()
    if old in data:
        return data.replace(old, f"c{module}\n{attribute}\n".encode())
    nested = short(Ref.__module__) + b"\x94" + short("Ref") + b"\x94\x93"
    start = data.index(nested)
    frame = data.rindex(b"\x95", 0, start)
    swap = short(module) + b"\x94" + short(attribute) + b"\x94\x93"
    size = int.from_bytes(data[frame + 1 : frame + 9], "little") + len(swap) - len(nested)
    return data[: frame + 1] + size.to_bytes(8, "little") + data[frame + 9 :].replace(nested, swap)


PACKERS: tuple[Callable[[bytes], bytes], ...] = (zlib.compress, gzip.compress, bz2.compress, lzma.compress)


def refused(path: Path, data: bytes, allow: tuple[str, ...] = ()) -> tuple[str, ...]:
    path.write_bytes(data)
    found = scan(path, allow)
    assert set(found.refused) <= set(found.names)
    return found.refused


@pytest.mark.parametrize("name", GADGETS)
def test_a_gadget_is_refused_in_every_encoding(tmp_path: Path, name: str) -> None:
    for encode in ENCODINGS:
        assert refused(tmp_path / "m.pkl", encode(name)) == (name,), encode.__name__


@pytest.mark.parametrize("name", ["os.system", "numpy.testing._private.utils.runstring", "joblib.load"])
def test_a_gadget_is_refused_inside_of_joblib_files_and_compression(tmp_path: Path, name: str) -> None:
    for data in (in_joblib(name), in_object_array(name), as_global(name)):
        assert refused(tmp_path / "m", data) == (name,)
        for pack in PACKERS:
            assert refused(tmp_path / "m", pack(data)) == (name,)


@pytest.mark.parametrize("name", GADGETS)
def test_partial_of_a_gadget_is_refused_for_the_gadget(tmp_path: Path, name: str) -> None:
    module, attribute = parts(name)
    data = b"\x80\x04" + short("functools") + short("partial") + b"\x93" + short(module) + short(attribute)
    assert refused(tmp_path / "m", data + b"\x93\x85R.") == (name,)


DOTTED = [
    ("sklearn.linear_model", "LogisticRegression.__init__.__globals__"),
    ("sklearn.linear_model._logistic", "LogisticRegression.__init__.__globals__.get"),
    ("pandas.io.common", "os.system"),
    ("pandas", "io.common.os.system"),
    ("numpy", "ndarray.__reduce__"),
    ("numpy", "dtype.type.mro"),
    ("sklearn", "linear_model.LogisticRegression"),
    ("builtins", "object.__subclasses__"),
    ("joblib", "numpy_pickle.NumpyArrayWrapper"),
    ("joblib._store_backends", "numpy_pickle.NumpyArrayWrapper"),
]


@pytest.mark.parametrize("module, name", DOTTED)
def test_a_walk_over_attributes_is_refused(tmp_path: Path, module: str, name: str) -> None:
    data = b"\x80\x04" + short(module) + short(name) + b"\x93."
    assert refused(tmp_path / "m", data) == (f"{module}.{name}",)
    assert refused(tmp_path / "m", data, (module, module.split(".")[0])) == (f"{module}.{name}",)
    assert refused(tmp_path / "m", data, (f"{module}.{name}",)) == ()


@pytest.mark.parametrize(
    "data",
    [
        b"\x80\x04" + short("os") + b"N\x93.",
        b"\x80\x04" + b"K\x01" + short("system") + b"\x93.",
        b"\x80\x04c_codecs\nencode\n" + short("os") + short("latin1") + b"\x86R" + short("system") + b"\x93.",
        b"\x80\x04" + b"X" + (600).to_bytes(4, "little") + b"o" * 600 + short("system") + b"\x93.",
        b"\x80\x02\x82\x01.",
        b"\x80\x02\x83\x01\x01.",
        b"\x80\x02\x84\x01\x01\x01\x01.",
        b"\x80\x04N)R.",
        b"\x80\x04"
        + short("functools")
        + short("partial")
        + b"\x93"
        + short("numpy")
        + short("dtype")
        + b"\x93\x85R)R.",
    ],
)
def test_a_name_or_a_callable_that_is_not_static_is_refused_for_good(tmp_path: Path, data: bytes) -> None:
    assert refused(tmp_path / "m", data) == ("?",)
    assert "?" in refused(tmp_path / "m", data, ("?", "os", "builtins", "functools", "numpy"))


def test_python_2_names_are_mapped_below_protocol_3_only(tmp_path: Path) -> None:
    assert refused(tmp_path / "m", b"c__builtin__\neval\n(S'1'\ntR.") == ("builtins.eval",)
    assert refused(tmp_path / "m", b"c__builtin__\nobject\n)\x81.") == ()
    assert refused(tmp_path / "m", b"\x80\x03c__builtin__\nobject\n)\x81.") == ("__builtin__.object",)
    assert refused(tmp_path / "m", b"\x80\x04\x80\x02ccommands\ngetoutput\n.") == ("subprocess.getoutput",)


def test_functions_may_be_referred_to_but_not_called(tmp_path: Path) -> None:
    refer = b"\x80\x04" + short("numpy") + short("exp") + b"\x93"
    assert refused(tmp_path / "m", refer + b".") == ()
    assert refused(tmp_path / "m", refer + b"K\x01\x85R.") == ("numpy.exp",)
    assert refused(tmp_path / "m", refer + b"K\x01\x85R.", ("numpy.exp",)) == ()


def test_the_error_names_every_refused_name_and_the_next_step(tmp_path: Path) -> None:
    path = tmp_path / "m.pkl"
    path.write_bytes(
        b"\x80\x04" + short("mine") + short("B") + b"\x93" + short("mine.sub") + short("A") + b"\x93\x85R."
    )
    found = scan(path)
    with pytest.raises(UntrustedError, match=r"--allow mine\.B --allow mine\.sub\.A") as caught:
        require_trusted(found, path)
    assert caught.value.to_json()["names"] == ["mine.B", "mine.sub.A"]
    assert (caught.value.exit_code, found.packages) == (3, ("mine",))
    require_trusted(scan(path, ["mine"]), path)
    require_trusted(scan(path, ["mine.B", "mine.sub"]), path)
    assert scan(path, ["min", "mine.s", "mine.sub"]).refused == ("mine.B",)
