"""What `load` gives: the module of a folder, its task, its tokeniser and its free axes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..spec import BATCH, Range, Table, Unreadable, Unsupported
from ..torch.model import TorchModel
from . import causal, wrapping
from .loading import json_in, module_of
from .stored import stored_in
from .tasks import GENERATION, SENTENCES, Task, task_of
from .text import Tokeniser, check_agrees, tokeniser_of

TEXTS = (
    "A quick brown fox jumps over the lazy dog.",
    "😀 naïve café",
    "one",
    "The weather was dreadful, and nobody at all wanted to leave the warm kitchen before noon.",
    "  two   spaces ",
    "",
)
MOST_TOKENS = 24
"""Of a text in an example that mlpack makes."""
SEEN = 5
"""Tokens of the example of a module that continues text which are in its cache already."""


@dataclass(frozen=True)
class FolderModel(TorchModel):
    """A module of a folder. `own`: transformers' module inside; `tokeniser`: None: images, or ids alone.

    `inputs`: the names of the tokens' inputs. `cache`: of a module that continues text.
    """

    folder: Path = Path()
    own: Any = None
    task: Task | None = None
    tokeniser: Tokeniser | None = None
    inputs: tuple[str, ...] = ()
    cache: causal.Cache | None = None

    def stored(self) -> Mapping[bytes, tuple[str, int, int]]:
        """Where the folder's safetensors have which bytes."""
        return stored_in(self.folder)

    @property
    def config(self) -> Any:
        """Transformers' configuration."""
        return self.own.config

    @property
    def purpose(self) -> Task:
        """The task."""
        assert self.task is not None
        return self.task


def load(path: Path, given: Mapping[str, Any]) -> FolderModel:
    """The model of the folder whose `config.json` this is."""
    folder = path.parent
    config = json_in(folder, "config.json")
    task = task_of(config, given.get("task", ""), (folder / "modules.json").is_file())
    own = module_of(folder, task)
    tokeniser = None if task.image else tokeniser_of(folder, own.config, "left" if task.causal else "")
    if tokeniser is not None:
        check_agrees(folder, tokeniser)
    module, inputs, free, cache = _wrapped(own, task, folder)
    return FolderModel(
        module=module.eval(),
        given=given,
        title=type(own).__name__,
        free=free,
        folder=folder,
        own=own,
        task=task,
        tokeniser=tokeniser,
        inputs=inputs,
        cache=cache,
    )


def _wrapped(own: Any, task: Task, folder: Path) -> tuple[Any, tuple[str, ...], Any, causal.Cache | None]:
    """The module of tensors, the names of its token inputs, its free axes, its cache."""
    if task.name == GENERATION:
        cache = causal.cache_of(own)
        return causal.continuing(own), ("input_ids", "attention_mask"), causal.free_axes(cache), cache
    if task.image:
        return wrapping.pictures(own, task.outputs), (), {"pixel_values": {0: Range(BATCH)}}, None
    inputs = _token_inputs(own)
    free = {name: {0: Range(BATCH), 1: _lengths(own)} for name in inputs}
    if task.name == SENTENCES:
        return wrapping.sentences(own, folder), inputs, free, None
    return wrapping.encoder(own, task.outputs), inputs, free, None


def _token_inputs(own: Any) -> tuple[str, ...]:
    """The inputs that hold tokens: the ids, the mask, and types where the module has a table of them."""
    import inspect

    takes = inspect.signature(own.forward).parameters
    if "input_ids" not in takes:
        raise Unsupported(f"{type(own).__name__} takes no input_ids, so that no text goes in")
    types = "token_type_ids" in takes and (getattr(own.config, "type_vocab_size", 0) or 0) > 1
    return ("input_ids", "attention_mask", *(["token_type_ids"] if types else []))


def _lengths(own: Any) -> Range:
    """The lengths that the module takes: up to the end of its table of positions, which is tried."""
    import torch

    most = getattr(own.config, "max_position_embeddings", None)
    pad = getattr(own.config, "pad_token_id", None) or 0
    for length in (most, (most or 0) - pad - 1) if isinstance(most, int) and most > 0 else ():
        try:
            with torch.no_grad():
                ids = torch.full((1, length), 1 if pad != 1 else 2, dtype=torch.int64)
                own(input_ids=ids, attention_mask=torch.ones_like(ids))
        except Exception:  # beyond the table, whatever the module raises
            continue
        return Range("sequence_length", 1, length)
    return Range("sequence_length", 1)


def example(model: FolderModel) -> Table:
    """An example that is made of what the folder says: texts through its tokeniser, else ids; noise for images."""
    import numpy as np

    random = np.random.default_rng(0)
    if model.purpose.image:
        return {"pixel_values": random.standard_normal((3, *_image_shape(model))).astype(np.float32)}
    if model.tokeniser is not None:
        return of_texts(model, TEXTS)
    ids = random.integers(0, model.config.vocab_size, (4, 12))
    mask = np.ones_like(ids)
    mask[1, : 4 if model.purpose.causal else 0] = 0
    plain = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
    return _with_past(model, {name: plain[name] for name in model.inputs})


def _image_shape(model: FolderModel) -> tuple[int, int, int]:
    size = getattr(model.config, "image_size", None) or json_in(model.folder, "preprocessor_config.json").get(
        "size", 224
    )
    if isinstance(size, Mapping):
        size = (size.get("height") or size.get("shortest_edge"), size.get("width") or size.get("shortest_edge"))
    high, wide = size if isinstance(size, (list, tuple)) else (size, size)
    return int(getattr(model.config, "num_channels", 3)), int(high), int(wide)


def of_texts(model: FolderModel, texts: Any) -> Table:
    """The inputs for texts. Raises `Unreadable` where the folder has no tokeniser."""
    if model.tokeniser is None:
        raise Unreadable("the folder has no tokenizer.json, so that texts cannot go in: give ids, as npz")
    table = model.tokeniser.table([str(text) for text in texts], model.inputs, MOST_TOKENS)
    return _with_past(model, table)


def _with_past(model: FolderModel, table: Table) -> Table:
    """Tokens of a module that continues text, the first of them in its cache."""
    import numpy as np

    if not model.purpose.causal:
        return table
    ids, mask = table["input_ids"], table["attention_mask"]
    if ids.shape[1] <= SEEN + 1:
        more = SEEN + 2 - ids.shape[1]
        ids, mask = (np.pad(each, ((0, 0), (more, 0)), constant_values=fill) for each, fill in ((ids, 0), (mask, 0)))
    positions = positions_of(mask)
    first = {"input_ids": ids[:, :SEEN], "attention_mask": mask[:, :SEEN], "position_ids": positions[:, :SEEN]}
    assert model.cache is not None
    past = {name: value.numpy() for name, value in causal.empty_past(model.cache, len(ids)).items()}
    answer = model.outputs({**first, **past})
    kept = {name: answer[name.replace("past_key_values", "present")] for name in past}
    rest = {"input_ids": ids[:, SEEN:], "attention_mask": mask, "position_ids": positions[:, SEEN:]}
    return {**{name: np.ascontiguousarray(value) for name, value in rest.items()}, **kept}


def positions_of(mask: Any) -> Any:
    """The position of each token among those that the mask shows; 0 where it hides one, as generation has it."""
    import numpy as np

    return np.maximum(np.cumsum(mask, 1) - 1, 0)
