"""Policies that must judge calls, as the reference data of a revision label tenants and projects."""

from __future__ import annotations

from collections import OrderedDict
from datetime import UTC, datetime
from threading import Lock
from typing import NamedTuple

import polars as pl

from auditstream.core.ports import Directory
from auditstream.detection.undecided import LABEL, Mandates, mandates
from auditstream.reference.intervals import holds_at

_KEPT_REVISIONS = 4
_NOTHING = Mandates()


class _Labelled(NamedTuple):
    tenants: pl.DataFrame
    projects: pl.DataFrame


class MandatoryPolicies:
    """Reads labels, once a revision; any thread may ask.

    Args:
        directory: Reference data.
    """

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._labelled: OrderedDict[int, _Labelled] = OrderedDict()
        self._lock = Lock()

    def at(self, revision: int, time_us: int) -> Mandates:
        """Return what is mandated at a time, as known at a revision.

        Raises:
            RetryableError: The reference data cannot be read now.
        """
        with self._lock:
            found = self._labelled.get(revision)
        if found is None:
            found = _Labelled(*(self._read(kind, revision) for kind in ("tenant", "project")))
            with self._lock:
                self._labelled[revision] = found
                while len(self._labelled) > _KEPT_REVISIONS:
                    self._labelled.popitem(last=False)
        if found.tenants.is_empty() and found.projects.is_empty():
            return _NOTHING
        holds = holds_at(datetime.fromtimestamp(time_us / 1_000_000, UTC))
        return mandates(found.tenants.filter(holds), found.projects.filter(holds))

    def _read(self, kind: str, revision: int) -> pl.DataFrame:
        facts = self._directory.intervals(kind, revision).filter("active")
        texts = [dict(labels or ()).get(LABEL) for labels in facts["labels"].to_list()]
        labelled = facts.with_columns(pl.Series("policies", texts, dtype=pl.String))
        return labelled.filter(pl.col("policies").fill_null("") != "")
