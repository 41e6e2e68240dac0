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
