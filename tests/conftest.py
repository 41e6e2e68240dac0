"""What every test stands on: loopback only, no swallowed error, a Kafka, and skips that are seen."""

from __future__ import annotations

import gc
import logging
import os
import re
import uuid
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from auditstream.embedded.jvm_kafka import RunningKafka, start_kafka
from tests.support import brokers, parts
from tests.support.brokers import Broker
from tests.support.fork_server import ForkServer
from tests.support.forked_programs import ForkedPrograms
from tests.support.patience import give_time
from tests.support.shared_broker import shared

_CHOICE = pytest.StashKey[brokers.Choice]()
_CHOSEN = pytest.StashKey[set[str]]()
# Whose tests wait for processes half of their time; first the files that take half a minute and more.
_WAITING = (
    "tests/fault/test_killed_workers.py",
    "tests/fault/test_moving_partitions.py",
    "tests/integration/test_demo.py",
    "tests/fault/test_lost_offsets.py",
    "tests/integration/test_budgets.py",
    "tests/integration/embedded/deployment/",
    "tests/docs/test_commands.py",
    "tests/docs/test_slos_page.py",
    "tests/fault/",
    "tests/docs/",
    "tests/integration/",
)
# The shortest files last.
_COMPUTING = ("tests/architecture/", "tests/property/", "tests/sql/", "tests/contract/", "tests/")
# Of a run: a long file among the last leaves the other cores idle.
_WAITING_SHARE = 0.85
_LOOPBACK = ["127.0.0.1", "::1", "localhost"]

MakeTopic = Callable[..., str]
MakeGroup = Callable[[], str]


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Let tests connect to this machine and to services that the environment names, and nowhere else."""
    named = [value for name, value in os.environ.items() if name.startswith("AUDITSTREAM_TEST_")]
    hosts = [urlsplit(f"//{address}").hostname for value in named for address in value.split(",")]
    docker_host = urlsplit(os.environ.get("DOCKER_HOST", "")).hostname
    config.option.allow_hosts = [*_LOOPBACK, *filter(None, [*hosts, docker_host])]
    config.option.allow_unix_socket = True  # event loops and Docker talk over them


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Run one process more than there are cores: with as many, a quarter of their time goes unused."""
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Look for no garbage while millions of objects are made that stay, nor among them afterwards."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Give each test its time, and mix files that wait with files that compute: so they use every core."""
    for item in items:
        give_time(item)
    if not hasattr(config, "workerinput"):  # there the option `dist` is "no", whatever the run's is
        return
    files = list(dict.fromkeys(item.path for item in items))
    waiting = [file for file in files if _room_of(file, _WAITING) < len(_WAITING)]
    computing = [file for file in files if _room_of(file, _WAITING) == len(_WAITING)]
    places = _spread(waiting, _WAITING, _WAITING_SHARE) | _spread(computing, _COMPUTING, 1.0)
    items.sort(key=lambda item: places[item.path])


def _spread(files: list[Path], rooms: Sequence[str], share: float) -> dict[Path, float]:
    """Return a place in the run for each file, from its start to a share of it, in the order of the rooms."""
    ordered = sorted(files, key=lambda file: _room_of(file, rooms))
    return {file: share * number / len(ordered) for number, file in enumerate(ordered)}


