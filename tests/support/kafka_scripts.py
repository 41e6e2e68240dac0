"""Kafka's `kafka-topics.sh` and `kafka-acls.sh` for machines that have the broker's jars without the tools.

The options are those that `deploy/kafka/setup.sh` uses.
"""

from __future__ import annotations

import re
import sys
from itertools import product
from pathlib import Path

from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from auditstream.embedded.topics import TopicSpec, create_topics
from tests.support.forked_programs import ForkedPrograms

NAMES = ("kafka-topics.sh", "kafka-acls.sh")


def install(programs: ForkedPrograms, folder: Path) -> Path:
    """Write the programs into a new folder and return it."""
    folder.mkdir(parents=True)
    for name in NAMES:
        programs.write(name, __name__, name, folder=folder)
    return folder


def main() -> None:
    """Do what the program does that the first argument names."""
    program, *arguments = sys.argv[1:]
    given = _options(arguments)
    admin = AdminClient(_connection(given))
    if program == "kafka-topics.sh":
        config = dict(setting.split("=", 1) for setting in given.get("--config", ()))
        create_topics(admin, [TopicSpec(given["--topic"][0], int(given["--partitions"][0]), config)])
    else:
        for future in admin.create_acls(_bindings(given)).values():
            future.result(30)


def _bindings(given: dict[str, list[str]]) -> list[AclBinding]:
    if "--cluster" in given:
        kind, names = ResourceType.BROKER, ["kafka-cluster"]
    elif "--topic" in given:
        kind, names = ResourceType.TOPIC, given["--topic"]
    else:
        kind, names = ResourceType.GROUP, given["--group"]
    pattern = ResourcePatternType[given.get("--resource-pattern-type", ["literal"])[0].upper()]
    return [
        AclBinding(
            kind,
            name,
            pattern,
            principal,
            "*",
            AclOperation[re.sub(r"(?<!^)(?=[A-Z])", "_", operation).upper()],
            AclPermissionType.ALLOW,
        )
        for name, principal, operation in product(names, given["--allow-principal"], given["--operation"])
    ]


def _options(arguments: list[str]) -> dict[str, list[str]]:
    given: dict[str, list[str]] = {}
    name = ""
    for argument in arguments:
        if argument.startswith("--"):
            name = argument
            given.setdefault(name, [])
        else:
            given[name].append(argument)
    return given


def _connection(given: dict[str, list[str]]) -> dict[str, str]:
    text = Path(given["--command-config"][0]).read_text(encoding="utf-8")
    properties = dict(line.split("=", 1) for line in text.splitlines())
    user, password = (
        re.search(rf'\b{name}="([^"]*)"', properties["sasl.jaas.config"]) for name in ("username", "password")
    )
    assert user
    assert password
    return {
        "bootstrap.servers": given["--bootstrap-server"][0],
        "security.protocol": properties["security.protocol"].lower(),
        "sasl.mechanism": properties["sasl.mechanism"],
        "sasl.username": user[1],
        "sasl.password": password[1],
    }
