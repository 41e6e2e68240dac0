"""Starts and stops the embedded schema registry: a thread of this process that answers on loopback.

For laptops, demonstrations and tests; in production, Karapace or any registry that is Confluent-compatible.
It has no authentication, because it listens on loopback only and holds no secret.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from aiohttp import web

from auditstream.core.errors import ConfigError, RetryableError
from auditstream.embedded.loopback_ports import port_of
from auditstream.embedded.registry_contents import RegistryContents
from auditstream.embedded.registry_errors import RegistryRefusalError
from auditstream.embedded.registry_routes import application
from schemas.packaged import schema_text
from schemas.subjects import SUBJECTS, Subject

_FILE = "registry.json"
_START_S = 10.0
_STOP_S = 10.0


class RunningRegistry:
    """A registry that answers for as long as this object is not stopped.

    Attributes:
        url: Base URL, on 127.0.0.1.
    """

    def __init__(self, contents: RegistryContents, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._contents = contents
        self._port = port
        self._loop = asyncio.new_event_loop()
        self._stopping = asyncio.Event()
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="registry", daemon=True)
        self._thread.start()
        if not self._ready.wait(_START_S):
            raise RetryableError(f"the embedded registry did not start in {_START_S:.0f} s")
        if self._failure is not None:
            raise RetryableError(f"the embedded registry did not start: {self._failure}") from self._failure

    def stop(self) -> None:
        """Stop answering; the contents are on disk already."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join(_STOP_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        runner = web.AppRunner(application(self._contents), access_log=None, shutdown_timeout=1.0)
        try:
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", self._port).start()
        except OSError as error:
            self._failure = error
        else:
            self._ready.set()
            await self._stopping.wait()
        finally:
            await runner.cleanup()
            self._ready.set()


def start_registry(
    data_dir: Path, *, port: int = 0, subjects: Sequence[Subject] = SUBJECTS
) -> RunningRegistry:
    """Start a registry that has the product's subjects, and wait until it answers.

    Ids are the same at every start on one folder. A packaged schema that changed since the last start becomes
    another version.

    Args:
        data_dir: Where it keeps its file; made when it does not exist.
        port: Loopback port; 0 for a free one.
        subjects: What to register.

    Raises:
        ConfigError: The port is taken, the file is not a registry's, or a packaged schema may not follow
            those that the folder has.
        RetryableError: It does not start.
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    contents = RegistryContents(data_dir / _FILE)
    for subject in subjects:
        _register(contents, subject)
    return RunningRegistry(contents, port_of(port))


def _register(contents: RegistryContents, subject: Subject) -> None:
    try:
        contents.register(subject.name, schema_text(subject.schema), normalize=True)
    except RegistryRefusalError as refusal:
        raise ConfigError(
            f"subject {subject.name}: {refusal.message}",
            hint="The data folder was made by another version: move it away.",
        ) from refusal
    if contents.own_level(subject.name) != subject.level:
        contents.set_level(subject.name, subject.level)
