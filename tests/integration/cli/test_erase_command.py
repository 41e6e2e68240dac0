"""`auditstream erase` and `unseal`: what they refuse, and that nothing is destroyed that no event tells
of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from auditstream.cli import announcing, erase, unseal
from auditstream.core.settings import load
from auditstream.embedded.loopback_ports import free_port
from auditstream.identity.keyring import DataKey, KeyDestroyedError
from auditstream.identity.keys import Keys, opened_keys
from auditstream.reference.kinds import Entry
from auditstream.reference.limits import Hold
from schemas.codec import decode
from schemas.framing import prefix
from schemas.packaged import schema_json
from sinks.reference import connect_reference
from tests.support.brokers import Broker
from tests.support.command_line import Run, command_line, rows_of
from tests.support.facts import day

ERASE = ("erase", "--tenant", "acme", "--ground", "asked for", "--subject")


@pytest.fixture
def run(deployed: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs commands on a topic and a database of the test's own."""
    monkeypatch.setenv("AUDITSTREAM_ACTOR", "mara")
    runs = command_line(monkeypatch, erase, unseal)
    capsys.readouterr()
    return runs


@pytest.fixture
def keys(run: Run) -> Iterator[Keys]:
    with opened_keys(load(), create=True) as opened:
        yield opened


def key_of(keys: Keys, person: str, month: str = "2026-01") -> DataKey:
    return keys.ring.data_key("acme", keys.hmac("acme").pseudonym(person), month)


def certificates(broker: Broker, topic: str) -> list[dict[str, Any]]:
    count = sum(broker.end_offsets(topic).values())
    values = [message.value() for message in broker.consume(topic, count)]
    events = [decode(value.removeprefix(prefix(1)), schema_json("audit_event")) for value in values]
    return [event for event in events if event["event_type"] == "ai.key.lifecycle"]


def is_alive(keys: Keys, key: DataKey) -> bool:
    """Return whether the keyring, whose memory is asked first, has the key when asked anew."""
    with opened_keys(load()) as fresh:
        try:
            return fresh.ring.key(key.tenant, key.key_id) == key
        except KeyDestroyedError:
            return False


def test_the_certificate_names_keys_ground_and_approvers_and_no_person(
    run: Run, keys: Keys, broker: Broker, topic: str, capsys: pytest.CaptureFixture[str]
) -> None:
    made = [key_of(keys, "ada@example.com", month) for month in ("2026-01", "2026-02")]
    other = key_of(keys, "grace")

    assert run(*ERASE, "ada@example.com", "--approver", "ben", "--approver", "zoe") == 0

    rows = rows_of(capsys.readouterr().out)
    assert [(row["key_id"], row["month"]) for row in rows] == [(key.key_id, key.month) for key in made]
    (event,) = certificates(broker, topic)
    assert event["access"]["activity"] == "destroy"
    assert event["access"]["scopes"] == [key.key_id for key in made]
    assert event["access"]["subject_id"] == keys.hmac("acme").pseudonym("ada@example.com")
    assert (event["tenant_id"], event["actor_id"], event["source"]) == (
        "acme",
        "mara",
        "urn:auditstream:erase",
    )
    assert event["attributes"] == {
        "ground": "asked for", "approvers": "ben zoe", "months": "2026-01 2026-02", "sealed_events": "0"
    }  # fmt: skip
    assert "ada" not in repr(event)
    assert [is_alive(keys, each) for each in (*made, other)] == [False, False, True]


def test_a_subject_may_be_named_by_its_pseudonym(run: Run, keys: Keys) -> None:
    made = key_of(keys, "ada")

    assert run(*ERASE, keys.hmac("acme").pseudonym("ada")) == 0

    assert not is_alive(keys, made)


@pytest.mark.parametrize("scope", [{}, {"subject": "ada"}, {"actor_id": ""}, {"project_id": "p"}], ids=str)
def test_what_a_hold_covers_is_not_erased(
    run: Run,
    keys: Keys,
    broker: Broker,
    topic: str,
    scope: dict[str, str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    made = key_of(keys, "ada")
    scope = {name: value or keys.hmac("acme").pseudonym("ada") for name, value in scope.items()}
    hold = Hold(hold_id="case-7", tenant_id="acme", ground="litigation", scope=scope, valid_from=day(0))
    store = connect_reference(load().clickhouse)
    store.append([Entry(hold, "test")], base=0, actor="legal")
    store.close()

    assert run(*ERASE, "ada") == 5

    assert "case-7: litigation" in capsys.readouterr().err
    assert is_alive(keys, made)
    assert certificates(broker, topic) == []


def test_without_enough_others_who_approve_nothing_is_erased(
    run: Run, keys: Keys, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = key_of(keys, "ada")
    monkeypatch.setenv("AUDITSTREAM_KEYS__APPROVERS", "2")

    assert run(*ERASE, "ada", "--approver", "ben", "--approver", "ben", "--approver", "mara") == 5

    assert "1 others approve, 2 are wanted" in capsys.readouterr().err
    assert is_alive(keys, made)
    assert run(*ERASE, "ada", "--approver", "ben", "--approver", "zoe") == 0


@pytest.mark.parametrize("away", ["KAFKA__BROKERS", "REGISTRY__URL", "CLICKHOUSE__PORT"])
def test_when_nobody_can_be_told_or_asked_for_holds_nothing_is_erased(
    run: Run, keys: Keys, away: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = key_of(keys, "ada")
    monkeypatch.setattr(announcing, "ACKNOWLEDGED_WITHIN_S", 1.0)
    port = str(free_port())
    there = {"KAFKA__BROKERS": f"127.0.0.1:{port}", "REGISTRY__URL": f"http://127.0.0.1:{port}"}
    monkeypatch.setenv(f"AUDITSTREAM_{away}", there.get(away, port))
    monkeypatch.setenv("AUDITSTREAM_ACCESS__WITHIN_S", "0.5")

    assert run(*ERASE, "ada") == 6

    assert is_alive(keys, made)


def test_a_subject_without_keys_is_remembered_and_the_command_says_so(
    run: Run, keys: Keys, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*ERASE, "nobody-knows") == 0

    out, err = capsys.readouterr()
    assert (out, "nothing was sealed for this subject" in err) == ("", True)
    with pytest.raises(KeyDestroyedError):
        key_of(keys, "nobody-knows")


def test_a_deployment_without_keys_is_told_so(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*ERASE, "ada") == 78

    assert "there is no keyring" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "value"), [("--ground", " "), ("--subject", ""), ("--tenant", "a\nb"), ("--ground", "x" * 501)]
)
def test_words_that_say_nothing_are_refused(run: Run, keys: Keys, option: str, value: str) -> None:
    given = {"--tenant": "acme", "--subject": "ada", "--ground": "asked for"} | {option: value}

    assert run("erase", *(part for pair in given.items() for part in pair)) == 2


def test_an_event_that_is_not_there_is_not_unsealed(run: Run, keys: Keys) -> None:
    assert run("unseal", "0197f3a0-1c2b-7d4e-8f00-123456789abc") == 4
    assert run("unseal", "no event id") == 2
