"""The reference page of the columns, made of the profile: `python -m auditstream.focus.columns_page`."""

from __future__ import annotations

import sys

from auditstream.focus.profile import COLUMNS, VERSIONS

_INTRODUCTION = """# Columns of a FOCUS export

What `auditstream export focus` writes, in the order of the file. This page is generated from the profile that
writes it (`python -m auditstream.focus.columns_page`); a test compares the two.

FOCUS 1.2 is the default, and what the FinOps Foundation's validator is asked about. 1.4 (June 2026) has no
rules that a machine can check yet: a test holds the file against the columns, types and values of its
published data model. Columns of FOCUS 1.5, a draft, and of our own begin with `x_` and come last. In a CSV
null is an empty cell, times are ISO 8601 in UTC with `Z`, and numbers have a decimal point and no exponent;
Parquet has decimals of 18 places.

| Column | Type | May be null | Versions | Value |
|---|---|---|---|---|
"""


def page() -> str:
    """Return the page."""
    rows = [
        f"| {each.name} | {each.kind} | {'yes' if each.nullable else 'no'} "
        f"| {', '.join(each.versions) if each.versions != VERSIONS else 'all'} | {each.origin} |\n"
        for each in COLUMNS
    ]
    return _INTRODUCTION + "".join(rows)


if __name__ == "__main__":
    sys.stdout.write(page())
