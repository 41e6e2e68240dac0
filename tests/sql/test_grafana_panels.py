"""The dashboards of deploy/grafana: what each panel asks runs against the tables, and gives what it draws.

Macros are expanded as the plugin does: grafana/clickhouse-datasource, `pkg/macros/macros.go`, and
`$__conditionalAll`, which becomes its condition or, for all values of a variable, 1=1.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.blocks import NOON, block_of
from tests.support.kept_engine import KeptEngine
from tests.support.stores import ClickHouseStore

GRAFANA = Path(__file__).parents[2] / "deploy" / "grafana"
DASHBOARDS = {path.stem: json.loads(path.read_text("utf-8")) for path in GRAFANA.glob("dashboards/*.json")}
PANELS = {f"{name}: {panel['title']}": panel for name, each in DASHBOARDS.items() for panel in each["panels"]}
FROM, TO = NOON - timedelta(hours=1), NOON + timedelta(hours=2)
WIDTH_S = 300


def expanded(sql: str, *, tenants: tuple[str, ...] = ("acme", "globex")) -> str:
    """Return a panel's SQL as the plugin sends it; without tenants, for all of them."""
    listed = ", ".join(f"'{each}'" for each in tenants)
    condition = r"\1" if tenants else "1=1"
    sql = re.sub(r"\$__conditionalAll\((.*?\)), \$tenant\)", condition, sql)
    sql = sql.replace("${tenant:singlequote}", listed)
    bounds = rf"\1 >= toDateTime({FROM.timestamp():.0f}) AND \1 <= toDateTime({TO.timestamp():.0f})"
    sql = re.sub(r"\$__timeFilter\((\w+)\)", bounds, sql)
    width = rf"toStartOfInterval(toDateTime(\1), INTERVAL {WIDTH_S} second)"
    sql = re.sub(r"\$__timeInterval\((\w+)\)", width, sql)
    sql = sql.replace("$__interval_s", str(WIDTH_S))
    sql = sql.replace("$__fromTime", f"toDateTime({FROM.timestamp():.0f})")
    return sql.replace("$__toTime", f"toDateTime({TO.timestamp():.0f})")


@pytest.fixture(scope="module")
def store(kept_engine: KeptEngine) -> Iterator[ClickHouseStore]:
    """A store with one event of each kind that panels ask for, an hour old at noon."""
    with kept_engine.migrated() as made:
        types = [
            "ai.inference", "ai.inference", "ai.cost.operational", "ai.policy.decision", "ai.routing",
            "ai.human.review", "ai.data_access",
        ]  # fmt: skip
        rows = len(types)

        def of(event_type: str, value: Any, otherwise: Any = None) -> list[Any]:
            return [value if each == event_type else otherwise for each in types]

        made.insert(
            block_of(
                rows=rows,
                event_type=types,
                event_time=NOON,
                tenant_id=["acme", "globex", *["acme"] * (rows - 2)],
                team_id="search",
                agent_id="agent-1",
                outcome=["SUCCESS", "FAILURE", *["SUCCESS"] * (rows - 2)],
                inference_provider=of("ai.inference", "openai", ""),
                inference_response_model=of("ai.inference", "gpt-4o", ""),
                input_tokens=of("ai.inference", 100),
                output_tokens=of("ai.inference", 20),
                duration_us=1_500_000,
                inference_ttft_us=of("ai.inference", 300_000),
                cost_status=["priced", "unpriced", "priced", *["none"] * (rows - 3)],
                cost_currency=["USD", "", "USD", *[""] * (rows - 3)],
                cost_effective=[Decimal("1.5"), None, Decimal(3), *[None] * (rows - 3)],
                unpriced_reason=["", "unknown_model", *[""] * (rows - 2)],
                policy_id=of("ai.policy.decision", "guard", ""),
                policy_action=of("ai.policy.decision", "block", ""),
                policy_verdict=of("ai.policy.decision", "deny", ""),
                routing_from_model=of("ai.routing", "gpt-4o", ""),
                routing_to_model=of("ai.routing", "gpt-4o-mini", ""),
                routing_reason=of("ai.routing", "fallback", ""),
                review_decision=of("ai.human.review", "APPROVE", ""),
                review_latency_us=of("ai.human.review", 60_000_000),
                attributes=of("ai.data_access", {"command": "search"}, {}),
                leaf_kind=0,
            )
        )
        dead = {"leaf_kind": 1, "reject_reason": "not_avro", "event_type": "", "tenant_id": "", "source": ""}
        made.insert(block_of(lo=rows, rows=1, event_time=NOON, **dead))
        made.client.command(
            "INSERT INTO findings (finding_id, version, tenant_id, rule_id, title, status, severity,"
            f" window_start, window_end) VALUES ('f1', 0, 'acme', 'spend.surge', 'too much', 'NEW', 4,"
            f" '{NOON:%F %T}', '{NOON:%F %T}')"
        )
        made.client.command(
            "INSERT INTO checkpoints (origin, log_id, tree_size, root_hash, note, signed_at, witnesses)"
            f" VALUES ('o', 'log', 8, '{'r' * 32}', '', '{NOON:%F %T}', [])"
        )
        made.client.command(
            "INSERT INTO exports (export_id, kind, tenant_id, requested_by, rows, bytes, sha256, destination,"
            f" finished_at) VALUES (generateUUIDv4(), 'ocsf', '', 'ada', 1, 1, '', '/tmp', '{NOON:%F %T}')"
        )
        yield made


