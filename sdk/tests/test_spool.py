"""The spool: what it keeps over the end of processes, in what order, and what it says is missing."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from auditstream_sdk import spool as spool_module
from auditstream_sdk.adoption import report
from auditstream_sdk.pending import Gap
from auditstream_sdk.records import Kind, Record, packed, scan
from auditstream_sdk.reports import Reporter
from auditstream_sdk.segments import HEAD_BYTES, segment_numbers, segment_path
from auditstream_sdk.spool import SpoolLog, own_log
from auditstream_sdk.state_page import Facts, StatePage, current_boot
from tests_of_sdk import QUICK, losses, names, tool_calls

REPORTER = Reporter("svc://checkout", "inst-1", 1_700_000_000_000, 60.0, {})
FACTS = Facts("inst-1", "svc://checkout", "", "f" * 16, "boot", 1_700_000_000_000)


def record(number: int, size: int = 40) -> Record:
    return Record(Kind.EVENT, number, (b'{"event_id":"%d","p":"' % number).ljust(size, b"x") + b'"}')


def loss(first: int, last: int) -> Record:
    return REPORTER.loss(Gap(first, last, "queue_full", 0), dropped=last, number=last)


def reopened(folder: Path, most_bytes: int = 1 << 26) -> SpoolLog:
    return SpoolLog(folder, StatePage(folder / "inst-1.state"), most_bytes)


def drained(log: SpoolLog, most: int = 7) -> list[int]:
    found = []
    while records := log.read(most, 10_000):
        found += [each.number for each in records]
        log.settle(len(records))
    return found


def killed(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python that kills itself."""
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    return done


