"""Addresses: what they keep, what they change, and how they are written."""

from __future__ import annotations

from auditstream.console.links import link_of


def test_a_change_keeps_the_rest_in_order() -> None:
    link = link_of("/console", "/events", [("q", "a b"), ("since", "1h"), ("columns", "x"), ("columns", "y")])

    assert str(link.with_(since="7d")) == "/console/events?q=a+b&columns=x&columns=y&since=7d"
    assert str(link.with_(columns=None, q=None)) == "/console/events?since=1h"


def test_what_a_person_typed_cannot_leave_its_parameter() -> None:
    link = link_of("", "/events", {"q": '"&since=all#?/ü'})

    assert str(link) == "/events?q=%22%26since%3Dall%23%3F%2F%C3%BC"


def test_an_id_cannot_leave_its_place_in_the_path() -> None:
    assert str(link_of("", "/events/a?b#c d")) == "/events/a%3Fb%23c%20d"


def test_another_page_gets_only_what_is_named() -> None:
    link = link_of("", "/events", {"q": "x", "peek": "1", "since": "1h"})

    assert str(link.at("/parts/facet", "q", "since")) == "/parts/facet?q=x&since=1h"


def test_a_form_repeats_what_it_does_not_set() -> None:
    link = link_of("", "/events", {"q": "x", "since": "1h", "after": ""})

    assert link.hidden("q") == [("since", "1h")]
