"""Spools of processes that died: locked, cut to whole records, what is missing reported, then sent."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from time import time_ns

from auditstream_sdk.logs import Log
from auditstream_sdk.notices import Notices
from auditstream_sdk.pending import Gap
from auditstream_sdk.reports import Reporter
from auditstream_sdk.settings import Settings
from auditstream_sdk.spool import SpoolLog, remove
from auditstream_sdk.state_page import StatePage, current_boot

_MOST_AT_ONCE = 16
"""Each holds three descriptors open; the others follow as these are sent."""

_NO_BOUND = 1 << 62
"""Bound of an adopted spool: it takes reports alone, and a full folder gets room only once it is sent."""


def adopted(settings: Settings, folder: Path, held: Collection[str], notices: Notices) -> SpoolLog | None:
    """Return the log of a dead instance that is sent from now on by this process; None when there is none.

    One at a time: reading it takes moments, in which the queue is not written. What the same source and key
    left under another address counts too: addresses are corrected.

    Args:
        settings: Whose events may be sent under this client's key.
        folder: The spool.
        held: Instances that this process has already.
        notices: What is said once.
    """
    if len(held) > _MOST_AT_ONCE:
        return None
    for path in sorted(folder.glob("*.state")):
        if path.stem not in held and (log := _adopt(settings, path, notices)) is not None:
            return log
    for former in settings.former_folders:
        for path in sorted(former.glob("*.state")):
            if path.stem not in held and (log := _adopt(settings, path, notices, is_former=True)) is not None:
                return log
    return None


def _adopt(settings: Settings, path: Path, notices: Notices, *, is_former: bool = False) -> SpoolLog | None:
    page = _page_of(settings, path, notices, is_former=is_former)
    if page is None:
        return None
    try:
        log = SpoolLog(path.parent, page, _NO_BOUND)
    except OSError as error:
        notices.error(f"page {path}", "a spool cannot be read and is left alone: %s: %s", path, error)
        page.close()
        return None
    try:
        report_missing(log, reporter_of(log, settings))
    except OSError as error:
        notices.error(f"page {path}", "a spool cannot be written and is left alone: %s: %s", path, error)
        log.abandon()
        return None
    return log


def _page_of(settings: Settings, path: Path, notices: Notices, *, is_former: bool) -> StatePage | None:
    """Return the page of a dead instance whose spool is to be sent, locked."""
    try:
        page = StatePage(path)
    except (BlockingIOError, FileNotFoundError):  # it lives, or was sent meanwhile
        return None
    except (OSError, ValueError) as error:
        notices.error(f"page {path}", "a spool cannot be read and is left alone: %s: %s", path, error)
        return None
    is_ours = _was_ours(settings, page) if is_former else _is_ours(settings, page, notices)
    if is_ours and not page.is_over:
        return page
    if is_ours:  # whoever sent it died before the last file was deleted
        remove(path.parent, page)
    page.close()
    return None


def _was_ours(settings: Settings, page: StatePage) -> bool:
    """Return whether a spool under another address is of this source and key."""
    facts = page.facts
    return (facts.source, facts.key_fingerprint) == (settings.source, settings.key_fingerprint)


def _is_ours(settings: Settings, page: StatePage, notices: Notices) -> bool:
    facts = page.facts
    fingerprints = {settings.key_fingerprint, *settings.adopt.replace(" ", "").split(",")}
    if facts.key_fingerprint in fingerprints or (settings.tenant and facts.tenant == settings.tenant):
        return True
    notices.error(
        f"key {facts.key_fingerprint}",
        "%s holds events for another key; set adopt=%s (or the tenant that both belong to) to send them "
        "under this one",
        page.path,
        facts.key_fingerprint,
    )
    return False


def reporter_of(log: SpoolLog, settings: Settings) -> Reporter:
    """Return who reports for a dead instance."""
    facts = log.page.facts
    defaults = {"tenant_id": facts.tenant} if facts.tenant else {}
    return Reporter(facts.source, facts.instance, facts.started_ms, settings.heartbeat_s, defaults)


def report_missing(log: SpoolLog, reporter: Reporter) -> None:
    """Append what an instance recorded and never wrote, as a loss; done again, it finds nothing missing."""
    page = log.page
    is_exact = page.is_complete or (page.facts.boot != "" and page.facts.boot == current_boot())
    last = page.recorded if is_exact else max(page.recorded, page.reserved)
    if last <= log.number:
        return
    gap = Gap(log.number + 1, last, "process_killed" if is_exact else "machine_stopped", time_ns())
    if log.cut_bytes:
        gap.detail = f"{log.cut_bytes} bytes of an unfinished record were cut off"
    dropped = log.dropped + gap.count
    if not log.append([reporter.loss(gap, dropped=dropped, number=last, is_exact=is_exact)]):
        raise OSError("the spool has no room to say what was lost")


def report_damage(log: Log, reporter: Reporter) -> None:
    """Append what a log could not read of its files, as losses."""
    if not isinstance(log, SpoolLog):
        return
    while log.damages:
        damage = log.damages.pop(0)
        if damage.first <= damage.last:
            gap = Gap(damage.first, damage.last, "spool_damaged", time_ns())
            gap.detail = f"{damage.unread_bytes} bytes of a spool file cannot be read"
            report(log, reporter, gap)


def report(log: SpoolLog, reporter: Reporter, gap: Gap) -> None:
    """Append the report of a loss to an adopted log, unless it was there when the log was adopted."""
    record = reporter.loss(gap, dropped=log.dropped + gap.count, number=log.number)
    if record.event_id not in log.reported:
        log.append([record])
