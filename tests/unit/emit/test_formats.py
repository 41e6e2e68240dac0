"""The formats: what a line becomes, and what is said of a line that is no event."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from auditstream.core.errors import RequestError
from auditstream.emit.formats import FORMATS
from auditstream.emit.model_call import event_id
from auditstream.emit.reading import Accepted, Options, Reading, Refused
from auditstream.emit.source import opened
from tests.support.shared_data import shared_file

AZURE = (
    b"TIMESTAMP,ContextTokens,GeneratedTokens\r\n"
    b"2023-11-16 18:15:46.6805907,374,44\r\n"
    b"2023-11-16 18:15:50.9951690,396,109\r\n"
)
MOONCAKE = (
    b'{"timestamp": 0, "input_length": 6758, "output_length": 500, "hash_ids": [0, 1, 2]}\n'
    b'{"timestamp": 27482, "input_length": 7322, "output_length": 490, "hash_ids": [0, 1, 9]}\n'
    b'{"timestamp": 30535, "input_length": 100, "output_length": 1, "hash_ids": [0]}\n'
)
EVENT = {
    "event_id": "0197f3a0-1c2b-7d4e-8f00-123456789abc",
    "event_type": "ai.tool_call",
    "event_time": "2026-03-01T12:30:15.123456Z",
    "source": "svc://checkout",
}

Read = Callable[..., list[Reading]]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Read bytes as a file of a format."""

    def reading(name: str, content: bytes, **options: Any) -> list[Reading]:
        path = tmp_path / "events"
        path.write_bytes(content)
        with opened(str(path)) as source:
            return list(FORMATS[name](source, Options(**options)))

    return reading


def datums(readings: list[Reading]) -> list[dict[str, Any]]:
    assert all(isinstance(reading, Accepted) for reading in readings), readings
    return [dict(reading.datum) for reading in readings if isinstance(reading, Accepted)]


def lines(*events: Any) -> bytes:
    return b"".join(json.dumps(event).encode() + b"\n" for event in events)


def test_a_row_of_the_azure_trace_is_an_inference_with_its_tokens(read: Read) -> None:
    first, second = datums(read("azure-llm", AZURE, tenant="acme", provider="azure", model="gpt-35"))

    assert first["event_type"] == "ai.inference"
    assert first["event_time"] == datetime(2023, 11, 16, 18, 15, 46, 680590, UTC)
    assert first["tenant_id"] == "acme"
    assert (first["usage"]["input_tokens"], first["usage"]["output_tokens"]) == (374, 44)
    assert (first["inference"]["provider"], first["inference"]["request_model"]) == ("azure", "gpt-35")
    assert first["conversation_id"] != second["conversation_id"]
    assert second["source_seq"] == 3


def test_the_columns_of_the_azure_trace_may_stand_in_any_order_among_others(read: Read) -> None:
    content = b"GeneratedTokens,id,TIMESTAMP,ContextTokens\n5,a,2024-05-10 00:00:00.009930+00:00,7\n"

    (datum,) = datums(read("azure-llm", content))

    assert (datum["usage"]["input_tokens"], datum["usage"]["output_tokens"]) == (7, 5)
    assert datum["event_time"] == datetime(2024, 5, 10, 0, 0, 0, 9930, UTC)


def test_a_start_moves_the_azure_trace_and_keeps_its_gaps(read: Read) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)

    first, second = datums(read("azure-llm", AZURE, start=start))

    assert first["event_time"] == start
    assert second["event_time"] - start == timedelta(seconds=4, microseconds=314579)


def test_a_line_of_mooncake_is_so_many_milliseconds_after_the_start(read: Read) -> None:
    first, second, third = datums(read("mooncake", MOONCAKE))
    later = datums(read("mooncake", MOONCAKE, start=datetime(2026, 5, 1, tzinfo=UTC)))

    assert first["event_time"] == datetime(2025, 1, 1, tzinfo=UTC)
    assert second["event_time"] == datetime(2025, 1, 1, 0, 0, 27, 482000, UTC)
    assert (third["usage"]["input_tokens"], third["usage"]["output_tokens"]) == (100, 1)
    assert later[1]["event_time"] == datetime(2026, 5, 1, 0, 0, 27, 482000, UTC)


