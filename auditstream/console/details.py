"""One event in full: its fields in groups that a reader thinks in, each with the search that it leads to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from markupsafe import Markup

from auditstream.console.filters import narrowed
from auditstream.console.formats import length, moment_tag, money, number, plain, size, total_money, utc
from auditstream.console.links import Link, link_of
from auditstream.console.ranges import iso
from auditstream.query.fields import FIELDS

Row = Mapping[str, Any]

_SEARCHED = frozenset({"text", "enum", "flag", "uuid"})
_MONO = ("_id", "_hmac", "_hash", "_ip")
_AROUND = timedelta(minutes=5)  # what a source did just before and after says why
_LONGEST_LINKED = 300  # characters of a value that a link repeats

# Shown elsewhere on the page, or of no use to a reader.
_ELSEWHERE = frozenset({
    "event_type", "outcome", "costs", "raw", "raw_null", "leaf_hash", "log_id", "leaf_index", "cost_status",
    "cost_currency", "leaf_kind", "ingest_day", "sealed", "attributes", "insert_by",
})  # fmt: skip

_GROUPS: Sequence[tuple[str, tuple[str, ...]]] = (
    ("Who", ("actor_", "credential_", "session_", "agent_id", "agent_name", "agent_version", "agent_instance",
             "agent_framework", "delegation_", "src_", "user_agent")),
    ("What", ("inference_", "retrieval_", "tool_", "agent_step_", "policy_", "review_", "evaluation_",
              "limit_", "routing_", "experiment_", "access_", "change_", "budget_", "discovery_",
              "data_access_",
              "finding_", "heartbeat_", "error_type", "http_status", "severity", "duration_us")),
    ("For whom", ("tenant_", "project_", "team_", "feature_", "cost_center", "environment", "attribution_")),
    ("Use and price", ("input_tokens", "output_tokens", "cache_", "reasoning_", "usage_", "cost_", "price_",
                       "computed_", "unpriced_", "reference_")),
    ("Connections", ("trace_", "span_", "parent_span_", "conversation_", "causation_", "same_call_as",
                     "idempotency_")),
    ("Contents", ("content_", "seal_", "data_classes")),
    ("Origin", ("event_id", "event_time", "observed_time", "source", "schema_", "kafka_", "segment_",
                "inserted_at", "duplicate_of", "enricher_", "reject_")),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fact:
    """One field.

    Attributes:
        name: Its column.
        html: Its value.
        links: Searches for events that have the same, and that have not; None where it cannot be searched.
        mono: Whether it is shown letter by letter.
    """

    name: str
    html: Markup | str
    links: tuple[Link, Link] | None
    mono: bool


@dataclass(frozen=True, slots=True)
class Group:
    """Fields that belong together.

    Attributes:
        title: What they tell.
        facts: The fields.
    """

    title: str
    facts: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class Tile:
    """One number worth a look.

    Attributes:
        name: What it is.
        value: The number.
    """

    name: str
    value: Markup | str


@dataclass(frozen=True, slots=True)
class Related:
    """Where the events are that belong to this one.

    Attributes:
        words: What they are.
        href: Their page.
        icon: Name of an icon.
    """

    words: str
    href: Link
    icon: str


def groups(row: Row, page: Link, query: str) -> list[Group]:
    """Return the fields of an event that have a value, in groups.

    Args:
        row: The event, all columns by name.
        page: The page that a field's searches narrow.
        query: Its query.
    """
    found = []
    left = [name for name in row if name not in _ELSEWHERE and _says(row[name])]
    for title, prefixes in _GROUPS:
        names = [name for name in left if _belongs(name, prefixes)]
        left = [name for name in left if name not in names]
        if names:
            found.append(Group(title, tuple(_fact(name, row, page, query) for name in names)))
    rest = [_fact(name, row, page, query) for name in left]
    rest += list(_attributes(row, page, query))
    if rest:
        found.append(Group("Attributes", tuple(rest)))
    return found


def tiles(row: Row) -> list[Tile]:
    """Return the numbers of an event that are looked for first."""
    found = []
    if row.get("cost_effective") is not None or row.get("cost_status") == "unpriced":
        amount = row.get("cost_effective")
        unpriced = row.get("cost_status") == "unpriced"
        shown = money(None, status="unpriced") if unpriced else total_money(amount, str(row["cost_currency"]))
        found.append(Tile("Cost", shown))
    for name, title in (("input_tokens", "Tokens in"), ("output_tokens", "Tokens out")):
        if row.get(name) is not None:
            found.append(Tile(title, number(row[name])))
    if row.get("duration_us") is not None:
        found.append(Tile("Took", length(row["duration_us"])))
    if row.get("inference_ttft_us") is not None:
        found.append(Tile("First token after", length(row["inference_ttft_us"])))
    return found


def related(row: Row, root: str) -> list[Related]:
    """Return where to go on from an event."""
    found = []
    whole = link_of(root, "/events", {"since": "all"})
    if trace_id := row.get("trace_id"):
        run = link_of(root, f"/runs/{trace_id}", {"peek": str(row["event_id"])})
        found.append(Related("Agent run", run, "list-tree"))
    for name, field, words, icon in (
        ("conversation_id", "conversation", "Conversation", "message-square"),
        ("session_id", "session", "Session", "user"),
        ("credential_id", "credential", "Same key", "key-round"),
    ):
        if value := row.get(name):
            found.append(Related(words, narrowed(whole, "", field, str(value)), icon))
    if row.get("source") and row.get("event_time"):
        at = utc(row["event_time"])
        around = {"from": iso(at - _AROUND), "to": iso(at + _AROUND)}
        near = narrowed(link_of(root, "/events", around), "", "source", str(row["source"]))
        found.append(Related("Around it", near, "clock"))
    for name in (
        "policy_subject_event_id",
        "review_subject_event_id",
        "evaluation_subject_event_id",
        "causation_id",
    ):
        if value := row.get(name):
            found.append(Related("What it is about", link_of(root, f"/events/{value}"), "arrow-right"))
            break
    return found


def change(row: Row) -> dict[str, str] | None:
    """Return what an event changed, before and after; None when it changed nothing."""
    if not row.get("change_object_type"):
        return None
    what = f"{row['change_object_type']} {row.get('change_object_id') or ''}".strip()
    return {
        "what": what,
        "before": row.get("change_before_hash") or "",
        "after": row.get("change_after_hash") or "",
    }


def _belongs(name: str, prefixes: Sequence[str]) -> bool:
    return any(
        name == prefix
        or (prefix.endswith("_") and name.startswith(prefix))
        or (not prefix.endswith("_") and name.startswith(f"{prefix}_"))
        for prefix in prefixes
    )


def _fact(name: str, row: Row, page: Link, query: str) -> Fact:
    value = row[name]
    return Fact(name, _shown(name, value, row), _links(name, value, page, query), name.endswith(_MONO))


def _attributes(row: Row, page: Link, query: str) -> Iterator[Fact]:
    for key, value in sorted((row.get("attributes") or {}).items()):
        name = f"attributes.{key}"
        can = not set(key) & set(' :<>"') and len(value) <= _LONGEST_LINKED
        links = _both(page, query, name, value) if can else None
        yield Fact(name, str(value), links, mono=False)


def _shown(name: str, value: Any, row: Row) -> Markup | str:
    if isinstance(value, datetime):
        return moment_tag(value, "dated")
    if isinstance(value, Decimal):
        currency = str(row.get("budget_currency" if name.startswith("budget_") else "cost_currency") or "")
        return money(value, currency)
    if name.endswith("_us"):
        return length(int(value))
    if name.endswith("_bytes"):
        return size(int(value))
    if isinstance(value, int) and not isinstance(value, bool):
        return number(value)
    return plain(value)


def _links(name: str, value: Any, page: Link, query: str) -> tuple[Link, Link] | None:
    field = FIELDS.get(name)
    if field is None or field.kind not in _SEARCHED:
        return None
    text = plain(value)
    return _both(page, query, name, text) if 0 < len(text) <= _LONGEST_LINKED else None


def _both(page: Link, query: str, field: str, text: str) -> tuple[Link, Link]:
    return narrowed(page, query, field, text), narrowed(page, query, field, text, negated=True)


def _says(value: object) -> bool:
    return value is not None and value not in ("", b"", [], {}, (), "UNKNOWN")
