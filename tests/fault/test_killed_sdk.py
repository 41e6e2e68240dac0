"""A service killed fifty times under a flapping gateway: acknowledged is there, lost is told of."""

from __future__ import annotations

import logging
import random
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import auditstream_sdk
from auditstream_sdk import AuditClient
from auditstream_sdk.testing import LocalGateway
from auditstream_sdk.testing.gateway import Request
from tests.support import sdk_service
from tests.support.processes import Children

pytestmark = [pytest.mark.fault, pytest.mark.long]

KILLS = 50
EVENTS = 100_000
PER_LIFE = 2 * EVENTS // KILLS  # more than the longest life has time for
REFUSED_EVERY = 1_000
_LONGEST_LIFE_S = 0.6
_PHASE_S = 0.05


@dataclass
class Kept:
    """What the gateway has of one instance.

    Attributes:
        names: Name of the tool by `source_seq`, of events it kept.
        ids: Ids by `source_seq`: more than one would be an event counted twice.
        lost: Reported ranges by the id of the report: first, last, reason, dropped so far.
    """

    names: dict[int, str] = field(default_factory=dict)
    ids: dict[int, set[str]] = field(default_factory=lambda: defaultdict(set))
    lost: dict[str, tuple[int, int, str, int]] = field(default_factory=dict)

    @property
    def lost_numbers(self) -> list[int]:
        """Every lost `source_seq`, as often as it was reported."""
        return [n for first, last, _, _ in self.lost.values() for n in range(first, last + 1)]


