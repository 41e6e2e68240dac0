"""The way through the gateway: what Kafka did not acknowledge is sent again, what is refused is told of."""

from __future__ import annotations

from auditstream.emit.gateway_way import GatewayWay
from auditstream.emit.reading import Accepted, Refused
from auditstream_sdk.testing import LocalGateway
from auditstream_sdk.testing.gateway import Event, Request
from tests.support.events import event

WITHIN_S = 30.0
KEPT, UNACKNOWLEDGED, REFUSED = "svc://kept", "svc://unacknowledged", "svc://refused"


def first_unavailable(gateway: LocalGateway, request: Request) -> None:
    """Let Kafka be slow at the first request; refuse what is called so in each."""

    def code(_: int, posted: Event) -> str | None:
        if posted["source"] == REFUSED:
            return "contract"
        return "unavailable" if posted["source"] == UNACKNOWLEDGED and gateway.requests == 1 else None

    request.accept(code)


def strict(request: Request) -> None:
    """Take all of a request or nothing, as in mode blocking-strict."""
    rejected = [
        {"index": index, "code": "contract", "detail": "told to", "field": "source"}
        for index, posted in enumerate(request.events)
        if posted["source"] == REFUSED
    ]
    if rejected:
        request.answer(422, {"code": "contract", "detail": "told to", "rejected": rejected})


def unbelieving(request: Request) -> None:
    """Take nothing that is compressed."""
    if "content-encoding" in request.headers:
        request.answer(413, {"code": "decompression_bomb", "detail": "shrank too much"})


def test_an_event_that_is_refused_by_a_strict_gateway_keeps_no_other_from_being_recorded() -> None:
    refused: list[Refused] = []
    with LocalGateway(strict) as gateway:
        way = GatewayWay(gateway.url, "key", timeout_s=WITHIN_S, on_refusal=refused.append)
        for line, source in enumerate((KEPT, REFUSED, KEPT), start=1):
            way.carry(Accepted(line, event(source=source)))
        way.finish()

    assert [each["source"] for each in gateway.events] == [KEPT, KEPT]
    assert [each.line for each in refused] == [2]
    assert (way.acknowledged, way.refused) == (2, 1)


def test_what_shrinks_more_than_the_gateway_believes_is_sent_as_it_is() -> None:
    with LocalGateway(unbelieving) as gateway:
        way = GatewayWay(gateway.url, "key", timeout_s=WITHIN_S, on_refusal=lambda _: None)
        way.carry(Accepted(1, event(source=KEPT)))
        way.finish()

    assert (len(gateway.events), way.acknowledged) == (1, 1)


def test_an_event_that_kafka_did_not_acknowledge_is_sent_again_and_a_refused_one_is_told_of() -> None:
    refused: list[Refused] = []
    with LocalGateway() as gateway:
        gateway.behave = lambda request: first_unavailable(gateway, request)
        way = GatewayWay(gateway.url, "key", timeout_s=WITHIN_S, on_refusal=refused.append)
        for line, source in enumerate((REFUSED, KEPT, UNACKNOWLEDGED, KEPT, UNACKNOWLEDGED), start=1):
            way.carry(Accepted(line, event(source=source)))
        way.finish()

    assert [each["source"] for each in gateway.events] == [KEPT, KEPT, UNACKNOWLEDGED, UNACKNOWLEDGED]
    assert [each.line for each in refused] == [1]
    assert (way.acknowledged, way.refused, gateway.requests) == (4, 1, 2)
