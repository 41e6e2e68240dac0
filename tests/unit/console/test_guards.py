"""What holds for every answer and form."""

from __future__ import annotations

import pytest
from starlette.datastructures import Headers

from auditstream.console.guards import HEADERS, is_own_form


@pytest.mark.parametrize(
    ("headers", "is_own"),
    [
        ({"sec-fetch-site": "same-origin", "host": "h"}, True),
        ({"sec-fetch-site": "same-origin", "origin": "null", "host": "h"}, True),
        ({"sec-fetch-site": "same-site", "origin": "https://h", "host": "h"}, False),
        ({"sec-fetch-site": "cross-site", "host": "h"}, False),
        ({"sec-fetch-site": "none", "host": "h"}, False),
        ({"origin": "https://h:8443", "host": "h:8443"}, True),
        ({"origin": "https://evil", "host": "h"}, False),
        ({"origin": "null", "host": "h"}, False),
        ({"host": "h"}, False),
    ],
)
def test_a_form_counts_when_the_browser_says_that_it_is_ours(headers: dict[str, str], is_own: bool) -> None:
    assert is_own_form(Headers(headers)) is is_own


def test_pages_may_load_nothing_from_elsewhere_and_run_nothing_inline() -> None:
    policy = HEADERS["content-security-policy"]

    assert "unsafe" not in policy
    assert "http" not in policy
    assert "*" not in policy
    assert policy.startswith("default-src 'none'")
