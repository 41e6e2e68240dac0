"""Columns of a list of events: which there are, which are shown, and what a cell of each shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup, escape

from auditstream.console.formats import NOTHING, moment_tag, money, number
from auditstream.console.kinds import TONES, kind_of

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        name: As an address has it.
        title: As its head shows it.
        shown: Makes a cell of a row of a search.
        is_number: Whether it is aligned to the right.
        class_: Class of its cells.
        icon: Names the icon that a cell begins with.
    """

    name: str
    title: str
    shown: Callable[[Record], Markup | str]
    is_number: bool = False
    class_: str = ""
    icon: Callable[[Record], str] = lambda _: ""


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell.

    Attributes:
        html: What it shows.
        class_: Its class.
        icon: Name of the icon that it begins with; empty for none.
    """

    html: Markup | str
    class_: str
    icon: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One row of a list.

    Attributes:
        id: The event's id.
        link: Its own page.
        peek: Address of its panel.
        cells: One a column.
    """

    id: str
    link: str
    peek: str
    cells: tuple[Cell, ...]


def _text(name: str) -> Callable[[Record], Markup | str]:
    return lambda row: Markup('<span title="{0}">{0}</span>').format(row[name]) if row[name] else NOTHING


def _who(row: Record) -> Markup | str:
    who = row["agent_id"] or row["actor_id"]
    beside = row["actor_id"] if row["agent_id"] and row["actor_id"] != row["agent_id"] else ""
    if not who:
        return Markup('<span class="dim" title="{0}">{0}</span>').format(row["source"])
    said = Markup('<span title="{0}">{0}</span>').format(who)
    return said + Markup(' <span class="dim">{}</span>').format(beside) if beside else said


def _what(row: Record) -> Markup | str:
    if row["tool_name"]:
        return escape(row["tool_name"])
    if row["model"]:
        provider = row["inference_provider"]
        return Markup('<span title="{}">{}</span>').format(f"{provider} {row['model']}".strip(), row["model"])
    return NOTHING


def _kind(row: Record) -> Markup:
    return Markup('<span title="{}">{}</span>').format(row["event_type"], kind_of(row["event_type"]).words)


def _outcome(row: Record) -> Markup | str:
    value = row["outcome"]
    if not value:
        return NOTHING
    return Markup('<span class="badge {}">{}</span>').format(TONES.get(value, ""), value.lower())


def _id(row: Record) -> Markup:
    return Markup('<span class="mono">{}</span>').format(row["event_id"])


COLUMNS: Sequence[Column] = (
    Column("time", "Time (UTC)", lambda row: moment_tag(row["event_time"])),
    Column("type", "Kind", _kind, icon=lambda row: kind_of(row["event_type"]).icon),
    Column("tenant", "Tenant", _text("tenant_id"), class_="long"),
    Column("who", "Who", _who, class_="long"),
    Column("what", "Model or tool", _what, class_="long"),
    Column("outcome", "Outcome", _outcome),
    Column(
        "input_tokens", "Tokens in", lambda row: number(row["input_tokens"]), is_number=True, class_="number"
    ),
    Column(
        "output_tokens",
        "Tokens out",
        lambda row: number(row["output_tokens"]),
        is_number=True,
        class_="number",
    ),
    Column(
        "cost",
        "Cost",
        lambda row: money(row["cost_effective"], row["cost_currency"], row["cost_status"]),
        is_number=True,
        class_="number",
    ),
    Column("source", "Source", _text("source"), class_="long"),
    Column("project", "Project", _text("project_id"), class_="long"),
    Column("agent", "Agent", _text("agent_id"), class_="long"),
    Column("actor", "Actor", _text("actor_id"), class_="long"),
    Column("provider", "Provider", _text("inference_provider")),
    Column("model", "Model", _text("model"), class_="long"),
    Column("tool", "Tool", _text("tool_name"), class_="long"),
    Column("trace", "Trace", _text("trace_id"), class_="mono"),
    Column("id", "Event id", _id),
)
"""Every column that a list can show."""

USUAL = ("time", "type", "tenant", "who", "what", "outcome", "input_tokens", "output_tokens", "cost")
"""Columns of a list that names none."""


def chosen(names: Sequence[str]) -> list[Column]:
    """Return the columns of these names, in their own order; the usual ones when none is known.

    The time always comes first: it is what a row is opened by.
    """
    wanted = {"time", *names} if set(names) & {each.name for each in COLUMNS} else set(USUAL)
    return [each for each in COLUMNS if each.name in wanted]


def cells(columns: Sequence[Column], record: Record) -> tuple[Cell, ...]:
    """Return the cells of a row."""
    return tuple(Cell(each.shown(record), each.class_, each.icon(record)) for each in columns)
