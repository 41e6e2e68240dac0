"""What the console's acts reach beside the record, put together from settings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

from auditstream.access.evidence_questions import Evidence
from auditstream.access.export_jobs import ExportJobs
from auditstream.access.jobs import Jobs
from auditstream.access.reach import Reach, no_key
from auditstream.access.saved_searches import SavedSearches
from auditstream.cli.accessing import Reading, claims
from auditstream.cli.kafka_lags import kafka_lags
from auditstream.cli.sealing import key_path
from auditstream.core.clock import Clock
from auditstream.core.errors import RetryableError
from auditstream.core.settings import Settings
from auditstream.emit.kafka_way import KafkaWay
from auditstream.evidence.findings import Report
from auditstream.evidence.seen import Seen
from auditstream.evidence.stored_rows import StoredRows
from auditstream.evidence.verification import Advance, Scope, Verification
from auditstream.ledger.completeness import Completeness, sign_completeness
from auditstream.query.reader import open_reader
from auditstream.sealer.key_file import load_ring
from sinks.reference import ReferenceStore, connect_reference
from streams.kafka_security import librdkafka_settings

_ACKNOWLEDGED_WITHIN_S = 30.0
"""How long a dead letter that is sent again may wait for its acknowledgement: as in `auditstream dlq`."""


_CHECKED_WITHIN_S = 600.0
"""How long one answer of a check may take: a range is read in seconds, and a busy store may take its time."""


def reach(settings: Settings, *, evidence: Evidence, clock: Clock, exports: ExportJobs) -> Reach:
    """Return what acts reach; nothing is connected yet.

    Args:
        settings: The deployment's.
        evidence: Opens what is published.
        clock: Tells the time.
        exports: Takes exports.
    """
    connection = librdkafka_settings(settings.kafka)

    @contextmanager
    def way() -> Iterator[KafkaWay]:
        lent = KafkaWay(connection, timeout_s=_ACKNOWLEDGED_WITHIN_S)
        try:
            yield lent
        except RetryableError:
            lent.abandon()
            raise

    @contextmanager
    def facts() -> Iterator[ReferenceStore]:
        with closing(connect_reference(settings.clickhouse)) as lent:
            yield lent

    def verify(advance: Advance) -> Report:
        asked = Reading("verify", "", ("events",), whole=True)
        opened = open_reader(
            settings.clickhouse,
            answer_within_s=_CHECKED_WITHIN_S,
            headers=claims(settings, asked).headers,
        )
        with closing(opened) as reader:
            run = Verification(*evidence(), Seen(settings.data_dir / "console" / "verified"), Scope())
            return run.against_rows(StoredRows(reader, settings.clickhouse.engine), advance)

    def sign(statement: Completeness) -> bytes:
        path = key_path(settings)
        if not path.is_file():  # where the sealer is another machine, its key is not here
            return no_key(statement)
        signer = load_ring(path).signer(statement.deployment)
        return sign_completeness(statement, signer).to_bytes()

    folder = settings.data_dir / "console"
    return Reach(
        lags=lambda: kafka_lags(settings),
        way=way,
        facts=facts,
        verify=verify,
        sign=sign,
        jobs=Jobs(folder / "jobs", clock),
        searches=SavedSearches(folder / "searches"),
        exports=exports,
    )
