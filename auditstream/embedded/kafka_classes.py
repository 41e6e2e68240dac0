"""Kafka's classes as Java keeps them once they are loaded and checked: a broker starts in half of the time.

They are kept beside the jars. Java itself refuses an archive of another Java or of other jars, and then loads
the jars as without one; the file's name tells them apart, so that a new Java makes a new archive.
JEP 350, https://openjdk.org/jeps/350.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable
from pathlib import Path

from auditstream.core import logs
from auditstream.core.errors import AuditStreamError
from auditstream.embedded.kafka_jars import turn

RunOnce = Callable[[Path, str], None]
"""Runs a broker in a folder from its start to its stop, with one more flag for Java."""

_LOG = logs.get_logger(__name__)


def classes_flag(jars: Path, java: Path, run_once: RunOnce) -> tuple[str, ...]:
    """Return the flag by which Java takes the classes from the archive, which is made when it is not there.

    Where Java can make none there is no flag, and no second attempt: the file is left empty.

    Args:
        jars: Folder of the jars.
        java: The program.
        run_once: Makes Java load the classes, and write them at its end.
    """
    archive = archive_of(jars, java)
    if archive is None:
        return ()
    if not archive.exists():
        try:
            with turn(archive.with_suffix(".lock")):
                if not archive.exists():
                    _make(archive, run_once)
        except OSError as error:  # a folder that is read-only or full
            _LOG.warning("kafka_classes_not_kept", error=str(error))
            return ()
    return (f"-XX:SharedArchiveFile={archive}",) if archive.stat().st_size else ()


def archive_of(jars: Path, java: Path) -> Path | None:
    """Return where the archive of these jars and this Java is kept; None for a Java of another layout."""
    library = java.resolve().parent.parent / "lib" / "server" / "libjvm.so"
    try:
        about = library.stat()
    except OSError:
        return None
    named = f"{jars.resolve()}\0{library}\0{about.st_mtime_ns}\0{about.st_size}"
    return jars.with_name(f"{jars.name}-{hashlib.sha256(named.encode()).hexdigest()[:12]}.jsa")


def _make(archive: Path, run_once: RunOnce) -> None:
    with tempfile.TemporaryDirectory(dir=archive.parent, prefix=f"{archive.stem}-") as scratch:
        made = Path(scratch) / archive.name
        try:
            run_once(Path(scratch) / "node", f"-XX:ArchiveClassesAtExit={made}")
        except AuditStreamError as error:
            _LOG.warning("kafka_classes_not_kept", error=error.message)
        if not made.exists():
            made.touch()
        made.rename(archive)
