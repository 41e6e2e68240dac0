"""`auditstream seal` and `auditstream witness` with a broker, a registry and a store: what a person types."""

from __future__ import annotations

import hashlib
import shutil
import urllib.request
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from auditstream.cli import announcing, seal, witness
from auditstream.core.settings import load
from auditstream.embedded.loopback_ports import free_port
from auditstream.emit.key_rotations import vkey_hash
from auditstream.ledger.checkpoints import open_checkpoint
from auditstream.ledger.leaves import LeafRun, value_hashes
from auditstream.ledger.log_list import open_log_list
from auditstream.ledger.merkle import root_of
from auditstream.ledger.policies import parse_policy
from auditstream.ledger.vkeys import parse_vkeys
from auditstream.sealer.key_file import load_ring
from schemas.codec import decode
from schemas.framing import prefix
from schemas.packaged import schema_json
from sinks.clickhouse import connect
from sinks.clients import http_client
from tests.support.blocks import LOG, NOON, block_of, event_id_at
from tests.support.brokers import Broker
from tests.support.command_line import Run, command_line, rows_of
from tests.support.commands import started

DEPLOYMENT = "auditstream.local/local"
ORIGIN = f"{DEPLOYMENT}/{LOG}"
VALUE = b"\x00\x00\x00\x00\x01"


