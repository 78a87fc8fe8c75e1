"""Files of `torch.save`: scanned as every pickle is, and their storages and tensors besides."""

from __future__ import annotations

import io
import pickle
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

from mlpack_toolkit.packager.errors import ModelError, UntrustedError
from mlpack_toolkit.packager.scan import Scan, require_own, require_trusted, scan, vouched
from tests.conftest import Run

from .forge import G, Raw, append, build, call, new, setitem, written
from .torch_forge import LINEAR, REBUILD, module, saved, state_dict, storage, tensor, zipped

SYSTEM = G("os.system")
RELU = G("torch.nn.functional.relu")
METADATA = {"_metadata": setitem(call(G("collections.OrderedDict")), "", {"version": 1})}
OLD = pickle.dumps(0x1950A86A20F9469CFC6C, protocol=2) + pickle.dumps(1001, protocol=2)


def scanned(content: bytes, folder: Path, allow: tuple[str, ...] = (), suffix: str = "pt") -> Scan:
    path = folder / f"m.{suffix}"
    path.write_bytes(content)
    return scan(path, allow)


def hooked(hook: Any) -> Any:
    return module({"training": False, "_forward_hooks": setitem(call(G("collections.OrderedDict")), 0, hook)})


NAMES: dict[str, tuple[Any, str]] = {
    "a call": (call(SYSTEM, "true"), "posix.system|os.system"),
    "a partial": (call(G("functools.partial"), SYSTEM, "true"), "os.system"),
    "a hook": (hooked(SYSTEM), "os.system"),
    "a weight that is a call": (state_dict(w=call(SYSTEM, "true")), "os.system"),
    "bytes to be loaded": (call(G("torch.storage._load_from_bytes"), b"x"), "torch.storage._load_from_bytes"),
    "another file": (call(G("torch.load"), "a.pt"), "torch.load"),
    "a graph of source text": (new(G("torch.fx.graph_module.GraphModule")), "torch.fx.graph_module.GraphModule"),
    "TorchScript": (new(G("torch.jit._script.RecursiveScriptModule")), "RecursiveScriptModule"),
    "a hub": (call(G("torch.hub.load"), "a/b", "c"), "torch.hub.load"),
    "a class of others": (module(of=G("mine.Net")), "mine.Net"),
    "a tensor of others": (
        call(G("torch._tensor._rebuild_from_type_v2"), REBUILD, G("mine.Tensor"), (), {}),
        "torch._tensor._rebuild_from_type_v2",
    ),
    "a storage of objects": (tensor(of=storage(kind="mine.Storage")), "mine.Storage"),
    "a library": (call(G("torch.ops.load_library"), "a.so"), "torch.ops.load_library"),
}
USES: dict[str, tuple[Any, str]] = {
    "a layer that is called": (call(LINEAR, 1, 2), r"calls torch\.nn\.modules\.linear\.Linear in a way"),
    "a method as a state": (module({"forward": RELU}), "sets `forward`, which is a method"),
    "a hidden __setstate__": (module({"__setstate__": RELU}), "sets `__setstate__`"),
    "a second state": (build(module(), {"training": True}), "sets a second state"),
    "APPEND on a layer": (append(module({"append": [1]}), 1), "append"),
    "a state of a tensor": (build(tensor(), {"a": 1}), "sets a state on a tensor"),
    "a state of a parameter": (
        build(call(G("torch._utils._rebuild_parameter"), tensor(), True, call(G("collections.OrderedDict"))), {"a": 1}),
        "sets a state on a tensor",
    ),
    "attributes of a dict": (build(state_dict(), {"append": RELU}), "sets a state on a mapping"),
    "a parameter of no tensor": (
        call(G("torch._utils._rebuild_parameter"), storage(), True, call(G("collections.OrderedDict"))),
        r"calls torch\._utils\._rebuild_parameter in a way",
    ),
    "a tensor of no storage": (tensor(of=3), r"calls torch\._utils\._rebuild_tensor_v2 in a way"),
    "hooks that are a list": (tensor(hooks=[]), r"calls torch\._utils\._rebuild_tensor_v2 in a way"),
    "a size beyond": (tensor((3, 2), (2, 1)), "a tensor of 3x2 elements, but its storage has 4"),
    "10^12 rows": (tensor((Raw(b"\x8a\x06" + (10**12).to_bytes(6, "little")),), (0,)), "a tensor of 1000000000000 el"),
    "a stride beyond": (tensor((2, 2), (3, 1)), "its storage has 4"),
    "a negative stride": (tensor((2, 2), (-2, 1)), "sizes and strides are not plain numbers"),
    "a negative size": (tensor((-2, 2), (2, 1)), "not plain numbers"),
    "a negative offset": (tensor(offset=-1), "not plain numbers"),
    "an offset beyond": (tensor(offset=1), "its storage has 4"),
    "a huge offset": (tensor(offset=Raw(b"\x8a\x09" + bytes(8) + b"\x01")), "not plain numbers"),
    "sizes that are a list": (tensor([2, 2]), "not plain numbers"),
    "more sizes than strides": (tensor((2, 2), (1,)), "not plain numbers"),
    "a truth as a size": (tensor((True,), (1,)), "not plain numbers"),
    "65 dimensions": (tensor((1,) * 65, (1,) * 65), "not plain numbers"),
    "more elements than bytes": (tensor(of=storage(5)), "has 5 elements of torch.FloatStorage, but that record has 16"),
    "wider elements than bytes": (tensor(of=storage(kind="torch.DoubleStorage")), "but that record has 16 bytes"),
    "fewer elements than bytes": (tensor(of=storage(2)), "but that record has 16 bytes"),
    "a storage that is missing": (tensor(of=storage(key="1")), "that record is missing"),
    "a storage elsewhere": (tensor(of=storage(key="../0")), "a storage without a plain name"),
    "a negative storage": (tensor(of=storage(-4)), "a storage of an impossible size"),
    "a storage of a layer": (tensor(of=storage(kind=LINEAR.dotted)), "a storage of the unknown type"),
    "a persistent id of another kind": (Raw(written(("module", "source", "a.py"), 2)[2:-1] + b"Q"), "other than a sto"),
    "a persistent id that is a name": (Raw(written(RELU, 2)[2:-1] + b"Q"), "other than a storage"),
    "a constructor in a list": ([REBUILD], "keeps torch._utils._rebuild_tensor_v2 as a value"),
    "a storage's class in a state": (module({"a": G("torch.FloatStorage")}), "keeps torch.FloatStorage as a value"),
    "a function that is called": (call(RELU, tensor()), "names that are not trusted: torch.nn.functional.relu"),
}
DAMAGED: dict[str, tuple[bytes, str]] = {
    "compressed": (zipped({"data.pkl": written([], 2)}, how=zipfile.ZIP_DEFLATED), "compressed, which torch never"),
    "a name that leaves": (zipped({"data.pkl": written([], 2), "../x": b""}), "leaves the archive"),
    "names alike": (zipped({"data.pkl": written([], 2), "DATA.PKL": b""}), "differ only in case"),
    "two pickles": (zipped({"data.pkl": written([], 2) * 2}), "behind the end of its pickle"),
    "another byte order": (zipped({"data.pkl": written([], 2), "byteorder": b"big"}), "another byte order"),
    "a short pickle": (zipped({"data.pkl": written([], 2)[:-1]}), "ends too early"),
    "a persistent id in text": (zipped({"data.pkl": b"\x80\x02P0\n."}), "persistent id"),
    "the format before 1.6": (OLD, r"format that torch wrote before version 1\.6.*torch\.save"),
    "torch.package": (zipped({".data/extern_modules": b"", "data.pkl": b""}), r"archive of torch\.package.*\.save"),
}  # fmt: skip