def _room_of(file: Path, rooms: Sequence[str]) -> int:
    """Return the number of the first room that a file is in, one too many for none."""
    return next((number for number, room in enumerate(rooms) if room in f"{file}"), len(rooms))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Choose the broker outside the time limit of a test, for its jars may have to be fetched."""
    if any({"kafka", "own_kafka"} & set(getattr(item, "fixturenames", ())) for item in session.items):
        session.config.stash[_CHOICE] = brokers.choose()
        session.config.stash[_CHOSEN] = {f"{session.config.stash[_CHOICE]}"}


def pytest_report_collectionfinish(config: pytest.Config) -> list[str]:
    """Say which broker was chosen."""
    return [f"kafka: {choice}" for choice in config.stash.get(_CHOSEN, ())]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Remember what a process of this run has chosen."""
    chosen = node.config.stash.setdefault(_CHOSEN, set())
    chosen.update(getattr(node, "workeroutput", {}).get("kafka", ()))


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say again, where it is read, on what the tests ran and what was not run."""
    for choice in sorted(config.stash.get(_CHOSEN, ())):
        terminalreporter.write_line(f"kafka: {choice}")
    skipped = terminalreporter.stats.get("skipped", [])
    terminalreporter.write_line(
        f"parts: {len(skipped)} tests skipped" if skipped else "parts: nothing skipped"
    )
    for line in parts.unexcused_skips(skipped) if parts.is_ci() else []:
        terminalreporter.write_line(f"skipped without an excuse: {line}", red=True)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a CI run in which a test was skipped that the machine could have run."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["kafka"] = sorted(session.config.stash.get(_CHOSEN, ()))
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter is not None else []
    green = {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}
    if parts.is_ci() and parts.unexcused_skips(skipped) and session.exitstatus in green:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(autouse=True)
def no_swallowed_error(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Fail a test in which asyncio dropped an exception; pytest reports those of threads and finalizers."""
    yield
    dropped = [
        record
        for record in caplog.get_records("call")
        if record.name == "asyncio" and record.levelno >= logging.ERROR and record.exc_info
    ]
    assert not dropped, f"asyncio dropped an exception: {dropped[0].getMessage()}: {dropped[0].exc_info}"


@pytest.fixture(autouse=True)
def no_handler_left() -> Iterator[None]:
    """Take away what a command under test logs to: the stream that it was given is closed after the test."""
    yield
    for handler in [each for each in logging.root.handlers if type(each) is logging.StreamHandler]:
        logging.root.removeHandler(handler)


@pytest.fixture(scope="session")
def any_kafka(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Broker:
    """The best broker that this machine has, started once for the whole run; use `kafka` in tests."""
    folder = tmp_path_factory.getbasetemp()
    if hasattr(pytestconfig, "workerinput"):
        folder = folder.parent  # of the run; each of its processes has a folder of its own in it
    stack = ExitStack()
    pytestconfig.add_cleanup(stack.close)  # waits for the other processes, which no test's time limit covers
    return stack.enter_context(shared(pytestconfig.stash[_CHOICE], folder / "kafka"))


@pytest.fixture
def kafka(any_kafka: Broker, request: pytest.FixtureRequest, pytestconfig: pytest.Config) -> Broker:
    """The broker of this run, shared: leave it running. Tests marked `kafka` get a real Apache Kafka only."""
    if request.node.get_closest_marker("kafka") and not any_kafka.is_real:
        reason = "; ".join(pytestconfig.stash[_CHOICE].passed_over)
        parts.skip_part("Apache Kafka", reason, can_be_installed=True)
    return any_kafka


@pytest.fixture
def own_kafka(tmp_path: Path) -> Iterator[RunningKafka]:
    """An Apache Kafka of the test's own, which it may stop, kill and restart."""
    reason = brokers.missing_jvm()
    if reason is not None:
        parts.skip_part("Apache Kafka on the local JVM", reason, can_be_installed=True)
    with start_kafka(tmp_path / "kafka") as running:
        yield running


@pytest.fixture(scope="session")
def fork_server() -> Iterator[ForkServer]:
    """What starts workers without their imports; started once."""
    with ForkServer() as running:
        yield running


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkedPrograms]:
    """The product's programs without their imports; what forks them is started once."""
    with ForkedPrograms(tmp_path_factory.mktemp("programs")) as running:
        yield running


@pytest.fixture
def topic(kafka: Broker, request: pytest.FixtureRequest) -> MakeTopic:
    """Make topics that belong to this test: `topic(partitions=4, **{"max.message.bytes": "2048"})`."""

    def make(partitions: int = 4, **config: str) -> str:
        name = _own_name(request.node.name)
        kafka.create_topic(name, partitions, config)
        return name

    return make


@pytest.fixture
def group(request: pytest.FixtureRequest) -> MakeGroup:
    """Make names of consumer groups, or Faust app ids, that belong to this test."""
    return lambda: _own_name(request.node.name)


def _own_name(owner: str) -> str:
    return f"{re.sub('[^a-zA-Z0-9]+', '-', owner)[:60]}-{uuid.uuid4().hex[:8]}"
