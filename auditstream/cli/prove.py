"""`auditstream prove`: one event's receipt, which anybody can check offline."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from auditstream.cli.auditing import PolicyOption, VkeyOption
from auditstream.core.errors import NotFoundError, RequestError

if TYPE_CHECKING:
    from auditstream.query.reader import Reader

_HASH_DIGITS = 64
_HASH_BYTES = 32
_ANSWER_WITHIN_S = 600.0


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(prove)


def prove(
    context: typer.Context,
    wanted: Annotated[
        str | None,
        typer.Argument(metavar="[ID]", help="Event id, or a leaf as topic/partition/epoch/index."),
    ] = None,
    *,
    sha256: Annotated[
        str | None,
        typer.Option(help="Find the event by the SHA-256 of its bytes, as an acknowledgement has it."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="File for the receipt, as event.tlog-proof; else stdout."),
    ] = None,
    vkey: VkeyOption = None,
    policy: PolicyOption = None,
) -> None:
    """Print the receipt of a recorded event: a C2SP tlog-proof with the checkpoint as it was published.

    Of an event that was sent several times, the first row is proved; name a repeat by its leaf. Ends with 6
    when no checkpoint covers the event yet, with 4 when nothing is recorded under the id, and with 3 when the
    row is not what was sealed. `auditstream verify --receipt FILE` checks a receipt offline.
    """
    from auditstream.access.evidence_questions import entry_of
    from auditstream.cli import running
    from auditstream.cli.accessing import Reading, told_reader
    from auditstream.cli.auditing import evidence_place, known_keys, policy_of
    from auditstream.evidence import proving
    from auditstream.evidence.listing import Trust
    from auditstream.evidence.published import open_published

    if (wanted is None) == (sha256 is None):
        raise RequestError("name one event: by its id, by its leaf, or by --sha256")
    deployment = running.find(context.obj)
    settings = deployment.settings
    published = open_published(evidence_place(settings))
    trust = Trust(known_keys(published, vkey), policy_of(settings, policy), settings.evidence.deployment_name)
    asked = Reading("prove", wanted or f"sha256 {sha256}", ("events",))
    with told_reader(deployment, asked, answer_within_s=_ANSWER_WITHIN_S) as reader:
        log_id, index, others = _place(reader, wanted, sha256)
        entry = entry_of(reader, log_id, index)
    receipt = proving.prove(published, trust, log_id, index, entry).to_bytes()
    if others and not context.obj.quiet:
        sys.stderr.write(f"leaf {index} of {log_id}; {others} more rows have the same id or bytes\n")
    if out is None:
        sys.stdout.write(receipt.decode())
    else:
        try:
            out.write_bytes(receipt)
        except OSError as error:
            raise RequestError(f"{out}: {error.strerror}") from error


def _place(reader: Reader, wanted: str | None, sha256: str | None) -> tuple[str, int, int]:
    """Return log and index of the first row that is meant, and how many more there are."""
    if wanted is not None:
        from auditstream.access.evidence_questions import place_of

        found = place_of(reader, wanted)
        return found.log_id, found.index, found.others
    from auditstream.query.value_rows import places_of

    try:
        value_hash = bytes.fromhex(sha256 or "")
    except ValueError:
        value_hash = b""
    if len(value_hash) != _HASH_BYTES:
        raise RequestError(f"--sha256: {_HASH_DIGITS} hex digits are wanted")
    places = places_of(reader, value_hash)
    if not places:
        hint = "`auditstream status` says whether everything sent has been recorded."
        raise NotFoundError(f"{value_hash.hex()}: no value with this hash is recorded", hint=hint)
    return *places[0], len(places) - 1
