"""The rail: what each role is shown."""

from __future__ import annotations

import pytest

from auditstream.access.principal import Principal
from auditstream.access.roles import Role
from auditstream.console.assets import FOLDER
from auditstream.console.navigation import SECTIONS, entry_of, sections_of

ENTRIES = [entry for section in SECTIONS for entry in section.entries]


@pytest.mark.parametrize("role", Role)
def test_a_role_is_shown_what_it_may_ask_for(role: Role) -> None:
    who = Principal(id="p", name="p", role=role, tenants=None)
    shown = {entry.path for section in sections_of(who) for entry in section.entries}

    assert shown == {entry.path for entry in ENTRIES if who.may(entry.may)}
    assert "/events" in shown
    assert all(section.entries for section in sections_of(who))


def test_a_page_below_a_screen_belongs_to_it() -> None:
    found = entry_of("/events/0197f3a0-1c2b-7d4e-8f00-123456789abc")

    assert found is not None
    assert found.title == "Events"
    assert entry_of("/eventsandmore") is None


def test_every_screen_has_an_icon_of_the_sprite() -> None:
    sprite = (FOLDER / "vendor" / "lucide" / "sprite.svg").read_text()

    assert [entry.icon for entry in ENTRIES if f'id="{entry.icon}"' not in sprite] == []
