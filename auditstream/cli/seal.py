"""`auditstream seal`: the sealer, and the keys that it signs with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from auditstream.cli.context import Context
from auditstream.cli.files import read_bytes, write_bytes
from auditstream.cli.remarks import remark
from auditstream.cli.waiting import waiting
from auditstream.core.errors import RequestError

if TYPE_CHECKING:
    from auditstream.core.settings import Settings
    from auditstream.emit.key_rotations import KeyChange
    from auditstream.sealer.key_file import KeyRing
    from auditstream.sealer.service import Round

_COLUMNS = ("log_id", "size", "stated_at", "state")
_KEY_COLUMNS = ("name", "generation", "vkey")


def register(app: typer.Typer) -> None:
    """Add the command and its subcommands."""
    group = typer.Typer(help="Seal what is recorded: tiles, signed checkpoints, witnesses.")
    group.callback(invoke_without_command=True)(seal)
    group.command()(adopt)
    keys = typer.Typer(help="The secret from which every signing key is derived.", no_args_is_help=True)
    keys.command()(new)
    keys.command()(rotate)
    keys.command()(show)
    group.add_typer(keys, name="keys")
    app.add_typer(group, name="seal")


def seal(
    context: typer.Context,
    *,
    once: Annotated[
        bool, typer.Option("--once", help="One round over all logs; print what is sealed, and end.")
    ] = False,
) -> None:
    """Keep every log sealed until SIGTERM: a checkpoint at most 10 s behind the rows, never older than 60 s.

    Settings come from AUDITSTREAM_* variables, `evidence` among them. A second sealer does no harm: each
    checkpoint is published by one of them. What is refused becomes a finding, and so does what is not as it
    was in the store's tables and rights, at which it looks every `evidence.watch_s` seconds. With --once,
    ends with 3 when rows, tiles and checkpoints contradict each other, and with 6 when something did not
    answer; what could be sealed is sealed.
    """
    if context.invoked_subcommand is not None:
        if once:
            raise RequestError("--once: only without a subcommand")
        return
    from prometheus_client import start_http_server

    from auditstream.cli.sealing import new_sealer
    from auditstream.cli.wiring import load_settings
    from auditstream.core import logs
    from auditstream.core.metrics import process_metrics
    from auditstream.emit.seal_findings import told_findings
    from auditstream.emit.store_watching import watching_store

    if once:
        _seal_once(context.obj)
        return
    settings = load_settings(context.obj)
    logs.configure(style=settings.log_style, level=settings.log_level)
    metrics = process_metrics()
    if settings.evidence.metrics_port:
        start_http_server(settings.evidence.metrics_port, addr="127.0.0.1")
    with (
        watching_store(settings),
        told_findings(settings) as findings,
        new_sealer(settings, metrics, on_trouble=findings) as sealer,
        _told_to_stop(sealer.stop),
    ):
        sealer.run()


def adopt(
    context: typer.Context,
    log_id: Annotated[str, typer.Argument(metavar="LOG", help="The log: topic/partition/epoch.")],
) -> None:
    """Take a log's published checkpoint for what was signed last, where the memory of that was lost.

    First compare it with what the witnesses saw: were a later one signed, this would allow a fork.
    """
    from auditstream.cli import running
    from auditstream.cli.printing import print_document
    from auditstream.cli.sealing import key_path, memory_place, published_place
    from auditstream.sealer.key_file import load_ring
    from auditstream.sealer.sealing import adopt as adopt_published

    settings = running.find(context.obj).settings
    keys = load_ring(key_path(settings)).verifiers(f"{settings.evidence.deployment_name}/{log_id}")
    store = published_place(settings).store(log_id)
    head = adopt_published(store, keys, memory_place(settings).register(f"{log_id}/signed"))
    print_document(context.obj, {"log_id": log_id, "size": head.size, "root": head.root.hex()})


def new(
    context: typer.Context,
    *,
    former: Annotated[
        Path | None,
        typer.Option(
            help="vkeys.txt with the public keys of a secret that was lost: logs go on under the new."
        ),
    ] = None,
    if_missing: Annotated[
        bool, typer.Option("--if-missing", help="Leave a secret that exists as it is, without an error.")
    ] = False,
    vkey_file: Annotated[
        Path | None,
        typer.Option(help="Also write the deployment's public keys here: what a witness is told to trust."),
    ] = None,
    actor: Annotated[str, typer.Option(help="Who says so; the user of the system by default.")] = "",
) -> None:
    """Make a secret, in a file that only you can read; one that exists is never overwritten.

    With --former the change of keys is recorded first, as by `rotate`.
    """
    from auditstream.cli import running
    from auditstream.cli.sealing import key_path
    from auditstream.core.secret_file import KeyFileError
    from auditstream.ledger.vkeys import Vkeys, parse_vkeys
    from auditstream.sealer.key_file import create_key_file, load_ring, new_ring

    settings = running.find(context.obj).settings
    path = key_path(settings)
    name = settings.evidence.deployment_name
    if path.exists():  # before anything is announced
        if not if_missing:
            raise KeyFileError(
                f"{path} exists and is not overwritten", hint="`auditstream seal keys rotate`?"
            )
        ring = load_ring(path)
    else:
        ring = new_ring(Vkeys() if former is None else parse_vkeys(read_bytes(former)))
        if former is not None:
            _announce(settings, _changes(settings, ring), actor)
        create_key_file(path, ring)
        remark(context.obj, f"{path} is the secret of {name}: keep a copy where it is safe")
    if vkey_file is not None:
        write_bytes(vkey_file, Vkeys(ring.verifiers(name)).to_bytes())
    _show(context.obj, settings, ring)


def rotate(
    context: typer.Context,
    *,
    actor: Annotated[str, typer.Option(help="Who says so; the user of the system by default.")] = "",
) -> None:
    """Add a generation to the secret: from the next round on every log is signed with a new key.

    Events `ai.config.change` tell of it first: without Kafka nothing is changed. What the older keys signed
    stays valid, and vkeys.txt goes on naming them. A witness that trusts the deployment's key finds the new
    ones in the list of logs; one that was given keys of logs must be given the new ones.
    """
    from auditstream.cli import running
    from auditstream.cli.sealing import key_path
    from auditstream.sealer.key_file import load_ring, replace_key_file

    settings = running.find(context.obj).settings
    path = key_path(settings)
    before = load_ring(path)
    ring = before.rotated()
    _announce(settings, _changes(settings, ring), actor)
    replace_key_file(path, before, ring)
    remark(context.obj, f"generation {len(ring.generations)} signs from the next round on")
    _show(context.obj, settings, ring)


def show(context: typer.Context) -> None:
    """Print the public keys of the deployment, the oldest first; those of the logs are in vkeys.txt."""
    from auditstream.cli import running
    from auditstream.cli.sealing import key_path
    from auditstream.sealer.key_file import load_ring

    settings = running.find(context.obj).settings
    _show(context.obj, settings, load_ring(key_path(settings)))


def _seal_once(context: Context) -> None:
    from auditstream.cli import running
    from auditstream.cli.printing import print_rows
    from auditstream.cli.sealing import new_sealer
    from auditstream.core import logs
    from auditstream.core.metrics import Metrics

    settings = running.find(context).settings
    logs.configure(style=settings.log_style, level="WARNING")
    with new_sealer(settings, Metrics()) as sealer, _told_to_stop(sealer.stop), waiting(context, "sealing"):
        done = sealer.round()
    print_rows(context, _COLUMNS, list(_rows(done)))
    refused = [trouble for trouble in done.troubles if trouble.is_refusal]
    for trouble in (*refused, *done.troubles)[:1]:
        raise trouble.error


def _rows(done: Round) -> Iterator[tuple[object, ...]]:
    from datetime import UTC, datetime

    troubles = {trouble.log_id: trouble.error.code for trouble in done.troubles}
    for log_id, state in sorted(done.states.items()):
        stated_at = None if state.stated_s is None else datetime.fromtimestamp(state.stated_s, UTC)
        yield log_id, state.size, stated_at, troubles.get(log_id, "sealed")


@contextmanager
def _told_to_stop(stop: Callable[[], None]) -> Iterator[None]:
    """Call `stop` at SIGTERM and SIGINT for the length of the block."""
    import signal

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        for number in before:
            signal.signal(number, lambda *_: stop())
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _changes(settings: Settings, ring: KeyRing) -> list[KeyChange]:
    """Return whose key changes: the deployment's, and that of each log that is listed."""
    from auditstream.cli.sealing import published_place
    from auditstream.core.clock import SystemClock
    from auditstream.emit.key_rotations import KeyChange
    from auditstream.sealer.listing import Listing

    name = settings.evidence.deployment_name
    listing = Listing(published_place(settings), name, SystemClock(), settings.evidence.fresh_s)
    listed = listing.published(ring)
    names = [name, *(log.origin for log in (listed.logs if listed is not None else ()))]
    changes = []
    for each in names:
        *older, after = ring.verifiers(each)
        generation = len(ring.former.signers(each)) + len(ring.generations)
        changes.append(KeyChange(older[-1] if older else None, after, generation))
    return changes


def _announce(settings: Settings, changes: list[KeyChange], actor: str) -> None:
    import getpass
    from datetime import UTC, datetime

    from auditstream.cli.announcing import ACKNOWLEDGED_WITHIN_S, nothing_changed
    from auditstream.emit.announcements import Said, announcer
    from auditstream.emit.key_rotations import events_of

    said = Said(by="seal", actor=actor or getpass.getuser(), at=datetime.now(UTC))
    with nothing_changed(), announcer(settings, within_s=ACKNOWLEDGED_WITHIN_S) as announce:
        announce(events_of(changes, said))


def _show(context: Context, settings: Settings, ring: KeyRing) -> None:
    from auditstream.cli.printing import print_rows

    name = settings.evidence.deployment_name
    rows = [(name, number, key.text) for number, key in enumerate(ring.verifiers(name), start=1)]
    print_rows(context, _KEY_COLUMNS, rows)
