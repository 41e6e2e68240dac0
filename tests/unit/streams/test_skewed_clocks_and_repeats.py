"""Clocks that are wrong by ten minutes, and everything twice and again: nothing is found that is not there.

From the message of an event to the finding, by the recorder and the detectors of production.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from auditstream.detection.known_detectors import watched_detectors
from schemas.records.detection import Finding
from streams.detecting.delta import MINUTE_US, DeltaReader
from streams.detecting.partition import PartitionDetection
from streams.recording.assembly import new_recorder
from tests.support.bad_messages import framed
from tests.support.events import COST_LINE
from tests.support.fault_worker import NoFacts, PackagedSchemas
from tests.support.recorders import KAFKA, LOG, KeptHistory, messages_to, segment_of
from tests.support.usage_logs import Jump, heartbeat

DAWN = datetime(2026, 1, 1, tzinfo=UTC)
AT_ONCE = 5
"""Minutes of a segment."""
WRONG_FROM = 70
"""Minute from which on clocks are wrong and everything comes again; by then `cost.unit_drift` judges."""
SURGE, MINUTES = 110, 115
SKEW = {"right": 0, "ahead": 10, "behind": -10}
EVENTS = 4
"""Events of a key a minute."""
USAGE = "audit.usage.v1"
AMOUNTS = ("list", "contracted", "effective", "billed")


def event(number: int, key: str, minute: int) -> bytes:
    """Return an event of a key, at the time of its clock; it becomes dearer where the clock is right."""
    is_dear = minute >= SURGE and key == "right"
    amounts = dict.fromkeys(AMOUNTS, Decimal("0.40" if is_dear else "0.01"))
    wrong = SKEW[key] if minute >= WRONG_FROM else 0
    fields: dict[str, Any] = {
        "event_time": DAWN + timedelta(minutes=minute + wrong, seconds=number % 50),
        "tenant_id": "acme",
        "credential_id": key,
        "event_type": "ai.inference",
        "outcome": "FAILURE" if number % 16 == 0 else "SUCCESS",
        "duration_us": 900_000 + number % 7 * 50_000,
        "inference": {"operation": "chat", "provider": "openai", "request_model": "gpt-4o"},
        "usage": {"input_tokens": 100, "output_tokens": 10 + number % 3},
        "costs": [{**COST_LINE, **amounts, "currency": "USD"}],
    }
    return framed(number, **fields)


def segments() -> list[tuple[list[bytes], list[int]]]:
    """Return messages and broker times of each segment; repeats are of its own and of the one before."""
    found: list[tuple[list[bytes], list[int]]] = []
    number, before = 0, list[bytes]()
    for start in range(0, MINUTES, AT_ONCE):
        values, stamps = list[bytes](), list[int]()
        for minute in range(start, start + AT_ONCE):
            sent = [event(number + each, [*SKEW][each % 3], minute) for each in range(3 * EVENTS)]
            number += len(sent)
            twice = sent if minute >= WRONG_FROM else []
            at_ms = int((DAWN + timedelta(minutes=minute, seconds=52)).timestamp() * 1_000)
            values += sent + twice
            stamps += [at_ms] * len(sent + twice)
        own = list(values)
        if start > WRONG_FROM:
            values, stamps = values + before, stamps + [stamps[-1]] * len(before)
        found.append((values, stamps))
        before = own
    return found


def test_wrong_clocks_and_repeats_open_nothing_and_a_surge_beside_them_is_found() -> None:
    history, schemas = KeptHistory(), PackagedSchemas()
    recorder, reader = new_recorder(schemas, history, NoFacts(), KAFKA), DeltaReader(schemas.get)
    detection = PartitionDetection([*watched_detectors(), jump := Jump()])
    found: list[Finding] = []
    offset = 0
    for values, stamps in segments():
        block = recorder.build(segment_of(values, lo=offset, timestamps_ms=stamps))
        history.keep(block)
        offset += len(values)
        for message in messages_to(USAGE, block):
            delta = reader.read(message.value, message.headers, stamps[-1])
            found += detection.apply(delta)
            found += detection.apply(delta)  # a worker that died before its commit publishes again
    end_s = DAWN.timestamp() + MINUTES * 60 + 600
    found += detection.apply(heartbeat(str(LOG), offset, quiet_s=end_s - jump_epoch_s()))

    own = [each for each in found if each.rule_id != Jump.slug]
    assert own
    assert {each.window_start for each in own} >= {DAWN + timedelta(minutes=SURGE)}
    assert all(each.window_start >= DAWN + timedelta(minutes=SURGE) for each in own)
    assert {each.scope for each in own} <= {"", "credential=right", "model=gpt-4o"}
    counted: Counter[tuple[str, int]] = Counter()
    for bucket in jump.seen:
        minute = bucket.start - int(DAWN.timestamp()) // 60
        for (_, scope), events in zip(detection.names(bucket.keys), bucket.values["events"], strict=True):
            counted[scope, minute] += int(events)
    assert {counted["credential=right", minute] for minute in range(MINUTES)} == {EVENTS}
    assert [counted["credential=ahead", minute] for minute in (69, 70, 79, 80, 114)] == [4, 0, 0, 4, 4]
    assert [counted["credential=behind", minute] for minute in (69, 70, 100)] == [4, 0, 0]
    assert detection.left.late == EVENTS * (MINUTES - WRONG_FROM)


def jump_epoch_s() -> float:
    """Return the second that heartbeats of tests count from."""
    return heartbeat(str(LOG), 0, quiet_s=0).written_us / MINUTE_US * 60
