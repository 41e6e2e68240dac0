"""The engine's roles are written so that no database name can say more than its name."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

from auditstream.embedded.clickhouse_grants import engine_role, write_config


def grants(folder: Path, role: str) -> list[str]:
    """Return the grants of a role in the written file."""
    found = ET.parse(folder / "users.xml").findall(f"./roles/{role}/grants/query")
    return [each.text or "" for each in found]


def test_the_configuration_names_the_users_file(tmp_path: Path) -> None:
    config = write_config(tmp_path, ["default"])

    assert ET.parse(config).findtext("users_config") == str(tmp_path / "users.xml")


def test_readers_select_and_writers_insert_in_the_products_databases_only(tmp_path: Path) -> None:
    write_config(tmp_path, ["default", "audit"])
    reads = [f"GRANT SELECT, SHOW, dictGet ON `{name}`.*" for name in ("default", "audit")]

    assert grants(tmp_path, engine_role("reader")) == reads
    assert grants(tmp_path, engine_role("writer")) == [
        *reads,
        "GRANT INSERT ON `default`.*",
        "GRANT INSERT ON `audit`.*",
    ]


def test_a_sealer_inserts_checkpoints_and_findings_only(tmp_path: Path) -> None:
    write_config(tmp_path, ["default"])

    assert grants(tmp_path, engine_role("sealer")) == [
        "GRANT SELECT, SHOW, dictGet ON `default`.*",
        "GRANT INSERT ON `default`.`checkpoints`",
        "GRANT INSERT ON `default`.`findings`",
    ]


def test_the_only_user_holds_nothing_but_the_roles(tmp_path: Path) -> None:
    write_config(tmp_path, ["default"])
    users = ET.parse(tmp_path / "users.xml").findall("./users/*")

    assert [user.tag for user in users] == ["default"]
    assert [each.text for each in users[0].findall("./grants/query")] == [
        "GRANT auditstream_owner",
        "GRANT auditstream_writer",
        "GRANT auditstream_sealer",
        "GRANT auditstream_reader",
    ]


def test_a_hostile_name_stays_a_name(tmp_path: Path) -> None:
    write_config(tmp_path, ["a`.* TO x; GRANT ALL ON *.* </query>\\"])

    (reads,) = grants(tmp_path, engine_role("reader"))

    assert reads == "GRANT SELECT, SHOW, dictGet ON `a\\`.* TO x; GRANT ALL ON *.* </query>\\\\`.*"
