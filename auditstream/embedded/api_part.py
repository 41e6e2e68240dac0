"""The API and the console of an embedded deployment: a watched process, and a token that sees everything.

No event tells of the token: whoever may read the data folder may do everything anyway. What is asked with it
is told of as always.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from auditstream.access.known_tokens import NotSignedInError, TokenBook
from auditstream.access.tokens import KIND, create_token, draft
from auditstream.core.settings import Settings
from auditstream.embedded.answering import wait_until_answers
from auditstream.embedded.broker_choice import Say
from auditstream.embedded.kept_secret import keep, kept
from auditstream.embedded.loopback_ports import port_of
from auditstream.embedded.watched_process import WatchedProcess
from auditstream.reference.access_tokens import EVERYBODY
from sinks.reference import connect_reference

CONSOLE = "/console"
"""Path of the console's pages."""

_ACTOR = "deployment"
_ROLE = "admin"


@dataclass(frozen=True, slots=True)
class ApiPart:
    """A running API.

    Attributes:
        url: Where it answers.
        console_url: Where the pages are.
        token: A token that sees everything.
        process: Its process.
    """

    url: str
    console_url: str
    token: str
    process: WatchedProcess

    def wait(self) -> None:
        """Return when it answers.

        Raises:
            RetryableError: It was not ready in time.
        """
        wait_until_answers(self.url, self.process)


@contextmanager
def start_api(settings: Settings, *, port: int, store: Settings, say: Say) -> Iterator[ApiPart]:
    """Run an API for the length of the block; it may take a while until it answers.

    Args:
        settings: Settings with the API's sign-in to the store.
        port: Where it listens; a free port when 0.
        store: Settings by which the token is written.
        say: Takes a line for a person; may be called from another thread.

    Raises:
        PortTakenError: The port is taken.
        RetryableError: No answer from the store.
    """
    listen = f"127.0.0.1:{port_of(port)}"
    folder = settings.data_dir
    token = deployment_token(store, folder / "api" / "token")
    settings = settings.model_copy(update={"api": settings.api.model_copy(update={"listen": listen})})
    with WatchedProcess(
        "api", ["serve"], settings, folder=folder, log=folder / "api.log", say=say
    ) as process:
        yield ApiPart(f"http://{listen}", f"http://{listen}{CONSOLE}/", token, process)


def deployment_token(settings: Settings, path: Path) -> str:
    """Return a token of the deployment's own; that of an earlier start while it counts.

    Args:
        settings: Settings with a sign-in that may write reference data.
        path: Where the token is kept.

    Raises:
        RetryableError: No answer from the store.
    """
    store = connect_reference(settings.clickhouse)
    try:
        now = datetime.now(UTC)
        former = kept(path)
        book = TokenBook(store.load(store.newest(), kinds=(KIND,)))
        if former and _counts(book, former, now):
            return former
        wanted = draft(role=_ROLE, tenants=(EVERYBODY,), now=now, name="embedded deployment")
        made = create_token(store, wanted, actor=_ACTOR, now=now, announce=None)
        keep(path, made.secret)
        return made.secret
    finally:
        store.close()


def _counts(book: TokenBook, secret: str, now: datetime) -> bool:
    try:
        return bool(book.principal(secret, now))
    except NotSignedInError:
        return False
