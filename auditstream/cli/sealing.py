"""From settings to the parts of a sealer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from auditstream.core.errors import ConfigError
from auditstream.core.settings import Settings

if TYPE_CHECKING:
    from auditstream.core.metrics import Metrics
    from auditstream.ledger.policies import Policy
    from auditstream.sealer.places import Place
    from auditstream.sealer.service import Sealer, Trouble


def key_path(settings: Settings) -> Path:
    """Return where the deployment's secret is."""
    return settings.evidence.key_file or settings.data_dir / "seal" / "key"


def published_place(settings: Settings) -> Place:
    """Return where evidence is published; see `open_place`."""
    from auditstream.sealer.places import open_place

    return open_place(settings.evidence.store, settings.data_dir / "evidence")


def memory_place(settings: Settings) -> Place:
    """Return where it is remembered what was signed; see `open_place`."""
    from auditstream.sealer.places import open_place

    return open_place(settings.evidence.state, settings.data_dir / "seal")


def trust_policy(settings: Settings) -> Policy:
    """Return the policy that says who must have witnessed; one that asks for nobody when none is set.

    Raises:
        PolicyError: The file is malformed.
        ConfigError: It cannot be read.
    """
    from auditstream.ledger.policies import parse_policy
    from auditstream.sealer.witness_panel import NO_WITNESSES

    path = settings.evidence.policy_file
    if path is None:
        return NO_WITNESSES
    try:
        return parse_policy(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"evidence.policy_file: {error.strerror}: {path}") from error


@contextmanager
def new_sealer(
    settings: Settings, metrics: Metrics, *, on_trouble: Callable[[Trouble], object] = lambda trouble: None
) -> Iterator[Sealer]:
    """Lend a sealer of the deployment that the settings name.

    Raises:
        KeyFileError: There is no key, or others may read it.
        ConfigError: Policy, store or state are not usable.
        StoreDownError: An object store does not answer.
    """
    from auditstream.core.clock import SystemClock
    from auditstream.sealer.key_file import load_ring
    from auditstream.sealer.service import Cadence, Sealer, SealerParts
    from auditstream.sealer.witness_panel import WitnessPanel
    from sinks.checkpoint_rows import ClickHouseCheckpoints
    from sinks.clients import ClientPool, http_client
    from sinks.leaf_source import ClickHouseLeaves
    from sinks.recorded_logs import ClickHouseLogs

    key = key_path(settings)
    load_ring(key)
    evidence = settings.evidence
    clients = ClientPool(lambda: http_client(settings.clickhouse))

    def answered(witness: str, answer: str) -> None:
        metrics.count("auditstream_witness_answers_total", witness=witness, reason=answer)

    with WitnessPanel(trust_policy(settings), answered=answered) as panel:
        parts = SealerParts(
            logs=ClickHouseLogs(clients),
            leaves=lambda log_id: ClickHouseLeaves(clients, log_id),
            rows=ClickHouseCheckpoints(clients),
            place=published_place(settings),
            memory=memory_place(settings),
            keys=lambda: load_ring(key),
            panel=panel,
            clock=SystemClock(),
            metrics=metrics,
        )
        cadence = Cadence(evidence.every_s, evidence.fresh_s)
        try:
            yield Sealer(parts, settings.evidence.deployment_name, cadence, on_trouble=on_trouble)
        finally:
            clients.close()
