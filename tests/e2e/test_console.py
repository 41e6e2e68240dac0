"""The console in a browser, over the demonstration: every screen, by mouse, by keyboard, without script."""

from __future__ import annotations

import csv
import io
import json
import re
import urllib.request
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page, expect

from auditstream.console.navigation import SECTIONS
from tests.e2e import acts
from tests.e2e.browsing import NARROW, WIDE, Visitor, pictures, visitor
from tests.e2e.conftest import House
from tests.support.commands import ran
from tests.support.forked_programs import ForkedPrograms

pytestmark = [pytest.mark.long, pytest.mark.timeout(420)]
expect.set_options(timeout=30_000)

ComeIn = Callable[[str], AbstractContextManager[Visitor]]

SCREENS = [entry.path for section in SECTIONS for entry in section.entries]
FILTER = "outcome:failure -model:gpt-4o"


def rows(page: Page) -> list[str]:
    """Return the ids of the events that a page shows, from top to bottom."""
    links = page.get_by_role("region", name="Events found").locator("tbody tr [href*='/events/']")
    found = [re.search(r"/events/([0-9a-f-]{36})", link.get_attribute("href") or "") for link in links.all()]
    ids = [each.group(1) for each in found if each]
    return list(dict.fromkeys(ids))


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_every_screen_opens_without_a_complaint_and_axe_finds_nothing_serious(
    house: House, browser: Browser, size: tuple[int, int], theme: str
) -> None:
    with visitor(browser, house.console, house.token, size=size, theme=theme) as somebody:
        for path in SCREENS:
            somebody.go(f"{path}?since=24h")
            expect(somebody.page.get_by_role("heading", level=1)).to_be_visible()
            assert somebody.serious() == [], path
            assert not somebody.is_too_wide(), path
            if folder := pictures():
                name = f"{path.strip('/').replace('/', '-')}-{size[0]}-{theme}.png"
                somebody.page.screenshot(path=folder / name)


def test_a_search_shows_what_matches_and_its_address_is_all_there_is_to_it(
    house: House, browser: Browser
) -> None:
    with visitor(browser, house.console, house.token) as somebody:
        somebody.go("/events?since=24h")
        somebody.page.get_by_label("Query", exact=True).fill(FILTER)
        somebody.page.get_by_role("button", name="Search", exact=True).click()
        somebody.settle()
        found = rows(somebody.page)
        address = somebody.page.url
    assert found

    with visitor(browser, house.console, house.token) as another:
        another.page.goto(address)
        another.settle()
        assert rows(another.page) == found


