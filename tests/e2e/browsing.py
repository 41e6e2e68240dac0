"""A browser in which somebody uses the console, and what it complains of meanwhile."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, Response, expect, sync_playwright

from tests.support.parts import skip_part
from tests.support.processes import wait_until

WIDE = (1_440, 900)
NARROW = (390, 844)
_SETTLED_MS = 60_000  # for a page with all its panels, on a machine that does other things besides
_FITS_S = 3.0

PAPER = 703
"""Width of what is printed on A4, in points of a browser."""

# A picture that is taken at once may show the colours from before.
_PAINTED = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
_PRESSED = "button, input, select, textarea, summary, progress, .button"
_CUT = """[...document.querySelectorAll("main :is(table, td, th, dd, pre, .scroll)")]
    .filter((each) => each.checkVisibility() && getComputedStyle(each).overflowX !== "visible")
    .filter((each) => each.clientWidth > 1 && each.scrollWidth > each.clientWidth + 1)
    .map((each) => each.outerHTML)"""

# A container lets no browser make namespaces of its own; and none talks with its makers, which a closed
# network would answer with refusals.
_ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-first-run",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who looks at pages.

    Attributes:
        page: Their browser's tab.
        console: First address of the console.
        complaints: What the browser complained of: errors in its console or of scripts, requests to other
            hosts, answers with 5xx, and with 4xx to what a page loads.
    """

    page: Page
    console: str
    complaints: list[str] = field(default_factory=list)

    def sign_in(self, token: str) -> None:
        """Sign in without the pages that lead there and follow: one request instead of some ten."""
        host = urlsplit(self.console)
        answer = self.page.request.post(
            f"{self.console}sign-in",
            form={"token": token},
            headers={"origin": f"{host.scheme}://{host.netloc}"},
            max_redirects=0,
        )
        assert answer.status == 303, answer.text()

    def sign_in_by_hand(self, token: str) -> None:
        """Sign in as a person does."""
        self.page.goto(self.console)
        self.page.get_by_label("API token").fill(token)
        self.page.get_by_role("button", name="Sign in", exact=True).click()
        self.page.wait_for_load_state("load")

    def go(self, path: str) -> None:
        """Open a path of the console, and wait until its panels are there."""
        self.page.goto(self.console.rstrip("/") + path)
        self.settle()

    def settle(self) -> None:
        """Wait until nothing is loading any more; a stream that stays open is not waited for."""
        self.page.wait_for_load_state("load", timeout=_SETTLED_MS)
        # Not by a script: the pages' policy lets none be made from text.
        expect(self.page.locator(".htmx-request")).to_have_count(0, timeout=_SETTLED_MS)

    def serious(self) -> list[str]:
        """Return what axe finds serious or critical on the page."""
        found = Axe().run(self.page).response["violations"]
        return [
            f"{each['id']}: {node['target']}"
            for each in found
            if each["impact"] in {"serious", "critical"}
            for node in each["nodes"]
        ]

    def faults(self, name: str) -> list[str]:
        """Return what is wrong with how the page looks now; keeps pictures of it where they are wanted.

        Args:
            name: What the pictures are called.
        """
        found = self.serious()
        try:
            for size in (WIDE, NARROW):
                self.page.set_viewport_size({"width": size[0], "height": size[1]})
                found += [f"wider than {size[0]}"] if not self._fits() else []
                if folder := pictures():
                    for theme in ("light", "dark"):
                        self.page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
                        self.page.evaluate(_PAINTED)
                        self.page.screenshot(path=folder / f"{name}-{size[0]}-{theme}.png", full_page=True)
        finally:
            self.page.set_viewport_size({"width": WIDE[0], "height": WIDE[1]})
        return found

    def paper_faults(self, name: str) -> list[str]:
        """Return what is wrong with the page on paper; keeps it as a PDF where pictures are wanted.

        Args:
            name: What the file is called.
        """
        self.page.emulate_media(media="print")
        self.page.set_viewport_size({"width": PAPER, "height": WIDE[1]})
        try:
            pressed = self.page.locator(f":is({_PRESSED}):visible").all()
            found = [f"can be used: {each.evaluate('each => each.outerHTML')[:80]}" for each in pressed]
            found += [f"cut off: {each[:80]}" for each in self.page.evaluate(_CUT)]
            found += ["wider than its paper"] if not self._fits() else []
            if self.page.get_by_role("navigation", name="Screens").is_visible():
                found.append("has the navigation")
            ink = self.page.get_by_role("heading", level=1).evaluate("each => getComputedStyle(each).color")
            found += [f"ink is {ink}"] if ink != "rgb(0, 0, 0)" else []
            folder = pictures()
            self.page.pdf(path=folder / f"{name}.pdf" if folder else None, prefer_css_page_size=True)
        finally:
            self.page.emulate_media(media="screen")
            self.page.set_viewport_size({"width": WIDE[0], "height": WIDE[1]})
        return found

    def _fits(self) -> bool:
        """Return whether the page fits the window; a drawing may take a moment to."""
        try:
            wait_until(lambda: not self.is_too_wide(), within_s=_FITS_S, what="a page as wide as its window")
        except TimeoutError:
            return False
        return True

    def is_too_wide(self) -> bool:
        """Return whether the page must be scrolled sideways."""
        return bool(
            self.page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
        )

    def watch(self) -> None:
        """Keep what the browser complains of from now on."""
        host = urlsplit(self.console).netloc

        def said(message: ConsoleMessage) -> None:
            # What cannot be loaded is told by its answer, below.
            if message.type == "error" and not message.text.startswith("Failed to load resource"):
                self.complaints.append(f"console: {message.text}")

        def asked(request: Request) -> None:
            if urlsplit(request.url).netloc not in {host, ""}:
                self.complaints.append(f"outside: {request.url}")

        def answered(response: Response) -> None:
            is_page = response.request.is_navigation_request()  # one that cannot be answered has 4xx
            if response.status >= (500 if is_page else 400):
                self.complaints.append(f"{response.status}: {response.url}")

        self.page.on("console", said)
        self.page.on("pageerror", lambda error: self.complaints.append(f"script: {error}"))
        self.page.on("request", asked)
        self.page.on("response", answered)


def pictures() -> Path | None:
    """Return where pictures go; none are kept without AUDITSTREAM_TEST_PICTURES."""
    folder = os.environ.get("AUDITSTREAM_TEST_PICTURES")
    if not folder:
        return None
    Path(folder).mkdir(parents=True, exist_ok=True)
    return Path(folder)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run Debian's chromium for the length of the block."""
    program = shutil.which("chromium")
    if program is None:
        skip_part("a browser", "no chromium on PATH", can_be_installed=True)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=list(_ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def visitor(
    browser: Browser,
    console: str,
    token: str,
    *,
    size: tuple[int, int] = WIDE,
    theme: str = "light",
    script: bool = True,
) -> Iterator[Visitor]:
    """Let somebody in who has signed in; fails when the browser complained of anything.

    Args:
        browser: From `chromium`.
        console: First address of the console.
        token: What they sign in with.
        size: Width and height of the window.
        theme: `light` or `dark`.
        script: Whether pages may run scripts.
    """
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if theme == "dark" else "light",
        java_script_enabled=script,
        reduced_motion="reduce",
    )
    context.set_default_timeout(_SETTLED_MS)
    try:
        somebody = Visitor(context.new_page(), console)
        somebody.watch()
        somebody.sign_in(token) if script else somebody.sign_in_by_hand(token)
        yield somebody
        assert not somebody.complaints
    finally:
        context.close()
