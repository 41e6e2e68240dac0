"""The deployment by containers: what its files must keep, read without an engine."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import yaml

from auditstream.core import settings as core_settings
from auditstream.core.settings import Settings
from sinks.grants import grants
from tests.support.arguments import command_of

ROOT = Path(__file__).parents[3]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
NAMES = sorted(SERVICES)
ENV_EXAMPLE = (ROOT / "deploy/env.example").read_text(encoding="utf-8")
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
_SECRET = re.compile(r"password|secret|token|credential", re.IGNORECASE)
_VARIABLE = re.compile(r"\$\{(\w+)(:\?[^}]*|:-[^}]*)?\}")


def waits_for(name: str) -> dict[str, str]:
    return {other: how["condition"] for other, how in SERVICES[name].get("depends_on", {}).items()}


def is_one_shot(name: str) -> bool:
    return SERVICES[name].get("restart") == "no"


def test_the_parts_of_a_deployment_are_there() -> None:
    assert {
        "kafka",
        "registry",
        "clickhouse",
        "migrate",
        "worker",
        "gateway",
        "seal",
        "witness",
        "api",
    } <= set(SERVICES)
    assert SERVICES["worker"]["deploy"]["replicas"] == 2
    assert SERVICES["kafka"]["image"] == "apache/kafka:4.3.0"


@pytest.mark.parametrize("name", NAMES)
def test_a_service_has_a_health_check_or_ends(name: str) -> None:
    if is_one_shot(name):
        assert "healthcheck" not in SERVICES[name]
    else:
        assert SERVICES[name]["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}


@pytest.mark.parametrize("name", NAMES)
def test_a_service_waits_for_what_is_healthy_or_done(name: str) -> None:
    for other, condition in waits_for(name).items():
        expected = "service_completed_successfully" if is_one_shot(other) else "service_healthy"
        assert condition == expected


def before(*names: str) -> set[str]:
    """Return services, and all that start before them."""
    waiting, found = list(names), set[str]()
    while waiting:
        name = waiting.pop()
        found.add(name)
        waiting += [other for other in waits_for(name) if other not in found]
    return found


def test_workers_start_after_tables_roles_topics_and_contract() -> None:
    assert before("worker") >= {"kafka-setup", "contract", "migrate", "clickhouse-users"}


def test_the_sealer_starts_after_its_key_its_witness_and_its_user() -> None:
    assert before("seal") >= {"seal-keys", "witness", "clickhouse-users"}
    assert before("worker", "gateway", "api") == set(SERVICES)


def test_the_witness_sees_what_is_published_and_no_secret_of_the_sealer() -> None:
    mounted = {
        name: {volume.split(":", 1)[0] for volume in SERVICES[name]["volumes"]}
        for name in ("seal", "witness")
    }

    assert "seal-data" not in mounted["witness"]
    assert "witness-data" not in mounted["seal"]
    assert "evidence-data:/evidence:ro" in SERVICES["witness"]["volumes"]


@pytest.mark.parametrize(("name", "path"), [("seal", "/metrics"), ("witness", "/healthz")])
def test_sealer_and_witness_answer_their_health_checks(
    name: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = settings_of(name, monkeypatch).evidence.metrics_port if name == "seal" else 9475

    assert f"http://127.0.0.1:{port}{path}" in SERVICES[name]["healthcheck"]["test"][-1]


@pytest.mark.parametrize("name", NAMES)
def test_ports_are_on_loopback_only(name: str) -> None:
    assert all(str(port).startswith("127.0.0.1:") for port in SERVICES[name].get("ports", ()))
    assert SERVICES[name].get("network_mode") is None


@pytest.mark.parametrize("name", NAMES)
def test_images_are_pinned_by_tag(name: str) -> None:
    image, _, tag = SERVICES[name]["image"].partition(":")
    assert tag not in {"", "latest"}, image
    assert "build" in SERVICES[name] or re.match(r"\d+\.\d", tag)


@pytest.mark.parametrize("name", ["kafka", "clickhouse", "gateway", "worker", "seal", "witness"])
def test_what_must_outlive_a_container_is_on_a_named_volume(name: str) -> None:
    sources = [str(volume).split(":", 1)[0] for volume in SERVICES[name]["volumes"]]
    assert set(sources) & set(COMPOSE["volumes"])


@pytest.mark.parametrize("name", NAMES)
def test_mounted_files_exist_and_are_read_only(name: str) -> None:
    for volume in SERVICES[name].get("volumes", ()):
        if volume.startswith("./"):
            source, _, mode = volume.split(":")
            assert (ROOT / source).exists()
            assert mode == "ro"


@pytest.mark.parametrize("name", NAMES)
def test_secrets_come_from_variables_that_must_be_given(name: str) -> None:
    for setting, value in SERVICES[name].get("environment", {}).items():
        for variable, default in _VARIABLE.findall(str(value)):
            if _SECRET.search(variable):
                assert default.startswith(":?"), variable
        if _SECRET.search(setting):
            assert re.fullmatch(r"\$\{\w+:\?[^}]*\}", str(value)), setting
        for quoted in re.findall(r'(?:password|user_\w+)="([^"]*)"', str(value)):
            assert re.fullmatch(r"\$\{\w+:\?[^}]*\}", quoted), setting


def test_every_variable_is_in_the_example_and_no_secret_has_a_value_there() -> None:
    used = {variable for variable, _ in _VARIABLE.findall((ROOT / "docker-compose.yml").read_text("utf-8"))}
    shown = dict(re.findall(r"^#?([A-Z_]+)=(.*)$", ENV_EXAMPLE, re.MULTILINE))

    assert used - {"AUDITSTREAM_VERSION"} == set(shown)
    assert [name for name, value in shown.items() if _SECRET.search(name) and value] == []


OURS = [name for name in NAMES if str(SERVICES[name]["image"]).startswith("auditstream:")]


def settings_of(
    name: str, monkeypatch: pytest.MonkeyPatch, given: Mapping[str, str] = MappingProxyType({})
) -> Settings:
    """Return the settings of a service of ours, as it would read them with some variables given."""
    monkeypatch.delenv("AUDITSTREAM_TEST_SHARED_DATA", raising=False)

    def value(variable: re.Match[str]) -> str:
        default = variable[2] or ""
        return given.get(variable[1], default.removeprefix(":-") if default.startswith(":-") else "secret")

    for setting, text in SERVICES[name]["environment"].items():
        monkeypatch.setenv(setting, _VARIABLE.sub(value, str(text)))
    return core_settings.load()


def test_the_services_of_ours_are_the_ones_that_run_the_image() -> None:
    assert {"contract", "migrate", "worker"} <= set(OURS)


@pytest.mark.parametrize("name", OURS)
def test_a_command_is_one_of_the_products(name: str) -> None:
    assert "entrypoint" not in SERVICES[name]
    assert command_of(SERVICES[name]["command"])


@pytest.mark.parametrize("name", OURS)
def test_every_variable_of_a_container_of_ours_is_a_setting(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    variables = SERVICES[name]["environment"]

    settings = settings_of(name, monkeypatch)

    assert all(variable.startswith(core_settings.PREFIX) for variable in variables)
    assert settings.kafka.security == "sasl_plaintext"
    assert settings.kafka.password.get_secret_value() == "secret"
    assert settings.kafka.direct_topics == ()
    assert settings.clickhouse.database == "audit"


def test_workers_take_claims_for_stamped_and_answer_the_health_check(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_of("worker", monkeypatch)

    assert settings.kafka.claims_are_stamped
    assert f":{settings.worker.metrics_port}/metrics" in SERVICES["worker"]["healthcheck"]["test"][-1]


def test_the_gateway_signs_in_as_one_that_may_write_events_and_read_keys_and_receipts_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = settings_of("gateway", monkeypatch)
    script = (ROOT / "deploy/clickhouse/users.sh").read_text(encoding="utf-8")
    rights = [each for each in grants("audit") if each.endswith("TO audit_gateway")]

    assert (settings.kafka.username, settings.clickhouse.user) == ("gateway", "gateway")
    assert 'statement gateway "$GATEWAY_PASSWORD" audit_gateway default' in script
    assert {each.split()[3] for each in rights} == {
        f"`audit`.{table}" for table in ("tenants", "credentials", "reference_revisions", "receipts")
    }
    assert all(each.startswith("GRANT SELECT ON") for each in rights)
    assert (
        f":{settings.gateway.listen.rpartition(':')[2]}/readyz"
        in (SERVICES["gateway"]["healthcheck"]["test"][-1])
    )


def test_the_api_signs_in_by_its_own_role_and_answers_the_health_check(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = settings_of("api", monkeypatch)
    script = (ROOT / "deploy/clickhouse/users.sh").read_text(encoding="utf-8")

    assert (settings.kafka.username, settings.clickhouse.user) == ("api", "api")
    assert 'statement api "$API_PASSWORD" audit_api default' in script
    assert "evidence-data:/evidence:ro" in SERVICES["api"]["volumes"]
    assert f":{settings.api.listen.rpartition(':')[2]}/readyz" in SERVICES["api"]["healthcheck"]["test"][-1]


def test_the_example_names_the_topics_of_the_tenants_that_it_names(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = dict(re.findall(r"^#?([A-Z_]+)=(.*)$", ENV_EXAMPLE, re.MULTILINE))

    settings = settings_of("worker", monkeypatch, shown)

    tenants = shown["DIRECT_TENANTS"].split(",")
    assert list(settings.kafka.direct_topics) == [f"audit.direct.{tenant}.v1" for tenant in tenants]


def test_roles_come_before_the_users_that_have_them() -> None:
    script = (ROOT / "deploy/clickhouse/users.sh").read_text(encoding="utf-8")
    lists = re.findall(r"^ +statement \w+ \S+ ([\w,]+)", script, re.MULTILINE)
    granted = {role for roles in lists for role in roles.split(",")}
    created = {each.split()[-1] for each in grants("audit") if each.startswith("CREATE ROLE")}

    assert granted <= created
    assert "--grants" in SERVICES["migrate"]["command"]
    assert "migrate" in waits_for("clickhouse-users")


def test_only_gateways_operators_and_the_api_may_write_the_topic_of_events(tmp_path: Path) -> None:
    rights = given_rights(tmp_path)

    writers = {
        user for user, operation, topic in rights if (operation, topic) == ("Write", "audit.events.v1")
    }
    assert writers == {"gateway", "operator", "api"}
    assert ("tenant-acme", "Write", "audit.direct.acme.v1") in rights
    assert {user for user, operation, topic in rights if operation == "Write" and ".direct." in topic} == {
        "tenant-acme"
    }
    assert not [each for each in rights if "*" in each]


def given_rights(folder: Path) -> set[tuple[str, str, str]]:
    """Return user, operation and topic of each right that the set-up asks Kafka's programs for."""
    given = folder / "given"
    for name in ("kafka-topics.sh", "kafka-acls.sh"):
        program = folder / name
        program.write_text(f'#!/bin/sh\necho "$@" >> "{given}"\n')
        program.chmod(0o755)
    environment = {"KAFKA_BIN": str(folder), "KAFKA_ADMIN_PASSWORD": "0123456789abcdef"}
    environment |= {"BOOTSTRAP": "kafka:9092", "DIRECT_TENANTS": "acme", "PATH": os.environ["PATH"]}
    subprocess.run(["sh", ROOT / "deploy/kafka/setup.sh"], env=environment, check=True, capture_output=True)

    rights: set[tuple[str, str, str]] = set()
    for line in given.read_text(encoding="utf-8").splitlines():
        users, operations, topics = (
            re.findall(rf"--{option}(\S+)", line)
            for option in ("allow-principal User:", "operation ", "topic ")
        )
        rights |= set(product(users, operations, topics))
    return rights