def test_one_filter_finds_the_same_events_in_console_api_and_command_line(
    house: House, browser: Browser, programs: ForkedPrograms
) -> None:
    with visitor(browser, house.console, house.token) as somebody:
        somebody.go(f"/events?since=24h&q={quote(FILTER)}")
        shown = rows(somebody.page)
    request = urllib.request.Request(
        f"{house.runtime['api_url']}/api/v1/events?since=24h&limit=50&q={quote(FILTER)}",
        headers={"authorization": f"Bearer {house.token}", "accept": "text/csv"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        told = [row["event_id"] for row in csv.DictReader(io.StringIO(answer.read().decode()))]
    command = ran(
        "--output", "jsonl", "search", FILTER, "--since", "24h", "--limit", "50",
        data_dir=house.data_dir, programs=programs,
    )  # fmt: skip
    printed = [json.loads(line)["event_id"] for line in command.stdout.splitlines()]

    assert shown == told == printed
    assert len(shown) > 5


def test_a_query_that_cannot_be_read_is_told_with_its_place(house: House, browser: Browser) -> None:
    with visitor(browser, house.console, house.token) as somebody:
        somebody.go("/events?since=24h&q=modle:gpt-4o")
        expect(somebody.page.get_by_text("unknown field modle")).to_be_visible()
        expect(somebody.page.get_by_label("Query", exact=True)).to_have_value("modle:gpt-4o")


def test_a_search_is_made_and_an_event_read_by_keyboard_alone(house: House, browser: Browser) -> None:
    with visitor(browser, house.console, house.token) as somebody:
        somebody.go("/events?since=24h")
        keyboard = somebody.page.keyboard
        keyboard.press("/")
        keyboard.type("event_type:ai.inference")
        keyboard.press("Enter")
        somebody.page.wait_for_url(re.compile("q=event_type"))
        somebody.settle()
        first = rows(somebody.page)[0]
        keyboard.press("j")
        keyboard.press("Enter")
        peek = somebody.page.get_by_role("complementary", name="The event")
        page_of_its_own = peek.get_by_role("link", name="Open page")
        expect(page_of_its_own).to_have_attribute("href", re.compile(first))
        keyboard.press("Escape")
        expect(page_of_its_own).to_have_count(0)
        keyboard.press("?")
        expect(somebody.page.get_by_role("dialog")).to_be_visible()
        keyboard.press("Escape")
        expect(somebody.page.get_by_role("dialog")).not_to_be_visible()


def test_search_and_show_work_without_script(house: House, browser: Browser) -> None:
    with visitor(browser, house.console, house.token, script=False) as somebody:
        page = somebody.page
        page.get_by_label("Query", exact=True).fill(FILTER)
        page.get_by_role("button", name="Search", exact=True).click()
        page.wait_for_load_state("load")
        found = rows(page)
        assert found
        page.goto(f"{house.console}events/{found[0]}")
        expect(page.get_by_text(found[0], exact=True).first).to_be_visible()


def test_dragging_over_the_histogram_narrows_the_range(house: House, browser: Browser) -> None:
    with visitor(browser, house.console, house.token) as somebody:
        somebody.go("/events?since=24h")
        plot = somebody.page.get_by_role("region", name="Events over time").locator("svg, canvas").first
        box = plot.bounding_box()
        assert box is not None
        mouse, middle = somebody.page.mouse, box["y"] + box["height"] / 2
        mouse.move(box["x"] + box["width"] * 0.5, middle)
        mouse.down()
        mouse.move(box["x"] + box["width"] * 0.8, middle, steps=4)
        mouse.up()
        somebody.page.wait_for_url(re.compile(r"from=.*to="))
        somebody.settle()
        expect(somebody.page.get_by_role("region", name="Events over time")).to_contain_text("bars of")


def test_the_live_tail_shows_what_is_recorded_meanwhile_and_holds_it_back_while_paused(
    house: House, somebody: Visitor, programs: ForkedPrograms, tmp_path: Path
) -> None:
    def emit(agent: str) -> None:
        event = {
            "event_id": str(uuid.uuid4()),
            "event_type": "ai.agent.step",
            "event_time": datetime.now(UTC).isoformat(),
            "source": "svc://checkout",
            "agent_id": agent,
        }
        file = tmp_path / f"{agent}.jsonl"
        file.write_text(json.dumps(event) + "\n", encoding="utf-8")
        sent = ran("emit", "--file", str(file), data_dir=house.data_dir, programs=programs)
        assert sent.returncode == 0, sent.stderr

    page = somebody.page
    somebody.go("/live?q=type:ai.agent.step+source:svc://checkout")
    emit("seen-live")
    expect(page.get_by_text("seen-live")).to_be_visible(timeout=30_000)
    page.get_by_role("button", name="Pause").click()
    emit("held-back")
    expect(page.get_by_role("heading", name="Paused, 1 new")).to_be_visible(timeout=30_000)
    expect(page.get_by_text("held-back")).to_have_count(0)
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_text("held-back")).to_be_visible()


def test_as_many_live_tails_run_as_the_role_may_have(come_in: ComeIn) -> None:
    with come_in("viewer") as viewer:
        first, second, third = (viewer.page, *(viewer.page.context.new_page() for _ in range(2)))
        said = [tab.get_by_role("main").get_by_role("heading", level=2) for tab in (first, second, third)]
        for tab, told in zip((first, second), said, strict=False):
            tab.goto(f"{viewer.console}live")
            expect(told).to_have_text("Live")
        third.goto(f"{viewer.console}live")
        expect(said[2]).to_contain_text("Waiting: More than 2 live tails at a time")
        second.close()
        expect(said[2]).to_have_text("Live")


def test_a_page_on_paper_says_whence_it_is_and_is_cut_nowhere(house: House, browser: Browser) -> None:
    with visitor(browser, house.console, house.token, theme="dark") as somebody:
        head = somebody.page.locator("header.paper")
        for path in ("/events?since=24h&q=outcome%3Afailure", "/usage?since=24h&by=model", "/integrity"):
            somebody.go(path)
            assert somebody.paper_faults(f"paper{path.partition('?')[0].replace('/', '-')}") == [], path
            expect(head).to_contain_text(somebody.console.rstrip("/") + path)
            expect(head).to_contain_text("UTC by embedded deployment, admin, who sees every tenant")
        somebody.go("/findings?status=all")
        acts.follow(somebody, somebody.page.get_by_role("table").locator("tbody .row-link").first)
        assert somebody.paper_faults("paper-finding") == []
        expect(head).to_contain_text(somebody.page.url)


def open_first_run(somebody: Visitor) -> None:
    somebody.go("/runs?since=24h")
    somebody.page.locator("tbody tr a").first.click()
    somebody.settle()


def test_an_agents_run_is_a_tree_with_times_and_money(house: House, browser: Browser) -> None:
    with visitor(browser, house.console, house.token) as somebody:
        open_first_run(somebody)
        assert "/runs/" in somebody.page.url
        expect(somebody.page.get_by_role("heading", level=1)).to_be_visible()
        assert somebody.faults("run") == []


def test_nobody_gets_in_with_a_wrong_token_and_who_signs_out_is_out(house: House, browser: Browser) -> None:
    context = browser.new_context()
    try:
        page = context.new_page()
        stranger = Visitor(page, house.console)
        page.goto(f"{house.console}sign-in?refused=not_allowed")
        expect(page.get_by_text("You are known, and nothing is given to you here.")).to_be_visible()
        assert stranger.faults("sign-in-refused") == []
        page.goto(house.console)
        page.get_by_label("API token").fill("ast_wrong")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_label("API token")).to_be_visible()
        page.get_by_label("API token").fill(house.token)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("heading", level=1, name="Events")).to_be_visible()
        page.get_by_role("button", name="Sign out").click()
        page.goto(house.console)
        expect(page.get_by_label("API token")).to_be_visible()
    finally:
        context.close()


