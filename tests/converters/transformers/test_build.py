"""Folders of Hugging Face as a user meets them: text in, the answers of transformers out, and goldens that replay."""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mlpack_toolkit as mlpack
from mlpack_toolkit.packager.bundle.reader import open_bundle
from mlpack_toolkit.packager.commands.predict import predict
from mlpack_toolkit.packager.commands.verify import check_bundle
from mlpack_toolkit.packager.equivalence.session import session_of
from mlpack_toolkit.packager.errors import MismatchError, MissingToolError
from mlpack_toolkit.packager.language import chats, tokens
from mlpack_toolkit.packager.language.decoding import decoder_of
from mlpack_toolkit.packager.language.replay import replay_text
from mlpack_toolkit.packager.language.sequences import replayed
from tests.once import once
from tests.quick import TORCH
from tests.tiers import sixth
from tests.warm import run_mlpack

HERE = Path(__file__).parent
HAS = "import importlib.util as u, sys; sys.exit(not (u.find_spec('transformers') and u.find_spec('tokenizers')))"
THERE = bool(TORCH) and not subprocess.run([TORCH, "-c", HAS], check=False).returncode
pytestmark = pytest.mark.skipif(not THERE, reason="needs MLPACK_TORCH_PYTHON, with transformers and tokenizers")
TEXTS = ("The fox and the dog", "Once upon a time there lived a cat, and 😀 too", "")


