"""Templates made into text: everything printed is escaped, and a name that is not there is an error."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from auditstream.console import formats
from auditstream.console.assets import asset_path
from auditstream.console.kinds import TONES, kind_of
from auditstream.console.ranges import PRESETS

_FLUSH = "\0"  # no text of HTML: a browser would show something else in its place
_FOLDER = Path(__file__).parent / "templates"


def rendered(template: str, context: Mapping[str, Any]) -> str:
    """Return a template's text."""
    return environment().get_template(template).render(context)


def pieces(template: str, context: Mapping[str, Any]) -> Iterator[str]:
    """Yield a template's text in pieces that end where it has `{{ flush }}`, each made when asked for."""
    held: list[str] = []
    for text in environment().get_template(template).generate(context):
        held.append(text)
        if _FLUSH in text:
            yield "".join(held).replace(_FLUSH, "")
            held.clear()
    yield "".join(held)


@cache
def environment() -> Environment:
    """Return what knows the templates, and how values look in them."""
    made = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals.update(asset=_asset, flush=_FLUSH, kind_of=kind_of, tones=TONES, presets=PRESETS)
    made.filters.update(
        moment=formats.moment_tag,
        clock=_clock,
        number=formats.number,
        money=formats.money,
        total_money=formats.total_money,
        took=formats.length,
        size=formats.size,
        pretty=formats.pretty,
        plain=formats.plain,
        ago=formats.ago,
        since=_since,
        exact=_exact,
        commands=formats.commands,
        capitalize_first=_capitalized,
    )
    return made


@pass_context
def _asset(context: Context, name: str) -> str:
    root: str = context["root"]
    return root + asset_path(name)


def _since(seconds: float | None) -> Markup | str:
    """Return a length of time in seconds in its largest two units; no fractions from a minute on."""
    return formats.NOTHING if seconds is None else formats.length(timedelta(seconds=max(0.0, seconds)))


def _clock(value: datetime) -> str:
    return value.strftime("%H:%M:%S")


def _exact(value: Decimal | None) -> Markup | str:
    """Return a decimal whole, without the zeros that its column adds."""
    if value is None:
        return formats.NOTHING
    text = f"{value:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _capitalized(text: str) -> str:
    """Return a sentence with a large first letter; a name that it begins with stays as it is."""
    first = text.partition(" ")[0]
    return text[:1].upper() + text[1:] if first.rstrip(":,").isalpha() else text