def test_an_event_beside_a_list_has_its_cost_its_run_its_proof_and_its_bytes(somebody: Visitor) -> None:
    page = somebody.page
    somebody.go("/events?since=24h&q=type:ai.inference+cost>0+agent:acme-support-agent")
    page.get_by_role("region", name="Events found").locator("tbody a").first.click()
    somebody.settle()
    peek = page.get_by_role("complementary", name="The event")
    expect(peek.get_by_role("region", name="Cost lines")).to_contain_text("Unit price")
    peek.get_by_text("The bytes as received").click()
    expect(peek.get_by_label("Decoded value")).to_contain_text('"event_id"')
    peek.get_by_role("link", name="Verify").click()
    expect(peek.get_by_text("It is in the signed log, as it was received.")).to_be_visible()
    assert somebody.faults("event-beside-a-list") == []
    acts.follow(somebody, peek.get_by_role("link", name="Open page"))
    assert somebody.faults("event-page") == []
    acts.follow(somebody, page.get_by_role("link", name="Agent run", exact=True))
    expect(page.get_by_role("region", name="Steps")).to_be_visible()


def test_a_dead_letter_is_read_and_sent_again(somebody: Visitor, come_in: ComeIn) -> None:
    page = somebody.page
    acts.replay(somebody, "bad_framing")
    expect(page.get_by_role("heading", name="1 letter goes back to where it came from")).to_be_visible()
    assert somebody.faults("send-again") == []
    acts.press(somebody, "Send 1 again")
    expect(page.get_by_text("1 dead letter was sent again")).to_be_visible()
    newest = page.get_by_role("table", name="newest first").get_by_role("row", name="bad_framing")
    acts.look_until(somebody, "/health?reason=bad_framing", newest.nth(1))
    with come_in("analyst") as analyst:
        analyst.go("/health")
        expect(analyst.page.get_by_role("table", name="newest first")).to_be_visible()
        expect(analyst.page.get_by_text("Send again")).to_have_count(0)


def test_every_row_is_checked_and_a_receipt_holds_elsewhere(
    house: House, somebody: Visitor, come_in: ComeIn, programs: ForkedPrograms, tmp_path: Path
) -> None:
    page = somebody.page
    somebody.go("/integrity")
    acts.press(somebody, "Verify now")
    checks = page.get_by_role("region", name="Checks of every row")
    expect(checks.get_by_text("holds", exact=True).first).to_be_visible()
    acts.follow(somebody, checks.locator("tbody a").first)
    expect(page.get_by_role("heading", name="Everything holds")).to_be_visible()
    assert somebody.faults("check") == []
    somebody.go("/events?since=24h&q=type:ai.inference")
    wanted = rows(page)[-1]
    somebody.go("/integrity")
    page.get_by_label("Event id, or leaf").fill(wanted)
    receipt = acts.downloaded(somebody, page.get_by_role("button", name="Download receipt"), tmp_path)
    checked = ran("verify", "--receipt", str(receipt), data_dir=house.data_dir, programs=programs)
    assert checked.returncode == 0, checked.stderr
    with come_in("viewer") as viewer:
        viewer.go("/integrity")
        expect(viewer.page.get_by_role("button", name="Verify now")).to_have_count(0)