def test_a_layer_and_a_state_dict_are_what_they_are(tmp_path: Path) -> None:
    found = scanned(saved(module()), tmp_path)
    assert (found.kind, found.root, found.refused, found.forbidden) == ("torch", LINEAR.dotted, (), "")
    for value in ({"w": tensor()}, state_dict(w=tensor()), build(state_dict(w=tensor()), METADATA)):
        found = scanned(saved(value), tmp_path)
        assert (found.kind, found.refused, found.forbidden) == ("torch_weights", (), "")
    assert not scanned(saved(module({"_norm_layer": LINEAR, "training": False})), tmp_path).forbidden
    for protocol in (3, 4, 5):
        assert scanned(saved(module(), protocol=protocol), tmp_path).refused == ()


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_nobody_allowed_is_refused(name: str, tmp_path: Path) -> None:
    value, said = NAMES[name]
    for form in (value, module({"a": value}), state_dict(w=tensor(), a=value)):
        with pytest.raises(UntrustedError, match=f"not trusted.*{said}"):
            require_trusted(scanned(saved(form), tmp_path), tmp_path)


@pytest.mark.parametrize("name", USES)
def test_a_use_that_no_model_makes_is_refused(name: str, tmp_path: Path) -> None:
    value, said = USES[name]
    for form in (value, state_dict(w=value)):
        with pytest.raises(UntrustedError, match=said):
            require_trusted(scanned(saved(form), tmp_path), tmp_path)


