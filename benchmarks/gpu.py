"""One script for a machine with a GPU: does ONNX Runtime's provider compute the same as torch, and how fast is it?

`python gpu.py [--provider cuda] [--tiny] [--seconds 420] [--model KEY ...] [--out FILE]`. It needs torch and an ONNX
Runtime with the provider, and nothing of mlpack: copy this file alone to the machine. Without the packages onnx and
onnxscript the older exporter of torch writes the graphs, and the result says so.

In this order: a smoke test of one Gemm and one Conv, which ends the run where it fails; equivalence with torch in
float64 (float32 without TF32, float32 with it, float16); latency beside torch as it comes and `torch.compile`, with
tensors that stay on the device and with copies. Networks have random weights: errors show the method, not a trained
model. What is not measured (no time, no GPU, no compiler) is absent, with the reason under `skipped`.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import types
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter
from typing import Any

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
TITLES = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
OPTIONS: Mapping[str, Mapping[str, str]] = {"cpu": {}, "cuda": {"cudnn_conv_algo_search": "HEURISTIC"}}
"""The same algorithm at each run; `use_tf32` is set by each measurement."""
WARM, RUNS, LEAST = 10, 200, 3
SHARE = 4.0
"""Seconds that one line of latency may take."""
COMPILING = 60.0
"""Seconds that must be left for `torch.compile`."""
BATCHES = (1, 32)
LARGEST_ERROR = 1e-3
"""Of the smoke test, as a share of the largest number."""
NO_TOOL, WRONG = 9, 1


@dataclass(frozen=True)
class Sizes:
    """The sizes of the three networks; the defaults are ResNet-50, BERT-base and GPT-2 small."""

    blocks: tuple[int, ...] = (3, 4, 6, 3)
    width: int = 64
    image: int = 224
    layers: int = 12
    hidden: int = 768
    heads: int = 12
    words: int = 30522
    tokens: int = 128
    positions: int = 1024
    pieces: int = 50257


TINY = Sizes((1, 1), 8, 32, 2, 32, 4, 100, 8, 64, 100)


@dataclass
class Run:
    """What is asked for, how much time is left, and what was found."""

    provider: str
    sizes: Sizes
    batches: Sequence[int]
    compiles: bool
    end: float
    folder: Path
    found: dict[str, Any] = field(
        default_factory=lambda: {"equivalence": [], "latency": [], "skipped": [], "failed": []}
    )

    @property
    def device(self) -> str:
        """torch's name of the device."""
        return "cuda" if self.provider == "cuda" else "cpu"

    def left(self) -> float:
        """The seconds that are left."""
        return self.end - perf_counter()

    def skip(self, what: str, why: str) -> None:
        """Notes what was not measured."""
        self.found["skipped"].append({"what": what, "why": why})


