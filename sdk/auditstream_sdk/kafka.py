"""Batches straight to Kafka, without the gateway: to `audit.direct.<tenant>.v1`, framed Avro, acks=all.

For services that may write to Kafka: `AuditClient(url="kafka://broker:9092", tenant="acme", registry="http://…")`
with the extra `[kafka]`. Messages are those that the gateway would make: key, CloudEvents headers, framing,
partition. The broker's rights say which tenants' topics a service may write; nobody pseudonymises or judges
values on the way, so what breaks the contract becomes a dead letter.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

from auditstream_sdk.answers import Answer, Course, Outcome, Refusal, again
from auditstream_sdk.avro import MisfitError, datum_of, encoded
from auditstream_sdk.errors import SettingsError
from auditstream_sdk.recording import Receipt
from auditstream_sdk.records import Record
from auditstream_sdk.registry import NotRegisteredError, plain_url, schema_id
from auditstream_sdk.settings import Settings

_IDLE_S = 0.05
_GRACE_S = 1.0
"""librdkafka gives its verdict at the request's deadline; it is waited for a little longer."""

_NEVER_CLOSED: list[Any] = []
"""Producers of a parent process: closing one in a forked child waits for threads that are not there."""


@dataclass(frozen=True)
class Message:
    """An event as Kafka gets it.

    Attributes:
        key: Key.
        value: Framed Avro.
        headers: Headers, in order.
    """

    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]


def message_of(event: Mapping[str, Any], identifier: int, schema_uri: str) -> Message:
    """Return the message of an event of JSON.

    Args:
        event: The event.
        identifier: Id of the schema in the registry.
        schema_uri: URI of that schema.

    Raises:
        MisfitError: It is no event of the schema.
    """
    datum = datum_of(event)
    group = datum.get("conversation_id") or datum.get("trace_id") or datum["event_id"]
    key = f"{datum.get('tenant_id', '')}|{group}".encode()
    given = {
        "ce_specversion": "1.0",
        "ce_id": str(datum["event_id"]),
        "ce_source": datum["source"],
        "ce_type": f"io.auditstream.{datum['event_type']}.v1",
        "ce_time": datum["event_time"].isoformat().replace("+00:00", "Z"),
        "ce_dataschema": schema_uri,
    }
    if datum.get("conversation_id"):
        given["ce_subject"] = datum["conversation_id"]
    if datum.get("trace_id") and datum.get("span_id"):
        parent = f"00-{datum['trace_id']}-{datum['span_id']}-01"
        given.update(traceparent=parent, ce_traceparent=parent)
    headers = [("content-type", b"application/vnd.apache.avro")]
    headers += [(name, text.encode()) for name, text in given.items()]
    headers.append(("ce_partitionkey", key))
    return Message(key, b"\x00" + identifier.to_bytes(4, "big") + encoded(datum), headers)


