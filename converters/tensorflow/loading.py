"""Loads a file or a folder of TensorFlow in the sandbox, on the CPU, without what it was compiled with."""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Callable

from .._trust.keras_config import Names, config_of_archive, names_in
from ..spec import Unreadable, Unsupported
from .links import check_links
from .model import Declared, TensorflowModel, flat_outputs

SETTINGS = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "CUDA_VISIBLE_DEVICES": "-1",
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "KERAS_BACKEND": "tensorflow",
    "TF_USE_LEGACY_KERAS": "0",
}
"""What TensorFlow and Keras read as they are imported."""
SERVING = "serving_default"
SAVED_MODEL = "saved_model.pb"
HDF5 = b"\x89HDF\r\n\x1a\n"
PLACE = "The interpreter of --python needs tensorflow (tensorflow-cpu) 2.16 or later with Keras 3"


def imported() -> Any:
    """TensorFlow, quiet, on the CPU and on one thread."""
    os.environ.update(SETTINGS)
    os.environ.setdefault("KERAS_HOME", os.path.join(os.getcwd(), "keras"))
    import tensorflow as tf

    with suppress(RuntimeError):  # it runs already
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    return tf


def load(path: Path, given: Mapping[str, Any]) -> TensorflowModel:
    """The model of a `.keras` or `.h5` file, or of a SavedModel's `saved_model.pb`."""
    tf = imported()
    if path.name == SAVED_MODEL:
        return of_saved_model(tf, path.parent, given)
    with path.open("rb") as file:
        head = file.read(len(HDF5))
    return of_keras(_keras_model(path, head == HDF5), given)


def _keras_model(path: Path, legacy: bool) -> Any:
    import keras

    if keras.__version__.partition(".")[0] != "3":
        raise Unreadable(f"{PLACE}; there is Keras {keras.__version__}")
    found = names_in(_legacy_config(path) if legacy else config_of_archive(path)[0])
    check_links(path)
    own = _own_objects(found)
    try:
        with keras.saving.custom_object_scope(own):
            return keras.saving.load_model(str(path), compile=False, safe_mode=not found.runs_code)
    except MemoryError:
        raise
    except Exception as error:
        raise Unreadable(f"Keras {keras.__version__} does not load {path.name}: {_first_line(error)}") from error


def _legacy_config(path: Path) -> Any:
    """The configuration in an `.h5` file, as h5py reads it."""
    import h5py

    with h5py.File(str(path), "r") as file:
        text = file.attrs["model_config"]
    return json.loads(text)


def _own_objects(found: Names) -> dict[str, Any]:
    """The user's own classes and functions, from their modules: also those that they did not register with Keras."""
    objects: dict[str, Any] = {}
    for module, name in sorted(found.foreign):
        if module:
            value = getattr(importlib.import_module(module), name, None)
            if value is not None:
                objects[name] = value
    return objects


def of_keras(model: Any, given: Mapping[str, Any]) -> TensorflowModel:
    """A Keras model in inference mode."""
    import keras

    struct, inputs = _inputs(keras, model)

    def ask(tensors: Mapping[str, Any]) -> Mapping[str, Any]:
        flat = [tensors[each.name] for each in inputs] or list(tensors.values())
        if struct is not None:
            packed = keras.tree.pack_sequence_as(struct, flat)
        else:
            packed = flat[0] if len(flat) == 1 else dict(tensors)
        return flat_outputs(model(packed, training=False))

    parameters, floats = _weights(model)
    title = model.name if type(model).__name__ in ("Sequential", "Functional") else type(model).__name__
    doubled = _doubler(keras, model, given)
    return TensorflowModel(ask, inputs, given, f"{title} (Keras", model, parameters, floats, doubled)


def _inputs(keras: Any, model: Any) -> tuple[Any, tuple[Declared, ...]]:
    """The structure of the first argument, and the inputs in its order; none where the model was built without them."""
    struct = getattr(getattr(model, "_functional", None) or model, "_inputs_struct", None)
    if struct is None:
        return None, ()
    return struct, tuple(_declared(path, each) for path, each in keras.tree.flatten_with_path(struct))


def _declared(path: tuple[Any, ...], tensor: Any) -> Declared:
    """The input; its name is the key in a dict, else that of the `Input`."""
    if getattr(tensor, "sparse", False) or getattr(tensor, "ragged", False):
        raise Unsupported(
            f"the input {tensor.name!r} is sparse or ragged, which no graph takes: give the model dense ones"
        )
    history = getattr(tensor, "_keras_history", None)
    name = str(path[-1]) if path and isinstance(path[-1], str) else getattr(history, "operation", tensor).name
    return Declared(name, str(tensor.dtype), tuple(tensor.shape))


def _weights(model: Any) -> tuple[int, str]:
    sizes: dict[str, int] = {}
    for each in model.weights:
        sizes[str(each.dtype)] = sizes.get(str(each.dtype), 0) + int(_size(each.shape))
    floats = {kind: size for kind, size in sizes.items() if kind in ("float16", "float32", "float64")}
    return sum(sizes.values()), max(floats, key=lambda kind: floats[kind]) if floats else "float32"


def _size(shape: Any) -> int:
    found = 1
    for size in shape:
        found *= int(size)
    return found


def _doubler(keras: Any, model: Any, given: Mapping[str, Any]) -> Callable[[], TensorflowModel | None]:
    """What makes a copy in float64, where the model's configuration alone makes one."""

    def doubled() -> TensorflowModel | None:
        if type(model).__name__ not in ("Sequential", "Functional"):
            return None
        config = json.dumps(keras.saving.serialize_keras_object(model)).replace('"float32"', '"float64"')
        try:
            copy = keras.saving.deserialize_keras_object(json.loads(config))
            copy.set_weights(model.get_weights())
        except Exception:  # a layer of code (Lambda), or one that has no float64
            return None
        return of_keras(copy, given)

    return doubled


def of_saved_model(tf: Any, folder: Path, given: Mapping[str, Any]) -> TensorflowModel:
    """One signature of a SavedModel."""
    try:
        loaded = tf.saved_model.load(str(folder), tags=["serve"])
    except MemoryError:
        raise
    except Exception as error:
        raise Unreadable(f"TensorFlow {tf.__version__} does not load the SavedModel: {_first_line(error)}") from error
    name = given.get("signature") or SERVING
    known = sorted(loaded.signatures)
    if name not in known:
        if given.get("signature") or len(known) != 1:
            raise Unreadable(
                f"the SavedModel has no signature {name!r}; there are: {', '.join(known) or 'none'}: "
                "give one with -O tensorflow.signature=NAME, or export the model with one"
            )
        name = known[0]
    signature = loaded.signatures[name]
    specs = signature.structured_input_signature[1]
    inputs = tuple(_of_spec(key, specs[key]) for key in specs)

    def ask(tensors: Mapping[str, Any]) -> Mapping[str, Any]:
        answer = signature(**{each.name: tensors[each.name] for each in inputs})
        return {key: answer[key] for key in sorted(answer)}

    parameters = sum(_size(each.shape) for each in getattr(signature, "variables", ()))
    return TensorflowModel(ask, inputs, given, f"signature {name} (SavedModel", loaded, parameters)


def _of_spec(name: str, spec: Any) -> Declared:
    if not hasattr(spec, "shape") or type(spec).__name__ != "TensorSpec":
        raise Unsupported(f"the input {name!r} is a {type(spec).__name__}, which no graph takes: export dense tensors")
    shape = None if spec.shape.rank is None else tuple(spec.shape.as_list())
    return Declared(name, spec.dtype.name, shape)


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:400]
