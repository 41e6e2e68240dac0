"""The settings of a single Kafka node: broker and controller in one process, on loopback, in one folder.

Paths are relative to the node's folder, which may then hold any characters and may be moved.
"""

from __future__ import annotations

import base64
import fcntl
import uuid
from collections.abc import Mapping
from pathlib import Path

LOG_FOLDER = "log"
PROPERTIES_FILE = "server.properties"

_FIXED: dict[str, str] = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "log.dirs": LOG_FOLDER,
    # There is one node, so that nothing can be kept twice.
    "default.replication.factor": "1",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    # Kafka's 50 partitions for each of these cost a second and 100 files at the first use.
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.num.partitions": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    # A misspelt topic is an error and not a new topic.
    "auto.create.topics.enable": "false",
    # Groups form at once, and may find out about a dead member within a second.
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "500",
    # A killed broker may register again only when its last registration has run out; Kafka waits for 9 s.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    # The cleaner's buffer is taken from the heap at start; Kafka's 128 MB is for millions of compacted keys.
    "log.cleaner.dedupe.buffer.size": "8388608",
    # Threads for one machine that is shared with the workers.
    "num.network.threads": "2",
    "num.io.threads": "4",
    "background.threads": "2",
}


def node_properties(port: int, controller_port: int, overrides: Mapping[str, str] = {}) -> str:
    """Return the text of `server.properties`.

    Args:
        port: Loopback port for clients.
        controller_port: Loopback port on which the broker part talks to the controller part.
        overrides: Settings of Kafka that take precedence over ours.
    """
    properties = {
        **_FIXED,
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "controller.quorum.voters": f"1@127.0.0.1:{controller_port}",
        **overrides,
    }
    return "".join(f"{name}={value}\n" for name, value in properties.items())


def new_cluster_id() -> str:
    """Return a random id in the form that Kafka prints: 16 bytes, base64 with the URL alphabet, unpadded."""
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode("ascii")


def cluster_id(folder: Path) -> str | None:
    """Return the id that the node's storage was formatted with, or None when it was not formatted."""
    try:
        lines = (folder / LOG_FOLDER / "meta.properties").read_text(encoding="ascii").splitlines()
    except FileNotFoundError:
        return None
    return dict(line.split("=", 1) for line in lines if "=" in line).get("cluster.id")


def is_in_use(folder: Path) -> bool:
    """Return whether a running node has locked the folder; Kafka itself takes 20 s to say so.

    Java's file locks are POSIX record locks, which `lockf` tests.
    """
    try:
        with (folder / LOG_FOLDER / ".lock").open("r+b") as file:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False
