"""From a folder that was scanned to a module in eval mode: offline, never with code of the folder."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..spec import Unreadable, Unsupported
from .tasks import Task, class_of

LEAST = (4, 56)
MOST_LAYERS = 10_000
MOST_SIZE = 1 << 28
"""Of a number in a configuration that becomes a dimension of a tensor or a count of parts."""


def json_in(folder: Path, name: str) -> dict[str, Any]:
    """The object in a file of the folder; empty where there is no such file."""
    path = folder / name
    found = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    return found if isinstance(found, dict) else {}


def check_sizes(config: Mapping[str, Any], where: str = "config.json") -> None:
    """Raises `Unreadable` for counts and sizes that no file beside this configuration could hold."""
    for key, value in config.items():
        if isinstance(value, Mapping):
            check_sizes(value, f"{where}: {key}")
        elif isinstance(value, int) and not isinstance(value, bool):
            layers = "layer" in key and not key.endswith("_id")
            if abs(value) > (MOST_LAYERS if layers else MOST_SIZE) and not _is_length(key):
                raise Unreadable(f"{where} says {key} = {value}, which no model has: check the file")


def _is_length(key: str) -> bool:
    """Whether a number bounds texts alone, and makes no tensor: files have 10^30 there for no bound."""
    return "max_length" in key or key.endswith(("_id", "_ids", "seed"))


@contextmanager
def offline() -> Iterator[None]:
    """Hugging Face's libraries look nothing up and say nothing."""
    import transformers

    before = transformers.logging.get_verbosity()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers.logging.set_verbosity(before)


def require_new() -> None:
    """Nothing; raises `Unreadable` for a transformers that is too old."""
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HUB_DISABLE_TELEMETRY"):
        os.environ[name] = "1"
    os.environ["USE_TF"] = os.environ["USE_FLAX"] = "0"
    import transformers

    if tuple(map(int, transformers.__version__.split(".")[:2])) < LEAST:
        raise Unreadable(
            f"transformers {transformers.__version__} is older than {'.'.join(map(str, LEAST))}: give an interpreter "
            "with a later one (--python PATH)"
        )


def module_of(folder: Path, task: Task) -> Any:
    """The module with the folder's weights, in eval mode. Raises `Unreadable` and `Unsupported`."""
    require_new()
    check_sizes(json_in(folder, "config.json"))
    with offline():
        config = _config(folder)
        auto = class_of(task, config)
        module, found = _loaded(auto, folder, config)
    lacking = sorted(found["missing_keys"])
    if lacking:
        raise Unreadable(
            f"the weights lack {', '.join(lacking[:3])}{' and more' if len(lacking) > 3 else ''}, which "
            f"{type(module).__name__} needs for {task.name}: give the folder of a model that was trained for it, or "
            "another task (-O transformers.task=)"
        )
    return module.eval()


def _config(folder: Path) -> Any:
    import transformers

    try:
        return transformers.AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except KeyError as error:
        raise _unknown(folder, str(error)) from error
    except ValueError as error:
        if "model type" in str(error):
            raise _unknown(folder, json_in(folder, "config.json").get("model_type", "")) from error
        raise Unreadable(f"config.json cannot be read by transformers: {str(error).splitlines()[0]}") from error


def _unknown(folder: Path, kind: str) -> Unsupported:
    import transformers
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    known = ", ".join(sorted(CONFIG_MAPPING.keys()))
    return Unsupported(
        f"transformers {transformers.__version__} has no architecture {kind!r}: give an interpreter with a version "
        f"that has it (--python PATH), or the module with its code (docs/pytorch.md). It has: {known}"
    )


def _loaded(auto: Any, folder: Path, config: Any) -> tuple[Any, dict[str, Any]]:
    import torch

    stored = str(getattr(config, "dtype", None) or "")
    dtype = torch.float64 if "float64" in stored else torch.float32
    try:
        module, found = auto.from_pretrained(
            folder,
            config=config,
            dtype=dtype,
            local_files_only=True,
            trust_remote_code=False,
            weights_only=True,
            output_loading_info=True,
        )
    except (OSError, ValueError, RuntimeError, TypeError, KeyError, AttributeError) as error:
        first = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise Unreadable(f"transformers cannot load the folder: {first[:300]}") from error
    return module, found
