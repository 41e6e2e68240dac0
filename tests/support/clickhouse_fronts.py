"""An embedded ClickHouse with one user a statement list, and two ways to ask it."""

from __future__ import annotations

import base64
import http.client
import urllib.parse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import clickhouse_connect
from clickhouse_connect.driver.httpclient import HttpClient

from auditstream.embedded.clickhouse_credentials import Credential
from auditstream.embedded.clickhouse_process import RunningClickHouse, start_clickhouse

TOKENS = {"default": "owner-token", "writer": "writer-token", "analyst": "reader-token"}
WRITABLE = "allowed"  # the one table that the writer may insert into
_TIMEOUT_S = 60


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer, whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text without the line break at its end."""
        return self.body.decode().rstrip("\n")

    @property
    def error(self) -> int:
        """ClickHouse's error number, 0 for none."""
        return int(self.headers.get("X-ClickHouse-Exception-Code", "0"))


def start(folder: Path, *, port: int = 0) -> RunningClickHouse:
    """Start a front on `folder` with an owner, a writer and a reader."""
    credentials = [
        Credential("default", TOKENS["default"]),
        Credential("writer", TOKENS["writer"], "writer", (WRITABLE,)),
        Credential("analyst", TOKENS["analyst"], "reader"),
    ]
    return start_clickhouse(folder, port=port, credentials=credentials)


@contextmanager
def connected(running: RunningClickHouse, user: str = "default", **options: Any) -> Iterator[HttpClient]:
    """Yield a clickhouse-connect client over HTTP, as `user`."""
    made = clickhouse_connect.get_client(
        host=running.host, port=running.port, username=user, password=TOKENS[user], **options
    )
    assert isinstance(made, HttpClient)
    with made:
        yield made


def authorization(user: str) -> dict[str, str]:
    """Return the header by which a user signs in."""
    secret = base64.b64encode(f"{user}:{TOKENS[user]}".encode()).decode()
    return {"Authorization": f"Basic {secret}"}


@dataclass(frozen=True, slots=True)
class Asker:
    """Asks a front over plain HTTP."""

    running: RunningClickHouse

    def __call__(
        self,
        body: bytes | str = b"",
        *,
        user: str = "default",
        method: str = "POST",
        headers: Mapping[str, str] | None = None,
        **parameters: object,
    ) -> Answer:
        """Send one request with URL parameters; return the whole answer."""
        connection = http.client.HTTPConnection(self.running.host, self.running.port, timeout=_TIMEOUT_S)
        try:
            connection.request(
                method,
                "/?" + urllib.parse.urlencode(parameters),
                body.encode() if isinstance(body, str) else body,
                authorization(user) if headers is None else dict(headers),
            )
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.getheaders()), answer.read())
        finally:
            connection.close()
