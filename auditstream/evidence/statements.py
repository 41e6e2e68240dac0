"""Published completeness statements: who signed them, and whether the logs have what they rest on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from auditstream.core.errors import VerificationError
from auditstream.evidence.findings import Finding
from auditstream.evidence.listing import PublishedLog
from auditstream.evidence.published import Published
from auditstream.ledger.completeness import RestsOn, open_completeness
from auditstream.ledger.keys import VerifierKey
from auditstream.ledger.tile_reader import HashReader

STATEMENTS = "statements"
_WHAT = "statement"


def statement_names(published: Published) -> Iterator[str]:
    """Yield the names of published statements, as `statements/2026-01-31`, in order."""
    for name in sorted(published.names(STATEMENTS)):
        if not name.startswith("."):  # of whoever writes there
            yield f"{STATEMENTS}/{name}"


def statement_findings(
    published: Published, keys: Sequence[VerifierKey], logs: Sequence[PublishedLog]
) -> Iterator[Finding]:
    """Yield what is wrong with the statements.

    Args:
        published: What was published.
        keys: Keys of the deployment.
        logs: Logs whose tiles give their signed roots; what rests on others is not looked at.
    """
    by_origin = {log.origin: log for log in logs}
    for name in statement_names(published):
        try:
            statement = open_completeness(published.read(name) or b"", *keys)
            for rests in statement.logs:
                log = by_origin.get(rests.origin)
                if log is not None and (found := _difference(published, log, rests)):
                    yield Finding(name, _WHAT, _tree(rests.size, rests.root, rests.origin), found)
        except VerificationError as error:
            yield Finding(name, _WHAT, "a statement that its deployment signed", error.message)


def _difference(published: Published, log: PublishedLog, rests: RestsOn) -> str:
    """Return what the log has instead of the checkpoint that a statement rests on; nothing if it has it."""
    now = log.opened.checkpoint
    if rests.size > now.size:
        return f"a log of {now.size} leaves"
    if rests.size == now.size:
        root = now.root
    else:
        root = HashReader(now.size, lambda name: published.read(f"{log.log_id}/{name}")).root(rests.size)
    return "" if root == rests.root else f"root {root.hex()}"


def _tree(size: int, root: bytes, origin: str) -> str:
    return f"root {root.hex()} over {size} leaves of {origin}"
