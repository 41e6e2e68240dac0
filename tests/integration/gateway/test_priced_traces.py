"""Real instrumentations to priced rows: through the gateway of a whole deployment, and each call once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import started
from tests.support.fake_openai import fake_openai
from tests.support.forked_programs import ForkedPrograms

ROOT = Path(__file__).parents[3]
CHAT_COST = "0.00512"
"""gpt-4o: 176 tokens at 2.50, 1,024 cached ones at 1.25 and 340 at 10.00 USD a million."""
TOTALS_COST = "0.0064"
"""The same call where nothing is said of cached tokens: 1,200 at 2.50 and 340 at 10.00 USD a million."""

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]


def ask(runtime: dict[str, Any], query: str) -> list[list[Any]]:
    """Return the rows of a query to the deployment's store."""
    store = runtime["clickhouse"]
    request = urllib.request.Request(
        f"http://{store['host']}:{store['port']}/?database={store['database']}",
        data=f"{query} FORMAT JSONCompact".encode(),
        headers={"X-ClickHouse-User": store["user"], "X-ClickHouse-Key": store["password"]},
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        rows: list[list[Any]] = json.loads(answer.read())["data"]
        return rows


def run(instrumentation: str, service: str, provider_url: str, runtime: dict[str, Any]) -> None:
    """Run an application that makes one call and exports to the deployment's gateway."""
    environment = os.environ | {
        "OPENAI_BASE_URL": provider_url,
        "OTEL_EXPORTER_OTLP_ENDPOINT": runtime["gateway_url"],
        "OTEL_EXPORTER_OTLP_HEADERS": f"Authorization=Bearer%20{runtime['gateway_key']}",
        "OTEL_SERVICE_NAME": service,
    }
    command = [sys.executable, "-m", "tests.support.instrumented_app", instrumentation, "chat"]
    subprocess.run(command, cwd=ROOT, env=environment, check=True, timeout=100)


def test_every_call_is_one_priced_row_and_two_reports_of_it_cost_once(
    programs: ForkedPrograms, tmp_path: Path
) -> None:
    names = ("openai-v2", "openllmetry", "openinference")
    runs = [*((name, name) for name in names), ("openllmetry+openinference", "both")]
    with started("up", "--broker", "embedded", data_dir=tmp_path / "data", programs=programs) as up:
        runtime = up.wait_ready()
        for instrumentation, service in runs:
            with fake_openai(f"-{service}") as provider_url:
                run(instrumentation, service, provider_url, runtime)
        recorded = "SELECT count() FROM events WHERE event_type = 'ai.inference'"
        up.wait_until(lambda: int(ask(runtime, recorded)[0][0]) >= 5, within_s=60, what="five rows")
        rows = ask(
            runtime,
            "SELECT source, tenant_id, cost_status, toString(cost_billed), same_call_as IS NULL, "
            "inference_response_id, length(trace_id) FROM events "
            "WHERE event_type = 'ai.inference' ORDER BY source, same_call_as IS NULL DESC",
        )
        # A rollup has an insert's events a moment after the table has its rows.
        counted = "SELECT sum(events) FROM usage_1h WHERE event_type = 'ai.inference'"
        up.wait_until(lambda: int(ask(runtime, counted)[0][0]) >= 4, within_s=20, what="four calls counted")
        sums = ask(
            runtime,
            "SELECT sum(events), toString(sum(cost_billed)), sum(input_tokens) FROM usage_1h "
            "WHERE event_type = 'ai.inference'",
        )
    tenant = rows[0][1]
    assert tenant
    assert rows == [
        ["both", tenant, "priced", CHAT_COST, 1, "chatcmpl-chat-both", 32],
        ["both", tenant, "none", None, 0, "chatcmpl-chat-both", 32],
        ["openai-v2", tenant, "priced", TOTALS_COST, 1, "chatcmpl-chat-openai-v2", 32],
        ["openinference", tenant, "priced", CHAT_COST, 1, "chatcmpl-chat-openinference", 32],
        ["openllmetry", tenant, "priced", CHAT_COST, 1, "chatcmpl-chat-openllmetry", 32],
    ]
    assert [[int(sums[0][0]), sums[0][1], int(sums[0][2])]] == [[4, "0.02176", 4800]]
