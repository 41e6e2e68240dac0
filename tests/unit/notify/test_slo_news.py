"""An objective is told of when something begins, gets worse or is over: once, whoever tells it."""

from __future__ import annotations

from datetime import timedelta

from auditstream.core.finding_ids import UPDATES_APART
from auditstream.notify.burn_findings import episode_before
from auditstream.notify.slo_episodes import SloTold
from auditstream.notify.slo_news import SloNews, news_of, news_of_retired
from auditstream.notify.slo_standing import Counted, SloStanding
from schemas.records.vocabulary import FindingStatus, SignalState
from tests.unit.notify.slos import NOON, days_before, standing

HOUR = timedelta(hours=1)
UNTOLD = SloTold()

# Enough good events that a fast burn of an hour leaves most of the budget.
MUCH = {days_before(5): Counted(0, 10_000_000)}


def paging(**fields: object) -> SloStanding:
    return standing((60, 0, 20, 1_000), **{"earlier": MUCH, **fields})


def ticketing(**fields: object) -> SloStanding:
    return standing((1_440, 0, 4, 1_000), **{"earlier": MUCH, **fields})


def quiet(**fields: object) -> SloStanding:
    return standing((60, 0, 0, 1_000), **{"earlier": MUCH, **fields})


def spent(**fields: object) -> SloStanding:
    return standing(earlier={days_before(4): Counted(120, 100_000)}, **fields)


def one(standing: SloStanding, told: SloTold) -> tuple[SloNews, SloTold]:
    (news,), after = news_of(standing, told)
    assert news.told == after or news.told.cool_since != after.cool_since
    return news, after


def test_nothing_is_told_of_an_objective_that_is_well() -> None:
    assert news_of(quiet(), UNTOLD)[0] == []


def test_a_burn_is_told_of_when_it_begins_and_when_it_gets_worse() -> None:
    ticket, told = one(ticketing(), UNTOLD)
    assert (ticket.about, ticket.finding.severity, ticket.finding.tier) == ("burn", 3, "ticket_fast")
    assert news_of(ticketing(), told)[0] == []

    page, told = one(paging(), told)
    assert (page.finding.severity, page.finding.tier) == (4, "page_fast")
    assert page.finding.finding_id == ticket.finding.finding_id
    assert (ticket.finding.version, page.finding.version) == (0, UPDATES_APART)
    assert page.finding.status is FindingStatus.NEW
    assert news_of(ticketing(), told)[0] == []  # better is not over
    assert page.signal is None


def test_a_burn_is_over_after_an_hour_of_quiet_and_a_flare_begins_the_hour_anew() -> None:
    _, told = one(paging(), UNTOLD)
    for minutes, seen, is_over in [
        (1, quiet, False),
        (59, quiet, False),
        (60, paging, False),
        (61, quiet, False),
        (120, quiet, False),
        (121, quiet, True),
    ]:
        news, told = news_of(seen(at=NOON + timedelta(minutes=minutes)), told)
        assert bool(news) == is_over, minutes
    (over,) = news
    assert over.finding.status is FindingStatus.RESOLVED
    assert (over.finding.version, over.finding.severity) == (UPDATES_APART, 4)
    assert news_of(quiet(at=NOON + 3 * HOUR), told)[0] == []


def test_the_next_burn_is_another_finding() -> None:
    first, told = one(paging(), UNTOLD)
    for hours in (1, 2):
        _, told = news_of(quiet(at=NOON + hours * HOUR), told)
    again, _ = one(paging(at=NOON + 4 * HOUR), told)

    assert again.finding.finding_id != first.finding.finding_id
    assert again.finding.version == 0


def test_who_takes_over_tells_the_same_under_the_same_ids() -> None:
    first, _ = one(paging(), UNTOLD)
    later, _ = one(paging(at=NOON + timedelta(minutes=3)), UNTOLD)

    assert first.fields["event_id"] == later.fields["event_id"]
    assert (first.finding.finding_id, first.finding.version) == (
        later.finding.finding_id,
        later.finding.version,
    )


def test_what_an_event_tells_is_what_was_told() -> None:
    for news in (one(paging(), UNTOLD)[0], one(spent(reaction="block"), UNTOLD)[0]):
        attributes = news.fields["attributes"]
        assert episode_before(attributes) == news.episode
        assert all(isinstance(value, str) for value in attributes.values())


def test_a_spent_budget_asks_gateways_for_its_reaction_and_takes_it_back_when_some_is_left() -> None:
    gone, told = one(spent(reaction="fallback", fallback_model="small"), UNTOLD)
    assert (gone.about, gone.finding.severity, gone.finding.metric) == ("budget", 4, "availability_budget")
    signal = gone.signal
    assert signal is not None
    assert (signal.state, signal.fallback_model) == (SignalState.FALLBACK, "small")
    assert signal.expires == NOON + HOUR
    assert signal.scope == "slo=answers/tenant=acme"
    assert f"{signal.spent}" == "1.200000"
    assert signal.reason == "-20.0 % left of the error budget of 99.9 % availability"

    little = standing(earlier={days_before(4): Counted(99, 100_000)}, reaction="fallback", fallback_model="s")
    assert news_of(little, told)[0] == []  # 1 %: the next failure would turn it off again
    enough = standing(earlier={days_before(4): Counted(98, 100_000)}, reaction="fallback", fallback_model="s")
    back, _ = one(enough, told)
    assert back.signal is not None
    assert (back.signal.state, back.signal.expires) == (SignalState.ALLOW, None)
    assert back.finding.status is FindingStatus.RESOLVED


def test_a_budget_that_only_notifies_gives_gateways_nothing_to_do() -> None:
    gone, _ = one(spent(), UNTOLD)

    assert gone.signal is None
    assert "state" not in gone.fields["attributes"]


def test_a_budget_that_is_gone_again_within_the_hour_is_the_same_finding() -> None:
    gone, told = one(spent(), UNTOLD)
    back, told = one(standing(earlier=MUCH), told)
    again, _ = one(spent(), told)

    assert {each.finding.finding_id for each in (gone, back, again)} == {gone.finding.finding_id}
    assert [each.finding.version for each in (gone, back, again)] == [0, UPDATES_APART, 2 * UPDATES_APART]
    assert len({each.fields["event_id"] for each in (gone, back, again)}) == 3


def test_a_fast_burn_that_takes_the_last_of_the_budget_is_told_as_both() -> None:
    news, _ = news_of(standing((60, 0, 20, 1_000)), UNTOLD)

    assert [each.about for each in news] == ["burn", "budget"]


def test_a_retired_objective_leaves_nothing_open() -> None:
    _, told = news_of(standing((60, 0, 20, 1_000), reaction="block"), UNTOLD)
    news, told = news_of_retired(standing((60, 0, 20, 1_000), reaction="block"), told)

    assert [each.finding.status for each in news] == [FindingStatus.RESOLVED] * 2
    assert news[1].signal is not None
    assert news[1].signal.state is SignalState.ALLOW
    assert news_of_retired(standing(), told)[0] == []


def test_a_title_says_what_how_fast_and_what_is_left() -> None:
    (news, _), (gone, _) = one(paging(), UNTOLD), one(spent(), UNTOLD)

    assert news.title == (
        "availability of answers burns its error budget 20.0 times over 60 minutes;"
        " 88.1 % of the error budget are left"
    )
    assert gone.title == "availability of answers has no error budget left: 120 of 100000 missed it"
