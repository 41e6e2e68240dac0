"""A real Apache Kafka on the local JVM: one KRaft node, for tests, benchmarks and laptops.

Measured on two cores: 0.7 s to format new storage, 1.5 to 2 s from start to ready, 0.3 s to stop, 4.7 s from
the restart of a killed broker to ready. The first start takes five seconds more, to keep the classes.
Acknowledged records survive a kill of the broker (they are in the page cache), not a power failure.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from auditstream.core.errors import ConfigError, RetryableError
from auditstream.embedded import kafka_node
from auditstream.embedded.kafka_classes import classes_flag
from auditstream.embedded.kafka_jars import java_command, kafka_jars
from auditstream.embedded.leash import GRACE_S, LeashedProcess
from auditstream.embedded.loopback_ports import PortTakenError, check_free, free_port

_PORT_ATTEMPTS = 5
_FORMAT_TIMEOUT_S = 60.0
_ARCHIVE_S = 120.0  # four seconds on a quiet machine
# The first-tier compiler and the serial collector start 0.7 s sooner than Java's defaults with half the CPU.
_QUICK_START = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto")
_JVM_FLAGS = (
    "-XX:+ExitOnOutOfMemoryError",
    "-Djava.awt.headless=true",
    "-Dorg.apache.logging.log4j.level=WARN",
)


class RunningKafka:
    """An Apache Kafka node in a child process that ends with this process.

    Attributes:
        bootstrap: `127.0.0.1:port`, the same after every restart.
        folder: Where the node keeps its log, its settings and what it printed (`broker.log`).
    """

    def __init__(
        self,
        folder: Path,
        *,
        port: int,
        java: Sequence[str],
        node_flags: Sequence[str] = (),
        overrides: Mapping[str, str],
    ) -> None:
        self.folder = folder
        self.bootstrap = f"127.0.0.1:{port}"
        self._port = port
        self._java = tuple(java)
        self._node_flags = tuple(node_flags)
        self._overrides = overrides
        self._process: LeashedProcess | None = None

    @property
    def pid(self) -> int:
        """The broker's process id; 0 while it is stopped."""
        return self._process.pid if self._process is not None else 0

    @property
    def is_running(self) -> bool:
        """Whether the broker's process is there."""
        return self._process is not None and self._process.is_running

    def restart(self, timeout_s: float = 60.0) -> None:
        """Stop the broker if it runs, start it on the same port and log, and wait until it answers.

        Raises:
            ConfigError: Another process uses the folder, or took the port in the meantime.
            RetryableError: It ended, or did not answer in time.
            OSError: The folder cannot be written.
        """
        self.stop()
        if kafka_node.is_in_use(self.folder):
            raise ConfigError(
                f"another Kafka uses {self.folder}", hint="Stop it, or choose another data folder."
            )
        check_free(self._port)
        properties = kafka_node.node_properties(self._port, free_port(but=self._port), self._overrides)
        (self.folder / kafka_node.PROPERTIES_FILE).write_text(properties, encoding="utf-8")
        if kafka_node.cluster_id(self.folder) is None:
            self._format_storage()
        command = [*self._java, *self._node_flags, "kafka.Kafka", kafka_node.PROPERTIES_FILE]
        self._process = LeashedProcess(command, folder=self.folder, log=self._log)
        try:
            self._wait_ready(timeout_s)
        except BaseException:
            self.kill()
            raise

    def stop(self, timeout_s: float = GRACE_S) -> None:
        """Stop the broker cleanly (SIGTERM; SIGKILL when it takes longer than `timeout_s`); its log stays."""
        if self._process is not None:
            self._process.stop(timeout_s)
            self._process = None

    def kill(self) -> None:
        """Kill the broker (SIGKILL), as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _wait_ready(self, timeout_s: float) -> None:
        """Wait until this node, and no other that happens to listen there, answers as an active broker."""
        deadline = time.monotonic() + timeout_s
        expected = kafka_node.cluster_id(self.folder)
        admin = AdminClient(
            {
                "bootstrap.servers": self.bootstrap,
                "reconnect.backoff.ms": 20,
                "reconnect.backoff.max.ms": 100,
                "log_level": 0,  # refused connections are what we expect
            }
        )
        while time.monotonic() < deadline:
            if not self.is_running:
                raise RetryableError(f"Apache Kafka ended while starting: {last_words(self._log)}")
            try:
                cluster = admin.list_topics(timeout=0.25)
            except KafkaException:
                continue
            if cluster.brokers and cluster.cluster_id == expected:
                return
        raise RetryableError(f"Apache Kafka did not answer in {timeout_s:.0f} s: {last_words(self._log)}")

    def _format_storage(self) -> None:
        """Give new storage its cluster id."""
        command = [*self._java, "kafka.tools.StorageTool", "format"]
        command += [f"--cluster-id={kafka_node.new_cluster_id()}", "--config", kafka_node.PROPERTIES_FILE]
        with self._log.open("ab") as output:
            try:
                subprocess.run(  # noqa: S603 - the Java found on PATH
                    command,
                    cwd=self.folder,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    timeout=_FORMAT_TIMEOUT_S,
                    check=True,
                )
            except subprocess.SubprocessError as error:
                raise RetryableError(f"Kafka's storage was not formatted: {last_words(self._log)}") from error

    @property
    def _log(self) -> Path:
        return self.folder / "broker.log"


def start_kafka(
    data_dir: Path,
    *,
    port: int = 0,
    heap_mb: int = 512,
    cache_dir: Path | None = None,
    timeout_s: float = 60.0,
    quick_start: bool = True,
    overrides: Mapping[str, str] | None = None,
) -> RunningKafka:
    """Start an Apache Kafka node on loopback and wait until it answers.

    Args:
        data_dir: Its folder: created and formatted when new, else continued with everything in it.
        port: Port for clients; 0 takes a free one.
        heap_mb: Bound on the Java heap; the process takes about 150 MB more.
        cache_dir: Where downloaded jars are kept; the setting `AUDITSTREAM_CACHE_DIR` when None.
        timeout_s: Bound on the wait for the first answer.
        quick_start: Start fast with little CPU; False lets Java optimise, for benchmarks.
        overrides: Settings of Kafka that take precedence over ours.

    Raises:
        ConfigError: Java is missing, or Maven and the jars are, or the port or folder is in use.
        RetryableError: The jars cannot be fetched, or the node ended or did not answer in time.
    """
    folder = data_dir.expanduser().resolve()
    folder.mkdir(parents=True, exist_ok=True)
    program, jars = java_command(), kafka_jars(cache_dir)
    flags = ("-cp", f"{jars}/*", f"-Xmx{heap_mb}m", *(_QUICK_START if quick_start else ()), *_JVM_FLAGS)

    java = (program, *flags)

    def run_once(node: Path, flag: str) -> None:
        node.mkdir()
        running = RunningKafka(node, port=free_port(), java=java, node_flags=(flag,), overrides={})
        running.restart(timeout_s)
        running.stop(_ARCHIVE_S)

    archive = classes_flag(jars, Path(program), run_once) if quick_start else ()
    for attempt in range(1, _PORT_ATTEMPTS + 1):
        kafka = RunningKafka(
            folder, port=port or free_port(), java=(*java, *archive), overrides=overrides or {}
        )
        try:
            kafka.restart(timeout_s)
        except PortTakenError:
            if port or attempt == _PORT_ATTEMPTS:
                raise
        else:
            return kafka
    raise AssertionError("unreachable")


def last_words(log: Path) -> str:
    """Return the last line of a broker's log that names a cause, and where to read on."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    causes = [line for line in lines if "Exception" in line or "ERROR" in line or "FATAL" in line]
    return f"{(causes or lines or ['it printed nothing'])[-1].strip()} ({log})"