class FlappingGateway(LocalGateway):
    """Well, busy, dumb, cutting or forgetful, by turns; it keeps the books by instance."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__(self._behave)
        self.kept: dict[str, Kept] = defaultdict(Kept)
        self.is_steady = False
        self.copies = 0
        self._chance = chance
        self._books = threading.Lock()
        self._over = threading.Event()

    def stop_hanging(self) -> None:
        self._over.set()

    def _behave(self, request: Request) -> None:
        phase = random.Random(int(time.monotonic() / _PHASE_S)).randrange(9)
        if self.is_steady or phase < 4:
            request.accept(_refusal)
        elif phase == 4:
            request.answer(503, {"code": "unavailable"}, retry_after="0")
        elif phase == 5:
            request.cut()
        elif phase == 6:
            self.keep([event for index, event in enumerate(request.events) if not _refusal(index, event)])
            request.cut()
        elif phase == 7:
            self._over.wait(0.1)
            request.cut()
        else:
            request.events = request.events[: max(1, len(request.events) // 2)]
            request.accept(_refusal)

    def keep(self, events: list[dict[str, Any]]) -> None:
        with self._books:
            for event in events:
                self._keep(event)

    def _keep(self, event: dict[str, Any]) -> None:
        kept = self.kept[event["source_instance"]]
        told = event.get("attributes", {})
        if "tool" in event:
            number = event["source_seq"]
            self.copies += number in kept.names
            kept.names[number] = event["tool"]["name"]
            kept.ids[number].add(event["event_id"])
        elif "lost.first" in told:
            kept.lost[event["event_id"]] = (
                int(told["lost.first"]),
                int(told["lost.last"]),
                told["lost.reason"],
                event["heartbeat"]["dropped"],
            )


def _refusal(_: int, event: dict[str, Any]) -> str | None:
    name = event.get("tool", {}).get("name", "")
    return "contract" if name.startswith("b") and int(name[1:]) % REFUSED_EVERY == 7 else None


@dataclass(frozen=True)
class Life:
    """What is known of a service after it was killed, from its diary and the pages that it left.

    Attributes:
        first: First number of its batch thread.
        begun: Last number begun.
        returned: Last number that came back.
        acknowledged: Names that the strict thread has receipts for.
        instances: Instances by source.
    """

    first: int
    begun: int
    returned: int
    acknowledged: list[str]
    instances: dict[str, str]


@pytest.fixture
def gateway() -> Iterator[FlappingGateway]:
    with FlappingGateway(random.Random(7)) as running:
        yield running
        running.stop_hanging()


def live_and_die(children: Children, gateway: LocalGateway, folder: Path, first: int, life_s: float) -> Life:
    """Run a service for so long after its first event, and kill it."""
    diary = folder / f"diary-{first}"
    diary.write_bytes(bytes(sdk_service.DIARY_BYTES))
    spool = folder / "spool"
    before = {page.name for page in spool.glob("*.state")}
    script = str(Path(sdk_service.__file__))
    command = [sys.executable, script, gateway.url, str(spool), str(diary), str(first), str(PER_LIFE)]
    child = children.start("service", command, {"PYTHONPATH": str(Path(auditstream_sdk.__file__).parents[1])})
    words = memoryview(diary.read_bytes()).cast("Q")
    until = time.monotonic() + 30
    while not words[sdk_service.RETURNED]:
        assert child.is_running, child.tail()
        assert time.monotonic() < until, child.tail()
        words = memoryview(diary.read_bytes()).cast("Q")
    time.sleep(life_s)
    child.kill()
    words = memoryview(diary.read_bytes()).cast("Q")
    names = words[sdk_service.NAMES : sdk_service.NAMES + words[sdk_service.ACKNOWLEDGED]]
    pages = [page for page in spool.glob("*.state") if page.name not in before]
    return Life(
        first,
        words[sdk_service.BEGUN],
        words[sdk_service.RETURNED],
        [f"s{first}-{number}" for number in names],
        {_source(page): page.stem for page in pages},
    )


def _source(page: Path) -> str:
    return "svc://batch" if b"svc://batch" in page.read_bytes() else "svc://strict"


@pytest.mark.timeout(300)
def test_nothing_acknowledged_is_lost_and_every_loss_is_told_of_once(children, gateway, tmp_path):
    chance = random.Random(11)
    lives: list[Life] = []
    number = 1
    for _ in range(KILLS):
        life = live_and_die(children, gateway, tmp_path, number, chance.uniform(0, _LONGEST_LIFE_S))
        lives.append(life)
        number = life.begun + 1
    gateway.is_steady = True
    gateway.stop_hanging()
    spool = tmp_path / "spool"
    settings = {"url": gateway.url, "key": "ask_test_secret", "source": "svc://batch", "spool": spool}
    with AuditClient(**settings, heartbeat_s=0, batch_age_s=0.05) as client:
        for rest in range(number, max(number, EVENTS) + 1):
            client.tool_call(name=f"b{rest}").record()
        assert client.flush(60)
        last = client.instance_id
        until = time.monotonic() + 60
        while {page.stem for page in spool.glob("*.state")} - {last}:
            assert time.monotonic() < until, sorted(spool.iterdir())
            time.sleep(0.01)
        # A report of a refusal is written while the refused are settled, so it is sent after them.
        assert client.flush(60)
    assert list(spool.iterdir()) == []

    delivered = {name for kept in gateway.kept.values() for name in kept.names.values()}
    for life in lives:
        assert set(life.acknowledged) <= delivered
    for kept in gateway.kept.values():
        accounted = sorted([*kept.names, *kept.lost_numbers])
        assert accounted == list(range(1, len(accounted) + 1)), "a number is missing, or told of twice"
        assert all(len(ids) == 1 for ids in kept.ids.values())
        if kept.lost:
            assert max(dropped for *_, dropped in kept.lost.values()) == len(kept.lost_numbers)
    lost = 0
    for life in lives:
        kept = gateway.kept[life.instances["svc://batch"]]
        recorded = len(kept.names) + len(kept.lost_numbers)
        assert life.returned - life.first < recorded + 1 <= life.begun - life.first + 2
        assert all(int(name[1:]) - life.first + 1 == seq for seq, name in kept.names.items())
        lost += sum(reason == "process_killed" for _, _, reason, _ in kept.lost.values())
    logging.getLogger(__name__).info(
        "%d events kept, %d copies, %d lost in %d kills, %d acknowledged one by one",
        len(delivered),
        gateway.copies,
        sum(len(kept.lost_numbers) for kept in gateway.kept.values()),
        lost,
        sum(len(life.acknowledged) for life in lives),
    )
    assert lost > KILLS // 5
    assert gateway.copies > 0
    assert sum(len(life.acknowledged) for life in lives) > KILLS // 5
