"""Sealers at once on one deployment, with a witness over HTTP: one history, whoever is quicker."""

from __future__ import annotations

import threading
from collections import defaultdict
from pathlib import Path

import pytest

from auditstream.core.errors import RetryableError
from auditstream.ledger.keys import SignerKey
from auditstream.ledger.merkle import root_of
from auditstream.sealer.known_logs import DeploymentLogs, list_reader
from auditstream.sealer.witness_panel import WitnessPanel
from tests.support.logs import run_of
from tests.support.sealers import DEPLOYMENT, LOG_A, LOG_B, Deployment
from tests.support.witnesses import served, witness_in

pytestmark = pytest.mark.fault

SEALERS, ROUNDS = 3, 25


def test_sealers_at_once_publish_one_history_that_only_grows(tmp_path: Path) -> None:
    deployment = Deployment(tmp_path, a=100, b=30)
    trusted: tuple[SignerKey, ...] = deployment.ring.signers(DEPLOYMENT)
    known = DeploymentLogs(tuple(key.verifier for key in trusted), list_reader(str(tmp_path / "evidence")))
    sizes: list[list[tuple[str, int]]] = []
    watching = threading.Event()

    def seal(panel: WitnessPanel) -> None:
        sealer = deployment.sealer(panel)
        for _ in range(ROUNDS):
            deployment.grow(LOG_A, 7)
            deployment.grow(LOG_B, 3)
            sealer.round()

    def watch() -> None:
        while not watching.is_set():
            if (tmp_path / "evidence" / "logs").exists():
                sizes.append([(log.origin, log.size) for log in deployment.listed().logs])

    with (
        served(witness_in(tmp_path, known)) as witness,
        WitnessPanel(witness.policy(), timeout_s=30.0) as panel,
    ):
        threads = [threading.Thread(target=seal, args=(panel,)) for _ in range(SEALERS)]
        watcher = threading.Thread(target=watch)
        for thread in (*threads, watcher):
            thread.start()
        for thread in threads:
            thread.join()
        watching.set()
        watcher.join()
        deployment.sealer(panel).round()

    assert [each for each in deployment.troubles if not isinstance(each.error, RetryableError)] == []
    roots = defaultdict(set)
    for row in deployment.recorded.rows:
        roots[row.log_id, row.size].add(row.root)
    for (_, size), found in roots.items():
        assert found == {root_of(run_of(0, size).hashes())}
    for log_id in (LOG_A, LOG_B):
        published = deployment.published(log_id)
        assert published is not None
        assert published.size == deployment.recorded.sources[log_id].size
        assert deployment.listed().find(published.origin).size == published.size  # type: ignore[union-attr]
    for origin in {origin for listed in sizes for origin, _ in listed}:
        seen = [dict(listed).get(origin, 0) for listed in sizes]
        assert seen == sorted(seen)
    assert len(roots) > 10  # of at most 152; how many depends on who is quicker
