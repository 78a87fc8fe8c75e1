"""What a model of a folder is for: by its architecture's name or the user's word, its class, its inputs and outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..spec import Unreadable, Unsupported

GENERATION = "text-generation"
SENTENCES = "sentence-similarity"
IMAGES = "image-classification"
FEATURES = "feature-extraction"


@dataclass(frozen=True)
class Task:
    """A task. `auto`: the class of transformers that makes the module; `outputs`: fields of its answer that ship.

    `suffixes`: ends of the names of architectures for it. `causal`: a row of tokens continues, with a cache.
    """

    name: str
    auto: str
    outputs: tuple[str, ...]
    suffixes: tuple[str, ...] = ()
    causal: bool = False
    image: bool = False


TASKS: Mapping[str, Task] = {
    each.name: each
    for each in (
        Task("text-classification", "AutoModelForSequenceClassification", ("logits",), ("ForSequenceClassification",)),
        Task("token-classification", "AutoModelForTokenClassification", ("logits",), ("ForTokenClassification",)),
        Task(
            "question-answering",
            "AutoModelForQuestionAnswering",
            ("start_logits", "end_logits"),
            ("ForQuestionAnswering", "ForQuestionAnsweringSimple"),
        ),
        Task("fill-mask", "AutoModelForMaskedLM", ("logits",), ("ForMaskedLM", "WithLMHeadModel")),
        Task(IMAGES, "AutoModelForImageClassification", ("logits",), ("ForImageClassification",), image=True),
        Task(GENERATION, "AutoModelForCausalLM", ("logits",), ("ForCausalLM", "LMHeadModel"), causal=True),
        Task(FEATURES, "AutoModel", ("last_hidden_state",), ("Model",)),
        Task(SENTENCES, "AutoModel", ("token_embeddings", "sentence_embedding")),
    )
}
NOT_YET = {
    "ForConditionalGeneration": "an encoder with a decoder",
    "ForSpeechSeq2Seq": "speech with a decoder",
    "ForCTC": "speech",
    "ForMultipleChoice": "several texts for one answer",
    "ForNextSentencePrediction": "pairs of sentences",
    "ForPreTraining": "a head for training alone",
    "EncoderDecoderModel": "an encoder with a decoder",
}
"""Ends of the names of architectures without a task here."""


def task_of(config: Mapping[str, Any], wanted: str, is_sentences: bool) -> Task:
    """The task that the user names, else the one that the architecture is for. Raises `Unsupported`."""
    if wanted:
        if wanted not in TASKS:
            raise Unreadable(f"-O transformers.task={wanted}: there are {', '.join(TASKS)}")
        return TASKS[wanted]
    if is_sentences:
        return TASKS[SENTENCES]
    names = config.get("architectures")
    name = str(names[0]) if isinstance(names, Sequence) and not isinstance(names, str) and names else ""
    if not name:
        raise Unsupported(
            "config.json names no architecture: say what the model is for, -O transformers.task= one of "
            f"{', '.join(TASKS)}"
        )
    for suffix, said in NOT_YET.items():
        if name.endswith(suffix):
            raise Unsupported(f"{name} ({said}) has no converter; there is one for: {', '.join(TASKS)}")
    found = [each for each in TASKS.values() if name.endswith(each.suffixes)] if name else []
    if not found:
        raise Unsupported(f"{name} has no task here: say it with -O transformers.task= one of {', '.join(TASKS)}")
    return found[0]


def class_of(task: Task, config: Any) -> Any:
    """The class of transformers that makes the module of a configuration; raises `Unsupported` with those there are."""
    import transformers

    auto = getattr(transformers, task.auto)
    if type(config) not in auto._model_mapping:
        known = sorted({each.model_type for each in auto._model_mapping})
        raise Unsupported(
            f"transformers {transformers.__version__} has no {config.model_type!r} for {task.name}; it has: "
            f"{', '.join(known)}"
        )
    return auto
