"""How a command finds what is running: `DIR/runtime.json`, else the AUDITSTREAM_* settings."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError

from auditstream.cli.context import Context
from auditstream.cli.wiring import load_settings
from auditstream.core.errors import ConfigError, RetryableError
from auditstream.core.settings import ClickHouseSettings, Settings

if TYPE_CHECKING:
    from auditstream.query.reader import Reader

FILE_NAME = "runtime.json"


class _Part(BaseModel):
    """Unknown keys are passed over: a later version may write more."""

    model_config = ConfigDict(frozen=True)


class Account(_Part):
    """Who to sign in as."""

    user: str
    password: SecretStr


class RunningClickHouse(_Part):
    """The ClickHouse of a running deployment.

    Attributes:
        analyst: An account that may only read, where the deployment has one.
    """

    host: str
    port: int
    user: str
    password: SecretStr
    database: str = "default"
    path: str = ""
    analyst: Account | None = None


class RunningEvidence(_Part):
    """Where a running deployment keeps its evidence; see `EvidenceSettings`."""

    host: str
    deployment: str
    store: str
    state: str
    key_file: Path
    policy_file: Path


class Runtime(_Part):
    """What a running deployment says of itself in `runtime.json`; empty where it has no such part."""

    pid: int
    kafka: str = ""
    registry_url: str = ""
    gateway_url: str = ""
    gateway_key: SecretStr = SecretStr("")
    api_url: str = ""
    console_url: str = ""
    api_token: SecretStr = SecretStr("")
    clickhouse: RunningClickHouse | None = None
    evidence: RunningEvidence | None = None


@dataclass(frozen=True, slots=True)
class Deployment:
    """What a command talks to.

    Attributes:
        settings: Settings that reach it.
        runtime: What the running deployment says of itself, None when the settings alone were used.
        remark: Why there is no `runtime`, for the message when nothing answers.
    """

    settings: Settings
    runtime: Runtime | None = None
    remark: str = ""


def find(context: Context) -> Deployment:
    """Return the deployment that runs on the data directory, else the one that the settings name.

    Raises:
        ConfigError: A setting or `runtime.json` is wrong.
    """
    settings = load_settings(context)
    path = context.data_dir / FILE_NAME
    runtime = read_runtime(path)
    if runtime is None:
        return Deployment(settings, remark=f"{path} does not exist")
    if not is_alive(runtime.pid):
        return Deployment(settings, remark=f"{path} is of process {runtime.pid}, which has ended")
    return Deployment(with_runtime(settings, runtime), runtime)


def read_runtime(path: Path) -> Runtime | None:
    """Return what a `runtime.json` says, None when there is none.

    Raises:
        ConfigError: It is not one, or may not be read; names the field.
    """
    try:
        return Runtime.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}", hint="Is the folder another user's?") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        hint = "Stop the deployment, delete the file, and start it again."
        # Without the error's own text, which quotes the secrets.
        raise ConfigError(f"{path}: {where}: {first['msg']}", hint=hint) from None


def is_alive(pid: int) -> bool:
    """Return whether a process of this id runs; someone else's counts."""
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def with_runtime(settings: Settings, runtime: Runtime) -> Settings:
    """Return the settings with the addresses of a running deployment in place of their own."""
    changes: dict[str, object] = {}
    if runtime.kafka:
        changes["kafka"] = settings.kafka.model_copy(update={"brokers": runtime.kafka})
    if runtime.registry_url:
        changes["registry"] = settings.registry.model_copy(update={"url": runtime.registry_url})
    if runtime.clickhouse is not None:
        names = ("host", "port", "user", "password", "database")
        there = {name: getattr(runtime.clickhouse, name) for name in names}
        changes["clickhouse"] = settings.clickhouse.model_copy(
            update={**there, "secure": False, "engine": "MergeTree"}
        )
    if runtime.evidence is not None:
        said = {name: getattr(runtime.evidence, name) for name in RunningEvidence.model_fields}
        changes["evidence"] = settings.evidence.model_copy(update=said)
    return settings.model_copy(update=changes)


def analyst_settings(deployment: Deployment) -> ClickHouseSettings:
    """Return how to sign in to read only: as the analyst where the deployment names one, else as usual."""
    clickhouse = deployment.settings.clickhouse
    running = deployment.runtime.clickhouse if deployment.runtime is not None else None
    if running is None or running.analyst is None:
        return clickhouse
    account = running.analyst
    return clickhouse.model_copy(update={"user": account.user, "password": account.password})


def open_reader(
    deployment: Deployment,
    *,
    analyst: bool = False,
    answer_within_s: float | None = None,
    headers: Mapping[str, str] | None = None,
) -> Reader:
    """Return a reader of the deployment's ClickHouse that has answered.

    Args:
        deployment: From `find`.
        analyst: Whether to sign in with the rights of an analyst.
        answer_within_s: How long an answer may take, instead of the time limit of the settings.
        headers: Sent with every request beside the driver's own.

    Raises:
        RetryableError: It does not answer; says what to start.
        ConfigError: It refuses the user.
    """
    from auditstream.query import reader, store_facts

    clickhouse = analyst_settings(deployment) if analyst else deployment.settings.clickhouse
    opened = reader.open_reader(clickhouse, answer_within_s=answer_within_s, headers=headers)
    try:
        store_facts.version(opened)
    except RetryableError as error:
        opened.close()
        raise nothing_answers(deployment) from error
    return opened


def nothing_answers(deployment: Deployment) -> RetryableError:
    """Return the error that says what to start."""
    clickhouse = deployment.settings.clickhouse
    where = f"ClickHouse at {clickhouse.host}:{clickhouse.port} does not answer"
    if deployment.runtime is not None:
        hint = (
            "The deployment runs, its store does not: see clickhouse.log in the data directory, or restart."
        )
        return RetryableError(where, hint=hint)
    hint = (
        "Run `auditstream up` or `auditstream demo` with this --data-dir, "
        "or say where ClickHouse is: AUDITSTREAM_CLICKHOUSE__HOST and __PORT."
    )
    return RetryableError(f"nothing runs: {deployment.remark}, and {where}", hint=hint)