@pytest.fixture
def run(deployed: None, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs commands on a topic and a database of the test's own."""
    monkeypatch.setenv("AUDITSTREAM_EVIDENCE__EVERY_S", "0.2")
    return command_line(monkeypatch, seal, witness)


def hashes(count: int, *, first: int = 0, value: bytes = VALUE) -> list[bytes]:
    indexes = range(first, first + count)
    return LeafRun(
        kinds=[0] * count,
        first_index=first,
        offsets=list(indexes),
        timestamps_ms=[int(NOON.timestamp() * 1_000)] * count,
        event_ids=[event_id_at(LOG, index).bytes for index in indexes],
        value_sha256=value_hashes([value] * count),
    ).hashes()


def record(first: int, count: int, value: bytes = VALUE) -> None:
    sink = connect(load().clickhouse)
    leaf_hashes = hashes(count, first=first, value=value)
    block = block_of(lo=first, rows=count, leaf_hash=leaf_hashes, raw=value)
    sink.insert(block, insert_by_s=4e9, timeout_s=20)
    sink.close()


def forget() -> None:
    client = http_client(load().clickhouse)
    for table in ("events", "segment_ranges"):
        client.command(f"TRUNCATE TABLE {table}")
    client.close()


def published(folder: Path) -> tuple[int, bytes]:
    keys = parse_vkeys((folder / "evidence" / "vkeys.txt").read_bytes()).signers(ORIGIN)
    checkpoint = open_checkpoint(
        (folder / "evidence" / str(LOG) / "checkpoint").read_bytes(), *keys
    ).checkpoint
    return checkpoint.size, checkpoint.root


def test_without_a_key_it_says_the_command(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("seal", "--once") == 78
    assert "auditstream seal keys new" in capsys.readouterr().err
    assert run("seal") == 78


def test_once_seals_what_is_recorded_and_prints_it(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record(0, 300)
    assert run("seal", "keys", "new") == 0
    capsys.readouterr()

    assert run("seal", "--once") == 0

    (row,) = rows_of(capsys.readouterr().out)
    assert (row["log_id"], row["size"], row["state"]) == (str(LOG), 300, "sealed")
    assert published(tmp_path) == (300, root_of(hashes(300)))
    client = http_client(load().clickhouse)
    assert client.query("SELECT log_id, tree_size FROM checkpoints").result_rows == [(str(LOG), 300)]
    client.close()
    known = parse_vkeys((tmp_path / "evidence" / "vkeys.txt").read_bytes())
    listed = open_log_list((tmp_path / "evidence" / "logs").read_bytes(), *known.signers(DEPLOYMENT))
    assert [(log.origin, log.size) for log in listed.logs] == [(ORIGIN, 300)]


def test_rows_that_contradict_what_was_signed_end_with_3_and_name_it(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Fault 29: the published folder is an old copy, and the rows since then were written anew."""
    record(0, 300)
    run("seal", "keys", "new")
    assert run("seal", "--once") == 0
    shutil.copytree(tmp_path / "evidence", tmp_path / "old")
    record(300, 100)
    assert run("seal", "--once") == 0
    shutil.rmtree(tmp_path / "evidence")
    shutil.copytree(tmp_path / "old", tmp_path / "evidence")
    forget()
    record(0, 300)
    record(300, 100, value=b"\x00\x00\x00\x00\x01forged")
    capsys.readouterr()

    assert run("seal", "--once") == 3

    out, err = capsys.readouterr()
    assert "error[seal_refused]: size 400" in err
    assert rows_of(out)[0]["state"] == "seal_refused"
    assert published(tmp_path)[0] == 300


def test_a_store_that_is_behind_ends_with_6_and_nothing_smaller_is_signed(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record(0, 300)
    run("seal", "keys", "new")
    run("seal", "--once")
    before = published(tmp_path)
    forget()
    record(0, 299)
    capsys.readouterr()

    assert run("seal", "--once") == 6

    assert "error[store_behind]: size 300" in capsys.readouterr().err
    assert published(tmp_path) == before


def test_a_lost_memory_is_adopted_only_when_somebody_says_so(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record(0, 300)
    run("seal", "keys", "new")
    run("seal", "--once")
    (tmp_path / "seal" / str(LOG) / "signed").unlink()
    record(300, 10)

    assert run("seal", "--once") == 1
    assert "error[seal_memory_lost]" in capsys.readouterr().err
    assert run("seal", "adopt", str(LOG)) == 0
    assert rows_of(capsys.readouterr().out)[0]["size"] == 300
    assert run("seal", "--once") == 0
    assert published(tmp_path) == (310, root_of(hashes(310)))
    assert run("seal", "adopt", str(LOG)) == 6  # the memory is there


# Keys


def events_on(broker: Broker, topic: str) -> list[dict[str, Any]]:
    values = [message.value() for message in broker.consume(topic, sum(broker.end_offsets(topic).values()))]
    return [decode(value.removeprefix(prefix(1)), schema_json("audit_event")) for value in values]


def test_a_rotation_is_an_event_for_each_key_before_the_new_one_signs(
    run: Run, broker: Broker, topic: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record(0, 300)
    run("seal", "keys", "new")
    run("seal", "--once")
    capsys.readouterr()

    assert run("seal", "keys", "rotate", "--actor", "mara") == 0

    assert [row["generation"] for row in rows_of(capsys.readouterr().out)] == [1, 2]
    ring = load_ring(tmp_path / "seal" / "key")
    found = {event["change"]["object_id"]: event for event in events_on(broker, topic)}
    assert set(found) == {DEPLOYMENT, ORIGIN}
    for name, event in found.items():
        before, after = ring.verifiers(name)
        assert event["event_type"] == "ai.config.change"
        assert (event["actor_id"], event["change"]["object_type"]) == ("mara", "evidence_key")
        assert event["change"]["before_hash"] == vkey_hash(before)
        assert event["change"]["after_hash"] == hashlib.sha256(after.text.encode()).hexdigest()
        assert event["attributes"] == {"vkey": after.text, "generation": "2"}
    record(300, 1)
    assert run("seal", "--once") == 0
    assert published(tmp_path) == (301, root_of(hashes(301)))


@pytest.mark.parametrize("away", ["KAFKA__BROKERS", "REGISTRY__URL"])
def test_a_rotation_that_nobody_can_be_told_of_changes_nothing(
    run: Run, away: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run("seal", "keys", "new")
    before = (tmp_path / "seal" / "key").read_bytes()
    nobody = f"127.0.0.1:{free_port()}"
    monkeypatch.setattr(announcing, "ACKNOWLEDGED_WITHIN_S", 1.0)
    monkeypatch.setenv(f"AUDITSTREAM_{away}", f"http://{nobody}" if away == "REGISTRY__URL" else nobody)

    assert run("seal", "keys", "rotate") == 6

    assert "nothing was changed" in capsys.readouterr().err
    assert (tmp_path / "seal" / "key").read_bytes() == before


def test_a_lost_secret_is_replaced_and_told_of_and_logs_go_on(
    run: Run, broker: Broker, topic: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record(0, 300)
    run("seal", "keys", "new")
    run("seal", "--once")
    (tmp_path / "seal" / "key").unlink()
    record(300, 1)

    assert run("seal", "keys", "new", "--former", tmp_path / "evidence" / "vkeys.txt") == 0
    assert run("seal", "--once") == 0

    assert published(tmp_path) == (301, root_of(hashes(301)))
    assert {event["change"]["object_id"] for event in events_on(broker, topic)} == {DEPLOYMENT, ORIGIN}


def test_a_key_that_exists_is_left_alone(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("seal", "keys", "new", "--vkey-file", tmp_path / "public") == 0
    before = (tmp_path / "seal" / "key").read_bytes()
    first = capsys.readouterr().out

    assert run("seal", "keys", "new") == 78
    assert run("seal", "keys", "new", "--if-missing", "--vkey-file", tmp_path / "public") == 0
    assert capsys.readouterr().out == first
    assert run("seal", "keys", "show") == 0
    assert capsys.readouterr().out == first
    assert (tmp_path / "seal" / "key").read_bytes() == before
    assert parse_vkeys((tmp_path / "public").read_bytes()).keys == load_ring(
        tmp_path / "seal" / "key"
    ).verifiers(DEPLOYMENT)


# The witness


def test_the_line_of_a_witness_is_one_of_a_policy(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = tmp_path / "policy"
    assert run("witness", "keys", "new", "--name", "w/1", "--url", "http://h:1", "--policy-file", policy) == 0
    line = capsys.readouterr().out

    (known,) = parse_policy(policy.read_bytes()).witnesses
    assert line == f"witness w/1 {known.key.text} http://h:1\n"
    assert run("witness", "keys", "new", "--name", "w/1") == 78
    assert run("witness", "keys", "new", "--name", "w/1", "--if-missing") == 0
    assert run("witness", "keys", "show") == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"witness w/1 {known.key.text}"


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        ((), 2, "no log to witness"),
        (("--trust-deployment", "x"), 2, "go together"),
        (("--trust-deployment", "x", "--logs", "y"), 78, "key"),
        (("--trust", "nowhere"), 2, "No such file"),
        (("--listen", "here"), 2, "HOST:PORT"),
        (("--listen", "127.0.0.1:0"), 2, "HOST:PORT"),
    ],
)
def test_a_witness_that_is_told_too_little_says_what_is_missing(
    run: Run, arguments: tuple[str, ...], code: int, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run("witness", "keys", "new", "--name", "w/1")

    assert run("witness", *arguments) == code
    assert reason in capsys.readouterr().err


@pytest.fixture
def policy(run: Run, tmp_path: Path) -> Iterator[Path]:
    """A policy that asks for a witness on a free port."""
    path, url = tmp_path / "policy", f"http://127.0.0.1:{free_port()}"
    run("seal", "keys", "new", "--vkey-file", tmp_path / "public")
    run("witness", "keys", "new", "--name", "w/1", "--url", url, "--policy-file", path)
    return path


def counted(port: int, size: int) -> bool:
    """Return whether the metrics tell of a cosignature and of the size."""
    metrics = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5).read().decode()
    cosigned = 'auditstream_witness_answers_total{reason="cosigned",witness="w/1"}' in metrics
    return cosigned and f'auditstream_sealed_size{{partition="0",topic="{LOG.topic}"}} {size}.0' in metrics


@pytest.mark.long
def test_sealer_and_witness_as_processes_through_kills(
    run: Run, policy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUDITSTREAM_EVIDENCE__POLICY_FILE", str(policy))
    monkeypatch.setenv("AUDITSTREAM_EVIDENCE__METRICS_PORT", str(port := free_port()))
    known = parse_policy(policy.read_bytes())
    url = known.witnesses[0].url or ""
    arguments = ["--listen", url.removeprefix("http://"), "--trust-deployment", str(tmp_path / "public")]
    arguments += ["--logs", str(tmp_path / "evidence")]
    ring = load_ring(tmp_path / "seal" / "key")
    size = 0

    def is_witnessed() -> bool:
        file = tmp_path / "evidence" / str(LOG) / "checkpoint"
        if not file.exists():
            return False
        keys = [witness.key for witness in known.witnesses]
        opened = open_checkpoint(file.read_bytes(), *ring.verifiers(ORIGIN), cosigners=keys)
        assert known.is_met_by(each.key for each in opened.by_cosigners)
        assert opened.checkpoint.root == root_of(hashes(opened.checkpoint.size))
        return opened.checkpoint.size == size

    for killed in ("nobody", "witness", "sealer", "witness"):
        record(size, 50)
        size += 50
        with started("witness", *arguments, data_dir=tmp_path) as witnessing:
            witnessing.wait_for("answers on", within_s=30)
            with started("seal", data_dir=tmp_path) as sealing:
                sealing.wait_until(is_witnessed, within_s=40, what=f"{size} leaves witnessed")
                sealing.wait_until(partial(counted, port, size), within_s=10, what="metrics")
                if killed == "sealer":
                    sealing.process.kill()
                else:
                    sealing.process.terminate()
                    sealing.end()
                    assert sealing.process.returncode == 0, sealing.errors
            if killed == "witness":
                witnessing.process.kill()
            else:
                witnessing.process.terminate()
                witnessing.end()
                assert witnessing.process.returncode == 0, witnessing.errors
