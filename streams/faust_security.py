"""Kafka connection settings in the form that Faust takes."""

from __future__ import annotations

import faust

from auditstream.core.settings import KafkaSettings
from streams.kafka_security import ssl_context


def faust_broker(kafka: KafkaSettings) -> list[str]:
    """Return the broker URLs for Faust."""
    return [f"kafka://{address.strip()}" for address in kafka.brokers.split(",")]


def faust_credentials(kafka: KafkaSettings) -> faust.auth.Credentials | None:
    """Return Faust's credentials, or None for plaintext."""
    if kafka.security.startswith("sasl"):
        return faust.SASLCredentials(
            username=kafka.username,
            password=kafka.password.get_secret_value(),
            mechanism=kafka.sasl_mechanism,
            ssl_context=ssl_context(kafka),
        )
    context = ssl_context(kafka)
    return None if context is None else faust.SSLCredentials(context=context)
