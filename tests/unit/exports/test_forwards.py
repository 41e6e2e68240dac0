"""A file of forwards is read, or refused with forward, field and reason; messages are as the RFCs say."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from auditstream.core.errors import ConfigError, RequestError, RetryableError
from auditstream.exports.forms import DOCUMENTS
from auditstream.exports.forwarding import MOST_RECORDS, Forwarding, PlaceFile
from auditstream.exports.forwards import Forward, read_forwards
from auditstream.exports.records import Record
from auditstream.exports.syslog import framed, message_of
from tests.support.exported_rows import Arriving, records

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "forward.md"

Read = Callable[..., Sequence[Forward]]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def reading(text: str, mode: int = 0o600) -> Sequence[Forward]:
        path = tmp_path / "forwards.yaml"
        path.write_text(text)
        path.chmod(mode)
        return read_forwards(path)

    return reading


def test_the_file_of_the_page_is_read(read: Read) -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    siem, lake = read(text)

    assert (siem.address, siem.form, siem.is_syslog) == (("siem.example", 6514), "ocsf", True)
    assert (lake.receiver, lake.form, lake.is_syslog) == ("https://lake.example", "cloudevents", False)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ("to: syslog://siem.example", r"forward 1: to: must be syslog\+tls:// or https://"),
        ("to: http://siem.example/x", "forward 1: to: must be"),
        ("to: https://user:pw@siem.example", "forward 1: to: has a password in it"),
        ("to: syslog+tls://siem.example/path", r"forward 1: to: must be syslog\+tls://HOST"),
        ("to: syslog+tls://siem.example:99999", "forward 1: to: has no valid port"),
        ("to: https://x.example\n  query: tol:x", "forward 1: query: position 1: unknown field tol"),
        ("to: https://x.example\n  form: xml", "forward 1: form: "),
        ("to: https://x.example\n  ca_file: ca.pem", "forward 1: ca_file, cert_file: are for syslog"),
        (f"to: syslog+tls://s.example\n  secrets: [{SECRET}]", "forward 1: secrets: sign webhooks"),
        ("to: syslog+tls://s.example\n  cert_file: c.pem", "forward 1: cert_file and key_file: one is given"),
        ("to: https://x.example\n  secrets: [hunter2]", "forward 1: secrets: a webhook's secret must be"),
        ("to: https://x.example\n  most_bytes: 10", "forward 1: most_bytes: "),
        ("to: https://x.example\n  colour: red", "forward 1: colour: "),
        ("form: ocsf", "forward 1: to: Field required"),
    ],
)
def test_a_wrong_forward_is_refused_with_field_and_reason(read: Read, fields: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason) as refused:
        read(f"forwards:\n- forward_id: siem\n  {fields}\n")

    assert "hunter2" not in refused.value.message


def test_a_file_that_others_may_read_or_with_a_name_twice_is_refused(read: Read) -> None:
    one = "- {forward_id: siem, to: https://x.example}\n"
    with pytest.raises(ConfigError, match=r"forward\.file: .* can be read"):
        read(f"forwards:\n{one}", 0o644)
    with pytest.raises(ConfigError, match="forward_id: siem comes twice"):
        read(f"forwards:\n{one}{one}")


def record(**columns: object) -> Record:
    return {**records(1)[0], **columns}


def test_a_message_has_the_header_of_rfc_5424_and_json_of_ascii_alone() -> None:
    one = record(severity=4, agent_name="Zoë", event_time=datetime(2026, 3, 1, 1, 2, 3, 45_000, UTC))
    message = message_of(one, DOCUMENTS["jsonl"](one), "host one", most_bytes=65_536)
    head, _, body = message.partition(b" {")

    assert head == b"<107>1 2026-03-01T01:02:03.045000Z host_one auditstream - ai.inference -"
    assert json.loads(b"{" + body)["agent_name"] == "Zoë"
    assert message.isascii()
    assert framed(message) == f"{len(message)} ".encode() + message


@pytest.mark.parametrize(
    ("severity", "priority"), [(0, 110), (1, 110), (2, 109), (3, 108), (4, 107), (5, 106), (6, 105)]
)
def test_severities_are_syslog_s_of_facility_log_audit(severity: int, priority: int) -> None:
    message = message_of(record(severity=severity), {}, "h", most_bytes=65_536)

    assert message.startswith(f"<{priority}>1 ".encode())


def test_names_in_a_header_are_cut_and_have_no_blanks() -> None:
    message = message_of(record(event_type="x" * 60), {}, "é" * 300, most_bytes=65_536)
    _, _, host, _, _, kind, _, _ = message.split(b" ")

    assert (host, kind) == (b"_" * 255, b"x" * 32)


def test_what_is_too_long_says_so_and_where_the_event_is() -> None:
    big = record(attributes={"k": "v" * 5_000})
    message = message_of(big, DOCUMENTS["jsonl"](big), "h", most_bytes=2_048)
    said = json.loads(message.split(b" ", 7)[7])

    assert len(message) < 2_048
    assert (said["event_id"], said["leaf_index"], said["log_id"]) == (big["event_id"], 0, "events/0/0a")
    assert said["left_out_bytes"] > 5_000


class Taking:
    """Takes batches, or does not."""

    def __init__(self) -> None:
        self.batches: list[tuple[str, list[str]]] = []
        self.is_away = False

    def deliver(self, records: Sequence[Record], batch_id: str) -> int:
        if self.is_away:
            raise RetryableError("away")
        self.batches.append((batch_id, [each["event_id"] for each in records]))
        return len(records)

    def close(self) -> None:
        pass


def test_a_place_moves_when_all_that_came_before_is_taken(tmp_path: Path) -> None:
    arriving, outlet, place = Arriving(MOST_RECORDS + 3), Taking(), PlaceFile(tmp_path / "p" / "siem.json")
    with place.held():
        under_way = Forwarding(arriving.follower(), outlet, place)
        begun = place.read()
        assert under_way.step() == MOST_RECORDS
        outlet.is_away = True
        with pytest.raises(RetryableError):
            under_way.step()
        assert place.read() == begun
        outlet.is_away = False
        assert [under_way.step(), under_way.step()] == [3, 0]
        arriving.count += 2
        assert under_way.step() == 2

    assert place.read() == under_way._follower.position != begun
    assert [event for _, batch in outlet.batches for event in batch] == [
        each["event_id"] for each in records(MOST_RECORDS + 5)
    ]
    assert (under_way.events, under_way.size_bytes) == (MOST_RECORDS + 5, MOST_RECORDS + 5)


def test_the_same_batch_has_the_same_id_and_another_another(tmp_path: Path) -> None:
    ids = []
    for count in (3, 3, 4):
        outlet = Taking()
        Forwarding(Arriving(count).follower(), outlet, PlaceFile(tmp_path / "siem.json")).step()
        ids.append(outlet.batches[0][0])

    assert ids[0] == ids[1] != ids[2]


def test_two_processes_do_not_forward_the_same(tmp_path: Path) -> None:
    with (
        PlaceFile(tmp_path / "siem.json").held(),
        pytest.raises(RequestError, match="another process"),
        PlaceFile(tmp_path / "siem.json").held(),
    ):
        pass


@pytest.mark.parametrize("text", ["", "{}", '{"auditstream-forward/v1": "x"}', "[1]"])
def test_a_place_that_is_none_is_an_error_and_no_new_beginning(tmp_path: Path, text: str) -> None:
    (tmp_path / "siem.json").write_text(text)
    with pytest.raises(ConfigError, match="is not the place of a forward"):
        PlaceFile(tmp_path / "siem.json").read()
