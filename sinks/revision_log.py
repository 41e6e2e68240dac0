"""The steps of writing a revision: claim, settle; each is taken by the first writer that tries."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError
from urllib3.exceptions import HTTPError

from auditstream.core.errors import StoreBusyError
from sinks.clickhouse import QUORUM

_NEWEST = "SELECT max(revision) FROM reference_revisions WHERE step = 'written'"
_STATE = """
SELECT revision, step, writer, actor, dateDiff('millisecond', at, now64(6)) / 1000
FROM reference_revisions WHERE revision = (SELECT max(revision) FROM reference_revisions)
ORDER BY step = 'claimed'"""
_TAKEN_BY = """
SELECT step, writer FROM reference_revisions
WHERE revision = {revision:UInt64} AND (step = 'claimed') = {claimed:Bool}"""
_COUNTS = """
SELECT countIf(revision = {revision:UInt64}), sumMap(counts)
FROM reference_revisions WHERE step = 'written' AND revision <= {revision:UInt64}"""
_COLUMNS = pa.schema({
    "revision": pa.uint64(),
    "step": pa.string(),
    "writer": pa.string(),
    "actor": pa.string(),
    "counts": pa.map_(pa.string(), pa.uint64()),
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to write one revision.

    Attributes:
        revision: The revision.
        writer: Id of the run that has it.
        actor: Who ran it.
    """

    revision: int
    writer: str
    actor: str


class RevisionLog:
    """Table `reference_revisions`; raises the driver's errors, which callers translate.

    Args:
        replicated: Whether the table is replicated.
        patience_s: Age at which another writer's claim is given up as broken off.
    """

    def __init__(self, *, replicated: bool, patience_s: float) -> None:
        self._replicated = replicated
        self._patience_s = patience_s

    def newest(self, client: Client) -> int:
        """Return the newest written revision, 0 when there is none."""
        return int(client.query(_NEWEST).result_rows[0][0])

    def counts(self, client: Client, revision: int) -> Mapping[str, int]:
        """Return how many rows each table has to have up to a revision.

        Raises:
            StoreBusyError: The revision is not written here.
        """
        found, counts = client.query(_COUNTS, {"revision": revision}).result_rows[0]
        if not found:
            hint = "The replica is behind, or the store was restored from before the revision."
            raise StoreBusyError(f"reference revision {revision}: not in the store", hint=hint)
        return dict(counts)

    def claim(self, client: Client, *, base: int, actor: str) -> Claim:
        """Return the claim on the next revision.

        Raises:
            StoreBusyError: Another writer has it, or has written since `base`.
        """
        if self._replicated:
            client.command("SYSTEM SYNC REPLICA reference_revisions LIGHTWEIGHT")
        last = self._settled_last(client, actor)
        newest = self.newest(client)
        if newest != base:
            hint = "Run the command again: it compares with the newest revision."
            raise StoreBusyError(f"reference data is at revision {newest}, not {base} any more", hint=hint)
        claim = Claim(last + 1, str(uuid.uuid4()), actor)
        if self._take(client, claim, "claimed", {}) != ("claimed", claim.writer):
            raise StoreBusyError(f"reference revision {claim.revision}: another writer was first")
        return claim

    def settle(self, client: Client, claim: Claim, counts: Mapping[str, int]) -> None:
        """Make the revision visible.

        Raises:
            StoreBusyError: Another writer gave this one up; nothing of it will be visible.
        """
        if self._take(client, claim, "written", counts) != ("written", claim.writer):
            hint = "It took longer than others wait. Run the command again."
            raise StoreBusyError(
                f"reference revision {claim.revision}: given up by another writer", hint=hint
            )

    def abandon_quietly(self, client: Client, claim: Claim) -> None:
        """Settle a revision as abandoned, so that the next writer need not wait; never raises."""
        with suppress(ClickHouseError, HTTPError):
            self._take(client, claim, "abandoned", {})

    def _settled_last(self, client: Client, actor: str) -> int:
        """Return the highest revision number taken, after settling it if its writer broke off.

        Raises:
            StoreBusyError: Its writer may still be at it.
        """
        steps: list[tuple[Any, ...]] = [tuple(row) for row in client.query(_STATE).result_rows]
        if not steps:
            return 0
        revision, step, writer, by, age_s = steps[0]  # the settlement comes first where there is one
        if step == "claimed":
            if age_s < self._patience_s:
                hint = f"Run the command again in {self._patience_s:.0f} s at most."
                raise StoreBusyError(f"reference revision {revision}: {by} is writing it", hint=hint)
            self._take(client, Claim(revision, writer, actor), "abandoned", {})
        return int(revision)

    def _take(self, client: Client, claim: Claim, step: str, counts: Mapping[str, int]) -> tuple[str, str]:
        """Try to take a step, and return which step was taken and by whom."""
        phase = "claim" if step == "claimed" else "settlement"
        row = {"revision": claim.revision, "step": step, "writer": claim.writer, "actor": claim.actor}
        client.insert_arrow(
            "reference_revisions",
            pa.Table.from_pylist([{**row, "counts": list(counts.items())}], schema=_COLUMNS),
            settings={
                **(QUORUM if self._replicated else {}),
                "async_insert": 0,
                "insert_deduplication_token": f"reference_revisions/{claim.revision}/{phase}",
            },
        )
        parameters = {"revision": claim.revision, "claimed": step == "claimed"}
        taken = client.query(_TAKEN_BY, parameters).result_rows
        if not taken:
            raise StoreBusyError(f"reference revision {claim.revision}: the replica is behind")
        return str(taken[0][0]), str(taken[0][1])