def resnet(sizes: Sizes) -> Any:
    """The network with bottlenecks, as He et al. 2015, stride in the middle convolution."""
    import torch
    from torch import nn

    class Block(nn.Module):  # type: ignore[misc, unused-ignore]
        def __init__(self, given: int, width: int, stride: int) -> None:
            super().__init__()
            steps: list[Any] = []
            for a, b, size, step in ((given, width, 1, 1), (width, width, 3, stride), (width, width * 4, 1, 1)):
                steps += [nn.Conv2d(a, b, size, step, size // 2, bias=False), nn.BatchNorm2d(b), nn.ReLU()]
            self.steps = nn.Sequential(*steps[:-1])
            same = stride == 1 and given == width * 4
            short = [nn.Conv2d(given, width * 4, 1, stride, bias=False), nn.BatchNorm2d(width * 4)]
            self.short = nn.Identity() if same else nn.Sequential(*short)

        def forward(self, x: Any) -> Any:
            return torch.relu(self.steps(x) + self.short(x))

    first = [nn.Conv2d(3, sizes.width, 7, 2, 3, bias=False), nn.BatchNorm2d(sizes.width), nn.ReLU()]
    parts: list[Any] = [*first, nn.MaxPool2d(3, 2, 1)]
    given = sizes.width
    for stage, count in enumerate(sizes.blocks):
        for i in range(count):
            parts.append(Block(given, sizes.width << stage, 2 if stage and not i else 1))
            given = (sizes.width << stage) * 4
    module = nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(given, 1000))
    with torch.no_grad():  # the statistics of noise: without them numbers grow from layer to layer
        for _ in range(2):
            module(torch.randn(4, 3, sizes.image, sizes.image))
    return module


def _attention(hidden: int, heads: int) -> Any:
    from torch import nn

    class Attention(nn.Module):  # type: ignore[misc, unused-ignore]
        def __init__(self) -> None:
            super().__init__()
            self.inside, self.out = nn.Linear(hidden, hidden * 3), nn.Linear(hidden, hidden)

        def forward(self, x: Any, past: Any = None) -> Any:
            import torch

            n, t = x.shape[0], x.shape[1]
            q, k, v = self.inside(x).reshape(n, t, 3, heads, hidden // heads).permute(2, 0, 3, 1, 4).unbind(0)
            if past is not None:
                k, v = torch.cat([past[0], k], 2), torch.cat([past[1], v], 2)
            weights = torch.softmax(q @ k.transpose(-1, -2) / (hidden // heads) ** 0.5, -1)
            return self.out((weights @ v).transpose(1, 2).reshape(n, t, hidden)), torch.stack([k, v])

    return Attention()


def bert(sizes: Sizes) -> Any:
    """An encoder with a head over the words, as Devlin et al. 2018, one kind of segment."""
    from torch import nn

    class Layer(nn.Module):  # type: ignore[misc, unused-ignore]
        def __init__(self) -> None:
            super().__init__()
            h = sizes.hidden
            self.attention, self.first, self.second = _attention(h, sizes.heads), nn.LayerNorm(h), nn.LayerNorm(h)
            self.wide = nn.Sequential(nn.Linear(h, 4 * h), nn.GELU(), nn.Linear(4 * h, h))

        def forward(self, x: Any) -> Any:
            x = self.first(x + self.attention(x)[0])
            return self.second(x + self.wide(x))

    class Bert(nn.Module):  # type: ignore[misc, unused-ignore]
        def __init__(self) -> None:
            super().__init__()
            h = sizes.hidden
            self.words, self.places = nn.Embedding(sizes.words, h), nn.Embedding(sizes.tokens, h)
            self.norm, self.layers = nn.LayerNorm(h), nn.Sequential(*(Layer() for _ in range(sizes.layers)))
            self.head = nn.Sequential(nn.Linear(h, h), nn.GELU(), nn.LayerNorm(h), nn.Linear(h, sizes.words))

        def forward(self, tokens: Any) -> Any:
            return self.head(self.layers(self.norm(self.words(tokens) + self.places.weight[None])))

    return Bert()


def gpt2(sizes: Sizes) -> Any:
    """A decoder with a cache, as Radford et al. 2019: one token in, its scores and the longer cache out."""
    import torch
    from torch import nn

    class Layer(nn.Module):  # type: ignore[misc, unused-ignore]
        def __init__(self) -> None:
            super().__init__()
            h = sizes.hidden
            self.first, self.second, self.attention = nn.LayerNorm(h), nn.LayerNorm(h), _attention(h, sizes.heads)
            self.wide = nn.Sequential(nn.Linear(h, 4 * h), nn.GELU(approximate="tanh"), nn.Linear(4 * h, h))

        def forward(self, x: Any, past: Any) -> Any:
            found, present = self.attention(self.first(x), past)
            x = x + found
            return x + self.wide(self.second(x)), present

    class Gpt(nn.Module):  # type: ignore[misc, unused-ignore]
        def __init__(self) -> None:
            super().__init__()
            h = sizes.hidden
            self.pieces, self.places = nn.Embedding(sizes.pieces, h), nn.Embedding(sizes.positions, h)
            self.layers, self.norm = nn.ModuleList(Layer() for _ in range(sizes.layers)), nn.LayerNorm(h)

        def forward(self, token: Any, past: Any) -> Any:
            x = self.pieces(token) + self.places.weight[sizes.tokens]
            presents = []
            for i, layer in enumerate(self.layers):
                x, present = layer(x, past[i])
                presents.append(present)
            return self.norm(x) @ self.pieces.weight.T, torch.stack(presents)

    return Gpt()


@dataclass(frozen=True)
class Network:
    """`make`: the module; `inputs`: a batch of so many rows; `axes`: by input, its batch axis; `outputs`: likewise."""

    name: str
    make: Callable[[Sizes], Any]
    inputs: Callable[[Sizes, int], tuple[Any, ...]]
    axes: Mapping[str, int]
    outputs: Mapping[str, int]


def _images(sizes: Sizes, rows: int) -> tuple[Any, ...]:
    import torch

    return (torch.randn(rows, 3, sizes.image, sizes.image),)


def _tokens(sizes: Sizes, rows: int) -> tuple[Any, ...]:
    import torch

    return (torch.randint(0, sizes.words, (rows, sizes.tokens)),)


def _cached(sizes: Sizes, rows: int) -> tuple[Any, ...]:
    import torch

    past = torch.randn(sizes.layers, 2, rows, sizes.heads, sizes.tokens, sizes.hidden // sizes.heads)
    return torch.randint(0, sizes.pieces, (rows, 1)), past


NETWORKS = {
    "resnet50": Network("ResNet-50", resnet, _images, {"image": 0}, {"scores": 0}),
    "bert": Network("BERT-base, 128 tokens", bert, _tokens, {"tokens": 0}, {"scores": 0}),
    "gpt2": Network("GPT-2 small, 1 token, cache of 128", gpt2, _cached, {"token": 0, "past": 2},
                    {"scores": 0, "present": 2}),
}  # fmt: skip


@cache
def exporter() -> str:
    """Which of torch's exporters writes the graphs here: the newer one needs onnx and onnxscript."""
    return "dynamo" if find_spec("onnx") and find_spec("onnxscript") else "torchscript"


def export(
    module: Any, inputs: tuple[Any, ...], axes: Mapping[str, int], outputs: Mapping[str, int], out: Path
) -> None:
    """Writes the graph, with a free batch."""
    import torch

    names = {"input_names": list(axes), "output_names": list(outputs), "verbose": False}
    if exporter() == "dynamo":
        batch = torch.export.Dim("batch", min=1, max=4096)
        free = tuple({axis: batch} for axis in axes.values())
        torch.onnx.export(module, inputs, str(out), dynamo=True, dynamic_shapes=free, **names)
        return
    dims = {name: {axis: "batch"} for name, axis in {**axes, **outputs}.items()}
    with _stand_in_for_onnx():
        torch.onnx.export(module, inputs, str(out), dynamo=False, dynamic_axes=dims, opset_version=17, **names)


@contextmanager
def _stand_in_for_onnx() -> Iterator[None]:
    """The older exporter imports onnx to look for functions of onnxscript in what it wrote; here are none."""
    if "onnx" in sys.modules or find_spec("onnx"):
        yield
        return
    stand_in: Any = types.ModuleType("onnx")
    stand_in.load_model_from_string = lambda content: types.SimpleNamespace(graph=types.SimpleNamespace(node=[]))
    sys.modules["onnx"] = stand_in
    try:
        yield
    finally:
        del sys.modules["onnx"]


class Graph:
    """A graph on a provider; `nodes`: how many ran where, in the profile of one run."""

    def __init__(self, path: Path, run: Run, tf32: bool = False) -> None:
        import onnxruntime as ort  # type: ignore[import-untyped, unused-ignore]

        own = {**OPTIONS[run.provider], **({"use_tf32": str(int(tf32))} if run.provider == "cuda" else {})}
        options = ort.SessionOptions()
        options.log_severity_level, options.intra_op_num_threads = 3, 1 if run.provider == "cpu" else 0
        options.enable_profiling, options.profile_file_prefix = True, str(run.folder / "profile")
        title = TITLES[run.provider]
        self.session = ort.InferenceSession(str(path), options, providers=[(title, own)])
        if self.session.get_providers()[0] != title:
            raise SystemExit(f"{title} could not start, and ONNX Runtime would answer on the CPU")
        self.names = [each.name for each in self.session.get_inputs()]
        self.device, self.options, self.nodes = run.device, own, dict[str, int]()

    def run(self, arrays: Sequence[Any]) -> list[Any]:
        """The outputs, from arrays of numpy and to them."""
        found: list[Any] = self.session.run(None, dict(zip(self.names, arrays)))
        if not self.nodes:
            self.nodes = _nodes(Path(self.session.end_profiling()))
        return found

    def bound(self, arrays: Sequence[Any]) -> Callable[[], None]:
        """A call whose tensors stay on the device."""
        import onnxruntime as ort

        binding = self.session.io_binding()
        for name, values in zip(self.names, arrays):
            binding.bind_ortvalue_input(name, ort.OrtValue.ortvalue_from_numpy(values, self.device, 0))
        for each in self.session.get_outputs():
            binding.bind_output(each.name, self.device, 0)

        def call() -> None:
            self.session.run_with_iobinding(binding)
            binding.synchronize_outputs()

        return call


def _nodes(profile: Path) -> dict[str, int]:
    counts: dict[str, int] = {}
    for event in json.loads(profile.read_text()):
        if event.get("cat") == "Node" and str(event.get("name", "")).endswith("_kernel_time"):
            name = str(event["args"].get("provider"))
            counts[name] = counts.get(name, 0) + 1
    return dict(sorted(counts.items()))


def smoke(run: Run) -> bool:
    """Whether one Gemm and one Conv run on the provider and give torch's numbers."""
    import torch
    from torch import nn

    class Both(nn.Module):  # type: ignore[misc, unused-ignore]
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.gemm = nn.Conv2d(3, 8, 3), nn.Linear(8 * 6 * 6, 16)

        def forward(self, x: Any) -> Any:
            return self.gemm(torch.flatten(self.conv(x), 1))

    module, x = Both().eval(), torch.randn(2, 3, 8, 8)
    path = run.folder / "smoke.onnx"
    export(module, (x,), {"x": 0}, {"y": 0}, path)
    graph = Graph(path, run)
    (got,) = graph.run([x.numpy()])
    with torch.no_grad():
        want = module.double()(x.double()).numpy()
    error = float(abs(got - want).max() / abs(want).max())
    passed = error < LARGEST_ERROR and set(graph.nodes) == {TITLES[run.provider]}
    run.found["smoke"] = {"passed": passed, "error / scale": error, "nodes": graph.nodes}
    return passed


@dataclass(frozen=True)
class Ready:
    """A network that is exported and compared: its module, and its graph in each form."""

    network: Network
    module: Any
    graphs: Mapping[str, Graph]


def compared(key: str, run: Run) -> Ready:
    """Builds a network, exports it in each form, and notes how far each is from torch in float64."""
    import torch

    network = NETWORKS[key]
    torch.manual_seed(0)
    module = network.make(run.sizes).eval()
    example = network.inputs(run.sizes, 2)
    with torch.no_grad():
        want = module.double()(*_as(example, torch.float64))
    want = (want if isinstance(want, tuple) else (want,))[0].numpy()
    graphs: dict[str, Graph] = {}
    for form, dtype in (("float32", torch.float32), ("float16", torch.float16)):
        path = run.folder / f"{key}-{form}.onnx"
        export(module.to(dtype), _as(example, dtype), network.axes, network.outputs, path)
        for name, tf32 in ((form, False), *((("TF32", True),) if run.provider == "cuda" and form == "float32" else ())):
            graphs[name] = Graph(path, run, tf32)
            (got, *_) = graphs[name].run([each.numpy() for each in _as(example, dtype)])
            run.found["equivalence"].append(_compared(network, name, graphs[name], want, got))
        for written in run.folder.glob(f"{path.name}*"):
            written.unlink()
    if run.provider != "cuda":
        run.skip(f"{network.name}, TF32", "the CPU provider has no TF32")
    return Ready(network, module.float(), graphs)


def _as(inputs: tuple[Any, ...], dtype: Any) -> tuple[Any, ...]:
    """The inputs with their fractions in another type."""
    return tuple(each.to(dtype) if each.is_floating_point() else each for each in inputs)


def _compared(network: Network, form: str, graph: Graph, want: Any, got: Any) -> dict[str, Any]:
    error = abs(got.astype("float64") - want)
    same = want.argmax(-1) == got.argmax(-1)
    return {
        "model": network.name,
        "form": form,
        "max abs error": float(error.max()),
        "error / scale": float(error.max() / abs(want).max()),
        "same largest": float(same.mean()),
        "nodes": graph.nodes,
        "options": graph.options,
    }


Calls = Mapping[str, Callable[[], None]]
"""By side, one call of it."""


def latency(ready: Ready, rows: int, run: Run) -> None:
    """Notes the times of the graph in each form, and of torch as it comes, at one batch size."""
    import torch

    given = ready.network.inputs(run.sizes, rows)
    calls: dict[str, Callable[[], None]] = {}
    for name, graph in ready.graphs.items():
        dtype = torch.float16 if name == "float16" else torch.float32
        arrays = [each.numpy() for each in _as(given, dtype)]
        calls[f"graph, {name}"] = graph.bound(arrays)
        if run.provider == "cuda":
            calls[f"graph, {name}, with copies"] = _again(graph.run, arrays)
    calls["torch, float32"] = _torch_call(ready.module, given, torch.float32, run)
    if run.provider == "cuda":
        calls["torch, float16"] = _torch_call(copy.deepcopy(ready.module), given, torch.float16, run)
    _lines(ready.network, rows, calls, run)


def compiled(ready: Ready, rows: int, run: Run) -> None:
    """Notes the times of torch.compile in float32, and how many times as fast as torch in turns with it it is."""
    import torch

    what = f"{ready.network.name}, torch.compile, batch {rows}"
    if not run.compiles or run.left() < COMPILING:
        run.skip(what, "no time left" if run.compiles else "--no-compile")
        return
    given = ready.network.inputs(run.sizes, rows)
    plain = _torch_call(ready.module, given, torch.float32, run)
    torch._dynamo.reset()
    start = perf_counter()
    try:
        call = _torch_call(torch.compile(ready.module), given, torch.float32, run)
        call()
    except Exception as error:  # no compiler, or a network that it cannot compile
        run.skip(what, f"{type(error).__name__}: {str(error)[:160]}")
        return
    seconds = perf_counter() - start
    beside = "torch, float32, beside torch.compile"
    _lines(ready.network, rows, {beside: plain, "torch.compile, float32": call}, run, seconds)


def _again(call: Callable[[Any], Any], given: Any) -> Callable[[], None]:
    def again() -> None:
        call(given)

    return again


def _torch_call(module: Any, given: tuple[Any, ...], dtype: Any, run: Run) -> Callable[[], None]:
    """A call of the module on the device; it returns when the answer is complete."""
    import torch

    module, inputs = module.to(run.device, dtype), tuple(each.to(run.device) for each in _as(given, dtype))

    def call() -> None:
        with torch.no_grad():
            module(*inputs)
        if run.device == "cuda":
            torch.cuda.synchronize()

    return call


def _lines(network: Network, rows: int, calls: Calls, run: Run, compiling: float | None = None) -> None:
    """A line of latency for each side. They take turns at every run, so that another program's load falls on all of
    them alike; a warm-up, then as many rounds as fit into `SHARE` seconds for each, at most `RUNS`."""
    if run.left() <= 0:
        run.skip(f"{network.name}, {', '.join(calls)}, batch {rows}", "no time left")
        return
    times: dict[str, list[float]] = {side: [] for side in calls}
    most = SHARE * len(calls)
    _rounds(calls, {side: [] for side in calls}, WARM, 1, most / 4, run)
    _rounds(calls, times, RUNS, LEAST, most, run)
    for side, found in times.items():
        line: dict[str, Any] = {"model": network.name, "side": side, "batch": rows, **_quantiles(found)}
        line |= {"rows/s": rows * 1e3 / (sum(found) / len(found)), "runs": len(found)}
        run.found["latency"].append({**line, **({} if compiling is None else {"compiling s": compiling})})


def _rounds(calls: Calls, times: Mapping[str, list[float]], most: int, least: int, seconds: float, run: Run) -> None:
    begun = perf_counter()
    for i in range(most):
        if i >= least and (perf_counter() - begun > seconds or run.left() < 0):
            return
        for side, call in calls.items():
            start = perf_counter()
            call()
            times[side].append((perf_counter() - start) * 1e3)


def _quantiles(times: Sequence[float]) -> dict[str, float]:
    ordered = sorted(times)
    places = {"p50 ms": 0.5, "p90 ms": 0.9, "p99 ms": 0.99}
    return {name: ordered[min(len(ordered) - 1, int(share * len(ordered)))] for name, share in places.items()}


def machine() -> dict[str, Any]:
    """The machine, its GPU with clocks and power at this moment, and the versions."""
    import onnxruntime as ort
    import torch

    cpu = Path("/proc/cpuinfo")
    lines = cpu.read_text(errors="replace").splitlines() if cpu.is_file() else []
    cuda = torch.cuda.is_available()
    return {
        "cpu": next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), ""),
        "cores_usable": len(os.sched_getaffinity(0)),
        "kernel": f"{platform.system()} {platform.release()}",
        "load": os.getloadavg(),
        "gpu": torch.cuda.get_device_name(0) if cuda else None,
        "capability": list(torch.cuda.get_device_capability(0)) if cuda else None,
        "nvidia-smi": _smi(),
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "onnxruntime": ort.__version__,
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version() if cuda else None,
        },
    }


def _smi() -> str | None:
    """Clocks, power and temperature as the driver says; None where there is no driver."""
    if shutil.which("nvidia-smi") is None:
        return None
    fields = "name,driver_version,pstate,clocks.sm,clocks.mem,clocks.max.sm,power.draw,power.limit,temperature.gpu"
    command = ["nvidia-smi", f"--query-gpu={fields}", "--format=csv,noheader"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    return done.stdout.strip() or None


def table(found: Mapping[str, Any]) -> str:
    """The lines of latency and of equivalence in Markdown."""
    parts = []
    for name, columns in (
        ("equivalence", ("model", "form", "max abs error", "error / scale", "same largest")),
        ("latency", ("model", "side", "batch", "p50 ms", "p90 ms", "p99 ms", "rows/s", "runs")),
    ):
        rows = [[_cell(row[column]) for column in columns] for row in found[name]]
        parts.append("".join(f"| {' | '.join(line)} |\n" for line in (columns, ["---"] * len(columns), *rows)))
    return "\n".join(parts)


def _cell(value: Any) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def _like_for_like(provider: str) -> None:
    """torch as the graphs are: float32 without TF32, which cuDNN has on by default; on a CPU one thread each."""
    import torch

    torch.manual_seed(0)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    if provider == "cpu":
        torch.set_num_threads(1)


def _all(run: Run, keys: Iterable[str]) -> None:
    """Equivalence of all networks first, then latency, then what has to be compiled for a minute."""
    ready = []
    for key in keys:
        if run.left() <= 0:
            run.skip(NETWORKS[key].name, "no time left")
            continue
        try:
            ready.append(compared(key, run))
        except Exception as error:  # the others are worth their time all the same
            run.found["failed"].append({"what": NETWORKS[key].name, "why": f"{type(error).__name__}: {error}"[:500]})
    for rows in run.batches:
        for each in ready:
            latency(each, rows, run)
    for rows in run.batches:
        for each in ready:
            compiled(each, rows, run)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures and prints; the last line is one JSON object. The exit code: 1 after a failed smoke test or
    network, 9 where the provider is absent."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--provider", choices=TITLES, default="cuda")
    parser.add_argument("--tiny", action="store_true", help="small networks, for a test of this file")
    parser.add_argument("--seconds", type=float, default=420.0, help="for all; what does not fit is left out and named")
    parser.add_argument("--model", action="append", choices=NETWORKS)
    parser.add_argument("--batches", type=int, nargs="+", default=BATCHES)
    parser.add_argument("--no-compile", action="store_true")
    parser.add_argument("--out", type=Path, help="also write the JSON object there")
    given = parser.parse_args(arguments)
    begun = perf_counter()
    import onnxruntime as ort

    if TITLES[given.provider] not in ort.get_available_providers():
        print(f"this ONNX Runtime has no {TITLES[given.provider]}: pip install onnxruntime-gpu", file=sys.stderr)
        return NO_TOOL
    import torch  # brings NVIDIA's libraries, before a session looks for them

    _like_for_like(given.provider)
    with tempfile.TemporaryDirectory() as name:
        sizes = TINY if given.tiny else Sizes()
        run = Run(given.provider, sizes, given.batches, not given.no_compile, begun + given.seconds, Path(name))
        found = run.found
        found |= {"benchmark": "gpu", "provider": given.provider, "tiny": given.tiny, "exporter": exporter()}
        found |= {"torch threads": torch.get_num_threads(), "before": machine()}
        passed = smoke(run)
        if passed:
            _all(run, given.model or NETWORKS)
        found |= {"after": machine(), "seconds": perf_counter() - begun}
    print(table(found))
    print(line := json.dumps(found))
    if given.out:
        given.out.write_text(line + "\n")
    return 0 if passed and not found["failed"] else WRONG


if __name__ == "__main__":
    sys.exit(main())
