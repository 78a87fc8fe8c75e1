"""Keras's files and SavedModels: what would run code, leave the folder or fill memory is refused before it loads."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlpack_toolkit.packager.errors import ModelError, UntrustedError
from mlpack_toolkit.packager.scan import Scan, beside, require_trusted, scan
from mlpack_toolkit.packager.scan.savedmodel_files import known_operators

MARSHALLED = "4wEAAAAAAAAAAAAAAAEAAAADAAAA8wwAAACXAHwAZAF6AAAAUwApAk7pAQAAAKkA"
WEIGHTS = bytes(4096)


def layer(name: str, module: str | None = "keras.layers", **config: Any) -> dict[str, Any]:
    return {"module": module, "class_name": name, "config": config, "registered_name": None}


def model(*layers: Any) -> dict[str, Any]:
    return layer("Sequential", "keras", layers=list(layers))


def archive(config: Any, **more: bytes) -> bytes:
    """A `.keras` file with this configuration, and more members."""
    buffer = io.BytesIO()
    text = config if isinstance(config, (bytes, str)) else json.dumps(config)
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("metadata.json", '{"keras_version": "3.15.1"}')
        out.writestr("config.json", text)
        out.writestr("model.weights.h5", WEIGHTS)
        for name, content in more.items():
            out.writestr(name, content)
    return buffer.getvalue()


def hdf5(*texts: tuple[str, str], version: int = 0, dense: bool = False) -> bytes:
    """An HDF5 file as h5py writes it, whose root has these attributes and nothing else."""
    heap, places = b"", []
    for number, (_, text) in enumerate(texts, start=1):
        content = text.encode()
        padded = content + bytes(-len(content) % 8)
        heap += struct.pack("<HH4xQ", number, 1, len(content)) + padded
        places.append((len(content), number))
    messages = [attribute(name, place) for (name, _), place in zip(texts, places, strict=True)]
    kinds = [(0x0C, body) for body in messages] + ([(0x15, bytes(16))] if dense else [])
    header = b"".join(struct.pack("<HHB3x", kind, len(body), 0) + body for kind, body in kinds)
    header = struct.pack("<BBHII4x", 1, 0, len(kinds), 1, len(header)) + header
    start = b"\x89HDF\r\n\x1a\n" + bytes([version, 0, 0, 0, 0, 8, 8, 0]) + struct.pack("<HHI", 4, 16, 0)
    start += struct.pack("<QQQQ", 0, 2**64 - 1, 4096, 2**64 - 1) + struct.pack("<QQ", 0, 96) + bytes(24)
    body = start.ljust(96, b"\0") + header
    at = len(body) + -len(body) % 8
    collection = struct.pack("<4sB3xQ", b"GCOL", 1, 16 + len(heap) + 16) + heap + bytes(16)
    return body.replace(b"HEAPHEAP", struct.pack("<Q", at)).ljust(at, b"\0") + collection


def attribute(name: str, place: tuple[int, int]) -> bytes:
    title = name.encode() + b"\0"
    kind = struct.pack("<BBBBI", 0x19, 1, 1, 0, 16) + struct.pack("<BBBBIHH", 0x13, 0, 0, 0, 1, 0, 8) + bytes(4)
    space = struct.pack("<BBBB4x", 1, 0, 0, 0)
    head = struct.pack("<BBHHH", 1, 0, len(title), len(kind), len(space))
    parts = (part.ljust((len(part) + 7) & ~7, b"\0") for part in (title, kind, space))
    return head + b"".join(parts) + struct.pack("<I8sI", place[0], b"HEAPHEAP", place[1])


def nested(depth: int) -> str:
    return '{"class_name": "Sequential", "config": {"a":' + "[" * depth + "]" * depth + "}}"


def scanned(content: bytes, folder: Path, name: str = "m.keras", allow: tuple[str, ...] = ()) -> Scan:
    path = folder / name
    path.write_bytes(content)
    return scan(path, allow)


PLAIN = model(layer("InputLayer", batch_shape=[None, 3]), layer("Dense", units=4, activation="relu"))
LAMBDA = model(layer("Lambda", function={"class_name": "__lambda__", "config": {"code": MARSHALLED}}))
UNTRUSTED: dict[str, tuple[bytes, str]] = {
    "code in a layer": (archive(LAMBDA), "keras.layers.Lambda"),
    "code in a value": (archive(model(layer("Dense", activation={"class_name": "__lambda__"}))), "keras.layers.Lambda"),
    "a class elsewhere": (archive(model(layer("system", "os"))), "os.system"),
    "a function elsewhere": (
        archive(model(layer("Dense", activation={"class_name": "function", "config": "run", "module": "subprocess"}))),
        "subprocess.run",
    ),
    "a function of Keras that loads": (archive(model(layer("get_file", "keras.utils"))), "keras.utils.get_file"),
    "a switch of Keras": (
        archive(model(layer("enable_unsafe_deserialization", "keras.config"))),
        "keras.config.enable_unsafe_deserialization",
    ),
    "a layer that loads another file": (
        archive(model({**layer("function", "keras.models"), "config": "load_model"})),
        "keras.models.load_model",
    ),
    "a class that loads a text": (
        archive(model(layer("model_from_json", "keras.src.models.model"))),
        "keras.src.models.model.model_from_json",
    ),
    "a value of a configuration": (
        archive(model({**layer("function", "keras.layers"), "config": "deserialize"})),
        "keras.layers.deserialize",
    ),
    "a helper beside a layer": (
        archive(model({**layer("function", "keras.src.layers.layer"), "config": "update_shapes_dict_for_target_fn"})),
        "update_shapes_dict_for_target_fn",
    ),
    "a walk over attributes": (archive(model(layer("os.system", "keras.layers"))), "keras.layers.os.system"),
    "a registered class": (archive(model({**layer("Mine>Layer", None), "registered_name": "Mine>Layer"})), "Layer"),
    "a nested compilation": (
        archive(model({**layer("Dense"), "compile_config": {"loss": layer("system", "os")}})),
        "os.system",
    ),
    "code in an older file": (hdf5(("model_config", json.dumps({"class_name": "Lambda", "config": {}}))), "Lambda"),
}


@pytest.mark.parametrize("name", UNTRUSTED)
def test_a_name_that_is_not_kerass_own_is_not_trusted(name: str, tmp_path: Path) -> None:
    content, said = UNTRUSTED[name]
    found = scanned(content, tmp_path)
    assert found.refused, found
    with pytest.raises(UntrustedError, match=f"not trusted: .*{said}"):
        require_trusted(found, tmp_path / "m.keras")


FORBIDDEN: dict[str, tuple[bytes, str]] = {
    "another model's folder": (archive(model(layer("TFSMLayer", filepath="/tmp/x"))), "holds a layer TFSMLayer"),
    "a pickle of torch": (archive(model(layer("TorchModuleWrapper"))), "holds a layer TorchModuleWrapper"),
    "a file of words": (
        archive(model(layer("StringLookup", vocabulary="/etc/passwd"))),
        r"StringLookup read a file \(vocabulary='/etc/passwd'\)",
    ),
    "a layer of 10^9": (archive(model(layer("Dense", units=10**9))), "says units=1,000,000,000, and its weights have"),
    "an input of 10^10": (archive(model(layer("InputLayer", batch_shape=[None, 10**10]))), "which no tensor has"),
    "a path that leaves": (archive(PLAIN, **{"assets/../../evil": b"x"}), "a path that leaves the archive"),
    "an absolute path": (archive(PLAIN, **{"/etc/evil": b"x"}), "a path that leaves the archive"),
    "a bomb": (archive(PLAIN, **{"assets/zeros": bytes(80 << 20)}), "expands .* times"),
    "deep nesting": (archive(nested(200)), "nested more than 100 deep"),
    "deeper nesting": (archive(nested(200_000)), "nested more than 100 deep"),
    "a class that is a number": (archive(model({"class_name": 3, "config": {}})), "by something that is no text"),
    "deep nesting in an older file": (hdf5(("model_config", nested(200))), "nested more than 100 deep"),
}


@pytest.mark.parametrize("name", FORBIDDEN)
def test_what_no_trust_mends_is_forbidden(name: str, tmp_path: Path) -> None:
    content, said = FORBIDDEN[name]
    found = scanned(content, tmp_path, allow=("keras", "builtins"))
    with pytest.raises(UntrustedError, match=said):
        require_trusted(found, tmp_path / "m.keras")


DAMAGED: dict[str, tuple[bytes, str]] = {
    "no JSON": (archive("{"), "cannot be read"),
    "no configuration": (hdf5(("keras_version", "3.15.1")), "holds no model: .*weights alone"),
    "two configurations": (hdf5(("model_config", "{}"), ("model_config", "{}")), "two attributes of one name"),
    "another form of HDF5": (hdf5(("model_config", "{}"), version=2), "save the model again as a .keras file"),
    "attributes elsewhere": (hdf5(("model_config", "{}"), dense=True), "save the model again as a .keras file"),
    "a cut file": (hdf5(("model_config", json.dumps(PLAIN)))[:150], "its HDF5 is damaged"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_file_is_said_to_be_one(name: str, tmp_path: Path) -> None:
    content, said = DAMAGED[name]
    with pytest.raises(ModelError, match=said) as caught:
        scanned(content, tmp_path, "m.h5" if content[:1] == b"\x89" else "m.keras")
    assert caught.value.exit_code == 3


def test_kerass_own_classes_need_no_trust(tmp_path: Path) -> None:
    found = scanned(archive(PLAIN), tmp_path)
    assert (found.kind, found.names, found.refused, found.forbidden) == ("keras", (), (), "")
    assert found.versions == {"keras": "3.15.1"}
    older = scanned(hdf5(("keras_version", "3.15.1"), ("model_config", json.dumps(PLAIN))), tmp_path, "m.h5")
    assert (older.kind, older.names, older.versions) == ("keras_h5", (), {"keras": "3.15.1"})


def test_the_losses_of_a_compiled_model_are_not_loaded_and_not_asked_for(tmp_path: Path) -> None:
    compiled = {**PLAIN, "compile_config": {"loss": layer("my_loss", "mine")}}
    assert not scanned(archive(compiled), tmp_path).names


def test_a_name_that_the_user_allows(tmp_path: Path) -> None:
    found = scanned(archive(LAMBDA), tmp_path, allow=("keras.layers.Lambda",))
    assert found.own == ("keras.layers.Lambda",) and not found.refused


def message(number: int, content: bytes | str) -> bytes:
    data = content.encode() if isinstance(content, str) else content
    size, length = len(data), b""
    while size > 127:
        length, size = length + bytes([size & 127 | 128]), size >> 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + data


def saved_model(*operators: str, function: str = "", asset: str = "") -> bytes:
    """A `saved_model.pb` with nodes of these operators, in a function or in none."""
    nodes = b"".join(
        message(3 if function else 1, message(1, f"n{i}") + message(2, op)) for i, op in enumerate(operators)
    )
    graph = message(2, message(1, message(1, message(1, function)) + nodes)) if function else nodes
    assets = message(6, message(2, asset)) if asset else b""
    return b"\x08\x01" + message(2, message(1, message(5, "2.21.0")) + message(2, graph) + assets)


Folder = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    def write(content: bytes, **files: bytes) -> Path:
        for name, data in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(data)
        (tmp_path / "saved_model.pb").write_bytes(content)
        return tmp_path / "saved_model.pb"

    return write


@pytest.mark.parametrize(
    "operator",
    [
        *("ReadFile", "WriteFile", "PyFunc", "EagerPyFunc", "TextLineDatasetV9", "RestoreV2"),
        *("ImmutableConst", "GenerateVocabRemapping", "DecodeProtoV2"),  # which open a file that they name
        "InitializeTableFromTextFileV2",  # of a model without assets
    ],
)
def test_an_operator_that_could_leave_the_process_is_not_trusted(operator: str, folder: Folder) -> None:
    path = folder(saved_model("MatMul", operator, function="__inference_call"))
    with pytest.raises(UntrustedError, match=f"not trusted: tensorflow.raw_ops.{operator}"):
        require_trusted(scan(path), path)
    assert scan(path, (f"tensorflow.raw_ops.{operator}",)).refused == ()


def test_operators_that_compute_and_those_of_savers_are(folder: Folder) -> None:
    path = folder(saved_model("SaveV2", "RestoreV2", function="__inference__traced_save_12"), **{"variables/v": b"1"})
    assert scan(path).names == ()
    assert beside("savedmodel", path) == (path.parent.resolve() / "variables/v",)
    computing = {"MatMul", "Conv2D", "VarHandleOp", "LookupTableFindV2", "While", "RandomStandardNormal"}
    assert computing <= known_operators()
    assert (
        not {"ReadFile", "WriteFile", "PyFunc", "SaveV2", "RestoreV2", "IteratorGetNext", "PrintV2"} & known_operators()
    )


@pytest.mark.parametrize("asset", ["../secret", "/etc/passwd", "a/../../b", "a\\b"])
def test_an_asset_stays_in_its_folder(asset: str, folder: Folder) -> None:
    with pytest.raises(UntrustedError, match="which leaves its folder"):
        beside("savedmodel", folder(saved_model("MatMul", asset=asset)))


def test_a_table_is_read_from_an_asset(folder: Folder) -> None:
    assert scan(folder(saved_model("InitializeTableFromTextFileV2", asset="words.txt"))).names == ()


def test_an_asset_that_is_not_there(folder: Folder) -> None:
    with pytest.raises(ModelError, match=r"'words.txt', which is not in its folder"):
        beside("savedmodel", folder(saved_model("MatMul", asset="words.txt")))


def test_a_link_beside_the_model_is_not_followed(folder: Folder) -> None:
    path = folder(saved_model("MatMul"), **{"variables/v": b"1"})
    (path.parent / "variables" / "w").symlink_to("/etc/passwd")
    with pytest.raises(UntrustedError, match="w beside it is no plain file"):
        beside("savedmodel", path)


@pytest.mark.parametrize("cut", [3, 9, 15])
def test_a_cut_saved_model(cut: int, folder: Folder) -> None:
    with pytest.raises(ModelError, match="cannot be read as a model"):
        scan(folder(saved_model("MatMul")[:-cut]))
