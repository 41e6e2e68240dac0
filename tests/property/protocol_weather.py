"""What goes wrong in one run of the protocol's model, and how often."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from tests.property.protocol_model import Commit, Pause, ReadBack, Send, Step

FAULTS = (
    "kill",
    "evict",
    "freeze",
    "stop",
    "lose_insert",
    "repeat_insert",
    "crash_store",
    "wipe_group",
    "jump",
)
"""Methods of `Faults`."""


@dataclass(frozen=True, slots=True)
class Weather:
    """What goes wrong in one run, and how often.

    Attributes:
        faults: Kinds of fault and their weights, against 100 for everything else.
        ticks: Weight of time passing by itself.
        timer: Weight of the commit timer.
        resumes: Weight of a frozen worker going on.
        strikes: Chance that a worker is struck before or after a step of a lane.
        focus: The only kind of step at which it is struck, four times as often; any kind when None.
        kills: Share of the strikes that kill; the others freeze.
        evictions: Share of the strikes after which the group moves on at once.
        wipes: Share of the strikes after which everybody is evicted and the group's offsets are gone.
        slow: Share of the requests that get stuck on their way; half of those of a struck worker.
        pace: Chance that a stuck request moves, each time it is looked at.
        lost_answers: Share of the store's answers that never arrive.
        lost_commit_answers: Share of the group's answers to commits that never arrive.
    """

    faults: dict[str, float]
    ticks: float
    timer: float
    resumes: float
    strikes: float
    focus: type[Step] | None
    kills: float
    evictions: float
    wipes: float
    slow: float
    pace: float
    lost_answers: float
    lost_commit_answers: float

    @classmethod
    def draw(cls, chance: Random) -> Weather:
        """Draw a weather: few kinds of fault and extremes of some, so that runs differ from each other."""
        kinds = chance.sample(FAULTS, chance.randint(1, 5))
        evictions = chance.choice([0.0, 0.3, 0.6])
        return cls(
            faults={kind: chance.choice([0.1, 0.3, 0.6]) for kind in kinds},
            ticks=chance.choice([1, 4, 10]),
            timer=chance.choice([0, 1, 4]),
            resumes=chance.choice([0.2, 0.5, 1.0]),
            strikes=chance.choice([0.0, 0.01, 0.03]),
            focus=chance.choice([None, None, Commit, Send, ReadBack, Pause]),
            kills=chance.choice([0.0, 0.5, 1.0]),
            evictions=evictions,
            wipes=chance.choice([0.0, 0.3]) if evictions else 0.0,
            slow=chance.choice([0.0, 0.1, 0.4]),
            pace=chance.choice([0.03, 0.1, 0.3]),
            lost_answers=chance.choice([0.02, 0.1, 0.3]),
            lost_commit_answers=chance.choice([0.0, 0.02, 0.1]),
        )
