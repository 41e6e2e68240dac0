"""What is published of all logs together: the signed list `logs`, and the keys in `vkeys.txt`."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from auditstream.core.clock import Clock
from auditstream.core.errors import VerificationError
from auditstream.ledger.keys import VerifierKey
from auditstream.ledger.log_list import ListedLog, LogList, log_list, open_log_list, sign_log_list
from auditstream.ledger.notes import parse_note
from auditstream.ledger.vkeys import Vkeys, parse_vkeys
from auditstream.sealer.key_file import KeyRing
from auditstream.sealer.known_logs import LOGS_FILE
from auditstream.sealer.places import Place
from auditstream.sealer.tile_store import MovedError

VKEYS_FILE = "vkeys.txt"
_TRIES = 8

ReadLogs = Callable[[], Iterable[ListedLog]]
"""Returns what is published of each log, read when it is called."""


class ListRollbackError(VerificationError):
    """A log's published checkpoint is smaller than the list said, or of another tree."""

    code = "list_rollback"
    hint = "An old copy was put back. Keep what is there, restore the newest, and run `auditstream verify`."


class Listing:
    """Publishes list and keys; sealers may share it: neither loses what another put in.

    Args:
        place: Where they are published.
        deployment: `<host>/<deployment>`.
        clock: What time the list states.
        fresh_s: Longest age of the list.
    """

    def __init__(self, place: Place, deployment: str, clock: Clock, fresh_s: float) -> None:
        self._logs = place.register(LOGS_FILE)
        self._vkeys = place.register(VKEYS_FILE)
        self.deployment = deployment
        self._clock = clock
        self._fresh_s = fresh_s

    def published(self, ring: KeyRing) -> LogList | None:
        """Return the list as it is, None before the first.

        Raises:
            NoteError, LogListError: It is not this deployment's.
        """
        data = self._logs.read()
        return None if data is None else open_log_list(data, *ring.verifiers(self.deployment))

    def add_keys(self, keys: Iterable[VerifierKey]) -> None:
        """Publish keys; what is there stays.

        Raises:
            VkeysError: What is there is damaged.
        """
        wanted = tuple(keys)
        for _ in range(_TRIES):
            data = self._vkeys.read()
            former = Vkeys() if data is None else parse_vkeys(data)
            known = former.with_keys(wanted)
            if data is not None and known == former:
                return
            try:
                self._vkeys.replace(data, known.to_bytes())
            except MovedError:
                continue
            return
        raise MovedError(f"{VKEYS_FILE} keeps changing")

    def update(self, ring: KeyRing, read: ReadLogs) -> list[ListRollbackError]:
        """Publish the list where it says less than there is, or is old; return what has gone backwards.

        A log never vanishes from the list, nor does its size shrink: `read` is called once the former list is
        there, and whatever that one says was published before.

        Raises:
            NoteError, LogListError: What is published is not this deployment's list; it stays.
        """
        for _ in range(_TRIES):
            data = self._logs.read()
            former = None if data is None else open_log_list(data, *ring.verifiers(self.deployment))
            rolled_back: list[ListRollbackError] = []
            listed = self._merged(former, read(), rolled_back)
            note = sign_log_list(listed, *ring.signers(self.deployment)).to_bytes()
            if (
                data is not None
                and former is not None
                and former.logs == listed.logs
                and not self._is_old(former, ring, data)
            ):
                return rolled_back
            try:
                self._logs.replace(data, note)
            except MovedError:
                continue
            return rolled_back
        raise MovedError(f"the list {LOGS_FILE} keeps changing")

    def _merged(
        self, former: LogList | None, logs: Iterable[ListedLog], rolled_back: list[ListRollbackError]
    ) -> LogList:
        merged = {log.origin: log for log in (former.logs if former is not None else ())}
        for log in logs:
            before = merged.get(log.origin)
            if before is not None and _is_behind(log, before):
                message = f"{log.origin}: listed with size {before.size}, published is {log.size}"
                rolled_back.append(ListRollbackError(message))
            else:
                merged[log.origin] = log
        return log_list(self.deployment, int(self._clock.now_s()), merged.values())

    def _is_old(self, former: LogList, ring: KeyRing, data: bytes) -> bool:
        """Return whether to sign again: for its age, a clock that was put back, or a new key."""
        newest = ring.signer(self.deployment).verifier
        signers = {signature.key_id for signature in parse_note(data).signatures}
        age_s = self._clock.now_s() - former.time_s
        return newest.key_id not in signers or not -1 <= age_s < self._fresh_s


def _is_behind(log: ListedLog, before: ListedLog) -> bool:
    return log.size < before.size or (log.size == before.size and log.root != before.root)
