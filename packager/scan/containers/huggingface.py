"""Folders with config.json, safetensors and tokenizer.json: numbers and text, no name of code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..allowlist import Trust
from ..model_folders import MAIN, config_of, files_of, is_main
from ..result import Scan
from ..scanner import Scanner


def scan(path: Path, trust: Trust) -> Scan:
    """No name: a configuration that wants code of its own is refused."""
    config_of(path)
    return Scan("huggingface")


def look(path: Path) -> dict[str, Any]:
    """The architecture, and the files of the folder."""
    config = config_of(path)
    wanted = config.get("architectures")
    return {
        "architectures": [str(each) for each in wanted] if isinstance(wanted, list) else [str(config["model_type"])],
        "files": [file.relative_to(path.parent.resolve()).as_posix() for file in files_of(path)],
    }


SCANNER = Scanner(
    name="huggingface",
    title="Hugging Face folders",
    sniff=is_main,
    scan=scan,
    beside=files_of,
    look=look,
    main=MAIN,
)