def test_an_asset_is_registered_and_another_banned(somebody: Visitor, come_in: ComeIn) -> None:
    page = somebody.page
    acts.find(somebody, "cred-unknown-7731")  # what is registered before anybody was told is no finding
    somebody.go("/assets?status=unregistered")
    acts.follow(somebody, page.get_by_role("link", name="Key cred-unknown-7731"))
    acts.state_asset(somebody, "Register it", owner="payments", purpose="the night batch")
    expect(page.get_by_text("It is registered from now on")).to_be_visible()
    registered = page.get_by_role("row", name="cred-unknown-7731").filter(has_text="payments")
    acts.look_until(somebody, "/assets?status=registered&type=credential", registered)
    somebody.go("/assets?type=tool")
    acts.follow(somebody, page.get_by_role("region", name="Assets found").locator("tbody .row-link").first)
    tool = page.get_by_role("heading", level=1).inner_text()
    assert somebody.faults("asset") == []
    acts.state_asset(somebody, "Ban it", owner="security", purpose="it sends mail")
    expect(page.get_by_text("It is banned from now on")).to_be_visible()
    acts.look_until(somebody, "/assets?status=banned", page.get_by_role("row", name=tool))
    with come_in("analyst") as analyst:
        analyst.go("/assets?status=banned")
        acts.follow(analyst, analyst.page.get_by_role("link", name=tool).first)
        expect(analyst.page.get_by_role("button", name="Register it")).to_have_count(0)


def test_a_finding_is_acknowledged_assigned_and_closed_with_a_note(
    somebody: Visitor, come_in: ComeIn
) -> None:
    page = somebody.page
    acts.follow(somebody, acts.find(somebody, "cred-unknown-7731").get_by_role("link").first)
    address = page.url
    history = page.get_by_role("region", name="History")
    acts.press(somebody, "Acknowledge")
    expect(history).to_contain_text("acknowledged it")
    page.get_by_label("Give it to").fill("ann")
    acts.press(somebody, "Assign")
    expect(history).to_contain_text("assigned it to ann")
    page.get_by_label("Comment").fill("It is the night batch of payments.")
    acts.press(somebody, "Close")
    expect(history).to_contain_text("It is the night batch of payments.")
    expect(page.get_by_role("button", name="Acknowledge")).to_have_count(0)
    assert somebody.faults("finding") == []
    somebody.go("/findings?status=resolved")
    expect(page.get_by_role("row", name="cred-unknown-7731")).to_contain_text("ann")
    with come_in("auditor") as auditor:
        auditor.page.goto(address)
        expect(auditor.page.get_by_text("It is the night batch of payments.")).to_be_visible()
        expect(auditor.page.get_by_role("region", name="What to do")).to_have_count(0)


def test_what_a_search_finds_is_exported_and_downloaded(
    somebody: Visitor, come_in: ComeIn, tmp_path: Path
) -> None:
    exported, manifest = acts.export_of(somebody, FILTER, tmp_path)
    assert len(exported) == manifest["rows"] > 5
    assert {row["outcome"] for row in exported} == {"FAILURE"}
    somebody.go("/exports")
    left = somebody.page.get_by_role("region", name="What left, by whatever way")
    expect(left.get_by_role("row", name="a quarter's review")).not_to_have_count(0)
    assert somebody.faults("exported") == []
    with come_in("viewer") as viewer:
        viewer.go("/exports")
        expect(viewer.page.get_by_role("heading", name="Not allowed")).to_be_visible()
        assert viewer.faults("not-allowed") == []
        expect(viewer.page.get_by_role("link", name="Exports")).to_have_count(0)