def test_what_panels_ask_for_is_answered_with_what_they_draw(store: ClickHouseStore) -> None:
    for name, panel in PANELS.items():
        (target,) = panel["targets"]
        sql = expanded(target["rawSql"])
        if "inserted_at" in sql:  # of now, and not of the day of the others
            sql = re.sub(r"inserted_at [<>]= toDateTime\(\d+\)", "1", sql)
        found = store.client.query(sql)

        assert "$" not in sql, name
        assert found.result_rows, f"{name}: nothing found"
        if panel["type"] == "timeseries":
            columns = dict(zip(found.column_names, found.result_rows[0], strict=True))
            assert isinstance(columns["time"], datetime), name
            assert isinstance(found.result_rows[0][-1], int | float | Decimal), name
        if panel["type"] == "stat":
            assert all(value is not None for value in found.result_rows[0]), name


def test_a_choice_of_tenants_narrows_and_all_of_them_does_not(store: ClickHouseStore) -> None:
    sql = PANELS["activity: Events"]["targets"][0]["rawSql"]

    counts = [store.value(expanded(sql, tenants=chosen)) for chosen in (("globex",), ("acme", "globex"), ())]
    assert counts == [1, 7, 7]


def test_the_variable_lists_the_tenants(store: ClickHouseStore) -> None:
    for each in DASHBOARDS.values():
        for variable in each["templating"]["list"]:
            assert store.ask(variable["query"]) == [("acme",), ("globex",)]


@pytest.mark.parametrize("name", list(DASHBOARDS))
def test_a_dashboard_is_whole(name: str) -> None:
    dashboard, source = DASHBOARDS[name], provisioned("datasources")["datasources"][0]
    panels = dashboard["panels"]
    places = [
        {(x, y) for x in range(p["x"], p["x"] + p["w"]) for y in range(p["y"], p["y"] + p["h"])}
        for p in (panel["gridPos"] for panel in panels)
    ]

    assert len({panel["id"] for panel in panels}) == len(panels)
    assert sum(map(len, places)) == len(set().union(*places))
    assert max(x for place in places for x, _ in place) == 23
    for panel in panels:
        for each in (panel, *panel["targets"]):
            assert each["datasource"] == {"type": source["type"], "uid": source["uid"]}


def test_dashboards_have_names_of_their_own() -> None:
    assert len(DASHBOARDS) == 3
    assert len({each["uid"] for each in DASHBOARDS.values()}) == len(DASHBOARDS)
    assert len(PANELS) == sum(len(each["panels"]) for each in DASHBOARDS.values())


def test_no_secret_is_in_the_provisioning_and_nothing_is_changed_in_grafana() -> None:
    source = provisioned("datasources")["datasources"][0]
    provider = provisioned("dashboards")["providers"][0]

    assert all(str(value).startswith("$") for value in source["secureJsonData"].values())
    assert (source["editable"], provider["allowUiUpdates"]) == (False, False)
    assert FROM.tzinfo is UTC


def provisioned(kind: str) -> Any:
    return yaml.safe_load((GRAFANA / "provisioning" / kind / "auditstream.yaml").read_text("utf-8"))
