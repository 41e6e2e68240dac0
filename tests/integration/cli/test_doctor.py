"""What doctor finds where nothing answers."""

from __future__ import annotations

from pathlib import Path

from auditstream.cli.checkup import findings
from auditstream.cli.running import Deployment
from auditstream.core.settings import ClickHouseSettings, KafkaSettings, RegistrySettings, Settings
from auditstream.embedded.loopback_ports import free_port


def test_what_is_away_or_set_up_wrong_is_a_finding_and_what_depends_on_it_is_left_out(tmp_path: Path) -> None:
    settings = Settings(  # type: ignore[call-arg]
        kafka=KafkaSettings(
            brokers=f"127.0.0.1:{free_port()}", security="ssl", ca_file=tmp_path / "none.pem"
        ),
        registry=RegistrySettings(url=f"http://127.0.0.1:{free_port()}", timeout_s=1),
        clickhouse=ClickHouseSettings(port=free_port(), timeout_s=1),
    )

    found = {each.check: each for each in findings(Deployment(settings))}

    assert {name: each.state for name, each in found.items()} == {
        "settings": "ok",
        "lease": "ok",
        "kafka": "failed",
        "registry": "failed",
        "clickhouse": "failed",
    }
    assert all(each.advice for each in found.values() if each.state == "failed")
