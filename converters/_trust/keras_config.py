"""The configuration of a Keras model, read before Keras reads it: the names that it would look up, and what it forbids.

Keras builds whatever class a configuration names. Standard library only: mlpack's process and the worker both read it.
"""

from __future__ import annotations

import json
import re
import stat
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from .rules import Refused

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
CODE = ("keras.layers", "Lambda")
"""The layer whose configuration is code."""
DEEPEST, LARGEST_TEXT, LARGEST, MOST_NODES = 100, 64 << 20, 1 << 40, 1_000_000
"""Of a configuration: the nesting, the bytes; bytes of the whole archive; dicts and lists."""
LARGEST_SIZE = 1 << 31
_SPACES = (
    "activations constraints dtype_policies initializers layers losses metrics models ops optimizers quantizers random "
    "regularizers"
)
"""Packages of Keras whose classes compute."""
_HUB = ("keras_hub.src.layers.modeling", "keras_hub.layers")
_ROOT = (
    "Sequential Functional Model Layer Variable DTypePolicy FloatDTypePolicy QuantizedDTypePolicy DTypePolicyMap "
    "Initializer InputSpec KerasTensor Operation SeedGenerator Function Quantizer Regularizer"
)
_FUNCTIONS = (
    "celu elu exponential gelu glu hard_shrink hard_sigmoid hard_silu hard_swish hard_tanh leaky_relu linear "
    "log_sigmoid log_softmax mish relu relu6 selu sigmoid silu soft_shrink softmax softplus softsign sparse_plus "
    "sparse_sigmoid sparsemax squareplus swish tanh tanh_shrink threshold"
)
"""Functions that Keras names without their module."""
_NO_MODELING = "deserialize serialize get"
"""Functions of every package that make an object of whatever configuration a text or an argument holds."""
_REGISTERED = re.compile(r"\w+>\w+")
"""Found only among what imported code has registered."""
_LOADS_CODE = "Lambda TFSMLayer TorchModuleWrapper JaxLayer FlaxLayer"
"""Layers that run code of the file, or load another file."""
_PLAIN = "__keras_tensor__ __tensor__ __numpy__ __bytes__ __ellipsis__ __slice__ __complex__ __tuple__"
_READS_FILES = "vocabulary idf_weights vocabulary_path proto merges filepath"
_PARTS = "units filters input_dim output_dim key_dim value_dim intermediate_dim hidden_dim"
"""Sizes of weights: a file of fewer bytes cannot hold them."""
_SIZES = "batch_shape batch_input_shape shape target_shape size height width max_tokens num_bins n"


@dataclass(frozen=True)
class Names:
    """`foreign`: modules and names of classes and functions that are not Keras's own; a module may be empty.

    `runs_code`: it holds a `Lambda`. `layers`: how many of each class.
    """

    foreign: frozenset[tuple[str, str]]
    runs_code: bool
    layers: Mapping[str, int] = field(default_factory=dict)

    @property
    def asked(self) -> frozenset[tuple[str, str]]:
        """Everything that the user has to trust."""
        return self.foreign | ({CODE} if self.runs_code else frozenset())


def config_of_archive(path: Path) -> tuple[Any, int]:
    """The configuration in a `.keras` file, and the bytes of its weights. Raises `Refused` and `ValueError`."""
    with zipfile.ZipFile(path) as archive:
        _check_members(archive)
        info = archive.getinfo(CONFIG)
        if info.file_size > LARGEST_TEXT:
            raise Refused(f"has a configuration of more than {LARGEST_TEXT >> 20} MiB")
        sizes = {member.filename: member.file_size for member in archive.infolist()}
        return parsed(archive.read(CONFIG)), sizes.get(WEIGHTS, 0)


def _check_members(archive: zipfile.ZipFile) -> None:
    """Keras extracts `assets/` as it stands, so no name may leave the archive."""
    members = archive.infolist()
    names = [member.filename for member in members]
    if len(set(names)) != len(names) or len(names) > 10_000:
        raise Refused("holds two files of one name, or too many")
    if sum(member.file_size for member in members) > LARGEST:
        raise Refused(f"expands to more than {LARGEST >> 40} TiB")
    for member in members:
        path = PurePosixPath(member.filename)
        leaves = path.is_absolute() or ".." in path.parts or "\\" in member.filename or ":" in member.filename
        if leaves or stat.S_ISLNK(member.external_attr >> 16):
            raise Refused(f"holds a path that leaves the archive: {member.filename[:80]!r}")
        packed = max(member.compress_size, 1)
        if member.file_size > 64 << 20 and member.file_size // packed > 200:
            raise Refused(f"holds {member.filename[:80]!r}, which expands {member.file_size // packed} times")


