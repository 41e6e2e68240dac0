"""The rules that ship with the product, and their cases: read from the package."""

from __future__ import annotations

from functools import cache
from importlib import resources

CASES_SUFFIX = ".cases.yaml"
SUFFIX = ".yaml"


@cache
def shipped_rules() -> dict[str, str]:
    """Return the texts of the shipped rules by name of file; shared, so do not change it."""
    return {name: text for name, text in _files().items() if not name.endswith(CASES_SUFFIX)}


@cache
def shipped_cases() -> dict[str, str]:
    """Return the texts of the shipped cases by name of file; shared, so do not change it."""
    return {name: text for name, text in _files().items() if name.endswith(CASES_SUFFIX)}


@cache
def _files() -> dict[str, str]:
    folder = resources.files(__package__).joinpath("shipped")
    found = {each.name: each for each in folder.iterdir() if each.name.endswith(SUFFIX)}
    return {name: found[name].read_text(encoding="utf-8") for name in sorted(found)}
