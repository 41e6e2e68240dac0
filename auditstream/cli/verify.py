"""`auditstream verify`: whether the evidence holds, and if not, where."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from auditstream.cli.auditing import LogOption, PolicyOption, VkeyOption
from auditstream.core.errors import RequestError, VerificationError

if TYPE_CHECKING:
    from auditstream.cli.accessing import Reading
    from auditstream.cli.context import Context
    from auditstream.cli.running import Deployment
    from auditstream.core.settings import Settings
    from auditstream.evidence.derived import DeepCheck
    from auditstream.evidence.findings import Report
    from auditstream.evidence.seen import Seen
    from auditstream.evidence.verification import Scope
    from auditstream.ledger.policies import Policy
    from auditstream.query.reader import Reader

# A range is read in seconds; a store that is busy may take its time.
_ANSWER_WITHIN_S = 600.0


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(verify)


def verify(
    context: typer.Context,
    *,
    deep: Annotated[
        bool,
        typer.Option("--deep", help="Also decode and enrich every value again, and compare each column."),
    ] = False,
    log: LogOption = None,
    bundle: Annotated[
        Path | None, typer.Option(help="Check an exported bundle, without any service of ours.")
    ] = None,
    receipt: Annotated[
        Path | None, typer.Option(help="Check one receipt, without any service of ours.")
    ] = None,
    value: Annotated[
        Path | None, typer.Option(help="With --receipt: the event's bytes, which must be those of the leaf.")
    ] = None,
    vkey: VkeyOption = None,
    policy: PolicyOption = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Take up a run that was broken off at the same checkpoint.")
    ] = False,
    threads: Annotated[
        int, typer.Option(min=1, max=64, help="One compares, the others wait for the store.")
    ] = 2,
    unsealed_after: Annotated[
        float, typer.Option(min=0, help="Seconds after which a row without a checkpoint is a finding.")
    ] = 600.0,
) -> int:
    """Check that the record is what was signed: every row, every tile, every checkpoint.

    Ends with 0 when it holds and with 3 when it does not; each finding names log and index, what was expected
    and what was found. A resumed run does not look again at what held before: only a whole one sees
    everything at one time.
    """
    from auditstream.cli import running
    from auditstream.cli.auditing import policy_of
    from auditstream.evidence.seen import Seen
    from auditstream.evidence.verification import Scope

    if receipt is not None:
        return _receipt(context.obj, receipt, value, vkey, policy)
    if deep and bundle is not None:
        raise RequestError("--deep needs the rows of a store: leave --bundle out")
    deployment = running.find(context.obj)
    seen = Seen(deployment.settings.data_dir / "verified")
    rules = policy_of(deployment.settings, policy)
    run = _Run(context.obj, vkey, rules, seen, Scope(tuple(log or ()), threads=threads, resume=resume))
    report = run.bundle(bundle) if bundle else run.store(deployment, unsealed_after, deep=deep)
    if rules is None:
        report.remarks.append("no policy names witnesses, so nobody's cosignature was asked for: --policy")
    if vkey is None:
        report.remarks.append("the keys were those published beside the logs; to trust others: --vkey")
    return _print(context.obj, report)


@dataclass(frozen=True, slots=True)
class _Run:
    """One check, as it was asked for."""

    context: Context
    vkey: Path | None
    policy: Policy | None
    seen: Seen
    scope: Scope

    def bundle(self, folder: Path) -> Report:
        """Check an exported bundle."""
        from auditstream.cli.auditing import known_keys, progress_of
        from auditstream.evidence.listing import Trust
        from auditstream.evidence.published import open_published
        from auditstream.evidence.verification import Verification

        published = open_published(folder)
        with _as_report() as damaged:
            trust = Trust(known_keys(published, self.vkey), self.policy)
            with progress_of(self.context, "leaves") as advance:
                return Verification(published, trust, self.seen, self.scope).against_values(folder, advance)
        return damaged

    def store(self, deployment: Deployment, unsealed_after_s: float, *, deep: bool) -> Report:
        """Check the rows of a store."""
        from auditstream.cli.accessing import Reading, told_reader
        from auditstream.cli.auditing import evidence_place, known_keys, progress_of
        from auditstream.evidence.listing import Trust
        from auditstream.evidence.published import open_published
        from auditstream.evidence.stored_rows import StoredRows
        from auditstream.evidence.verification import Verification

        published = open_published(evidence_place(deployment.settings))
        with _as_report() as damaged:
            keys = known_keys(published, self.vkey)
            trust = Trust(keys, self.policy, deployment.settings.evidence.deployment_name)
            extent = f"{'deep ' if deep else ''}{' '.join(self.scope.logs)}"
            asked = Reading("verify", extent, ("events",), whole=True)
            engine = deployment.settings.clickhouse.engine
            run = Verification(published, trust, self.seen, self.scope)
            with (
                told_reader(deployment, asked, answer_within_s=_ANSWER_WITHIN_S) as reader,
                _deep(deployment.settings, reader, asked) if deep else nullcontext() as again,
                progress_of(self.context, "leaves") as advance,
            ):
                rows = StoredRows(reader, engine, unsealed_after_s=unsealed_after_s)
                return run.against_rows(rows, advance, again)
        return damaged


@contextmanager
def _deep(settings: Settings, reader: Reader, asked: Reading) -> Iterator[DeepCheck]:
    """Lend what makes rows anew: with the registry's schemas, and the reference data as it was."""
    from auditstream.cli.accessing import claims
    from auditstream.evidence.derived import DeepCheck
    from auditstream.evidence.rerecording import new_recorders
    from schemas.schema_thread import start_schema_store
    from sinks.clients import ClientPool, http_client
    from sinks.recorded_segments import RecordedSegments
    from sinks.reference import connect_reference
    from sinks.snapshot_cache import SnapshotCache

    schemas = start_schema_store(settings.registry, folder=settings.data_dir / "schemas")
    directory = SnapshotCache(connect_reference(settings.clickhouse))
    directory.start()
    headers = claims(settings, asked).headers
    clients = ClientPool(
        lambda: http_client(settings.clickhouse, answer_within_s=_ANSWER_WITHIN_S, headers=headers)
    )
    with closing(schemas), closing(directory), closing(clients):
        recorders = new_recorders(schemas, clients, directory, settings.kafka)
        yield DeepCheck(reader, RecordedSegments(clients), recorders)


