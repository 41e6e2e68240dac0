"""What happens beside the conversations: heartbeats, bills, changes, and traffic that nobody registered."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from auditstream.demo.cast import (
    CHANGED_PROMPT,
    COMPANIES,
    GPT_4O,
    PROMPT_VERSIONS,
    SHADOW_CREDENTIAL,
    SHADOW_SOURCE,
    Company,
    Project,
)
from auditstream.demo.drafts import SCHEMA_REV, Conversation, Draft, Pen
from auditstream.demo.shared_costs import shared_costs

DAY_US = 8 * 3_600_000_000
"""A working day: long enough that detectors know what is usual, and that most of its hours are quiet."""

_BILLS_EVERY_US = DAY_US // 4
_HEARTBEAT_US = DAY_US // 12

# What two hours cost beside tokens: category, meter, unit, quantity, price of one, resource.
_BILLS = (
    ("capacity", "gpu-seconds", "seconds", Decimal(900), Decimal("0.000694444444444444"), "gpu-pool"),
    ("storage", "vector-store", "GB-Hours", Decimal("11.25"), Decimal("0.000452054794520548"), "vectors"),
    ("people", "review-minutes", "minutes", Decimal("1.5"), Decimal("0.75"), "review-desk"),
)
_EXACT = Decimal("0.000000000001")


class Background:
    """Writes what goes on in one day beside its conversations.

    Args:
        pen: Writes the drafts.
        start_us: Start of the day, microseconds since the epoch.
        prompt_changes_us: When the changed prompt gets its new version.
    """

    def __init__(self, pen: Pen, start_us: int, prompt_changes_us: int) -> None:
        self._pen = pen
        self._start_us = start_us
        self._prompt_changes_us = prompt_changes_us

    def drafts(self) -> Iterator[Draft]:
        """Yield all of it, in no order."""
        for company in COMPANIES:
            for project in company.projects:
                yield from self._heartbeats(company, project)
            yield from self._bills(company)
        yield from self._changes()
        yield from self._shadow()
        yield from shared_costs(self._pen, self._start_us, self._start_us + DAY_US)

    def heartbeat(self, company: Company, project: Project, at_us: int) -> Draft:
        """Return a heartbeat of one of a project's sources; its last sequence number is filled in later."""
        heartbeat = {"interval_us": _HEARTBEAT_US, "last_seq": 0, "dropped": 0, "lag_us": 0}
        service = self._service(company, project)
        return self._one(service, at_us, "ai.source.heartbeat", heartbeat=heartbeat)

    def _heartbeats(self, company: Company, project: Project) -> Iterator[Draft]:
        for beat in range(DAY_US // _HEARTBEAT_US):
            at_us = self._start_us + beat * _HEARTBEAT_US + self._pen.random.randrange(_HEARTBEAT_US // 10)
            yield self.heartbeat(company, project, at_us)

    def _bills(self, company: Company) -> Iterator[Draft]:
        for quarter in range(DAY_US // _BILLS_EVERY_US):
            start_us = self._start_us + quarter * _BILLS_EVERY_US
            for bill in _BILLS:
                end_us = start_us + _BILLS_EVERY_US - 1
                service = self._service(company, company.projects[-1])
                line = self._line(company, bill, start_us, end_us)
                yield self._one(service, end_us, "ai.cost.operational", costs=[line])

    def _line(
        self, company: Company, bill: tuple[str, str, str, Decimal, Decimal, str], start_us: int, end_us: int
    ) -> dict[str, Any]:
        category, meter, unit, base, price, resource = bill
        quantity = (base * Decimal(str(round(self._pen.random.uniform(0.6, 1.4), 3)))).quantize(
            Decimal("0.001")
        )
        amount = (quantity * price).quantize(_EXACT)
        return {
            "category": category,
            "resource_id": f"{company.tenant}-{resource}",
            "period_start": start_us,
            "period_end": end_us,
            "meter": meter,
            "quantity": quantity,
            "unit": unit,
            "list_unit_price": price,
            "list": amount,
            "contracted": amount,
            "effective": amount,
            "billed": amount,
            "currency": "USD",
            "source": "LOCAL",
        }

    def _changes(self) -> Iterator[Draft]:
        """Yield the changes of the day; the first company's prompt gets its new version among them."""
        shop, clinic, software = COMPANIES
        search = self._service(shop, shop.projects[0])
        prompt = {
            "object_type": "prompt",
            "object_id": CHANGED_PROMPT,
            "before_hash": self._pen.hex(256),
            "after_hash": self._pen.hex(256),
            "ticket": f"SEARCH-{PROMPT_VERSIONS[1]}41",
            "approver_id": "user-acme-007",
        }
        yield self._one(search, self._prompt_changes_us, "ai.prompt.version", change=prompt)
        route = {"object_type": "route", "object_id": "letters/default", "ticket": "GX-118"}
        letters, triage = (self._service(clinic, project) for project in clinic.projects)
        yield self._one(letters, self._at(0.22), "ai.config.change", change=route)
        key = {"subject_id": clinic.projects[1].credential, "activity": "rotate"}
        yield self._one(triage, self._at(0.4), "ai.key.lifecycle", access=key)
        grant = {"subject_id": "user-initech-011", "activity": "grant", "scopes": ["audit:read"]}
        helpdesk = self._service(software, software.projects[0])
        yield self._one(helpdesk, self._at(0.31), "ai.access.grant", access=grant)
        budget = {
            "id": "acme-month",
            "period": "month",
            "limit": Decimal(5000),
            "spent": Decimal("4012.40"),
            "currency": "USD",
            "threshold_pct": 80,
            "reaction": "notify",
        }
        yield self._one(search, self._at(0.71), "ai.budget", budget=budget, severity=3)

    def _shadow(self) -> Iterator[Draft]:
        """Yield calls with a credential that nobody registered, and their discovery."""
        pen = self._pen
        envelope: Draft = {
            "schema_rev": SCHEMA_REV,
            "source": SHADOW_SOURCE,
            "source_instance": "laptop-0",
            "actor_type": "API_KEY",
            "credential_id": SHADOW_CREDENTIAL,
            "conversation_id": f"conv-{pen.hex(64)}",
        }
        shadow = Conversation(COMPANIES[0], COMPANIES[0].projects[0], envelope["conversation_id"], envelope)
        for number in range(5):
            read, written = pen.tokens.draw()
            names = {"provider": GPT_4O.provider, "request_model": GPT_4O.name, "response_model": GPT_4O.name}
            yield self._one(
                shadow,
                self._at(0.55) + number * 20_000_000,
                "ai.inference",
                http_status=200,
                inference={"operation": "chat", **names},
                usage={"input_tokens": read, "output_tokens": written, "source": "PROVIDER"},
            )
        seen = {"asset_type": "credential", "asset_id": SHADOW_CREDENTIAL, "first_seen": self._at(0.55)}
        yield self._one(shadow, self._at(0.6), "ai.discovery", discovery=seen, severity=4)

    def _at(self, share: float) -> int:
        return self._start_us + int(share * DAY_US)

    def _service(self, company: Company, project: Project) -> Conversation:
        """Return what a project's service does on its own: no person, and no conversation."""
        service = self._pen.conversation(company, project)
        service.envelope |= {"actor_type": "SYSTEM", "actor_id": f"{project.id}-service"}
        for name in ("conversation_id", "session_id", "src_country"):
            del service.envelope[name]
        return service

    def _one(self, who: Conversation, at_us: int, event_type: str, **fields: Any) -> Draft:
        return self._pen.write(self._pen.turn(who, at_us), event_type, **fields)
