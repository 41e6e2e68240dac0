"""The handler for standard logging: which records become events, and of what."""

import logging

import pytest

from auditstream_sdk import AsyncAuditClient, AuditClient
from auditstream_sdk.integrations.faults import FAULTS
from auditstream_sdk.integrations.logging import AuditHandler
from auditstream_sdk.testing.gateway import LocalGateway


@pytest.fixture
def gateway():
    with LocalGateway() as running:
        yield running


@pytest.fixture
def log(gateway, tmp_path):
    audit = AuditClient(
        url=gateway.url, key="k", source="svc://test", mode="blocking", spool=str(tmp_path), heartbeat_s=0
    )
    logger = logging.getLogger("shop.refunds")
    handler = AuditHandler(audit)
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield logger
    logger.removeHandler(handler)
    audit.close()


REVIEW = {"event_type": "ai.human.review", "review": {"subject_event_id": "e-1", "decision": "APPROVE"}}


def test_a_record_with_an_event_becomes_it_and_its_message_is_not_kept(gateway, log):
    log.warning("refund of %s approved", "secret-order", extra={"audit": REVIEW})
    log.info("nothing to audit")

    (event,) = gateway.events
    assert event["event_type"] == "ai.human.review"
    assert event["review"] == REVIEW["review"]
    assert (event["severity"], event["attributes"]) == (3, {"log.logger": "shop.refunds"})
    assert event["event_time"].endswith("Z")
    assert "secret-order" not in str(event)


def test_what_the_event_says_wins_over_what_the_record_says(gateway, log):
    said = {**REVIEW, "severity": 6, "attributes": {"ticket": "T-1", "log.logger": "other"}}

    log.debug("x", extra={"audit": said})

    (event,) = gateway.events
    assert event["severity"] == 6
    assert event["attributes"] == {"log.logger": "other", "ticket": "T-1"}


def test_an_exception_makes_it_a_failure(gateway, log):
    try:
        raise KeyError("secret-order")
    except KeyError:
        log.exception("failed", extra={"audit": {"event_type": "ai.tool_call", "tool": {"name": "refund"}}})

    (event,) = gateway.events
    assert (event["outcome"], event["error_type"], event["severity"]) == ("FAILURE", "KeyError", 4)
    assert "secret-order" not in str(event)


def test_what_is_no_event_is_counted_and_never_raises(gateway, log):
    before, FAULTS.count = FAULTS.count, 0
    try:
        log.info("x", extra={"audit": "ai.tool_call"})
        log.info("x", extra={"audit": {"tool": {"name": "refund"}}})
        assert FAULTS.count == 2
    finally:
        FAULTS.count = before

    assert gateway.events == []


def test_the_sdks_own_records_are_passed_over(gateway, log):
    own = logging.getLogger("auditstream_sdk.delivery")
    own.addHandler(log.handlers[0])
    try:
        own.warning("x", extra={"audit": REVIEW})
    finally:
        own.removeHandler(log.handlers[0])

    assert gateway.events == []


def test_a_recorder_that_has_to_be_awaited_is_refused():
    with pytest.raises(TypeError, match=r"^audit: nobody awaits a log record"):
        AuditHandler(AsyncAuditClient())
