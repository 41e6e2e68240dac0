"""`policy.decision_missing`: a policy that must judge did not, or it said no and the action went on.

Catalogue D18. Which policies must judge calls of models says the label `mandatory_policies` of a tenant or a
project: ids with commas between them, or `any`. A decision belongs to a call that it names, or to one of its
conversation within a minute; a call is judged when that minute has passed in the log.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from auditstream.detection.acts import Acts, Kind, Mark, hash_of, is_among
from auditstream.detection.severities import Severity
from auditstream.detection.sighting import Sighting, named, samples
from auditstream.detection.window import Moment

RULE = "policy.decision_missing"
LABEL = "mandatory_policies"
ANY = "any"
WITHIN_US = 60_000_000
ATTACKS = ("AML.T0107", "LLM06", "ASI02")

_ALL_PROJECTS = ""


@dataclass(frozen=True, slots=True)
class Mandates:
    """Policies that must judge calls of models.

    Attributes:
        policies: Ids by tenant and project; project `` stands for every project of the tenant.
    """

    policies: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)

    def calls(self) -> pl.Expr | None:
        """Return which events are in a project where a policy must judge; None without any mandate."""
        if not self.policies:
            return None
        tenants = [tenant for tenant, project in self.policies if project == _ALL_PROJECTS]
        projects = [f"{tenant}\\0{project}" for tenant, project in self.policies if project]
        of_project = pl.concat_str("tenant_id", pl.lit("\\0"), pl.col("project_id").fill_null(""))
        return pl.col("tenant_id").is_in(tenants) | of_project.is_in(projects)

    def of(self, tenant: str, project: str) -> tuple[str, ...]:
        """Return the ids of the policies that must judge a call."""
        everywhere = self.policies.get((tenant, _ALL_PROJECTS), ())
        here = self.policies.get((tenant, project), ()) if project else ()
        return tuple(dict.fromkeys((*everywhere, *here)))


def mandates(tenants: pl.DataFrame, projects: pl.DataFrame) -> Mandates:
    """Return what labels mandate.

    Args:
        tenants: `tenant_id` and `policies`, the label's text.
        projects: `tenant_id`, `project_id` and `policies`.
    """
    rows = [
        *((tenant, _ALL_PROJECTS, text) for tenant, text in tenants.select("tenant_id", "policies").rows()),
        *projects.select("tenant_id", "project_id", "policies").rows(),
    ]
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    for tenant, project, text in rows:
        ids = tuple(filter(None, (each.strip() for each in (text or "").split(","))))
        if ids:
            found[tenant, project] = ids
    return Mandates(found)


def missing_decisions(moment: Moment, known: Mandates) -> Iterator[Sighting]:
    """Yield what was not judged within its minute, one sighting a tenant, project and policy.

    Args:
        moment: The segment.
        known: Which policies must judge.
    """
    if not known.policies:
        return
    due = moment.due(Mark.MANDATED, WITHIN_US)
    if not len(due):
        return
    decisions = moment.notable().of_kind(Kind.DECISION)
    owners = [(who.tenant, who.project) for who in map(moment.who, due.index.tolist())]
    for tenant, project in dict.fromkeys(owners):
        calls = due.where(np.array([owner == (tenant, project) for owner in owners]))
        for policy in known.of(tenant, project):
            judging = decisions
            if policy != ANY:
                judging = decisions.where(decisions.name == np.uint64(hash_of(policy)))
            unjudged = _unjudged(calls, judging)
            if len(unjudged):
                yield _sighting(tenant, project, policy, unjudged)


def overruled(events: pl.DataFrame) -> Iterator[Sighting]:
    """Yield the verdicts `deny` whose action was to allow, by tenant, policy and rule, the most first.

    A policy that only monitors says no and lets go on: that is what it is for.

    Args:
        events: A segment's events, repeats left out.
    """
    verdicts = events["policy_verdict"]
    if verdicts.null_count() == len(verdicts):
        return
    found = events.filter(
        (pl.col("policy_verdict") == "deny")
        & (pl.col("policy_action") == "allow")
        & (pl.col("policy_mode").fill_null("UNKNOWN") != "MONITOR")
    )
    if found.is_empty():
        return
    keys = ("tenant_id", "policy_id", "policy_rule_id")
    groups = (
        found.with_columns(pl.col("policy_rule_id").fill_null(""), pl.col("event_time").to_physical())
        .group_by(keys, maintain_order=True)
        .agg(
            pl.len().alias("count"),
            pl.col("event_time").min().alias("first"),
            pl.col("event_time").max().alias("last"),
            pl.col("event_id"),
        )
        .sort("count", *keys, descending=[True, False, False, False])
    )
    for group in groups.iter_rows(named=True):
        policy = group["policy_id"]
        events_of = samples(group["event_id"])
        yield Sighting(
            rule=RULE,
            tenant=group["tenant_id"],
            scope=named(policy=policy, rule=group["policy_rule_id"]),
            metric="denied_and_allowed",
            title=f"policy {policy} said no {group['count']} times, and the action was allowed",
            severity=Severity.CRITICAL,
            anchor=events_of[0],
            first_us=group["first"],
            last_us=group["last"],
            observed=float(group["count"]),
            expected=0.0,
            events=events_of,
            attacks=ATTACKS,
        )


def _unjudged(calls: Acts, decisions: Acts) -> Acts:
    """Return the calls to which none of the decisions belongs."""
    judged = is_among(calls.event, decisions.subject)
    for place in np.flatnonzero(~judged).tolist():
        here = (decisions.conversation == calls.conversation[place]) & (decisions.conversation != 0)
        judged[place] = (here & (np.abs(decisions.time - calls.time[place]) <= WITHIN_US)).any()
    return calls.where(~judged)


def _sighting(tenant: str, project: str, policy: str, calls: Acts) -> Sighting:
    count, event_ids = len(calls), samples(calls.ids())
    who = "no policy" if policy == ANY else f"policy {policy} never"
    first, last = int(calls.time.min()), int(calls.time.max())
    return Sighting(
        rule=RULE,
        tenant=tenant,
        scope=named(project=project, policy=policy),
        metric="undecided_calls",
        title=f"{who} judged {count} calls of models, which must be judged",
        severity=Severity.CRITICAL,
        anchor=event_ids[0],
        first_us=first,
        last_us=last,
        observed=float(count),
        expected=0.0,
        events=event_ids,
        attacks=ATTACKS,
    )