class KafkaTransport:
    """Produces to a tenant's own topic.

    Args:
        settings: Brokers, tenant, registry, time-outs.

    Raises:
        SettingsError: The extra is not installed, or `kafka_config` cannot be read.
    """

    def __init__(self, settings: Settings) -> None:
        try:
            import confluent_kafka  # noqa: PLC0415  an extra's
        except ImportError:
            raise SettingsError(
                "url: kafka:// needs confluent-kafka", hint="pip install 'auditstream-sdk[kafka]'"
            ) from None
        self._kafka: Any = confluent_kafka
        self._settings = settings
        self._topic = f"audit.direct.{settings.tenant}.v1"
        self._config = {
            **_properties(settings.kafka_config),
            "bootstrap.servers": urlsplit(settings.url).netloc,
            "client.id": "auditstream-sdk",
            "acks": "all",
            "enable.idempotence": True,
            "compression.type": "zstd",
            # Java's, so that an event of any producer finds its conversation's partition.
            "partitioner": "murmur2_random",
            "delivery.timeout.ms": int(settings.request_timeout_s * 1000),
            "linger.ms": 0,
            "log_level": 2,
            "error_cb": lambda _: None,
        }
        self._producer: Any = None
        self._identifier: int | None = None

    def send(self, records: Sequence[Record], idle: Callable[[], None]) -> Answer:
        """Produce events and return what became of them."""
        try:
            if self._identifier is None:
                subject = f"{self._topic}-value"
                self._identifier = schema_id(
                    self._settings.registry, subject, self._settings.connect_timeout_s
                )
            if self._producer is None:
                self._producer = self._kafka.Producer(self._config)
        except NotRegisteredError as error:
            return Answer(Course.HELD, reason=Refusal("not_registered", str(error)))
        except OSError as error:
            return again("registry", f"{type(error).__name__}: {error}")
        except self._kafka.KafkaException as error:
            return Answer(Course.HELD, reason=Refusal("kafka_config", str(error)))
        return self._produced(records, self._identifier, idle)

    def _produced(self, records: Sequence[Record], identifier: int, idle: Callable[[], None]) -> Answer:
        outcomes: dict[int, Outcome] = {}
        failures: dict[int, Any] = {}
        uri = f"{plain_url(self._settings.registry)}/schemas/ids/{identifier}"
        deadline = monotonic() + self._settings.request_timeout_s + _GRACE_S
        for place, record in enumerate(records):
            try:
                message = message_of(json.loads(record.event), identifier, uri)
            except MisfitError as error:
                outcomes[place] = Refusal("contract", str(error), error.field)
                continue
            told = self._teller(place, record.event_id, message.value, outcomes, failures)
            while not self._enqueued(place, message, told, failures) and monotonic() < deadline:
                self._producer.poll(_IDLE_S)
        while len(outcomes) + len(failures) < len(records) and monotonic() < deadline:
            if not self._producer.poll(_IDLE_S):
                idle()
        return self._answer(outcomes, failures)

    def _enqueued(
        self, place: int, message: Message, told: Callable[..., None], failures: dict[int, Any]
    ) -> bool:
        try:
            self._producer.produce(
                self._topic, message.value, message.key, headers=message.headers, on_delivery=told
            )
        except BufferError:
            return False
        except self._kafka.KafkaException as error:
            failures[place] = error.args[0]
        return True

    def _teller(
        self,
        place: int,
        event_id: str,
        value: bytes,
        outcomes: dict[int, Outcome],
        failures: dict[int, Any],
    ) -> Callable[..., None]:
        def told(error: Any, message: Any) -> None:
            if error is not None:
                failures[place] = error
            else:
                outcomes[place] = Receipt(
                    event_id,
                    sha256(value).hexdigest(),
                    message.topic(),
                    message.partition(),
                    message.offset(),
                )

        return told

    def _answer(self, outcomes: dict[int, Outcome], failures: dict[int, Any]) -> Answer:
        codes = self._kafka.KafkaError
        for place, error in failures.items():
            if error.code() == codes.MSG_SIZE_TOO_LARGE:
                outcomes[place] = Refusal("too_large", "larger than the topic takes")
        if any(error.fatal() for error in failures.values()):
            self.close()  # an idempotent producer does not go on after that; another one does
        if outcomes or not failures:
            reason = Refusal("no_outcome", "no acknowledgement within the deadline")
            return Answer(Course.SETTLED, outcomes, reason)
        error = next(iter(failures.values()))
        if error.code() in {
            codes.TOPIC_AUTHORIZATION_FAILED,
            codes.SASL_AUTHENTICATION_FAILED,
            codes._AUTHENTICATION,
            codes.UNKNOWN_TOPIC_OR_PART,
            codes._UNKNOWN_TOPIC,
        }:
            return Answer(Course.HELD, reason=Refusal(error.name(), f"{self._topic}: {error.str()}"))
        return again(error.name(), error.str())

    def close(self) -> None:
        """Let go of the producer; what it had is sent again by another one."""
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.purge()
            producer.poll(0)

    def abandon(self) -> None:
        """Keep the parent's producer from being closed here."""
        if self._producer is not None:
            _NEVER_CLOSED.append(self._producer)
            self._producer = None


def _properties(path: str) -> dict[str, str]:
    """Return the lines `name=value` of a file of librdkafka's settings."""
    if not path:
        return {}
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise SettingsError(f"kafka_config: {path} cannot be read: {error.strerror}") from None
    found = {}
    for line in lines:
        text = line.strip()
        if text and not text.startswith("#"):
            name, equals, value = text.partition("=")
            if not equals:
                raise SettingsError(f"kafka_config: {path}: {name[:40]!r} is not of the form name=value")
            found[name.strip()] = value.strip()
    return found
