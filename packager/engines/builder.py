"""Makes an engine of TensorRT from an ONNX file: a program for the interpreter that has TensorRT.

Started by `process.py` with the path of a job, `{"module", "network", "engine", "profiles", …}`, whose answer it writes
beside it. Standard library only, Python 3.9 and later. No GPU is needed for an engine of TensorRT for RTX.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

MOST_SAID = 20
"""Lines of TensorRT's own log that the answer has."""
NO_DRIVER = "there is no driver of NVIDIA's here"


def main(job_path: str) -> None:
    """Writes the answer to the job: facts of the engine, or `error`."""
    place = Path(job_path)
    job = json.loads(place.read_text(encoding="utf-8"))
    answer: dict[str, Any]
    try:
        trt = importlib.import_module(job["module"])
    except ImportError as error:
        answer = {"absent": str(error)}
    else:
        answer = {"version": str(trt.__version__)}
        if "network" in job:
            answer.update(_made(trt, job))
    place.with_suffix(".answer").write_text(json.dumps(answer), encoding="utf-8")


def _made(trt: Any, job: dict[str, Any]) -> dict[str, Any]:
    card, why = _capability()
    if not job["portable"] and not card:
        return {"no_card": why}
    said: list[str] = []
    logger = _logger(trt, said)
    builder = trt.Builder(logger)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, logger)
    if not parser.parse_from_file(job["network"]):
        errors = [_fault(parser.get_error(i)) for i in range(parser.num_errors)]
        return {"error": "; ".join(errors[:3]) or "the graph cannot be parsed", "log": said[-MOST_SAID:]}
    try:
        config = _configured(trt, builder, network, job)
    except (AttributeError, ValueError) as error:
        return {"error": str(error), "log": said[-MOST_SAID:]}
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        return {"error": said[-1] if said else "no engine was made", "log": said[-MOST_SAID:]}
    content = bytes(plan)
    Path(job["engine"]).write_bytes(content)
    if job["timed"]:
        Path(job["timing_cache"]).write_bytes(bytes(config.get_timing_cache().serialize()))
    described = {"network": _described(network), "capability": card}
    return {**described, "engine": _inspected(trt, logger, content)}


def _fault(error: Any) -> str:
    what = _word(error.code()).replace("_", " ")
    said = error.desc() if error.desc() not in ("", "false") else ""
    return f"{what}: {error.node_operator()} {error.node_name()!r}{' (' + said + ')' if said else ''}"


def _logger(trt: Any, said: list[str]) -> Any:
    """TensorRT's log; its errors are kept."""

    class Log(trt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)

        def log(self, severity: Any, message: str) -> None:
            if severity in (trt.ILogger.INTERNAL_ERROR, trt.ILogger.ERROR):
                said.append(message)

    return Log()


def _configured(trt: Any, builder: Any, network: Any, job: dict[str, Any]) -> Any:
    config = builder.create_builder_config()
    for flag in trt.BuilderFlag.__members__.values():  # TF32 is among those that are set from the start
        config.clear_flag(flag)
    for name in job["flags"]:
        config.set_flag(_named(trt.BuilderFlag, name, "builder flag"))
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, job["workspace"])
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    profile = builder.create_optimization_profile()
    for tensor in (network.get_input(i) for i in range(network.num_inputs)):
        if -1 in tuple(tensor.shape):
            if tensor.name not in job["profiles"]:
                raise ValueError(f"there is no profile for the input {tensor.name!r}")
            sizes = job["profiles"][tensor.name]
            profile.set_shape(tensor.name, *(tuple(sizes[key]) for key in ("min", "opt", "max")))
    if config.add_optimization_profile(profile) < 0:
        raise ValueError(f"TensorRT does not take the profiles {job['profiles']}")
    if job["portable"]:
        config.num_compute_capabilities = len(job["capabilities"])
        for i, name in enumerate(job["capabilities"]):
            if not config.set_compute_capability(_named(trt.ComputeCapability, name.upper(), "capability"), i):
                raise ValueError(f"TensorRT {trt.__version__} makes no engine for {name}")
    if job["timed"]:
        known = Path(job["timing_cache"])
        cache = config.create_timing_cache(known.read_bytes() if known.exists() else b"")
        config.set_timing_cache(cache, False)
    return config


def _named(kinds: Any, name: str, what: str) -> Any:
    if name not in kinds.__members__:
        known = ", ".join(sorted(kinds.__members__))
        raise ValueError(f"this TensorRT knows no {what} {name}; it knows: {known}")
    return kinds.__members__[name]


def _described(network: Any) -> dict[str, Any]:
    """The strongly typed network that the engine is made of: its types are those that the engine computes in."""
    layers = [network.get_layer(i) for i in range(network.num_layers)]
    kinds = Counter(_word(layer.type) for layer in layers)
    types = Counter(_word(layer.get_output(0).dtype) for layer in layers if layer.num_outputs)
    return {
        "layers": len(layers),
        "kinds": dict(sorted(kinds.items())),
        "types": dict(sorted(types.items())),
        "inputs": [_tensor(network.get_input(i)) for i in range(network.num_inputs)],
        "outputs": [_tensor(network.get_output(i)) for i in range(network.num_outputs)],
    }


def _tensor(tensor: Any) -> dict[str, Any]:
    return {"name": tensor.name, "type": _word(tensor.dtype), "shape": list(tensor.shape)}


def _word(member: Any) -> str:
    return str(member).rpartition(".")[2].lower()


def _inspected(trt: Any, logger: Any, content: bytes) -> dict[str, Any]:
    """What TensorRT's inspector says of the engine: layers as they were fused, with their types."""
    found, why = _capability()
    if not found:
        return {"not_opened": f"TensorRT opens an engine only on a card: {why}"}
    engine = trt.Runtime(logger).deserialize_cuda_engine(content)
    if engine is None:
        return {"not_opened": f"TensorRT does not open it on this card ({found})"}
    text = engine.create_engine_inspector().get_engine_information(trt.LayerInformationFormat.JSON)
    return {"capability": found, "information": json.loads(text)}


def _capability() -> tuple[str, str]:
    """The compute capability of the first card, or why there is none."""
    import ctypes

    try:
        cuda = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return "", NO_DRIVER
    device, major, minor = ctypes.c_int(), ctypes.c_int(), ctypes.c_int()
    if cuda.cuInit(0) or cuda.cuDeviceGet(ctypes.byref(device), 0):
        return "", "NVIDIA's driver finds no card here"
    cuda.cuDeviceGetAttribute(ctypes.byref(major), 75, device)
    cuda.cuDeviceGetAttribute(ctypes.byref(minor), 76, device)
    return f"sm{major.value}{minor.value}", ""


if __name__ == "__main__":
    main(sys.argv[1])
