"""The gateway of an embedded deployment: a watched process, and a key of its first tenant.

The key is kept in the data folder, readable by its owner only, so that a restart has the same one. No event
tells of it: whoever may read the folder may do everything anyway.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from auditstream.core.settings import Settings
from auditstream.embedded.answering import wait_until_answers
from auditstream.embedded.broker_choice import Say
from auditstream.embedded.kept_secret import keep, kept
from auditstream.embedded.loopback_ports import port_of
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
    listen = f"127.0.0.1:{port_of(port)}"
    folder = settings.data_dir
    key = deployment_key(store, folder / "gateway" / "key")
    settings = settings.model_copy(update={"gateway": settings.gateway.model_copy(update={"listen": listen})})
    with WatchedProcess(
        "gateway", ["gateway"], settings, folder=folder, log=folder / "gateway.log", say=say
    ) as process:
        url = f"http://{listen}"
        wait_until_answers(url, process)
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
        keep(path, key.secret)
        return key.secret
    finally:
        store.close()


def _kept_key(path: Path, snapshot: Snapshot, now: datetime) -> str:
    """Return the key of an earlier start while it counts."""
    key = kept(path)
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
