"""What recording costs the caller, beside a logging call that says the same: both in one process, by turns.

The logging call is the standard library's: `QueueHandler` in the caller, and a `QueueListener` whose handler
formats JSON and writes it to a file in its own thread; so the caller pays for no formatting of JSON, as it
pays for none with the SDK. The SDK runs as it does in production: spool on disk, batches to a gateway that is
another process. A round is as many calls as fit into the queue; between rounds both are emptied.
"""

from __future__ import annotations

import json
import logging
import logging.handlers
import os
import queue
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import auditstream_sdk
from auditstream_sdk import AuditClient, audit_context

_CALLS = 4_000
_GATEWAY = """
import sys
from auditstream_sdk.testing import LocalGateway
class Forgetful(LocalGateway):
    def keep(self, events): pass
with Forgetful() as gateway:
    print(gateway.url, flush=True)
    sys.stdin.read()
"""


@dataclass(frozen=True, slots=True)
class CallCost:
    """What one call costs the thread that makes it, medians over rounds.

    Attributes:
        wall_us: Time until the call is back, with whatever other threads of the process take of it.
        cpu_us: Processor time of the calling thread.
        wall_ratio: Median over rounds of `wall_us` to that of the logging call of the same round.
        cpu_ratio: The same of `cpu_us`.
    """

    wall_us: float
    cpu_us: float
    wall_ratio: float
    cpu_ratio: float


@dataclass(frozen=True, slots=True)
class RecordingCost:
    """The cases of one run.

    Attributes:
        rounds: How many rounds.
        recorded: Events recorded with the SDK.
        dropped: Events that it dropped.
        logging: A logging call.
        block: An SDK block with family, usage and context.
        event: A finished event given as a mapping.
        idle: The block of a client that is not configured.
    """

    rounds: int
    recorded: int
    dropped: int
    logging: CallCost
    block: CallCost
    event: CallCost
    idle: CallCost


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(
            {
                "time": record.created,
                "level": record.levelname,
                "logger": record.name,
                "message": record.getMessage(),
                **record.__dict__.get("audit", {}),
            }
        )


def measure_recording(rounds: int) -> RecordingCost:
    """Return what recording costs."""
    with tempfile.TemporaryDirectory() as name, _gateway() as url, _logger(Path(name)) as (logger, listener):
        folder = Path(name)
        client = AuditClient(url=url, key="bench", source="svc://bench", spool=folder / "spool")
        idle = AuditClient()
        found: dict[str, list[_Round]] = {"logging": [], "block": [], "event": [], "idle": []}
        for _ in range(rounds + 1):
            found["logging"].append(_timed(lambda: _log(logger)))
            while not listener.queue.empty():
                time.sleep(0.001)
            found["block"].append(_timed(lambda: _record(client)))
            client.flush(60)
            found["event"].append(_timed(lambda: _record_event(client)))
            client.flush(60)
            found["idle"].append(_timed(lambda: _record(idle)))
        client.close(10)
        dropped = client.dropped
    kept = {case: each[1:] for case, each in found.items()}  # the first round warms up
    costs = {case: _cost(each, kept["logging"]) for case, each in kept.items()}
    return RecordingCost(rounds=rounds, recorded=2 * _CALLS * (rounds + 1), dropped=dropped, **costs)


@dataclass(frozen=True, slots=True)
class _Round:
    wall_us: float
    cpu_us: float


def _cost(rounds: list[_Round], logging_rounds: list[_Round]) -> CallCost:
    pairs = list(zip(rounds, logging_rounds, strict=True))
    return CallCost(
        wall_us=statistics.median(each.wall_us for each in rounds),
        cpu_us=statistics.median(each.cpu_us for each in rounds),
        wall_ratio=statistics.median(each.wall_us / other.wall_us for each, other in pairs),
        cpu_ratio=statistics.median(each.cpu_us / other.cpu_us for each, other in pairs),
    )


def _timed(calls: Callable[[], None]) -> _Round:
    wall, cpu = time.perf_counter(), time.thread_time()
    calls()
    wall, cpu = time.perf_counter() - wall, time.thread_time() - cpu
    return _Round(wall / _CALLS * 1e6, cpu / _CALLS * 1e6)


def _log(logger: logging.Logger) -> None:
    for number in range(_CALLS):
        fields = {
            "provider": "openai",
            "request_model": "gpt-4o",
            "operation": "chat",
            "input_tokens": number,
            "output_tokens": 50,
            "conversation_id": "conv-1",
        }
        logger.info("inference %s", "chat", extra={"audit": fields})


def _record(client: AuditClient) -> None:
    with audit_context(conversation_id="conv-1"):
        for number in range(_CALLS):
            with client.inference(provider="openai", request_model="gpt-4o", operation="chat") as call:
                call.usage(input_tokens=number, output_tokens=50)


def _record_event(client: AuditClient) -> None:
    for number in range(_CALLS):
        client.record(
            {
                "event_type": "ai.inference",
                "conversation_id": "conv-1",
                "inference": {"provider": "openai", "request_model": "gpt-4o", "operation": "chat"},
                "usage": {"input_tokens": number, "output_tokens": 50},
            }
        )


@contextmanager
def _logger(folder: Path) -> Iterator[tuple[logging.Logger, logging.handlers.QueueListener]]:
    waiting: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
    logger = logging.Logger("bench", logging.INFO)
    logger.addHandler(logging.handlers.QueueHandler(waiting))
    with (folder / "log.json").open("w", encoding="utf-8") as file:
        handler = logging.StreamHandler(file)
        handler.setFormatter(_JsonFormatter())
        listener = logging.handlers.QueueListener(waiting, handler)
        listener.start()
        try:
            yield logger, listener
        finally:
            listener.stop()


@contextmanager
def _gateway() -> Iterator[str]:
    path = os.pathsep.join([str(Path(auditstream_sdk.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    with subprocess.Popen(
        [sys.executable, "-c", _GATEWAY],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    ) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()  # it ends when its stdin is closed, at the end of the block