def test_calls_that_share_their_first_two_blocks_are_one_conversation(read: Read) -> None:
    first, second, third = datums(read("mooncake", MOONCAKE))

    assert first["conversation_id"] == second["conversation_id"] != third["conversation_id"]


@pytest.mark.parametrize(("name", "content"), [("azure-llm", AZURE), ("mooncake", MOONCAKE)])
def test_the_same_file_gives_the_same_events_and_another_file_others(
    read: Read, name: str, content: bytes
) -> None:
    once, again = read(name, content), read(name, content)
    other = read(name, content + b"\n")

    assert once == again
    ids = [datum["event_id"] for datum in datums(once)]
    assert len(set(ids)) == len(ids)
    assert not set(ids) & {datum["event_id"] for datum in datums(other)}


def test_an_event_id_is_a_version_7_uuid_of_time_file_and_line() -> None:
    time = datetime(2023, 11, 16, 18, 15, 46, 680590, UTC)
    file_hash = bytes(range(32))

    made = event_id(time, file_hash, 2)

    digest = hashlib.sha256(file_hash + bytes([0, 0, 0, 0, 0, 0, 0, 2])).digest()
    assert made.version == 7
    assert made.variant == UUID(int=0x8 << 60).variant
    assert made.int >> 80 == 1700158546680
    assert made.bytes[6] & 0x0F == digest[0] & 0x0F
    assert made.bytes[9:] == digest[3:10]


def test_an_event_as_json_is_taken_as_it_is(read: Read) -> None:
    (datum,) = datums(read("auditstream", lines(EVENT | {"tenant_id": "acme"})))

    assert datum["event_id"] == UUID(EVENT["event_id"])
    assert datum["tenant_id"] == "acme"


def test_the_tenant_of_the_options_is_for_events_that_name_none(read: Read) -> None:
    named, empty, absent = datums(
        read(
            "auditstream",
            lines(EVENT | {"tenant_id": "globex"}, EVENT | {"tenant_id": ""}, EVENT),
            tenant="acme",
        )
    )

    assert [d["tenant_id"] for d in (named, empty, absent)] == ["globex", "acme", "acme"]


@pytest.mark.parametrize(
    ("name", "content", "refusal"),
    [
        ("auditstream", b"{", "line 1: line: is not JSON"),
        ("auditstream", b'{"severity": NaN}', "line 1: line: is not JSON: NaN"),
        ("auditstream", b"[1]", "line 1: line: is not a JSON object"),
        ("auditstream", b'{"a\xff": 1}', "line 1: line: is not UTF-8 at byte 3"),
        ("auditstream", b'{"source": "a", "source": "b"}', "line 1: source: is given twice"),
        ("auditstream", b"[" * 100_000, "line 1: line: is not JSON"),
        ("auditstream", lines({**EVENT, "event_id": 7}), "line 1: event_id: expected a UUID"),
        ("auditstream", lines({"event_type": "x"}), "line 1: event_id: is required"),
        ("auditstream", lines({**EVENT, "http_status": 7}), "line 1: http_status: is not an HTTP status"),
        (
            "auditstream",
            lines({**EVENT, "usage": {"cache_read_tokens": 1}}),
            "line 1: usage.cache_read_tokens: is given without input_tokens",
        ),
        ("azure-llm", AZURE + b"2023-11-16,1\r\n", "line 4: line: has 2 columns, not 3"),
        ("azure-llm", AZURE + b"yesterday,1,1\r\n", "line 4: TIMESTAMP: 'yesterday' is not a time"),
        (
            "azure-llm",
            AZURE + b"2023-11-16,-1,1\r\n",
            "line 4: ContextTokens: '-1' is not a number",
        ),
        ("azure-llm", AZURE + b"2023-11-16,1,1.5\r\n", "line 4: GeneratedTokens: '1.5' is not a number"),
        ("azure-llm", AZURE + b"2023-11-16,1," + b"9" * 30, "line 4: GeneratedTokens: is too large"),
        ("azure-llm", AZURE + b'2023-11-16,"1,1\r\n', "line 4: line: is not CSV"),
        ("azure-llm", AZURE + b"1823-11-16,1,1\r\n", "line 4: event_time: "),
        ("mooncake", lines({"timestamp": 0, "input_length": 1}), "line 1: output_length: is required"),
        (
            "mooncake",
            lines({"timestamp": True, "input_length": 1, "output_length": 1}),
            "line 1: timestamp: is not a whole number from 0",
        ),
        (
            "mooncake",
            lines({"timestamp": 10**30, "input_length": 1, "output_length": 1}),
            "line 1: timestamp: is too large",
        ),
        (
            "mooncake",
            lines({"timestamp": 0, "input_length": 2**70, "output_length": 1}),
            "line 1: usage.input_tokens: does not fit 64 bits",
        ),
        (
            "mooncake",
            lines({"timestamp": 0, "input_length": 1, "output_length": 1, "hash_ids": ["a"]}),
            "line 1: hash_ids: is not a list of whole numbers",
        ),
    ],
)
def test_a_line_that_is_no_event_is_refused_with_its_number_field_and_reason(
    read: Read, name: str, content: bytes, refusal: str
) -> None:
    last = read(name, content)[-1]

    assert isinstance(last, Refused)
    assert str(last).startswith(refusal)


