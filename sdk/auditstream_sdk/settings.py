"""Settings of a client: from its arguments, else from `AUDITSTREAM_SDK_<NAME>`, else the default."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

from auditstream_sdk.errors import SettingsError
from auditstream_sdk.fields import ENVELOPE_NAMES

Mode = Literal["batch", "blocking", "blocking-strict"]
Fsync = Literal["never", "interval", "always"]

PREFIX = "AUDITSTREAM_SDK_"
_MODES: tuple[str, ...] = get_args(Mode)
_FSYNCS: tuple[str, ...] = get_args(Fsync)
NO_SPOOL = "none"
KAFKA = "kafka"


@dataclass(frozen=True)
class Settings:
    """What a client is told; every field is also an argument of `AuditClient`.

    Attributes:
        url: Base address of the gateway, as `https://audit.example.com`; or `kafka://host:port,…` to write to
            Kafka without it, with the extra `[kafka]`. Without it nothing is recorded.
        key: The gateway's key.
        source: URI or name of the service, as `svc://checkout`.
        mode: `batch` never waits for the gateway; `blocking` waits for its acknowledgement up to
            `deadline_s` and goes on without; `blocking-strict` raises without one.
        tenant: Tenant that the key belongs to. Optional: the gateway knows. With it, a spool that was left
            behind under an older key of the same tenant is sent under this one.
        deadline_s: How long the blocking modes wait for an acknowledgement, in seconds.
        queue_events: Most events in memory.
        queue_bytes: Most bytes in memory, estimated.
        queue_wait_s: How long a caller may wait for the local disk when the queue is full.
        batch_events: Most events of a request.
        batch_bytes: Most bytes of a request before compression.
        batch_age_s: How old an event of mode `batch` may become before a request goes out half full.
        linger_s: How long an event may be in memory alone before it is written to the spool.
        max_event_bytes: Largest event; half of what Kafka takes as one message by default.
        spool: Folder of the spool; empty for one below `$XDG_STATE_HOME` by url and source, `none` for none.
        spool_bytes: Most bytes of a spool folder.
        fsync: When what was written to the spool survives a loss of power: `never` as the kernel likes,
            `interval` within a second, `always` before the blocking modes return and before a batch is sent.
            A killed process loses nothing that was written, whatever this says.
        heartbeat_s: Interval of heartbeats; 0 for none.
        connect_timeout_s: Longest wait for a connection.
        request_timeout_s: Longest request, answer included.
        retry_first_s: Longest first pause after a failure; it doubles, and a random part of it is waited.
        retry_most_s: Longest pause.
        held_retry_s: Pause after the gateway refused the key or the address, which only people repair.
        exit_deadline_s: How long a client that ends may still send.
        ca_file: Certificates to trust instead of the system's.
        registry: Address of the schema registry, for `kafka://`.
        kafka_config: File of further librdkafka settings, a line `name=value` each, for `kafka://`.
        adopt: Fingerprints of older keys whose spools are sent under this key, separated by commas.
    """

    url: str = ""
    key: str = field(default="", repr=False)
    source: str = ""
    mode: Mode = "batch"
    tenant: str = ""
    deadline_s: float = 5.0
    queue_events: int = 10_000
    queue_bytes: int = 16 * 1024 * 1024
    queue_wait_s: float = 0.05
    batch_events: int = 500
    batch_bytes: int = 1024 * 1024
    batch_age_s: float = 1.0
    linger_s: float = 0.05
    max_event_bytes: int = 512 * 1024
    spool: str = ""
    spool_bytes: int = 256 * 1024 * 1024
    fsync: Fsync = "interval"
    heartbeat_s: float = 60.0
    connect_timeout_s: float = 5.0
    request_timeout_s: float = 30.0
    retry_first_s: float = 0.25
    retry_most_s: float = 30.0
    held_retry_s: float = 60.0
    exit_deadline_s: float = 5.0
    ca_file: str = ""
    registry: str = ""
    kafka_config: str = ""
    adopt: str = ""

    def __post_init__(self) -> None:
        if self.mode not in _MODES:
            raise SettingsError(f"mode: {self.mode!r} is none of {', '.join(_MODES)}")
        if self.fsync not in _FSYNCS:
            raise SettingsError(f"fsync: {self.fsync!r} is none of {', '.join(_FSYNCS)}")
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(value, int | float) and (value < 0 or (value == 0 and each.name not in _MAY_BE_0)):
                raise SettingsError(f"{each.name}: {value} is not more than 0")
        if self.url:
            self._check_address()

    def _check_address(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https", KAFKA} or not parts.netloc:
            raise SettingsError(f"url: {self.url!r} is not an http, https or kafka address")
        if "@" in parts.netloc:
            raise SettingsError("url: names a user; the key goes into `key`")
        if self.is_kafka:
            self._check_kafka()
        elif not self.key:
            raise SettingsError("key: is missing beside url", hint="`auditstream keys create` makes one.")
        if any(ord(letter) < 33 or ord(letter) > 126 for letter in self.key):
            raise SettingsError("key: has characters that a header cannot carry")
        if not self.source:
            raise SettingsError(
                "source: is missing beside url", hint='Name the service, as "svc://checkout".'
            )

    def _check_kafka(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9._-]{1,100}", self.tenant):
            raise SettingsError("tenant: is missing beside a kafka url, or is none that a topic can name")
        if urlsplit(self.registry).scheme not in {"http", "https"}:
            raise SettingsError("registry: is missing beside a kafka url, or is not an http or https address")

    @property
    def is_kafka(self) -> bool:
        """Whether events go to Kafka without the gateway."""
        return self.url.startswith(f"{KAFKA}://")

    @property
    def is_complete(self) -> bool:
        """Whether there is somewhere to send events to."""
        return bool(self.url)

    @property
    def key_fingerprint(self) -> str:
        """What tells this key from others, and gives none of it away."""
        return sha256(b"auditstream-sdk key\x00" + self.key.encode()).hexdigest()[:16]

    @property
    def spool_folder(self) -> Path | None:
        """Where the spool is; None for none."""
        if self.spool == NO_SPOOL:
            return None
        if self.spool:
            return Path(self.spool)
        return _spools() / sha256(f"{self.url}\x00{self.source}".encode()).hexdigest()[:16]

    @property
    def former_folders(self) -> list[Path]:
        """The default folders of other addresses and sources: an address may have been corrected since."""
        if self.spool or self.is_kafka:
            return []
        return [each for each in _spools().glob("*") if each != self.spool_folder]


def _spools() -> Path:
    state = os.environ.get("XDG_STATE_HOME") or str(Path("~/.local/state").expanduser())
    return Path(state) / "auditstream-sdk"


_MAY_BE_0 = {"heartbeat_s", "queue_wait_s", "linger_s", "batch_age_s", "exit_deadline_s"}
_TYPES: dict[str, Any] = {each.name: type(each.default) for each in fields(Settings)}


def settings_from(
    arguments: Mapping[str, Any], environment: Mapping[str, str]
) -> tuple[Settings, dict[str, Any]]:
    """Return the settings, and the other arguments, which are envelope fields.

    An argument that is None counts as not given; an argument wins over its variable.

    Raises:
        SettingsError: An argument is of the wrong type, or a variable unknown or not of its type.
    """
    values: dict[str, Any] = {}
    others: dict[str, Any] = {}
    for variable, text in environment.items():
        if variable.startswith(PREFIX):
            name = variable[len(PREFIX) :].lower()
            if name in _TYPES:
                values[name] = _converted(name, text)
            elif name in ENVELOPE_NAMES:
                others[name] = text
            else:
                raise SettingsError(f"{variable}: there is no such setting")
    for name, value in arguments.items():
        if value is not None:
            if name in _TYPES:
                values[name] = _checked(name, value)
            else:
                others[name] = value
    return Settings(**values), others


def _converted(name: str, text: str) -> Any:
    try:
        return _TYPES[name](text)
    except ValueError:
        expected = "a whole number" if _TYPES[name] is int else "a number"
        raise SettingsError(f"{PREFIX}{name.upper()}: {text!r} is not {expected}") from None


def _checked(name: str, value: Any) -> Any:
    expected = _TYPES[name]
    if expected is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if expected is str and isinstance(value, os.PathLike):
        return os.fspath(value)
    if not isinstance(value, expected) or isinstance(value, bool):
        raise SettingsError(f"{name}: expected {expected.__name__}, got {type(value).__name__}")
    return value
