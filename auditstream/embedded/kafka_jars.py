"""The jars of Apache Kafka, fetched once from Maven Central, checked, and kept for good.

A complete folder appears by one rename, so a reader never sees half of it; processes that fetch at the same
time take turns on a file lock. Once the folder is there, neither Maven nor a network is needed.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

from auditstream.core import settings
from auditstream.core.errors import ConfigError, RetryableError

KAFKA_VERSION = "4.3.0"
OLDEST_JAVA = 17  # Kafka 4 brokers are compiled for it
# Named in full: the short form `dependency:` asks the network which version is meant, even with all present.
_COPY_GOAL = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
_FETCH_TIMEOUT_S = 600.0  # 45 MB of jars and 20 MB of Maven plugins over a slow line


def java_command() -> str:
    """Return the path of a Java that can run Kafka: the one of JAVA_HOME, else the first on PATH.

    Raises:
        ConfigError: There is no Java, or it is older than 17.
    """
    java = _find_program("java", home="JAVA_HOME")
    if java is None:
        raise ConfigError(
            f"Apache Kafka needs Java {OLDEST_JAVA} or newer: no java on PATH",
            hint="Install it (Debian: apt-get install openjdk-17-jre-headless), or set JAVA_HOME.",
        )
    version = java_version(java)
    if version < OLDEST_JAVA:
        raise ConfigError(
            f"Apache Kafka needs Java {OLDEST_JAVA} or newer: {java} is version {version}",
            hint="Install a newer Java, or point JAVA_HOME at one.",
        )
    return java


def java_version(java: str) -> int:
    """Return the feature version of a Java, 8 for `1.8.0_292`, 17 for `17.0.15`; 0 when it does not say."""
    try:
        printed = subprocess.run(  # noqa: S603 - the program found on PATH
            [java, "-version"], capture_output=True, text=True, timeout=30, check=False
        ).stderr
    except (OSError, subprocess.TimeoutExpired):
        return 0
    found = re.search(r'version "(?:1\.)?(\d+)', printed)
    return int(found[1]) if found else 0


def kafka_jars(cache_dir: Path | None = None) -> Path:
    """Return the folder with the jars of Apache Kafka, fetching them when they are not there yet.

    Blocks for as long as Maven needs, at most ten minutes; later calls take a millisecond.

    Args:
        cache_dir: Where downloads are kept; the setting `AUDITSTREAM_CACHE_DIR` when None.

    Raises:
        ConfigError: The jars are not there and neither is Maven.
        RetryableError: Maven could not fetch them, or they are not those that this version was tested with.
    """
    cache = settings.load().cache_dir if cache_dir is None else cache_dir
    jars = cache.expanduser() / f"kafka-{KAFKA_VERSION}"
    if not is_complete(jars):
        jars.parent.mkdir(parents=True, exist_ok=True)
        with turn(jars.with_name(jars.name + ".lock")):
            if not is_complete(jars):
                _fetch_into(jars)
    return jars


def is_complete(jars: Path) -> bool:
    """Return whether every jar is in the folder."""
    return all((jars / name).is_file() for name in pinned_hashes())


def pinned_hashes() -> dict[str, str]:
    """Return the SHA-256 of every jar by its file name, as this version was tested."""
    text = resources.files(__package__).joinpath("kafka_jars.sha256").read_text(encoding="ascii")
    return {name: digest for digest, name in (line.split() for line in text.splitlines())}


def _fetch_into(jars: Path) -> None:
    maven = _find_program("mvn", home="MAVEN_HOME")
    if maven is None:
        raise ConfigError(
            f"the jars of Apache Kafka are not in {jars}, and there is no Maven (mvn) to fetch them",
            hint="Install it (Debian: apt-get install maven), or copy the folder from another machine.",
        )
    with tempfile.TemporaryDirectory(dir=jars.parent, prefix=f"{jars.name}-") as scratch:
        fetched = Path(scratch) / "jars"
        _run_maven(maven, fetched)
        _check_hashes(fetched)
        if jars.exists():  # an incomplete folder: somebody deleted jars from it
            shutil.rmtree(jars)
        fetched.rename(jars)


def _run_maven(maven: str, target: Path) -> None:
    """Let Maven copy the jars to `target`, from its local repository where they are, else from Central."""
    with resources.as_file(resources.files(__package__).joinpath("kafka_jars.pom.xml")) as pom:
        command = [maven, "-B", "-q", "--strict-checksums", "-f", str(pom), _COPY_GOAL]
        command += ["-DincludeScope=runtime", f"-DoutputDirectory={target}"]
        try:
            done = subprocess.run(  # noqa: S603 - the program found on PATH
                command, capture_output=True, text=True, timeout=_FETCH_TIMEOUT_S, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise RetryableError(f"Maven did not finish in {_FETCH_TIMEOUT_S:.0f} s") from error
    if done.returncode:
        lines = [line for line in done.stdout.splitlines() if "ERROR" in line] or [done.stderr.strip()]
        raise RetryableError(f"Maven could not fetch Apache Kafka {KAFKA_VERSION}: {lines[0]}")


def _check_hashes(jars: Path) -> None:
    expected = pinned_hashes()
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in jars.iterdir()}
    for name in sorted(expected.keys() | found.keys()):
        wanted, got = expected.get(name, "no such jar"), found.get(name, "no such jar")
        if wanted != got:
            raise RetryableError(
                f"{name}: SHA-256 is {got}, expected {wanted}",
                hint="Somebody between here and Maven Central changes files, or ~/.m2 holds a broken one.",
            )


@contextmanager
def turn(path: Path) -> Iterator[None]:
    """Hold a lock between processes; its file stays, because deleting it would race with a waiter."""
    deadline = time.monotonic() + _FETCH_TIMEOUT_S
    with path.open("w", encoding="ascii") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() > deadline:
                    raise RetryableError(f"another process has held {path} for too long") from error
                time.sleep(0.1)
        yield


def _find_program(name: str, *, home: str) -> str | None:
    folder = os.environ.get(home)
    return (shutil.which(name, path=f"{folder}/bin") if folder else None) or shutil.which(name)
