"""Makes names for registries, Kubernetes and Triton from any name and version."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata

LONGEST_LABEL = 40
"""In characters: KServe appends `-predictor` and the namespace, and a DNS label has at most 63."""

LONGEST_NAME = 100
"""In characters: registries accept 128 to 255, with a path before the name."""


def dns_label(name: str) -> str:
    """The name as a DNS label: lower-case letters, digits and dashes, a letter first; deterministic.

    A shortened or empty result ends in digits of the name's sha256, so that different names stay different.
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    label = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    mark = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    if not label:
        return f"model-{mark}"
    label = label if label[0].isalpha() else f"model-{label}"
    return label if len(label) <= LONGEST_LABEL else f"{label[: LONGEST_LABEL - 9].rstrip('-')}-{mark}"


def label_value(text: str) -> str:
    """The text as the value of a Kubernetes label; empty where no valid character is left."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text)[:63].strip("-._")


def image_name(name: str, version: str) -> str:
    """`NAME:VERSION`, the default tag of `mlpack image`."""
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "model"
    if len(plain) > LONGEST_NAME:
        mark = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
        plain = f"{plain[: LONGEST_NAME - 9].rstrip('-')}-{mark}"
    return f"{plain}:{re.sub(r'[^A-Za-z0-9._-]', '-', version)[:128].lstrip('.-') or 'latest'}"


def folder_name(name: str) -> str:
    """The name in characters that are safe in folders and URLs."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "model"


def one_line(text: str) -> str:
    """The text without characters that would end a line or a comment."""
    return "".join(c if c.isprintable() else " " for c in text)


def quoted(text: str) -> str:
    """The text quoted for a Dockerfile's `LABEL`, without variable expansion."""
    return '"' + re.sub(r'([\\"$])', r"\\\1", one_line(text)) + '"'


def pattern(path: str) -> str:
    """A pattern of Docker's ignore file that matches only this path."""
    return re.sub(r"([*?\[\\])", r"\\\1", path)


def copied(path: str, folder: str) -> str:
    """The arguments of `COPY` for a file of the build context, to the same path in `folder`."""
    return json.dumps([pattern(path), f"{folder}/{path}"], ensure_ascii=False)