RECORDS_AND_DIES = """
import os, signal, sys
from auditstream_sdk import AuditClient
client = AuditClient(url=sys.argv[1], key=sys.argv[3], source="svc://checkout", spool=sys.argv[2],
                     linger_s=float(sys.argv[5]), batch_age_s=3600, heartbeat_s=0)
for number in range(int(sys.argv[4])):
    client.tool_call(name=f"t{number}").record()
if float(sys.argv[5]) == 0:
    while client._pipeline._instance._log.number < int(sys.argv[4]): pass
print(client.instance_id, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_records_are_read_in_order_over_many_files_which_go_when_they_are_settled(tmp_path, monkeypatch):
    monkeypatch.setattr(spool_module, "_SEGMENT_BYTES", 500)
    log = own_log(tmp_path, FACTS, 1 << 26)
    for number in range(1, 201):
        assert log.append([record(number)]) == 1
    assert len(segment_numbers(tmp_path, "inst-1")) > 10

    assert drained(log) == list(range(1, 201))
    assert len(segment_numbers(tmp_path, "inst-1")) == 1
    log.close()
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_settled_is_there_for_the_next_one(tmp_path):
    log = own_log(tmp_path, FACTS, 1 << 26)
    log.append([record(number) for number in range(1, 11)])
    assert len(log.read(4, 10_000)) == 4
    log.settle(3)
    log.close()

    again = reopened(tmp_path)

    assert again.number == 10
    assert drained(again) == list(range(4, 11))


def test_a_batch_is_bounded_in_bytes_and_a_larger_event_goes_alone(tmp_path):
    log = own_log(tmp_path, FACTS, 1 << 26)
    log.append([record(1, 300), record(2, 300), record(3, 5_000), record(4, 300)])

    batches = []
    while records := log.read(100, 1_000):
        batches.append([each.number for each in records])
        log.settle(len(records))

    assert batches == [[1, 2], [3], [4]]


@pytest.mark.parametrize("cut", range(1, 40, 3))
def test_a_torn_tail_is_cut_to_whole_records_and_reported(tmp_path, cut):
    log = own_log(tmp_path, FACTS, 1 << 26)
    log.append([record(1), record(2), record(3)])
    log.close()
    path = segment_path(tmp_path, "inst-1", 1)
    whole = path.stat().st_size
    os.truncate(path, whole - cut)

    again = reopened(tmp_path)

    assert again.number == 2
    assert again.cut_bytes == record(3).size_bytes - cut
    assert again.append([record(4)]) == 1
    assert drained(again) == [1, 2, 4]


def test_a_file_whose_head_was_being_written_is_none(tmp_path, monkeypatch):
    monkeypatch.setattr(spool_module, "_SEGMENT_BYTES", 1)
    log = own_log(tmp_path, FACTS, 1 << 26)
    log.append([record(1)])
    log.append([record(2)])
    log.close()
    os.truncate(segment_path(tmp_path, "inst-1", 3), HEAD_BYTES - 1)

    again = reopened(tmp_path)

    assert (again.number, drained(again)) == (1, [1])


@pytest.mark.parametrize("keep", [0, HEAD_BYTES - 1, None])
def test_a_file_in_the_middle_that_cannot_be_read_is_told_of_by_number(tmp_path, monkeypatch, keep):
    monkeypatch.setattr(spool_module, "_SEGMENT_BYTES", 1)
    log = own_log(tmp_path, FACTS, 1 << 26)
    for number in range(1, 5):
        log.append([record(number)])
    log.close()
    path = segment_path(tmp_path, "inst-1", 3)
    path.unlink() if keep is None else os.truncate(path, keep)

    again = reopened(tmp_path)

    assert drained(again) == [1, 3, 4]
    (damage,) = again.damages
    assert (damage.first, damage.last) == (2, 2)


def test_damage_behind_what_was_settled_is_told_of_from_there(tmp_path):
    log = own_log(tmp_path, FACTS, 1 << 26)
    log.append([record(number) for number in range(1, 6)])
    log.read(3, 10_000)
    log.settle(3)
    log.close()
    path = segment_path(tmp_path, "inst-1", 1)
    data = bytearray(path.read_bytes())
    data[HEAD_BYTES + record(1).size_bytes * 4 + 30] ^= 1
    path.write_bytes(data)

    again = reopened(tmp_path)

    assert (drained(again), again.number) == ([4], 4)


def test_a_rotten_record_costs_the_rest_of_its_file_and_is_told_of_by_number(tmp_path, monkeypatch):
    monkeypatch.setattr(spool_module, "_SEGMENT_BYTES", 400)
    log = own_log(tmp_path, FACTS, 1 << 26)
    for number in range(1, 21):
        log.append([record(number)])
    path = segment_path(tmp_path, "inst-1", 1)
    data = bytearray(path.read_bytes())
    in_file = [each.number for each in scan(bytes(data[HEAD_BYTES:])).records]
    data[HEAD_BYTES + record(1).size_bytes * 2 + 30] ^= 1
    path.write_bytes(data)

    found = drained(log)

    (damage,) = log.damages
    assert (damage.first, damage.last) == (3, in_file[-1])
    assert found == [1, 2, *range(in_file[-1] + 1, 21)]


def test_any_bytes_in_place_of_records_are_read_without_an_error():
    chance = random.Random(5)
    for _ in range(300):
        data = bytearray(packed([record(1), record(2), record(3)]))
        for _ in range(chance.randrange(1, 4)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        found = scan(bytes(data))
        assert found.end + found.unread_bytes == len(data)
        assert [each for each in found.records if each not in {record(1), record(2), record(3)}] == []


def test_the_folder_is_bounded_and_a_report_of_loss_still_fits(tmp_path):
    log = own_log(tmp_path, FACTS, 2_000)
    taken = log.append([record(number) for number in range(1, 101)])

    assert 0 < taken < 100
    assert log.append([record(101)]) == 0
    assert log.append([Record(Kind.LOSS, 101, b"x" * 500, 1)]) == 1
    assert log.number == 101


def test_the_folders_bound_counts_other_instances_too(tmp_path):
    other = own_log(tmp_path, Facts("inst-2", "s", "", "f", "b", 1), 10_000)
    other.append([record(1, 3_000)])

    assert own_log(tmp_path, FACTS, 2_000).append([record(1)]) == 0


def test_a_disk_that_takes_nothing_leaves_the_log_as_it_was(tmp_path, monkeypatch):
    log = own_log(tmp_path, FACTS, 1 << 26)
    log.append([record(1)])
    real, calls = os.write, []

    def full(fd: int, data: Any) -> int:
        calls.append(fd)
        if len(calls) == 1:
            return real(fd, bytes(data)[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space left"):
        log.append([record(2)])
    monkeypatch.setattr(os, "write", real)

    assert log.append([record(3)]) == 1
    assert drained(log) == [1, 3]


def test_a_page_is_of_one_process_at_a_time(tmp_path):
    own_log(tmp_path, FACTS, 1 << 26)

    with pytest.raises(BlockingIOError):
        StatePage(tmp_path / "inst-1.state")


def test_a_killed_process_loses_what_was_in_memory_and_the_next_one_says_exactly_what(
    make_client, gateway, tmp_path
):
    done = killed(RECORDS_AND_DIES, "http://127.0.0.1:9", str(tmp_path / "spool"), QUICK["key"], "40", "30")
    instance = done.stdout.strip()

    client = make_client()
    client.tool_call(name="later").record()
    gateway.wait_for(lambda _: losses(gateway.events) and names(gateway.events))

    (lost,) = losses(gateway.events)
    assert (lost["first"], lost["last"], lost["exact"]) == (1, 40, True)
    assert (lost["reason"], lost["instance"], lost["dropped"]) == ("process_killed", instance, 40)
    client.close()
    assert list((tmp_path / "spool").iterdir()) == []


def test_what_a_killed_process_had_written_is_sent_by_the_next_one_in_order(make_client, gateway, tmp_path):
    done = killed(RECORDS_AND_DIES, "http://127.0.0.1:9", str(tmp_path / "spool"), QUICK["key"], "700", "0")

    client = make_client()
    client.tool_call(name="later").record()
    events = gateway.wait_for(lambda _: len(names(gateway.events)) == 701)

    dead = [e for e in tool_calls(events) if e["source_instance"] == done.stdout.strip()]
    assert [event["source_seq"] for event in dead] == list(range(1, 701))
    assert losses(events) == []


def test_losses_are_counted_by_reports_settled_and_not_yet_settled(tmp_path):
    log = own_log(tmp_path, FACTS, 1 << 26)
    log.append([loss(1, 3), record(4), loss(5, 9)])
    log.read(2, 10_000)
    log.settle(2)
    log.close()

    again = reopened(tmp_path)

    assert (again.page.dropped, again.dropped) == (3, 8)
    assert drained(again) == [9]
    assert (again.page.dropped, again.dropped) == (8, 8)


def test_a_refusal_that_a_dead_process_told_of_and_had_not_settled_is_not_told_of_again(tmp_path):
    log = own_log(tmp_path, FACTS, 1 << 26)
    log.append([record(1)])
    report(log, REPORTER, Gap(1, 1, "refused:contract", 0))  # and then it died
    log.close()

    again = reopened(tmp_path)
    report(again, REPORTER, Gap(1, 1, "refused:contract", 5))
    report(again, REPORTER, Gap(1, 1, "refused:other", 5))

    assert again.dropped == 2
    assert drained(again) == [1, 1, 1]


def test_a_folder_above_its_bound_keeps_no_dead_instance_from_being_sent(make_client, gateway, tmp_path):
    client = make_client(spool_bytes=64 * 1024)
    facts = Facts("inst-1", "svc://checkout", "", client.settings.key_fingerprint, current_boot(), 1)
    log = own_log(tmp_path / "spool", facts, 1 << 26)
    event = b'{"event_id":"%d","event_type":"ai.tool_call","tool":{"name":"%s"}}'
    log.append([Record(Kind.EVENT, number, event % (number, b"x" * 20_000)) for number in range(1, 21)])
    log.page.set_recorded(23)
    log.abandon()
    client.tool_call(name="new").record()

    events = gateway.wait_for(losses)
    assert len([each for each in events if each["event_type"] == "ai.tool_call"]) >= 20
    assert [(each["first"], each["last"], each["reason"]) for each in losses(events)] == [
        (21, 23, "process_killed")
    ]


def test_what_waits_under_a_wrong_address_is_sent_once_the_address_is_corrected(
    make_client, gateway, tmp_path, monkeypatch
):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    gateway.behave = lambda request: request.answer(404)
    wrong = make_client(url=f"{gateway.url}/typo", spool="")
    wrong.tool_call(name="early").record()
    other = make_client(url=f"{gateway.url}/typo", spool="", source="svc://other")
    other.tool_call(name="other").record()
    assert not wrong.close(0.2)
    assert not other.close(0.2)

    gateway.behave = None
    make_client(spool="").tool_call(name="late").record()

    events = gateway.wait_for(lambda kept: len(tool_calls(kept)) >= 2)
    assert sorted(names(events)) == ["early", "late"]


class DiedError(BaseException):
    """The process is no more."""


@pytest.mark.parametrize("deleted", [0, 1])
def test_who_dies_while_a_spool_that_was_sent_is_deleted_leaves_nothing_to_report(
    make_client, gateway, tmp_path, monkeypatch, deleted
):
    with make_client(url="http://127.0.0.1:9") as client:
        client.tool_call(name="sent").record()
        client.close(0.1)
    (page,) = (tmp_path / "spool").glob("*.state")
    log = SpoolLog(page.parent, StatePage(page), 1 << 26)
    log.settle(len(log.read(7, 10_000)))
    unlink, unlinked = Path.unlink, []

    def die(path, *, missing_ok=False):
        if len(unlinked) == deleted:
            raise DiedError
        unlinked.append(path)
        unlink(path, missing_ok=missing_ok)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", die)
        with pytest.raises(DiedError):
            log.close()
    log.abandon()
    assert page.exists()

    with make_client() as client:
        client.tool_call(name="later").record()
        until = time.monotonic() + 10
        while page.exists():
            assert time.monotonic() < until
            time.sleep(0.01)
        assert client.flush(5)

    assert names(gateway.events) == ["later"]
    assert losses(gateway.events) == []
    assert list(page.parent.iterdir()) == []


def test_adopted_events_do_not_hold_up_ones_own(make_client, gateway, tmp_path):
    for _ in range(3):
        killed(RECORDS_AND_DIES, "http://127.0.0.1:9", str(tmp_path / "spool"), QUICK["key"], "40", "0")

    client = make_client(batch_events=5)
    client.tool_call(name="own").record()
    events = gateway.wait_for(lambda _: len(names(gateway.events)) == 121)

    assert names(events).index("own") < 15


def test_a_machine_that_stopped_is_told_of_with_the_reserved_numbers_as_bound(make_client, gateway, tmp_path):
    folder = tmp_path / "spool"
    client = make_client(url="http://127.0.0.1:9")
    client.tool_call(name="first").record()
    assert client.close(0.1) is False
    (page,) = folder.glob("*.state")
    data = page.read_bytes()
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip().encode()
    data = data.replace(boot, b"0" * len(boot))  # as of a run of the kernel before this one
    page.write_bytes(data[: 12 * 8] + bytes(8) + data[13 * 8 :])  # and not closed

    make_client().tool_call(name="later").record()
    events = gateway.wait_for(lambda _: losses(gateway.events) and len(names(gateway.events)) == 2)

    (lost,) = losses(events)
    assert (lost["first"], lost["last"], lost["exact"]) == (2, 1 << 16, False)
    assert lost["reason"] == "machine_stopped"
    assert sorted(names(events)) == ["first", "later"]


def test_a_client_that_was_closed_leaves_nothing_to_report_even_after_that(make_client, gateway, tmp_path):
    client = make_client(url="http://127.0.0.1:9")
    client.tool_call(name="first").record()
    client.close(0.1)
    (page,) = (tmp_path / "spool").glob("*.state")
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip().encode()
    page.write_bytes(page.read_bytes().replace(boot, b"0" * len(boot)))

    make_client().tool_call(name="later").record()
    events = gateway.wait_for(lambda _: len(names(gateway.events)) == 2)

    assert losses(events) == []


def test_who_closes_just_as_the_thread_has_let_go_of_the_log_touches_none_of_it(make_client, monkeypatch):
    def ends_after_it_was_looked_at() -> bool:
        threading.Thread.join(thread)
        return True

    others = set(threading.enumerate())  # that of a client closed in mid-request ends with the process
    client = make_client(url="http://127.0.0.1:9", heartbeat_s=60)
    client.tool_call(name="first").record()
    (thread,) = set(threading.enumerate()) - others
    monkeypatch.setattr(thread, "is_alive", ends_after_it_was_looked_at)

    assert client.close(0.1) is False


def test_events_for_another_key_are_left_alone_until_somebody_says_so(make_client, gateway, tmp_path, caplog):
    killed(RECORDS_AND_DIES, "http://127.0.0.1:9", str(tmp_path / "spool"), "an-older-key", "5", "0")

    with make_client() as client:
        client.tool_call(name="later").record()
        assert client.flush(5)
    assert names(gateway.events) == ["later"]
    (line,) = [each.getMessage() for each in caplog.records if "another key" in each.getMessage()]
    assert "an-older-key" not in line
    fingerprint = line.split("adopt=")[1].split()[0]

    with make_client(adopt=fingerprint) as client:
        client.tool_call(name="last").record()
        gateway.wait_for(lambda _: len(names(gateway.events)) == 7)


def test_a_new_key_of_the_same_tenant_sends_what_the_old_one_left(make_client, gateway):
    with make_client(key="old", tenant="acme", url="http://127.0.0.1:9") as client:
        client.tool_call(name="first").record()
        client.close(0.1)

    with make_client(key="new", tenant="acme") as client:
        client.tool_call(name="later").record()
        events = gateway.wait_for(lambda _: len(names(gateway.events)) == 2)

    assert {event["tenant_id"] for event in events} == {"acme"}


def test_a_page_that_is_none_is_left_alone(make_client, gateway, tmp_path, caplog):
    (tmp_path / "spool").mkdir()
    (tmp_path / "spool" / "junk.state").write_bytes(b"junk")

    with make_client() as client:
        client.tool_call(name="t").record()
        assert client.flush(5)

    assert names(gateway.events) == ["t"]
    assert "is left alone" in caplog.text
    assert (tmp_path / "spool" / "junk.state").read_bytes() == b"junk"


def test_without_a_folder_that_can_be_written_events_are_sent_from_memory(
    make_client, gateway, tmp_path, caplog
):
    (tmp_path / "file").write_text("in the way")

    client = make_client(spool=tmp_path / "file" / "spool")
    client.tool_call(name="t").record()

    assert client.flush(5)
    assert names(gateway.events) == ["t"]
    assert "no spool" in caplog.text


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_child_goes_on_as_an_instance_of_its_own(client, gateway):
    client.tool_call(name="before").record()
    parent = client.instance_id
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            client.tool_call(name="in the child").record()
            os.write(write, client.instance_id.encode())
            code = 0 if client.close(10) else 2
        finally:
            os._exit(code)
    os.close(write)
    child = os.read(read, 100).decode()
    os.close(read)
    assert os.waitpid(pid, 0)[1] == 0
    client.tool_call(name="after").record()

    assert client.flush(10)
    found = {event["tool"]["name"]: event for event in tool_calls(gateway.events)}
    assert len(names(gateway.events)) == 3
    assert found["before"]["source_instance"] == found["after"]["source_instance"] == parent
    assert (found["in the child"]["source_instance"], found["in the child"]["source_seq"]) == (child, 1)
    assert child != parent
    assert found["after"]["source_seq"] == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_client_that_was_closed_touches_no_file_in_a_forked_child(make_client, gateway):
    closed, client = make_client(), make_client()
    closed.tool_call(name="of the closed one").record()
    assert closed.close(10)
    taken = [os.open(os.devnull, os.O_RDONLY) for _ in range(8)]  # among them the numbers of its files
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            for each in taken:
                os.fstat(each)
            client.tool_call(name="in the child").record()
            code = 0 if client.close(10) else 2
        finally:
            os._exit(code)
    for each in taken:
        os.close(each)

    assert os.waitpid(pid, 0)[1] == 0
    assert "in the child" in names(gateway.events)


def in_worker(client: Any) -> None:
    client.tool_call(name="in the worker").record()


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_worker_of_multiprocessing_sends_what_it_has_at_its_end(make_client, gateway):
    client = make_client(batch_age_s=3600)
    client.tool_call(name="before").record()
    worker = multiprocessing.get_context("fork").Process(target=in_worker, args=(client,))
    worker.start()
    worker.join(20)

    assert worker.exitcode == 0
    gateway.wait_for(lambda _: "in the worker" in names(gateway.events))


ENDS = """
import sys
from auditstream_sdk import AuditClient
client = AuditClient(url=sys.argv[1], key="k", source="svc://checkout", spool=sys.argv[2], batch_age_s=3600)
for number in range(1000):
    client.tool_call(name=f"t{number}").record()
"""


def test_a_process_that_ends_sends_what_it_has(gateway, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", ENDS, gateway.url, str(tmp_path / "spool")],
        capture_output=True,
        text=True,
        timeout=30,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert len(names(gateway.events)) == 1000
    (beat,) = gateway.of_type("ai.source.heartbeat")
    assert beat["heartbeat"]["last_seq"] == 1000
