"""Kafka connection settings in the forms that Faust, aiokafka and librdkafka take."""

from __future__ import annotations

import ssl
from typing import Any

import faust

from auditstream.core.settings import KafkaSettings


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
            ssl_context=_ssl_context(kafka),
        )
    context = _ssl_context(kafka)
    return None if context is None else faust.SSLCredentials(context=context)


def aiokafka_settings(kafka: KafkaSettings) -> dict[str, Any]:
    """Return connection settings for an aiokafka client."""
    settings: dict[str, Any] = {
        "bootstrap_servers": kafka.brokers,
        "security_protocol": kafka.security.upper(),
        "ssl_context": _ssl_context(kafka),
    }
    if kafka.security.startswith("sasl"):
        settings |= {
            "sasl_mechanism": kafka.sasl_mechanism,
            "sasl_plain_username": kafka.username,
            "sasl_plain_password": kafka.password.get_secret_value(),
        }
    return settings


def librdkafka_settings(kafka: KafkaSettings) -> dict[str, Any]:
    """Return connection settings for a confluent-kafka client."""
    settings: dict[str, Any] = {
        "bootstrap.servers": kafka.brokers,
        "security.protocol": kafka.security,
    }
    if kafka.ca_file is not None:
        settings["ssl.ca.location"] = str(kafka.ca_file)
    if kafka.security.startswith("sasl"):
        settings |= {
            "sasl.mechanism": kafka.sasl_mechanism,
            "sasl.username": kafka.username,
            "sasl.password": kafka.password.get_secret_value(),
        }
    return settings


def _ssl_context(kafka: KafkaSettings) -> ssl.SSLContext | None:
    if not kafka.security.endswith("ssl"):
        return None
    return ssl.create_default_context(cafile=None if kafka.ca_file is None else str(kafka.ca_file))
