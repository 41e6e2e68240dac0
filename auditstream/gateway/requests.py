"""What a request says about itself: headers, media type, mode, caller."""

from __future__ import annotations

import re
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast, get_args
from urllib.parse import parse_qs

from auditstream.core.settings import Mode
from auditstream.gateway.problems import RefusedError

Scope = MutableMapping[str, Any]
MODE_HEADER = b"auditstream-mode"
_MODES: frozenset[str] = frozenset(get_args(Mode))
_MEDIA_TYPE = re.compile(r"\s*([!#$%&'*+.^_`|~0-9a-z-]+/[!#$%&'*+.^_`|~0-9a-z-]+)\s*(?:;(.*))?", re.DOTALL)
_CHARSET = re.compile(r"\bcharset\s*=\s*\"?([^\s;\"]+)")


@dataclass(frozen=True, slots=True)
class Head:
    """The head of a request.

    Attributes:
        headers: By lower-case name; of one that is repeated, the last.
        query: The query string.
        address: The peer's address; empty when it is not known.
    """

    headers: Mapping[bytes, bytes]
    query: bytes
    address: str

    @classmethod
    def of(cls, scope: Scope) -> Head:
        """Return the head of an ASGI request."""
        client = scope.get("client")
        return cls(dict(scope["headers"]), scope.get("query_string", b""), client[0] if client else "")

    def text(self, name: bytes) -> str | None:
        """Return a header's value as text; bytes that are not ASCII as Latin-1, which no comparison takes."""
        value = self.headers.get(name)
        return None if value is None else value.decode("latin-1")

    def media_type(self) -> str:
        """Return the body's media type without parameters, in lower case.

        Raises:
            RefusedError: There is none, it is none, or its charset is not UTF-8.
        """
        given = self.headers.get(b"content-type")
        if given is None:
            raise RefusedError(
                "unsupported_type", "content-type: says nothing of the body's format", field="content-type"
            )
        return _media_type(given)

    def mode(self, otherwise: Mode, *, may_choose: bool) -> Mode:
        """Return how the request wants to be answered.

        Args:
            otherwise: Mode of the route.
            may_choose: Whether a request may name another one.

        Raises:
            RefusedError: It names none that there is, or may not name one.
        """
        if not self.query and MODE_HEADER not in self.headers:
            return otherwise
        named = parse_qs(self.query.decode("latin-1")).get("mode", [])[-1:] or [self.text(MODE_HEADER) or ""]
        wanted = named[0]
        if not wanted or wanted == otherwise:
            return otherwise
        if wanted not in _MODES:
            raise RefusedError("bad_mode", f"mode: is none of {', '.join(get_args(Mode))}", field="mode")
        if not may_choose:
            raise RefusedError(
                "bad_mode", f"mode: this gateway answers here as {otherwise} only", field="mode"
            )
        return cast("Mode", wanted)


@lru_cache(maxsize=256)
def _media_type(given: bytes) -> str:
    found = _MEDIA_TYPE.fullmatch(given.decode("latin-1").lower())
    if found is None:
        raise RefusedError("unsupported_type", "content-type: is no media type", field="content-type")
    charset = _CHARSET.search(found[2] or "")
    if charset is not None and charset[1] not in {"utf-8", "utf8", "us-ascii"}:
        raise RefusedError("unsupported_type", "content-type: charset is not UTF-8", field="content-type")
    return found[1]
