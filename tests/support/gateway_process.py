"""A gateway as a deployment runs it, as a watched process, on a Kafka and a store that a test has."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from auditstream.core.settings import (
    GatewaySettings,
    KafkaSettings,
    RegistrySettings,
    Settings,
)
from auditstream.embedded.clickhouse_process import RunningClickHouse
from auditstream.embedded.gateway_part import GatewayPart, start_gateway
from auditstream.embedded.registry import start_registry
from schemas.subjects import SUBJECTS, ingest_subject
from tests.support.databases import migrated_database

_ANSWER_S = 5.0


@contextmanager
def running_gateway(
    folder: Path,
    *,
    bootstrap: str,
    topic: str,
    clickhouse: RunningClickHouse,
    gateway: GatewaySettings,
) -> Iterator[GatewayPart]:
    """Run a gateway for the length of the block; it is started again when it dies.

    Args:
        folder: Where gateway and registry keep things.
        bootstrap: Kafka.
        topic: Where events go; must be there.
        clickhouse: Where credentials are, in a database of this gateway's own.
        gateway: Limits and modes.
    """
    folder.mkdir(parents=True)
    with (
        migrated_database(clickhouse) as store,
        start_registry(folder / "registry", subjects=(*SUBJECTS, ingest_subject(topic))) as registry,
    ):
        settings = Settings(
            data_dir=folder,
            kafka=KafkaSettings(brokers=bootstrap, events_topic=topic),
            registry=RegistrySettings(url=registry.url),
            clickhouse=store,
            gateway=gateway,
        )
        with start_gateway(settings, port=0, store=settings, say=lambda _: None) as part:
            yield part


def readiness(url: str) -> int:
    """Return the HTTP status of a gateway's /readyz; 0 when nobody answers."""
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=_ANSWER_S) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code
    except OSError:
        return 0
