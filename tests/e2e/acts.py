"""What people do at the console: each act by the buttons and fields that a person uses."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, expect

from tests.e2e.browsing import Visitor
from tests.support.processes import wait_until

_LOOKED_FOR_S = 30.0  # what an act leads to comes by Kafka, the worker and the store
_FOUND_S = 120.0  # what is used is held against the register once a minute


def press(somebody: Visitor, name: str) -> None:
    """Press a button, and wait for what it leads to."""
    somebody.page.get_by_role("button", name=name, exact=True).click()
    somebody.settle()


def follow(somebody: Visitor, link: Locator) -> None:
    """Follow a link, and wait for the page."""
    link.click()
    somebody.page.wait_for_load_state("load")
    somebody.settle()


def look_until(somebody: Visitor, path: str, shown: Locator, *, within_s: float = _LOOKED_FOR_S) -> None:
    """Open a path again and again until something is on it: a list follows an act within seconds."""

    def is_shown() -> bool:
        somebody.go(path)
        return shown.count() > 0

    wait_until(is_shown, within_s=within_s, what=f"{path} with what was done")


def find(somebody: Visitor, name: str) -> Locator:
    """Open the list of findings, once it has one that names something, and return its row."""
    row = somebody.page.get_by_role("row", name=name)
    look_until(somebody, "/findings?status=all", row, within_s=_FOUND_S)
    return row


def downloaded(somebody: Visitor, link: Locator, folder: Path) -> Path:
    """Download what a link or a button leads to, and return the file."""
    with somebody.page.expect_download() as coming:
        link.click()
    path = folder / coming.value.suggested_filename
    coming.value.save_as(path)
    return path


def replay(somebody: Visitor, reason: str) -> None:
    """Read a dead letter that was refused for a reason, and send it again."""
    somebody.go(f"/health?reason={reason}")
    letters = somebody.page.get_by_role("region", name="Dead letters")
    follow(somebody, letters.get_by_role("table", name="newest first").locator("tbody a").first)
    expect(somebody.page.get_by_role("heading", name="Dead letter", exact=True)).to_be_visible()
    follow(somebody, somebody.page.get_by_role("link", name="Send again"))


def state_asset(somebody: Visitor, title: str, *, owner: str, purpose: str) -> None:
    """Fill in one of the forms of an asset's page, and send it."""
    form = somebody.page.get_by_role("region", name=title)
    form.get_by_label("Who answers for it").fill(owner)
    form.get_by_role("textbox").nth(1).fill(purpose)
    form.get_by_role("button", name=title).click()
    somebody.settle()


def export_of(somebody: Visitor, query: str, folder: Path) -> tuple[list[dict[str, str]], dict[str, Any]]:
    """Export what a search finds as CSV, and return its rows with the manifest; the file is as it says."""
    somebody.go(f"/events?since=24h&q={query}")
    follow(somebody, somebody.page.get_by_role("link", name="Export", exact=True))
    somebody.page.get_by_role("combobox", name="Form", exact=True).select_option("csv")
    somebody.page.get_by_label("What it is for").fill("a quarter's review")
    press(somebody, "Export")
    newest = somebody.page.get_by_role("region", name="Yours").get_by_role("listitem").first
    expect(newest.get_by_text("done", exact=True)).to_be_visible()
    manifest = json.loads(
        downloaded(somebody, newest.get_by_role("link", name="manifest.json"), folder).read_text("utf-8")
    )
    (told,) = manifest["files"]
    data = downloaded(somebody, newest.get_by_role("link", name=told["file"]), folder).read_bytes()
    assert hashlib.sha256(data).hexdigest() == told["sha256"]
    return list(csv.DictReader(io.StringIO(data.decode()))), manifest


def save_search(somebody: Visitor, query: str, name: str, *, is_shared: bool) -> None:
    """Save a search under a name, from the page that shows it."""
    somebody.go(f"/events?since=24h&q={query}")
    follow(somebody, somebody.page.get_by_role("link", name="Save", exact=True))
    somebody.page.get_by_label("Name", exact=True).fill(name)
    if is_shared:
        somebody.page.get_by_label("Share it with everybody").check()
    press(somebody, "Save")
