"""The page of FOCUS: its commands run, in order, on planted costs; the reference is the profile."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from auditstream.cli import export, migrate, reconcile
from auditstream.core.settings import load
from auditstream.embedded.mock_kafka import start_mock_kafka
from auditstream.embedded.registry import start_registry
from auditstream.focus.columns_page import page
from sinks.clickhouse import connect
from sinks.clients import http_client
from tests.support.charges import adjust_charges, record_charges
from tests.support.clickhouse_fronts import TOKENS, start
from tests.support.command_line import Run, command_line
from tests.support.stores import ClickHouseStore

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "how-to" / "focus.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```sh\n\$ ([^\n]*)\n(.*?)```", PAGE, re.DOTALL)


def test_the_reference_is_generated_from_the_profile() -> None:
    reference = DOCS / "reference" / "focus-columns.md"

    assert reference.read_text(encoding="utf-8") == page(), (
        f"python -m auditstream.focus.columns_page > {reference}"
    )


@pytest.fixture
def run(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Run]:
    """The command line on embedded services with planted costs, in an empty folder."""
    with (
        start(tmp_path_factory.mktemp("clickhouse")) as clickhouse,
        start_mock_kafka() as kafka,
        start_registry(tmp_path_factory.mktemp("registry")) as registry,
    ):
        for name, value in {
            "CLICKHOUSE__HOST": clickhouse.host,
            "CLICKHOUSE__PORT": str(clickhouse.port),
            "CLICKHOUSE__PASSWORD": TOKENS["default"],
            "KAFKA__BROKERS": kafka.bootstrap,
            "REGISTRY__URL": registry.url,
            "DATA_DIR": str(tmp_path_factory.mktemp("data")),
        }.items():
            monkeypatch.setenv(f"AUDITSTREAM_{name}", value)
        typed = command_line(monkeypatch, migrate, export, reconcile)
        assert typed("migrate", "apply") == 0
        settings = load().clickhouse
        client, sink = http_client(settings), connect(settings)
        store = ClickHouseStore(client, sink)
        record_charges(store)
        adjust_charges(store)
        sink.close()
        client.close()
        monkeypatch.chdir(tmp_path)
        yield typed


@pytest.mark.long
def test_the_commands_of_the_page_answer_as_it_shows(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    results = [
        {"amount": {"value": 3.34, "currency": "usd"}, "line_item": "gpt-4o-2024-08-06, input"},
        {"amount": {"value": 0.005, "currency": "usd"}, "line_item": "web search tool calls"},
    ]
    bucket = {"start_time": 1767312000, "end_time": 1767398400, "results": results}
    Path("costs.json").write_text(json.dumps({"data": [bucket], "has_more": False}), encoding="utf-8")
    capsys.readouterr()

    assert len(EXAMPLES) == 2
    for line, shown in EXAMPLES:
        words = shlex.split(line)
        assert words[0] == "auditstream"
        assert run("--output", "table", *words[1:]) == 0
        assert_shape(capsys.readouterr().out, shown)
    assert sorted(path.name for path in Path("january").iterdir()) == ["focus.csv", "manifest.json"]


def assert_shape(printed: str, shown: str) -> None:
    """Compare an answer with the page's: hashes and sizes differ from run to run, amounts do not."""
    volatile = re.compile(r"^(manifest_sha256|bytes|totals) .*$", re.MULTILINE)

    def words(text: str) -> list[list[str]]:
        return [line.split() for line in volatile.sub(r"\1 …", text).splitlines() if line.strip()]

    assert words(printed) == words(shown)
