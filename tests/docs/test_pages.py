"""The pages tell the truth about the repository: links lead somewhere and make targets exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("sdk/*.md")])
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CONSOLE = re.compile(r"```(?:console|bash|sh)\n(.*?)```", re.DOTALL)
PYTHON = re.compile(r"```python\n(.*?)```", re.DOTALL)
TARGET = re.compile(r"^([a-z-]+):", re.MULTILINE)


def page_id(page: Path) -> str:
    return str(page.relative_to(ROOT))


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_link_to_a_file_or_heading_of_ours_leads_there(page):
    dead = []
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        path, _, anchor = link.partition("#")
        target = page if not path else page.parent / path
        if "://" in link or link.startswith("mailto:"):
            continue
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            dead.append(link)

    assert dead == []


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_make_target_in_an_example_exists(page):
    targets = set(TARGET.findall((ROOT / "Makefile").read_text(encoding="utf-8")))
    named = set()
    for block in CONSOLE.findall(page.read_text(encoding="utf-8")):
        for line in block.splitlines():
            words = line.removeprefix("$ ").split("#")[0].split()
            if words[:1] == ["make"]:
                named |= {word for word in words[1:] if re.fullmatch(r"[a-z][a-z-]*", word)}

    assert named - targets == set()


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_python_example_runs(page):
    for block in PYTHON.findall(page.read_text(encoding="utf-8")):
        exec(compile(block, page_id(page), "exec"), {})


def test_every_room_is_on_the_map():
    map_of_rooms = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rooms = {path.parent.name for path in (ROOT / "auditstream").glob("*/__init__.py")}
    rooms |= {"schemas", "streams", "sinks", "sdk"}

    assert {room for room in rooms if f"{room}/`" not in map_of_rooms} == set()


TEST = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`|`::(\w+)`")


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_test_that_a_page_names_is_there(page):
    path, missing = "", []
    for named, test, further in TEST.findall(page.read_text(encoding="utf-8")):
        path = named or path  # `::name` alone is of the file named before
        there = (ROOT / path).is_file() and f"def {test or further}(" in (ROOT / path).read_text()
        if not there and (test or further or not (ROOT / path).is_file()):
            missing.append(f"{path}::{test or further}")

    assert missing == []