@pytest.mark.parametrize("script", ["kafka/setup.sh", "kafka/admin-properties.sh", "clickhouse/users.sh"])
def test_scripts_are_shell(script: str) -> None:
    checked = subprocess.run(["sh", "-n", ROOT / "deploy" / script], capture_output=True, text=True)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_the_topics_are_those_of_the_product() -> None:
    from auditstream.core.settings import KafkaSettings
    from auditstream.embedded.topics import product_topics

    script = (ROOT / "deploy/kafka/setup.sh").read_text(encoding="utf-8")
    for spec in product_topics(KafkaSettings()):
        line = next(
            line for line in script.splitlines() if re.match(rf"(topic|events_log) {spec.name}\b", line)
        )
        if line.startswith("events_log"):
            line = next(line for line in script.splitlines() if 'topic "$1"' in line)
        assert dict(re.findall(r"([a-z.]+)=(\S+)", line)) == dict(spec.config), spec.name


def test_only_the_migrator_may_connect_before_the_migrations() -> None:
    users = ET.parse(ROOT / "deploy/clickhouse/users.xml").getroot().find("users")
    ET.parse(ROOT / "deploy/clickhouse/server.xml")

    assert users is not None
    assert {user.tag: dict(user.attrib) for user in users} == {
        "default": {"remove": "remove"},
        "migrator": {},
    }
    password = users.find("migrator/password")
    assert password is not None
    assert password.attrib == {"from_env": "CLICKHOUSE_MIGRATOR_PASSWORD"}
    assert not password.text


def test_the_image_is_built_from_the_lock_by_hash_and_runs_as_nobody() -> None:
    stages = DOCKERFILE.split("\nFROM ")
    lines = [line.split() for line in stages[-1].splitlines()]

    assert len(stages) == 3
    assert "--require-hashes" in stages[1]
    assert ["USER", "10001"] in lines
    assert lines.index(["USER", "10001"]) < lines.index(["ENTRYPOINT", '["auditstream"]'])


def test_the_image_has_every_package_of_the_wheel() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    context = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()

    for package in packages:
        assert f"COPY {package} {package}" in DOCKERFILE
        assert f"!{package}" in context
