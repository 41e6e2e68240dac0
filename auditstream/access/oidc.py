"""Signing in by an identity provider: OpenID Connect's authorization code flow with PKCE.

What belongs to one sign-in (state, nonce, verifier, where to go) travels in a signed cookie of its own, so
that an answer of the provider counts in the browser that asked for it, and for some minutes.

Sources: OpenID Connect Core 1.0, sections 3.1.2 and 3.1.3.7; Discovery 1.0; RFC 7636 (PKCE); RFC 9207.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

from authlib.integrations.httpx_client import OAuth2Client
from itsdangerous import BadSignature, URLSafeSerializer
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from auditstream.access.known_tokens import NotSignedInError
from auditstream.access.oidc_grants import Grant, principal_of
from auditstream.access.principal import Principal
from auditstream.core.clock import Clock
from auditstream.core.errors import NotAllowedError, RetryableError
from auditstream.core.logs import get_logger
from auditstream.core.settings import OidcSettings

log = get_logger(__name__)

LOGIN_COOKIE = "auditstream_login"
LASTS = timedelta(minutes=10)
"""How long a person may take at the provider's."""

_SALT = "auditstream/oidc/v1"
_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signatures with a public key: of those with a shared secret, or none, everybody could make one."""

_SKEW_S = 60
_KNOWN_S = 3_600.0
"""How long the provider's description counts; its keys are asked for anew when one is not known."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A sign-in that was begun.

    Attributes:
        url: Where the browser goes.
        cookie: What it has to bring back.
    """

    url: str
    cookie: str


@dataclass(frozen=True, slots=True)
class Finished:
    """A sign-in that came to its end.

    Attributes:
        who: Who it is.
        wanted: Where they wanted to go.
    """

    who: Principal
    wanted: str


class OidcProvider:
    """Signs people in by one identity provider; any thread may use it, and waits for the provider.

    Args:
        settings: Which provider, and what it knows us by.
        grants: What its claims give.
        key: Secret by which cookies are signed.
        clock: Tells the time.
    """

    def __init__(self, settings: OidcSettings, grants: list[Grant], *, key: bytes, clock: Clock) -> None:
        self._settings = settings
        self._grants = grants
        self._signed = URLSafeSerializer(key, salt=_SALT, signer_kwargs={"digest_method": sha256})
        self._clock = clock
        self._described: tuple[dict[str, Any], float] | None = None
        self._keys: KeySet | None = None

    @property
    def name(self) -> str:
        """What the sign-in page calls it."""
        return self._settings.name or urlsplit(self._settings.issuer).hostname or ""

    def begin(self, redirect_uri: str, wanted: str) -> Begun:
        """Return where a browser signs in, and the cookie that it has to bring back.

        Args:
            redirect_uri: Where the provider sends it then.
            wanted: Where the person wants to go.

        Raises:
            RetryableError: The provider does not answer.
        """
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        with self._client(redirect_uri) as client:
            url, _ = client.create_authorization_url(
                self._description()["authorization_endpoint"],
                state=state,
                nonce=nonce,
                code_verifier=verifier,
            )
        begun = {
            "s": state,
            "n": nonce,
            "v": verifier,
            "w": wanted,
            "e": self._clock.now_s() + LASTS.total_seconds(),
        }
        cookie = self._signed.dumps(begun)
        return Begun(url, cookie if isinstance(cookie, str) else cookie.decode("ascii"))

    def finish(self, cookie: str, answer: Mapping[str, str], redirect_uri: str) -> Finished:
        """Return who signed in, from the provider's answer.

        Args:
            cookie: What the browser brought back.
            answer: Parameters with which the provider sent it back.
            redirect_uri: The same as at the beginning.

        Raises:
            NotSignedInError: The answer is not of a sign-in that this browser began, or does not hold.
            NotAllowedError: Nothing is given to this person.
            RetryableError: The provider does not answer.
        """
        begun = self._begun(cookie)
        if not hmac.compare_digest(str(begun["s"]).encode(), answer.get("state", "").encode()):
            raise _refused("state: is not that of the sign-in that this browser began")
        if "iss" in answer and answer["iss"] != self._settings.issuer:
            raise _refused("iss: the answer is another provider's")
        if "error" in answer:
            raise _refused(f"the provider says {answer['error'][:80]!r}")
        if not answer.get("code"):
            raise _refused("code: the provider sent none")
        claims = self._claims(self._exchanged(answer["code"], str(begun["v"]), redirect_uri), str(begun["n"]))
        who = principal_of(self._grants, self._settings.issuer, claims)
        if who is None or who.tenants == frozenset() or not who.is_valid(self._now):
            raise NotAllowedError(
                "nothing is given to this person",
                hint="The grants of AUDITSTREAM_API__OIDC__GRANTS_FILE say to whom what is given.",
            )
        return Finished(who, str(begun["w"]))

    @property
    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.now_s(), UTC)

    def _begun(self, cookie: str) -> dict[str, Any]:
        try:
            begun: dict[str, Any] = self._signed.loads(cookie)
            is_over = self._clock.now_s() >= float(begun["e"])
        except (BadSignature, KeyError, TypeError, ValueError):
            raise _refused("no sign-in was begun in this browser") from None
        if is_over:
            raise _refused("the sign-in took too long")
        return begun

    def _exchanged(self, code: str, verifier: str, redirect_uri: str) -> str:
        """Return the ID token that a code stands for."""
        endpoint = self._description()["token_endpoint"]
        try:
            with self._client(redirect_uri) as client:
                token = client.fetch_token(endpoint, code=code, code_verifier=verifier)
        except Exception as error:
            if getattr(error, "error", None):  # the provider's own word, as invalid_grant
                raise _refused("code: the provider does not take it") from error
            raise _away("token endpoint", error) from error
        if not isinstance(token.get("id_token"), str):
            raise _refused("id_token: the provider sent none")
        return str(token["id_token"])

    def _claims(self, id_token: str, nonce: str) -> dict[str, Any]:
        """Return the claims of an ID token that holds, by section 3.1.3.7 of OpenID Connect Core."""
        try:
            token = self._opened(id_token)
            now = int(self._clock.now_s())
            registry = jwt.JWTClaimsRegistry(
                now=now,
                leeway=_SKEW_S,
                iss={"essential": True, "value": self._settings.issuer},
                aud={"essential": True, "value": self._settings.client_id},
                sub={"essential": True},
                exp={"essential": True},
                iat={"essential": True},
                nonce={"essential": True, "value": nonce},
            )
            registry.validate(token.claims)
        except (JoseError, ValueError) as error:
            raise _refused(f"id_token: does not hold ({type(error).__name__})") from error
        claims = dict(token.claims)
        several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        if (several or "azp" in claims) and claims.get("azp") != self._settings.client_id:
            raise _refused("id_token: was issued to somebody else (azp)")
        return claims

    def _opened(self, id_token: str) -> jwt.Token:
        """Return a token whose signature is the provider's; its keys are asked for anew at most once."""
        if self._keys is not None:
            try:
                return jwt.decode(id_token, self._keys, algorithms=list(_ALGORITHMS))
            except (JoseError, ValueError):
                pass  # with the newest keys it may hold
        self._keys = KeySet.import_key_set(self._fetched(self._description()["jwks_uri"]))  # type: ignore[arg-type]
        return jwt.decode(id_token, self._keys, algorithms=list(_ALGORITHMS))

    def _description(self) -> dict[str, Any]:
        """Return the provider's description of itself.

        Raises:
            RetryableError: It does not answer, or describes somebody else.
        """
        if self._described is not None and self._clock.now_s() - self._described[1] < _KNOWN_S:
            return self._described[0]
        issuer = self._settings.issuer
        found = self._fetched(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        needed = ("authorization_endpoint", "token_endpoint", "jwks_uri")
        if found.get("issuer") != issuer or not all(isinstance(found.get(each), str) for each in needed):
            raise _away("description", ValueError("it describes another issuer, or lacks an endpoint"))
        self._described = found, self._clock.now_s()
        return found

    def _fetched(self, url: str) -> dict[str, Any]:
        try:
            with self._client("") as client:
                answer = client.request("GET", url, withhold_token=True)
                answer.raise_for_status()
                found = answer.json()
        except Exception as error:
            raise _away(url, error) from error
        if not isinstance(found, dict):
            raise _away(url, ValueError("the answer is no object"))
        return found

    def _client(self, redirect_uri: str) -> OAuth2Client:
        settings = self._settings
        return OAuth2Client(
            settings.client_id,
            settings.client_secret.get_secret_value() or None,
            scope=settings.scopes,
            redirect_uri=redirect_uri,
            code_challenge_method="S256",
            timeout=settings.timeout_s,
        )


def _refused(reason: str) -> NotSignedInError:
    return NotSignedInError(f"sign-in: {reason}", hint="Sign in again.")


def _away(what: str, error: Exception) -> RetryableError:
    log.warning("identity_provider_away", what=what, reason=repr(error)[:300])
    return RetryableError("the identity provider does not answer as it should", retry_after_s=5)
