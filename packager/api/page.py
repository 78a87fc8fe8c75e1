"""How a notebook shows a bundle: verdict, speed, signature and identity in one small table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlpack_toolkit import templates

from ..bundle.report import for_html, input_row

if TYPE_CHECKING:
    from .loaded import LoadedBundle

MOST = 12
"""Inputs, and classes, that are shown."""


def card(bundle: LoadedBundle) -> str:
    """The bundle as HTML, without scripts and without colours of its own for text: notebooks may be dark."""
    signature, classes = bundle.signature, [str(each) for each in bundle.signature.classes]
    values: dict[str, Any] = {
        "name": bundle.name,
        "version": bundle.version,
        "title": bundle.facts["title"],
        "equal": bundle.report["verdict"] == "equal",
        "rows": bundle.report["rows"],
        "speed": _speed(bundle.latency),
        "inputs": [input_row(each) for each in signature.inputs[:MOST]],
        "more": max(0, len(signature.inputs) - MOST),
        "outputs": signature.outputs,
        "classes": [*classes[:MOST], *(["…"] if len(classes) > MOST else [])],
        "identity": bundle.identity,
        "path": str(bundle.path),
    }
    shown = {key: for_html(value) for key, value in values.items()}
    return templates.render("card", shown)["card.html"].decode()


def _speed(latency: dict[str, Any]) -> str:
    """The graph's median for one row, and how it compares with the original's."""
    one = next((each for each in latency.get("graph", ()) if each["batch"] == 1), None)
    if one is None:
        return ""
    times = latency.get("speedup", {}).get("1")
    return f"one row in {one['p50_ms']:.3g} ms" + (f", the original takes {times:g} × as long" if times else "")
