"""A process killed while it makes or destroys keys: what it said is so, and the rest can be finished."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from auditstream.identity.keyring import Destruction, KeyDestroyedError
from auditstream.identity.keyring_file import KeyringFile
from auditstream.identity.master_key import MasterKey

MASTER = MasterKey(bytes(32))
ERASED = Destruction(datetime(2026, 3, 5, tzinfo=UTC), "mara", "asked for")
SUBJECTS = 400

# Says of each key or destruction once it is done; the first line ends it with the test run.
_PROGRAM = """
import ctypes, signal; ctypes.CDLL(None).prctl(1, signal.SIGKILL)
import sys
from pathlib import Path
from tests.fault.test_keyring_kills import ERASED, MASTER, SUBJECTS
from auditstream.identity.keyring_file import KeyringFile
ring = KeyringFile(Path(sys.argv[1]), MASTER)
for number in range(SUBJECTS):
    subject = f"user-{number}"
    if sys.argv[2] == "make":
        print(subject, ring.data_key("acme", subject, "2026-01").key_id, flush=True)
    else:
        ring.destroy("acme", [subject], ERASED)
        print(subject, "gone", flush=True)
"""

pytestmark = pytest.mark.fault


def killed_after(lines: int, path: Path, what: str) -> dict[str, str]:
    """Run the program, kill it once it has said so many lines, and return all that it has said."""
    command = [sys.executable, "-c", _PROGRAM, str(path), what]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
    ) as process:
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(lines)]
        process.kill()
        said += process.stdout.readlines()
    whole = (line.partition(" ") for line in said if line.endswith("\n"))
    return {subject: word.strip() for subject, _, word in whole}


@pytest.mark.parametrize("lines", [1, 20, 90])
def test_every_key_that_was_given_out_is_there_after_a_kill(tmp_path: Path, lines: int) -> None:
    made = killed_after(lines, tmp_path / "ring", "make")

    ring = KeyringFile(tmp_path / "ring", MASTER)
    assert len(made) >= lines
    assert {subject: ring.key("acme", key_id).subject for subject, key_id in made.items()} == {
        subject: subject for subject in made
    }
    ring.close()


@pytest.mark.parametrize("lines", [1, 20, 90])
def test_every_key_that_was_said_to_be_destroyed_is_gone_after_a_kill_and_the_rest_can_be(
    tmp_path: Path, lines: int
) -> None:
    ring = KeyringFile(tmp_path / "ring", MASTER)
    keys = {
        f"user-{number}": ring.data_key("acme", f"user-{number}", "2026-01") for number in range(SUBJECTS)
    }
    ring.close()
    wrapped = wrapped_keys(tmp_path / "ring")

    gone = killed_after(lines, tmp_path / "ring", "destroy")

    ring = KeyringFile(tmp_path / "ring", MASTER)
    for subject in gone:
        with pytest.raises(KeyDestroyedError):
            ring.key("acme", keys[subject].key_id)
    ring.destroy("acme", list(keys), ERASED)
    for key in keys.values():
        with pytest.raises(KeyDestroyedError):
            ring.key("acme", key.key_id)
    left = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert not [each for each in wrapped if each in left]
    ring.close()


def wrapped_keys(path: Path) -> list[bytes]:
    database = sqlite3.connect(path)
    try:
        return [bytes(wrapped) for (wrapped,) in database.execute("SELECT wrapped FROM data_keys")]
    finally:
        database.close()
