"""The gateway of an embedded deployment: a watched process, and a key of its first tenant.

The key is kept in the data folder, readable by its owner only, so that a restart has the same one. No event
tells of it: whoever may read the folder may do everything anyway.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import urllib3

from auditstream.core.errors import RetryableError
from auditstream.core.settings import Settings
from auditstream.embedded.broker_choice import Say
from auditstream.embedded.loopback_ports import check_free, free_port
from auditstream.embedded.watched_process import WatchedProcess
from auditstream.emit.gateway_keys import create_key, keys_of
from auditstream.reference.gateway_secrets import credential_id_of, matches
from auditstream.reference.kinds import Entry
from auditstream.reference.owners import Credential, Tenant
from auditstream.reference.snapshot import Snapshot
from sinks.reference import ReferenceStore, connect_reference

DEFAULT_TENANT = "default"
"""Tenant of a deployment that was told of none."""

_ACTOR = "deployment"
_READY_S = 60.0
_POLL_S = 0.1
_FAILED_STARTS = 3


@dataclass(frozen=True, slots=True)
class GatewayPart:
    """A running gateway.

    Attributes:
        url: Where it answers.
        key: A key of the deployment's first tenant.
        process: Its process.
    """

    url: str
    key: str
    process: WatchedProcess


@contextmanager
def start_gateway(settings: Settings, *, port: int, store: Settings, say: Say) -> Iterator[GatewayPart]:
    """Run a gateway for the length of the block.

    Args:
        settings: Settings with the gateway's sign-in to the store.
        port: Where it listens; a free port when 0.
        store: Settings by which the key is written.
        say: Takes a line for a person; may be called from another thread.

    Raises:
        PortTakenError: The port is taken.
        RetryableError: It was not ready in time.
    """
    if port:
        check_free(port)
    listen = f"127.0.0.1:{port or free_port()}"
    folder = settings.data_dir
    key = deployment_key(store, folder / "gateway" / "key")
    settings = settings.model_copy(update={"gateway": settings.gateway.model_copy(update={"listen": listen})})
    with WatchedProcess(
        "gateway", ["gateway"], settings, folder=folder, log=folder / "gateway.log", say=say
    ) as process:
        url = f"http://{listen}"
        _wait_until_ready(url, process.log, lambda: process.deaths >= _FAILED_STARTS)
        yield GatewayPart(url, key, process)


def deployment_key(settings: Settings, path: Path) -> str:
    """Return a key of the deployment's first tenant, which is made where there is none.

    Args:
        settings: Settings with a sign-in that may write reference data.
        path: Where the key is kept.

    Raises:
        RetryableError: No answer from the store.
    """
    store = connect_reference(settings.clickhouse)
    try:
        now = datetime.now(UTC)
        snapshot = store.load(store.newest())
        kept = _kept_key(path, snapshot, now)
        if kept:
            return kept
        tenant = _first_tenant(store, snapshot, now)
        key = create_key(
            store, tenant=tenant, name="embedded deployment", actor=_ACTOR, now=now, announce=None
        )
        _keep(path, key.secret)
        return key.secret
    finally:
        store.close()


def _kept_key(path: Path, snapshot: Snapshot, now: datetime) -> str:
    """Return the key of an earlier start while it counts."""
    try:
        key = path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""
    known: dict[str, Credential] = {each.credential_id: each for each in keys_of(snapshot, now=now)}
    credential = known.get(credential_id_of(key) or "")
    counts = credential is not None and credential.active and matches(key, credential.secret_hash)
    return key if counts else ""


def _first_tenant(store: ReferenceStore, snapshot: Snapshot, now: datetime) -> str:
    rows = snapshot.intervals("tenant").to_dicts()
    open_ = {
        row["tenant_id"]
        for row in rows
        if row["active"] and row["valid_from"] <= now and (row["valid_to"] is None or now < row["valid_to"])
    }
    if open_:
        return str(min(open_))
    # A little earlier than the key, which asks for a tenant that holds.
    since = now - timedelta(days=1)
    tenant = Tenant(tenant_id=DEFAULT_TENANT, name="Default", valid_from=since)
    store.append([Entry(tenant, _ACTOR)], base=snapshot.revision, actor=_ACTOR)
    return DEFAULT_TENANT


def _keep(path: Path, key: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(key + "\n")


def _wait_until_ready(url: str, log: Path, is_hopeless: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _READY_S
    with urllib3.PoolManager(retries=False, timeout=5.0) as pool:
        while True:
            with suppress(urllib3.exceptions.HTTPError):
                if pool.request("GET", f"{url}/readyz").status == 200:
                    return
            if is_hopeless() or time.monotonic() > deadline:
                raise RetryableError("the gateway is not ready", hint=f"See {log}.")
            time.sleep(_POLL_S)