@pytest.mark.parametrize("name", DAMAGED)
def test_what_torch_does_not_write_is_a_clear_error(name: str, tmp_path: Path) -> None:
    content, said = DAMAGED[name]
    with pytest.raises(ModelError, match=said) as caught:
        scanned(content, tmp_path)
    assert not isinstance(caught.value, UntrustedError)


def test_the_tar_files_of_torch_say_how_to_save_again(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("sys_info"), io.BytesIO())
    with pytest.raises(ModelError, match=r"a tar archive of torch 0\.1: .*torch\.save"):
        scanned(buffer.getvalue(), tmp_path)


def test_a_class_of_the_users_own_needs_its_folder(tmp_path: Path) -> None:
    code = tmp_path / "code"
    code.mkdir()
    (code / "mine.py").write_text("class Net:\n    pass\n")
    (tmp_path / "m.pt").write_bytes(saved(module(of=G("mine.Net"))))
    found = scan(tmp_path / "m.pt", (), vouched([code]))
    assert (found.refused, found.own, found.forbidden) == ((), ("mine.Net",), "")
    with pytest.raises(UntrustedError, match="give its folder with --code"):
        require_trusted(scan(tmp_path / "m.pt"), tmp_path / "m.pt")


SCRIPT = zipped({"constants.pkl": b"\x80\x02).", "code/__torch__.py": b"class Net(Module):\n", "data.pkl": b""})


def test_torchscript_is_a_program_that_is_allowed_by_its_word(mlpack: Run, tmp_path: Path) -> None:
    found = scanned(SCRIPT, tmp_path)
    assert (found.kind, found.names, found.refused) == ("torchscript", ("torchscript",), ("torchscript",))
    assert scanned(SCRIPT, tmp_path, ("torchscript",)).own == ("torchscript",)
    (tmp_path / "x.json").write_text("[[1, 2]]")
    code, told, error = mlpack("build", "m.pt", "--example", "x.json")
    assert (code, told["error"]["kind"]) == (3, "UntrustedError")
    assert "--allow torchscript" in error and "torch.export.save" in error
    assert mlpack("inspect", "m.pt")[1]["not on the allow-list"] == ["torchscript"]


def test_a_persistent_id_outside_of_torchs_archives_stays_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="persistent id"):
        scanned(written(tensor(), 2), tmp_path)


def test_a_factory_is_a_function_of_the_users_own(mlpack: Run, tmp_path: Path) -> None:
    """Or one that is allowed: the name may come from a bundle of a stranger."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "mine.py").write_text("from os import abort\n\n\ndef make():\n    return 1\n")
    (tmp_path / "m.pt").write_bytes(saved(state_dict(w=tensor())))
    (tmp_path / "x.json").write_text("[[1, 2]]")
    given = ("build", "m.pt", "--example", "x.json", "--code", "code", "-O")
    for factory in ("os:abort", "mine:abort", "mine:none", "torch.hub:load"):
        code, told, error = mlpack(*given, f"torch.factory={factory}")
        assert (code, told["error"]["kind"]) == (3, "UntrustedError")
        assert f"the function {factory.replace(':', '.')}, which no module in the folders of --code defines" in error
    assert mlpack(*given, "torch.factory=mine")[0] == 2
    own = vouched([tmp_path / "code"])
    require_own(("mine.make",), (), own)
    require_own(("theirs.nets.make",), ("theirs",), own)
