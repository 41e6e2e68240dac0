"""`runtime.json`: where the parts of a running deployment answer, and with which secrets.

The file is there exactly while the deployment is ready. Only its owner may read it.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

FILE_NAME = "runtime.json"


@dataclass(frozen=True, slots=True)
class Account:
    """Who to sign in as.

    Attributes:
        user: Name.
        password: Token.
    """

    user: str
    password: str


@dataclass(frozen=True, slots=True)
class RuntimeClickHouse:
    """The running ClickHouse.

    Attributes:
        host: Always a loopback address.
        port: HTTP port.
        user: The owner.
        password: The owner's token.
        database: Database with the product's tables.
        path: Data path of the engine.
        analyst: An account that may only read.
    """

    host: str
    port: int
    user: str
    password: str
    database: str
    path: str
    analyst: Account


@dataclass(frozen=True, slots=True)
class RuntimeEvidence:
    """Where the evidence is, and by whose word it counts; see `EvidenceSettings`.

    Attributes:
        host: First part of every origin.
        deployment: Second part.
        store: What is published.
        state: What was signed last.
        key_file: The deployment's secret.
        policy_file: Witnesses and quorum.
        witness_url: Where the deployment's own witness answers; empty without one.
    """

    host: str
    deployment: str
    store: str
    state: str
    key_file: str
    policy_file: str
    witness_url: str = ""


@dataclass(frozen=True, slots=True)
class Runtime:
    """A running deployment; what it does not have is empty.

    Attributes:
        pid: Process that owns all parts.
        kafka: Bootstrap brokers, comma-separated host:port pairs.
        registry_url: Base URL of the schema registry.
        clickhouse: The store.
        gateway_url: Base URL of the HTTP gateway.
        gateway_key: A key of the first tenant for it.
        api_url: Base URL of the query API.
        console_url: The console's first page.
        api_token: Token for both.
        evidence: Where the evidence is.
    """

    pid: int
    kafka: str
    registry_url: str
    clickhouse: RuntimeClickHouse
    gateway_url: str = ""
    gateway_key: str = ""
    api_url: str = ""
    console_url: str = ""
    api_token: str = ""
    evidence: RuntimeEvidence | None = None


def write_runtime(data_dir: Path, runtime: Runtime) -> None:
    """Put the file into place: a reader sees all of it or none, and nobody else sees any.

    Raises:
        OSError: The folder cannot be written.
    """
    partial = data_dir / f"{FILE_NAME}.partial"
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(asdict(runtime), file, indent=2)
        file.write("\n")
    partial.replace(data_dir / FILE_NAME)


def remove_runtime(data_dir: Path) -> None:
    """Take the file away, if it is there."""
    (data_dir / FILE_NAME).unlink(missing_ok=True)