@contextmanager
def _as_report() -> Iterator[Report]:
    """Lend a report that says of evidence that cannot even be read why."""
    from auditstream.evidence.findings import Finding, Report

    damaged = Report()
    try:
        yield damaged
    except VerificationError as error:
        damaged.add([Finding("evidence", error.code, "evidence that can be read", error.message)])


def _receipt(
    context: Context, receipt: Path, value: Path | None, vkey: Path | None, policy: Path | None
) -> int:
    """Check one receipt, and print what it proves."""
    from auditstream.cli.auditing import evidence_place, known_keys, policy_of, read_file
    from auditstream.cli.printing import print_document
    from auditstream.cli.wiring import load_settings
    from auditstream.evidence import proving
    from auditstream.evidence.listing import Trust
    from auditstream.evidence.published import PublishedFolder, open_published
    from auditstream.ledger.receipts import parse_receipt

    settings = load_settings(context)
    published = PublishedFolder(Path()) if vkey else open_published(evidence_place(settings))
    trust = Trust(known_keys(published, vkey), policy_of(settings, policy))
    given = None if value is None else read_file(value)
    proved = proving.check(parse_receipt(read_file(receipt)), trust, given)
    print_document(context, {"holds": True, **proved.record()})
    if not context.quiet and value is None:
        sys.stderr.write("remark: the event's bytes were not given, only their hash was proved: --value\n")
    return 0


def _print(context: Context, report: Report) -> int:
    """Print what was found: a document in JSON, else a finding a line."""
    from auditstream.cli.context import Output
    from auditstream.cli.printing import form_of, print_document, print_rows

    records = [finding.record() for finding in report.findings]
    if form_of(context) in {Output.JSON, Output.JSONL}:
        document = {
            "holds": report.holds,
            "logs": report.logs,
            "leaves": report.leaves,
            "findings_total": report.total,
            "findings": records,
            "remarks": report.remarks,
        }
        print_document(context, document)
    elif records:
        print_rows(context, list(records[0]), [list(record.values()) for record in records])
    if not context.quiet:
        for remark in report.remarks:
            sys.stderr.write(f"remark: {remark}\n")
        for finding in report.findings[:20]:
            sys.stderr.write(f"does not hold: {finding}\n")
        if report.holds:
            sys.stderr.write(f"holds: {report.leaves} leaves in {report.logs} logs\n")
        else:
            sys.stderr.write(f"{report.total} findings: the record is not what was signed\n")
    return 0 if report.holds else VerificationError.exit_code
