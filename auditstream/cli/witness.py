"""`auditstream witness`: cosigns the checkpoints of logs that only grow."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from auditstream.cli.context import Context
from auditstream.cli.files import read_bytes, write_bytes
from auditstream.core.errors import ConfigError, RequestError

if TYPE_CHECKING:
    from auditstream.core.settings import Settings
    from auditstream.ledger.cosignatures import CosignerSecretKey
    from auditstream.ledger.keys import VerifierKey
    from auditstream.sealer.known_logs import DeploymentLogs, FixedLogs
    from auditstream.sealer.witness import Witness

_LISTEN = "127.0.0.1:9475"

KeyOption = Annotated[
    Path | None, typer.Option("--key", help="File of the witness's key; DATA_DIR/witness/key by default.")
]


def register(app: typer.Typer) -> None:
    """Add the command and its subcommands."""
    group = typer.Typer(help="Witness logs: cosign what only grew since the last time.")
    group.callback(invoke_without_command=True)(witness)
    keys = typer.Typer(help="The key of a witness.", no_args_is_help=True)
    keys.command()(new)
    keys.command()(show)
    group.add_typer(keys, name="keys")
    app.add_typer(group, name="witness")


def witness(
    context: typer.Context,
    *,
    listen: Annotated[str, typer.Option(metavar="HOST:PORT", help="Where to answer.")] = _LISTEN,
    key: KeyOption = None,
    trust: Annotated[
        list[Path] | None, typer.Option(help="vkeys.txt whose logs are cosigned; repeatable.")
    ] = None,
    policy: Annotated[
        list[Path] | None, typer.Option(help="Trust policy whose logs are cosigned; repeatable.")
    ] = None,
    trust_deployment: Annotated[
        list[str] | None,
        typer.Option(
            metavar="VKEY|FILE",
            help="Key of a deployment whose listed logs are cosigned, or a file of them; repeatable.",
        ),
    ] = None,
    logs: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER|URL|s3://", help="Published store of that deployment, with its list `logs`."
        ),
    ] = None,
    state: Annotated[
        str,
        typer.Option(
            metavar="FOLDER|s3://", help="What was cosigned last; DATA_DIR/witness/state by default."
        ),
    ] = "",
) -> None:
    """Answer c2sp.org/tlog-witness until SIGTERM: POST /add-checkpoint; GET / is the key that verifies.

    Run it where the operator of the log has no say: its worth is that it is somebody else's. What it
    remembers must outlive it; two that share a state are one witness.
    """
    if context.invoked_subcommand is not None:
        return
    import asyncio

    from auditstream.cli.wiring import load_settings
    from auditstream.core import logs as core_logs
    from auditstream.core.clock import SystemClock
    from auditstream.sealer.known_logs import AllKnownLogs
    from auditstream.sealer.places import open_place
    from auditstream.sealer.witness import Witness
    from auditstream.sealer.witness_key import load_witness_key

    settings = load_settings(context.obj)
    core_logs.configure(style=settings.log_style, level=settings.log_level)
    secret = load_witness_key(_key_path(settings, key))
    host, port = _address(listen)
    known: list[FixedLogs | DeploymentLogs] = [
        *_fixed(trust or (), policy or ()),
        *_listed(trust_deployment or (), logs),
    ]
    if not known:
        raise RequestError(
            "no log to witness", hint="Give --trust vkeys.txt, --policy FILE, or --trust-deployment VKEY."
        )
    place = open_place(state, settings.data_dir / "witness" / "state")
    served = Witness(secret, AllKnownLogs(known), place.register, SystemClock())
    try:
        asyncio.run(_serve(context.obj, served, secret.verifier, host, port))
    except OSError as error:
        raise ConfigError(f"--listen {listen}: {error.strerror or error}") from error


def new(
    context: typer.Context,
    *,
    name: Annotated[str, typer.Option(help="Name of the witness, as witness.example/w1.")],
    key: KeyOption = None,
    if_missing: Annotated[
        bool, typer.Option("--if-missing", help="Leave a key that exists as it is, without an error.")
    ] = False,
    url: Annotated[str, typer.Option(help="Where the witness will answer, for the line.")] = "",
    policy_file: Annotated[
        Path | None, typer.Option(help="Also write a policy here that asks for this witness alone.")
    ] = None,
) -> None:
    """Make a key, in a file that only you can read; print the line of a policy that asks for the witness."""
    from auditstream.cli.wiring import load_settings
    from auditstream.sealer.witness_key import create_witness_key, load_witness_key

    path = _key_path(load_settings(context.obj), key)
    made = load_witness_key(path) if if_missing and path.exists() else create_witness_key(path, name)
    if policy_file is not None:
        if not url:
            raise RequestError("--policy-file: the sealer asks the witness at its --url")
        write_bytes(policy_file, f"{_line(made, url)}\nquorum {made.name}\n".encode())
    _show(made, url)


def show(context: typer.Context, *, key: KeyOption = None) -> None:
    """Print the line of a policy that asks for the witness; its URL is to be added."""
    from auditstream.cli.wiring import load_settings
    from auditstream.sealer.witness_key import load_witness_key

    _show(load_witness_key(_key_path(load_settings(context.obj), key)))


async def _serve(context: Context, served: Witness, public: VerifierKey, host: str, port: int) -> None:
    import asyncio
    import signal

    from auditstream.sealer.witness_server import application, serve

    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)

    def ready() -> None:
        if not context.quiet:
            typer.echo(f"{public.name} answers on http://{host}:{port}", err=True)

    await serve(application(served, public), host, port, stopping, ready=ready)


def _key_path(settings: Settings, key: Path | None) -> Path:
    return key or settings.data_dir / "witness" / "key"


def _address(listen: str) -> tuple[str, int]:
    host, _, port = listen.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65_536:
        raise RequestError(f"--listen takes HOST:PORT, not {listen!r}")
    return host.removeprefix("[").removesuffix("]"), int(port)


def _fixed(vkeys: Sequence[Path], policies: Sequence[Path]) -> list[FixedLogs]:
    from auditstream.ledger.policies import parse_policy
    from auditstream.ledger.vkeys import parse_vkeys
    from auditstream.sealer.known_logs import FixedLogs

    keys: list[VerifierKey] = []
    for path in vkeys:
        known = parse_vkeys(read_bytes(path))
        keys += [key for key in known.keys if key not in known.cosigners()]
    for path in policies:
        keys += [log.key for log in parse_policy(read_bytes(path)).logs]
    return [FixedLogs(keys)] if keys else []


def _listed(texts: Sequence[str], logs: str | None) -> list[DeploymentLogs]:
    from auditstream.ledger.keys import VerifierKey
    from auditstream.ledger.vkeys import parse_vkeys
    from auditstream.sealer.known_logs import DeploymentLogs, list_reader

    if bool(texts) != (logs is not None):
        raise RequestError("--trust-deployment and --logs go together: whose list, and where it is")
    if logs is None:
        return []
    keys: tuple[VerifierKey, ...] = ()
    for text in texts:
        if Path(text).is_file():
            keys += parse_vkeys(read_bytes(Path(text))).keys
        else:
            keys += (VerifierKey.parse(text),)
    if len({key.name for key in keys}) != 1:
        raise RequestError("--trust-deployment: keys of one deployment, whose list --logs has")
    return [DeploymentLogs(keys, list_reader(logs))]


def _show(key: CosignerSecretKey, url: str = "") -> None:
    typer.echo(_line(key, url))


def _line(key: CosignerSecretKey, url: str) -> str:
    return f"witness {key.name} {key.verifier.text} {url}".rstrip()
