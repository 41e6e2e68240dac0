"""Tables and views that follow from events: rollups summed up again, definitions as migrated."""

from __future__ import annotations

import time
from collections.abc import Iterator

from auditstream.evidence.findings import Finding
from auditstream.query.reader import Reader
from auditstream.query.rollup_rows import Difference, changed_definitions, rollup_differences
from sinks.migration_files import Engine, packaged

SETTLES_WITHIN_S = 3.0
"""How long an insert may have brought its rows and not yet what views make of them."""

_LOOKS = 3


def rollup_findings(
    reader: Reader, engine: Engine, *, settles_within_s: float = SETTLES_WITHIN_S
) -> Iterator[Finding]:
    """Yield the keys under which a rollup is not the sum of its events, and stays so while one looks again.

    Raises:
        RetryableError: No answer.
    """
    statements = _statements(engine)
    lasting = list(rollup_differences(reader, statements))
    for _ in range(_LOOKS - 1):
        if not lasting:
            return
        time.sleep(settles_within_s / (_LOOKS - 1))
        again = set(rollup_differences(reader, statements))
        lasting = [each for each in lasting if each in again]
    yield from map(_finding, lasting)


def definition_findings(reader: Reader, engine: Engine) -> Iterator[Finding]:
    """Yield tables and views that are missing, or not as the migrations made them.

    Raises:
        RetryableError: No answer.
    """
    for each in changed_definitions(reader, _statements(engine)):
        yield Finding(each.name, "definition", each.expected, each.found)


def _finding(difference: Difference) -> Finding:
    expected = f"({difference.key}) {difference.expected or 'no such key'}"
    return Finding(difference.table, "rollup", expected, difference.found or "nothing")


def _statements(engine: Engine) -> list[str]:
    return [statement for file in packaged() for statement in file.statements(engine)]
