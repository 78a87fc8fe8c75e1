"""Folders of tiny models of many architectures, with random weights and tokenisers that are trained here.

Runs in an interpreter that has transformers: `python folders.py FOLDER KEY ...` writes `FOLDER/KEY`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

TEXTS = [
    "The quick brown fox jumps over the lazy dog, and the dog sleeps on.",
    "Once upon a time in a far away land there lived two stories and a cat.",
    "Numbers like 1, 22 and 333 are not words; words are not numbers either!",
] * 8
SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 400}
SIZES = {**SMALL, "intermediate_size": 64, "max_position_embeddings": 64, "initializer_range": 0.3}
GROUPED = {**SIZES, "num_key_value_heads": 2, "initializer_range": 0.3}
HEAD = {**GROUPED, "head_dim": 16}
DECODERS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "gpt2": (
        "GPT2LMHeadModel",
        {"n_layer": 2, "n_embd": 32, "n_head": 4, "vocab_size": 400, "n_positions": 64, "initializer_range": 0.3},
    ),
    "llama": ("LlamaForCausalLM", GROUPED),
    "llama-scaled": (
        "LlamaForCausalLM",
        {
            **GROUPED,
            "tie_word_embeddings": True,
            "rope_parameters": {
                "rope_type": "llama3",
                "rope_theta": 10000.0,
                "factor": 4.0,
                "low_freq_factor": 1.0,
                "high_freq_factor": 4.0,
                "original_max_position_embeddings": 16,
            },
        },
    ),
    "qwen2": ("Qwen2ForCausalLM", GROUPED),
    "qwen3": ("Qwen3ForCausalLM", HEAD),
    "mistral": ("MistralForCausalLM", {**HEAD, "sliding_window": 6}),
    "phi": ("PhiForCausalLM", {**SIZES, "initializer_range": 0.3}),
    "phi3": ("Phi3ForCausalLM", {**GROUPED, "pad_token_id": 0, "eos_token_id": 0, "bos_token_id": 0}),
    "gemma": ("GemmaForCausalLM", HEAD),
    "gemma2": ("Gemma2ForCausalLM", {**HEAD, "sliding_window": 6, "query_pre_attn_scalar": 16}),
    "gemma3": ("Gemma3ForCausalLM", {**HEAD, "sliding_window": 6, "query_pre_attn_scalar": 16}),
    "opt": ("OPTForCausalLM", {**SMALL, "ffn_dim": 64, "max_position_embeddings": 64, "word_embed_proj_dim": 32}),
    "gpt-neox": ("GPTNeoXForCausalLM", {**SIZES, "initializer_range": 0.3}),
    "bloom": ("BloomForCausalLM", {"hidden_size": 32, "n_layer": 2, "n_head": 4, "vocab_size": 400}),
    "mamba": ("MambaForCausalLM", {"hidden_size": 32, "num_hidden_layers": 2, "vocab_size": 400, "state_size": 4}),
}
ENCODERS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "bert": ("BertForSequenceClassification", {**SIZES, "num_labels": 3}),
    "bert-tokens": ("BertForTokenClassification", {**SIZES, "num_labels": 5}),
    "bert-questions": ("BertForQuestionAnswering", SIZES),
    "bert-mask": ("BertForMaskedLM", SIZES),
    "bert-features": ("BertModel", SIZES),
    "distilbert": (
        "DistilBertForSequenceClassification",
        {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 64, "vocab_size": 400, "max_position_embeddings": 64},
    ),
    "roberta": ("RobertaForSequenceClassification", {**SIZES, "pad_token_id": 0}),
    "electra": ("ElectraForSequenceClassification", {**SIZES, "embedding_size": 16}),
    "albert": ("AlbertForMaskedLM", {**SIZES, "embedding_size": 16}),
    "deberta-v2": (
        "DebertaV2ForSequenceClassification",
        {**SIZES, "relative_attention": True},
    ),
    "mpnet": ("MPNetModel", {**SIZES, "pad_token_id": 1}),
    "modernbert": ("ModernBertForSequenceClassification", {**SIZES, "local_attention": 8, "pad_token_id": 0}),
    "xlm-roberta": ("XLMRobertaForTokenClassification", {**SIZES, "pad_token_id": 0}),
    "sentences": ("BertModel", SIZES),
    "t5": (
        "T5ForConditionalGeneration",
        {"d_model": 32, "num_layers": 2, "num_heads": 4, "vocab_size": 400, "d_ff": 64},
    ),
    "vit": ("ViTForImageClassification", {**SMALL, "intermediate_size": 64, "image_size": 16, "patch_size": 8}),
}
ALL = {**DECODERS, **ENCODERS}
CHAT = (
    "{% for m in messages %}{% if m['role'] == 'system' and not loop.first %}{{ raise_exception('system first') }}"
    "{% endif %}<|{{ m['role'] }}|>{{ m['content'] | trim }}{{ eos_token }}\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def make(key: str, folder: Path) -> None:
    """Writes the folder of a model."""
    import torch
    import transformers

    torch.manual_seed(sum(key.encode()))
    name, given = ALL[key]
    kind = getattr(transformers, name)
    module = kind(kind.config_class(**given)).eval()
    with torch.no_grad():
        for each in module.parameters():
            each.add_(torch.randn_like(each) * 0.02)  # biases and scales are zeros and ones otherwise
    transformers.logging.disable_progress_bar()
    module.save_pretrained(folder)
    if key in DECODERS:
        bytes_of_text(folder)
        transformers.AutoTokenizer.from_pretrained(folder).save_pretrained(folder)  # as the class of its kind has it
        write(folder / "generation_config.json", {"eos_token_id": 0, "pad_token_id": 0, "max_new_tokens": 12})
    elif key != "vit":
        words(folder)
    if key == "sentences":
        pooled(folder)


def write(path: Path, plain: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(plain, ensure_ascii=False), "utf-8")


def bytes_of_text(folder: Path) -> None:
    """A tokeniser as GPT-2's, with a template of chats."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    special = ["<|end|>", "<|user|>", "<|assistant|>"]
    made.train_from_iterator(
        TEXTS,
        trainers.BpeTrainer(vocab_size=400, special_tokens=special, initial_alphabet=alphabet, show_progress=False),
    )
    made.save(str(folder / "tokenizer.json"))
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|end|>", "chat_template": CHAT}
    write(folder / "tokenizer_config.json", settings)


def words(folder: Path) -> None:
    """A tokeniser as BERT's."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

    made = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer()
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = trainers.WordPieceTrainer(vocab_size=400, special_tokens=special, show_progress=False)
    made.train_from_iterator(TEXTS, trainer)
    ends = [("[CLS]", 2), ("[SEP]", 3)]
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=ends
    )
    made.save(str(folder / "tokenizer.json"))
    names = {
        "pad_token": "[PAD]",
        "unk_token": "[UNK]",
        "cls_token": "[CLS]",
        "sep_token": "[SEP]",
        "mask_token": "[MASK]",
    }
    write(folder / "tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast", **names})


def pooled(folder: Path) -> None:
    """The parts of sentence-transformers: the mean of the tokens, made one long."""
    kinds = (("Transformer", ""), ("Pooling", "1_Pooling"), ("Normalize", "2_Normalize"))
    listed = [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for i, (kind, path) in enumerate(kinds)
    ]
    write(folder / "modules.json", listed)
    write(folder / "1_Pooling" / "config.json", {"word_embedding_dimension": 32, "pooling_mode_mean_tokens": True})


if __name__ == "__main__":
    for each in sys.argv[2:]:
        make(each, Path(sys.argv[1]) / each)
