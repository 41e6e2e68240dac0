"""Whether what a demonstration recorded is what was sealed, checked as `auditstream verify` does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from auditstream.core.settings import Settings
from auditstream.evidence.findings import Report
from auditstream.evidence.listing import Trust
from auditstream.evidence.published import VKEYS, open_published
from auditstream.evidence.stored_rows import StoredRows
from auditstream.evidence.verification import Scope, Verification
from auditstream.ledger.policies import parse_policy
from auditstream.ledger.vkeys import parse_vkeys
from auditstream.query.reader import open_reader


def verified(settings: Settings, advance: Callable[[int, int], object]) -> Report:
    """Check every row, tile and checkpoint of a deployment, and return what was found.

    Args:
        settings: Those of a running deployment, which say where its evidence and its policy are.
        advance: Told how many leaves are checked, and how many there are.

    Raises:
        VerificationError: Keys or policy are not what they should be.
        RetryableError: The store does not answer.
    """
    evidence = settings.evidence
    published = open_published(Path(evidence.store))
    assert evidence.policy_file is not None
    policy = parse_policy(evidence.policy_file.read_bytes())
    trust = Trust(parse_vkeys(published.read(VKEYS) or b""), policy, evidence.deployment_name)
    reader = open_reader(settings.clickhouse)
    try:
        rows = StoredRows(reader, settings.clickhouse.engine)
        return Verification(published, trust, None, Scope()).against_rows(rows, advance)
    finally:
        reader.close()
