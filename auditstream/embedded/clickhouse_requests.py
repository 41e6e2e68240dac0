"""What an HTTP request to ClickHouse's interface says: who asks, for what, under which settings."""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from aiohttp import BodyPartReader, web
from aiohttp.http_exceptions import HttpProcessingError

from auditstream.embedded.clickhouse_compression import accepted_coding, decoded
from auditstream.embedded.clickhouse_credentials import Credential, Credentials
from auditstream.embedded.clickhouse_errors import ErrorNumber, QueryError, refusal
from auditstream.embedded.clickhouse_pipes import PIECE_BYTES

# ClickHouse's own bound on a statement's text (setting max_query_size).
STATEMENT_BYTES = 262_144
_DEFAULT_FORMAT = "TabSeparated"
# It goes into headers and the engine's list of processes.
_QUERY_ID = re.compile(r"[!-~]{1,256}")
_PARAMETER_PREFIX = "param_"
_SESSION_TIMEOUT_S = 60
_MAX_SESSION_TIMEOUT_S = 3_600

# Parameters of the interface itself. All others are settings; those of the settings that only concern HTTP
# (wait_end_of_query is none, enable_http_compression is one) are given to the engine too, which ignores them.
_OF_INTERFACE = frozenset(
    {"query", "database", "default_format", "user", "password", "query_id", "quota_key", "buffer_size"}
    | {"session_id", "session_timeout", "session_check", "close_session", "wait_end_of_query", "stacktrace"}
    | {"client_protocol_version", "role", "compress", "decompress"}
)
_NOT_SUPPORTED = ("role", "compress", "decompress")


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """The session that a request belongs to.

    Attributes:
        id: Chosen by the client, unique for a user.
        timeout_s: Seconds without a request after which it ends.
        must_exist: Whether the request fails when the session does not exist yet.
        closes: Whether the session ends with this request.
    """

    id: str
    timeout_s: int
    must_exist: bool
    closes: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request, understood as far as possible without its body.

    Attributes:
        credential: Who asks.
        query_id: The client's, or a new one.
        text: SQL of the parameter `query`; the body follows it, on a line of its own.
        body: The body's decoded pieces.
        parameters: Values of `{name:Type}`.
        settings: Settings by name.
        database: Database of unqualified names, None where the request names none.
        default_format: Format of an answer whose statement names none.
        coding: Content coding of the answer.
        waits: Whether the status must tell of errors at the end of the answer.
        reads_only: Whether the method is not POST, and the statement may change nothing.
        session: The request's session.
    """

    credential: Credential
    query_id: str
    text: bytes
    body: AsyncIterator[bytes]
    parameters: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    database: str | None = None
    default_format: str = _DEFAULT_FORMAT
    coding: str | None = None
    waits: bool = False
    reads_only: bool = False
    session: Session | None = None


def query_id_of(http: web.Request) -> str:
    """Return the request's query id; a new one where it has none, or one that does not fit into a header."""
    given = http.query.get("query_id") or http.headers.get("X-ClickHouse-Query-Id") or ""
    return given if _QUERY_ID.fullmatch(given) else str(uuid.uuid4())


async def read_call(http: web.Request, credentials: Credentials, query_id: str, patience_s: float) -> Call:
    """Return what the request says; the body is read only where it is a form.

    Args:
        http: The request.
        credentials: Who may ask.
        query_id: What the query is to be called.
        patience_s: How long the client may take to send one piece of its body.

    Raises:
        QueryError: Not signed in, or something that this interface does not support.
    """
    credential = sign_in(http, credentials)
    pieces = _sent_in_time(http.content.iter_chunked(PIECE_BYTES), patience_s)
    body = decoded(pieces, http.headers.get("Content-Encoding", "").strip().lower())
    try:
        # Strictly: aiohttp's own reading replaces what is no UTF-8.
        given = dict(parse_qsl(http.rel_url.raw_query_string, keep_blank_values=True, errors="strict"))
        if http.content_type == "multipart/form-data":
            given |= await _form_fields(http)
            body = _nothing()
    except (ValueError, HttpProcessingError) as error:
        raise refusal(ErrorNumber.BAD_ARGUMENTS, f"The parameters cannot be read: {error}.") from error
    for name in _NOT_SUPPORTED:
        if given.get(name, "0") not in ("", "0"):
            raise refusal(
                ErrorNumber.NOT_IMPLEMENTED, f"The parameter {name} is not supported by this server."
            )
    settings = {
        name: value
        for name, value in given.items()
        if name not in _OF_INTERFACE and not name.startswith(_PARAMETER_PREFIX)
    }
    compresses = given.get("enable_http_compression") in ("1", "true")
    return Call(
        credential=credential,
        query_id=query_id,
        text=given.get("query", "").encode(),
        body=body,
        parameters={
            name.removeprefix(_PARAMETER_PREFIX): value
            for name, value in given.items()
            if name.startswith(_PARAMETER_PREFIX)
        },
        settings=settings,
        database=given.get("database") or http.headers.get("X-ClickHouse-Database"),
        default_format=_format_name(http, given),
        coding=accepted_coding(http.headers.get("Accept-Encoding", "")) if compresses else None,
        waits=given.get("wait_end_of_query") in ("1", "true"),
        reads_only=http.method != "POST",
        session=_session(given),
    )


