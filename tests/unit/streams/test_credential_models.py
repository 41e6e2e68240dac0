"""Models by credential: a new one on an old key is news once, and a snapshot knows what was known."""

from __future__ import annotations

import json

from streams.detecting.credential_models import OLD_AFTER, CredentialModels

ACME = ("acme", "k", "small")
MINUTE = 29_000_000


def old() -> CredentialModels:
    """Return what is known of a key that has called one model for as long as it takes."""
    models = CredentialModels()
    for minute in range(OLD_AFTER):
        assert models.new([ACME], MINUTE + minute) == []
    return models


def test_a_new_model_of_an_old_key_is_news_once() -> None:
    models, large = old(), ("acme", "k", "large")
    assert models.new([ACME, large], MINUTE + OLD_AFTER) == [("acme", "k")]
    assert models.new([large], MINUTE + OLD_AFTER + 1) == []


def test_a_young_key_and_one_of_the_same_name_elsewhere_are_no_news() -> None:
    models = old()
    young = [("acme", "fresh", "large"), ("globex", "k", "large")]
    assert models.new(young, MINUTE + OLD_AFTER) == []


def test_several_models_in_a_minute_are_one_minute_of_activity() -> None:
    models = CredentialModels()
    models.new([("acme", "k", f"model-{number}") for number in range(OLD_AFTER - 1)], MINUTE)
    assert models.new([("acme", "k", "large")], MINUTE + 1) == []


def test_a_key_that_calls_any_model_is_no_news_for_ever() -> None:
    models = old()
    news = [
        models.new([("acme", "k", f"model-{number}")], MINUTE + OLD_AFTER + number) for number in range(100)
    ]
    assert [bool(each) for each in news].count(True) == 63


def test_a_key_that_is_idle_for_a_week_is_forgotten() -> None:
    models = old()
    models.forget_idle(MINUTE + OLD_AFTER - 1 + 7 * 24 * 60)
    assert models.state() == []


def test_what_is_taken_up_from_json_goes_on_as_it_was() -> None:
    again = CredentialModels()
    again.restore(json.loads(json.dumps(old().state())))
    assert again.state() == old().state()
    assert again.new([("acme", "k", "large")], MINUTE + OLD_AFTER) == [("acme", "k")]