def test_a_search_is_saved_shared_opened_by_another_and_deleted(somebody: Visitor, come_in: ComeIn) -> None:
    acts.save_search(somebody, FILTER, "Failures elsewhere", is_shared=True)
    acts.save_search(somebody, "model:gpt-4o", "Mine alone", is_shared=False)
    assert somebody.faults("saved-searches") == []
    with come_in("viewer") as viewer:
        viewer.go("/searches")
        expect(viewer.page.get_by_text("Mine alone")).to_have_count(0)
        expect(viewer.page.get_by_role("button", name="Delete")).to_have_count(0)
        acts.follow(viewer, viewer.page.get_by_role("link", name="Failures elsewhere"))
        expect(viewer.page.get_by_label("Query", exact=True)).to_have_value(FILTER)
        assert len(rows(viewer.page)) > 5
    for name in ("Failures elsewhere", "Mine alone"):
        somebody.page.get_by_role("button", name=f"Delete {name}").click()
    expect(somebody.page.get_by_text("Nothing saved yet")).to_be_visible()


def test_money_is_looked_at_by_model_of_one_tenant_down_to_its_events(somebody: Visitor) -> None:
    page = somebody.page
    somebody.go("/usage?since=24h")
    page.locator("summary", has_text="All tenants").click()
    acts.follow(somebody, page.get_by_role("link", name="acme", exact=True))
    acts.follow(somebody, page.get_by_role("link", name="Model", exact=True))
    page.locator("summary", has_text="The numbers").click()
    expect(page.get_by_role("table", name="Cost over time by model")).to_be_visible()
    assert somebody.faults("usage-by-model") == []
    for name, picture in (("What one costs", "usage-units"), ("Around inference", "usage-wrapper")):
        acts.follow(somebody, page.get_by_role("link", name=name, exact=True))
        expect(page.get_by_role("list", name="Filters")).to_contain_text("tenant acme")
        expect(page.get_by_text("globex")).to_have_count(0)
        assert somebody.faults(picture) == []
    acts.follow(somebody, page.get_by_role("link", name="Spend", exact=True))
    acts.follow(somebody, page.get_by_role("link", name="Model", exact=True))
    dearest = page.get_by_role("region", name="By model").locator("tbody a").first
    model = dearest.inner_text()
    acts.follow(somebody, dearest)
    expect(page.get_by_role("region", name="Events found")).to_contain_text(model)
    expect(page.get_by_role("list", name="Terms of the query")).to_contain_text("acme")


def test_an_objective_that_was_applied_is_on_the_board(
    house: House, somebody: Visitor, programs: ForkedPrograms, tmp_path: Path
) -> None:
    document = {
        "kind": "slo", "slo_id": "calls-answered", "tenant_id": "acme", "indicator": "availability",
        "objective": "0.9", "window_days": 7, "owner": "support", "valid_from": "2026-01-01",
    }  # fmt: skip
    file = tmp_path / "slo.yaml"
    file.write_text(json.dumps(document), encoding="utf-8")
    applied = ran("apply", "-f", str(file), data_dir=house.data_dir, programs=programs)
    assert applied.returncode == 0, applied.stderr
    card = somebody.page.get_by_role("listitem").filter(has_text="calls-answered")
    acts.look_until(somebody, "/slos", card)
    expect(card).to_contain_text("90 % over 7 days")
    expect(card).to_contain_text("owner support")
    assert somebody.faults("objectives") == []


def test_two_variants_of_a_prompt_are_compared(somebody: Visitor) -> None:
    page = somebody.page
    somebody.go("/prompts?since=24h")
    acts.follow(somebody, page.get_by_role("link", name="product-advice", exact=True))
    expect(page.get_by_role("table")).to_have_count(1)
    control, treatment = (page.get_by_role("row", name=name).first for name in ("control", "treatment"))
    for each in (control, treatment):
        expect(each.locator(".ci").first).to_contain_text(re.compile(r"\d–.*\d %"))
    assert somebody.faults("prompt") == []
    acts.follow(somebody, page.get_by_role("link", name="Events", exact=True).last)
    expect(page.get_by_label("Query", exact=True)).to_have_value("prompt:product-advice tenant:acme")
    assert rows(page)


def test_the_access_log_has_ones_own_search(come_in: ComeIn) -> None:
    with come_in("auditor") as auditor:
        auditor.go("/events?since=24h&q=model:gpt-4o")
        asked = auditor.page.get_by_role("region", name="Questions").get_by_role("row", name="search")
        acts.look_until(auditor, "/accesses?since=1h&reader=the+auditor&command=search", asked.first)
        assert "model:gpt-4o" not in auditor.page.get_by_role("main").inner_text()
        acts.follow(auditor, asked.first.get_by_role("link").first)
        expect(auditor.page.get_by_role("heading", level=1)).to_have_text("Access to the record")
