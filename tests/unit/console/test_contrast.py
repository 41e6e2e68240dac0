"""Text can be read: every pair of colours that a page puts on each other has the contrast of WCAG 2.2 AA."""

from __future__ import annotations

import re

import pytest

from auditstream.console.assets import FOLDER

GROUNDS = ("canvas", "surface", "sunken", "raised", "hover", "chosen")
PAIRS = [
    *((ink, ground) for ink in ("ink", "ink-2") for ground in GROUNDS),
    *(("ink-3", ground) for ground in ("canvas", "surface", "sunken", "raised", "hover")),
    *(("accent", ground) for ground in ("canvas", "surface", "sunken", "raised")),
    *((tone, f"{tone}-soft") for tone in ("good", "bad", "warn", "info", "plum")),
    *((tone, "surface") for tone in ("good", "bad", "warn", "info", "plum")),
    ("accent-ink", "accent"),
    ("ink", "accent-soft"),
    ("ink", "bad-soft"),
    ("ink", "warn-soft"),
]  # fmt: skip


def colours(theme: str) -> dict[str, str]:
    text = (FOLDER / "tokens.css").read_text()
    block = re.search(rf"{re.escape(theme)} \{{(.*?)\}}", text, re.DOTALL)
    assert block is not None
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block[1]))


def luminance(colour: str) -> float:
    """Return the relative luminance of a colour: https://www.w3.org/TR/WCAG22/#dfn-relative-luminance."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", [":root", ':root[data-theme="dark"]'])
@pytest.mark.parametrize(("ink", "ground"), PAIRS)
def test_text_stands_out_from_its_ground(theme: str, ink: str, ground: str) -> None:
    known = colours(theme)

    assert contrast(known[ink], known[ground]) >= 4.5


@pytest.mark.parametrize("theme", [":root", ':root[data-theme="dark"]'])
def test_the_edge_of_a_control_stands_out_from_its_ground(theme: str) -> None:
    known = colours(theme)

    assert contrast(known["control-line"], known["surface"]) >= 3


def test_a_system_that_is_dark_gets_the_colours_of_the_dark_theme() -> None:
    assert colours(':root[data-theme="auto"]') == colours(':root[data-theme="dark"]')
