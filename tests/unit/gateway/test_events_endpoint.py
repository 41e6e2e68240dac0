"""POST /v1/events over the real application: what is taken, what is refused, and how."""

from __future__ import annotations

import gzip
from typing import Any

import pytest
from backports import zstd

from auditstream.core.settings import GatewaySettings
from auditstream.gateway.intake import AT_ONCE
from schemas.codec import decode, encode_datum
from schemas.json_form import json_of
from schemas.packaged import schema_json
from tests.support.events import event as built
from tests.support.events import full_event
from tests.support.gateways import ACME, GLOBEX, ID, NDJSON, event, gateway, id_, lines, problem, text


async def test_one_event_is_answered_with_its_id_and_where_it_is() -> None:
    async with gateway() as gate:
        response = await gate.post(text(event()))

        assert response.status_code == 202
        told = response.json()
        assert (told["accepted"], told["ids"], told["rejected"]) == (1, [ID], [])
        receipt = told["receipts"][0]
        assert (receipt["topic"], receipt["partition"], receipt["offset"]) == ("audit.events.v1", 0, 0)
        again = await gate.client.get(f"/v1/receipts/{receipt['value_sha256']}")
        assert again.json() == {"id": ID, **receipt}


async def test_the_receipt_names_the_hash_of_the_very_bytes_that_kafka_has() -> None:
    import hashlib

    async with gateway() as gate:
        told = (await gate.post(text(event()))).json()

        value = gate.producer.messages[0].value
        assert value is not None
        assert told["receipts"][0]["value_sha256"] == hashlib.sha256(value).hexdigest()


async def test_tenant_and_credential_are_stamped_and_a_claimed_credential_is_kept_beside() -> None:
    async with gateway() as gate:
        await gate.post(text(event(tenant_id="acme", credential_id="another"), event(event_id=id_(2))))

        first, second = gate.producer.events()
        assert (first["tenant_id"], first["credential_id"]) == ("acme", "acme-1")
        assert first["attributes"] == {"claimed_credential_id": "another"}
        assert (second["tenant_id"], second["credential_id"], second["attributes"]) == ("acme", "acme-1", {})


async def test_a_claimed_credential_of_any_text_is_kept_as_text() -> None:
    async with gateway() as gate:
        assert (await gate.post(text(event(credential_id="\ud800x")))).status_code == 202
        assert gate.producer.events()[0]["attributes"] == {"claimed_credential_id": "?x"}


async def test_an_event_of_another_tenant_is_refused_alone_and_among_others() -> None:
    async with gateway() as gate:
        alone = await gate.post(text(event(tenant_id=GLOBEX)))
        among = await gate.post(text(event(tenant_id=GLOBEX), event()))
        all_of_them = await gate.post(text(event(tenant_id=GLOBEX), event(tenant_id=GLOBEX)))

        assert problem(alone, 403, "tenant_mismatch")["field"] == "tenant_id"
        assert among.status_code == 202
        assert [(each["index"], each["code"]) for each in among.json()["rejected"]] == [
            (0, "tenant_mismatch")
        ]
        problem(all_of_them, 403, "tenant_mismatch")
        assert len(gate.producer.messages) == 1


async def test_every_field_of_the_contract_travels() -> None:
    async with gateway() as gate:
        whole = full_event() | {"tenant_id": "acme", "credential_id": "acme-1", "sealed": {}}
        written = encode_datum(whole, "audit_event")
        avro = await gate.post(b"\0\0\0\0\x07" + written, "application/vnd.apache.avro")
        as_json = await gate.post(json_of(decode(written, schema_json("audit_event"))).encode())

        assert (avro.status_code, as_json.status_code) == (202, 202), avro.text + as_json.text
        first, second = gate.producer.events()
        assert first == second
        personal = {"actor_id", "actor_hash", "src_ip", "seal_key_id", "review", "change"}
        sent = decode(written, schema_json("audit_event"))
        assert {name for name in sent if first[name] != sent[name]} <= personal


async def test_lines_are_judged_one_by_one() -> None:
    async with gateway() as gate:
        body = lines(event(), event(event_id=id_(2), severity=9)) + b"\n\n{\n" + lines(event(event_id=id_(3)))
        response = await gate.post(body, NDJSON)

        told = response.json()
        assert (response.status_code, told["accepted"], told["ids"]) == (202, 2, [ID, id_(3)])
        assert [(each["index"], each["code"], each["field"]) for each in told["rejected"]] == [
            (1, "contract", "severity"),
            (2, "malformed", None),
        ]


