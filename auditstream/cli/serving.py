"""What `serve` is made of: desk, entry and evidence, put together from settings."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

from auditstream.access.desk import Desk
from auditstream.access.entry import Entry
from auditstream.access.export_jobs import ExportJobs, Job
from auditstream.access.known_tokens import TokenBook
from auditstream.access.oidc import OidcProvider
from auditstream.access.oidc_grants import read_grants
from auditstream.access.rates import Rates
from auditstream.access.sessions import Sessions
from auditstream.access.telling import Teller
from auditstream.access.tokens import KIND
from auditstream.api.parts import Parts
from auditstream.cli.auditing import evidence_place, known_keys, policy_of
from auditstream.cli.console_reach import reach
from auditstream.console.visits import Parts as ConsoleParts
from auditstream.core.clock import Clock, SystemClock
from auditstream.core.errors import ConfigError, RetryableError
from auditstream.core.metrics import process_metrics
from auditstream.core.secret_file import KeyFileError, create_secret, read_secret
from auditstream.core.settings import Settings
from auditstream.embedded.api_part import CONSOLE
from auditstream.emit.access_key import access_key
from auditstream.emit.access_record import AccessRecord
from auditstream.emit.access_spool import Spool
from auditstream.emit.announcements import LateAnnouncer
from auditstream.emit.findings import publish_findings
from auditstream.evidence.listing import Trust
from auditstream.evidence.published import Published, open_published
from auditstream.query.reader import open_reader
from auditstream.reference.following import Following
from auditstream.reference.register import KINDS as REGISTER
from auditstream.reference.snapshot import Snapshot
from schemas.records.detection import Finding
from sinks.clients import ClientPool, http_client
from sinks.export_log import ExportRow, record_export
from sinks.reference import connect_reference

KINDS = (KIND, "tenant", "rate", "slo", "budget", "allocation", *REGISTER)
"""Reference data that is asked of: who may sign in, and what answers are worked out with."""

_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class Known:
    """What the reference data says now.

    Attributes:
        facts: All of it that is asked of.
        tokens: The tokens in it.
    """

    facts: Snapshot
    tokens: TokenBook


@dataclass(frozen=True, slots=True)
class Serving:
    """What is served, and what runs beside it.

    Attributes:
        parts: The API's parts.
        console: The console's.
        beside: What runs as long as it is served: reference data that is kept up to date, exports.
        close: Closes every connection.
    """

    parts: Parts
    console: ConsoleParts
    beside: tuple[Following[Known], ExportJobs]
    close: Callable[[], None]


def serving(settings: Settings) -> Serving:
    """Return what is served, from settings; nothing is connected yet.

    Raises:
        ConfigError: A key file cannot be read or made.
    """
    clock = SystemClock()
    # The API asks whose gateway keys are, and its user may not read their hashes.
    store = connect_reference(settings.clickhouse, hidden={"credential": frozenset({"secret_hash"})})
    reader = open_reader(settings.clickhouse, answer_within_s=settings.api.answer_within_s)
    clients = ClientPool(lambda: http_client(settings.clickhouse))
    announcer = LateAnnouncer(settings, within_s=settings.access.within_s)
    following = Following(
        store,
        KINDS,
        lambda facts: Known(facts, TokenBook(facts)),
        every_s=settings.api.refresh_s,
        name="access",
    )

    def known() -> Known:
        if following.known is None:
            raise RetryableError("the store has not told of any reference data yet", retry_after_s=1)
        return following.known

    key = session_key(settings)
    oidc = oidc_provider(settings, key, clock)
    desk = Desk(
        reader,
        Teller(AccessRecord(announcer, _spool(settings))),
        query_key=access_key(settings.access.key_file or settings.data_dir / "access" / "key"),
        clock=clock,
        facts=lambda: known().facts,
    )
    entry = Entry(
        desk,
        lambda: known().tokens,
        sessions=Sessions(key),
        rates=Rates(clock),
        clock=clock,
    )

    def publish(found: list[Finding]) -> None:
        publish_findings(settings, clients, found)

    def close() -> None:
        reached.jobs.close()
        announcer.close()
        for each in (reader, store, clients):
            each.close()

    def record(job: Job) -> None:
        row = ExportRow(
            export_id=UUID(job.export_id),
            kind=job.form,
            requested_by=job.requested_by,
            query=job.query,
            rows=job.rows or 0,
            bytes_written=job.bytes,
            sha256=job.manifest_sha256,
            destination=f"export {job.export_id}",
            purpose=job.purpose,
        )
        with clients.borrow() as client:
            record_export(client, row)

    exports = ExportJobs(settings.api.exports_folder or settings.data_dir / "exports", desk, record)
    reached = reach(settings, evidence=lambda: evidence(settings), clock=clock, exports=exports)
    parts = Parts(
        desk=desk,
        entry=entry,
        metrics=process_metrics(),
        publish=publish,
        evidence=lambda: evidence(settings),
        facts=reached.facts,
        sign=reached.sign,
        lags=reached.lags,
        tails=reached.tails,
        oidc=oidc,
        exports=exports,
        public_url=settings.api.public_url,
        door=f"{CONSOLE}/sign-in",
        is_ready=lambda: "" if following.known else "the store has not told of any tokens yet",
    )
    console = ConsoleParts(
        desk=desk,
        entry=entry,
        evidence=parts.evidence,
        publish=publish,
        settings=settings,
        oidc_name=oidc.name if oidc else "",
        is_secure=settings.api.tls_certificate is not None or settings.api.public_url.startswith("https:"),
        reach=reached,
    )
    return Serving(parts, console, (following, exports), close)


def oidc_provider(settings: Settings, key: bytes, clock: Clock) -> OidcProvider | None:
    """Return what signs people in by the identity provider of the settings; None where none is named.

    Raises:
        ConfigError: It is named, and nobody is given anything; or the grants are none.
    """
    oidc = settings.api.oidc
    if not oidc.issuer:
        return None
    if oidc.grants_file is None or not oidc.client_id:
        raise ConfigError("api.oidc: with an issuer, client_id and grants_file must be named, too")
    return OidcProvider(oidc, read_grants(oidc.grants_file), key=key, clock=clock)


def session_key(settings: Settings) -> bytes:
    """Return the secret that signs sessions; it is made where there is none.

    Raises:
        KeyFileError: It cannot be read or made.
    """
    path = settings.api.session_key_file or settings.data_dir / "access" / "session-key"
    if not path.exists():
        with suppress(KeyFileError):  # another process was quicker, or the file cannot be made: reading says
            create_secret(path, secrets.token_bytes(_KEY_BYTES))
    return read_secret(path)


def evidence(settings: Settings) -> tuple[Published, Trust]:
    """Return what is published, with the keys and the policy by which it counts.

    Raises:
        NotFoundError: No keys are published.
        VerificationError: They are malformed.
    """
    published = open_published(evidence_place(settings))
    trust = Trust(known_keys(published, None), policy_of(settings, None), settings.evidence.deployment_name)
    return published, trust


def _spool(settings: Settings) -> Spool | None:
    if settings.access.when_kafka_is_away != "spool":
        return None
    return Spool(settings.data_dir / "access" / "api.spool", settings.access.spool_bytes)
