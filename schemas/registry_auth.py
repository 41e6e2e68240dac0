"""How requests to the schema registry are authorised: not at all, by password, or by an OAuth token."""

from __future__ import annotations

import asyncio
import base64
from typing import Any, Protocol
from urllib.parse import quote_plus

import aiohttp

from auditstream.core.clock import Clock
from auditstream.core.errors import RegistryDownError
from auditstream.core.settings import RegistrySettings

_LEEWAY_S = 30.0
"""A token is renewed this long before it expires (at half its life, if that is later): no request under way
outlives it."""


class Authorization(Protocol):
    """Gives the value of the Authorization header."""

    async def value(self, session: aiohttp.ClientSession) -> str | None:
        """Return the header's value, None for no header.

        Raises:
            RegistryDownError: No token could be had.
        """
        ...

    def renew(self) -> bool:
        """Forget what was given last, to which the registry answered 401; return whether to try again."""
        ...


class FixedAuthorization:
    """The same header with every request: none, or a user's password.

    Args:
        username: Empty for no header.
        password: The user's password.
    """

    def __init__(self, username: str = "", password: str = "") -> None:
        self._value = basic_authorization(username, password) if username else None

    async def value(self, session: aiohttp.ClientSession) -> str | None:
        """Return the header's value."""
        return self._value

    def renew(self) -> bool:
        """Return False: there is no other password to try."""
        return False


class OAuthAuthorization:
    """A token by OAuth client credentials (RFC 6749, section 4.4), kept until shortly before it expires.

    Args:
        token_url: Token endpoint.
        client_id: Client id, sent with the secret by HTTP Basic, both form-encoded first (section 2.3.1).
        client_secret: Client secret.
        scope: Scope to ask for; empty for the endpoint's own choice.
        clock: Tells when the token expires.
    """

    def __init__(
        self, *, token_url: str, client_id: str, client_secret: str, scope: str = "", clock: Clock
    ) -> None:
        self._token_url = token_url
        self._client = basic_authorization(quote_plus(client_id), quote_plus(client_secret))
        self._form = {"grant_type": "client_credentials"} | ({"scope": scope} if scope else {})
        self._clock = clock
        self._lock = asyncio.Lock()
        self._token = ""
        self._renew_at_s = 0.0

    async def value(self, session: aiohttp.ClientSession) -> str | None:
        """Return the header's value, asking for a token when there is none that lasts.

        Raises:
            RegistryDownError: The token endpoint does not answer, or not with a token.
        """
        async with self._lock:
            if not self._token or self._clock.now_s() >= self._renew_at_s:
                self._keep(await self._ask(session))
            return f"Bearer {self._token}"

    def renew(self) -> bool:
        """Forget the token, which may have been revoked; return True."""
        self._token = ""
        return True

    def _keep(self, answer: dict[str, Any]) -> None:
        try:
            token, life_s = answer["access_token"], float(answer.get("expires_in", 0))
        except (KeyError, TypeError, ValueError) as error:
            raise RegistryDownError(f"{self._token_url} answered without a token") from error
        self._token = str(token)
        self._renew_at_s = self._clock.now_s() + max(life_s - _LEEWAY_S, life_s / 2)

    async def _ask(self, session: aiohttp.ClientSession) -> dict[str, Any]:
        try:
            headers = {"Authorization": self._client, "Accept": "application/json"}
            async with session.post(self._token_url, data=self._form, headers=headers) as response:
                answer = await response.json(content_type=None) if response.status == 200 else None
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise RegistryDownError(f"{self._token_url} does not answer with a token: {error!r}") from error
        if not isinstance(answer, dict):
            raise RegistryDownError(
                f"{self._token_url} refused the client ({response.status})",
                hint="Check registry.oauth_client_id, oauth_client_secret and oauth_scope.",
            )
        return answer


def basic_authorization(username: str, password: str) -> str:
    """Return the value of an Authorization header for a user and a password (RFC 7617, UTF-8)."""
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


def authorization_of(settings: RegistrySettings, clock: Clock) -> Authorization:
    """Return the authorisation that the settings ask for."""
    if settings.oauth_token_url:
        return OAuthAuthorization(
            token_url=settings.oauth_token_url,
            client_id=settings.oauth_client_id,
            client_secret=settings.oauth_client_secret.get_secret_value(),
            scope=settings.oauth_scope,
            clock=clock,
        )
    return FixedAuthorization(settings.username, settings.password.get_secret_value())
