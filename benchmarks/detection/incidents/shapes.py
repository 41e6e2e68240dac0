"""Seven kinds of incidents in the forms that public accounts of such incidents have.

Written before any detector was run on them. Where a form comes from:

- stolen key: `hoard`, 267 requests of 350,000 tokens each within ten minutes, from a key that was flat before
  (laurence-wayne.com, "93 million tokens, one very bad afternoon"); `resold`, keys tried out on several
  models and then sold behind a reverse proxy to people in many countries, who ask for the most expensive
  model (Sysdig on LLMjacking, 2024); `patient`, a key in a pool that "started slow, then ramped up"
  (securie.ai, "the $4,200 OpenAI bill").
- agent loop: `same call`, one call with the same arguments until a limit of 25 to 100 steps ends it
  (bytedance/deer-flow #1055); `in circles`, three tools in turn whose arguments vary a little and whose
  answers are empty (superplanehq/superplane #4123); `for days`, a failing call that is tried again about once
  a minute and whose context grows (the loop of eleven days and $47,000 that many tell of).
- guardrail storm: `too strict`, refusals go from 2 to 11 % and more when a policy's threshold changes
  (reliai.dev, example INC-4102); `one attacker`, one person tries jailbreaks in a few conversations; `crowd`,
  many conversations try one or two each.
- silent model swap: `all`, `some` and `misspelt`: a gateway answers with another model under the name that
  was asked for, for all calls, for a share, or for a name it does not know (odysseus-dev/odysseus #868,
  agentgateway/agentgateway #1361).
- spend spike: `backfill`, somebody runs everything again; `long prompts`, a bug puts whole documents into
  each prompt; `retries`, a client tries again at once and without an end.
- unregistered MCP server: `once`, `look-alike` of a registered one, and `package`, run on somebody's machine
  (postmark-mcp 1.0.16, 2025).
- slow burn: `threefold` from one moment on, `rising` to four times within a day, `nights`: what was left
  running burns while nobody looks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from random import Random

from auditstream.demo.incident import Incident, IncidentKind
from benchmarks.detection.incidents.burn_due import SURELY, level
from benchmarks.detection.incidents.quiet import BEGIN_US, MINUTE_US, Change, Draft, Writer
from benchmarks.detection.incidents.services import BEGIN, Service

_MINUTES = 4 * 1_440
"""Length of the set."""

_ABROAD = (
    ("BR", 28573),
    ("VN", 45899),
    ("RO", 9050),
    ("ID", 7713),
    ("RU", 12389),
    ("NG", 29465),
    ("TR", 9121),
)


@dataclass(frozen=True, slots=True)
class Planted:
    """An incident and how it is made.

    Attributes:
        incident: The incident.
        changes: What it changes of ordinary turns.
        events: What it adds to them.
    """

    incident: Incident
    changes: tuple[Change, ...] = ()
    events: list[Draft] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Shape:
    """One form of one kind.

    Attributes:
        kind: The kind.
        name: The form.
        plant: Makes it, given who writes and the minute of the set at which it begins.
    """

    kind: IncidentKind
    name: str
    plant: Callable[[Writer, int], Planted]


def _incident(
    kind: IncidentKind, shape: str, service: Service, start: int, minutes: float, names: set[str], *more: str
) -> Incident:
    own = {"", f"credential={service.credential}", f"project={service.project}", f"model={service.model}"}
    if service.agent:
        own.add(f"agent={service.agent}")
    begin = BEGIN + timedelta(minutes=start)
    return Incident(
        kind=kind,
        tenant=service.tenant,
        start=begin,
        end=begin + timedelta(minutes=minutes),
        names=frozenset(names),
        touches=frozenset(own | set(more)),
        shape=shape,
    )


def _at_us(start: int, minutes: float) -> int:
    return BEGIN_US + int((start + minutes) * MINUTE_US)


# Stolen key


def _hoard(writer: Writer, start: int) -> Planted:
    service, random = writer.service, writer.random
    country, asn = random.choice(_ABROAD)
    who = writer.who(src_country=country, src_asn=asn, actor_id="unknown")
    minutes, count = random.uniform(9, 16), random.randrange(200, 300)
    events = [
        writer.call(
            who,
            _at_us(start, random.uniform(0, minutes)),
            model=service.larger,
            tokens=(int(random.uniform(0.6, 1.2) * 350_000), random.randrange(50, 900)),
            fails=False,
        )
        for _ in range(count)
    ]
    return _stolen("hoard", writer, start, minutes, events)


def _resold(writer: Writer, start: int) -> Planted:
    service, random = writer.service, writer.random
    events = []
    for number, model in enumerate((service.larger, service.model, service.smaller, "o1-pro", "gpt-4.5") * 2):
        country, asn = random.choice(_ABROAD)
        who = writer.who(src_country=country, src_asn=asn, actor_id="unknown")
        events.append(writer.call(who, _at_us(start, number * 0.3), model=model, fails=True))
    minutes, at = random.uniform(60, 150), 5.0
    rate = random.uniform(3, 9)
    while (at := at + random.expovariate(rate)) < minutes:
        country, asn = random.choice(_ABROAD)
        who = writer.who(src_country=country, src_asn=asn, actor_id="unknown")
        tokens = (int(random.lognormvariate(8.2, 0.7)), int(random.lognormvariate(6.2, 0.6)))
        events.append(writer.call(who, _at_us(start, at), model=service.larger, tokens=tokens))
    return _stolen("resold", writer, start, minutes, events)


def _patient(writer: Writer, start: int) -> Planted:
    random = writer.random
    events, at, rate = [], 0.0, 0.3
    pool = random.sample(_ABROAD, 2)
    while (at := at + random.expovariate(rate * 1.5 ** (at / 20))) < 180:
        country, asn = random.choice(pool)
        who = writer.who(src_country=country, src_asn=asn, actor_id="unknown")
        events.append(writer.call(who, _at_us(start, at)))
    return _stolen("patient", writer, start, 180, events)


def _stolen(shape: str, writer: Writer, start: int, minutes: float, events: list[Draft]) -> Planted:
    service = writer.service
    used = {f"model={each['inference']['request_model']}" for each in events}
    names = {f"credential={service.credential}"}
    return Planted(_incident("stolen_key", shape, service, start, minutes, names, *used), (), events)


# Agent loop


def _same_call(writer: Writer, start: int) -> Planted:
    random, steps = writer.random, writer.random.randrange(25, 100)
    arguments = writer.hex(64)
    return _loop("same call", writer, start, steps, lambda: random.uniform(4, 9), lambda _: arguments)


def _in_circles(writer: Writer, start: int) -> Planted:
    random, steps = writer.random, writer.random.randrange(90, 220)
    return _loop("in circles", writer, start, steps, lambda: random.uniform(5, 10), lambda _: writer.hex(64))


def _for_days(writer: Writer, start: int) -> Planted:
    random, steps = writer.random, writer.random.randrange(100, 160)
    pause_s, arguments = random.uniform(40, 95), writer.hex(64)
    pause = lambda: pause_s * random.uniform(0.95, 1.05)  # noqa: E731 - as the two above
    return _loop("for days", writer, start, steps, pause, lambda _: arguments, fails=True)


def _loop(
    shape: str,
    writer: Writer,
    start: int,
    steps: int,
    pause_s: Callable[[], float],
    arguments: Callable[[int], str],
    *,
    fails: bool = False,
) -> Planted:
    service, who = writer.service, writer.who()
    tools = service.tools if shape == "in circles" else (writer.random.choice(service.tools),)
    trouble: Draft = {"outcome": "FAILURE", "severity": 3, "error_type": "tool_error"} if fails else {}
    events, at_s = [], 0.0
    read = service.read
    for step in range(steps):
        at_us = _at_us(start, at_s / 60)
        read = min(read + writer.random.randrange(100, 500), 150_000)
        events.append(writer.write(who, "ai.agent.action", at_us, agent_step={"index": step, "depth": 0}))
        events.append(writer.call(who, at_us + 10_000, tokens=(read, 40), fails=False))
        tool = tools[step % len(tools)]
        called = (tool.name, tool.server, tool.side_effect, arguments(step))
        events.append(writer.tool(who, at_us + 1_500_000, *called, **trouble))
        at_s += pause_s()
    names = {f"agent={service.agent}"}
    touched = [f"tool={each.name}" for each in tools]
    return Planted(_incident("agent_loop", shape, service, start, at_s / 60, names, *touched), (), events)


# Guardrail storm


def _too_strict(writer: Writer, start: int) -> Planted:
    minutes, share = writer.random.randrange(15, 60), writer.random.uniform(0.09, 0.2)
    change = Change(
        service=writer.service, denied=lambda minute: share if start <= minute < start + minutes else 0.0
    )
    return Planted(_storm("too strict", writer, start, minutes), (change,))


def _one_attacker(writer: Writer, start: int) -> Planted:
    random, minutes = writer.random, writer.random.uniform(5, 12)
    who = [writer.who(actor_id="attacker") for _ in range(random.randrange(1, 4))]
    rate = random.uniform(4, 9)
    return _attempts("one attacker", writer, start, minutes, rate, lambda: random.choice(who))


def _crowd(writer: Writer, start: int) -> Planted:
    random, minutes = writer.random, writer.random.uniform(20, 40)
    return _attempts("crowd", writer, start, minutes, random.uniform(3, 6), writer.who)


def _attempts(
    shape: str, writer: Writer, start: int, minutes: float, rate: float, who: Callable[[], Draft]
) -> Planted:
    events, at = [], 0.0
    while (at := at + writer.random.expovariate(rate)) < minutes:
        is_denied = writer.random.random() < 0.85
        events.append(writer.decision(who(), _at_us(start, at), is_denied=is_denied))
    conversations = {f"conversation={each['conversation_id']}" for each in events}
    return Planted(_storm(shape, writer, start, minutes, *conversations), (), events)


def _storm(shape: str, writer: Writer, start: int, minutes: float, *conversations: str) -> Incident:
    service = writer.service
    names = {f"credential={service.credential}", f"project={service.project}", *conversations, ""}
    if service.agent:
        names.add(f"agent={service.agent}")
    return _incident("guardrail_storm", shape, service, start, minutes, names)


# Silent model swap


def _swapped(shape: str, share: Callable[[Random], float]) -> Callable[[Writer, int], Planted]:
    def plant(writer: Writer, start: int) -> Planted:
        service, minutes, of_all = writer.service, writer.random.randrange(60, 240), share(writer.random)
        change = Change(
            service=service,
            swapped=lambda minute: of_all if start <= minute < start + minutes else 0.0,
            answered_by=service.smaller,
        )
        names = {f"asked={service.model}", f"answered={service.smaller}"}
        touched = f"model={service.smaller}"
        return Planted(
            _incident("silent_model_swap", shape, service, start, minutes, names, touched), (change,)
        )

    return plant


def _misspelt(writer: Writer, start: int) -> Planted:
    service, random = writer.service, writer.random
    minutes = random.uniform(20, 90)
    asked = f"{service.model}-fast"
    events = []
    at = 0.0
    while (at := at + random.expovariate(0.4)) < minutes:
        events.append(
            writer.call(
                writer.who(), _at_us(start, at), model=asked, answered_by=service.smaller, fails=False
            )
        )
    names = {f"asked={asked}", f"answered={service.smaller}"}
    touched = f"model={service.smaller}"
    return Planted(
        _incident("silent_model_swap", "misspelt", service, start, minutes, names, touched), (), events
    )


# Spend spike


def _backfill(writer: Writer, start: int) -> Planted:
    random, service = writer.random, writer.service
    minutes, rate = random.uniform(20, 50), service.peak * random.uniform(8, 15)
    events, at = [], 0.0
    who = writer.who()
    while (at := at + random.expovariate(rate)) < minutes:
        events.append(writer.call(who, _at_us(start, at)))
    return Planted(_spike("backfill", writer, start, minutes), (), events)


def _long_prompts(writer: Writer, start: int) -> Planted:
    minutes, factor = writer.random.randrange(30, 90), writer.random.uniform(10, 20)
    change = Change(
        service=writer.service, longer=lambda minute: factor if start <= minute < start + minutes else 1.0
    )
    return Planted(_spike("long prompts", writer, start, minutes), (change,))


def _retries(writer: Writer, start: int) -> Planted:
    random, service = writer.random, writer.service
    minutes, rate = random.uniform(8, 20), service.peak * random.uniform(15, 25)
    events, at = [], 0.0
    who, tokens = writer.who(), writer.tokens()
    while (at := at + random.expovariate(rate)) < minutes:
        events.append(writer.call(who, _at_us(start, at), tokens=tokens, fails=random.random() < 0.4))
    return Planted(_spike("retries", writer, start, minutes), (), events)


def _spike(shape: str, writer: Writer, start: int, minutes: float) -> Incident:
    service = writer.service
    names = {f"credential={service.credential}", f"project={service.project}", f"model={service.model}", ""}
    if service.agent:
        names.add(f"agent={service.agent}")
    return _incident("spend_spike", shape, service, start, minutes, names)


# Unregistered MCP server


def _server(shape: str, address: Callable[[Service], str], calls: int, minutes: float) -> Shape:
    def plant(writer: Writer, start: int) -> Planted:
        service, random = writer.service, writer.random
        server, name = address(service), service.tools[0].name
        who = writer.who()
        times = sorted(random.uniform(0, minutes) for _ in range(calls))
        events = [
            writer.tool(who, _at_us(start, each), name, server, "READ", writer.hex(64)) for each in times
        ]
        names = {f"mcp_server={server}"}
        return Planted(
            _incident("unregistered_mcp_server", shape, service, start, minutes, names), (), events
        )

    return Shape("unregistered_mcp_server", shape, plant)


# Slow burn


def _burn(shape: str, times: Callable[[float], float]) -> Shape:
    def plant(writer: Writer, start: int) -> Planted:
        service = writer.service

        def by_minute(minute: int) -> float:
            return times((minute - start) / 60) if minute >= start else 1.0

        names = {f"budget={service.project}-{service.period}"}
        incident = _incident("slow_burn", shape, service, start, _MINUTES - start, names)
        is_due = level(service, _MINUTES, start, by_minute) >= SURELY
        return Planted(replace(incident, is_due=is_due), (Change(service=service, times=by_minute),))

    return Shape("slow_burn", shape, plant)


SHAPES: tuple[Shape, ...] = (
    Shape("stolen_key", "hoard", _hoard),
    Shape("stolen_key", "resold", _resold),
    Shape("stolen_key", "patient", _patient),
    Shape("agent_loop", "same call", _same_call),
    Shape("agent_loop", "in circles", _in_circles),
    Shape("agent_loop", "for days", _for_days),
    Shape("guardrail_storm", "too strict", _too_strict),
    Shape("guardrail_storm", "one attacker", _one_attacker),
    Shape("guardrail_storm", "crowd", _crowd),
    Shape("silent_model_swap", "all", _swapped("all", lambda _: 1.0)),
    Shape("silent_model_swap", "some", _swapped("some", lambda random: random.uniform(0.03, 0.1))),
    Shape("silent_model_swap", "misspelt", _misspelt),
    Shape("spend_spike", "backfill", _backfill),
    Shape("spend_spike", "long prompts", _long_prompts),
    Shape("spend_spike", "retries", _retries),
    _server("once", lambda service: f"https://mcp.{service.tenant}.dev.example", 1, 1),
    _server("look-alike", lambda service: service.tools[0].server.replace("mcp.", "mcp-"), 40, 60),
    _server("package", lambda _: "stdio:npx:postmark-mcp@1.0.16", 6, 20),
    _burn("threefold", lambda _: 3.0),
    _burn("rising", lambda hours: 1 + 3 * min(hours / 24, 1.0)),
    _burn("nights", lambda hours: 10.0 if hours % 24 < 6 else 1.0),
)
