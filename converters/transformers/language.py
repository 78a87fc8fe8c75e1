"""What a folder says of text beside its module: tokeniser, chats, how it continues, with answers of the original."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..spec import Unreadable, Unsupported
from .loading import json_in, offline
from .sentences import check_texts, most_tokens
from .tasks import SENTENCES
from .text import AWKWARD, FILE, Tokeniser, filler, goldens

if TYPE_CHECKING:
    from .model import FolderModel

PROMPTS = ("Once upon a time", "The quick brown fox jumps over", "A", "😀 naïve café, said the two of them")
STEPS = 16
MOST_PROMPT = 24
SECONDS = 20
CONTRACT = {
    "max_length": None,
    "max_new_tokens": None,
    "min_new_tokens": None,
    "do_sample": False,
    "num_beams": 1,
    "temperature": 1.0,
    "top_k": 50,
    "top_p": 1.0,
    "repetition_penalty": 1.0,
}
"""What ships of the way a text is continued, and what transformers takes where the folder says nothing."""
CHATS: tuple[tuple[Mapping[str, str], ...], ...] = (
    ({"role": "user", "content": "Hello, who are you?"},),
    (
        {"role": "user", "content": "  spaces\nand 😀 <|x|> {{ braces }}"},
        {"role": "assistant", "content": "Yes."},
        {"role": "user", "content": ""},
    ),
)
SYSTEM: Mapping[str, str] = {"role": "system", "content": "Answer in one word."}


def described(model: FolderModel) -> Mapping[str, Any]:
    """`text`: what the tokeniser is and does; `generation`: how texts are continued. Either is empty where it is not.

    Raises `Unreadable` and `Unsupported`.
    """
    text = {} if model.tokeniser is None else _text(model, model.tokeniser)
    return {"text": text, "generation": _generation(model) if model.purpose.causal else {}}


def _text(model: FolderModel, tokeniser: Tokeniser) -> dict[str, Any]:
    import tokenizers

    most = (model.free["input_ids"][1].most if model.free else None) or 0
    if model.purpose.name == SENTENCES:
        check_texts(model.folder, AWKWARD, tokeniser.ids)
        most = most_tokens(model.folder, most)
    labels = getattr(model.config, "id2label", None) or {}
    classify = model.purpose.name in ("text-classification", "token-classification")
    return {
        "task": model.purpose.name,
        "tokenizer": FILE,
        "library": "tokenizers",
        "version": str(tokenizers.__version__),
        "inputs": list(model.inputs),
        "pad": {"id": tokeniser.pad, "token": tokeniser.pad_token, "side": tokeniser.side},
        "max_length": most,
        "labels": [str(label) for _, label in sorted(labels.items())] if classify else [],
        "golden": goldens(tokeniser),
        "chat": _chat(model, tokeniser),
    }


def _chat(model: FolderModel, tokeniser: Tokeniser) -> dict[str, Any]:
    """The template with the text that it makes of some chats; empty where there is none."""
    template = tokeniser.chat
    if not template:
        return {}
    if "strftime_now" in template:
        raise Unsupported("the chat template asks for the date, so that its texts change: take strftime_now out of it")
    import transformers

    with offline():
        own = transformers.AutoTokenizer.from_pretrained(model.folder, local_files_only=True, trust_remote_code=False)
    tokens = {
        name: str(value)
        for name in ("bos_token", "eos_token", "unk_token", "pad_token")
        if (value := getattr(own, name, None))
    }
    found = [
        {"messages": [dict(each) for each in chat], "add_generation_prompt": ends, "text": text}
        for chat in (*CHATS, (SYSTEM, *CHATS[0]))
        for ends in (True, False)
        if (text := _rendered(own, chat, ends)) is not None
    ]
    if not found:
        raise Unsupported("the chat template renders no chat of a user: check it, or take it out of the folder")
    return {"template": template, "tokens": tokens, "golden": found}


def _rendered(own: Any, chat: Sequence[Mapping[str, str]], ends: bool) -> str | None:
    """What transformers makes of the chat, in its sandbox; None where the template refuses such a chat."""
    from jinja2.exceptions import SecurityError, TemplateError, TemplateSyntaxError

    try:
        with _bounded():
            return str(own.apply_chat_template([dict(e) for e in chat], tokenize=False, add_generation_prompt=ends))
    except (SecurityError, TemplateSyntaxError) as error:
        raise Unreadable(f"the chat template is refused: {str(error)[:200]}") from error
    except OverflowError as error:
        raise Unreadable(f"the chat template is refused: {str(error)[:200]}") from error
    except TemplateError:
        return None


class _Late(BaseException):
    """The time is up; no `except Exception` of a library may take it."""


@contextmanager
def _bounded() -> Iterator[None]:
    """Ends what takes too long; raises `Unreadable`."""

    def ring(number: int, frame: Any) -> None:
        raise _Late

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(SECONDS)
    try:
        yield
    except _Late as error:
        raise Unreadable(f"the chat template takes more than {SECONDS} s for a short chat: it may never end") from error
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _generation(model: FolderModel) -> dict[str, Any]:
    assert model.cache is not None
    own = {**model.config.to_dict(), **json_in(model.folder, "generation_config.json")}
    eos, pad = own.get("eos_token_id"), own.get("pad_token_id")
    ends = [each for each in (eos if isinstance(eos, list) else [eos]) if isinstance(each, int) and each >= 0]
    generation = json_in(model.folder, "generation_config.json")
    contract = {name: default if (v := generation.get(name)) is None else v for name, default in CONTRACT.items()}
    most = getattr(model.config, "max_position_embeddings", None)
    return {
        "layers": model.cache.layers,
        "heads": list(model.cache.heads),
        "sizes": [list(each) for each in model.cache.sizes],
        "eos_token_id": ends,
        "pad_token_id": filler(model.config, pad, ends),
        "max_position": int(most) if isinstance(most, int) else 0,
        **{name: value for name, value in contract.items() if value is not None},
        "sequences": [_continued(model, prompt) for prompt in _prompts(model)],
    }


def _prompts(model: FolderModel) -> list[list[int]]:
    """Prompts as ids, of different lengths."""
    import numpy as np

    most = min(MOST_PROMPT, max(1, _most_tokens(model) - STEPS))
    if model.tokeniser is not None:
        ids = [each[:most] for each in model.tokeniser.ids(PROMPTS)]
        return [each for each in ids if each]
    random = np.random.default_rng(1)
    return [random.integers(0, model.config.vocab_size, min(size, most)).tolist() for size in (1, 4, 9, 15)]


def _most_tokens(model: FolderModel) -> int:
    most = getattr(model.config, "max_position_embeddings", None)
    return most if isinstance(most, int) and most > 0 else 1 << 20


def _continued(model: FolderModel, prompt: Sequence[int]) -> dict[str, Any]:
    """The prompt, the ids that transformers' own generation adds greedily, and how far each was ahead of the next."""
    import torch
    from transformers import GenerationConfig

    steps = min(STEPS, _most_tokens(model) - len(prompt))
    config = GenerationConfig(
        do_sample=False, max_new_tokens=steps, pad_token_id=0, eos_token_id=None, bos_token_id=None, use_cache=True
    )
    ids = torch.tensor([list(prompt)])
    before, model.own.generation_config = model.own.generation_config, config
    try:
        with torch.no_grad(), offline():
            found = model.own.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                generation_config=config,
                output_logits=True,
                return_dict_in_generate=True,
            )
    finally:
        model.own.generation_config = before
    new = found.sequences[0, len(prompt) :].tolist()
    best = [torch.topk(step[0].double(), 2).values for step in found.logits]
    return {"prompt": list(prompt), "ids": new, "margins": [float(two[0] - two[1]) for two in best]}
