"""Incidents in the working day: what is added to its turns, hours apart, and what there is to be found.

Each is at a share of the day, so that all hours between them are quiet. A budget burns all day; what the
sums of the watchers look back at must lie within the day.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from auditstream.core.clock import EPOCH
from auditstream.core.tenants import UNATTRIBUTED
from auditstream.demo.cast import (
    COMPANIES,
    GPT_4O,
    IN_HOUSE,
    OLD_HAIKU,
    OPUS,
    SHADOW_CREDENTIAL,
    SLOW_BUDGET,
    SONNET,
    Company,
    Model,
    Project,
)
from auditstream.demo.drafts import Conversation, Draft, Pen, Turn
from auditstream.demo.incident import Incident, IncidentKind

MINUTE_US = 60_000_000

UNREGISTERED_SERVER = "mcp://snippets.example"
"""MCP server that an agent calls and that nobody registered."""

_ABROAD = ("BR", "VN", "ID", "NG", "TR")
"""Countries that a stolen key is used from: whoever bought it."""


@dataclass(slots=True)
class Planted:
    """Incidents of a day.

    Attributes:
        incidents: What there is to be found.
        drafts: What they add to the day, in no order.
    """

    incidents: list[Incident] = field(default_factory=list)
    drafts: list[Draft] = field(default_factory=list)


class IncidentWriter:
    """Writes the incidents of one day.

    Args:
        pen: Writes the drafts.
        start_us: Start of the day, microseconds since the epoch.
        length_us: Its length.
    """

    def __init__(self, pen: Pen, start_us: int, length_us: int) -> None:
        self._pen = pen
        self._start_us = start_us
        self._length_us = length_us
        self._found = Planted()

    def planted(self) -> Planted:
        """Return all of them; call it once."""
        shop, clinic, software = COMPANIES
        search, support = shop.projects
        letters, _ = clinic.projects
        helpdesk, review = software.projects
        self._slow_burn(software, helpdesk)
        self._agent_loop(shop, support, share=0.40)
        self._unregistered_server(software, review, share=0.50)
        self._stolen_key(clinic, letters, share=0.58)
        self._swap(shop, support, share=0.68)
        self._storm(shop, search, share=0.80)
        self._spike(software, review, share=0.88)
        self._stand(clinic)
        return self._found

    def _slow_burn(self, company: Company, project: Project) -> None:
        """A summary of everything every other minute, from the first minute on: nothing ever changes."""
        for minute in range(1, self._length_us // MINUTE_US, 2):
            at_us = self._start_us + minute * MINUTE_US
            turn = self._pen.turn(self._pen.conversation(company, project), at_us)
            self._call(turn, GPT_4O, (self._pen.around(100_000, 0.1), 120))
        self._add(
            "slow_burn",
            company,
            (self._start_us, self._start_us + self._length_us),
            names={f"budget={SLOW_BUDGET}"},
            touches={f"budget={company.tenant}-month"},
        )

    def _agent_loop(self, company: Company, project: Project, share: float) -> None:
        """One call with the same arguments, again and again: its answer is always empty."""
        turn = self._service(company, project, self._at(share))
        assert project.agent is not None
        tool = project.agent.tools[0]
        arguments, begin_us = self._pen.hex(256), turn.now_us
        for step in range(30):
            self._pen.write(turn, "ai.agent.action", takes_us=4_000, agent_step={"index": step, "depth": 0})
            self._call(turn, project.models[0][0], (1_500 + 90 * step, 60))
            called = self._tool(tool.name, tool.side_effect, tool.mcp_server, arguments)
            self._pen.write(turn, "ai.tool_call", takes_us=self._pen.around(4_000_000), tool=called)
        self._keep(turn)
        self._add(
            "agent_loop",
            company,
            (begin_us, turn.now_us),
            names={*_of(project)},
            touches={f"tool={tool.name}"},
        )

    def _unregistered_server(self, company: Company, project: Project, share: float) -> None:
        begin_us = self._at(share)
        for minute in (0, 7, 19):
            turn = self._service(company, project, begin_us + minute * MINUTE_US)
            called = self._tool("find_snippet", "READ", UNREGISTERED_SERVER, self._pen.hex(256))
            self._pen.write(turn, "ai.tool_call", takes_us=300_000, tool=called)
            self._keep(turn)
        self._add(
            "unregistered_mcp_server",
            company,
            (begin_us, begin_us + 20 * MINUTE_US),
            names={f"mcp_server={UNREGISTERED_SERVER}"},
            touches={"tool=find_snippet", *_of(project)},
        )

    def _stolen_key(self, company: Company, project: Project, share: float) -> None:
        """A key is tried out on several models, and then used from everywhere for the most expensive one."""
        begin_us, pen = self._at(share), self._pen
        for number, model in enumerate((OPUS, SONNET, GPT_4O, OPUS, SONNET, GPT_4O)):
            turn = self._thief(company, project, begin_us + number * 15_000_000)
            self._fail(turn, model)
        minutes = 50
        at_us = begin_us + 3 * MINUTE_US
        while at_us < begin_us + minutes * MINUTE_US:
            turn = self._thief(company, project, at_us)
            self._call(turn, OPUS, (pen.around(3_500), pen.around(700)))
            at_us += pen.around(12_000_000)
        self._add(
            "stolen_key",
            company,
            (begin_us, begin_us + minutes * MINUTE_US),
            names={f"credential={project.credential}"},
            touches={*_of(project), *(f"model={each.name}" for each in (OPUS, SONNET, GPT_4O))},
        )

    def _swap(self, company: Company, project: Project, share: float) -> None:
        """Some answers are of an older and cheaper model than the one that was asked for."""
        begin_us = self._at(share)
        for number in range(30):
            turn = self._service(company, project, begin_us + number * MINUTE_US)
            self._call(turn, SONNET, self._pen.tokens.draw(), answered_by=OLD_HAIKU)
        self._add(
            "silent_model_swap",
            company,
            (begin_us, begin_us + 30 * MINUTE_US),
            names={f"asked={SONNET.name}", f"answered={OLD_HAIKU.name}"},
            touches={f"model={OLD_HAIKU.name}", f"model={SONNET.name}", *_of(project)},
        )

    def _storm(self, company: Company, project: Project, share: float) -> None:
        """Many people try what they read of somewhere; the guardrail denies nearly all of it."""
        begin_us, pen = self._at(share), self._pen
        minutes = 12
        at_us = begin_us
        while at_us < begin_us + minutes * MINUTE_US:
            turn = self._pen.turn(self._pen.conversation(company, project), at_us)
            is_denied = pen.chance(0.9)
            policy = {
                "id": "content-guard",
                "rule_id": "content-guard-input",
                "target": "input",
                "component": "guardrail",
                "mode": "ENFORCE",
                "verdict": "deny" if is_denied else "allow",
                "action": "block" if is_denied else "allow",
                "risk_score": 0.79 if is_denied else 0.1,
                **({"risk_category": "toxicity"} if is_denied else {}),
            }
            outcome: Draft = {"outcome": "BLOCKED", "severity": 4} if is_denied else {}
            pen.write(turn, "ai.policy.decision", takes_us=pen.around(18_000), policy=policy, **outcome)
            self._keep(turn)
            at_us += pen.around(5_000_000)
        self._add(
            "guardrail_storm",
            company,
            (begin_us, begin_us + minutes * MINUTE_US),
            names={"", *_of(project)},
        )

    def _spike(self, company: Company, project: Project, share: float) -> None:
        """Somebody has every change of the year reviewed again."""
        begin_us, pen = self._at(share), self._pen
        minutes, model = 20, project.models[0][0]
        at_us = begin_us
        while at_us < begin_us + minutes * MINUTE_US:
            turn = self._service(company, project, at_us)
            self._call(turn, model, (pen.around(60_000, 0.2), pen.around(900)))
            at_us += pen.around(6_000_000)
        self._add(
            "spend_spike",
            company,
            (begin_us, begin_us + minutes * MINUTE_US),
            names={"", f"model={model.name}", *_of(project)},
        )

    def _stand(self, clinic: Company) -> None:
        """What the day has anyway: a key that nobody registered, and a model without a price."""
        whole = self._start_us, self._start_us + self._length_us
        self._found.incidents += [
            _incident("unregistered_key", UNATTRIBUTED, whole, {f"credential={SHADOW_CREDENTIAL}"}),
            _incident("unpriced_model", clinic.tenant, whole, {f"model={IN_HOUSE.name}"}),
        ]

    # Parts

    def _at(self, share: float) -> int:
        return self._start_us + int(share * self._length_us)

    def _service(self, company: Company, project: Project, at_us: int) -> Turn:
        """Return a turn of a service that works by itself: no person, and its own country alone."""
        conversation = self._pen.conversation(company, project)
        conversation.envelope |= {"actor_type": "SYSTEM", "actor_id": f"{project.id}-service"}
        del conversation.envelope["src_country"]
        return self._pen.turn(conversation, at_us)

    def _thief(self, company: Company, project: Project, at_us: int) -> Turn:
        conversation: Conversation = self._pen.conversation(company, project)
        conversation.envelope |= {
            "actor_type": "API_KEY",
            "actor_id": project.credential,
            "src_country": self._pen.random.choice(_ABROAD),
        }
        return self._pen.turn(conversation, at_us)

    def _call(
        self, turn: Turn, model: Model, tokens: tuple[int, int], *, answered_by: Model | None = None
    ) -> None:
        read, written = tokens
        inference = {
            "operation": "chat",
            "provider": model.provider,
            "request_model": model.name,
            "response_model": (answered_by or model).name,
            "response_id": f"resp-{self._pen.hex(64)}",
        }
        usage = {"input_tokens": read, "output_tokens": written, "source": "PROVIDER"}
        takes_us = 400_000 + written * model.us_per_token
        self._pen.write(
            turn, "ai.inference", takes_us=takes_us, http_status=200, inference=inference, usage=usage
        )
        self._keep(turn)

    def _fail(self, turn: Turn, model: Model) -> None:
        inference = {"operation": "chat", "provider": model.provider, "request_model": model.name}
        trouble: dict[str, Any] = {"outcome": "FAILURE", "severity": 3, "error_type": "not_found"}
        self._pen.write(
            turn, "ai.inference", takes_us=200_000, http_status=404, inference=inference, **trouble
        )
        self._keep(turn)

    def _tool(self, name: str, side_effect: str, server: str, arguments: str) -> dict[str, Any]:
        mcp = {"mcp_server": server, "mcp_method": "tools/call"} if server else {}
        return {
            "name": name,
            "type": "mcp" if server else "function",
            "call_id": f"call-{self._pen.hex(48)}",
            "args_hmac": arguments,
            "side_effect": side_effect,
            "result_bytes": 2,
            **mcp,
        }

    def _keep(self, turn: Turn) -> None:
        """Take over what a turn has written since it was last kept."""
        self._found.drafts += turn.drafts
        turn.drafts.clear()

    def _add(
        self,
        kind: IncidentKind,
        company: Company,
        span_us: tuple[int, int],
        *,
        names: set[str],
        touches: set[str] | None = None,
    ) -> None:
        whole = {""} if kind != "slow_burn" else set[str]()  # the steady burn of one budget moves nobody else
        self._found.incidents.append(
            _incident(kind, company.tenant, span_us, names, whole | (touches or set()))
        )


def _of(project: Project) -> Iterator[str]:
    """Yield the scopes of everything that is a project's own."""
    yield f"project={project.id}"
    yield f"credential={project.credential}"
    if project.agent is not None:
        yield f"agent={project.agent.id}"


def _incident(
    kind: IncidentKind,
    tenant: str,
    span_us: tuple[int, int],
    names: AbstractSet[str],
    touches: AbstractSet[str] = frozenset(),
) -> Incident:
    begin, end = (EPOCH + timedelta(microseconds=each) for each in span_us)
    return Incident(
        kind=kind, tenant=tenant, start=begin, end=end, names=frozenset(names), touches=frozenset(touches)
    )
