"""A million random keys of one tenant, and the keys of everybody else."""

from __future__ import annotations

import numpy as np

from streams.detecting.keys import MOST_OF_A_TENANT, OTHER, ROOM_AFTER, KeyTable

FLOOD = 1_000_000
AT_ONCE = 250_000
NOBODY = np.zeros(0, np.bool_)


def test_a_million_random_keys_of_one_tenant_evict_nobody_elses_state_and_take_nobodys_room() -> None:
    table = KeyTable()
    others = [(f"tenant-{number}", f"credential=key-{number}") for number in range(1_000)]
    theirs = table.number_all(others, 0, NOBODY).keys.tolist()
    given_up: set[int] = set()
    for step in range(FLOOD // AT_ONCE):
        # An hour apart, so that what came before may be evicted: of the same tenant.
        flood = [("flood", f"credential=r{step}-{number}") for number in range(AT_ONCE)]
        numbered = table.number_all(flood, step * (ROOM_AFTER + 1), NOBODY)
        given_up |= set(numbered.gone)
        table.release(numbered.gone)
    end = FLOOD // AT_ONCE * (ROOM_AFTER + 1)

    assert not given_up & set(theirs)
    again = table.number_all(others, end, NOBODY)
    assert (again.keys.tolist(), again.new) == (theirs, [])
    newcomers = [(f"tenant-{number}", "credential=new") for number in range(1_000)]
    named = table.number_all(newcomers, end, NOBODY)
    assert [table.name(key) for key in named.keys.tolist()] == newcomers
    assert table.number("flood", f"credential={OTHER}") is not None
    assert len(table) == MOST_OF_A_TENANT + 1 + 2_000
    assert table.capacity <= 2 * MOST_OF_A_TENANT + 1 + 2_000  # those that made room, once
    assert table.overflowed == FLOOD - FLOOD // AT_ONCE * MOST_OF_A_TENANT
