"""Ordinary turns of a service, minute by minute, under whatever an incident changes of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auditstream.core.ids import uuid7
from benchmarks.detection.incidents.services import BEGIN, Service

Draft = dict[str, Any]

MINUTE_US = 60_000_000
BEGIN_US = int(BEGIN.timestamp()) * 1_000_000

_RAIDS_A_DAY = 3.0
"""Of the service with evenings: a streamer's audience comes at once, and leaves."""

_MEMORY = 0.85
"""How much of a minute's deviation from the usual rate the next one has: load comes in waves."""

_SIGMA = 0.9
"""Deviation of the logarithm of tokens: a mean of one and a half medians, as chats have."""

_DECIDED = 0.4
_FAILED = 0.012
_SEVERITY_DENIED, _SEVERITY_FAILED = 4, 3


def nothing(_: int) -> float:
    """Return 0 at any minute."""
    return 0.0


def once(_: int) -> float:
    """Return 1 at any minute."""
    return 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What an incident changes of the ordinary turns of a service, by minute of the set.

    Attributes:
        service: The service.
        times: Times as many turns.
        longer: Times as many tokens in.
        denied: Share of decisions that deny, on top.
        swapped: Share of answers that another model gives.
        answered_by: That model.
    """

    service: Service
    times: Callable[[int], float] = once
    longer: Callable[[int], float] = once
    denied: Callable[[int], float] = nothing
    swapped: Callable[[int], float] = nothing
    answered_by: str = ""


class Writer:
    """Writes events of one service.

    Args:
        service: The service.
        random: Chooses.
        changes: What is changed of it.
    """

    def __init__(self, service: Service, random: Random, changes: Sequence[Change] = ()) -> None:
        self.service = service
        self.random = random
        self._changes = [each for each in changes if each.service is service]

    def turn(self, at_us: int) -> list[Draft]:
        """Return the events of one ordinary turn, which begins at a time in microseconds."""
        minute = (at_us - BEGIN_US) // MINUTE_US
        random, service = self.random, self.service
        who = self.who()
        found: list[Draft] = []
        if random.random() < _DECIDED:
            share = service.denied + sum(each.denied(minute) for each in self._changes)
            is_denied = random.random() < share
            found.append(self.decision(who, at_us, is_denied=is_denied))
            if is_denied:
                return found
        steps = random.randint(1, 4) if service.tools else 1
        for step in range(steps):
            at_us += random.randrange(200_000, 900_000)
            if service.tools:
                found.append(
                    self.write(who, "ai.agent.action", at_us, agent_step={"index": step, "depth": 0})
                )
            call = self.call(who, at_us, **self._answer(minute))
            found.append(call)
            at_us += call["duration_us"]
            if service.tools and step + 1 < steps:
                tool = random.choice(service.tools)
                found.append(self.tool(who, at_us, tool.name, tool.server, tool.side_effect, self.hex(64)))
        return found

    def who(self, **fields: Any) -> Draft:
        """Return the fields that all events of a conversation have, as a service says them."""
        service, random = self.service, self.random
        agent = {
            "agent_id": service.agent,
            "agent_version": "1.0.0",
            "agent_instance_id": f"run-{self.hex(12)}",
        }
        return {
            "schema_rev": "1.0.0",
            "source": f"urn:second-set:{service.project}",
            "source_instance": f"{service.project}-{random.randrange(3)}",
            "tenant_id": service.tenant,
            "project_id": service.project,
            "actor_type": "API_KEY",
            "actor_id": f"caller-{random.randrange(300):03}",
            "credential_id": service.credential,
            "src_country": random.choice(service.countries),
            "src_asn": service.asn,
            "conversation_id": f"c-{self.hex(16)}",
            "trace_id": self.hex(32),
            **(agent if service.tools else {}),
            **fields,
        }

    def call(
        self,
        who: Draft,
        at_us: int,
        *,
        model: str = "",
        answered_by: str = "",
        tokens: tuple[int, int] | None = None,
        fails: bool | None = None,
    ) -> Draft:
        """Return a call of a model; what is left out is as of the service."""
        service, random = self.service, self.random
        asked = model or service.model
        read, written = tokens or self.tokens()
        names = {"operation": "chat", "provider": service.provider, "request_model": asked}
        if random.random() < _FAILED if fails is None else fails:
            return self.write(
                who, "ai.inference", at_us, outcome="FAILURE", severity=_SEVERITY_FAILED,
                error_type="server_error", http_status=500, inference=names, duration_us=900_000,
            )  # fmt: skip
        inference = names | {"response_model": answered_by or asked, "response_id": f"r-{self.hex(24)}"}
        usage = {"input_tokens": read, "output_tokens": written, "source": "PROVIDER"}
        takes_us = 400_000 + int(written * 9_000 * random.uniform(0.7, 1.5))
        return self.write(
            who,
            "ai.inference",
            at_us,
            http_status=200,
            inference=inference,
            usage=usage,
            duration_us=takes_us,
        )

    def tool(
        self, who: Draft, at_us: int, name: str, server: str, side_effect: str, arguments: str, **fields: Any
    ) -> Draft:
        """Return a call of a tool."""
        called = {
            "name": name, "type": "mcp", "call_id": f"t-{self.hex(12)}", "args_hmac": arguments,
            "side_effect": side_effect, "mcp_server": server, "mcp_method": "tools/call",
            "result_bytes": self.random.randrange(200, 9_000),
        }  # fmt: skip
        return self.write(who, "ai.tool_call", at_us, tool=called, duration_us=250_000, **fields)

    def decision(self, who: Draft, at_us: int, *, is_denied: bool) -> Draft:
        """Return a guardrail's decision about an input."""
        policy: Draft = {
            "id": "input-screen", "rule_id": "input-screen-1", "target": "input", "component": "guardrail",
            "mode": "ENFORCE", "verdict": "deny" if is_denied else "allow",
            "action": "block" if is_denied else "allow", "risk_score": 0.7 if is_denied else 0.1,
        }  # fmt: skip
        more: Draft = {}
        if is_denied:
            policy["risk_category"] = "toxicity"
            more = {"outcome": "BLOCKED", "severity": _SEVERITY_DENIED}
        return self.write(who, "ai.policy.decision", at_us, policy=policy, duration_us=15_000, **more)

    def write(self, who: Draft, event_type: str, at_us: int, **fields: Any) -> Draft:
        """Return an event."""
        return {
            **who,
            "event_id": str(uuid7(at_us // 1_000, self.random.randbytes(10))),
            "event_type": event_type,
            "event_time": at_us,
            "outcome": "SUCCESS",
            "severity": 1,
            "span_id": self.hex(16),
            **fields,
        }

    def tokens(self, longer: float = 1.0) -> tuple[int, int]:
        """Return what one call reads and writes."""
        service, draw = self.service, self.random.lognormvariate
        read = min(int(service.read * longer * draw(0.0, _SIGMA)), 900_000)
        return max(read, 4), min(max(int(service.written * draw(0.0, _SIGMA)), 1), 8_000)

    def hex(self, digits: int) -> str:
        """Return so many random hex digits."""
        return f"{self.random.getrandbits(4 * digits):0{digits}x}"

    def _answer(self, minute: int) -> dict[str, Any]:
        longer, answered_by = 1.0, ""
        for each in self._changes:
            longer *= each.longer(minute)
            if self.random.random() < each.swapped(minute):
                answered_by = each.answered_by
        return {"tokens": self.tokens(longer), "answered_by": answered_by}


def turns(
    service: Service, minutes: int, seed: Sequence[int], changes: Sequence[Change]
) -> NDArray[np.int64]:
    """Return how many turns a service has in each minute of the set.

    Args:
        service: The service.
        minutes: Length of the set.
        seed: Of numpy's generator.
        changes: What incidents change.
    """
    random = np.random.default_rng(seed)
    noise = random.normal(0.0, service.varies * np.sqrt(1 - _MEMORY**2), minutes)
    level = 0.0
    rate = np.zeros(minutes)
    for minute in range(minutes):
        level = _MEMORY * level + noise[minute]
        rate[minute] = service.peak * service.busy(minute) * np.exp(level - service.varies**2 / 2)
    if service.day == "evening":
        for start in random.integers(0, minutes, random.poisson(_RAIDS_A_DAY * minutes / 1_440)):
            rate[start : start + random.integers(5, 13)] *= random.uniform(2.5, 4.5)
    for change in changes:
        if change.service is service:
            rate *= np.array([change.times(minute) for minute in range(minutes)])
    return random.poisson(rate)


def ordinary(writer: Writer, counts: NDArray[np.int64]) -> Iterator[Draft]:
    """Yield the events of a service's turns, minute by minute."""
    for minute in np.flatnonzero(counts).tolist():
        for _ in range(int(counts[minute])):
            at_us = BEGIN_US + minute * MINUTE_US + writer.random.randrange(MINUTE_US)
            yield from writer.turn(at_us)
