"""The page of the wrapper report: its files and commands on a deployment give the figures made by hand."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest

from tests.support.commands import Command, started
from tests.support.forked_programs import ForkedPrograms
from tests.support.patience import patient

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "how-to" / "wrapper-report.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^`([\w.-]+)`\n\n```\w+\n(.*?)```", PAGE, re.DOTALL | re.MULTILINE))
LINES = re.findall(r"^\$ (auditstream (?:apply|emit|report wrapper).*)$", PAGE, re.MULTILINE)
BY_HAND = re.findall(r"^2026-03,(\w+),USD,(\w+),([\w ]+),([\d.]+),(.*)$", PAGE, re.MULTILINE)
EVENTS = 11

pytestmark = [pytest.mark.long, pytest.mark.timeout(240)]


@dataclass(frozen=True, slots=True)
class Shell:
    """Where the page's commands are typed."""

    folder: Path
    environment: dict[str, str]

    def run(self, line: str) -> str:
        done = subprocess.run(
            ["sh", "-c", line],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=patient(100),
            check=False,
        )
        assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"
        return done.stdout


@pytest.fixture(scope="module")
def deployment(programs: ForkedPrograms, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Command]:
    folder = tmp_path_factory.mktemp("up") / "data"
    with started("up", "--broker", "embedded", data_dir=folder, programs=programs) as command:
        command.wait_ready(within_s=120)
        yield command


@pytest.fixture(scope="module")
def shell(deployment: Command, programs: ForkedPrograms, tmp_path_factory: pytest.TempPathFactory) -> Shell:
    folder = tmp_path_factory.mktemp("page")
    programs.write("auditstream", "auditstream.cli.main", folder=folder)
    for name, content in FILES.items():
        (folder / name).write_text(content)
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "AUDITSTREAM_DATA_DIR": str(deployment.data_dir)}
    return Shell(folder, environment)


@pytest.fixture(scope="module")
def recorded(deployment: Command, shell: Shell) -> None:
    assert list(FILES) == ["acme-calls.csv", "globex-calls.csv", "costs.csv", "rules.yaml"]
    for line in LINES[:4]:
        shell.run(line)
    count = "auditstream sql \"SELECT count() AS n FROM events WHERE source LIKE 'urn:auditstream:emit:%'\""
    deadline = time.monotonic() + 100
    while json.loads(shell.run(count))["n"] < EVENTS:
        assert time.monotonic() < deadline, "the events are not recorded in time"
        time.sleep(0.5)


@pytest.mark.usefixtures("recorded")
def test_the_report_says_what_was_reckoned_by_hand(shell: Shell) -> None:
    rows = list(csv.DictReader(shell.run(LINES[4]).splitlines()))

    assert len(BY_HAND) == 3
    for tenant, line, part, amount, text in BY_HAND:
        (row,) = [
            each
            for each in rows
            if (each["tenant_id"], each["line"]) == (tenant, line) and each["part"] in {part, "wrapper"}
        ]
        assert Decimal(row["amount"]) == Decimal(amount)
        said = f"{row['multiple']} times inference" if row["multiple"] else row["reason"]
        assert said == text


@pytest.mark.usefixtures("recorded")
def test_each_line_of_the_table_by_hand_is_in_the_report(shell: Shell) -> None:
    rows = list(csv.DictReader(shell.run(LINES[4]).splitlines()))
    found = {(row["part"], row["tenant_id"]): Decimal(row["amount"]) for row in rows}
    table = re.search(r"^\| \| Acme \| Globex \| Nobody \|\n\|[-|]+\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    assert table
    checked = 0
    for line in table[1].splitlines():
        name, *cells = (cell.strip() for cell in line.strip("|").split("|"))
        part = name.partition(",")[0].replace(" ", "_").replace("everything_else", "wrapper")
        if part == "times_inference":
            continue
        for tenant, cell in zip(("acme", "globex", "unattributed"), cells, strict=True):
            if cell:
                sum_, _, result = cell.rpartition("=")
                assert found[part, tenant] == Decimal(result.strip())
                if sum_:
                    assert abs(reckoned(sum_) - Decimal(result.strip())) < Decimal("1e-20")
                checked += 1
    assert checked == 12


def reckoned(text: str) -> Decimal:
    """Return what a sum on the page comes to; products and quotients from left to right, then sums."""
    total = Decimal(0)
    for term in text.split("+"):
        first, *rest = re.findall(r"[×/]|[\d.]+", term)
        value = Decimal(first)
        for sign, number in zip(rest[::2], rest[1::2], strict=True):
            value = value * Decimal(number) if sign == "×" else value / Decimal(number)
        total += value
    return total


@pytest.mark.usefixtures("recorded")
def test_a_file_that_is_sent_again_counts_once(shell: Shell) -> None:
    before = shell.run(LINES[4])
    shell.run(LINES[3])
    count = (
        "auditstream sql \"SELECT count() AS n FROM events WHERE source = 'urn:auditstream:emit:cost-csv'\""
    )
    deadline = time.monotonic() + 100
    while json.loads(shell.run(count))["n"] < 10:
        assert time.monotonic() < deadline, "the repeats are not recorded in time"
        time.sleep(0.5)

    assert shell.run(LINES[4]) == before


@pytest.mark.usefixtures("recorded")
def test_the_page_of_the_page_is_written(shell: Shell) -> None:
    shell.run(LINES[5])

    assert "Everything else is 2.75 times inference." in (shell.folder / "wrapper.html").read_text()
