"""The FinOps Foundation's validator of FOCUS files, in the environment that `make focus-check` builds.

Traps of version 2.2.1: it ends with 0 whatever it finds, so that its lines are read; it wants to run in
its own package; without `--block-download` it asks GitHub for rules. A rule for rows whose
ChargeClass is not Correction passes over rows without one: that prices times quantities are costs, we test.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from tests.support.parts import skip_part

_ROOT = Path(__file__).parents[3]
_VERDICT = re.compile(r"^\S+ (?P<rule>[A-Za-z]+-[A-Z]-\d+-[A-Z]): (?P<verdict>[A-Z]+)", re.MULTILINE)
_WITHIN_S = 300

# What of FOCUS applies to AI costs: not commitments, reservations, zones, virtual currencies.
CRITERIA = (
    "ACCOUNT_NAMING_SUPPORTED",
    "BILLING_BASED_ON_PROVISIONED_RESOURCES_SUPPORTED",
    "MULTIPLE_PRICING_CATEGORIES_SUPPORTED",
    "MULTIPLE_SUB_ACCOUNT_TYPES_SUPPORTED",
    "NEGOTIATED_PRICING_SUPPORTED",
    "PUBLIC_PRICE_LIST_SUPPORTED",
    "REGION_SUPPORTED",
    "RESOURCE_TYPE_ASSIGNMENT_SUPPORTED",
    "SUB_ACCOUNT_SUPPORTED",
    "TAGGING_SUPPORTED",
    "UNIT_PRICING_SUPPORTED",
    "USAGE_MEASUREMENT_SUPPORTED",
)


def validator() -> Path:
    """Return the program; skips the calling test where it is not."""
    place = os.environ.get("AUDITSTREAM_TEST_FOCUS_VALIDATOR")
    program = Path(place) if place else _ROOT / ".cache" / "focus-validator" / "bin" / "focus-validator"
    if not program.exists():
        skip_part("focus-validator", "`make focus-check` builds it, where there is Python 3.12")
    return program


def verdicts(program: Path, file: Path) -> dict[str, str]:
    """Return what the validator says of a file of FOCUS 1.2, by rule: PASS, FAIL, SKIPPED.

    Raises:
        AssertionError: It said nothing that is understood.
    """
    options = ["--data-file", str(file.absolute()), "--validate-version", "1.2", "--block-download"]
    criteria = ["--applicability-criteria", ",".join(CRITERIA)]
    package = next(program.parent.parent.glob("lib/python3*/site-packages"))
    done = subprocess.run(
        [str(program), *options, *criteria],
        cwd=package,
        capture_output=True,
        text=True,
        timeout=_WITHIN_S,
        check=True,
    )
    found = {match["rule"]: match["verdict"] for match in _VERDICT.finditer(done.stdout)}
    assert len(found) > 500, f"the validator judged {len(found)} rules: {done.stderr[-2000:]}"
    return found