def parsed(text: bytes | str) -> Any:
    """The configuration as a value. Raises `Refused` where it is nested too deep, `ValueError` where it is no JSON."""
    try:
        return json.loads(text)
    except RecursionError as error:
        raise Refused(f"has a configuration that is nested more than {DEEPEST} deep") from error


def names_in(config: Any, weights: int = LARGEST) -> Names:
    """What a configuration names. `weights`: the bytes of the weights. Raises `Refused` for what no trust mends."""
    foreign: set[tuple[str, str]] = set()
    layers: dict[str, int] = {}
    runs_code = False
    for node in _objects(config):
        _check_sizes(node, weights)
        if "class_name" not in node:
            continue
        module, name, kind = _named(node)
        if kind == "code":
            runs_code = True
        elif kind == "foreign":
            foreign.add((module, name))
        if kind != "plain":
            layers[name] = layers.get(name, 0) + 1
        _check_files(node, name)
    return Names(frozenset(foreign), runs_code, dict(sorted(layers.items())))


def _objects(config: Any) -> Iterator[dict[str, Any]]:
    """Every object in the configuration but those that compiling alone reads."""
    stack: list[tuple[Any, int]] = [(config, 0)]
    seen = 0
    while stack:
        value, depth = stack.pop()
        seen += 1
        if depth > DEEPEST:
            raise Refused(f"has a configuration that is nested more than {DEEPEST} deep")
        if seen > MOST_NODES:
            raise Refused("has a configuration of more than a million parts")
        if isinstance(value, dict):
            yield value
            inner = [each for key, each in value.items() if depth or key not in ("compile_config", "training_config")]
            stack += [(each, depth + 1) for each in inner if isinstance(each, (dict, list))]
        elif isinstance(value, list):
            stack += [(each, depth + 1) for each in value if isinstance(each, (dict, list))]


def _named(node: Mapping[str, Any]) -> tuple[str, str, str]:
    """Module and name of an object, and its kind: `plain` data, `listed`, `foreign`, or `code`."""
    name, module = node["class_name"], node.get("module", "keras.layers")
    if name in _PLAIN.split():
        return "", name, "plain"
    if name == "__lambda__":
        return *CODE, "code"
    if name == "function":
        name = str(node.get("config"))
        if module == "builtins" and (name in _FUNCTIONS.split() or _REGISTERED.fullmatch(name)):
            return module, name, "listed"
    if not isinstance(name, str) or not isinstance(module, (str, type(None))):
        raise Refused("names a class by something that is no text")
    if name == "Lambda" and (module or "keras").partition(".")[0] == "keras":
        return *CODE, "code"
    if name in _LOADS_CODE.split():
        raise Refused(f"holds a layer {name}, which runs a program of its own: build the model without it")
    own = name.rpartition(">")[2]
    return (module or "", own, "listed" if _is_listed(module, name) else "foreign")


def _is_listed(module: str | None, name: str) -> bool:
    """Whether it is one of Keras's own classes that compute."""
    if not module or ">" in name or not name.isidentifier() or name.startswith("_") or name in _NO_MODELING.split():
        return False
    parts = module.split(".")
    if parts[0] == "keras":
        inner = parts[2:] if parts[1:2] == ["src"] else parts[1:]
        if not inner or inner[0] == "models":  # which has functions that load other files
            return name in _ROOT.split()
        return inner[0] in _SPACES.split() and (inner[0] != "layers" or name[0].isupper())
    return any(module == room or module.startswith(f"{room}.") for room in _HUB)


def _check_files(node: Mapping[str, Any], name: str) -> None:
    """Keras opens a file that a layer names in place of its words."""
    config = node.get("config")
    for key in _READS_FILES.split():
        value = config.get(key) if isinstance(config, dict) else None
        if isinstance(value, str):
            raise Refused(f"makes the layer {name} read a file ({key}={value[:80]!r}): give it the words")


def _check_sizes(node: Mapping[str, Any], weights: int) -> None:
    for key in node.keys() & {*_PARTS.split()}:
        if isinstance(node[key], int) and node[key] > max(weights, 1 << 16):
            raise Refused(f"says {key}={node[key]:,}, and its weights have {weights:,} bytes")
    for key in node.keys() & {*_SIZES.split()}:
        values = node[key] if isinstance(node[key], list) else [node[key]]
        if any(isinstance(each, (int, float)) and abs(each) >= LARGEST_SIZE for each in values):
            raise Refused(f"says {key}={node[key]!r}, which no tensor has")
