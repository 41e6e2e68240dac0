"""`injection.to_action`: an injection was seen, and within ten minutes the conversation changes something.

Catalogue D07. The decision and the tool call may reach the log in either order; what counts is when they
happened. One sighting a decision: that of the first call after it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from auditstream.detection.acts import Acts, Mark, is_among
from auditstream.detection.severities import Severity
from auditstream.detection.sighting import Sighting, named, samples
from auditstream.detection.window import Moment

RULE = "injection.to_action"
WITHIN_US = 600_000_000
ATTACKS = ("AML.T0051.001", "AML.T0053", "LLM01", "ASI01", "MCP06")


def injections_to_actions(moment: Moment) -> Iterator[Sighting]:
    """Yield the injections that a segment's acts show to have led to an action, or may have.

    Severity is critical, and high where the injection was blocked: another attempt may have come through.
    """
    new = moment.new.marked(Mark.INJECTED | Mark.CHANGES)
    new = new.where(new.conversation != 0)
    if not len(new):
        return
    acts = moment.notable().marked(Mark.INJECTED | Mark.CHANGES)
    acts = acts.where(is_among(acts.conversation, new.conversation))
    signals, actions = acts.marked(Mark.INJECTED), acts.marked(Mark.CHANGES)
    if not len(signals) or not len(actions):
        return
    for place in range(len(signals)):
        after = _after(signals, place, actions)
        if not len(after):
            continue
        # Told already, when the injection and an action after it were in the log before.
        seen = np.maximum(after.index, signals.index[place])
        if moment.is_new(int(seen.min())):
            first = after.where(np.lexsort((after.index, after.time))[:1])
            yield _sighting(moment, signals.where(slice(place, place + 1)), first)


def _after(signals: Acts, place: int, actions: Acts) -> Acts:
    """Return the actions that follow an injection in its conversation, within the time by both clocks."""
    after = actions.time - signals.time[place]
    apart = np.abs(actions.stamp - signals.stamp[place])
    follows = (actions.conversation == signals.conversation[place]) & (after >= 0) & (after <= WITHIN_US)
    return actions.where(follows & (apart <= WITHIN_US))


def _sighting(moment: Moment, signal: Acts, action: Acts) -> Sighting:
    blocked = bool(signal.marks[0] & int(Mark.BLOCKS))
    seconds = int(action.time[0] - signal.time[0]) // 1_000_000
    said = "was seen and blocked" if blocked else "was seen"
    index = int(action.index[0])
    who = moment.who(index if moment.is_new(index) else int(signal.index[0]))
    return Sighting(
        rule=RULE,
        tenant=who.tenant,
        scope=named(agent=who.agent, conversation=who.conversation),
        metric="seconds_to_action",
        title=f"an injection {said}, and {seconds} s later its conversation called"
        f" {who.tool or 'a tool that changes something'}",
        severity=Severity.HIGH if blocked else Severity.CRITICAL,
        anchor=samples(signal.ids())[0],
        first_us=int(signal.time[0]),
        last_us=int(action.time[0]),
        observed=float(seconds),
        expected=WITHIN_US / 1_000_000,
        events=samples([*signal.ids(), *action.ids()]),
        attacks=ATTACKS,
    )
