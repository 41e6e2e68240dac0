"""The picture of a backtest, as SVG: the series above, the score below, alerts through both."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from html import escape
from typing import NamedTuple

_WIDTH, _LEFT, _RIGHT = 1_200, 78, 18
_PANELS = ((44, 250), (330, 120))  # top and height of each
_HEIGHT = 492
_STEPS = 2_000
"""Places across at most, two to a point of the screen: of what falls on one place, the ends are drawn."""

_DAY = 86_400
_TIME_STEPS = (
    60, 300, 900, 1_800, 3_600, 10_800, 21_600, 43_200, _DAY, 2 * _DAY, 7 * _DAY, 14 * _DAY, 30 * _DAY,
    91 * _DAY, 365 * _DAY,
)  # fmt: skip
_TICKS = 9
"""Marks of time at most: a date takes a hundred points."""

_HALF_A_DATE = 40
"""Room of half a date: one that would stick out to the right ends there."""

_STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#333}.title{font-size:15px;font-weight:600}"
    ".grid{stroke:#e4e4e4}.frame{fill:none;stroke:#bbb}.line{fill:none;stroke-width:1.2}"
    ".series{stroke:#2b5f8a}.score{stroke:#6b6b6b}.bar{stroke:#c0392b;stroke-dasharray:5 4}"
    ".alert{stroke:#c0392b;stroke-opacity:.35}.mark{fill:#c0392b}"
)


class _Scale(NamedTuple):
    """Where numbers of an axis lie in the picture."""

    low: float
    high: float
    start: float
    length: float

    def __call__(self, number: float) -> float:
        return self.start + (number - self.low) / (self.high - self.low) * self.length


def picture_of(
    title: str,
    seconds: Sequence[int],
    values: Sequence[float],
    scores: Sequence[float],
    alerts: Sequence[bool],
) -> str:
    """Return an SVG of a series, what a detector said of it, and when it alerted.

    Args:
        title: What stands above.
        seconds: Times since 1970, not going back.
        values: NaN where there is none.
        scores: Shares of the threshold.
        alerts: Whether it alerted.
    """
    across = _Scale(seconds[0], max(seconds[-1], seconds[0] + 1), _LEFT, _WIDTH - _LEFT - _RIGHT)
    known = [value for value in values if not math.isnan(value)] or [0.0]
    series = _upwards(min(known), max(known), _PANELS[0])
    score = _upwards(0.0, max(1.2, *scores), _PANELS[1])
    fired = [index for index, alert in enumerate(alerts) if alert]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" '
        f'height="{_HEIGHT}" role="img" aria-label="{escape(title)}, {len(fired)} alerts">',
        f"<style>{_STYLE}</style>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>',
        f'<text class="title" x="{_LEFT}" y="26">{escape(title)}</text>',
        f'<text x="{_WIDTH - _RIGHT}" y="26" text-anchor="end">{len(fired)} alerts in {len(values)}</text>',
        *_times(across),
        *_numbers(series, "value"),
        *_numbers(score, "score"),
        *(_alert(across(seconds[index])) for index in fired),
        _line("series", across, series, seconds, values),
        _line("score", across, score, seconds, scores),
        f'<path class="bar" d="M{_LEFT} {score(1.0):.1f}H{_WIDTH - _RIGHT}"/>',
        *(_mark(across(seconds[index]), series(values[index])) for index in fired),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _upwards(low: float, high: float, panel: tuple[int, int]) -> _Scale:
    top, height = panel
    room = (high - low) * 0.04 or abs(high) * 0.1 or 1.0
    return _Scale(low - room if low else 0.0, high + room, top + height, -height)


def _line(kind: str, across: _Scale, up: _Scale, seconds: Sequence[int], values: Sequence[float]) -> str:
    """Return the series as a path; of many values at one place their least and greatest."""
    pieces, pen, size = [], "M", max(1, math.ceil(len(values) / _STEPS))
    for start in range(0, len(values), size):
        places = [
            index for index in range(start, min(start + size, len(values))) if not math.isnan(values[index])
        ]
        if not places:
            pen = "M"
            continue
        ends = {min(places, key=values.__getitem__), max(places, key=values.__getitem__)}
        for index in sorted(ends):
            pieces.append(f"{pen}{across(seconds[index]):.1f} {up(values[index]):.1f}")
            pen = "L"
    return f'<path class="line {kind}" d="{"".join(pieces)}"/>'


def _alert(x: float) -> str:
    top, bottom = _PANELS[0][0], sum(_PANELS[1])
    return f'<path class="alert" d="M{x:.1f} {top}V{bottom}"/>'


def _mark(x: float, y: float) -> str:
    return f'<circle class="mark" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>'


def _times(across: _Scale) -> Iterator[str]:
    span = across.high - across.low
    step = next((each for each in _TIME_STEPS if span / each <= _TICKS), _TIME_STEPS[-1])
    shape = "%Y-%m-%d" if step >= _DAY else "%m-%d %H:%M"
    for time in range(math.ceil(across.low / step) * step, int(across.high) + 1, step):
        x = across(time)
        text = datetime.fromtimestamp(time, UTC).strftime(shape)
        yield f'<path class="grid" d="M{x:.1f} {_PANELS[0][0]}V{sum(_PANELS[1])}"/>'
        anchor = "middle" if x < _WIDTH - _HALF_A_DATE else "end"
        place = min(x, _WIDTH - 4)
        yield f'<text x="{place:.1f}" y="{sum(_PANELS[1]) + 20}" text-anchor="{anchor}">{text}</text>'


def _numbers(up: _Scale, name: str) -> Iterator[str]:
    height = -up.length
    yield (
        f'<rect class="frame" x="{_LEFT}" y="{up.start - height:.0f}" width="{_WIDTH - _LEFT - _RIGHT}" '
        f'height="{height:.0f}"/>'
    )
    yield f'<text x="14" y="{up.start - height - 8:.0f}">{name}</text>'
    step = _round_step((up.high - up.low) / (height / 40))
    for count in range(math.ceil(up.low / step), math.floor(up.high / step) + 1):
        y = up(count * step)
        yield f'<path class="grid" d="M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}"/>'
        yield f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{count * step:.6g}</text>'


def _round_step(least: float) -> float:
    """Return the least of 1, 2, 5, 10 … times a power of ten that is not below."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= least * 0.999)
