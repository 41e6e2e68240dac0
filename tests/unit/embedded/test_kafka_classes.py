"""The archive of Kafka's classes: made once, told apart by Java and jars, done without where none is made."""

from __future__ import annotations

from pathlib import Path

import pytest

from auditstream.core.errors import RetryableError
from auditstream.embedded.kafka_classes import archive_of, classes_flag


@pytest.fixture
def jars(tmp_path: Path) -> Path:
    folder = tmp_path / "cache" / "kafka-4"
    folder.mkdir(parents=True)
    return folder


def java_of(folder: Path, library: bytes = b"library") -> Path:
    """Return the program of a Java of the usual layout."""
    (folder / "bin").mkdir(parents=True)
    (folder / "lib" / "server").mkdir(parents=True)
    (folder / "lib" / "server" / "libjvm.so").write_bytes(library)
    (folder / "bin" / "java").touch()
    return folder / "bin" / "java"


def test_the_first_start_makes_it_and_later_ones_take_it(tmp_path: Path, jars: Path) -> None:
    java, flags = java_of(tmp_path / "java"), []

    def run_once(_: Path, flag: str) -> None:
        flags.append(flag)
        Path(flag.removeprefix("-XX:ArchiveClassesAtExit=")).write_bytes(b"classes")

    first, second = classes_flag(jars, java, run_once), classes_flag(jars, java, run_once)

    archive = archive_of(jars, java)
    assert archive is not None
    assert first == second == (f"-XX:SharedArchiveFile={archive}",)
    assert archive.read_bytes() == b"classes"
    assert len(flags) == 1
    assert {path.suffix for path in jars.parent.iterdir()} == {"", ".jsa", ".lock"}, "nothing else is left"


@pytest.mark.parametrize("error", [None, RetryableError("Apache Kafka ended while starting")])
def test_where_java_makes_none_there_is_no_flag_and_no_second_attempt(
    tmp_path: Path, jars: Path, error: RetryableError | None
) -> None:
    java, attempts = java_of(tmp_path / "java"), []

    def run_once(node: Path, _: str) -> None:
        attempts.append(node)
        if error is not None:
            raise error

    assert [classes_flag(jars, java, run_once) for _ in range(2)] == [(), ()]
    assert len(attempts) == 1


def test_a_folder_that_cannot_be_written_costs_the_archive_alone(tmp_path: Path, jars: Path) -> None:
    java = java_of(tmp_path / "java")
    archive = archive_of(jars, java)
    assert archive is not None
    archive.with_suffix(".lock").mkdir()  # as a lock that cannot be opened

    assert classes_flag(jars, java, lambda _, __: pytest.fail("nothing to run")) == ()


def test_another_java_and_other_jars_have_an_archive_of_their_own(tmp_path: Path, jars: Path) -> None:
    old, new = java_of(tmp_path / "old"), java_of(tmp_path / "new", b"another library")
    linked = tmp_path / "java"
    linked.symlink_to(old)

    assert archive_of(jars, linked) == archive_of(jars, old)
    assert (
        len({archive_of(jars, old), archive_of(jars, new), archive_of(jars.with_name("kafka-5"), old)}) == 3
    )


def test_a_java_of_another_layout_goes_without(tmp_path: Path, jars: Path) -> None:
    assert classes_flag(jars, tmp_path / "java", lambda _, __: pytest.fail("nothing to run")) == ()
