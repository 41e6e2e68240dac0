"""Answers of Kafka's admin calls, with its refusals as the product's errors."""

from __future__ import annotations

from concurrent.futures import Future
from typing import TypeVar

from confluent_kafka import KafkaError, KafkaException

from auditstream.core.errors import (
    AuditStreamError,
    ConfigError,
    NotAllowedError,
    NotFoundError,
    RetryableError,
)

T = TypeVar("T")

_KINDS: dict[int, type[AuditStreamError]] = {
    KafkaError.UNKNOWN_TOPIC_OR_PART: NotFoundError,
    KafkaError.TOPIC_AUTHORIZATION_FAILED: NotAllowedError,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: NotAllowedError,
    KafkaError.SASL_AUTHENTICATION_FAILED: NotAllowedError,
    KafkaError._AUTHENTICATION: NotAllowedError,
    KafkaError.INVALID_CONFIG: ConfigError,
    KafkaError.INVALID_PARTITIONS: ConfigError,
    KafkaError.INVALID_REPLICATION_FACTOR: ConfigError,
    KafkaError.TOPIC_EXCEPTION: ConfigError,
    KafkaError.POLICY_VIOLATION: ConfigError,
}


def answer(future: Future[T], timeout_s: float, doing: str) -> T:
    """Return what an admin call answers.

    Args:
        future: The call.
        timeout_s: Bound on the wait, beside the bound that the call itself was given.
        doing: What was asked for, in words: `create topic x`.

    Raises:
        ConfigError: The request is not one that this Kafka takes.
        NotFoundError: The topic does not exist.
        NotAllowedError: The client may not do it.
        RetryableError: No answer, or another refusal.
    """
    try:
        return future.result(timeout_s)
    except KafkaException as error:
        raise refusal(error, doing) from error
    except TimeoutError as error:
        raise RetryableError(f"cannot {doing}: no answer in {timeout_s:.0f} s") from error


def refusal(error: KafkaException, doing: str) -> AuditStreamError:
    """Return the product's error for one of the Kafka client's."""
    reason: KafkaError = error.args[0]
    return _KINDS.get(reason.code(), RetryableError)(f"cannot {doing}: {reason.str()}")
