"""A histogram as bars of a drawing: places and heights in units of the drawing, and the times under them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from auditstream.console.kinds import OUTCOMES
from auditstream.query.histograms import Histogram

WIDTH, HEIGHT = 1000, 100
"""Size of the drawing, which is stretched to its place on the page."""

_TICKS = 7  # labels of ten letters under a drawing that a page of 1,000 points has room for
_GAP = 0.16  # of a bar's place that stays free, so that bars are told apart
_LEAST = 1.5  # height of a bar that has anything at all: one event among thousands is seen, too
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 14400, 21600, 43200, 86400,
          2 * 86400, 7 * 86400, 28 * 86400)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Part:
    """One outcome of a bar.

    Attributes:
        outcome: Which, in lower case, as its class.
        y: Where it begins, from the top.
        height: How high it is.
    """

    outcome: str
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Bar:
    """One span of time.

    Attributes:
        x: Where its place begins.
        width: Width of its place.
        start: First moment (UTC).
        end: First moment after it.
        events: How many events it has.
        parts: Outcomes from the bottom up.
        told: All of it in words.
    """

    x: float
    width: float
    start: datetime
    end: datetime
    events: int
    parts: tuple[Part, ...]
    told: str

    @property
    def left(self) -> float:
        """Where what is drawn begins."""
        return self.x + self.width * _GAP / 2

    @property
    def thick(self) -> float:
        """How wide what is drawn is."""
        return self.width * (1 - _GAP)


@dataclass(frozen=True, slots=True)
class Tick:
    """A time under the drawing.

    Attributes:
        x: Where, in units of the drawing.
        text: The time.
    """

    x: float
    text: str


def bars(histogram: Histogram) -> list[Bar]:
    """Return the bars of a histogram, in order of time."""
    most = max((span.events for span in histogram.spans), default=0)
    place = WIDTH / max(len(histogram.spans), 1)
    drawn = []
    for at, span in enumerate(histogram.spans):
        end = span.start + histogram.width
        parts, top = [], float(HEIGHT)
        for outcome in OUTCOMES:
            events = events_of(span.outcomes, outcome)
            if events:
                high = max(events / most * HEIGHT, _LEAST)
                top = max(top - high, 0.0)
                parts.append(Part(outcome.lower(), round(top, 2), round(high, 2)))
        told = f"{span.start:%d %b %H:%M:%S} – {end:%H:%M:%S} UTC: {span.events:,} events"
        said = [
            f"{events_of(span.outcomes, each):,} {each.lower()}"
            for each in OUTCOMES
            if events_of(span.outcomes, each)
        ]
        if span.events:
            told += f" ({', '.join(said)})"
        drawn.append(Bar(round(at * place, 3), place, span.start, end, span.events, tuple(parts), told))
    return drawn


def events_of(outcomes: dict[str, int], outcome: str) -> int:
    """Return the events of an outcome; who says none is not known."""
    return outcomes.get(outcome, 0) + (outcomes.get("", 0) if outcome == "UNKNOWN" else 0)


def ticks(drawn: Sequence[Bar]) -> list[Tick]:
    """Return round times under the bars, a few."""
    if not drawn:
        return []
    start, end = drawn[0].start, drawn[-1].end
    length = (end - start).total_seconds()
    step = next((each for each in _STEPS if length / each <= _TICKS), _STEPS[-1] * 4)
    first = -(-start.timestamp() // step) * step
    found, at = [], first
    while at < end.timestamp():
        moment = start + timedelta(seconds=at - start.timestamp())
        form = "%d %b" if step >= 86400 else "%H:%M" if step >= 60 else "%H:%M:%S"
        if step < 86400 and moment.hour == moment.minute == moment.second == 0:
            form = "%d %b"
        found.append(Tick(round((at - start.timestamp()) / length * WIDTH, 2), moment.strftime(form)))
        at += step
    return found