def sign_in(http: web.Request, credentials: Credentials) -> Credential:
    """Return the credential that the request shows: in a header, in ClickHouse's headers, or in its URL.

    Raises:
        QueryError: 194 for none, 516 for a wrong one.
    """
    scheme, _, given = http.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return credentials.sign_in_by_token(given.strip())
    if scheme.lower() == "basic":
        user, token = _basic(given.strip())
    elif "X-ClickHouse-User" in http.headers or "X-ClickHouse-Key" in http.headers:
        user = http.headers.get("X-ClickHouse-User", "default")
        token = http.headers.get("X-ClickHouse-Key", "")
    else:
        user, token = http.query.get("user", "default"), http.query.get("password", "")
    return credentials.sign_in(user, token)


def claimed_user(http: web.Request) -> str:
    """Return the user name that a request gives, believed or not; empty where it gives none."""
    scheme, _, given = http.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return ""
    if scheme.lower() == "basic":
        try:
            return _basic(given.strip())[0]
        except QueryError:
            return ""
    return http.headers.get("X-ClickHouse-User") or http.query.get("user", "default")


def _basic(given: str) -> tuple[str, str]:
    try:
        user, _, token = base64.b64decode(given, validate=True).decode("utf-8").partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise refusal(
            ErrorNumber.AUTHENTICATION_FAILED, "Authentication failed: the Basic credentials are not base64."
        ) from error
    return user or "default", token


def _format_name(http: web.Request, given: Mapping[str, str]) -> str:
    name = given.get("default_format") or http.headers.get("X-ClickHouse-Format") or _DEFAULT_FORMAT
    if not (name.isascii() and name.isalnum()):
        raise refusal(
            ErrorNumber.BAD_ARGUMENTS, f"The name of a format has only letters and digits: {name!r}."
        )
    return name


async def _form_fields(http: web.Request) -> dict[str, str]:
    """Return the fields of a form, as which clients send parameters that are too long for a URL."""
    fields: dict[str, str] = {}
    async for part in await http.multipart():
        if not isinstance(part, BodyPartReader) or not part.name or part.filename:
            raise refusal(ErrorNumber.NOT_IMPLEMENTED, "External data is not supported by this server.")
        fields[part.name] = (await part.read(decode=True)).decode("utf-8")
    return fields


async def _sent_in_time(body: AsyncIterator[bytes], patience_s: float) -> AsyncIterator[bytes]:
    """Yield the pieces of a body, none of which may take longer than `patience_s`."""
    while True:
        try:
            async with asyncio.timeout(patience_s):
                piece = await anext(body)
        except StopAsyncIteration:
            return
        except TimeoutError as error:
            raise refusal(
                ErrorNumber.SOCKET_TIMEOUT, f"The client sent nothing of its body for {patience_s:g} s."
            ) from error
        yield piece


async def _nothing() -> AsyncIterator[bytes]:
    nothing: tuple[bytes, ...] = ()
    for piece in nothing:
        yield piece


def _session(given: Mapping[str, str]) -> Session | None:
    if not given.get("session_id"):
        return None
    wanted = given.get("session_timeout", str(_SESSION_TIMEOUT_S))
    if not wanted.isdecimal() or int(wanted) > _MAX_SESSION_TIMEOUT_S:
        raise refusal(
            ErrorNumber.INVALID_SESSION_TIMEOUT,
            f"Session timeout '{wanted}' is no number of seconds up to {_MAX_SESSION_TIMEOUT_S}.",
        )
    return Session(
        id=given["session_id"],
        timeout_s=int(wanted),
        must_exist=given.get("session_check") == "1",
        closes=given.get("close_session") == "1",
    )
