"""Draws the report's two plots as SVG text."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

from ..commands.bench import LatencyReport

WIDTH = 860
LABEL = 130
ROW = 26
SMALLEST = 1e-8


def errors_plot(shares: Mapping[str, float]) -> str:
    """One bar per kind of probe: the largest error as a share of the tolerance, logarithmic from `SMALLEST` to 1."""
    height = ROW * len(shares) + 34
    span = WIDTH - LABEL - 90
    lines = [_svg(height)]
    for power in range(-8, 1, 2):
        x = LABEL + span * (power + 8) / 8
        colour = "var(--bad)" if power == 0 else "var(--line)"
        lines.append(f'<line x1="{x:.1f}" y1="0" x2="{x:.1f}" y2="{height - 26}" stroke="{colour}"/>')
        text = "tolerance" if power == 0 else f"10^{power}"
        lines.append(f'<text x="{x:.1f}" y="{height - 8}" text-anchor="middle">{text}</text>')
    for i, (kind, share) in enumerate(shares.items()):
        lines += _bar(kind, share, i * ROW, span)
    return "\n".join([*lines, "</svg>"])


def _bar(kind: str, share: float, y: int, span: int) -> list[str]:
    reach = 0.0 if share <= 0 else (math.log10(max(min(share, 1.0), SMALLEST)) + 8) / 8
    colour = "var(--bad)" if share > 1 else "var(--graph)"
    said = "equal" if share == 0 else f"{share:.1g}" if math.isfinite(share) else "differs"
    width = max(span * reach, 2)
    return [
        f'<text x="{LABEL - 10}" y="{y + 17}" text-anchor="end">{escape(kind)}</text>',
        f'<rect x="{LABEL}" y="{y + 5}" width="{width:.1f}" height="{ROW - 10}" rx="2" fill="{colour}"/>',
        f'<text x="{LABEL + width + 8:.1f}" y="{y + 17}">{said}</text>',
    ]


def latency_plot(latency: LatencyReport) -> str:
    """Median and p99 by batch size for both sides, both axes logarithmic."""
    return curves_plot([(latency.graph, "var(--graph)"), (latency.original, "var(--original)")])


Side = tuple[Sequence[Mapping[str, float]], str]
"""Measurements by batch size, and their colour."""


def curves_plot(sides: Sequence[Side]) -> str:
    """Median and p99 by batch size for several sides, both axes logarithmic."""
    values = [b[q] for side, _ in sides for b in side for q in ("p50_ms", "p99_ms") if b[q] > 0]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    height, bottom = 300, 260
    batches = sorted({b["batch"] for side, _ in sides for b in side})
    most = math.log10(max(batches)) or 1.0

    def x_of(batch: float) -> float:
        return 70 + (WIDTH - 110) * math.log10(batch) / most

    def y_of(value: float) -> float:
        return bottom - (bottom - 14) * (math.log10(max(value, 10.0**low)) - low) / max(high - low, 1)

    lines = [_svg(height)]
    for power in range(low, high + 1):
        y = y_of(10.0**power)
        lines.append(f'<line x1="70" y1="{y:.1f}" x2="{WIDTH - 30}" y2="{y:.1f}" stroke="var(--line)"/>')
        lines.append(f'<text x="62" y="{y + 4:.1f}" text-anchor="end">{_duration(power)}</text>')
    for batch in batches:
        lines.append(f'<text x="{x_of(batch):.1f}" y="{bottom + 20}" text-anchor="middle">{int(batch)}</text>')
    lines.append(f'<text x="{WIDTH / 2}" y="{height - 4}" text-anchor="middle">rows in one call</text>')
    for side, colour in sides:
        lines += _curve([(x_of(b["batch"]), y_of(b["p50_ms"]), y_of(b["p99_ms"])) for b in side], colour)
    return "\n".join([*lines, "</svg>"])


def throughput_plot(sides: Sequence[Side]) -> str:
    """Rows per second against p99 for several sides, both axes logarithmic; a dot for each batch size."""
    points = [(b["p99_ms"], b["rows_per_second"]) for side, _ in sides for b in side]
    left, right = _decades([p99 for p99, _ in points])
    low, high = _decades([rate for _, rate in points])
    height, bottom = 300, 260

    def x_of(p99: float) -> float:
        return 90 + (WIDTH - 130) * (math.log10(max(p99, 10.0**left)) - left) / (right - left)

    def y_of(rate: float) -> float:
        return bottom - (bottom - 14) * (math.log10(max(rate, 10.0**low)) - low) / (high - low)

    lines = [_svg(height)]
    for power in range(low, high + 1):
        y = y_of(10.0**power)
        lines.append(f'<line x1="90" y1="{y:.1f}" x2="{WIDTH - 30}" y2="{y:.1f}" stroke="var(--line)"/>')
        lines.append(f'<text x="82" y="{y + 4:.1f}" text-anchor="end">{10.0**power:,.0f}</text>')
    for power in range(left, right + 1):
        x = x_of(10.0**power)
        lines.append(f'<text x="{x:.1f}" y="{bottom + 20}" text-anchor="middle">{_duration(power)}</text>')
    lines.append(f'<text x="{WIDTH / 2}" y="{height - 4}" text-anchor="middle">p99 of one call</text>')
    for side, colour in sides:
        line = [(x_of(b["p99_ms"]), y_of(b["rows_per_second"])) for b in sorted(side, key=lambda b: b["batch"])]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in line)
        lines.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        lines += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>' for x, y in line]
    return "\n".join([*lines, "</svg>"])


def _decades(values: Sequence[float]) -> tuple[int, int]:
    """The powers of ten around positive values, at least one apart."""
    positive = [value for value in values if value > 0] or [1.0]
    low = math.floor(math.log10(min(positive)))
    return low, max(low + 1, math.ceil(math.log10(max(positive))))


def _curve(points: Sequence[tuple[float, float, float]], colour: str) -> list[str]:
    if not points:
        return []
    median = " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in points)
    back = " ".join(f"{x:.1f},{y:.1f}" for x, _, y in reversed(points))
    dots = [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>' for x, y, _ in points]
    return [
        f'<polygon points="{median} {back}" fill="{colour}" opacity="0.15"/>',
        f'<polyline points="{median}" fill="none" stroke="{colour}" stroke-width="2"/>',
        *dots,
    ]


def _duration(power: int) -> str:
    value, unit = (10.0 ** (power + 3), "µs") if power < 0 else (10.0**power, "ms")
    return f"{value:g} {unit}"


def _svg(height: int) -> str:
    return f'<svg viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img">'
