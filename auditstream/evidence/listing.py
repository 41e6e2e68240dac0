"""Which logs there are, by the signed list, and what each has signed; a log that is left out is seen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from auditstream.core.errors import VerificationError
from auditstream.evidence.findings import Finding
from auditstream.evidence.published import CHECKPOINT_NAME, LISTING, Published
from auditstream.ledger.checkpoints import OpenedCheckpoint, open_checkpoint
from auditstream.ledger.log_list import ListedLog, LogList, open_log_list, parse_log_list
from auditstream.ledger.notes import parse_note
from auditstream.ledger.policies import Policy
from auditstream.ledger.vkeys import Vkeys

_ID_PARTS = 3


@dataclass(frozen=True, slots=True)
class Trust:
    """What an auditor believes beforehand.

    Attributes:
        vkeys: Keys of logs, of the deployment, of cosigners.
        policy: Which witnesses must have cosigned; None asks for nobody.
        deployment: `<host>/<deployment>`; None takes the list's word, whose key must be known all the same.
    """

    vkeys: Vkeys
    policy: Policy | None = None
    deployment: str | None = None


@dataclass(frozen=True, slots=True)
class PublishedLog:
    """One log whose checkpoint holds.

    Attributes:
        log_id: The log, as `topic/partition/epoch`.
        opened: Its checkpoint.
        data: The checkpoint's bytes.
        listed: What the list says of it, None when it is not listed.
    """

    log_id: str
    opened: OpenedCheckpoint
    data: bytes
    listed: ListedLog | None

    @property
    def origin(self) -> str:
        """Its name."""
        return self.opened.checkpoint.origin


@dataclass(slots=True)
class Listing:
    """What is published.

    Attributes:
        deployment: Name of the deployment.
        listed: The signed list, None when there is none that holds.
        list_bytes: Its bytes.
        logs: Logs whose checkpoint holds.
        findings: What does not.
    """

    deployment: str
    listed: LogList | None
    list_bytes: bytes | None
    logs: list[PublishedLog]
    findings: list[Finding]


def read_listing(published: Published, trust: Trust) -> Listing:
    """Return which logs are published, judged by what is believed."""
    there = list(published.log_ids())  # before the list: it names those that there were before it
    findings: list[Finding] = []
    data = published.read(LISTING)
    listed = _listed(data, trust, findings)
    deployment = trust.deployment or (listed.deployment if listed else _common_name(trust.vkeys))
    by_id = {log.origin.removeprefix(f"{deployment}/"): log for log in listed.logs} if listed else {}
    findings += [
        Finding(by_id[log_id].origin, "log_missing", "files of a listed log", "no folder of that name")
        for log_id in sorted(set(by_id) - set(there))
    ]
    logs: list[PublishedLog] = []
    for log_id in there:
        origin = f"{deployment}/{log_id}"
        if listed is not None and log_id not in by_id:
            findings.append(Finding(origin, "unlisted_log", "to be in the signed list of logs", "is not"))
        opened = read_checkpoint(published, log_id, origin, trust, findings)
        if opened is not None:
            logs.append(PublishedLog(log_id, *opened, by_id.get(log_id)))
    return Listing(deployment, listed, data, logs, findings)


def _listed(data: bytes | None, trust: Trust, findings: list[Finding]) -> LogList | None:
    if data is None:
        findings.append(Finding(LISTING, "log_list", "the signed list of all logs", "no such file"))
        return None
    try:
        name = trust.deployment or parse_log_list(parse_note(data).text).deployment
        keys = trust.vkeys.signers(name)
        if not keys:
            findings.append(Finding(LISTING, "log_list", f"signed by {name}", "a key that is not known"))
            return None
        listed = open_log_list(data, *keys)
    except VerificationError as error:
        findings.append(Finding(LISTING, "log_list", "a list that its deployment signed", error.message))
        return None
    good = tuple(log for log in listed.logs if _is_id(log.origin.removeprefix(f"{name}/")))
    findings += [
        Finding(log.origin, "log_list", "an origin that ends in topic/partition/epoch", log.origin)
        for log in listed.logs
        if log not in good
    ]
    return LogList(listed.deployment, listed.time_s, good)


def read_checkpoint(
    published: Published, log_id: str, origin: str, trust: Trust, findings: list[Finding]
) -> tuple[OpenedCheckpoint, bytes] | None:
    """Return a log's checkpoint, and its bytes, when its log has signed it; None says why in `findings`."""
    data = published.read(f"{log_id}/{CHECKPOINT_NAME}")
    if data is None:
        findings.append(Finding(origin, "checkpoint", "a signed checkpoint", "no such file"))
        return None
    keys = trust.vkeys.signers(origin)
    if not keys:
        findings.append(Finding(origin, "checkpoint", f"a known key of {origin}", "none in the list of keys"))
        return None
    witnesses = [witness.key for witness in trust.policy.witnesses] if trust.policy else []
    cosigners = dict.fromkeys([*witnesses, *trust.vkeys.cosigners()])
    try:
        opened = open_checkpoint(data, *keys, cosigners=cosigners)
    except VerificationError as error:
        findings.append(Finding(origin, "checkpoint", "a checkpoint that its log signed", error.message))
        return None
    by = [each.key for each in opened.by_cosigners]
    if trust.policy is not None and not trust.policy.is_met_by(by):
        names = ", ".join(sorted({key.name for key in by})) or "nobody"
        findings.append(
            Finding(origin, "quorum", f"cosigned by the quorum {trust.policy.quorum!r}", f"by {names}")
        )
    return opened, data


def missing_origins(former: LogList, now: LogList) -> Iterator[str]:
    """Yield the logs of a former list that a newer one leaves out."""
    known = {log.origin for log in now.logs}
    yield from (log.origin for log in former.logs if log.origin not in known)


def _common_name(vkeys: Vkeys) -> str:
    """Return the shortest name of a key that signs texts: a deployment's, which its logs' begin with."""
    return min((key.name for key in vkeys.keys if key not in vkeys.cosigners()), key=len, default="")


def _is_id(log_id: str) -> bool:
    parts = log_id.split("/")
    return len(parts) == _ID_PARTS and not {"", ".", ".."} & set(parts)
