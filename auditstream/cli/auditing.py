"""What commands about evidence share: keys and policy from files, the published files, progress on stderr."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from auditstream.cli.context import Context
from auditstream.core.errors import NotFoundError, RequestError

if TYPE_CHECKING:
    from auditstream.core.settings import Settings
    from auditstream.evidence.published import Published
    from auditstream.ledger.policies import Policy
    from auditstream.ledger.vkeys import Vkeys

VkeyOption = Annotated[
    Path | None, typer.Option(help="Keys that you trust, as vkeys.txt; those published when not given.")
]
PolicyOption = Annotated[
    Path | None, typer.Option(help="Which witnesses must have cosigned (C2SP tlog-policy).")
]
LogOption = Annotated[
    list[str] | None, typer.Option(help="Only this log, by origin or as topic/partition/epoch.")
]


def evidence_place(settings: Settings) -> str | Path:
    """Return where the deployment publishes: a folder, or the URL of an object store."""
    return settings.evidence.store or settings.data_dir / "evidence"


def known_keys(published: Published, file: Path | None) -> Vkeys:
    """Return the keys of a file of the auditor's, else those that are published beside the logs.

    Raises:
        NotFoundError: There are none.
        VkeysError: The file is malformed.
    """
    from auditstream.evidence.published import VKEYS
    from auditstream.ledger.vkeys import parse_vkeys

    data = read_file(file) if file is not None else published.read(VKEYS)
    if data is None:
        raise NotFoundError(
            f"no {VKEYS} is published", hint="Name a file of keys that you trust: --vkey FILE."
        )
    return parse_vkeys(data)


def policy_of(settings: Settings, file: Path | None) -> Policy | None:
    """Return the policy of a file, else the deployment's; None where neither is named.

    Raises:
        NotFoundError: There is no such file.
        PolicyError: It is malformed.
    """
    from auditstream.ledger.policies import parse_policy

    named = file or settings.evidence.policy_file
    return None if named is None else parse_policy(read_file(named))


def read_file(path: Path) -> bytes:
    """Return a file of the caller's.

    Raises:
        NotFoundError: There is none.
        RequestError: It cannot be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise NotFoundError(f"no file {path}") from error
    except OSError as error:
        raise RequestError(f"{path}: {error.strerror}") from error


@contextmanager
def progress_of(context: Context, unit: str) -> Iterator[Callable[[int, int], object]]:
    """Lend what shows how far a command is, with rate and time left, on stderr.

    Args:
        context: Tells whether progress is wanted.
        unit: What is counted, in the plural.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
    from rich.text import Text

    class Rate(ProgressColumn):
        """Units a second."""

        def render(self, task: Task) -> Text:
            return Text(f"{task.finished_speed or task.speed or 0:,.0f} {unit}/s")

    console = Console(stderr=True, no_color=not context.color)
    count = TextColumn("{task.completed:,} of {task.total:,} " + unit)
    with Progress(
        BarColumn(),
        count,
        Rate(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=context.quiet or not console.is_terminal,
    ) as bar:
        task = bar.add_task("", total=0)
        yield lambda done, total: bar.update(task, completed=done, total=total)