async def test_lines_are_recorded_as_each_would_be_by_itself() -> None:
    more: list[dict[str, Any]] = [
        {},
        {"tenant_id": ACME, "conversation_id": "c"},
        {"observed_time": "2026-03-01T12:30:16Z", "trace_id": "ab" * 16, "span_id": "cd" * 8},
        {"actor_id": "someone", "actor_type": "USER", "attributes": {"a": "Stra\u00dfe"}},
        {"credential_id": "another", "usage": {"input_tokens": 900, "source": "PROVIDER"}},
    ]
    events = [event(event_id=id_(number), **more[number % 5]) for number in range(2 * AT_ONCE)]
    wrong = event(event_id=id_(1), event_type="a b")
    async with gateway() as one, gateway() as other, gateway() as third:
        assert (await one.post(lines(*events), NDJSON)).json()["accepted"] == len(events)
        told = (await other.post(lines(*events[:-1], wrong), NDJSON)).json()
        for each in events[: AT_ONCE // 4]:
            assert (await third.post(text(each))).status_code == 202

        assert [message.key for message in one.producer.messages][:1] == [f"{ACME}|{id_(0)}".encode()]
        assert other.producer.messages == one.producer.messages[:-1]
        assert third.producer.messages == one.producer.messages[: AT_ONCE // 4]
        assert [each["index"] for each in told["rejected"]] == [len(events) - 1]


@pytest.mark.parametrize(("coding", "compress"), [("gzip", gzip.compress), ("zstd", zstd.compress)])
async def test_a_compressed_body_is_taken(coding: str, compress: Any) -> None:
    async with gateway() as gate:
        whole = compress(lines(event(), event(event_id=id_(2))))
        doubled = compress(lines(event()) + b"\n") + compress(lines(event(event_id=id_(2))))
        for body in (whole, doubled):
            response = await gate.post(body, NDJSON, headers={"content-encoding": coding})
            assert response.json()["accepted"] == 2, response.text
        cut = await gate.post(whole[:-3], NDJSON, headers={"content-encoding": coding})
        problem(cut, 400, "malformed")


async def test_nothing_in_nothing_out() -> None:
    async with gateway() as gate:
        for body, content_type in ((b"[]", "application/json"), (b"\n", NDJSON), (b"", NDJSON)):
            response = await gate.post(body, content_type)
            assert response.status_code == 202
            assert response.json() == {"accepted": 0, "ids": [], "receipts": [], "rejected": []}


BAD_BODIES = [
    (b"", 400, "malformed", None),
    (b"{", 400, "malformed", None),
    (b'{"event_id": NaN}', 400, "malformed", None),
    (b'{"event_type":"a","event_type":"b"}', 400, "malformed", "event_type"),
    (b'{"a":' * 100_000, 400, "malformed", None),
    (b"[" * 40 + b"]" * 40, 400, "malformed", None),
    (b'"\xff"', 400, "malformed", None),
    (b"\xfe\xff\x00{\x00}", 400, "malformed", None),
    (b"1" * 10_000, 400, "malformed", None),
    (b'{"severity":' + b"9" * 5_000 + b"}", 400, "malformed", None),
    (b"null", 422, "not_an_event", None),
    (b"[[]]", 422, "not_an_event", None),
    (b"{}", 422, "contract", "event_id"),
    (text(event(severity=2**70)), 422, "contract", "severity"),
    (text(event(severity=True)), 422, "contract", "severity"),
    (text(event(event_time="lunchtime")), 422, "contract", "event_time"),
    (text(event(event_time="2026-03-01T12:30:15")), 422, "contract", "event_time"),
    (text(event(event_id="nil")), 422, "contract", "event_id"),
    (text(event(source="\ud800")), 422, "contract", "source"),
    (text(event(**{"\ud800": 1})), 422, "contract", "\ud800"),
    (text(event(secret_plan="x")), 422, "contract", "secret_plan"),
    (text(event(attributes={"k": 1})), 422, "contract", "attributes[k]"),
    (text(event(usage={"output_tokens": -1})), 422, "contract", "usage.output_tokens"),
    (text(event(costs=[{"meter": "m", "quantity": 0.1}])), 422, "contract", "costs[0].quantity"),
    (text(event(credential_id=["x"])), 422, "contract", "credential_id"),
    (text(event(tenant_id=["acme"])), 403, "tenant_mismatch", "tenant_id"),
    (text(event(source="x" * 1_000_000)), 413, "too_large", None),
]


@pytest.mark.parametrize(("body", "status", "code", "field"), BAD_BODIES)
async def test_a_bad_body_is_refused_by_field_and_reason(
    body: bytes, status: int, code: str, field: str | None
) -> None:
    async with gateway() as gate:
        found = problem(await gate.post(body), status, code)

        assert found["field"] == field
        assert not gate.producer.messages


async def test_malformed_json_is_refused_with_its_position() -> None:
    async with gateway() as gate:
        found = problem(await gate.post(b'{"event_id":\n  oops}'), 400, "malformed")

        assert "line 2 column 3" in found["detail"]


@pytest.mark.parametrize(
    ("headers", "status", "code", "field"),
    [
        ({"content-type": "text/plain"}, 415, "unsupported_type", "content-type"),
        ({"content-type": "nonsense"}, 415, "unsupported_type", "content-type"),
        ({"content-type": "application/json; charset=utf-16"}, 415, "unsupported_type", "content-type"),
        ({"content-encoding": "br"}, 415, "unsupported_encoding", "content-encoding"),
        ({"content-encoding": "gzip, gzip"}, 415, "unsupported_encoding", "content-encoding"),
        ({"content-encoding": "gzip"}, 400, "malformed", "content-encoding"),
        ({"content-encoding": "zstd"}, 400, "malformed", "content-encoding"),
        ({"auditstream-mode": "yolo"}, 400, "bad_mode", "mode"),
        ({"authorization": "Basic abc"}, 401, "unauthenticated", "authorization"),
        ({"authorization": "Bearer nonsense"}, 401, "unauthenticated", "authorization"),
        ({"authorization": "Bearer ask_acme-1_" + "A" * 43}, 401, "unauthenticated", "authorization"),
        ({"authorization": "Bearer \xff"}, 401, "unauthenticated", "authorization"),
    ],
)
async def test_a_bad_head_is_refused_by_header_and_reason(
    headers: dict[str, str], status: int, code: str, field: str
) -> None:
    async with gateway() as gate:
        encoded = {name: value.encode("latin-1") for name, value in headers.items()}
        response = await gate.post(text(event()), headers=encoded)

        assert problem(response, status, code)["field"] == field
        assert not gate.producer.messages
        if status == 401:
            assert response.headers["www-authenticate"] == "Bearer"


async def test_paths_and_methods_that_there_are_not_are_problems_too() -> None:
    async with gateway() as gate:
        problem(await gate.client.get("/nothing"), 404, "not_found")
        wrong = await gate.client.delete("/v1/events")
        problem(wrong, 405, "method_not_allowed")
        assert wrong.headers["allow"] == "POST"
        problem(await gate.client.get("/v1/receipts/" + "0" * 64), 404, "not_found")
        problem(await gate.client.get("/v1/receipts/nonsense"), 404, "not_found")


async def test_a_receipt_is_for_its_own_tenant_only() -> None:
    async with gateway() as gate:
        told = (await gate.post(text(event()))).json()
        path = f"/v1/receipts/{told['receipts'][0]['value_sha256']}"

        other = {"authorization": f"Bearer {gate.keys[GLOBEX]}"}
        problem(await gate.client.get(path, headers=other), 404, "not_found")


async def test_limits_of_size_and_count_hold() -> None:
    settings = GatewaySettings(body_bytes=4_096, events=3)
    async with gateway(settings) as gate:
        problem(await gate.post(b" " * 5_000), 413, "too_large")
        chunks = (b" " * 1_000 for _ in range(5))

        async def streamed() -> Any:
            for chunk in chunks:
                yield chunk

        response = await gate.client.post(
            "/v1/events", content=streamed(), headers={"content-type": "application/json"}
        )
        problem(response, 413, "too_large")
        problem(await gate.post(b"[" + b"{}," * 3 + b"{}]"), 413, "too_many_events")
        problem(await gate.post(b"{}\n" * 4, NDJSON), 413, "too_many_events")
        bomb = gzip.compress(b" " * 10_000_000)
        problem(await gate.post(bomb, headers={"content-encoding": "gzip"}), 413, "too_large")


@pytest.mark.parametrize(("coding", "compress"), [("gzip", gzip.compress), ("zstd", zstd.compress)])
async def test_a_bomb_is_refused_by_its_ratio_before_it_is_large(coding: str, compress: Any) -> None:
    async with gateway() as gate:
        bomb = compress(b" " * 7_000_000)
        problem(await gate.post(bomb, headers={"content-encoding": coding}), 413, "decompression_bomb")


async def test_a_zstd_window_larger_than_eight_megabytes_is_refused() -> None:
    async with gateway() as gate:
        options = {zstd.CompressionParameter.window_log: 27, zstd.CompressionParameter.compression_level: 1}
        compressor = zstd.ZstdCompressor(options=options)
        body = compressor.compress(text(event())) + compressor.flush()
        problem(await gate.post(body, headers={"content-encoding": "zstd"}), 400, "malformed")


async def test_avro_of_an_older_schema_is_taken_and_of_an_unknown_one_is_not() -> None:
    async with gateway() as gate:
        datum = encode_datum(built(), "audit_event")
        avro = "application/vnd.apache.avro"

        assert (await gate.post(b"\0\0\0\0\x07" + datum, avro)).status_code == 202
        by_header = {"__value_schema_id": "0000000007"}
        assert (await gate.post(datum, avro, headers=by_header)).status_code == 202
        problem(await gate.post(b"\0\0\0\0\x08" + datum, avro), 422, "unknown_schema")
        problem(await gate.post(b"\0\0\0\0\x07" + datum + b"x", avro), 422, "undecodable")
        problem(await gate.post(b"\x05" + datum, avro), 422, "undecodable")
        problem(await gate.post(b"", avro), 422, "undecodable")


async def test_all_or_nothing_sends_nothing_when_one_event_is_refused() -> None:
    async with gateway() as gate:
        body = text(event(), event(event_id=id_(2), severity=9))
        response = await gate.post(body, params={"mode": "blocking-strict"})

        assert problem(response, 422, "contract")["rejected"][0]["index"] == 1
        assert not gate.producer.messages


async def test_what_kafka_did_not_acknowledge_is_told_event_by_event_or_as_a_whole() -> None:
    async with gateway() as gate:
        gate.producer.unacknowledged = {0}
        body = text(event(), event(event_id=id_(2)))
        each = await gate.post(body)
        strict = await gate.post(body, params={"mode": "blocking-strict"})

        assert each.status_code == 202
        assert (each.json()["ids"], each.json()["rejected"][0]["code"]) == ([id_(2)], "unavailable")
        problem(strict, 503, "unavailable")
        assert int(strict.headers["retry-after"]) >= 1


async def test_a_broker_that_is_away_is_a_503_with_retry_after() -> None:
    async with gateway() as gate:
        gate.producer.away = True
        response = await gate.post(text(event()))

        problem(response, 503, "unavailable")
        assert int(response.headers["retry-after"]) >= 1


async def test_a_batch_is_queued_and_not_accepted_until_the_queue_is_full() -> None:
    async with gateway(GatewaySettings(queue_bytes=65_536)) as gate:
        gate.producer.away = True
        body = text(*[event(event_id=id_(number)) for number in range(100)])
        first = await gate.post(body, params={"mode": "batch"})
        second = await gate.post(body, headers={"auditstream-mode": "batch"})

        assert first.status_code == 202
        assert first.json() == {"accepted": 0, "ids": [], "receipts": [], "rejected": [], "queued": 100}
        problem(second, 503, "busy")
        assert len(gate.queue) == 100
        gate.producer.away = False
        assert not await gate.queue.stop(within_s=10)
        assert len(gate.producer.messages) == 100


async def test_what_the_queue_ends_with_is_counted_by_tenant() -> None:
    async with gateway() as gate:
        gate.producer.away = True
        await gate.post(text(event(), event(event_id=id_(2))), params={"mode": "batch"})

        assert await gate.queue.stop(within_s=0) == {"acme": 2}


async def test_a_mode_that_the_settings_fix_is_not_chosen() -> None:
    async with gateway(GatewaySettings(callers_choose_mode=False)) as gate:
        problem(await gate.post(text(event()), params={"mode": "batch"}), 400, "bad_mode")
        assert (await gate.post(text(event()), params={"mode": "blocking"})).status_code == 202


async def test_content_is_dropped_and_its_size_is_kept() -> None:
    async with gateway() as gate:
        said = {"gen_ai.prompt.0.content": "my secret", "content.output": "ünd", "kept": "x"}
        await gate.post(text(event(attributes=said)))

        found = gate.producer.events()[0]
        assert (found["attributes"], found["content_bytes"]) == ({"kept": "x"}, len("my secret") + 4)
        assert b"my secret" not in (gate.producer.messages[0].value or b"")


async def test_a_fault_of_ours_is_a_500_that_tells_and_logs_nothing_of_the_body(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with gateway() as gate:

        def broken(*_: object) -> object:
            raise ValueError("planted-secret")

        monkeypatch.setattr("auditstream.gateway.judging.Judge.judge", broken)
        response = await gate.post(text(event(source="planted-secret")))

        problem(response, 500, "internal")
        assert "planted-secret" not in response.text + caplog.text


async def test_metrics_tell_requests_events_and_refusals_and_no_tenant() -> None:
    async with gateway() as gate:
        await gate.post(text(event(), event(severity=9)))
        await gate.post(text(event()), headers={"authorization": "Bearer nonsense"})
        told = (await gate.client.get("/metrics")).text

        for line in (
            'auditstream_gateway_requests_total{route="/v1/events",status="2xx"} 1.0',
            'auditstream_gateway_requests_total{route="/v1/events",status="4xx"} 1.0',
            'auditstream_gateway_events_total{reason="accepted",route="/v1/events"} 1.0',
            'auditstream_gateway_events_total{reason="contract",route="/v1/events"} 1.0',
            'auditstream_gateway_refused_keys_total{reason="unauthenticated"} 1.0',
            "auditstream_gateway_credentials 2.0",
        ):
            assert line in told
        assert "acme" not in told
