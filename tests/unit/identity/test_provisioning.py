"""Keys for the edge: for whom they are, and what a request may ask."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any

import pytest

from auditstream.core.errors import NotAllowedError, RequestError
from auditstream.identity.keyring import Destruction
from auditstream.identity.keys import Keys
from auditstream.identity.policy import Policy
from auditstream.identity.provisioning import MOST_SUBJECTS, Asking, provisioned

NOW = datetime(2026, 1, 15, tzinfo=UTC)
ASKING = Asking("acme", edge_keys=True, policy=Policy(contents="sealed"))
ADA = "user-" + "a" * 26


def answer(keys: Keys, request: Any, asking: Asking = ASKING) -> dict[str, Any]:
    return provisioned(keys, asking, request, now=NOW, lifetime_s=60.0)


def test_the_tenants_key_and_choices_come_first(keys: Keys) -> None:
    found = answer(keys, {})

    assert base64.b64decode(found["hmac_key"]) == keys.hmac("acme").key
    assert (found["tenant_id"], found["lifetime_s"], found["keys"]) == ("acme", 60.0, [])
    assert found["policy"]["contents"] == "sealed"


def test_data_keys_are_those_of_the_keyring(keys: Keys) -> None:
    found = answer(keys, {"subjects": [{"subject": ADA}, {"subject": ADA, "month": "2025-12"}]})["keys"]

    assert [each["month"] for each in found] == ["2026-01", "2025-12"]
    for each in found:
        key = keys.ring.data_key("acme", ADA, each["month"])
        assert (each["key_id"], base64.b64decode(each["key"])) == (key.key_id, key.secret)


def test_a_destroyed_key_is_named_and_not_given(keys: Keys) -> None:
    keys.ring.destroy("acme", [ADA], Destruction(NOW, "mara", "asked for"))

    assert answer(keys, {"subjects": [{"subject": ADA}]})["keys"] == [
        {"subject": ADA, "month": "2026-01", "destroyed": True}
    ]


def test_a_credential_without_the_right_gets_no_keys(keys: Keys) -> None:
    with pytest.raises(NotAllowedError, match="may not have keys"):
        answer(keys, {}, Asking("acme", edge_keys=False, policy=Policy(contents="sealed")))


def test_a_tenant_that_seals_nothing_has_no_data_keys_made(keys: Keys) -> None:
    with pytest.raises(NotAllowedError, match="keeps nothing sealed"):
        answer(keys, {"subjects": [{"subject": ADA}]}, Asking("acme", edge_keys=True, policy=Policy()))
    assert keys.ring.records("acme", [ADA]) == []


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        ([], "request"),
        ({"subject": ADA}, "request"),
        ({"subjects": ADA}, "subjects"),
        ({"subjects": [{"subject": ADA}] * (MOST_SUBJECTS + 1)}, "subjects"),
        ({"subjects": [ADA]}, "subjects[0]"),
        ({"subjects": [{"subject": ADA}, {"subject": ADA, "tenant": "globex"}]}, "subjects[1]"),
        ({"subjects": [{"subject": "ada@example.com"}]}, "subjects[0].subject"),
        ({"subjects": [{"month": "2026-01"}]}, "subjects[0].subject"),
        ({"subjects": [{"subject": ADA, "month": 202601}]}, "subjects[0].month"),
        ({"subjects": [{"subject": ADA, "month": "2026-13"}]}, "subjects[0].month"),
        ({"subjects": [{"subject": ADA, "month": "2026-03"}]}, "subjects[0].month"),
        ({"subjects": [{"subject": ADA, "month": "2025-11"}]}, "subjects[0].month"),
    ],
)
def test_a_malformed_request_is_refused_by_field_and_makes_no_key(
    keys: Keys, request_: Any, field: str
) -> None:
    with pytest.raises(RequestError) as refused:
        answer(keys, request_)

    assert refused.value.context["field"] == field
    assert keys.ring.records("acme", [ADA]) == []
