"""The id under which a registry has the packaged schema, which values are framed with."""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from auditstream_sdk.avro import schema_text

_CONTENT_TYPE = "application/vnd.schemaregistry.v1+json"


class NotRegisteredError(Exception):
    """The registry answers, and does not have the schema in the subject, or does not let us ask."""


def schema_id(url: str, subject: str, timeout_s: float) -> int:
    """Return the id of the packaged schema in a subject; nothing is registered.

    Args:
        url: The registry; may carry user and password.
        subject: As `audit.direct.acme.v1-value`.
        timeout_s: Longest wait.

    Raises:
        NotRegisteredError: The subject does not have it.
        OSError: The registry does not answer.
    """
    plain, headers = _address(url)
    request = urllib.request.Request(  # noqa: S310  settings take http and https only
        f"{plain}/subjects/{quote(subject, safe='')}?normalize=true",
        json.dumps({"schema": schema_text(), "schemaType": "AVRO"}).encode(),
        {"Content-Type": _CONTENT_TYPE, "Accept": _CONTENT_TYPE, **headers},
    )
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as response:  # noqa: S310
            told: Any = json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            if error.code >= 500 or error.code == 429:
                raise OSError(f"the registry answers {error.code}") from None
            raise NotRegisteredError(f"subject {subject}: the registry answers {error.code}") from None
    except ValueError:
        raise OSError("the registry's answer is no JSON") from None
    found = told.get("id") if isinstance(told, dict) else None
    if not isinstance(found, int):
        raise OSError("the registry's answer names no id")
    return found


def plain_url(url: str) -> str:
    """Return a URL without the user and password that it may carry."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path.rstrip("/"), "", ""))


def _address(url: str) -> tuple[str, dict[str, str]]:
    user = urlsplit(url).netloc.rpartition("@")[0]
    if not user:
        return plain_url(url), {}
    return plain_url(url), {"Authorization": "Basic " + base64.b64encode(user.encode()).decode()}
