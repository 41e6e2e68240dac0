"""What the shipped rules say of lines of a format, without any service: the datums as one frame."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from auditstream.detection.rules.cases import case_frame
from auditstream.detection.rules.matching import Matcher
from auditstream.detection.rules.packaged import shipped_rules
from auditstream.detection.rules.reading import read_rules
from auditstream.detection.rules.windows import crossings, hits_of
from auditstream.emit.formats import FORMATS
from auditstream.emit.reading import Accepted, Options, Reading
from auditstream.emit.source import opened

RULES, _ = read_rules(shipped_rules())


@dataclass(frozen=True, slots=True)
class Flag:
    """That a rule matched.

    Attributes:
        rule: Its name.
        time: Time of the first event that it matched.
    """

    rule: str
    time: datetime


def imported(folder: Path, records: Iterable[Any], name: str = "cloudtrail") -> list[Reading]:
    """Return what a format makes of records, one a line."""
    path = folder / "records.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    with opened(str(path)) as source:
        return list(FORMATS[name](source, Options(tenant="acme")))


def flags(readings: Iterable[Reading], *, counted: bool = False) -> list[Flag]:
    """Return which rules match the events, in the order of the first event of each.

    Args:
        readings: What a format made of lines.
        counted: Whether those that only a correlation counts are told as well.
    """
    events = case_frame([reading.datum for reading in readings if isinstance(reading, Accepted)])
    matches = {rule.about.name: (rule, rows) for rule, rows in Matcher(RULES.rules.values()).matches(events)}
    times = events.get_column("event_time")
    found = [
        Flag(name, times[rows].min())  # type: ignore[arg-type]
        for name, (rule, rows) in matches.items()
        if rule.reports or counted
    ]
    hits = hits_of(RULES.correlations, matches, events)
    ids = dict(zip(events["event_id"], times, strict=True))
    for each in crossings(RULES.correlations, {}, hits):
        found.append(Flag(each.correlation.about.name, min(ids[event_id] for event_id in each.event_ids)))
    return sorted(found, key=lambda each: (each.time, each.rule))
