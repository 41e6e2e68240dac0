"""All dialects at once: what becomes of an attribute, whoever names it.

Names hardly overlap between dialects, and one span can carry several dialects (an instrumentation of one kind
under a framework's of another), so a span is never held to be of one dialect. Where two attributes mean the
same field, the dialect that comes first here wins.
"""

from __future__ import annotations

from functools import cache

from auditstream.gateway.otlp.dialects.general import GENERAL
from auditstream.gateway.otlp.dialects.openinference import OPENINFERENCE
from auditstream.gateway.otlp.dialects.openllmetry import OPENLLMETRY
from auditstream.gateway.otlp.dialects.semconv_0_1 import SEMCONV_0_1
from auditstream.gateway.otlp.dialects.semconv_1_36 import SEMCONV_1_36
from auditstream.gateway.otlp.dialects.semconv_1_41 import SEMCONV_1_41
from auditstream.gateway.otlp.entries import Dialect, Entry

DIALECTS: tuple[Dialect, ...] = (
    SEMCONV_0_1,
    SEMCONV_1_41,
    SEMCONV_1_36,
    OPENLLMETRY,
    OPENINFERENCE,
    GENERAL,
)
"""In the order in which they win."""

FIRST_TOKEN = frozenset().union(*(dialect.first_token for dialect in DIALECTS))
"""Names of span events that mark the first token of a streamed answer."""

Ranked = tuple[int, Entry]
"""An entry with its place among all, the winning one first."""

_ALL: list[Ranked] = list(enumerate(entry for dialect in DIALECTS for entry in dialect.entries))
_EXACT = {ranked[1].attribute: ranked for ranked in _ALL if not ranked[1].attribute.endswith("*")}
_PREFIXES = sorted(
    ((ranked[1].attribute[:-1], ranked) for ranked in _ALL if ranked[1].attribute.endswith("*")),
    key=lambda each: -len(each[0]),
)


def entry_of(attribute: str) -> Ranked | None:
    """Return what becomes of an attribute; None when no table names it, and it is kept."""
    return _EXACT.get(attribute) or _by_prefix(attribute)


def _by_prefix(attribute: str) -> Ranked | None:
    return next((ranked for prefix, ranked in _PREFIXES if attribute.startswith(prefix)), None)


@cache
def declared() -> frozenset[str]:
    """Return every attribute that a table names."""
    return frozenset(entry.attribute for _, entry in _ALL)
