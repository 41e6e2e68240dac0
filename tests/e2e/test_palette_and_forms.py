"""Going anywhere by the palette, a day stated, a budget set, exports followed: each as a person does it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, Request, expect

from auditstream.ledger.completeness import open_completeness
from auditstream.ledger.vkeys import parse_vkeys
from tests.e2e import acts
from tests.e2e.browsing import Visitor, visitor
from tests.e2e.conftest import House
from tests.support.commands import ran
from tests.support.forked_programs import ForkedPrograms

pytestmark = [pytest.mark.long, pytest.mark.timeout(420)]
expect.set_options(timeout=30_000)

ComeIn = Callable[[str], AbstractContextManager[Visitor]]

WITHIN = """() => document.activeElement === document.body
    || document.getElementById("palette").contains(document.activeElement)"""


def opened(page: Page) -> Locator:
    """Open the palette by its key, and return its dialog."""
    page.keyboard.press("Control+k")
    dialog = page.get_by_role("dialog", name="Go to")
    expect(dialog.get_by_role("combobox")).to_be_focused()
    return dialog


def test_the_palette_leads_by_keyboard_alone_and_gives_the_focus_back(somebody: Visitor) -> None:
    page = somebody.page
    somebody.go("/events?since=24h")
    event = page.get_by_role("region", name="Events found").locator("tbody [data-peek]").first
    wanted = event.get_attribute("data-peek")
    assert wanted
    live = page.get_by_role("link", name="Live tail")
    live.focus()
    dialog = opened(page)
    expect(dialog.get_by_role("option", name="Objectives")).to_be_visible()
    assert somebody.faults("palette") == []
    for _ in range(4):
        page.keyboard.press("Tab")
        assert page.evaluate(WITHIN), "the focus has left the dialog"
    page.keyboard.press("Escape")
    expect(dialog).not_to_be_visible()
    expect(live).to_be_focused()

    dialog = opened(page)
    page.keyboard.type("a")
    expect(dialog.get_by_role("listbox")).not_to_have_attribute("aria-busy", "true")
    first, second = (dialog.get_by_role("option").nth(at) for at in (0, 1))
    expect(first).to_have_attribute("aria-selected", "true")
    page.keyboard.press("ArrowDown")
    expect(second).to_have_attribute("aria-selected", "true")
    expect(dialog.get_by_role("combobox")).to_have_attribute(
        "aria-activedescendant", str(second.get_attribute("id"))
    )
    page.keyboard.press("ArrowUp")
    expect(first).to_have_attribute("aria-selected", "true")

    # Whoever types and presses Enter at once goes where they meant, not to what was listed until then.
    dialog.get_by_role("combobox").fill("objectives")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/slos$"))

    dialog = opened(page)
    page.keyboard.type(wanted)
    expect(dialog.get_by_role("option").first).to_contain_text(wanted)
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(f"/events/{wanted}$"))

    dialog = opened(page)
    page.keyboard.type("outcome:failure")
    searched = dialog.get_by_role("option", name="Search events for outcome:failure")
    expect(searched).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/events\?q=outcome"))


def test_the_palette_offers_what_the_role_may_open_and_works_without_script(
    house: House, browser: Browser, come_in: ComeIn, token_of: Callable[[str], str]
) -> None:
    with come_in("viewer") as viewer:
        viewer.go("/events?since=24h")
        viewer.page.get_by_role("link", name="Go to").click()
        dialog = viewer.page.get_by_role("dialog", name="Go to")
        expect(dialog.get_by_role("option", name="Integrity")).to_be_visible()
        expect(dialog.get_by_role("option", name=re.compile("Findings|Usage|Exports"))).to_have_count(0)
    with visitor(browser, house.console, token_of("viewer"), script=False) as somebody:
        page = somebody.page
        page.get_by_role("link", name="Go to").click()
        page.get_by_label("Where to go, or what to look for", exact=True).first.fill("acme")
        page.get_by_role("button", name="Find", exact=True).click()
        page.get_by_role("link", name=re.compile("^Events of acme")).click()
        expect(page.get_by_label("Query", exact=True)).to_have_value("tenant:acme")


def test_a_day_is_stated_signed_and_one_that_is_not_over_says_so(
    house: House, somebody: Visitor, come_in: ComeIn, tmp_path: Path
) -> None:
    page, today = somebody.page, datetime.now(UTC).date()
    yesterday = (today - timedelta(days=1)).isoformat()
    somebody.go("/integrity")
    note = acts.downloaded(somebody, page.get_by_role("button", name="Download statement"), tmp_path)
    keys = parse_vkeys((house.data_dir / "evidence" / "vkeys.txt").read_bytes())
    data = note.read_bytes()
    stated = open_completeness(data, *keys.signers(data.decode().splitlines()[1]))
    assert (stated.day.isoformat(), stated.state) == (yesterday, "closed")

    somebody.go(f"/integrity/statement?day={yesterday}")
    expect(page.get_by_role("region", name="The signed note")).to_contain_text(f"day {yesterday}")
    assert somebody.faults("statement") == []
    somebody.go(f"/integrity/statement?day={today.isoformat()}")
    expect(page.get_by_role("alert")).to_contain_text("is not over, so that more may come")
    with come_in("viewer") as viewer:
        viewer.go("/integrity")
        expect(viewer.page.get_by_role("button", name="Download statement")).to_have_count(0)


def test_a_budget_is_set_changed_and_ended_each_seen_before_it_holds(
    house: House, come_in: ComeIn, programs: ForkedPrograms
) -> None:
    with come_in("finops") as finops:
        page = finops.page
        finops.go("/usage/budgets")
        acts.follow(finops, page.get_by_role("link", name="New budget"))
        page.get_by_label("Id", exact=True).fill("support-month")
        page.get_by_label("Whose spend").fill("acme")
        page.get_by_label("Amount").fill("much")
        acts.press(finops, "See what changes")
        expect(page.get_by_label("Amount")).to_have_attribute("aria-invalid", "true")
        expect(page.get_by_text("Input should be a valid decimal.")).to_be_visible()
        assert finops.faults("budget-fault") == []
        page.get_by_label("Amount").fill("900")
        acts.press(finops, "See what changes")
        expect(page.get_by_role("region", name="Changes")).to_contain_text("support-month")
        expect(page.get_by_text("Nothing has changed yet")).to_be_visible()
        assert finops.faults("budget-preview") == []
        acts.press(finops, "Apply")
        expect(page.get_by_text("The budget holds from now on")).to_be_visible()
        budget = page.get_by_role("link", name="support-month", exact=True)
        acts.look_until(finops, "/usage/budgets", budget)
        assert finops.faults("budgets") == []
        told = ran("--output", "jsonl", "budgets", data_dir=house.data_dir, programs=programs)
        amounts = {row["budget_id"]: row["amount"] for row in map(json.loads, told.stdout.splitlines())}
        assert float(amounts["support-month"]) == 900

        acts.follow(finops, budget)
        page.get_by_label("Amount").fill("800")
        acts.press(finops, "See what changes")
        expect(page.get_by_role("region", name="Changes").locator("tbody tr")).to_have_count(1)
        acts.press(finops, "Apply")
        acts.look_until(finops, "/usage/budgets", page.get_by_role("listitem").filter(has_text="of $800"))
        acts.follow(finops, page.get_by_role("link", name="support-month", exact=True))
        acts.press(finops, "End this budget")
        acts.press(finops, "End it")
        ended = page.get_by_role("row", name="support-month").filter(has_text="ended")
        acts.look_until(finops, "/usage/budgets", ended)
    with come_in("auditor") as auditor:
        auditor.go("/usage/budgets")
        expect(auditor.page.get_by_role("row", name="support-month")).to_be_visible()
        expect(auditor.page.get_by_role("link", name="New budget")).to_have_count(0)
        said = auditor.page.get_by_role("region", name="Events found").get_by_role("row")
        acts.look_until(
            auditor, "/events?since=1h&q=type:ai.config.change+change_object_id:support-month", said.nth(3)
        )


def test_the_list_of_exports_follows_what_is_written_and_then_rests(somebody: Visitor) -> None:
    page = somebody.page
    somebody.go("/exports")
    page.get_by_role("combobox", name="Range", exact=True).select_option("24h")
    page.get_by_label("What it is for").fill("followed")
    page.get_by_role("button", name="Export", exact=True).click()
    page.wait_for_load_state("load")
    own = page.get_by_role("region", name="Yours")
    expect(own.get_by_role("listitem").filter(has_text="followed").get_by_text("done")).to_be_visible()
    left = page.get_by_role("region", name="What left, by whatever way")
    expect(left.get_by_role("row", name="followed")).to_be_visible()
    expect(page.locator('[hx-trigger="every 1s"]')).to_have_count(0)  # nothing asks any more


def test_values_beside_the_events_come_in_one_answer(somebody: Visitor) -> None:
    asked: list[str] = []

    def heard(request: Request) -> None:
        asked.append(request.url)

    somebody.page.on("request", heard)
    somebody.go("/events?since=24h&q=outcome:failure")
    values = somebody.page.get_by_role("region", name="Values and their counts")
    expect(values.get_by_role("heading", name="Outcome")).to_be_visible()
    # A store that has no time for it says so in the place of the values, here as when each is asked alone.
    told = values.locator("details").first.get_by_text(re.compile("^failure|Not counted within a second"))
    expect(told.first).to_be_visible()
    assert len([each for each in asked if "/parts/facets?" in each]) == 1
