"""A team's statement as a page to send: Markdown, or HTML without anything from outside."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from html import escape

from auditstream.costing.breakdown import Line
from auditstream.costing.exact import rounded
from auditstream.costing.showback import Showback

_HEAD = ("", "List", "Contracted", "Effective", "Billed", "Share", "Change")
_SHOWN = Decimal("0.000001")
_STYLE = (
    ":root{color-scheme:light dark}body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:60rem}"
    "table{border-collapse:collapse;width:100%}th,td{text-align:right;padding:.2rem .6rem;"
    "border-bottom:1px solid #8886}th:first-child,td:first-child{text-align:left}"
)


def markdown_of(found: Sequence[Showback], team: str, month: str) -> str:
    """Return the statement as Markdown."""
    return "".join(_markdown(found, team, month))


def html_of(found: Sequence[Showback], team: str, month: str) -> str:
    """Return the statement as an HTML page."""
    title = escape(f"{team}, {month}")
    body = "".join(_html(found)) or "<p>Nothing was booked.</p>"
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{_STYLE}</style></head><body><h1>What team {title} spent on AI</h1>\n{body}</body></html>\n"
    )


def _markdown(found: Sequence[Showback], team: str, month: str) -> Iterator[str]:
    yield f"# What team {_plain(team)} spent on AI, {month}\n"
    if not found:
        yield "\nNothing was booked.\n"
    for statement in found:
        for title, note, lines in _sections(statement):
            yield f"\n## {title}\n\n"
            yield f"{note}\n\n" if note else ""
            yield f"| {' | '.join(_HEAD)} |\n|---|{'---:|' * (len(_HEAD) - 1)}\n"
            for name, line in lines:
                yield f"| {' | '.join(map(_plain, (name, *_cells(line))))} |\n"


def _html(found: Sequence[Showback]) -> Iterator[str]:
    for statement in found:
        for title, note, lines in _sections(statement):
            yield f"<h2>{escape(title)}</h2>\n"
            yield f"<p>{escape(note)}</p>\n" if note else ""
            yield f"<table><thead><tr>{''.join(f'<th>{name}</th>' for name in _HEAD)}</tr></thead><tbody>"
            for name, line in lines:
                cells = "".join(f"<td>{escape(cell)}</td>" for cell in (name, *_cells(line)))
                yield f"<tr>{cells}</tr>"
            yield "</tbody></table>\n"


def _sections(statement: Showback) -> Iterator[tuple[str, str, list[tuple[str, Line]]]]:
    """Yield title, remark and lines of each part of a statement."""
    whole = statement.whole
    missing = whole.unpriced.spent.unpriced_events
    note = f"{missing} calls have no price; the amounts lack them." if missing else ""
    yield statement.currency or "Without a price", note, [("total", whole.total)]
    for name, block in statement.splits.items():
        lines = [(line.key[0] or "(none)", line) for line in block.lines]
        rest = [("(rest)", block.rest)] if block.rest is not None else []
        suffix = f", {statement.currency}" if statement.currency else ""
        yield f"By {name.replace('_', ' ')}{suffix}", "", [*lines, *rest, ("total", block.total)]


def _cells(line: Line) -> Iterator[str]:
    spent = line.spent
    for amount in (spent.cost_list, spent.cost_contracted, spent.cost_effective, spent.cost_billed):
        yield f"{rounded(amount, _SHOWN):f}" if line.has_amounts else "unpriced"
    yield "" if line.share_pct is None else f"{line.share_pct} %"
    yield "" if line.change_pct is None else f"{line.change_pct:+} %"


def _plain(text: str) -> str:
    """Return a text without what Markdown would take for its own."""
    text = "".join(each if each.isprintable() else " " for each in text)
    return "".join(f"\\{each}" if each in "\\|*_`<>[]#" else each for each in text)
