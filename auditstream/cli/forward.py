"""`auditstream forward`: chosen events go on to other systems as they are recorded."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from threading import Event, Thread
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from auditstream.cli.accessing import Reading
    from auditstream.cli.running import Deployment
    from auditstream.core.metrics import Metrics
    from auditstream.exports.forwarding import Forwarding, Outlet
    from auditstream.exports.forwards import Forward

_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 60.0
"""Pauses double from attempt to attempt up to this: a receiver that is back is told within a minute."""

_TELL_S = 3_600.0
"""How often an event tells how much left."""

_END_S = 20.0
_LOOK_S = 0.2  # how soon the process notices that a forward ended with an error


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(forward)


def forward(
    context: typer.Context,
    *,
    once: Annotated[
        bool, typer.Option("--once", help="End when everything that is recorded is sent.")
    ] = False,
) -> None:
    """Send chosen events on as they are recorded: syslog over TLS, or signed webhooks.

    The file of forwards says which and where to. Each event is sent at least once and in the order of its
    log; where a receiver is away, it is tried again until it is back. Places are kept in DATA_DIR/forward.
    An event ai.data_access tells of each forward when it begins, and by the hour of how much left. Stops on
    SIGTERM.
    """
    from prometheus_client import start_http_server

    from auditstream.cli import running
    from auditstream.cli.printing import print_rows
    from auditstream.cli.stopping import stopping_once
    from auditstream.core import logs
    from auditstream.core.errors import ConfigError
    from auditstream.core.metrics import process_metrics
    from auditstream.exports.forwards import SETTING, read_forwards

    deployment = running.find(context.obj)
    settings = deployment.settings
    if settings.forward.file is None:
        hint = "See docs/how-to/forward.md for what it says."
        raise ConfigError(f"{SETTING}: no file of forwards is named", hint=hint)
    forwards = read_forwards(settings.forward.file)
    logs.configure(style=settings.log_style, level=settings.log_level)
    metrics = process_metrics()
    if settings.forward.metrics_port:
        start_http_server(settings.forward.metrics_port, addr="127.0.0.1")
    runs = [_Run(deployment, each, metrics, once=once) for each in forwards]
    try:
        with stopping_once():
            _run_all(runs)
    except KeyboardInterrupt:
        pass  # SIGTERM and Ctrl-C are how it ends
    rows = [(run.forward.forward_id, run.events, run.size_bytes) for run in runs]
    print_rows(context.obj, ("forward", "events", "bytes"), rows)


class _Run:
    """One forward in a thread of its own.

    Attributes:
        forward: What goes where.
        events: Events that were delivered.
        size_bytes: Bytes that they took.
        error: What ended it.
    """

    def __init__(self, deployment: Deployment, forward: Forward, metrics: Metrics, *, once: bool) -> None:
        self.forward = forward
        self.events = 0
        self.size_bytes = 0
        self.error: BaseException | None = None
        self._deployment = deployment
        self._metrics = metrics
        self._once = once

    def run_until(self, stopping: Event) -> None:
        """Forward until told to stop, or until an error that trying again does not mend."""
        try:
            with ExitStack() as held:
                self._follow(held, stopping)
        except BaseException as error:  # noqa: BLE001  the process ends with it
            self.error = error

    def _follow(self, held: ExitStack, stopping: Event) -> None:
        from auditstream.cli.accessing import tell_result
        from auditstream.core.errors import RetryableError
        from auditstream.core.logs import get_logger

        log = get_logger(__name__)
        settings, name = self._deployment.settings.forward, self.forward.forward_id
        reading = _reading(self.forward)
        under_way = held.enter_context(_opened(self._deployment, self.forward, reading))
        pause_s, told, told_at = _FIRST_PAUSE_S, (0, 0), time.monotonic()

        def tell() -> None:
            nonlocal told, told_at
            new = (under_way.events - told[0], under_way.size_bytes - told[1])
            if new[0]:
                tell_result(self._deployment, reading, rows=new[0], size_bytes=new[1])
            told, told_at = (under_way.events, under_way.size_bytes), time.monotonic()

        held.callback(tell)
        while not stopping.is_set():
            before = under_way.size_bytes
            try:
                sent = under_way.step()
                self._count(sent, under_way.size_bytes - before)
                if time.monotonic() - told_at > _TELL_S:
                    tell()
            except RetryableError as error:
                self._metrics.count("auditstream_forward_failures_total", forward=name, reason=error.code)
                log.warning("forward_not_delivered", forward=name, reason=error.message, again_in_s=pause_s)
                stopping.wait(max(pause_s, error.retry_after_s or 0.0))
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
                continue
            pause_s = _FIRST_PAUSE_S
            if not sent:
                if self._once and not under_way.is_behind:
                    return
                stopping.wait(settings.every_s)

    def _count(self, events: int, size_bytes: int) -> None:
        self.events += events
        self.size_bytes += size_bytes
        name = self.forward.forward_id
        self._metrics.count("auditstream_forwarded_events_total", events, forward=name)
        self._metrics.count("auditstream_forwarded_bytes_total", size_bytes, forward=name)


def _run_all(runs: Sequence[_Run]) -> None:
    """Run all at once; the first error ends them all."""
    stopping = Event()
    threads = [Thread(target=run.run_until, args=(stopping,), name=run.forward.forward_id) for run in runs]
    for thread in threads:
        thread.start()
    try:
        while any(thread.is_alive() for thread in threads) and not any(run.error for run in runs):
            time.sleep(_LOOK_S)
    finally:
        stopping.set()
        for thread in threads:
            thread.join(_END_S)
    for run in runs:
        if run.error is not None:
            raise run.error


@contextmanager
def _opened(deployment: Deployment, forward: Forward, reading: Reading) -> Iterator[Forwarding]:
    """Lend a forward that begins where it ended, once an event tells of it."""
    from auditstream.cli.accessing import told_reader
    from auditstream.exports.forwarding import Forwarding, PlaceFile
    from auditstream.query.arrivals import Arrivals
    from auditstream.query.grammar import parse

    outlet = _outlet(deployment, forward)
    place = PlaceFile(deployment.settings.data_dir / "forward" / f"{forward.forward_id}.json")
    with place.held(), told_reader(deployment, reading) as reader:
        after = place.read()
        if after is None and forward.start == "beginning":
            after = {}
        follower = Arrivals(reader, parse(forward.query), tenant=forward.tenant or None, after=after)
        try:
            yield Forwarding(follower, outlet, place)
        finally:
            outlet.close()


def _outlet(deployment: Deployment, forward: Forward) -> Outlet:
    from auditstream.exports.forms import DOCUMENTS
    from auditstream.exports.syslog import SyslogOutlet, tls_context
    from auditstream.exports.webhook_outlet import WebhookOutlet

    timeout_s = deployment.settings.forward.timeout_s
    document = DOCUMENTS[forward.form]
    if not forward.is_syslog:
        return WebhookOutlet(forward.to, forward.secrets, forward.form, document, timeout_s=timeout_s)
    return SyslogOutlet(
        forward.address,
        tls_context(forward.ca_file, forward.cert_file, forward.key_file),
        document,
        timeout_s=timeout_s,
        most_bytes=forward.most_bytes,
        needs_answer=forward.closes == "politely",
    )


def _reading(forward: Forward) -> Reading:
    from auditstream.cli.accessing import Reading
    from auditstream.query.events import FOUND_IN

    return Reading(
        f"forward {forward.forward_id}",
        forward.query,
        (FOUND_IN, "logs"),
        forward.tenant,
        destination=forward.receiver,
        whole=True,
    )
