"""Cases: events that a rule must match, and such that it must not, beside it in `NAME.cases.yaml`.

A file is a list of cases: `rule`, `case` (what it shows), `matches`, and `events` or `records`. Events are as
`emit` takes them; what a case leaves out is filled in. `at` is an event's time in seconds after 10:00 UTC on
Monday, 2 March 2026, or a time. Records are those of CloudTrail, or of the log that `log` names, as
`okta/okta`.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import yaml
from sigma.rule.base import SigmaYAMLLoader

from auditstream.core.errors import ContractError
from auditstream.detection.rules.fault import Fault
from auditstream.detection.rules.fields import added_columns
from auditstream.detection.rules.matching import Matcher
from auditstream.detection.rules.record_logs import RECORD_LOGS, RecordLog
from auditstream.detection.rules.rule import RuleSet
from auditstream.detection.rules.windows import crossings, hits_of
from schemas.attribute_paths import attributes_of
from schemas.contract import check
from schemas.flatten import frame_of
from schemas.intake import datum_of

BEGIN = datetime(2026, 3, 2, 10, tzinfo=UTC)
_KEYS = {"rule", "case", "matches", "events", "records", "log"}
_CLOUDTRAIL = "aws/cloudtrail"


@dataclass(frozen=True, slots=True)
class Case:
    """One case.

    Attributes:
        file: File that it is from.
        rule: Rule that it is about.
        name: What it shows.
        matches: Whether the rule must match.
        events: The events, as datums.
    """

    file: str
    rule: str
    name: str
    matches: bool
    events: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a case.

    Attributes:
        case: The case.
        found: Whether the rule matched.
    """

    case: Case
    found: bool

    @property
    def passes(self) -> bool:
        """Whether it is as it must be."""
        return self.found == self.case.matches


def read_cases(texts: Mapping[str, str]) -> tuple[list[Case], list[Fault]]:
    """Return the cases of some files, and what is wrong with the others.

    Args:
        texts: Contents by name of file.
    """
    cases: list[Case] = []
    faults: list[Fault] = []
    for file, text in texts.items():
        try:
            entries = yaml.load(text, SigmaYAMLLoader)  # noqa: S506  it is CSafeLoader's child
        except yaml.YAMLError as error:
            faults.append(Fault(file, "", "file", f"is not YAML: {' '.join(str(error).split())}"))
            continue
        if not isinstance(entries, list):
            faults.append(Fault(file, "", "file", "is no list of cases"))
            continue
        for entry in entries:
            found = _case(file, entry)
            (cases if isinstance(found, Case) else faults).append(found)  # type: ignore[arg-type]
    return cases, faults


def _case(file: str, entry: Any) -> Case | Fault:
    if not isinstance(entry, dict) or not isinstance(entry.get("rule"), str):
        return Fault(file, "", "rule", "is needed: the name of the rule that a case is about")
    rule = entry["rule"]
    if unknown := sorted(str(key) for key in entry.keys() - _KEYS):
        return Fault(file, rule, unknown[0], f"is none of {', '.join(sorted(_KEYS))}")
    if not isinstance(entry.get("matches"), bool):
        return Fault(file, rule, "matches", "is needed: true or false")
    kinds = [key for key in ("events", "records") if isinstance(entry.get(key), list) and entry[key]]
    if len(kinds) != 1:
        return Fault(file, rule, "events", "are needed, or records: a list of one or more")
    try:
        log = _log(entry.get("log", _CLOUDTRAIL))
        events = tuple(_datum(number, each, kinds[0], log) for number, each in enumerate(entry[kinds[0]]))
    except ContractError as error:
        return Fault(file, rule, str(error.context.get("field") or kinds[0]), error.message)
    return Case(file, rule, str(entry.get("case", "")), entry["matches"], events)


def _log(named: Any) -> RecordLog:
    known = {"/".join(names): log for names, log in RECORD_LOGS.items()}
    if named not in known:
        raise ContractError(f"is none of {', '.join(known)}", field="log")
    return known[named]


def _datum(number: int, entry: Any, kind: str, log: RecordLog) -> dict[str, Any]:
    if not isinstance(entry, dict):
        raise ContractError("is no mapping", field=f"{kind}[{number}]")
    given = dict(entry)
    at = given.pop("at", number)
    event: dict[str, Any] = {
        "event_id": uuid.UUID(int=number + 1),
        "event_time": at if isinstance(at, datetime | str) else BEGIN + timedelta(seconds=float(at)),
        "source": "urn:auditstream:case",
    }
    more: dict[str, Any] = given
    if kind == "records":
        attributes = attributes_of(given)
        more = {"event_type": "cloud.api_call", "source": log.source, "attributes": attributes}
        more["actor_id"] = attributes.get(log.actor)
    datum = datum_of(event | more, "audit_event")
    check(datum)
    return datum


def run_cases(rules: RuleSet, cases: Sequence[Case]) -> list[Outcome]:
    """Return what comes of each case, in order; one about a rule that is not on does not match.

    All cases are one frame, each with a tenant of its own: rules look at nothing across tenants.
    """
    events = [
        {**event, "tenant_id": str(number)} for number, case in enumerate(cases) for event in case.events
    ]
    found = _found(rules, case_frame(events)) if events else set()
    return [Outcome(case, (case.rule, str(number)) in found) for number, case in enumerate(cases)]


def _found(rules: RuleSet, events: pl.DataFrame) -> set[tuple[str, str]]:
    """Return which rule or correlation matches events of which tenant."""
    matches = {rule.about.name: (rule, rows) for rule, rows in Matcher(rules.rules.values()).matches(events)}
    tenants = events.get_column("tenant_id")
    found = {(name, tenant) for name, (_, rows) in matches.items() for tenant in tenants[rows]}
    hits = hits_of(rules.correlations, matches, events)
    crossed = crossings(rules.correlations, {}, hits)
    return found | {(each.correlation.about.name, each.tenant) for each in crossed}


def case_frame(events: Iterable[Mapping[str, Any]]) -> pl.DataFrame:
    """Return datums as the frame of a segment that they alone are in, appended as they happened."""
    frame = frame_of(list(events)).with_row_index("index")
    return frame.with_columns(
        pl.lit(None, dtype=pl.UInt64).alias("duplicate_of"),
        pl.col("event_time").to_physical().alias("stamp"),
        *(pl.lit(None, dtype=dtype).alias(name) for name, dtype in added_columns().items()),
    )