def test_lines_after_a_refused_one_are_read(read: Read) -> None:
    readings = read("auditstream", lines(EVENT) + b"nonsense\n" + lines(EVENT))

    assert [type(reading) for reading in readings] == [Accepted, Refused, Accepted]
    assert [reading.line for reading in readings] == [1, 2, 3]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"a,b\n1,2\n", "line 1: no column TIMESTAMP"),
        (b'"a\n', "line 1: line: is not CSV"),
    ],
)
def test_a_file_that_is_no_azure_trace_at_all_is_refused_as_a_whole(
    read: Read, content: bytes, reason: str
) -> None:
    with pytest.raises(RequestError, match=reason):
        read("azure-llm", content)


@pytest.mark.parametrize(
    ("name", "file", "figures"),
    [
        (
            "azure-llm",
            "azure-llm-2023/AzureLLMInferenceTrace_conv.csv.gz",
            (19_366, 22_361_870, 4_088_665),
        ),
        ("mooncake", "mooncake/conversation_trace.jsonl.gz", (12_031, 144_793_823, 4_122_048)),
    ],
)
def test_the_published_traces_have_their_published_sums(
    name: str, file: str, figures: tuple[int, int, int]
) -> None:
    with opened(str(shared_file(file))) as source:
        events = datums(list(FORMATS[name](source, Options())))

    tokens = [(event["usage"]["input_tokens"], event["usage"]["output_tokens"]) for event in events]
    assert (len(events), sum(t for t, _ in tokens), sum(t for _, t in tokens)) == figures
    assert len({event["event_id"] for event in events}) == len(events)


def test_a_compressed_trace_has_the_ids_of_the_plain_one(tmp_path: Path) -> None:
    def ids(path: Path, content: bytes) -> list[UUID]:
        path.write_bytes(content)
        with opened(str(path)) as source:
            return [datum["event_id"] for datum in datums(list(FORMATS["azure-llm"](source, Options())))]

    assert ids(tmp_path / "a.csv", AZURE) == ids(tmp_path / "b.csv.gz", gzip.compress(AZURE))


def test_a_cloudevent_of_ours_is_its_data_with_what_its_attributes_say(read: Read) -> None:
    line = {
        "specversion": "1.0",
        "id": EVENT["event_id"],
        "source": "svc://checkout",
        "type": "io.auditstream.ai.tool_call.v1",
        "time": EVENT["event_time"],
        "data": {"tool": {"name": "order_lookup"}},
    }

    (datum,) = datums(read("cloudevents", lines(line), tenant="acme"))

    assert str(datum["event_id"]) == EVENT["event_id"]
    assert (datum["event_type"], datum["tool"]["name"]) == ("ai.tool_call", "order_lookup")
    assert datum["tenant_id"] == "acme"


def test_a_line_that_is_no_cloudevent_is_refused_by_its_attribute(read: Read) -> None:
    without_id = {"specversion": "1.0", "source": "s", "type": "t"}

    first, second = read("cloudevents", lines(without_id) + b"{\n")

    assert str(first) == "line 1: id: is required"
    assert str(second).startswith("line 2: line: is not JSON")
