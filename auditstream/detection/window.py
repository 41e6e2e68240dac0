"""The newest acts of one log: a window of leaves, so that what is found in it follows from the log alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from auditstream.detection.acts import Acts, Kind, Mark, Numbers, acts_of, no_acts

WINDOW_LEAVES = 100_000
"""How many of a log's leaves are looked back at: ten minutes at 160 events a second and partition. Were all
of them acts, they would be 12 MB; what looking through them costs grows with them."""

_NOTABLE = Mark.CHANGES | Mark.INJECTED | Mark.APPROVES | Mark.MANDATED
_TEXTS = (
    "tenant_id", "project_id", "agent_id", "agent_instance_id", "conversation_id", "trace_id", "tool_name",
)  # fmt: skip
_TOLD_LATER = Mark.DESTROYS | Mark.MANDATED
"""Marks of acts that may be told of themselves when time has passed: their names are kept."""


@dataclass(frozen=True, slots=True)
class Who:
    """The names around an act; empty where it has none."""

    tenant: str
    project: str
    agent: str
    run: str
    conversation: str
    tool: str


class Moment:
    """A segment's acts and what came before them in the log.

    Attributes:
        first_index: Leaf index of the segment's first record.
        new: Acts of the segment.
        until: Highest event time of the window with the segment, in microseconds.

    Args:
        window: The window, which has the segment already.
        events: The segment's events.
        new: Their acts.
        before: Highest event time before the segment.
    """

    def __init__(self, window: ActWindow, events: pl.DataFrame, new: Acts, before: int) -> None:
        self._window = window
        self._events = events
        self._before = before
        self.new = new
        self.until = window.highest
        self.first_index = int(events["index"][0]) if events.height else window.next_index

    def notable(self) -> Acts:
        """Return the acts of the window that have a mark, and all decisions, in the order of the log."""
        return self._window.kept("notable")

    def of_kind(self, kind: Kind) -> Acts:
        """Return the acts of the window of one kind: calls, tools or steps."""
        return self._window.kept(kind.name)

    def due(self, mark: Mark, after_us: int) -> Acts:
        """Return the acts with a mark over which a time has passed with this segment, and not before.

        Each is returned once: time passes when the log's highest event time does.
        """
        marked = self.notable().marked(mark)
        deadline = marked.time + after_us
        is_new = marked.index >= self.first_index
        return marked.where((deadline <= self.until) & (is_new | (deadline > self._before)))

    def who(self, index: int) -> Who:
        """Return the names around an act of the segment, or around one that may be told later."""
        return self._window.who(index) or _who(self._events.row(self._row(index), named=True))

    def is_new(self, index: int) -> bool:
        """Return whether an act is of the segment."""
        return index >= self.first_index

    def _row(self, index: int) -> int:
        return int(np.searchsorted(self._events["index"].to_numpy(), index))


class ActWindow:
    """The acts of a log's newest leaves.

    Args:
        next_index: Leaf index of the log's next record.
        leaves: How far back is kept.

    Attributes:
        highest: Highest event time of the window, in microseconds; 0 without any.
    """

    def __init__(self, next_index: int, *, leaves: int = WINDOW_LEAVES) -> None:
        self.next_index = next_index
        self.highest = 0
        self._leaves = leaves
        self._kept: dict[str, list[Acts]] = {}
        self._who: dict[int, Who] = {}
        self._indexes: Numbers = np.empty(0, np.int64)
        self._times: Numbers = np.empty(0, np.int64)

    def take(self, events: pl.DataFrame, next_index: int, mandated: pl.Expr | None = None) -> Moment:
        """Take in the log's next records, and return them with what came before.

        Args:
            events: Their events, as `acts_of` takes them.
            next_index: Leaf index after the last record.
            mandated: Likewise.
        """
        self._forget(self.next_index - self._leaves)
        before = self.highest
        new = acts_of(events, mandated)
        self._times = np.concatenate([self._times, events["time"].to_numpy()])
        self._indexes = np.concatenate([self._indexes, events["index"].to_numpy().astype(np.int64)])
        self.highest = _highest(self._times)
        self._keep(new)
        self.next_index = next_index
        moment = Moment(self, events, new, before)
        for index in new.index[(new.marks & int(_TOLD_LATER)) != 0].tolist():
            self._who[index] = moment.who(index)
        return moment

    def kept(self, group: str) -> Acts:
        """Return a group of acts: `notable`, or those of a kind by its name."""
        parts = self._kept.get(group)
        if not parts:
            return no_acts()
        parts[:] = [Acts.joined(parts)]
        return parts[0]

    def who(self, index: int) -> Who | None:
        """Return the names around an act that may be told later, None for another."""
        return self._who.get(index)

    def _keep(self, new: Acts) -> None:
        if not len(new):
            return
        marks = (new.marks & int(_NOTABLE)) != 0
        groups = {
            "notable": marks | (new.kind == Kind.DECISION),
            Kind.CALL.name: (new.kind == Kind.CALL) & (new.tokens >= 0),
            Kind.TOOL.name: new.kind == Kind.TOOL,
            Kind.STEP.name: new.kind == Kind.STEP,
        }
        for group, which in groups.items():
            if which.any():
                # Put together when somebody asks: few groups are looked at with every segment.
                self._kept.setdefault(group, []).append(new if which.all() else new.where(which))

    def _forget(self, start: int) -> None:
        """Forget everything below a leaf."""
        if start <= 0:
            return
        for parts in self._kept.values():
            while parts and parts[0].index[-1] < start:
                del parts[0]
            if parts and parts[0].index[0] < start:
                parts[0] = parts[0].where(slice(int(np.searchsorted(parts[0].index, start)), None))
        cut = int(np.searchsorted(self._indexes, start))
        if cut:
            self._indexes, self._times = self._indexes[cut:], self._times[cut:]
            self.highest = _highest(self._times)
            self._who = {index: who for index, who in self._who.items() if index >= start}


def _highest(times: Numbers) -> int:
    return int(times.max()) if len(times) else 0


def _who(row: Mapping[str, str | None]) -> Who:
    tenant, project, agent, copy, conversation, trace, tool = (row[name] or "" for name in _TEXTS)
    talk = conversation or trace
    return Who(tenant, project, agent, copy or talk, talk, tool)
