"""Who may ask the embedded ClickHouse, and which list of statements each may use."""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from auditstream.core.errors import ConfigError
from auditstream.embedded.clickhouse_errors import ErrorNumber, refusal

StatementList = Literal["owner", "writer", "sealer", "reader"]


WRITERS: frozenset[StatementList] = frozenset({"writer", "sealer"})
"""Who may insert."""

SEALER_TABLES = ("checkpoints", "findings")
"""Tables that a sealer may insert into."""

API_TABLES = ("findings", "exports", "assets", "budgets", "reference_revisions")
"""Tables that the API may insert into, as role `audit_api` of a server may."""


@dataclass(frozen=True, slots=True)
class Credential:
    """One user of the front.

    Attributes:
        user: Name to sign in with.
        token: Secret to sign in with: the password, or a bearer token.
        statements: `owner` may run everything; `writer` may insert into `tables` and select; `sealer` may
            insert checkpoints and findings, and select; `reader` may
            run one SELECT, WITH, SHOW, DESCRIBE, EXISTS or EXPLAIN at a time, read-only and with limits.
        tables: Tables that a writer may insert into, as `table` or `database.table`; every table of the
            front's databases when empty.
        is_service: Whether this is a part of the deployment, whose acts are the record itself and are not
            told of in events.
    """

    user: str
    token: str = field(repr=False)
    statements: StatementList = "owner"
    tables: tuple[str, ...] = ()
    is_service: bool = False


class Credentials:
    """The users of one front."""

    def __init__(self, credentials: Iterable[Credential]) -> None:
        """Take the users.

        Raises:
            ConfigError: There are none, one has no token, or two share a user name or a token.
        """
        self._all = tuple(credentials)
        if not self._all or not all(each.token for each in self._all):
            raise ConfigError("the embedded ClickHouse needs a credential, and every credential a token")
        for values in ({each.user for each in self._all}, {each.token for each in self._all}):
            if len(values) < len(self._all):
                raise ConfigError("two credentials of the embedded ClickHouse share a user name or a token")

    def sign_in(self, user: str, token: str) -> Credential:
        """Return the credential of a user name and its token.

        Raises:
            QueryError: 516, in one wording for unknown users and wrong tokens; 194 without a token.
        """
        if not token:
            raise refusal(
                ErrorNumber.REQUIRED_PASSWORD, f"{user}: Authentication failed: password is required."
            )
        found = self._holder_of(token)
        if found is None or found.user != user:
            raise refusal(
                ErrorNumber.AUTHENTICATION_FAILED,
                f"{user}: Authentication failed: password is incorrect, or there is no user with such name.",
            )
        return found

    def sign_in_by_token(self, token: str) -> Credential:
        """Return the credential of a bearer token.

        Raises:
            QueryError: 516.
        """
        found = self._holder_of(token)
        if found is None:
            raise refusal(ErrorNumber.AUTHENTICATION_FAILED, "Authentication failed: unknown bearer token.")
        return found

    def _holder_of(self, token: str) -> Credential | None:
        """Compare with every token, so that the time taken tells nothing about any of them."""
        given = token.encode()
        matches = [each for each in self._all if hmac.compare_digest(each.token.encode(), given)]
        return matches[0] if matches else None
