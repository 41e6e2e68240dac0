"""Telling that a command reads the record, before its first row leaves.

A deployment of ours tells of it itself, at its store's door, whoever asks and with whatever tool; there the
command only says who it is. Before any other store the command tells, since nobody else would.

    with told_reader(deployment, Reading("search", text, tables=("events_current",))) as reader:
        ...

`status`, `doctor`, `config` and `price` read no field of an event, and are not told of.
"""

from __future__ import annotations

import getpass
import secrets
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from auditstream.core.errors import NotAllowedError
from auditstream.core.settings import Settings
from auditstream.embedded.clickhouse_claims import Claims

if TYPE_CHECKING:
    from auditstream.cli.running import Deployment
    from auditstream.emit.access_record import AccessRecord, Event
    from auditstream.query.reader import Reader

_BY = "cli"


@dataclass(frozen=True, slots=True)
class Reading:
    """What a command is about to read.

    Attributes:
        command: Name of the command, as `search` or `evidence export`.
        query: What was asked, as text; the event has its HMAC alone.
        tables: Tables that are read, as far as known.
        tenant: Whose events alone.
        purpose: What for.
        destination: Where an export goes.
        whole: Whether it reads whole tables, by many statements, which one event then covers.
    """

    command: str
    query: str
    tables: tuple[str, ...] = ()
    tenant: str = ""
    purpose: str = ""
    destination: str = ""
    whole: bool = False


@contextmanager
def told_reader(
    deployment: Deployment,
    reading: Reading,
    *,
    analyst: bool = False,
    answer_within_s: float | None = None,
) -> Iterator[Reader]:
    """Lend a reader of the deployment's store, once an event tells what it is for.

    Args:
        deployment: From `running.find`.
        reading: What is about to be read.
        analyst: As of `running.open_reader`.
        answer_within_s: Likewise.

    Raises:
        AccessNotRecordedError: No event tells of it; nothing was read.
        RetryableError: The store does not answer.
        ConfigError: It refuses the user, or the key that names queries cannot be read.
    """
    from auditstream.cli import running

    headers = claims(deployment.settings, reading).headers if tells_itself(deployment) else {}
    opened = running.open_reader(
        deployment, analyst=analyst, answer_within_s=answer_within_s, headers=headers
    )
    with closing(opened), told(deployment, reading):
        yield opened


@contextmanager
def told(deployment: Deployment, reading: Reading) -> Iterator[None]:
    """Go on once an event tells of a reading; does nothing where the store's door does.

    When the block ends with `NotAllowedError`, an event tells of that, too.

    Raises:
        AccessNotRecordedError: No event tells of it; nothing may be read.
        ConfigError: The key that names queries cannot be read.
    """
    if tells_itself(deployment):
        yield
        return
    settings = deployment.settings
    _tell(settings, [_event(settings, reading, "SUCCESS")])
    try:
        yield
    except NotAllowedError:
        _tell(settings, [_event(settings, reading, "BLOCKED")])
        raise


def tell_result(deployment: Deployment, reading: Reading, *, rows: int, size_bytes: int) -> None:
    """Tell at the end of an export how much of it left.

    Raises:
        AccessNotRecordedError: No event tells of it, though one told that it began.
    """
    event = _event(deployment.settings, reading, "SUCCESS", rows=rows, size_bytes=size_bytes)
    _tell(deployment.settings, [event])


def tell_change(settings: Settings, object_type: str, object_id: str) -> None:
    """Return once an event tells of a change of the deployment's own guards.

    Raises:
        AccessNotRecordedError: No event tells of it; it must not be made.
    """
    from auditstream.emit.announcements import CONFIG_CHANGE, Said, announcement

    said = Said(by=_BY, actor=actor(settings), at=datetime.now(UTC))
    change = {"object_type": object_type, "object_id": object_id}
    _tell(settings, [announcement(CONFIG_CHANGE, said, change=change)])


def claims(settings: Settings, reading: Reading) -> Claims:
    """Return what the command says of itself at the store's door."""
    return Claims(
        actor=actor(settings),
        command=reading.command,
        tenant=reading.tenant,
        purpose=reading.purpose,
        destination=reading.destination,
        act=secrets.token_hex(8) if reading.whole else "",
    )


def tells_itself(deployment: Deployment) -> bool:
    """Return whether the store that a command talks to tells of every reading itself."""
    return deployment.runtime is not None and deployment.runtime.clickhouse is not None


def actor(settings: Settings) -> str:
    """Return who acts: the setting, else the user of the system."""
    return settings.actor or getpass.getuser()


def _event(
    settings: Settings, reading: Reading, outcome: str, *, rows: int = 0, size_bytes: int = 0
) -> Event:
    from auditstream.emit.access_events import Access, access_event
    from auditstream.emit.access_key import access_key, query_hmac
    from auditstream.emit.announcements import Said

    key = access_key(settings.access.key_file or settings.data_dir / "access" / "key")
    access = Access(
        query_hmac=query_hmac(key, reading.query.encode()),
        command=reading.command,
        tables=reading.tables,
        rows=rows,
        bytes=size_bytes,
        purpose=reading.purpose,
        destination=reading.destination,
        details=(("tenant", reading.tenant), ("store", settings.clickhouse.host)),
    )
    said = Said(by=_BY, actor=actor(settings), at=datetime.now(UTC), outcome=outcome)
    return access_event(said, access, credential_id=settings.clickhouse.user)


def _tell(settings: Settings, events: Sequence[Event]) -> None:
    _record(settings).tell(events)


def _record(settings: Settings) -> AccessRecord:
    from auditstream.emit.access_record import AccessRecord
    from auditstream.emit.access_spool import Spool
    from auditstream.emit.announcements import announcer

    def announce(events: Sequence[Event]) -> None:
        with announcer(settings, within_s=settings.access.within_s) as send:
            send(events)

    spools = settings.access.when_kafka_is_away == "spool"
    path = settings.data_dir / "access" / "cli.spool"
    return AccessRecord(announce, Spool(path, settings.access.spool_bytes) if spools else None)
