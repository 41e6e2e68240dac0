"""Ids of findings: a hash of what they are about, so that a replay gives the same ones."""

from __future__ import annotations

import hashlib
import json

UPDATES_APART = 1_000
"""How far the versions of an episode are apart: what people do about a finding takes the numbers between."""


def finding_id(tenant: str, scope: str, metric: str, rule: str, bucket: str) -> str:
    """Return a finding's id, 64 hex digits.

    Args:
        tenant: Tenant that the finding is about.
        scope: What it is about within the tenant.
        metric: Metric that was watched.
        rule: Rule that found it.
        bucket: Where it begins: a segment's id, or a bucket of time.
    """
    return hashlib.sha256(json.dumps([tenant, scope, metric, rule, bucket]).encode()).hexdigest()
