"""How a notebook shows a bundle: verdict, speed, signature and identity in one small table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlpack_toolkit import templates
from mlpack_toolkit.converters.spec import Signature

from ..bundle.report import for_html, input_row

MOST = 12
"""Inputs, and classes, that are shown."""


def card(words: Mapping[str, str], signature: Signature, report: Mapping[str, Any], latency: Mapping[str, Any]) -> str:
    """A bundle as HTML, without scripts and without colours of its own for text: notebooks may be dark.

    `words`: name, version, title, identity and path.
    """
    classes = [str(each) for each in signature.classes]
    values: dict[str, Any] = {
        **words,
        "equal": report["verdict"] == "equal",
        "rows": report["rows"],
        "speed": _speed(latency),
        "inputs": [input_row(each) for each in signature.inputs[:MOST]],
        "more": max(0, len(signature.inputs) - MOST),
        "outputs": signature.outputs,
        "classes": [*classes[:MOST], *(["…"] if len(classes) > MOST else [])],
    }
    shown = {key: for_html(value) for key, value in values.items()}
    return templates.render("card", shown)["card.html"].decode()


def _speed(latency: Mapping[str, Any]) -> str:
    """The graph's median for one row, and how it compares with the original's; nothing of a forged measurement."""
    try:
        one = next(each["p50_ms"] for each in latency["graph"] if each["batch"] == 1)
        times = latency.get("speedup", {}).get("1")
        return f"one row in {one:.3g} ms" + (f", the original takes {times:g} × as long" if times else "")
    except (StopIteration, KeyError, TypeError, ValueError, AttributeError):
        return ""
