"""The OCSF mapping as a page: `python -m auditstream.exports.ocsf.page` prints it."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from auditstream.exports.ocsf.classes import CLASSES, OcsfClass
from auditstream.exports.ocsf.envelope import ACTOR, CLIENT, EVENT, OUTCOME, TAGS, TRACE, USER_AGENT
from auditstream.exports.ocsf.event import OCSF_VERSION
from auditstream.exports.ocsf.kinds import BREACH, KINDS, OTHER_TYPES, Kind
from auditstream.exports.ocsf.rules import Rule
from auditstream.query.event_rows import SCHEMA

_HEAD = f"""# What events become in OCSF

Generated from the code by `python -m auditstream.exports.ocsf.page`; change the tables in
`auditstream/exports/ocsf/`. How to export is in [the guide](../how-to/export.md).

Events are written in OCSF {OCSF_VERSION}. What OCSF has no attribute for, costs first of all, is in
`unmapped` under the name of its column. A column that an attribute says less exactly is in both places: it is
marked ≈. `metadata.version` is OCSF's, `metadata.log_version` the contract's. An id that OCSF requires and
nobody knows is `unknown`; an application, a service or an endpoint that nobody named is the event's source.
Of a query of the record its HMAC alone is recorded: `query_info.uid` has it, and `query_info.query_string` is
empty.
"""

_SHARED = {
    "every class": EVENT,
    "whose status is how the action ended": OUTCOME,
    "with an actor": ACTOR,
    "with a client": CLIENT,
    "with a request over HTTP": USER_AGENT,
    "API Activity": TRACE,
}


def page() -> str:
    """Return the page as Markdown, the same for the same code."""
    lines = [_HEAD, *_kinds()]
    for name, rules in _SHARED.items():
        lines += [
            f"## Columns of {name}\n"
            if name[0].isupper() or name == "every class"
            else f"## Columns of classes {name}\n",
            *_rules(rules),
        ]
    lines += [
        f"{', '.join(f'`{each}`' for each in TAGS)} are `metadata.tags`.\n",
        *(line for each in CLASSES for line in _class(each)),
        *_unmapped(),
    ]
    return "\n".join(lines)


def _kinds() -> Iterator[str]:
    yield "## Types\n"
    yield "| Event | Class | Activity |\n|---|---|---|"
    yield from (_kind(f"`{event_type}`", kind) for event_type, kind in KINDS.items())
    yield _kind("`ai.budget` with a `budget_threshold_pct` of 100 or more", BREACH)
    yield _kind("any other type", OTHER_TYPES)
    yield ""


def _kind(event_type: str, kind: Kind) -> str:
    return f"| {event_type} | {kind.ocsf_class.uid} {kind.ocsf_class.name} | {kind.said} |"


def _rules(rules: tuple[Rule, ...]) -> Iterator[str]:
    yield "| Column | Attribute |\n|---|---|"
    yield from (f"| `{each.column}`{'' if each.exact else ' ≈'} | `{each.path}` |" for each in rules)
    yield ""


def _class(ocsf_class: OcsfClass) -> Iterator[str]:
    shared = {rule for rules in _SHARED.values() for rule in rules}
    own = tuple(each for each in ocsf_class.rules if each not in shared)
    if not own:
        return
    yield f"## {ocsf_class.name}\n"
    profiles = ", ".join(f"`{each}`" for each in ocsf_class.profiles)
    yield f"`class_uid` {ocsf_class.uid}, profiles {profiles}.\n"
    yield from _rules(own)


def _unmapped() -> Iterator[str]:
    mapped = {rule.column for each in CLASSES for rule in each.rules} | {*TAGS}
    yield "## Columns without an attribute in any class\n"
    yield ", ".join(f"`{name}`" for name in SCHEMA.names if name not in mapped) + ".\n"


if __name__ == "__main__":
    sys.stdout.write(page())
