"""Credentials in a partition: what they name is learnt by minute, and a stolen key is found over all logs."""

from __future__ import annotations

import json

from auditstream.detection.acquaintances import SILENT
from auditstream.detection.novelty import Novelty
from auditstream.detection.severities import Severity
from auditstream.detection.spread import many_networks
from schemas.records.detection import Finding
from schemas.records.vocabulary import FindingStatus
from streams.detecting.open_entities import OpenEntities
from streams.detecting.partition import PartitionDetection
from tests.support.usage_logs import DAWN, delta, entity, heartbeat, line

LOGS = ("audit.events.v1/0/e", "audit.events.v1/1/e")
DAYS = SILENT // 1_440 + 1


def told(detection: PartitionDetection, minute: int, index: int, *, log: str, **named: str) -> list[Finding]:
    """Apply a minute of a key, and heartbeats that close it."""
    at = DAWN + minute
    lines = [line(at, credential_id="key-1", model=named.pop("model", "gpt-4o"), events=600)]
    entities = [entity(at, "key-1", kind, name) for kind, name in named.items()]
    found = detection.apply(delta(log, index, lines, at_s=minute * 60, entities=entities))
    for each in LOGS:
        found += detection.apply(heartbeat(each, index + 1, quiet_s=(minute + 5) * 60))
    return found


def followed(*detectors: Novelty) -> tuple[PartitionDetection, list[Finding]]:
    """Return a key that was used in the same way twice a day for more than a week."""
    detection = PartitionDetection([*detectors, many_networks()])
    found: list[Finding] = []
    for half in range(2 * DAYS):
        found += told(detection, half * 720, half, log=LOGS[half % 2], country="DE", user_agent="shop")
    return detection, found


def test_a_known_key_in_another_country_is_found_and_a_quiet_week_is_not() -> None:
    detection, found = followed(Novelty())
    assert found == []
    again = told(detection, DAYS * 1_440, 100, log=LOGS[0], country="DE", user_agent="shop")
    [new] = told(detection, DAYS * 1_440 + 10, 101, log=LOGS[1], country="BR", user_agent="curl")
    assert again == []
    assert (new.rule_id, new.scope, new.status) == (
        "entity.first_seen",
        "credential=key-1",
        FindingStatus.NEW,
    )
    assert new.contributors.keys() >= {"country=BR", "user_agent=curl"}
    assert new.observed == 2


def test_networks_are_counted_over_the_logs_of_a_tenant() -> None:
    detection = PartitionDetection([many_networks()])
    found = [
        told(detection, 5 * number, number, log=LOGS[number % 2], network=f"AS{number}")
        for number in range(4)
    ]
    assert [len(each) for each in found] == [0, 0, 0, 1]
    [finding] = found[3]
    assert (finding.rule_id, finding.observed) == ("credential.many_networks", 4)
    assert "AML.T0012" in finding.attacks
    assert finding.severity == Severity.HIGH


def test_what_segments_that_began_too_late_name_is_left_out_in_any_order() -> None:
    early, late = ("acme", "key-1", "network", "AS1"), ("acme", "key-1", "network", "AS2")
    orders = ([(10, early), (90, late), (90, early)], [(90, early), (90, late), (10, early)])
    for order in orders:
        waiting = OpenEntities()
        for since_us, entity_of in order:
            waiting.add(DAWN, since_us, [entity_of])
        again = OpenEntities()
        again.restore(json.loads(json.dumps(waiting.state())))
        assert waiting.take(DAWN, 50) == again.take(DAWN, 50) == [early]
        assert waiting.take(DAWN, 50) == []


def test_what_comes_after_its_minute_was_closed_is_not_learnt() -> None:
    detection = PartitionDetection([many_networks()])
    for number in range(3):
        told(detection, 20 + number, number, log=LOGS[0], network=f"AS{number}")
    late = [line(DAWN + 20, credential_id="key-1", events=1)]
    named = [entity(DAWN + 20, "key-1", "network", "AS9")]
    assert detection.apply(delta(LOGS[1], 50, late, at_s=40 * 60, entities=named)) == []
    assert told(detection, 45, 51, log=LOGS[0], network="AS0") == []
    assert told(detection, 46, 52, log=LOGS[0], network="AS4") != []
