"""Which keys are the same traffic: by what is counted of the last quarter of an hour."""

from __future__ import annotations

import polars as pl

from streams.detecting.delta import delta_of
from streams.detecting.delta import frame_of as rows_of
from streams.detecting.shared_traffic import SharedTraffic
from tests.support.usage_logs import DAWN, line, segment

SCOPES = {"", "credential=a", "credential=b", "project=p", "project=q", "model=m"}
SERVICE = {("", "project=p"), ("", "credential=a"), ("credential=a", "project=p")}


def used(credential: str, project: str, events: int, **fields: object) -> dict[str, object]:
    return line(DAWN, credential_id=credential, project_id=project, events=events, **fields)


def frame(*lines: dict[str, object]) -> pl.DataFrame:
    sent = segment("audit.events.v1/0/e", 0, lines, at_s=0)
    return rows_of(delta_of(sent.datum, 0).rows[DAWN])


def alike(*minutes: pl.DataFrame, measure: str = "events") -> set[tuple[str, str]]:
    traffic = SharedTraffic()
    for minute, rows in enumerate(minutes):
        traffic.add(DAWN + minute, rows)
    return traffic.alike("acme", SCOPES, measure)


def test_a_credential_its_project_and_a_tenant_with_one_project_are_the_same_traffic() -> None:
    assert alike(frame(used("a", "p", 10))) == SERVICE
    assert alike(frame(used("a", "p", 10, model="m"))) >= SERVICE | {
        ("", "model=m"),
        ("model=m", "project=p"),
    }


def test_nine_tenths_are_the_same_and_less_is_not() -> None:
    assert alike(frame(used("a", "p", 9), used("b", "p", 1))) == SERVICE
    assert alike(frame(used("a", "p", 89), used("b", "p", 11))) == {("", "project=p")}


def test_a_model_is_the_same_traffic_as_a_key_whose_calls_are_its_own_whatever_else_the_key_does() -> None:
    calls = used("a", "p", 10, event_type="ai.inference", model="m")
    decisions = used("a", "p", 30, event_type="ai.policy.decision")

    assert alike(frame(calls, decisions)) == SERVICE | {
        ("", "model=m"), ("model=m", "credential=a"), ("model=m", "project=p"),
    }  # fmt: skip
    assert alike(frame(calls, decisions, used("b", "p", 9, event_type="ai.inference"))) >= {("", "project=p")}
    assert ("model=m", "project=p") not in alike(
        frame(calls, used("b", "p", 9, event_type="ai.inference", model="n"))
    )


def test_equal_traffic_of_two_services_is_not_the_same() -> None:
    assert alike(frame(used("a", "p", 10), used("b", "q", 10))) == {
        ("credential=a", "project=p"),
        ("credential=b", "project=q"),
    }


def test_it_is_what_is_counted_that_is_the_same() -> None:
    rows = frame(used("a", "p", 10, spend=99.0, failures=1), used("b", "p", 90, spend=1.0, failures=9))

    assert ("credential=a", "project=p") in alike(rows, measure="usage_spend")
    assert ("credential=b", "project=p") in alike(rows, measure="failures")
    assert alike(rows, measure="blocked") == alike(rows) == {
        ("", "project=p"), ("", "credential=b"), ("credential=b", "project=p"),
    }  # fmt: skip


def test_only_the_last_quarter_of_an_hour_counts() -> None:
    before, now = frame(used("b", "p", 1_000)), frame(used("a", "p", 1))

    assert ("credential=a", "project=p") not in alike(before, *[now] * 14)
    assert alike(before, *[now] * 15) == SERVICE


def test_other_tenants_and_scopes_that_nobody_asks_about_do_not_matter() -> None:
    theirs = segment("audit.events.v1/0/e", 0, [used("b", "p", 99)], at_s=0, tenant="globex")
    rows = pl.concat([frame(used("a", "p", 10)), rows_of(delta_of(theirs.datum, 0).rows[DAWN])])
    traffic = SharedTraffic()
    traffic.add(DAWN, rows)

    assert traffic.alike("acme", SCOPES, "events") == SERVICE
    assert traffic.alike("acme", {"credential=a", "model=m"}, "events") == set()
    assert traffic.alike("initech", SCOPES, "events") == set()


def test_it_goes_on_where_another_was() -> None:
    first, second = SharedTraffic(), SharedTraffic()
    for minute in range(14):
        first.add(DAWN + minute, frame(used("b", "p", 5), used("a", "p", 5)))
    second.restore(first.state())
    assert second.state() == first.state()

    for traffic in (first, second):
        traffic.add(DAWN + 14, frame(used("a", "p", 300)))
        assert traffic.alike("acme", SCOPES, "events") == {("", "project=p")}
        traffic.add(DAWN + 20, frame(used("a", "p", 300)))
        assert traffic.alike("acme", SCOPES, "events") == SERVICE


def test_nothing_yet_is_nothing_the_same() -> None:
    empty = SharedTraffic()
    empty.restore(SharedTraffic().state())
    assert empty.alike("acme", SCOPES, "events") == set()
