"""The API over an embedded store with rows of three tenants, and facts in memory beside it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.testclient import TestClient

from auditstream.access.export_jobs import ExportJobs, Job
from auditstream.api.app import create_app
from auditstream.api.parts import Parts
from auditstream.core.metrics import Metrics
from auditstream.query.reader import Reader
from auditstream.reference.limits import Budget
from auditstream.reference.objectives import Objective
from schemas.records.detection import Finding
from schemas.records.vocabulary import FindingStatus
from tests.support.access_house import TENANTS, House
from tests.support.blocks import NOON, block_of
from tests.support.facts import day
from tests.support.reference_memory import FactStore

ROWS = 90


class ApiHouse(House):
    """An API, whom it tells, and tokens for it.

    Args:
        store: Reads the store.
        folder: Where exports lie; none are written without.
    """

    def __init__(self, store: Reader, folder: Path | None = None) -> None:
        objectives = [_objective(each) for each in (*TENANTS, "")]
        budgets = [_budget(each) for each in TENANTS]
        super().__init__(store, facts=[*objectives, *budgets], now=NOON + timedelta(hours=1))
        self.published: list[Finding] = []
        self.recorded: list[Job] = []
        self.exports = ExportJobs(folder, self.desk, self.recorded.append) if folder else None
        self.parts = Parts(
            desk=self.desk,
            entry=self.entry,
            metrics=Metrics(),
            publish=self.published.extend,
            evidence=self._no_evidence,
            facts=self.lent_facts,
            look_s=0.0,
            exports=self.exports,
        )
        self.app: FastAPI = create_app(self.parts)

    @contextmanager
    def lent_facts(self) -> Iterator[FactStore]:
        """Lend the facts, to be changed."""
        yield self.facts

    @contextmanager
    def client(self, token: str = "", **options: Any) -> Iterator[TestClient]:
        """Lend a client that shows a token."""
        with TestClient(self.app, raise_server_exceptions=False, **options) as client:
            if token:
                client.headers["authorization"] = f"Bearer {token}"
            yield client

    @staticmethod
    def _no_evidence() -> Any:
        raise AssertionError("nothing is published here")


def _objective(tenant: str) -> Objective:
    return Objective(
        slo_id=f"{tenant or 'all'}-slo",
        tenant_id=tenant,
        indicator="availability",
        objective=Decimal("0.99"),
        valid_from=day(0),
    )


def _budget(tenant: str) -> Budget:
    return Budget(
        budget_id=f"{tenant}-month",
        tenant_id=tenant,
        period="month",
        amount=Decimal(12) if tenant == "acme" else Decimal(100),
        currency="USD",
        valid_from=day(0),
    )


def findings_of_three_tenants() -> list[Finding]:
    """Return a finding of each tenant; its title carries the tenant's name."""
    return [
        Finding(
            finding_id=f"{number}{number}" * 32,
            tenant_id=tenant,
            rule_id="spend.surge",
            title=f"{tenant}-title",
            status=FindingStatus.NEW,
            severity=4,
            scope=f"model={tenant}-model",
            window_start=NOON,
            window_end=NOON + timedelta(minutes=5),
            excess_cost=Decimal("12.5"),
            currency="USD",
        )
        for number, tenant in enumerate(TENANTS, 1)
    ]


def rows_of_three_tenants() -> Any:
    """Return events one a second, of each tenant every third; what is a tenant's own carries its name."""
    own = [TENANTS[number % 3] for number in range(ROWS)]
    return block_of(
        rows=ROWS,
        event_time=[NOON + timedelta(seconds=number) for number in range(ROWS)],
        tenant_id=own,
        project_id=[f"{each}-project" for each in own],
        agent_id=[f"{each}-agent" for each in own],
        actor_id=[f"{each}-person" for each in own],
        inference_request_model=[f"{each}-model" for each in own],
        tool_name=[f"{each}-tool" for each in own],
        trace_id=[f"{number // 9:032x}" for number in range(ROWS)],  # of all three tenants each
        outcome=["SUCCESS" if number % 2 else "FAILURE" for number in range(ROWS)],
        raw=[f"{each} secret".encode() for each in own],
        input_tokens=10,
        cost_effective=Decimal("0.5"),
        cost_list=Decimal("0.5"),
        cost_contracted=Decimal("0.5"),
        cost_billed=Decimal("0.5"),
        cost_currency="USD",
        cost_status="priced",
    )
