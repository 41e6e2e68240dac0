"""The attributor: whose each event is, how that was found, and how sure it is.

Order of what establishes the tenant, the first that speaks wins:

1. the topic, where it is one tenant's own (`audit.direct.<tenant>.v1`): method `topic`;
2. the claim in the body: `gateway` where only the gateway can have written it, else `claimed`;
3. the credential that the registry has for the time of the event: `registry`, as the next three;
4. the agent; 5. the project, where only one tenant has one of that id; 6. the source's default.

Nobody is believed who contradicts another: when two of topic, claim and credential name different tenants,
or when the tenant was closed, the event goes to `unattributed`, method `none`, for somebody to look at.
A revoked credential attributes nothing, but still contradicts; an expired one says nothing.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from threading import Lock

import polars as pl

from auditstream.attribution.facts import OwnershipFacts, stated
from auditstream.attribution.filling import FILLED, FILLED_BY_US, filled
from auditstream.attribution.holding import held_at, with_held
from auditstream.core import tenants
from auditstream.core.ports import Directory

UNATTRIBUTED = tenants.UNATTRIBUTED
"""Tenant of events that nobody owns."""

DISPUTE = "dispute"
"""Column that says why an event went to nobody although somebody was named; null for every other event.

`topic_and_claim`, `topic_and_credential`, `claim_and_credential`: which two name different tenants, the first
pair that does; `tenant_closed`: the one tenant that was named may not send events.
"""

CONFIDENCE = {
    "topic": 1.0,
    "gateway": 1.0,
    "credential": 0.9,
    "agent": 0.7,
    "claimed": 0.5,
    "project": 0.5,
    "source": 0.3,
    "none": 0.0,
}
"""Confidence by what established the tenant: an order of trust, not a probability that was measured."""

_DIRECT_TOPIC = re.compile(r"audit\.direct\.(?P<tenant>.+)\.v1")
_KEPT_REVISIONS = 4


class DirectoryAttributor:
    """Attributes events by the reference data; pure in (events, topic, revision).

    Args:
        directory: The reference data.
        claims_are_stamped: Whether only gateways can write `events_topic`, by the broker's access rules, so
            that the claim in a body there is the gateway's word. False on a broker without such rules.
        events_topic: The topic that gateways write to.
    """

    def __init__(
        self, directory: Directory, *, claims_are_stamped: bool, events_topic: str = "audit.events.v1"
    ) -> None:
        self._directory = directory
        self._stamped_topic = events_topic if claims_are_stamped else None
        self._facts: OrderedDict[int, OwnershipFacts] = OrderedDict()
        self._lock = Lock()

    def attribute(self, events: pl.DataFrame, *, topic: str, revision: int) -> pl.DataFrame:
        """Return the events with their owners, row for row.

        Args:
            events: Columns of `schemas.flatten.FRAME_SCHEMA`; `tenant_id` is the claim.
            topic: Kafka topic that the events came from.
            revision: Revision of the reference data to go by.

        Returns:
            The same rows with `tenant_claim`, `attribution_method`, `attribution_confidence`, `DISPUTE` and
            `filling.FILLED_BY_US` added, `tenant_id` replaced, and project, team, cost centre and environment
            filled in where missing.

        Raises:
            RetryableError: The reference data cannot be read now.
        """
        facts = self._facts_at(revision)
        claimed_as = "gateway" if topic == self._stamped_topic else "claimed"
        rows = with_held(_evidence(events, topic), facts.credentials, ["credential_id"])
        rows = _by_testimony(rows, claimed_as)
        rows = _by_registry(rows, facts)
        rows = _without_closed(rows, facts)
        rows = filled(rows, facts)
        return events.with_columns(
            events["tenant_id"].alias("tenant_claim"),
            rows["owner"].fill_null(UNATTRIBUTED).alias("tenant_id"),
            *_how(rows["found_by"]),
            *rows.select(*FILLED, FILLED_BY_US, DISPUTE),
        )

    def _facts_at(self, revision: int) -> OwnershipFacts:
        with self._lock:
            facts = self._facts.get(revision)
        if facts is None:
            facts = OwnershipFacts.of(self._directory, revision)
            with self._lock:
                self._facts[revision] = facts
                while len(self._facts) > _KEPT_REVISIONS:
                    self._facts.popitem(last=False)
        return facts


def topic_tenant(topic: str) -> str | None:
    """Return the tenant that a topic is the own one of, None for a shared topic."""
    match = _DIRECT_TOPIC.fullmatch(topic)
    return match["tenant"] if match else None


def _evidence(events: pl.DataFrame, topic: str) -> pl.DataFrame:
    """Return what the events say about their owner, one row each."""
    names = ("credential_id", "agent_id", "source", *FILLED)
    claim = pl.when(~pl.col("tenant_id").is_in(["", UNATTRIBUTED])).then("tenant_id")
    return events.select(
        pl.int_range(pl.len(), dtype=pl.UInt32).alias("row"),
        "event_time",
        pl.lit(topic_tenant(topic), dtype=pl.String).alias("topic_tenant"),
        claim.alias("claim"),
        *(stated(name) for name in names),
    )


def _by_testimony(rows: pl.DataFrame, claimed_as: str) -> pl.DataFrame:
    """Return the rows with `owner` and `found_by` from topic, claim, credential; `DISPUTE` where two differ.

    `credential_owner` is null for a revoked credential, `credential_tenant` is not.
    """
    topic, claim, named = (pl.col(name) for name in ("topic_tenant", "claim", "credential_tenant"))
    rows = rows.with_columns(
        pl.when(topic != claim).then(pl.lit("topic_and_claim"))
        .when(topic != named).then(pl.lit("topic_and_credential"))
        .when(claim != named).then(pl.lit("claim_and_credential"))
        .alias(DISPUTE)
    )  # fmt: skip
    barred, credential = pl.col(DISPUTE).is_not_null(), pl.col("credential_owner")
    return rows.with_columns(
        owner=pl.when(~barred).then(pl.coalesce(topic, claim, credential)),
        found_by=pl.when(barred).then(None)
        .when(topic.is_not_null()).then(pl.lit("topic"))
        .when(claim.is_not_null()).then(pl.lit(claimed_as))
        .when(credential.is_not_null()).then(pl.lit("credential")),
    )  # fmt: skip


def _by_registry(rows: pl.DataFrame, facts: OwnershipFacts) -> pl.DataFrame:
    """Return the rows with an owner from agent, project or source where nothing said before."""
    registers = (
        ("agent", "agent_id", facts.agents),
        ("project", "project_id", facts.projects),
        ("source", "source", facts.sources),
    )
    for found_by, key, register in registers:
        waiting = rows.filter(pl.col("owner").is_null(), pl.col(DISPUTE).is_null(), pl.col(key).is_not_null())
        if waiting.is_empty() or register.is_empty():
            continue
        held = held_at(waiting, register.select(key, "valid_from", "valid_to", new_owner="tenant_id"), [key])
        # A project's id is one of its tenant's: where two tenants have it, it says nothing.
        sole = held.unique("row", keep="none")
        rows = rows.join(sole, on="row", how="left", maintain_order="left").with_columns(
            owner=pl.coalesce("owner", "new_owner"),
            found_by=pl.when(pl.col("new_owner").is_not_null()).then(pl.lit(found_by)).otherwise("found_by"),
        )
        rows = rows.drop("new_owner")
    return rows


def _without_closed(rows: pl.DataFrame, facts: OwnershipFacts) -> pl.DataFrame:
    """Return the rows without an owner that was closed at the time; that is a dispute too."""
    if facts.closed_tenants.is_empty():
        return rows
    closed = with_held(rows.with_columns(tenant_id="owner"), facts.closed_tenants, ["tenant_id"])["closed"]
    stands = ~closed.fill_null(value=False)
    return rows.with_columns(
        pl.when(stands).then(DISPUTE).otherwise(pl.lit("tenant_closed")).alias(DISPUTE),
        owner=pl.when(stands).then("owner"),
        found_by=pl.when(stands).then("found_by"),
    )


def _how(found_by: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Return the columns that say how the owner was found and how sure that is."""
    found = found_by.fill_null("none")
    registry = dict.fromkeys(("credential", "agent", "project", "source"), "registry")
    return (
        found.replace(registry).alias("attribution_method"),
        found.replace_strict(CONFIDENCE, return_dtype=pl.Float32).alias("attribution_confidence"),
    )
