"""Kafka connection settings in the forms that aiokafka and librdkafka take; Faust's are in `faust_security`.

Commands that only send or look need this file, and load no Faust with it.
"""

from __future__ import annotations

import ssl
from typing import Any

from auditstream.core.settings import KafkaSettings


def aiokafka_settings(kafka: KafkaSettings) -> dict[str, Any]:
    """Return connection settings for an aiokafka client."""
    settings: dict[str, Any] = {
        "bootstrap_servers": kafka.brokers,
        "security_protocol": kafka.security.upper(),
        "ssl_context": ssl_context(kafka),
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


def ssl_context(kafka: KafkaSettings) -> ssl.SSLContext | None:
    """Return what the brokers' certificates are checked with, or None where nothing is encrypted."""
    if not kafka.security.endswith("ssl"):
        return None
    return ssl.create_default_context(cafile=None if kafka.ca_file is None else str(kafka.ca_file))