@pytest.fixture(scope="module")
def folders(torch: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    def fill(folder: Path) -> None:
        command = [TORCH, str(HERE / "folders.py"), str(folder), "bert", "mistral"]
        subprocess.run(command, check=True, capture_output=True)
        (folder / "texts.jsonl").write_text("".join(json.dumps(text) + "\n" for text in (*TEXTS, "a fox", "a dog")))

    return once(tmp_path_factory, "transformers-folders", fill)


Bundle = tuple[Path, dict[str, Any]]


@pytest.fixture(scope="module")
def build_once(folders: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Bundle]:
    def build(key: str, *more: str) -> Bundle:
        def fill(folder: Path) -> None:
            given = ["build", folders / key, "--python", TORCH, "-o", folder / "dist", "--target", "docker", "--json"]
            done = run_mlpack(*given, *more, cwd=folders)
            assert done.returncode == 0, done.stderr
            (folder / "said.json").write_text(done.stdout.splitlines()[-1])

        folder = once(tmp_path_factory, f"transformers-{key}", fill)
        said = json.loads((folder / "said.json").read_text())
        return folder / "dist" / f"{key}-1.0.0", said

    return build


@pytest.fixture(scope="module")
def bert(build_once: Callable[..., Bundle], folders: Path) -> Bundle:
    """With texts as the example; the other bundle makes its own."""
    return build_once("bert", "--example", str(folders / "texts.jsonl"))


@pytest.fixture(scope="module")
def mistral(build_once: Callable[..., Bundle]) -> Bundle:
    return build_once("mistral")


@pytest.fixture
def tokenizers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The library of tokenisers of torch's interpreter in this process, which has none of its own."""
    if not tokens.is_there():
        asked = [TORCH, "-c", "import tokenizers; print(tokenizers.__path__[0])"]
        place = Path(subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip())
        (tmp_path / "library").mkdir()
        (tmp_path / "library" / place.name).symlink_to(place)
        monkeypatch.syspath_prepend(str(tmp_path / "library"))
    yield
    for name in [each for each in sys.modules if each.split(".")[0] == "tokenizers"]:
        del sys.modules[name]


def shapes(said: dict[str, Any], side: str) -> dict[str, list[str | int]]:
    return {t["name"]: t["shape"] for t in said["signature"][side]}


def test_a_classifier_of_texts(bert: Bundle) -> None:
    place, said = bert
    per_token = ["N", "sequence_length"]
    assert shapes(said, "inputs") == dict.fromkeys(("input_ids", "attention_mask", "token_type_ids"), per_token)
    assert shapes(said, "outputs") == {"logits": ["N", 3]}
    assert said["verification"]["verdict"] == "equal"
    assert {"name": "sequence_length", "least": 1, "most": 64} in said["signature"]["ranges"]  # its positions
    bundle = open_bundle(place)
    text = bundle.facts["text"]
    assert text["tokenizer"] == "model/source/tokenizer.json" in bundle.listed(), "part of the identity"
    assert text["labels"] == ["LABEL_0", "LABEL_1", "LABEL_2"] and text["max_length"] == 64
    assert text["pad"] == {"id": 0, "token": "[PAD]", "side": "right"} and "generation" not in bundle.facts
    goldens = {each["text"]: each["ids"] for each in bundle.json(text["golden"])}
    assert goldens[""] == [2, 3] and len(goldens["x" * 1000]) > 2 and any("[SEP]" in golden for golden in goldens)


def test_texts_are_answered_where_the_library_is(bert: Bundle, folders: Path, tokenizers: None, tmp_path: Path) -> None:
    place, _ = bert
    (tmp_path / "texts.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in TEXTS))
    assert predict(place, tmp_path / "texts.jsonl", tmp_path / "answers.csv")["rows"] == 3
    with (tmp_path / "answers.csv").open() as file:
        found = [[float(cell) for cell in row.values()] for row in csv.DictReader(file)]
    np.testing.assert_allclose(found, of_transformers(folders / "bert", TEXTS), 1e-5, 1e-5)
    frame = pd.DataFrame({"text": TEXTS}, index=[5, 6, 7])
    answered = mlpack.load(place).predict(frame)
    assert list(answered.columns) == ["logits.0", "logits.1", "logits.2"] and answered.index.equals(frame.index)
    for given in (answered, mlpack.load(place).predict(list(TEXTS))["logits"]):
        np.testing.assert_allclose(given, found, 1e-5, 1e-5)
    assert check_bundle(place, (), None, lambda step: None)["text"] == {"tokenizer": 18}


def of_transformers(folder: Path, texts: tuple[str, ...]) -> Any:
    """The logits that transformers itself gives for texts, one by one."""
    program = (
        "import sys, json, torch, transformers as t\n"
        "m, k = t.AutoModelForSequenceClassification.from_pretrained(sys.argv[1]).eval(), "
        "t.AutoTokenizer.from_pretrained(sys.argv[1])\n"
        "print(json.dumps([m(**k(x, return_tensors='pt')).logits[0].tolist() for x in json.loads(sys.argv[2])]))"
    )
    done = subprocess.run([TORCH, "-c", program, folder, json.dumps(texts)], check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def test_without_the_library_a_sentence(bert: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place, _ = bert
    monkeypatch.setattr(tokens, "is_there", lambda: False)
    (tmp_path / "texts.txt").write_text("a fox\n")
    with pytest.raises(MissingToolError, match=r"tokenizers is not installed.*mlpack-toolkit\[transformers\]"):
        predict(place, tmp_path / "texts.txt", tmp_path / "answers.csv")
    assert replay_text(open_bundle(place))["tokenizer"].startswith("not replayed: the package tokenizers")


def test_one_graph_for_the_prompt_and_each_step(mistral: Bundle) -> None:
    _, said = mistral
    inputs, outputs = shapes(said, "inputs"), shapes(said, "outputs")
    total = "past_sequence_length + sequence_length"
    assert list(inputs)[:3] == ["input_ids", "attention_mask", "position_ids"]
    assert inputs["attention_mask"] == ["N", total]
    assert inputs["past_key_values.1.value"] == ["N", 2, "past_sequence_length", 16]
    assert outputs["present.1.key"] == ["N", 2, total, 16] and outputs["logits"] == ["N", "sequence_length", 400]
    tried = said["verification"]["probes"]
    assert {"size 0 of past_sequence_length", "other sizes of all", "batch of 1"} <= set(tried), set(tried)


def test_its_sequences_are_those_of_transformers(mistral: Bundle) -> None:
    """Beyond its window of 6 tokens, too: the original's own cache forgets what is outside of it."""
    place, _ = mistral
    bundle = open_bundle(place)
    facts, report = bundle.facts["generation"], bundle.json("reports/text/generation.json")
    assert (facts["layers"], facts["heads"], facts["eos_token_id"]) == (2, [2, 2], [0])
    assert facts["max_new_tokens"] == 12 and facts["do_sample"] is False
    sequences = bundle.json(facts["golden"])
    assert all(len(each["ids"]) == len(each["margins"]) == 16 for each in sequences)
    assert len({tuple(each["ids"]) for each in sequences}) == len(sequences) == report["sequences"]
    ways = {each["ways"] for each in report["compared"]}
    assert {"with a cache, against without", "in a batch, against alone", "padded on the left, against not"} <= ways
    assert len(ways) == 4 and 0 <= report["logit_error"] < 1e-4 and report["first_undecided"] == []
    decoder = decoder_of(session_of(bundle).run, facts)
    assert replayed(decoder, sequences, report) == len(sequences)
    wrong = [{**sequences[0], "ids": [(sequences[0]["ids"][0] + 1) % 400, *sequences[0]["ids"][1:]]}]
    with pytest.raises(MismatchError, match="at step 0 the graph continues with the id"):
        replayed(decoder, wrong, report)


def test_it_continues_texts_and_replays_its_goldens(mistral: Bundle, tokenizers: None, tmp_path: Path) -> None:
    place, _ = mistral
    (tmp_path / "texts.csv").write_text('text\n"Once upon a time"\n"The fox"\n')
    assert predict(place, tmp_path / "texts.csv", tmp_path / "out.json")["rows"] == 2
    rows = json.loads((tmp_path / "out.json").read_text())
    assert all(set(row) == {"generated"} and row["generated"] for row in rows)
    again = mlpack.load(place).predict(["Once upon a time", "The fox"])["generated"].tolist()
    assert again == [row["generated"] for row in rows]
    found = replay_text(open_bundle(place))
    assert found["sequences"] == 4 and found["chat"] == 6 and found["tokenizer"] > 13


def test_the_chat_is_rendered_as_transformers_does(mistral: Bundle) -> None:
    place, _ = mistral
    bundle = open_bundle(place)
    chat = bundle.facts["text"]["chat"]
    template, goldens = bundle.read(chat["template"]).decode(), bundle.json(chat["golden"])
    assert chats.check(template, chat["tokens"], goldens) == len(goldens)
    with pytest.raises(MismatchError, match="another text"):
        chats.check(template + "!", chat["tokens"], goldens)


@pytest.mark.full
def test_a_large_graph_holds_no_weights_of_its_own(folders: Path, tmp_path: Path) -> None:
    """Also where its products have them turned round."""
    command = [TORCH, str(HERE / "storing.py"), str(folders / "mistral"), str(tmp_path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found = json.loads(done.stdout.splitlines()[-1])
    assert len(found["locations"]) > 10 and set(found["locations"]) == {"source/model.safetensors"}
    assert found["error"] < 1e-4 and not (tmp_path / "model.onnx.data").exists()
    assert sum(path.stat().st_size for path in tmp_path.glob("*.onnx*")) < 200_000


REFUSED = {
    "layers": ({"num_hidden_layers": 10**9}, "num_hidden_layers = 1000000000, which no model has"),
    "unknown": ({"model_type": "story-teller"}, "has no architecture 'story-teller'.* It has: .*bert"),
    "seq2seq": ({"architectures": ["T5ForConditionalGeneration"]}, "an encoder with a decoder.*text-generation"),
    "head": ({"architectures": ["BertForQuestionAnswering"]}, r"the weights lack qa_outputs.*question-answering"),
    "nothing": ({"architectures": None}, "names no architecture"),
}


@pytest.mark.parametrize("key", sixth(REFUSED))
def test_what_has_no_converter_is_refused_by_name(key: str, folders: Path, tmp_path: Path) -> None:
    changes, said = REFUSED[key]
    shutil.copytree(folders / "bert", tmp_path / "bert")
    config = tmp_path / "bert" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), **changes}))
    done = run_mlpack("build", tmp_path / "bert", "--python", TORCH, "-o", tmp_path / "dist", "--json", cwd=tmp_path)
    error = json.loads(done.stdout.splitlines()[-1])["error"]
    assert re.search(said, error["message"]), error
    assert error["exit"] == (3 if key in ("layers", "head") else 4)
    assert not (tmp_path / "dist").exists()
