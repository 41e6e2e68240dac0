"""What browsers load: vendored files as their packages hold them, nothing inline, nothing from elsewhere."""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path

import pytest

from auditstream.console.assets import FOLDER, asset_path, version

VENDOR = FOLDER / "vendor"
TEMPLATES = FOLDER.parent / "templates"
OWN = sorted(path for path in FOLDER.rglob("*") if path.is_file() and VENDOR not in path.parents)


def test_vendored_files_are_those_whose_hashes_are_written_down() -> None:
    written = dict(reversed(line.split()) for line in (VENDOR / "SHA256SUMS").read_text().splitlines())
    there = {
        str(path.relative_to(VENDOR)): sha256(path.read_bytes()).hexdigest()
        for path in VENDOR.rglob("*")
        if path.is_file() and path.name not in {"SHA256SUMS", "README.md"}
    }

    assert there == written


def test_every_vendored_folder_has_its_licence_and_is_told_of() -> None:
    told = (VENDOR / "README.md").read_text()
    folders = [path for path in VENDOR.iterdir() if path.is_dir()]

    assert folders
    for folder in folders:
        assert (folder / "LICENSE").stat().st_size > 100
        assert f"`{folder.name}/`" in told


@pytest.mark.parametrize("path", [*OWN, *sorted(TEMPLATES.glob("*.html"))], ids=lambda path: path.name)
def test_no_file_of_ours_names_another_server(path: Path) -> None:
    addresses = re.findall(
        r"(?:https?:)?//[\w.-]+\.\w+",
        re.sub(r"//[^\n]*", "", path.read_text(), count=0) if path.suffix == ".js" else path.read_text(),
    )

    assert [each for each in addresses if each != "http://www.w3.org"] == []


@pytest.mark.parametrize("path", sorted(TEMPLATES.glob("*.html")), ids=lambda path: path.name)
def test_no_template_has_script_or_style_of_its_own(path: Path) -> None:
    text = path.read_text()

    assert not re.search(r"\sstyle=", text)
    assert not re.search(r"\son\w+=|hx-on|hx-vals=.js:", text)
    assert not re.search(r"<script(?![^>]*\ssrc=)", text)
    assert "<style" not in text


@pytest.mark.parametrize("path", sorted(TEMPLATES.glob("*.html")), ids=lambda path: path.name)
def test_every_icon_that_a_template_names_is_in_the_sprite(path: Path) -> None:
    sprite = (VENDOR / "lucide" / "sprite.svg").read_text()
    named = re.findall(r'icon\("([a-z0-9-]+)"\)|state\("([a-z0-9-]+)"', path.read_text())

    assert [name for pair in named for name in pair if name and f'id="{name}"' not in sprite] == []


def test_the_address_of_a_file_changes_with_the_files() -> None:
    assert re.fullmatch(r"[0-9a-f]{12}", version())
    assert asset_path("tokens.css") == f"/static/{version()}/tokens.css"


def test_both_ways_to_be_dark_have_the_same_colours() -> None:
    text = (FOLDER / "tokens.css").read_text()
    chosen = re.search(r':root\[data-theme="dark"\] \{(.*?)\}', text, re.DOTALL)
    by_system = re.search(r':root\[data-theme="auto"\] \{(.*?)\}', text, re.DOTALL)

    assert chosen is not None
    assert by_system is not None
    assert chosen[1].split() == by_system[1].split()
