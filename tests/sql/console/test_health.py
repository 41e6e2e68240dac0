"""Health over real rows: what it says, to whom, and that sending again sends what was shown."""

from __future__ import annotations

from auditstream.core.errors import RetryableError
from auditstream.emit.dead_letter_replay import REPLAY_OF
from auditstream.query.lag import PartitionLag
from tests.sql.console.conftest import HOSTILE
from tests.support.blocks import OTHER_LOG
from tests.support.console_house import OWN, ConsoleHouse, submitted

LEAF = f"{OTHER_LOG}/0"


def test_the_record_and_its_dead_letters_are_counted_as_they_are(house: ConsoleHouse) -> None:
    with house.visitor() as browser:
        record = browser.get("/parts/health/record").text
        letters = browser.get("/parts/health/letters").text

    assert "<dt>Events</dt><dd>90</dd>" in record
    assert "<dt>Dead letters</dt><dd>4</dd>" in record
    assert letters.count("<tr data-row>") == 4
    assert "4 dead letters" in letters
    assert house.commands == ["health", "dlq list"]


def test_a_filter_narrows_the_letters_and_is_in_the_address(house: ConsoleHouse) -> None:
    with house.visitor() as browser:
        found = browser.get("/parts/health/letters?reason=undecodable").text

    assert found.count("<tr data-row>") == 2
    assert 'href="/health?reason=undecodable&amp;topic=' in found


def test_lag_is_told_by_partition_and_its_failure_alone(house: ConsoleHouse) -> None:
    house.lags = [
        PartitionLag("audit.events.v1", 3, 10, 12, 2),
        PartitionLag("audit.events.v1", 4, None, 0, 0),
    ]
    with house.visitor() as browser:
        told = browser.get("/parts/health/lag").text
        page = browser.get("/health")

    assert '<strong class="figure">2</strong>' in told
    assert "nothing yet" in told
    assert page.status_code == 200


def test_bytes_come_through_as_digits_and_printable_letters_alone(house: ConsoleHouse) -> None:
    with house.visitor() as browser:
        page = browser.get(f"/health/dead-letters/{LEAF}")
        kept = browser.get(f"/dead-letter-bytes/{LEAF}")

    assert "1b 5b 32 4a e2 80 ae 3c" in page.text
    assert "·[2J···&lt;script&gt;a" in page.text
    assert "<script>alert" not in page.text
    assert kept.content == HOSTILE
    assert kept.headers["content-type"] == "application/octet-stream"
    assert kept.headers["content-disposition"].startswith("attachment")
    assert kept.headers["x-content-type-options"] == "nosniff"


def test_a_long_value_shows_its_beginning(house: ConsoleHouse) -> None:
    with house.visitor() as browser:
        page = browser.get(f"/health/dead-letters/{OTHER_LOG}/1").text

    assert "5,000 bytes, the first 4,096 shown" in page
    assert page.count('<td class="letters">') == 256


def test_who_may_not_see_contents_sees_the_letter_without_its_bytes(house: ConsoleHouse) -> None:
    with house.visitor("analyst") as browser:
        page = browser.get(f"/health/dead-letters/{LEAF}")
        kept = browser.get(f"/dead-letter-bytes/{LEAF}")

    assert page.status_code == 200
    assert "1b 5b" not in page.text
    assert kept.status_code == 403
    assert "Send again" not in page.text


def test_who_sees_one_tenant_sees_no_letter_that_is_nobodys(house: ConsoleHouse) -> None:
    with house.visitor("security", "acme") as browser:
        letters = browser.get("/parts/health/letters").text
        page = browser.get(f"/health/dead-letters/{LEAF}")

    assert "No dead letters of your tenants" in letters
    assert page.status_code == 404


def test_a_viewer_has_no_health_and_no_way_to_it(house: ConsoleHouse) -> None:
    with house.visitor("viewer") as browser:
        pages = [browser.get(f"/{each}").status_code for each in ("health", "parts/health/record")]
        rail = browser.get("/live").text

    assert pages == [403, 403]
    assert 'href="/health"' not in rail


def test_letters_are_sent_again_as_they_came_once_an_event_tells_of_it(house: ConsoleHouse) -> None:
    with house.visitor() as browser:
        asked = browser.get("/health/replay?reason=undecodable").text
        answer = submitted(browser, "/health/replay?reason=undecodable", "/health/replay")
        page = browser.get(answer.headers["location"]).text

    assert "Send 2 again" in asked
    assert answer.status_code == 303
    assert [message.value for message, _ in house.kafka.heard] == [HOSTILE, b"\x00" * 5_000]
    assert [dict(message.headers)[REPLAY_OF] for message, _ in house.kafka.heard] == [
        f"{OTHER_LOG}/{each}".encode() for each in (0, 1)
    ]
    assert {partition for _, partition in house.kafka.heard} == {1}
    assert "2 dead letters were sent again" in page
    changes = [each for each in house.told.events if each["event_type"] == "ai.config.change"]
    assert [each["attributes"]["replayed"] for each in changes] == ["2"]


def test_one_letter_can_be_sent_and_a_null_value_is_not(house: ConsoleHouse) -> None:
    with house.visitor() as browser:
        submitted(browser, f"/health/replay?leaf={LEAF}", "/health/replay")
        nothing = browser.get("/health/replay?reason=null_value").text

    assert [message.value for message, _ in house.kafka.heard] == [HOSTILE]
    assert "Nothing to send" in nothing


def test_nothing_is_sent_without_a_narrower_question(house: ConsoleHouse) -> None:
    with house.visitor() as browser:
        answer = submitted(browser, "/health/replay", "/health/replay")

    assert answer.status_code == 400
    assert "which dead letters" in answer.text
    assert house.kafka.heard == []


def test_a_form_without_the_sessions_token_changes_nothing(house: ConsoleHouse) -> None:
    with house.visitor() as browser:
        forged = browser.post("/health/replay", data={"reason": "undecodable"}, headers=OWN)
        elsewhere = browser.post(
            "/health/replay", data={"reason": "undecodable"}, headers={"origin": "http://evil.example"}
        )

    assert (forged.status_code, elsewhere.status_code) == (403, 403)
    assert house.kafka.heard == []


def test_who_may_not_replay_cannot_although_the_form_is_theirs(house: ConsoleHouse) -> None:
    with house.visitor("analyst") as browser:
        page = browser.get("/health/replay?reason=undecodable")
        letters = browser.get("/parts/health/letters").text

    assert page.status_code == 403
    assert "Send again" not in letters


def test_a_replay_that_kafka_does_not_take_says_so(house: ConsoleHouse) -> None:
    house.kafka.refuses = RetryableError("kafka: no acknowledgement")
    with house.visitor() as browser:
        answer = submitted(browser, "/health/replay?reason=undecodable", "/health/replay")

    assert answer.status_code == 503
    assert "no acknowledgement" in answer.text
