"""Importing a package costs nothing: what is heavy is imported by the module that needs it."""

from __future__ import annotations

import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import auditstream
import schemas
import sinks
import streams

HEAVY = {
    "aiohttp",
    "aiokafka",
    "chdb",
    "clickhouse_connect",
    "confluent_kafka",
    "fastavro",
    "faust",
    "numpy",
    "polars",
    "pyarrow",
    "pydantic",
}


def packages() -> list[str]:
    roots = [auditstream, schemas, sinks, streams]
    found = [root.__name__ for root in roots]
    for root in roots:
        found += [
            module.name
            for module in pkgutil.walk_packages(root.__path__, f"{root.__name__}.", onerror=print)
            if module.ispkg
        ]
    return sorted(found)


@pytest.mark.parametrize("package", packages())
def test_the_package_itself_imports_nothing_heavy(package):
    script = f"import sys, {package}; print(*{{name.split('.')[0] for name in sys.modules}})"

    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )

    assert set(done.stdout.split()) & HEAVY == set()


def test_only_the_worker_loads_faust():
    modules = [
        module.name
        for module in pkgutil.walk_packages(auditstream.__path__, "auditstream.", onerror=print)
        if not module.ispkg
    ]
    # What commands import when they run, of the room that has the worker.
    script = f"import sys, streams.kafka_security, {', '.join(modules)}; print(*sys.modules)"

    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )

    assert {"auditstream.emit.kafka_way", "auditstream.cli.emit"} <= set(done.stdout.split())
    assert {"faust", "aiokafka"} & set(done.stdout.split()) == set()


def test_commands_import_nothing_of_streams_but_how_to_reach_kafka():
    folder = Path(auditstream.__path__[0])
    # The other makes the messages that carry findings, as the worker does.
    allowed = {"streams.kafka_security", "streams.recording.outlets"}
    # The worker is one, the gateway another; who makes rows anew, to compare them, records as it does,
    # and who prices them anew prices as it does. Watches over usage, detection and notices run beside the
    # worker.
    beside = {"usage_watching.py", "detecting.py", "notifying.py"}
    recording = {"worker.py", "gateway.py", "rerecording.py", "reprice.py", *beside}
    named = {
        (path.name, module)
        for path in folder.rglob("*.py")
        for module in re.findall(
            r"^\s*(?:from|import) (streams[\w.]*)", path.read_text("utf-8"), re.MULTILINE
        )
    }

    assert {each for each in named if each[1] not in allowed and each[0] not in recording} == set()
