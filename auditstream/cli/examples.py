"""An example of every command, which its help ends with."""

from __future__ import annotations

from collections.abc import Mapping

import typer

_ID = "0197f3a0-1c2b-7d4e-8f00-123456789abc"

EXAMPLES: Mapping[str, str] = {
    "up": "auditstream up --data-dir ./audit",
    "demo": "auditstream demo --exit --events 5000 --seed 7",
    "gateway": "AUDITSTREAM_GATEWAY__PORT=8080 auditstream gateway",
    "serve": "auditstream serve --host 127.0.0.1 --port 8080",
    "worker": "AUDITSTREAM_KAFKA__BROKERS=kafka:9092 auditstream worker",
    "apply": "auditstream apply --file reference/ --dry-run",
    "emit": "auditstream emit --format cloudtrail --file events.jsonl.gz --tenant acme",
    "price": "auditstream price --provider openai --model gpt-4o --usage '{\"input_tokens\": 1200}'",
    "reprice": "auditstream reprice --from 2026-03-01 --to 2026-04-01 --tenant acme --dry-run",
    "search": "auditstream search 'type:ai.tool_call -outcome:SUCCESS cost>0.1 refund' --since 2h",
    "show": f"auditstream show {_ID}",
    "trace": "auditstream trace 4bf92f3577b34da6a3ce929d0e0e4736",
    "tail": "auditstream tail outcome:FAILURE --lines 0",
    "unseal": f"auditstream unseal {_ID} --purpose 'incident 4711'",
    "sql": 'auditstream sql "SELECT event_type, count() FROM events_current GROUP BY ALL" --output csv',
    "status": "auditstream status --output json",
    "dlq list": "auditstream dlq list --reason unknown_schema --since 1d",
    "dlq show": "auditstream dlq show audit.events.v1/0/0a1b2c3d/17 --out letter.bin",
    "dlq replay": "auditstream dlq replay --reason unknown_schema --since 1d --dry-run",
    "budgets": "auditstream budgets --tenant acme",
    "verify": "auditstream verify --deep",
    "prove": f"auditstream prove {_ID} --out receipt.tlog-proof",
    "reconcile": "auditstream reconcile costs.json --format openai-costs --period 2026-03",
    "erase": "auditstream erase --tenant acme --subject user-17 --ground 'request of 3 March'",
    "forward": "AUDITSTREAM_FORWARD__FILE=forwards.yaml auditstream forward",
    "seal": "auditstream seal --once",
    "seal adopt": "auditstream seal adopt audit.events.v1/0/0a1b2c3d",
    "seal keys new": "auditstream seal keys new --if-missing",
    "seal keys rotate": "auditstream seal keys rotate",
    "seal keys show": "auditstream seal keys show",
    "witness": "auditstream witness --listen 127.0.0.1:7380 --trust vkeys.txt",
    "witness keys new": "auditstream witness keys new --name witness.example",
    "witness keys show": "auditstream witness keys show",
    "migrate plan": "auditstream migrate plan --sql",
    "migrate apply": "auditstream migrate apply --grants --tenant acme",
    "migrate status": "auditstream migrate status",
    "migrate remember": "auditstream migrate remember",
    "keys create": "auditstream keys create --tenant acme --name checkout",
    "keys revoke": "auditstream keys revoke checkout-1f2e3d",
    "keys list": "auditstream keys list --tenant acme",
    "tokens create": "auditstream tokens create --role analyst --tenant acme --name notebook",
    "tokens revoke": "auditstream tokens revoke notebook-1f2e3d",
    "tokens list": "auditstream tokens list",
    "assets register": "auditstream assets register model gpt-4o --tenant acme --owner search",
    "assets ban": "auditstream assets ban mcp_server https://mcp.example --reason 'reads mail'",
    "schema register": "auditstream schema register",
    "schema check": "auditstream schema check --file audit_event.avsc",
    "schema diff": "auditstream schema diff 1 2",
    "prices import": "auditstream prices import --dry-run",
    "prices diff": "auditstream prices diff --from 12 --to 13",
    "prices check": "auditstream prices check --tolerance 1",
    "prices history": "auditstream prices history --provider openai --model gpt-4o",
    "prices unpriced": "auditstream prices unpriced --since 7d",
    "prices reported": "auditstream prices reported --since 30d --tenant acme",
    "report cost": "auditstream report cost --by team,model --period 2026-03 --output csv",
    "report wrapper": "auditstream report wrapper --period month --tenant acme",
    "report units": "auditstream report units --by feature --period 2026-03",
    "report pilot": "auditstream report pilot --pilot-period 2026-02 --production-period 2026-03",
    "report showback": "auditstream report showback --team search --month 2026-03 --output html",
    "report whatif": "auditstream report whatif --period 2026-03 --model openai/gpt-4o-mini",
    "report slo": "auditstream report slo --tenant acme",
    "report coverage": "auditstream report coverage --period 2026-03-02",
    "report discovery": "auditstream report discovery --status unregistered",
    "report oversight": "auditstream report oversight --period 2026-03",
    "report prompts": "auditstream report prompts --period 2026-03 --tenant acme",
    "report access": "auditstream report access --period last-7d --blocked --each",
    "detectors list": "auditstream detectors list",
    "detectors backtest": "auditstream detectors backtest requests.csv --bucket 5m",
    "rules check": "auditstream rules check rules/",
    "rules test": "auditstream rules test rules/ --all",
    "rules list": "auditstream rules list",
    "findings list": "auditstream findings list --since 7d --severity high",
    "findings show": "auditstream findings show 4f1c",
    "findings acknowledge": "auditstream findings acknowledge 4f1c --comment 'looking'",
    "findings assign": "auditstream findings assign 4f1c --to ada",
    "findings comment": "auditstream findings comment 4f1c 'a load test of ours'",
    "findings close": "auditstream findings close 4f1c --comment 'budget raised'",
    "findings mute": "auditstream findings mute 4f1c --for 2h --reason 'load test'",
    "findings resend": "auditstream findings resend 4f1c --channel oncall",
    "slos windows": "auditstream slos windows --days 30",
    "evidence export": "auditstream evidence export --out bundle --purpose 'audit 2026'",
    "evidence statement": "auditstream evidence statement --day 2026-03-01",
    "export focus": "auditstream export focus --period 2026-03 --out march",
    "export ocsf": "auditstream export ocsf tool:delete_record --since 7d --out deletions",
    "export cloudevents": "auditstream export cloudevents --from 2026-03-01 --to 2026-03-02 --out day",
    "export parquet": "auditstream export parquet type:ai.inference --since 30d --out calls",
    "export csv": "auditstream export csv outcome:FAILURE --since 1d --out failures",
    "export jsonl": "auditstream export jsonl agent:triage --since 1d --out triage",
    "doctor": "auditstream doctor",
    "doctor rebuild": "auditstream doctor rebuild --segment audit.events.v1/0/0a1b2c3d/0-49999",
    "config show": "auditstream config show",
    "config check": "auditstream config check",
}
"""One of each command, by its words."""


def add_examples(app: typer.Typer) -> None:
    """End the help of every command with its example."""
    _add(app, "")


def _add(app: typer.Typer, before: str) -> None:
    for command in app.registered_commands:
        assert command.callback is not None
        name = command.name or command.callback.__name__.replace("_", "-")
        command.epilog = _epilog(f"{before}{name}") or command.epilog
    for group in app.registered_groups:
        inside = group.typer_instance
        if inside is not None:
            name = next(each for each in (group.name, inside.info.name) if isinstance(each, str))
            group.epilog = _epilog(f"{before}{name}") or group.epilog
            _add(inside, f"{before}{name} ")


def _epilog(name: str) -> str | None:
    return f"Example: {EXAMPLES[name]}" if name in EXAMPLES else None
