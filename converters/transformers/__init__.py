"""Folders of Hugging Face's transformers: a module for text or images, its weights, its tokeniser.

The original is transformers' module, offline, in eval mode; the graph comes by the way of PyTorch modules (`..torch`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import torch
from ..needs import Requirement
from ..plugin import Converter, Export, Option, Original, Probing, Source
from ..spec import REALS, TENSOR, Description, Signature, Table, TensorSpec

if TYPE_CHECKING:
    from .model import FolderModel

LARGEST = 1e4
"""Of a number in a cache, which holds what the module itself has computed."""


def load(path: Path, given: Mapping[str, Any]) -> FolderModel:
    """The model of the folder whose `config.json` this is."""
    from .model import load as load_folder

    return load_folder(path, given)


def describe(model: FolderModel) -> Description:
    """The module's class, its size and what it is for."""
    parameters = sum(each.numel() for each in model.own.parameters())
    title = f"{model.title} ({model.purpose.name}, Transformers, {parameters:,} parameters)"
    return Description(title=title, task="graph", features=(), named=False, tensors=True, notes=_notes(model))


def _notes(model: FolderModel) -> tuple[str, ...]:
    stored = str(model.config.to_dict().get("dtype") or "").replace("torch.", "")
    own = str(next(model.own.parameters()).dtype).replace("torch.", "")
    if stored in ("float16", "bfloat16") and stored != own:
        return (f"config.json says {stored}: the original is asked, and the graph computes, in {own}",)
    return ()


def named(model: FolderModel, table: Table) -> Table:
    """The example's tensors; of one column of texts, what the tokeniser makes of them."""
    from .model import of_texts

    values = next(iter(table.values()))
    if len(table) == 1 and values.dtype.kind in "OU":
        return of_texts(model, values.reshape(-1).tolist())
    return torch.named(model, table)


def adapt(model: FolderModel, description: Description) -> Description:
    """The description with the inputs and outputs that the example shows."""
    found = torch.adapt(model, description)
    inputs = tuple(_ruled(spec) for spec in found.inputs)
    outputs = {name: _shape(model, name, shape) for name, shape in found.outputs.items()}
    return replace(found, inputs=inputs, outputs=outputs)


def _ruled(spec: TensorSpec) -> TensorSpec:
    """A mask holds 0 and 1; a cache holds finite numbers."""
    if spec.name == "attention_mask":
        return spec.with_cells(least=0, most=1, nullable=False, kind=TENSOR)
    if spec.name.startswith("past_key_values.") and spec.dtype in REALS:
        return spec.with_cells(nullable=False, limit=LARGEST, kind=TENSOR)
    return spec


def _shape(model: FolderModel, name: str, shape: tuple[Any, ...]) -> tuple[Any, ...]:
    """The shape of an output, its free axes under their names."""
    from .causal import NEW, TOTAL

    if name.startswith("present."):
        return (shape[0], shape[1], TOTAL, shape[3])
    if name in ("logits", "start_logits", "end_logits", "last_hidden_state", "token_embeddings"):
        per_token = not model.purpose.image and model.purpose.name != "text-classification"
        return (shape[0], NEW, *shape[2:]) if per_token else shape
    return shape


def convert(model: FolderModel, description: Description, signature: Signature, real: str, out: Path) -> None:
    """Writes the graph of the module."""
    torch.convert(model, description, signature, real, out)


def example(model: FolderModel) -> Table:
    """An example of what the folder says itself."""
    from .model import example as made

    return made(model)


def language(model: FolderModel) -> Mapping[str, Any]:
    """The tokeniser, the chats and the way that texts are continued, with the original's own answers."""
    from .language import described

    return described(model)


CONVERTER = Converter(
    name="transformers",
    source=Source(
        packages=("transformers",),
        containers=("huggingface",),
        load=load,
        is_flavour=False,
        options=(
            Option(
                "task",
                "What the model is for, where config.json does not say it: text-classification, token-classification, "
                "question-answering, fill-mask, feature-extraction, sentence-similarity, image-classification, "
                "text-generation.",
                default="",
            ),
        ),
    ),
    original=Original(describe=describe, predict=torch.predict, quick=torch.quick, again=torch.again),
    export=Export(convert=convert, precisions=torch.precisions, packages=torch.ONNX),
    probing=Probing(adapt=adapt, named=named, example=example, takes_tensors=True),
    language=language,
    needs=(
        Requirement("torch>=2.10", "torch", "folders of Hugging Face, in the interpreter given with --python"),
        Requirement("transformers>=4.56", "transformers"),
        Requirement("tokenizers>=0.20", "transformers", "texts in and out of such models, in mlpack's own environment"),
    ),
)
