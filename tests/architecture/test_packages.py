"""Importing a package costs nothing: what is heavy is imported by the module that needs it."""

from __future__ import annotations

import pkgutil
import subprocess
import sys

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
