"""Events as syslog messages over TLS. Source: RFC 5424 (message), RFC 5425 (TLS, framing by octet counts).

Syslog has no acknowledgement. So a batch has a connection of its own, and is delivered when the receiver has
answered the end of it: TLS's `close_notify` comes after everything that was sent has been read. The mere end
of the connection says less: it may have come from the other side before anything was read.
"""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

from auditstream.core.clock import utc_text
from auditstream.core.errors import ConfigError, RetryableError
from auditstream.core.values import as_json
from auditstream.exports.records import Record
from auditstream.exports.tls_stream import TlsStream

_FACILITY = 13  # log audit (RFC 5424, table 1)
_SEVERITIES = {0: 6, 1: 6, 2: 5, 3: 4, 4: 3, 5: 2, 6: 1}
"""OCSF's severity as syslog's: unknown and informational are informational, fatal is an alert."""

_APP = "auditstream"
_LONGEST = {"hostname": 255, "msgid": 32}  # characters (RFC 5424, section 6)


class NotDeliveredError(RetryableError):
    """A receiver did not take what was sent; it is sent again."""

    code = "not_delivered"
    hint = "Nothing is lost: it is sent again. See whether the receiver runs and trusts us."


def message_of(record: Record, document: Mapping[str, Any], hostname: str, *, most_bytes: int) -> bytes:
    """Return the message of an event, without its frame.

    The text is JSON of ASCII characters alone, so that it needs no byte order mark. One that would be longer
    than `most_bytes` has only what finds the event again.

    Args:
        record: The event's record.
        document: What is sent of it.
        hostname: Who sends it.
        most_bytes: Longest message.
    """
    priority = _FACILITY * 8 + _SEVERITIES.get(record.get("severity", 0), 6)
    time: datetime = record["event_time"]
    head = " ".join(
        (
            f"<{priority}>1",
            utc_text(time),
            _name(hostname, _LONGEST["hostname"]),
            _APP,
            "-",
            _name(record["event_type"], _LONGEST["msgid"]),
            "-",
        )
    )
    message = f"{head} {_text(document)}".encode()
    if len(message) <= most_bytes:
        return message
    return f"{head} {_text(_shortened(record, len(message)))}".encode()


def framed(message: bytes) -> bytes:
    """Return a message with its length before it (RFC 5425, section 4.3)."""
    return f"{len(message)} ".encode() + message


def _shortened(record: Record, size_bytes: int) -> dict[str, Any]:
    kept = ("event_id", "event_type", "event_time", "tenant_id", "outcome", "log_id", "leaf_index")
    return {name: record[name] for name in kept if name in record} | {"left_out_bytes": size_bytes}


def _text(document: Mapping[str, Any]) -> str:
    return json.dumps(as_json(document), separators=(",", ":"))


def _name(text: str, longest: int) -> str:
    """Return a text as a name of the header: printable ASCII without spaces."""
    return "".join(each if "!" <= each <= "~" else "_" for each in text)[:longest] or "-"


def tls_context(ca_file: Path | None, cert_file: Path | None, key_file: Path | None) -> ssl.SSLContext:
    """Return how to connect: TLS 1.2 or newer, the receiver's certificate checked against its name.

    Raises:
        ConfigError: A file is none, or cannot be read.
    """
    try:
        context = ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if cert_file is not None:
            context.load_cert_chain(cert_file, key_file)
    except (OSError, ssl.SSLError) as error:
        names = ", ".join(str(each) for each in (ca_file, cert_file, key_file) if each is not None)
        raise ConfigError(f"{names}: {error.strerror or error}") from error
    return context


class SyslogOutlet:
    """Delivers events by syslog over TLS.

    Args:
        address: Host and port of the receiver.
        context: From `tls_context`.
        document: Makes what is sent of a record.
        timeout_s: How long the receiver may take for each step.
        most_bytes: Longest message.
        needs_answer: Whether the end of a batch must be answered by `close_notify`.
    """

    def __init__(
        self,
        address: tuple[str, int],
        context: ssl.SSLContext,
        document: Callable[[Record], Mapping[str, Any]],
        *,
        timeout_s: float,
        most_bytes: int,
        needs_answer: bool = True,
    ) -> None:
        self._address = address
        self._context = context
        self._document = document
        self._timeout_s = timeout_s
        self._most_bytes = most_bytes
        self._needs_answer = needs_answer
        self._hostname = socket.gethostname()

    def deliver(self, records: Sequence[Record], batch_id: str) -> int:
        """Return how many bytes went out, once the receiver has read them all.

        Raises:
            NotDeliveredError: It has not, or nobody knows.
        """
        size = 0
        try:
            with closing(self._connected()) as connection:
                for record in records:
                    data = framed(
                        message_of(
                            record, self._document(record), self._hostname, most_bytes=self._most_bytes
                        )
                    )
                    connection.send(data)
                    size += len(data)
                _end(connection, needs_answer=self._needs_answer)
        except OSError as error:  # TLS's errors, time-outs and unknown names are such
            host, port = self._address
            raise NotDeliveredError(f"syslog {host}:{port}: {_reason(error)}") from error
        return size

    def close(self) -> None:
        """Do nothing: no connection outlives a batch."""

    def _connected(self) -> TlsStream:
        plain = socket.create_connection(self._address, timeout=self._timeout_s)
        return TlsStream(plain, self._context, self._address[0])


def _end(connection: TlsStream, *, needs_answer: bool) -> None:
    """Say that nothing more comes, and return once the receiver has answered that.

    Raises:
        OSError: It reset the connection, ended it before us, refused us, or does not answer.
    """
    try:
        connection.end()
    except ssl.SSLEOFError:
        if needs_answer:
            raise


def _reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLEOFError):
        return (
            "it ended the connection without close_notify, so nobody knows whether it read everything; "
            "closes: wordless takes that for an answer"
        )
    return error.strerror or str(error)
