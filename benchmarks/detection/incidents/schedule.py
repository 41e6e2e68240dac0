"""Which incidents a seed plants, into whom, and when; and all events of the set in the order of time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from random import Random

import numpy as np

from auditstream.demo.incident import Incident, IncidentKind
from benchmarks.detection.incidents.quiet import Draft, Writer, ordinary, turns
from benchmarks.detection.incidents.services import SERVICES, Service
from benchmarks.detection.incidents.shapes import SHAPES, Planted, Shape

DAYS = 4
MINUTES = DAYS * 1_440

_FIRST = 2 * 1_440
"""Minute from which on incidents begin: before, everything is quiet and teaches."""

_LAST = MINUTES - 300  # the longest that is not a slow burn has three hours, and there is time to find it
_APART = 240
"""Minutes between the beginnings of two incidents of a tenant: each is to be found by itself."""

_BUSY = 0.3
"""How busy a service must be at a time that an incident begins; thieves do not look at that."""

_BURN_WITHIN = 360
"""Minutes of the third day within which a slow burn begins: the rest of the set is its time."""

_INTO: dict[IncidentKind, tuple[str, ...]] = {
    "stolen_key": ("storefront", "buyer-desk", "npc-voices", "desk-copilot"),
    "agent_loop": ("buyer-desk", "desk-copilot"),
    "guardrail_storm": ("storefront", "npc-voices", "desk-copilot"),
    "silent_model_swap": ("storefront", "buyer-desk", "npc-voices", "desk-copilot"),
    "spend_spike": ("storefront", "npc-voices", "desk-copilot", "nightly-screening"),
    "unregistered_mcp_server": ("buyer-desk", "desk-copilot"),
    "slow_burn": ("storefront", "npc-voices", "desk-copilot"),
}
"""Projects that a kind can happen to."""


@dataclass(frozen=True, slots=True)
class SecondSet:
    """Everything of one seed.

    Attributes:
        incidents: What is planted.
        events: All events, by time.
    """

    incidents: Sequence[Incident]
    events: Sequence[Draft]


def second_set(seed: int, spans: Sequence[range] = (range(MINUTES),)) -> SecondSet:
    """Return the traffic of a seed: four days of three tenants with one incident of each kind.

    Args:
        seed: The seed.
        spans: Minutes of the set whose ordinary turns are written; what incidents add is there always.
    """
    planted = planted_by(seed)
    changes = [change for each in planted for change in each.changes]
    events = [event for each in planted for event in each.events]
    for place, service in enumerate(SERVICES):
        writer = Writer(service, Random(f"{seed} {service.credential}"), changes)
        counts = turns(service, MINUTES, (seed, place), changes)
        kept = np.zeros_like(counts)
        for span in spans:
            kept[span.start : span.stop] = counts[span.start : span.stop]
        events += ordinary(writer, kept)
    events.sort(key=lambda event: (event["event_time"], event["event_id"]))
    return SecondSet([each.incident for each in planted], events)


def planted_by(seed: int) -> list[Planted]:
    """Return one incident of each kind; the forms of a kind take turns with the seeds."""
    random = Random(f"second set {seed}")
    found: list[Planted] = []
    taken: dict[str, list[int]] = {}
    for place, (kind, forms) in enumerate(groupby(SHAPES, key=lambda each: each.kind)):
        of_kind = list(forms)
        shape = of_kind[(seed + place) % len(of_kind)]
        service = _service(random, shape)
        start = _start(random, shape, service, taken.setdefault(service.tenant, []))
        found.append(shape.plant(Writer(service, Random(f"{seed} {kind}")), start))
    return found


def _service(random: Random, shape: Shape) -> Service:
    project = random.choice(_INTO[shape.kind])
    return next(each for each in SERVICES if each.project == project)


def _start(random: Random, shape: Shape, service: Service, taken: list[int]) -> int:
    if shape.kind == "slow_burn":
        return _FIRST + random.randrange(_BURN_WITHIN)
    possible = [
        minute
        for minute in range(_FIRST, _LAST)
        if (shape.kind == "stolen_key" or service.busy(minute) >= _BUSY)
        and all(abs(minute - other) >= _APART for other in taken)
    ]
    start = random.choice(possible)
    taken.append(start)
    return start
