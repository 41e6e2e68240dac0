"""The in-process broker: the real protocol for outside clients, and its limits as documented."""

from __future__ import annotations

import os
import socket

import pytest
from confluent_kafka import TIMESTAMP_CREATE_TIME

from auditstream.core.errors import RetryableError
from auditstream.embedded import mock_kafka
from auditstream.embedded.topics import topic_epoch
from tests.support.brokers import Broker


@pytest.fixture
def mock():
    with mock_kafka.start_mock_kafka() as running:
        yield running


def test_it_keeps_what_is_produced_while_it_runs(mock):
    broker = Broker("embedded", mock.bootstrap)

    places = broker.produce("events", [b"one", None, b""], partition=2)

    assert places == [(2, 0), (2, 1), (2, 2)]
    messages = broker.consume("events", 3)
    assert [message.value() for message in messages] == [b"one", None, b""]
    assert {message.timestamp()[0] for message in messages} == {TIMESTAMP_CREATE_TIME}
    assert len(broker.end_offsets("events")) == mock_kafka.PARTITIONS


def test_it_answers_no_question_about_topic_ids(mock):
    with pytest.raises(RetryableError, match="describe topic events"):
        topic_epoch(Broker("embedded", mock.bootstrap).admin, "events", timeout_s=0.5)


def test_nobody_answers_after_its_end(mock):
    host, port = mock.bootstrap.split(":")
    socket.create_connection((host, int(port)), timeout=5).close()
    assert mock.pid == os.getpid()

    mock.stop()

    assert not mock.is_running
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)), timeout=5)
