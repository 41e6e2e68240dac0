"""Users sign in with their own token; nobody learns from an error who exists."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from auditstream.core.errors import ConfigError
from auditstream.embedded.clickhouse_credentials import Credential, Credentials
from auditstream.embedded.clickhouse_errors import QueryError

OWNER = Credential("default", "owner's")
READER = Credential("analyst", "reader's — ü", "reader")
BOTH = Credentials([OWNER, READER])


def test_a_user_signs_in_with_his_token() -> None:
    assert BOTH.sign_in("default", "owner's") is OWNER
    assert BOTH.sign_in("analyst", "reader's — ü") is READER
    assert BOTH.sign_in_by_token("owner's") is OWNER


@pytest.mark.parametrize(
    ("user", "token"),
    [("default", "reader's — ü"), ("analyst", "owner's"), ("nobody", "owner's"), ("default", "OWNER'S")],
)
def test_no_other_pair_signs_in(user: str, token: str) -> None:
    with pytest.raises(QueryError) as caught:
        BOTH.sign_in(user, token)

    assert caught.value.number == 516
    assert token not in caught.value.text


def test_unknown_users_and_wrong_tokens_are_told_in_the_same_words() -> None:
    texts = []
    for user in ("default", "nobody"):
        with pytest.raises(QueryError) as caught:
            BOTH.sign_in(user, "wrong")
        texts.append(caught.value.text.replace(user, "USER"))

    assert texts[0] == texts[1]


def test_without_a_token_one_is_asked_for() -> None:
    with pytest.raises(QueryError) as caught:
        BOTH.sign_in("default", "")

    assert (caught.value.number, caught.value.status) == (194, 401)


def test_an_unknown_bearer_token_is_refused() -> None:
    with pytest.raises(QueryError) as caught:
        BOTH.sign_in_by_token("wrong")

    assert (caught.value.number, caught.value.status) == (516, 403)


@pytest.mark.parametrize(
    "credentials",
    [
        [],
        [Credential("a", "")],
        [Credential("a", "1"), Credential("a", "2")],
        [Credential("a", "1"), Credential("b", "1")],
    ],
)
def test_credentials_have_tokens_and_are_told_apart(credentials: Sequence[Credential]) -> None:
    with pytest.raises(ConfigError):
        Credentials(credentials)


def test_a_token_is_not_in_what_is_printed() -> None:
    assert "owner's" not in repr(OWNER)
