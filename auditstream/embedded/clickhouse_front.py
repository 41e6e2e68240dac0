"""The process that owns a chDB data path and serves ClickHouse's HTTP interface on loopback.

`python -m auditstream.embedded.clickhouse_front --data-dir DIR` takes its settings as one line of JSON on
standard input (they hold secrets, and others can read arguments and environment), says on standard output
where it listens, and ends at SIGTERM or when its standard input ends, which it does when its parent dies,
however it dies.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web
from pydantic import TypeAdapter, ValidationError

from auditstream.core import logs
from auditstream.core.errors import AuditStreamError, ConfigError
from auditstream.embedded.clickhouse_engine import Engine
from auditstream.embedded.clickhouse_grants import write_config
from auditstream.embedded.clickhouse_interface import Interface
from auditstream.embedded.clickhouse_lock import OwnerLock
from auditstream.embedded.clickhouse_settings import AuditSettings, FrontSettings

if TYPE_CHECKING:
    from auditstream.embedded.clickhouse_audit import Audit

HOST = "127.0.0.1"
_OWN_FOLDER = "auditstream"  # beside chDB's own folders in the data path
_LOCK_FILE = "auditstream.pid"
_LINE_BYTES = 1 << 20  # ClickHouse's http_max_uri_size: inserts name their columns in the URL
_DRAIN_S = 5.0
_SHUTDOWN_S = 2.0  # for clients to take the ends of their answers
# A process that cannot stop in this time is stuck in the engine, which loses nothing when it is killed.
_LAST_RESORT_S = 20.0
_LOG = logs.get_logger("auditstream.embedded.clickhouse_front")  # __name__ is __main__ here


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until told to stop; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args(arguments)
    logs.configure()
    try:
        _serve(options.data_dir.absolute(), options.port, _read_settings())
    except AuditStreamError as error:
        _say({"error": error.message, "code": error.code, "hint": error.hint})
        return error.exit_code
    return 0


def _read_settings() -> FrontSettings:
    try:
        return TypeAdapter(FrontSettings).validate_json(sys.stdin.buffer.readline())
    except ValidationError as error:
        # Without the error's own text, which quotes the secrets.
        fields = ", ".join(".".join(map(str, each["loc"])) or each["type"] for each in error.errors())
        raise ConfigError(f"standard input does not start with the front's settings: {fields}") from None


def _serve(data_dir: Path, port: int, settings: FrontSettings) -> None:
    own = data_dir / _OWN_FOLDER
    own.mkdir(parents=True, exist_ok=True, mode=0o700)
    with ExitStack() as held:
        held.enter_context(OwnerLock(data_dir / _LOCK_FILE))
        engine = Engine(data_dir, write_config(own, settings.databases))
        held.callback(engine.close)
        engine.make_databases(settings.databases)
        audit = _audit(settings.audit) if settings.audit is not None else None
        asyncio.run(_listen(Interface(engine, settings, own, audit), port))


def _audit(settings: AuditSettings) -> Audit:
    # Imported here, for it is half of the imports.
    from auditstream.embedded.clickhouse_audit import audit_of  # noqa: PLC0415

    return audit_of(settings)


async def _listen(interface: Interface, port: int) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    threading.Thread(target=_wait_for_parent, args=(loop, stop), daemon=True, name="parent").start()
    runner = web.AppRunner(
        interface.app(),
        handler_cancellation=True,
        auto_decompress=False,
        access_log=None,
        max_line_size=_LINE_BYTES,
        max_field_size=_LINE_BYTES,
        shutdown_timeout=_SHUTDOWN_S,
    )
    await runner.setup()
    try:
        site = web.TCPSite(runner, HOST, port)
        try:
            await site.start()
        except OSError as error:
            raise ConfigError(f"cannot listen on {HOST}:{port}: {error.strerror}") from error
        _say({"host": HOST, "port": runner.addresses[0][1], "pid": os.getpid()})
        _LOG.info("listening", host=HOST, port=runner.addresses[0][1])
        await stop.wait()
        _LOG.info("stopping")
        _end_at_last()
        await site.stop()
        await interface.close(_DRAIN_S)
    finally:
        await runner.cleanup()


def _wait_for_parent(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    """Stop at the end of standard input; a thread, because its kind (pipe, file, terminal) is not known."""
    while os.read(sys.stdin.fileno(), 1024):
        pass
    loop.call_soon_threadsafe(stop.set)


def _end_at_last() -> None:
    last_resort = threading.Timer(_LAST_RESORT_S, os._exit, (1,))
    last_resort.daemon = True
    last_resort.start()


def _say(message: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
