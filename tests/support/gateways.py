"""A gateway in this process: the real application over a producer that keeps what it is given."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import fastavro
import httpx2

from auditstream.core.clock import Clock, ManualClock
from auditstream.core.errors import RetryableError, SchemaError
from auditstream.core.metrics import Metrics
from auditstream.core.ports import Outbound, Placed
from auditstream.core.settings import GatewaySettings
from auditstream.emit.message import Route
from auditstream.gateway.app import Application, Parts, new_app
from auditstream.gateway.batch_queue import BatchQueue, Told
from auditstream.gateway.credentials import Credentials
from auditstream.gateway.problems import STATUSES
from auditstream.gateway.receipts_endpoint import FindRecorded
from auditstream.gateway.sign_ins import SignIns
from auditstream.identity.keyring_file import KeyringFile
from auditstream.identity.keys import Keys
from auditstream.identity.master_key import MasterKey
from auditstream.reference.fact import Fact
from auditstream.reference.gateway_secrets import hash_of, new_key
from auditstream.reference.owners import Credential, Tenant
from auditstream.reference.snapshot import Snapshot
from schemas.framing import SchemaRef
from schemas.packaged import parsed_schema, schema_text
from schemas.registry_client import RegisteredSchema
from tests.support.facts import snapshot_of

ROUTE = Route("audit.events.v1", 7, "http://registry/schemas/ids/7")
NOW_S = datetime(2026, 3, 1, 12, 31, tzinfo=UTC).timestamp()
SINCE = datetime(2025, 1, 1, tzinfo=UTC)
ACME, GLOBEX = "acme", "globex"


ID = "0197f3a0-1c2b-7d4e-8f00-123456789abc"
NDJSON = "application/x-ndjson"


def event(**changes: Any) -> dict[str, Any]:
    """Return the smallest event as JSON has it, with changes."""
    return {
        "event_id": ID,
        "event_type": "ai.inference",
        "event_time": "2026-03-01T12:30:15.123456Z",
        "source": "svc://checkout",
    } | changes


def text(*events: Any) -> bytes:
    """Return one event, or an array of several, as a body."""
    return json.dumps(events[0] if len(events) == 1 else events).encode()


def lines(*events: Any) -> bytes:
    """Return events as NDJSON."""
    return b"\n".join(json.dumps(each).encode() for each in events)


def id_(number: int) -> str:
    """Return an event id."""
    return f"0197f3a0-1c2b-7d4e-8f00-{number:012x}"


def problem(response: httpx2.Response, status: int, code: str) -> dict[str, Any]:
    """Return a problem after a look at its shape."""
    assert (response.status_code, response.json().get("code")) == (status, code), response.text
    assert response.headers["content-type"] == "application/problem+json"
    found: dict[str, Any] = response.json()
    assert found["type"] == f"urn:auditstream:problem:{code}"
    assert found["status"] == status == STATUSES[code]
    assert isinstance(found["title"], str)
    assert found["detail"]
    return found


class KeptMessages:
    """A producer that keeps messages; `away` lets it acknowledge none, `deaf` none of some partitions."""

    def __init__(self) -> None:
        self.messages: list[Outbound] = []
        self.away = False
        self.unacknowledged: set[int] = set()
        self.gate: asyncio.Event | None = None
        self.waiting = 0
        self._loop: asyncio.AbstractEventLoop | None = None

    async def send(
        self, messages: Sequence[Outbound], *, within_s: float, patiently: bool = False
    ) -> list[Placed | None]:
        """Keep messages on one partition."""
        if self.gate is not None:
            self._loop = asyncio.get_running_loop()
            self.waiting += 1
            try:
                await asyncio.wait_for(self.gate.wait(), within_s)
            except TimeoutError:
                raise RetryableError("Kafka did not acknowledge") from None
        if self.away:
            raise RetryableError("Kafka did not acknowledge")
        placed: list[Placed | None] = []
        for number, message in enumerate(messages):
            if number in self.unacknowledged:
                placed.append(None)
                continue
            placed.append(Placed(message.topic, 0, len(self.messages)))
            self.messages.append(message)
        return placed

    def send_now(self, messages: Sequence[Outbound], *, within_s: float, told: Told) -> bool:
        """Keep messages, and tell of each by itself; behind a gate nothing is sent without waiting."""
        if self.gate is not None:
            return False
        loop = asyncio.get_running_loop()
        for number, message in enumerate(messages):
            if self.away or number in self.unacknowledged:
                loop.call_soon(told, [number], RetryableError("Kafka did not acknowledge"))
                continue
            loop.call_soon(told, [number], [Placed(message.topic, 0, len(self.messages))])
            self.messages.append(message)
        return True

    def open(self) -> None:
        """Let everybody through, from any thread."""
        assert self.gate is not None
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self.gate.set)

    def events(self) -> list[dict[str, Any]]:
        """Return what was kept, decoded."""
        return [decoded(message) for message in self.messages]


def decoded(message: Outbound) -> dict[str, Any]:
    """Return the datum of a message."""
    assert message.value is not None
    found = fastavro.schemaless_reader(io.BytesIO(message.value[5:]), parsed_schema("audit_event"), None)
    assert isinstance(found, dict)
    return found


class OneSchema:
    """A registry that has the packaged schema under id 7."""

    async def fetch(self, ref: SchemaRef) -> RegisteredSchema:
        """Return it."""
        if ref != ROUTE.schema_id:
            raise SchemaError(f"schema {ref} is not in the registry")
        return RegisteredSchema(schema_text("audit_event"), id=7)


class Facts:
    """A store of reference data that tests write; `away` lets it not answer."""

    def __init__(self, facts: Iterable[Fact]) -> None:
        self._revisions: list[list[Fact]] = [list(facts)]
        self.away = False

    def state(self, *facts: Fact) -> None:
        """Write facts as a new revision."""
        self._revisions.append(list(facts))

    def newest(self) -> int:
        """Return the number of revisions."""
        if self.away:
            raise RetryableError("no answer")
        return len(self._revisions)

    def load(self, revision: int, *, kinds: Iterable[str]) -> Snapshot:
        """Return the facts up to a revision."""
        return snapshot_of(dict(enumerate(self._revisions[:revision], start=1)))


@dataclass(slots=True)
class TestGateway:
    """A gateway and what it stands on.

    Attributes:
        client: Calls it; sends the key of tenant acme.
        producer: What it sent.
        facts: Its reference data.
        credentials: What it knows of them.
        clock: Its clock.
        metrics: What it counted.
        queue: Its queue.
        sign_ins: What it notes of callers.
        app: The application.
        settings: Its settings.
        keys: A key by tenant.
    """

    __test__ = False

    client: httpx2.AsyncClient
    producer: KeptMessages
    facts: Facts
    credentials: Credentials
    clock: ManualClock
    metrics: Metrics
    queue: BatchQueue
    sign_ins: SignIns
    app: Application
    settings: GatewaySettings
    keys: dict[str, str] = field(default_factory=dict)

    async def post(
        self, content: bytes, content_type: str = "application/json", **more: Any
    ) -> httpx2.Response:
        """Post to /v1/events."""
        headers = {"content-type": content_type} | more.pop("headers", {})
        return await self.client.post("/v1/events", content=content, headers=headers, **more)


def key_facts(**labels: str) -> tuple[list[Fact], dict[str, str]]:
    """Return two tenants with a credential each, and their keys."""
    facts: list[Fact] = []
    keys = {}
    for tenant in (ACME, GLOBEX):
        keys[tenant] = new_key(f"{tenant}-1")
        facts += [
            Tenant(tenant_id=tenant, name=tenant, labels=labels, valid_from=SINCE),
            Credential(
                credential_id=f"{tenant}-1",
                tenant_id=tenant,
                kind="gateway",
                secret_hash=hash_of(keys[tenant]),
                valid_from=SINCE,
            ),
        ]
    return facts, keys


@asynccontextmanager
async def gateway(
    settings: GatewaySettings | None = None,
    *,
    known: bool = True,
    labels: dict[str, str] | None = None,
    find_recorded: FindRecorded | None = None,
) -> AsyncIterator[TestGateway]:
    """Run a gateway for the length of the block."""
    settings = settings or GatewaySettings()
    clock = ManualClock(NOW_S)
    stated, keys = key_facts(**(labels or {}))
    facts = Facts(stated)
    credentials = Credentials(facts, every_s=1.0, clock=clock)
    if known:
        credentials.refresh()
    producer, metrics = KeptMessages(), Metrics()
    queue = BatchQueue(producer, most_bytes=settings.queue_bytes, within_s=settings.within_s)
    sign_ins = SignIns("test", clock)
    with TemporaryDirectory() as folder:
        master = MasterKey(bytes(32))
        ring = KeyringFile(Path(folder) / "keyring.sqlite", master)
        parts = parts_of(
            settings,
            credentials,
            producer,
            queue,
            sign_ins,
            metrics,
            clock,
            keys=Keys(master, ring),
            find_recorded=find_recorded,
        )
        app = new_app(parts)
        queue.start()
        transport = httpx2.ASGITransport(app=app, raise_app_exceptions=True, client=("192.0.2.77", 1234))
        headers = {"authorization": f"Bearer {keys[ACME]}"}
        try:
            async with httpx2.AsyncClient(
                transport=transport, base_url="http://gateway", headers=headers
            ) as client:
                yield TestGateway(
                    client=client,
                    producer=producer,
                    facts=facts,
                    credentials=credentials,
                    clock=clock,
                    metrics=metrics,
                    queue=queue,
                    sign_ins=sign_ins,
                    app=app,
                    settings=settings,
                    keys=keys,
                )
        finally:
            if producer.gate is not None:
                producer.gate.set()
            producer.away = False
            await queue.stop(within_s=5)
            ring.close()


def parts_of(
    settings: GatewaySettings,
    credentials: Credentials,
    producer: KeptMessages,
    queue: BatchQueue,
    sign_ins: SignIns,
    metrics: Metrics,
    clock: Clock,
    *,
    keys: Keys,
    find_recorded: FindRecorded | None = None,
) -> Parts:
    """Return the parts of a gateway over a producer that keeps messages."""
    return Parts(
        settings=settings,
        route=ROUTE,
        credentials=credentials,
        producer=producer,
        queue=queue,
        schemas=OneSchema(),
        keys=keys,
        sign_ins=sign_ins,
        metrics=metrics,
        find_recorded=find_recorded,
        is_ready=lambda: "" if credentials.is_known else "no credentials yet",
        clock=clock,
    )
