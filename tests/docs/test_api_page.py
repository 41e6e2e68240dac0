"""The pages about the API say what it does: its paths, its roles, its limits."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from auditstream.access.roles import LIMITS, PERMISSIONS, Role
from auditstream.api.app import create_app
from auditstream.api.parts import Parts
from auditstream.core.metrics import Metrics

ROOT = Path(__file__).parents[2]
REFERENCE = (ROOT / "docs/reference/api.md").read_text(encoding="utf-8")
HOW_TO = (ROOT / "docs/how-to/api.md").read_text(encoding="utf-8")


def table(heading: str) -> list[list[str]]:
    """Return the rows of the table whose first column is called so."""
    found = re.search(rf"^\| {heading} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", REFERENCE, re.MULTILINE)
    assert found, heading
    return [[cell.strip() for cell in line.strip("|\n").split("|")] for line in found[1].splitlines()]


@pytest.fixture(scope="module")
def description() -> dict[str, Any]:
    nothing: Any = None
    parts = Parts(desk=nothing, entry=nothing, metrics=Metrics(), publish=nothing, evidence=nothing)
    app = create_app(parts)
    (route,) = [each for each in app.routes if getattr(each, "path", "") == "/api/openapi.json"]
    document: dict[str, Any] = route.endpoint()  # type: ignore[attr-defined]
    return document


def test_every_path_is_on_the_page_and_no_other(description: dict[str, Any]) -> None:
    routes = {f"`{method.upper()} {path}`" for path, each in description["paths"].items() for method in each}

    assert {row[0] for row in table("Path")} == routes


def test_roles_may_do_what_the_page_says() -> None:
    rows = re.findall(r"^\| (\w+) \| (`[^|]*`) \|$", REFERENCE, re.MULTILINE)

    said = {role: set(re.findall(r"`(\w+)`", allowed)) for role, allowed in rows if role in set(Role)}
    assert said == {str(role): set(allowed) for role, allowed in PERMISSIONS.items()}


def test_limits_are_those_of_the_page() -> None:
    rows = re.findall(r"^\| (\w+) \| (\d[^|]*(?:\|[^|]*){5})\|$", REFERENCE, re.MULTILINE)

    said = {role: [int(cell.replace(",", "")) for cell in cells.split("|")] for role, cells in rows}
    assert said == {
        str(role): [
            each.bounds.seconds,
            each.bounds.read_bytes // 10**9,
            each.bounds.rows,
            each.requests_per_s,
            each.export_rows,
            each.tails,
        ]
        for role, each in LIMITS.items()
    }


def test_every_address_of_the_how_to_is_a_path_with_parameters_that_it_takes(
    description: dict[str, Any],
) -> None:
    asked = re.findall(r'"\$API(/api/v1/[^"?]*)(?:\?([^"]*))?"( .*-d )?', HOW_TO)
    assert len(asked) > 10

    for path, query, posted in asked:
        known = [
            each for each in description["paths"] if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", each), path)
        ]
        assert known, path
        operation = description["paths"][known[0]]["post" if posted else "get"]
        names = {each["name"] for each in operation.get("parameters", [])}
        assert {part.partition("=")[0] for part in query.split("&") if part} <= names, path
