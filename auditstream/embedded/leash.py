"""Child processes that cannot outlive this one, not even when this one is killed with SIGKILL.

The leash is a pipe: a shell waits on its reading end and kills the child at end of file, which comes when
the kernel closes this process's files. Linux's PR_SET_PDEATHSIG would be shorter, but fires when the
*thread* that started the child ends, and children are started from executor threads here.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

GRACE_S = 15.0  # a Kafka broker with clients takes under a second; its own bound is about five minutes


class LeashedProcess:
    """A running child process in a session of its own, so that Ctrl-C reaches only its parent."""

    def __init__(
        self, command: Sequence[str], *, folder: Path, log: Path, env: Mapping[str, str] | None = None
    ) -> None:
        """Start `command` in `folder`; what it prints is appended to `log`.

        Its environment is `env`, or that of this process when None.

        Raises:
            OSError: The program cannot be started.
        """
        with log.open("ab") as output:
            self._child = subprocess.Popen(  # noqa: S603 - the caller's command
                command,
                cwd=folder,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._leash = subprocess.Popen(  # noqa: S603 - constant program, a number as argument
            ["/bin/sh", "-c", 'read -r nothing; kill -KILL "$0"', str(self._child.pid)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._child.pid

    @property
    def is_running(self) -> bool:
        """Whether the child has not ended yet."""
        return self._child.poll() is None

    @property
    def exit_code(self) -> int | None:
        """Exit code, negative signal number, or None while the child runs."""
        return self._child.poll()

    def stop(self, timeout_s: float = GRACE_S) -> None:
        """Ask the child to end (SIGTERM), wait, and kill it when it has not ended in time."""
        self._child.terminate()
        try:
            self._child.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._child.kill()
        self._reap()

    def kill(self) -> None:
        """End the child at once (SIGKILL) and wait until it is gone."""
        self._child.kill()
        self._reap()

    def _reap(self) -> None:
        self._child.wait()
        self._leash.kill()
        self._leash.communicate()
