"""The console over a store: what its pages show, to whom, and what they say when they cannot."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from auditstream.access import event_questions
from auditstream.access.desk import Desk
from auditstream.access.entry import Entry
from auditstream.access.known_tokens import NotSignedInError
from auditstream.access.principal import Principal
from auditstream.access.rates import Rates
from auditstream.access.roles import Role
from auditstream.access.sessions import Sessions
from auditstream.console.application import create_console
from auditstream.console.visits import Parts
from auditstream.core.clock import ManualClock
from auditstream.core.errors import NotFoundError, StoreBusyError
from auditstream.core.settings import Settings
from auditstream.emit.access_record import Event
from auditstream.query.reader import Reader
from auditstream.reference.snapshot import Snapshot
from schemas.records.detection import Finding
from tests.support.blocks import LOG, NOON, block_of, event_id_at
from tests.support.kept_engine import KeptEngine
from tests.support.stores import ClickHouseStore, OpenClient, reading

NOW = NOON + timedelta(hours=6)
ORIGIN = "http://console"
EVERYBODY = Principal(id="t-admin", name="ada", role=Role.ADMIN, tenants=None)
OF_ACME = Principal(id="t-acme", name="vera", role=Role.VIEWER, tenants=frozenset({"acme"}))
KNOWN = {"admin-secret": EVERYBODY, "acme-secret": OF_ACME}
HOSTILE = '"><script>alert(1)</script>'


class Tokens:
    """Knows two tokens."""

    def principal(self, secret: str, at: datetime) -> Principal:
        if secret not in KNOWN:
            raise NotSignedInError("authorization: the token is not known")
        return KNOWN[secret]

    def named(self, token_id: str, at: datetime) -> Principal:
        return next(each for each in KNOWN.values() if each.id == token_id)


class Told:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def tell(self, events: Any) -> None:
        self.events.extend(events)


@pytest.fixture(scope="module")
def reader(engine: OpenClient, kept_engine: KeptEngine) -> Iterator[Reader]:
    """Asks a store with a run of acme's, a call of globex's, and an event whose texts are hostile."""
    with kept_engine.migrated() as store:
        _insert(store)
        with reading(engine, store) as opened:
            yield opened


def _insert(store: ClickHouseStore) -> None:
    store.insert(
        block_of(
            rows=5,
            event_time=[NOON + timedelta(hours=hour) for hour in (0, 1, 2, 3, 4)],
            event_type=["ai.agent.action", "ai.inference", "ai.tool_call", "ai.inference", "ai.inference"],
            tenant_id=["acme", "acme", "acme", "globex", "acme"],
            agent_id=["planner", "planner", "planner", "", HOSTILE],
            actor_id=["", "", "", "globex-user", HOSTILE],
            trace_id=["a" * 32, "a" * 32, "a" * 32, "", ""],
            span_id=["r", "s", "t", "", ""],
            parent_span_id=["", "r", "s", "", ""],
            tool_name=["", "", "search_orders", "", ""],
            outcome=["SUCCESS", "SUCCESS", "FAILURE", "SUCCESS", "SUCCESS"],
            inference_request_model=["", "gpt-4o", "", "secret-model", "gpt-4o"],
            inference_provider=["", "openai", "", "openai", "openai"],
            input_tokens=[None, 1200, None, 7, 5],
            duration_us=[9_000_000, 812_000, 1_000, 1, 1],
            cost_effective=[None, Decimal("0.0123"), None, Decimal(1), Decimal(2)],
            cost_currency=["", "USD", "", "USD", "USD"],
            cost_status=["none", "priced", "none", "priced", "priced"],
            attributes=[{}, {}, {}, {}, {"note": HOSTILE}],
            raw=[b"0", b'{"asked": "<b>"}', b"2", b"3", HOSTILE.encode()],
        )
    )


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
async def console(reader: Reader, told: Told) -> AsyncIterator[httpx.AsyncClient]:
    """The console, mounted at /console, as a browser that nobody has signed in with."""
    async with _client(reader, told) as client:
        yield client


def _client(reader: Reader, told: Told, **parts: Any) -> httpx.AsyncClient:
    clock = ManualClock(NOW.timestamp())

    def no_evidence() -> Any:
        raise NotFoundError("no vkeys.txt is published")

    def publish(found: list[Finding]) -> None:
        raise AssertionError("nothing is acted on here")

    desk = Desk(reader, told, query_key=b"k" * 32, clock=clock, facts=_no_facts)
    entry = Entry(desk, Tokens, sessions=Sessions(b"s" * 32), rates=Rates(clock), clock=clock)  # type: ignore[arg-type]
    app = create_console(
        Parts(desk=desk, entry=entry, evidence=no_evidence, publish=publish, settings=Settings(), **parts)
    )
    transport = httpx.ASGITransport(app, root_path="/console")
    return httpx.AsyncClient(transport=transport, base_url=ORIGIN)


def _no_facts() -> Snapshot:
    raise AssertionError("no page of these asks for reference data")


async def sign_in(console: httpx.AsyncClient, secret: str = "admin-secret", **form: str) -> httpx.Response:
    return await console.post("/console/sign-in", data={"token": secret, **form}, headers={"origin": ORIGIN})


async def test_who_has_not_signed_in_is_led_to_the_door_and_back(console: httpx.AsyncClient) -> None:
    asked = await console.get("/console/events?q=model:gpt-4o")

    assert asked.status_code == 303
    assert asked.headers["location"] == "/console/sign-in?next=%2Fconsole%2Fevents%3Fq%3Dmodel%253Agpt-4o"
    door = await console.get(asked.headers["location"])
    assert 'name="next" value="/console/events?q=model%3Agpt-4o"' in door.text
    let_in = await sign_in(console, next="/console/events?q=model%3Agpt-4o")
    assert let_in.headers["location"] == "/console/events?q=model%3Agpt-4o"
    assert (await console.get(let_in.headers["location"])).status_code == 200


@pytest.mark.parametrize("wanted", ["https://evil.example/", "//evil.example/", "/console/\\evil", "/other"])
async def test_the_door_leads_to_no_other_site(console: httpx.AsyncClient, wanted: str) -> None:
    assert (await sign_in(console, next=wanted)).headers["location"] == "/console/events"


async def test_a_token_that_does_not_count_is_refused_at_the_door(console: httpx.AsyncClient) -> None:
    refused = await sign_in(console, "guess")

    assert refused.status_code == 401
    assert "This token does not count" in refused.text
    assert "set-cookie" not in refused.headers


@pytest.mark.parametrize(
    ("kind", "status", "words"),
    [
        ("unproven", 401, "The sign-in did not hold"),
        ("not_allowed", 403, "nothing is given to you here"),
        ("away", 503, "The identity provider does not answer"),
        ("<b>", 200, "API token"),
    ],
)
async def test_the_door_tells_why_a_sign_in_elsewhere_came_to_nothing(
    console: httpx.AsyncClient, kind: str, status: int, words: str
) -> None:
    door = await console.get("/console/sign-in", params={"refused": kind})

    assert door.status_code == status
    assert words in door.text
    assert "<b>" not in door.text


async def test_a_session_is_out_of_reach_of_script_and_of_other_sites(console: httpx.AsyncClient) -> None:
    cookie = (await sign_in(console)).headers["set-cookie"]

    assert "HttpOnly" in cookie
    assert "Path=/;" in cookie
    assert "SameSite=lax" in cookie


async def test_the_door_leads_to_the_identity_provider_where_there_is_one(reader: Reader) -> None:
    for name in ("", "Acme"):
        async with _client(reader, Told(), oidc_name=name) as console:
            door = await console.get("/console/sign-in?next=/console/runs")
            assert ("/auth/login?next=%2Fconsole%2Fruns" in door.text) is bool(name)
            assert ("Continue with Acme" in door.text) is bool(name)


async def test_signing_out_ends_the_session(console: httpx.AsyncClient) -> None:
    await sign_in(console)
    await console.post("/console/sign-out", headers={"origin": ORIGIN})

    assert (await console.get("/console/events")).status_code == 303


@pytest.mark.parametrize(
    "headers", [{}, {"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site", "origin": ORIGIN}]
)
async def test_a_form_of_another_site_is_refused(console: httpx.AsyncClient, headers: dict[str, str]) -> None:
    refused = await console.post("/console/sign-in", data={"token": "admin-secret"}, headers=headers)

    assert refused.status_code == 403
    assert "set-cookie" not in refused.headers


async def test_a_search_shows_its_rows_newest_first_with_the_range_they_are_of(
    console: httpx.AsyncClient,
) -> None:
    await sign_in(console)
    page = await console.get("/console/events?q=agent:planner&since=24h")

    ids = re.findall(r'data-peek="([^"]+)"', page.text)
    assert ids == [str(event_id_at(LOG, offset)) for offset in (2, 1, 0)]
    assert "01 Jan 2026 18:00 – 02 Jan 2026 18:00 UTC" in page.text
    assert "read at 18:00:00 UTC" in page.text
    assert page.headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'")
    assert page.headers["cache-control"] == "no-store"


async def test_the_histogram_counts_what_the_table_and_the_values_count(console: httpx.AsyncClient) -> None:
    await sign_in(console)
    for query, expected in [("", 5), ("model:gpt-4o", 2), ("-outcome:success", 1), ("tenant:nobody", 0)]:
        asked = {"q": query, "since": "all"}
        table = await console.get("/console/events", params=asked)
        bars = await console.get("/console/parts/histogram", params=asked, headers={"hx-request": "true"})
        values = await console.get(
            "/console/parts/facet", params={**asked, "field": "type"}, headers={"hx-request": "true"}
        )

        assert len(re.findall("data-peek", table.text)) == expected
        assert f"<h2>{expected} event" in bars.text
        assert sum(map(int, re.findall(r'<span class="number">(\d+)</span>', values.text))) == expected


async def test_every_link_of_a_value_is_a_search_that_finds_as_many(console: httpx.AsyncClient) -> None:
    await sign_in(console)
    shown = await console.get("/console/parts/facet?since=all&field=outcome", headers={"hx-request": "true"})
    found = re.findall(r'class="value" href="([^"]+)".*?<span class="number">(\d+)</span>', shown.text)

    assert found
    for link, events in found:
        page = await console.get(link.replace("&amp;", "&"))
        assert len(re.findall("data-peek", page.text)) == int(events)


async def test_a_part_asked_for_without_script_is_a_page(console: httpx.AsyncClient) -> None:
    await sign_in(console)
    page = await console.get("/console/parts/histogram?since=all")

    assert "<html" in page.text
    assert "5 events" in page.text


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("q=outcom:failure", "<mark>outcom:failure</mark>"),
        ("q=model:x+input_tokens>abc", "<mark>input_tokens&gt;abc</mark>"),
        ("q=%22open", "<mark>&#34;open</mark>"),
        ("since=yesterday", "&#39;yesterday&#39; is not a duration"),
        ("from=2026-01-02&to=2026-01-01", "is not before to"),
        ("after=nonsense", "The cursor is not one that a page ended with"),
    ],
)
async def test_what_cannot_be_read_is_said_at_its_place(
    console: httpx.AsyncClient, asked: str, said: str
) -> None:
    await sign_in(console)
    page = await console.get(f"/console/events?{asked}")

    assert page.status_code == 400
    assert said in page.text


async def test_what_an_event_says_is_shown_and_never_obeyed(console: httpx.AsyncClient) -> None:
    await sign_in(console)
    hostile = event_id_at(LOG, 4)
    for path in (
        "/console/events?since=all",
        f"/console/events?since=all&peek={hostile}",
        f"/console/events/{hostile}",
        f"/console/parts/event?id={hostile}",
        f"/console/parts/raw?id={hostile}",
        "/console/parts/facet?since=all&field=agent",
        f"/console/events?q={HOSTILE}",
        f"/console/runs/{HOSTILE[:10]}",
        f"/console/{HOSTILE}",
        "/console/live",
    ):
        page = await console.get(path)
        assert "<script>alert" not in page.text, path
        assert page.status_code in {200, 400, 404}, path


async def test_an_event_has_its_sentence_its_fields_and_the_searches_they_lead_to(
    console: httpx.AsyncClient,
) -> None:
    await sign_in(console)
    page = await console.get(f"/console/events/{event_id_at(LOG, 1)}")

    assert "Agent planner called gpt-4o of openai: 1,200 tokens in. It succeeded after 812 ms." in page.text
    assert f"/console/runs/{'a' * 32}" in page.text
    assert "q=inference_request_model%3Agpt-4o" in page.text
    assert "q=-inference_request_model%3Agpt-4o" in page.text


async def test_a_proof_that_cannot_be_made_says_why(console: httpx.AsyncClient) -> None:
    await sign_in(console)
    part = await console.get(f"/console/parts/proof?id={event_id_at(LOG, 1)}", headers={"hx-request": "true"})

    assert part.status_code == 404
    assert "No vkeys.txt is published" in part.text
    assert "Try again" in part.text


async def test_a_run_is_a_tree_with_what_it_took_and_cost(console: httpx.AsyncClient) -> None:
    await sign_in(console)
    listed = await console.get("/console/runs?since=all")
    page = await console.get(f"/console/runs/{'a' * 32}")

    assert f"/console/runs/{'a' * 32}" in listed.text
    names = re.findall(r'data-peek="[^"]+">.*?</svg>([^<]+)</a>', page.text)
    assert names == ["Agent step: planner", "Model call: gpt-4o", "Tool call: search_orders"]
    assert "Run of planner" in page.text
    assert 'title="0.012300000000 USD">$0.0123<' in page.text


async def test_a_viewer_sees_the_rows_of_their_tenant_alone(console: httpx.AsyncClient) -> None:
    await sign_in(console, "acme-secret")
    others = event_id_at(LOG, 3)
    for path, status in (
        ("/console/events?since=all", 200),
        ("/console/events?since=all&q=tenant:globex", 200),
        (f"/console/events?since=all&peek={others}", 200),
        (f"/console/events/{others}", 404),
        (f"/console/parts/event?id={others}", 404),
        ("/console/parts/facet?since=all&field=model", 200),
        ("/console/parts/facet?since=all&field=user", 200),
        ("/console/runs?since=all", 200),
        ("/console/live", 200),
    ):
        page = await console.get(path)
        assert page.status_code == status, path
        assert "secret-model" not in page.text, path
        assert "globex-user" not in page.text, path


async def test_a_role_is_shown_no_screen_and_no_bytes_that_it_may_not_have(
    console: httpx.AsyncClient,
) -> None:
    await sign_in(console, "acme-secret")
    page = await console.get(f"/console/events/{event_id_at(LOG, 1)}")

    assert "Your role does not include contents" in page.text
    assert "Usage and cost" not in page.text
    assert (await console.get(f"/console/parts/raw?id={event_id_at(LOG, 1)}")).status_code == 403
    for path in ("/console/usage", "/console/findings"):
        refused = await console.get(path)
        assert refused.status_code == 403
        assert "may not ask for" in refused.text


async def test_every_question_is_told_of_before_it_is_answered(
    console: httpx.AsyncClient, told: Told
) -> None:
    await sign_in(console)
    told.events.clear()
    await console.get("/console/events?q=model:gpt-4o&since=all")

    (event,) = told.events
    assert event["event_type"] == "ai.data_access"
    assert event["actor_id"] == "ada"
    assert "console" in str(event["source"])


async def test_the_next_page_goes_on_where_this_one_ended(
    console: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("auditstream.console.screens.events.ROWS", 2)
    await sign_in(console)
    seen: list[str] = []
    path: str | None = "/console/events?since=all"
    while path is not None:
        page = await console.get(path)
        seen += re.findall(r'data-peek="([^"]+)"', page.text)
        older = re.search(r'href="([^"]+)" data-key="n"', page.text)
        path = older[1].replace("&amp;", "&") if older else None

    assert seen == [str(event_id_at(LOG, offset)) for offset in (4, 3, 2, 1, 0)]


async def test_the_head_of_a_page_leaves_before_its_rows_are_asked_for(
    console: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await sign_in(console)
    order: list[str] = []
    asks = event_questions.search

    def search(*arguments: Any) -> Any:
        order.append("asked")
        return asks(*arguments)

    monkeypatch.setattr(event_questions, "search", search)
    transport = console._transport
    assert isinstance(transport, httpx.ASGITransport)
    app = transport.app

    async def watched(scope: Any, receive: Any, send: Any) -> None:
        async def sent(message: Any) -> None:
            if body := message.get("body", b""):
                order.append("head" if b"<nav" in body else "rows" if b"data-peek" in body else "rest")
            await send(message)

        await app(scope, receive, sent)

    transport.app = watched
    await console.get("/console/events?since=all")

    assert order[:3] == ["head", "asked", "rows"]


async def test_a_store_that_does_not_answer_is_told_of_in_the_place_of_the_rows(
    console: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await sign_in(console)

    def search(*_: Any) -> Any:
        raise StoreBusyError("the store is busy", hint="Wait.")

    monkeypatch.setattr(event_questions, "search", search)
    page = await console.get("/console/events?since=all&q=model:gpt-4o")

    assert page.text.rstrip().endswith("</html>")
    assert "No answer right now. The store is busy." in page.text
    assert 'value="model:gpt-4o"' in page.text
    assert "Try again" in page.text


async def test_the_colours_that_a_reader_chose_are_kept(console: httpx.AsyncClient) -> None:
    await sign_in(console)
    form = {"theme": "dark", "back": "/console/runs"}
    answer = await console.post("/console/theme", data=form, headers={"origin": ORIGIN})

    assert answer.headers["location"] == "/console/runs"
    assert '<html lang="en" data-theme="dark">' in (await console.get("/console/runs")).text


async def test_a_page_that_is_not_there_says_so(console: httpx.AsyncClient) -> None:
    await sign_in(console)

    assert (await console.get("/console/nothing")).status_code == 404
    assert (await console.get("/console/static/old/console.js")).status_code == 404


async def test_who_asks_too_often_is_told_when_to_come_back(console: httpx.AsyncClient) -> None:
    await sign_in(console, "acme-secret")
    answers = [await console.get("/console/nothing") for _ in range(110)]

    assert answers[-1].status_code == 429
    assert answers[-1].headers["retry-after"] == "1"
    assert "Too many requests" in answers[-1].text


async def test_times_are_utc(console: httpx.AsyncClient) -> None:
    await sign_in(console)
    page = await console.get("/console/events?since=all")

    assert f'datetime="{NOON.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.000000Z"' in page.text
