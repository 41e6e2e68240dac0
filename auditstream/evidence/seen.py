"""What an auditor has seen before: the newest checkpoint of each log, the newest list, the keys.

So a log that is smaller than it was, or that began differently, is seen even where nobody but the auditor
remembers. Kept as files under a folder of the auditor's own.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from auditstream.core.errors import ConfigError
from auditstream.ledger.checkpoints import Checkpoint, CheckpointError, parse_checkpoint
from auditstream.ledger.notes import NoteError, parse_note


class Seen:
    """Memory of checkpoints, lists and keys.

    Args:
        folder: Where it is kept; made when there is something to keep.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def checkpoint(self, origin: str) -> Checkpoint | None:
        """Return the newest checkpoint seen of a log, None when none was.

        Raises:
            ConfigError: What is kept is damaged.
        """
        data = self.read(f"{origin}/checkpoint")
        if data is None:
            return None
        try:
            return parse_checkpoint(parse_note(data).text)
        except (NoteError, CheckpointError) as error:
            hint = "Restore the file from a copy; if it is lost for good, delete it and trust the next run."
            raise ConfigError(f"{self.folder / origin}/checkpoint: {error.message}", hint=hint) from error

    def read(self, name: str) -> bytes | None:
        """Return what is kept under a name, None when nothing is."""
        try:
            return (self.folder / name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ConfigError(f"{self.folder / name}: {error.strerror}") from error

    def keep(self, name: str, data: bytes) -> None:
        """Keep bytes under a name, whole or not at all.

        Raises:
            ConfigError: They cannot be kept.
        """
        path = self.folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-")
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                Path(temporary).replace(path)
            except BaseException:
                with suppress(OSError):
                    Path(temporary).unlink()
                raise
        except OSError as error:
            raise ConfigError(f"{path}: {error.strerror}") from error
