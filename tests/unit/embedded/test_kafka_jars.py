"""The jars of Kafka: fetched once, checked, whole or not there, and every missing part is named."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from auditstream.core.errors import ConfigError, RetryableError
from auditstream.embedded import kafka_jars

JARS = {"kafka.jar": b"kafka", "client.jar": b"client"}

# Does what Maven does to the folder that -DoutputDirectory names, slowly, and counts its calls.
MAVEN = """#!/bin/sh
echo called >> "{calls}"
for argument; do case "$argument" in -DoutputDirectory=*) target="${{argument#*=}}";; esac; done
mkdir -p "$target"
printf kafka > "$target/kafka.jar"
{between}
printf client > "$target/client.jar"
"""


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine with nothing on its PATH but the shell's own tools; returns the folder for programs."""
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", f"{programs}:/bin:/usr/bin")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.delenv("MAVEN_HOME", raising=False)
    monkeypatch.setattr(
        kafka_jars.shutil,
        "which",
        lambda name, path=None: _which(programs if path is None else Path(path), name),
    )
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in JARS.items()}
    monkeypatch.setattr(kafka_jars, "pinned_hashes", lambda: digests)
    return programs


def _which(folder: Path, name: str) -> str | None:
    return str(folder / name) if (folder / name).exists() else None


def install(machine: Path, name: str, script: str) -> None:
    (machine / name).write_text(script)
    (machine / name).chmod(0o755)


def install_maven(machine: Path, between: str = "") -> Path:
    calls = machine.parent / "calls"
    install(machine, "mvn", MAVEN.format(calls=calls, between=between))
    return calls


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_pinned_jars_hold_the_broker_the_clients_and_a_logger_once_each():
    names = set(kafka_jars.pinned_hashes())

    assert {"kafka_2.13-4.3.0.jar", "kafka-clients-4.3.0.jar", "log4j-slf4j-impl-2.25.4.jar"} <= names
    assert all(len(digest) == 64 for digest in kafka_jars.pinned_hashes().values())


def test_jars_are_fetched_once_and_then_need_neither_maven_nor_network(machine, tmp_path):
    calls = install_maven(machine)

    jars = kafka_jars.kafka_jars(tmp_path / "cache")
    assert contents(jars) == JARS
    (machine / "mvn").unlink()

    assert kafka_jars.kafka_jars(tmp_path / "cache") == jars
    assert calls.read_text().count("called") == 1


def test_a_folder_from_which_a_jar_was_deleted_is_fetched_again(machine, tmp_path):
    install_maven(machine)
    jars = kafka_jars.kafka_jars(tmp_path / "cache")
    (jars / "client.jar").unlink()

    assert contents(kafka_jars.kafka_jars(tmp_path / "cache")) == JARS


def test_a_jar_that_is_not_the_pinned_one_is_refused_and_nothing_is_left(machine, tmp_path):
    install_maven(machine, between='printf "another kafka" > "$target/kafka.jar"')

    with pytest.raises(RetryableError, match=r"kafka\.jar: SHA-256 is .*, expected "):
        kafka_jars.kafka_jars(tmp_path / "cache")

    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["kafka-4.3.0.lock"]


def test_a_jar_that_nobody_pinned_is_refused(machine, tmp_path):
    install_maven(machine, between='printf evil > "$target/extra.jar"')

    with pytest.raises(RetryableError, match=r"extra\.jar: .*expected no such jar"):
        kafka_jars.kafka_jars(tmp_path / "cache")


def test_what_maven_says_is_passed_on(machine, tmp_path):
    install(machine, "mvn", "#!/bin/sh\necho '[INFO] trying'\necho '[ERROR] no route to host'\nexit 1\n")

    with pytest.raises(RetryableError, match="no route to host"):
        kafka_jars.kafka_jars(tmp_path / "cache")


def test_missing_maven_is_named_with_the_folder_that_would_do(machine, tmp_path):
    with pytest.raises(ConfigError, match=r"not in .*kafka-4\.3\.0, and there is no Maven") as caught:
        kafka_jars.kafka_jars(tmp_path / "cache")

    assert "apt-get install maven" in caught.value.hint


def test_missing_java_is_named(machine):
    with pytest.raises(ConfigError, match="Java 17 or newer: no java on PATH"):
        kafka_jars.java_command()


@pytest.mark.parametrize(
    ("printed", "version"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('openjdk version "25" 2025-09-16', 25),
        ('java version "1.8.0_292"', 8),
        ("Unrecognized option", 0),
    ],
)
def test_the_version_of_a_java_is_read_from_what_it_prints(machine, printed, version):
    install(machine, "java", f"#!/bin/sh\necho '{printed}' >&2\n")

    assert kafka_jars.java_version(str(machine / "java")) == version


def test_an_old_java_is_named_with_its_version(machine):
    install(machine, "java", "#!/bin/sh\necho 'openjdk version \"11.0.2\"' >&2\n")

    with pytest.raises(ConfigError, match=r"java is version 11"):
        kafka_jars.java_command()


def test_the_java_of_java_home_comes_first(machine, tmp_path, monkeypatch):
    install(machine, "java", "#!/bin/sh\necho 'openjdk version \"11.0.2\"' >&2\n")
    home = tmp_path / "jdk"
    (home / "bin").mkdir(parents=True)
    install(home / "bin", "java", "#!/bin/sh\necho 'openjdk version \"21.0.1\"' >&2\n")
    monkeypatch.setenv("JAVA_HOME", str(home))

    assert kafka_jars.java_command() == str(home / "bin" / "java")


FETCHES = """
import hashlib, sys
from pathlib import Path
from auditstream.embedded import kafka_jars
digests = {name: hashlib.sha256(name[:-4].encode()).hexdigest() for name in ("kafka.jar", "client.jar")}
kafka_jars.pinned_hashes = lambda: digests
jars = kafka_jars.kafka_jars(Path(sys.argv[1]))
assert {path.name: path.read_bytes() for path in jars.iterdir()} == {
    "kafka.jar": b"kafka", "client.jar": b"client"
}
"""


def test_processes_that_fetch_at_once_take_turns_and_all_find_whole_jars(machine, tmp_path):
    calls = install_maven(machine, between="sleep 0.5")

    processes = [subprocess.Popen([sys.executable, "-c", FETCHES, str(tmp_path / "cache")]) for _ in range(3)]

    assert [process.wait(30) for process in processes] == [0, 0, 0]
    assert calls.read_text().count("called") == 1
