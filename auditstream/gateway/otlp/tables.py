"""The mapping tables as a page: `python -m auditstream.gateway.otlp.tables` prints it."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator

from auditstream.gateway.otlp import conversions
from auditstream.gateway.otlp.entries import Content, Dialect, Entry, Ignored, Kept, Mapped, Opened
from auditstream.gateway.otlp.gathering import Bounds
from auditstream.gateway.otlp.index import DIALECTS
from auditstream.gateway.otlp.kinds import FAMILIES, RULES, Kind

_HEAD = f"""# What OpenTelemetry's attributes become

Generated from the code by `python -m auditstream.gateway.otlp.tables`; change the tables in
`auditstream/gateway/otlp/dialects/`. How to send is in [the guide](../how-to/opentelemetry.md).

All dialects are read at once: a span may mix them. Where two attributes mean one field, the dialect further
up wins, and the other value is kept if it differs.

- A field: the attribute's value becomes that field of the event. Where the event does not have the field's
  family, the attribute is kept: tokens of an agent's span are not counted, as the model calls inside it have
  their own spans.
- *kept*: stays in `attributes` under its own name, as text. So does every attribute that is in no table, and
  every value that the conversion cannot take. At most {Bounds.ATTRIBUTES} attributes of {Bounds.VALUE_CHARS}
  characters stay; `{Bounds.CUT}` counts what was cut.
- *content*: measured (`content_bytes`, `content_hmac`) and dropped, or sealed where the tenant chose so; the
  same content has the same HMAC as by any [other door](../explanation/privacy.md).
- *ignored*: dropped, for the reason given.
"""


def page() -> str:
    """Return the page as Markdown, the same for the same code."""
    return "\n".join(
        [_HEAD, *_kinds(), *_conversions(), *(line for each in DIALECTS for line in _dialect(each))]
    )


def _kinds() -> Iterator[str]:
    yield "## Which spans are events\n"
    yield "The first of these attributes that a span has decides. A span without any is `ai.inference`"
    yield "when it names a model. Other spans are no events and are left out, without a word in the answer.\n"
    yield "| Attribute | Value | Event | Note |\n|---|---|---|---|"
    for rule in RULES:
        for value, kind in rule.kinds.items():
            yield _kind_row(rule.attribute, f"`{value}`", kind)
        if rule.otherwise is not None:
            yield _kind_row(rule.attribute, "any other", rule.otherwise)
    yield ""
    yield "Events inside a span, and log records: `gen_ai.evaluation.result` is `ai.evaluation`,"
    yield "`feature_flag.evaluation` is `ai.experiment.assignment`.\n"
    yield "| Event | Families |\n|---|---|"
    yield from (f"| {kind} | {', '.join(sorted(families))} |" for kind, families in FAMILIES.items())
    yield ""


def _kind_row(attribute: str, value: str, kind: Kind) -> str:
    event = kind.event_type or "none"
    return f"| `{attribute}` | {value} | {event} | {kind.note} |"


def _conversions() -> Iterator[str]:
    used = {entry.convert for dialect in DIALECTS for entry in dialect.entries if isinstance(entry, Mapped)}
    yield "## Conversions\n"
    yield "| Name | What it makes |\n|---|---|"
    for convert in sorted(used, key=_name):
        yield f"| {_name(convert)} | {inspect.getdoc(convert)} |"
    yield ""


def _name(convert: conversions.Convert) -> str:
    return convert.__name__.replace("_", " ")


def _dialect(dialect: Dialect) -> Iterator[str]:
    yield f"## {dialect.title}\n"
    yield f"{dialect.about} Source: <{dialect.source}>\n"
    if dialect.first_token:
        names = ", ".join(f"`{name}`" for name in sorted(dialect.first_token))
        yield f"First token (`inference.ttft_us`), by an event inside the span: {names}.\n"
    yield "| Attribute | Becomes | Conversion | Versions | Note |\n|---|---|---|---|---|"
    for entry in dialect.entries:
        cells = (f"`{entry.attribute}`", _becomes(entry), _converted(entry), _versions(entry), entry.note)
        yield f"| {' | '.join(cells)} |"
    yield ""


def _becomes(entry: Entry) -> str:
    match entry:
        case Mapped():
            return ", else ".join(f"`{path}`" for path in entry.fields)
        case Opened():
            members = ", ".join(f"{path}: `{field}`" for path, (field, _) in entry.members.items())
            return f"members: {members}" + (f"; content ({entry.role})" if entry.role else "")
        case Content():
            return f"content ({entry.role})" + (
                f"; number of items: `{entry.counted}`" if entry.counted else ""
            )
        case Kept():
            return "kept"
        case Ignored():
            return "ignored"


def _converted(entry: Entry) -> str:
    return _name(entry.convert) if isinstance(entry, Mapped) else ""


def _versions(entry: Entry) -> str:
    since = f"from {entry.since}" if entry.since else ""
    until = f"up to {entry.until}" if entry.until else ""
    return " ".join(filter(None, (since, until)))


if __name__ == "__main__":
    sys.stdout.write(page())
