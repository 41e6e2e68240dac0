"""Settings: `AUDITSTREAM_*` environment variables, `__` between levels, secrets also from files.

`AUDITSTREAM_KAFKA__BROKERS=a:9092,b:9092` sets `settings.kafka.brokers`. A secret may be given as the path
of a file in the variable of the same name with `_FILE` appended. Unknown keys are refused.
"""

from __future__ import annotations

import os
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from auditstream.core.errors import ConfigError

PREFIX = "AUDITSTREAM_"
SDK_PREFIX = "AUDITSTREAM_SDK_"  # read by the SDK, which may run in an environment of the product's own
TEST_PREFIX = "AUDITSTREAM_TEST_"  # read by the test suite, in whose environment the product's commands run


class _Group(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class KafkaSettings(_Group):
    """How to reach Kafka, and which topics are ours."""

    brokers: str = Field("127.0.0.1:9092", description="Comma-separated host:port pairs.")
    security: Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"] = "plaintext"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    username: str = ""
    password: SecretStr = SecretStr("")
    ca_file: Path | None = None
    events_topic: str = "audit.events.v1"
    direct_topics: tuple[str, ...] = Field(
        (), description="Topics audit.direct.<tenant>.v1 of producers that write Kafka themselves."
    )
    dead_letter_topic: str = "audit.dlq.v1"
    usage_topic: str = "audit.usage.v1"
    findings_topic: str = "audit.findings.v1"
    signals_topic: str = "audit.signals.v1"
    claims_are_stamped: bool = Field(
        False,
        description="Whether only gateways may write the events topic: the tenant in a body is their word.",
    )
    epoch: str = Field(
        "", description="Log epoch where the broker has no topic ids (the embedded one); else from Kafka."
    )


class RegistrySettings(_Group):
    """How to reach the schema registry."""

    url: str = "http://127.0.0.1:8081"
    username: str = ""
    password: SecretStr = SecretStr("")
    oauth_token_url: str = ""
    oauth_client_id: str = ""
    oauth_client_secret: SecretStr = SecretStr("")
    oauth_scope: str = ""
    timeout_s: Annotated[float, Field(gt=0)] = 5.0


class ClickHouseSettings(_Group):
    """How to reach ClickHouse."""

    host: str = "127.0.0.1"
    port: int = 8123
    secure: bool = False
    user: str = "default"
    password: SecretStr = SecretStr("")
    database: str = "default"
    engine: Literal["MergeTree", "ReplicatedMergeTree"] = "MergeTree"
    timeout_s: Annotated[float, Field(gt=0, description="Client-side bound on one insert.")] = 10.0


class WorkerSettings(_Group):
    """How the record agent gathers, plans and writes segments."""

    app_id: str = Field("auditstream-record", description="Kafka consumer group.")
    instance_id: str = Field("", description="Static member id: a restart takes its partitions back at once.")
    segment_rows: Annotated[int, Field(ge=1)] = 50_000
    segment_bytes: Annotated[int, Field(ge=1)] = 64 * 1024 * 1024
    min_delay_s: Annotated[float, Field(gt=0)] = 0.25
    max_delay_s: Annotated[float, Field(gt=0)] = 5.0
    inserts_per_s: Annotated[float, Field(gt=0, description="Aim of all lanes together.")] = 2.0
    lease_s: Annotated[float, Field(gt=0, description="How long a committed plan entitles to insert.")] = 20.0
    clock_skew_s: Annotated[float, Field(ge=0, description="Largest skew between worker and store.")] = 1.0
    drain_s: Annotated[float, Field(ge=0)] = 2.0
    threads: Annotated[int, Field(ge=1)] = 2
    session_timeout_s: float = 30.0
    heartbeat_s: float = 3.0
    fetch_bytes: Annotated[int, Field(ge=1)] = 4 * 1024 * 1024
    metrics_port: int = Field(0, description="Port of /metrics on loopback; 0 for none.")
    stall_s: Annotated[float, Field(gt=0)] = 120.0
    dead_letter_ratio: Annotated[float, Field(gt=0, le=1)] = 0.5
    dead_letter_run: Annotated[int, Field(ge=1)] = 10_000
    dead_letter_pause_s: Annotated[float, Field(gt=0)] = 60.0
    settle_s: Annotated[
        float, Field(ge=0, description="Time between looks for calls that two logs report; 0 for none.")
    ] = 60.0
    lost_offsets: Literal["stop", "record"] = Field(
        "stop",
        description="When Kafka lost offsets that were never recorded: stop; or record the gap and go on.",
    )


class RuleSettings(_Group):
    """Which rules look at events as they are recorded."""

    shipped: bool = Field(True, description="Whether the rules that ship with the product are on.")
    folder: Path | None = Field(None, description="Folder of rules of your own, Sigma YAML; none when unset.")
    off: tuple[str, ...] = Field((), description="Names of shipped rules that are not wanted.")


class BudgetSettings(_Group):
    """How budgets are watched."""

    watch: bool = Field(True, description="Whether workers evaluate budgets.")
    every_s: Annotated[float, Field(gt=0, description="Longest time between looks, use or none.")] = 60.0
    pause_s: Annotated[float, Field(gt=0, description="Shortest time between looks.")] = 1.0


class SloSettings(_Group):
    """How objectives are watched."""

    watch: bool = Field(True, description="Whether workers evaluate objectives.")
    every_s: Annotated[float, Field(gt=0, description="Time between looks.")] = 60.0


class NotifySettings(_Group):
    """Who is told of findings."""

    channels_file: Path | None = Field(
        None, description="YAML file of channels, which only its owner may read; nobody is told when unset."
    )
    timeout_s: Annotated[float, Field(gt=0, le=60, description="How long a receiver may take.")] = 10.0


class ForwardSettings(_Group):
    """Which events go on to other systems as they are recorded."""

    file: Path | None = Field(
        None, description="YAML file of forwards, which only its owner may read; `forward` needs one."
    )
    every_s: Annotated[float, Field(gt=0, description="Time between looks for new events.")] = 1.0
    timeout_s: Annotated[float, Field(gt=0, le=60, description="How long a receiver may take.")] = 10.0
    metrics_port: int = Field(0, description="Port of /metrics on loopback; 0 for none.")


class DiscoverySettings(_Group):
    """How it is watched what is used, and whether it is registered."""

    watch: bool = Field(True, description="Whether workers hold what is used against the register.")
    every_s: Annotated[float, Field(gt=0, description="Time between looks.")] = 60.0


class DetectionSettings(_Group):
    """How usage is watched for what is unusual."""

    watch: bool = Field(True, description="Whether workers run the detectors.")
    folder: Path | None = Field(
        None, description="Folder of snapshots, the same for all workers; DATA_DIR/detection when unset."
    )
    snapshot_s: Annotated[float, Field(gt=0, description="Time between snapshots.")] = 30.0


class EvidenceSettings(_Group):
    """Where the signed logs are kept, who signs them, and who must have witnessed them."""

    host: str = Field("auditstream.local", description="Domain of the operator: first part of every origin.")
    deployment: str = Field("local", description="Name of the deployment: second part of every origin.")
    store: str = Field("", description="Folder or s3://bucket/prefix; empty for DATA_DIR/evidence.")
    state: str = Field(
        "", description="What was signed last: folder, or s3:// likewise; empty for DATA_DIR/seal."
    )
    key_file: Path | None = Field(
        None, description="The deployment's secret key; DATA_DIR/seal/key when unset."
    )
    policy_file: Path | None = Field(
        None, description="Trust policy (C2SP tlog-policy): witnesses and quorum."
    )
    every_s: Annotated[float, Field(gt=0, description="Longest time from a row to a checkpoint.")] = 10.0
    fresh_s: Annotated[float, Field(gt=0, description="Longest time between cosignatures, news or none.")] = (
        60.0
    )
    watch_s: Annotated[
        float, Field(ge=0, description="Time between looks at the store's tables and rights; 0 for none.")
    ] = 60.0
    metrics_port: int = Field(0, description="Port of the sealer's /metrics on loopback; 0 for none.")

    @property
    def deployment_name(self) -> str:
        """Name of the deployment's key, and beginning of every origin: `<host>/<deployment>`."""
        return f"{self.host}/{self.deployment}"


class AccessSettings(_Group):
    """How the product tells of its own use: every query, export, change and sign-in is an event."""

    when_kafka_is_away: Literal["fail_closed", "spool"] = Field(
        "fail_closed",
        description="Answer nothing that no event tells of; or keep the event in a local file meanwhile.",
    )
    spool_bytes: Annotated[
        int, Field(ge=4_096, description="Size of that file at which nothing is answered any more.")
    ] = 16 * 1024 * 1024
    within_s: Annotated[float, Field(gt=0, description="How long Kafka may take to acknowledge.")] = 5.0
    key_file: Path | None = Field(
        None, description="Key of the HMAC by which queries are named; DATA_DIR/access/key when unset."
    )


class OwnCostSettings(_Group):
    """What auditstream itself costs, so that reports can tell it; nothing is told of what has no price."""

    currency: Annotated[str, Field(pattern="^[A-Z]{3}$", description="ISO 4217 code of the prices.")] = "USD"
    gb_month: Annotated[
        Decimal | None, Field(ge=0, description="Price of 10^9 bytes on disk for a month, copies included.")
    ] = None
    cpu_hour: Annotated[Decimal | None, Field(ge=0, description="Price of an hour of one core.")] = None
    kept_months: Annotated[int, Field(ge=1, description="Months that an event is kept.")] = 12


Mode = Literal["blocking", "blocking-strict", "batch"]
"""How a request is answered, named as in Kubernetes' audit.

`blocking` waits for the broker and answers event by event; `blocking-strict` takes all of a request or
nothing; `batch` answers at once when the events are in a bounded queue in memory, and gives no receipts.
"""


class GatewaySettings(_Group):
    """How the gateway takes events over HTTP, and what it refuses."""

    listen: str = Field("127.0.0.1:8080", description="host:port; TLS ends in front of it.")
    events_mode: Mode = Field("blocking", description="Mode of POST /v1/events.")
    traces_mode: Mode = Field("blocking", description="Mode of POST /v1/traces.")
    logs_mode: Mode = Field("blocking", description="Mode of POST /v1/logs.")
    callers_choose_mode: bool = Field(
        True, description="Whether `?mode=` or the header `auditstream-mode` may name another mode."
    )
    body_bytes: Annotated[int, Field(ge=1_024, description="Largest body, decompressed.")] = 8 * 1024 * 1024
    body_ratio: Annotated[
        int, Field(ge=1, description="Most bytes that one compressed byte may stand for, past 64 KiB.")
    ] = 200
    body_s: Annotated[float, Field(gt=0, description="Longest time that a body may take to arrive.")] = 20.0
    header_bytes: Annotated[int, Field(ge=1_024, description="Largest request line and headers.")] = 16 * 1024
    header_s: Annotated[float, Field(gt=0, description="Longest time that headers may take to arrive.")] = (
        10.0
    )
    events: Annotated[int, Field(ge=1, description="Most events of one request.")] = 10_000
    depth: Annotated[int, Field(ge=4, description="How deep JSON may be nested.")] = 32
    connections: Annotated[int, Field(ge=1, description="Most connections at a time.")] = 2_000
    reading_bytes: Annotated[
        int, Field(ge=65_536, description="Bytes of all bodies that are in memory at a time.")
    ] = 64 * 1024 * 1024
    sending_bytes: Annotated[
        int, Field(ge=65_536, description="Bytes of all events that wait for Kafka at a time.")
    ] = 32 * 1024 * 1024
    queue_bytes: Annotated[
        int, Field(ge=65_536, description="Bytes of the queue of mode batch, at which it is full.")
    ] = 32 * 1024 * 1024
    within_s: Annotated[float, Field(gt=0, description="How long Kafka may take to acknowledge.")] = 10.0
    drain_s: Annotated[float, Field(ge=0, description="How long requests may finish after SIGTERM.")] = 20.0
    events_per_s: Annotated[
        float, Field(ge=0, description="Rate of each credential and tenant that has no own; 0 for none.")
    ] = 0.0
    events_per_day: Annotated[int, Field(ge=0, description="Likewise by UTC day; 0 for none.")] = 0
    refresh_s: Annotated[float, Field(gt=0, description="Time between looks for changed credentials.")] = 1.0
    receipts: Annotated[int, Field(ge=0, description="How many receipts GET /v1/receipts remembers.")] = (
        100_000
    )


class OidcSettings(_Group):
    """The identity provider that people of the console sign in by; none without an issuer."""

    issuer: str = Field("", description="URL whose /.well-known/openid-configuration describes it.")
    client_id: str = ""
    client_secret: SecretStr = SecretStr("")
    scopes: str = "openid profile email"
    name: str = Field("", description="What the sign-in page calls it; its host when unset.")
    grants_file: Path | None = Field(
        None, description="YAML list of which claims give which role and tenants; the first that fits counts."
    )
    timeout_s: Annotated[float, Field(gt=0, le=60, description="How long it may take to answer.")] = 10.0


class ApiSettings(_Group):
    """The query API and the console: where they listen, and who may sign in."""

    listen: str = Field("127.0.0.1:8090", description="host:port.")
    public_url: str = Field(
        "",
        description="URL by which browsers reach it, as https://audit.example; from the request when unset.",
    )
    tls_certificate: Path | None = Field(
        None, description="PEM file with the certificate chain; plain HTTP when unset."
    )
    tls_key: Path | None = Field(None, description="PEM file with its key.")
    session_key_file: Path | None = Field(
        None, description="Secret that signs sessions; DATA_DIR/access/session-key when unset."
    )
    exports_folder: Path | None = Field(
        None, description="Where exports lie until they are fetched; DATA_DIR/exports when unset."
    )
    refresh_s: Annotated[float, Field(gt=0, description="Time between looks for changed tokens.")] = 1.0
    answer_within_s: Annotated[float, Field(gt=0, description="How long the store may take.")] = 90.0
    connections: Annotated[int, Field(ge=1, description="Most requests at a time.")] = 500
    drain_s: Annotated[float, Field(ge=0, description="How long requests may finish after SIGTERM.")] = 5.0
    oidc: OidcSettings = OidcSettings()


class KeysSettings(_Group):
    """The keys that hide personal data and content, and who may destroy them."""

    folder: Path | None = Field(None, description="Folder of the keyring; DATA_DIR/keys when unset.")
    master_file: Path | None = Field(
        None, description="The master key, best on another disk; `master` in that folder when unset."
    )
    cache_s: Annotated[
        float, Field(gt=0, le=60, description="How long a process uses a data key after it was destroyed.")
    ] = 5.0
    edge_s: Annotated[
        float, Field(gt=0, le=3_600, description="The same for keys that were handed to an SDK.")
    ] = 60.0
    approvers: Annotated[
        int, Field(ge=0, le=10, description="How many others must approve of an erasure.")
    ] = 0


class Settings(BaseSettings):
    """Every setting of every process; see the module's docstring for how to set them."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", frozen=True, extra="forbid"
    )

    data_dir: Path = Path(".auditstream")
    cache_dir: Path = Field(
        Path("~/.cache/auditstream"), description="Downloads that outlive a data folder: the jars of Kafka."
    )
    kafka: KafkaSettings = KafkaSettings()
    registry: RegistrySettings = RegistrySettings()
    clickhouse: ClickHouseSettings = ClickHouseSettings()
    worker: WorkerSettings = WorkerSettings()
    rules: RuleSettings = RuleSettings()
    budgets: BudgetSettings = BudgetSettings()
    slos: SloSettings = SloSettings()
    notify: NotifySettings = NotifySettings()
    forward: ForwardSettings = ForwardSettings()
    discovery: DiscoverySettings = DiscoverySettings()
    detection: DetectionSettings = DetectionSettings()
    evidence: EvidenceSettings = EvidenceSettings()
    access: AccessSettings = AccessSettings()
    gateway: GatewaySettings = GatewaySettings()
    api: ApiSettings = ApiSettings()
    keys: KeysSettings = KeysSettings()
    own_cost: OwnCostSettings = OwnCostSettings()
    actor: str = Field("", description="Who acts, as events tell it; the user of the system when empty.")
    log_style: Literal["auto", "json", "pretty"] = "auto"
    log_level: str = "INFO"


def load() -> Settings:
    """Read the settings from the environment.

    Raises:
        ConfigError: A variable is unknown or has a value of the wrong kind; names the variable.
    """
    _read_secret_files()
    known = _known_variables(Settings, PREFIX)
    others = (TEST_PREFIX, SDK_PREFIX)
    ours = [name for name in os.environ if name.startswith(PREFIX) and not name.startswith(others)]
    unknown = sorted(name for name in ours if name not in known)
    if unknown:
        raise ConfigError(f"unknown setting {unknown[0]}", context={"known": sorted(known)})
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        variable = PREFIX + "__".join(str(part).upper() for part in first["loc"])
        raise ConfigError(f"{variable}: {first['msg']}") from error


def _known_variables(model: type[BaseModel], prefix: str) -> set[str]:
    known: set[str] = set()
    for name, field in model.model_fields.items():
        variable = prefix + name.upper()
        known.add(variable)
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            known |= _known_variables(field.annotation, variable + "__")
    return known


def _read_secret_files() -> None:
    """Set NAME from the content of the file that NAME_FILE names, for every NAME that is a setting."""
    for variable in _known_variables(Settings, PREFIX):
        path = os.environ.get(variable + "_FILE")
        if path is None:
            continue
        del os.environ[variable + "_FILE"]
        try:
            os.environ[variable] = Path(path).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ConfigError(f"{variable}_FILE: {error.strerror}: {path}") from error
