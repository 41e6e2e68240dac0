"""The evidence of an embedded deployment: its key, a witness and a sealer, as watched processes.

The witness is on the same machine and so nobody else's: it shows how witnessing works and guards against
copies of old state, not against whoever runs the machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from auditstream.core.settings import Settings
from auditstream.embedded.broker_choice import Say
from auditstream.embedded.loopback_ports import free_port
from auditstream.embedded.watched_process import WatchedProcess
from auditstream.ledger.cosignatures import CosignerSecretKey
from auditstream.sealer.key_file import KeyRing, create_key_file, load_ring, new_ring
from auditstream.sealer.witness_key import create_witness_key, load_witness_key

_EVERY_S = 2.0  # rows are sealed soon
_WITNESS = "embedded"


@dataclass(frozen=True, slots=True)
class EvidenceParts:
    """What keeps a deployment's evidence.

    Attributes:
        settings: Settings by which it is found: store, state, key and policy are said.
        sealer: The sealer.
        witness: The witness; None where the policy is the operator's own.
        witness_url: Where the witness answers; empty without one.
    """

    settings: Settings
    sealer: WatchedProcess
    witness: WatchedProcess | None
    witness_url: str


def with_evidence(settings: Settings) -> Settings:
    """Return the settings with everything said that is at home in the data folder."""
    evidence, folder = settings.evidence, settings.data_dir
    at_home = {
        "store": evidence.store or str(folder / "evidence"),
        "state": evidence.state or str(folder / "seal"),
        "key_file": evidence.key_file or folder / "seal" / "key",
        "policy_file": evidence.policy_file or folder / "seal" / "policy",
        "every_s": min(evidence.every_s, _EVERY_S),
    }
    return settings.model_copy(update={"evidence": evidence.model_copy(update=at_home)})


@contextmanager
def start_evidence(settings: Settings, sealer_settings: Settings, *, say: Say) -> Iterator[EvidenceParts]:
    """Run witness and sealer for the length of the block; keys are made where there are none.

    Args:
        settings: Of the deployment.
        sealer_settings: The same with the sealer's sign-in to the store.
        say: Takes a line for a person; may be called from another thread.

    Raises:
        KeyFileError: A key file is damaged, or others may read it.
    """
    folder = settings.data_dir
    own_policy = settings.evidence.policy_file is None
    settings, sealer_settings = with_evidence(settings), _without_watch(with_evidence(sealer_settings))
    key_file, policy_file = settings.evidence.key_file, settings.evidence.policy_file
    assert key_file is not None
    assert policy_file is not None
    ring = _ring(key_file)
    with ExitStack() as parts:
        witness, url = None, ""
        if own_policy:
            url = f"http://127.0.0.1:{free_port()}"
            name = settings.evidence.deployment_name
            key = _witness_key(folder / "witness" / "key", f"{name}/witness")
            policy_file.write_text(f"witness {_WITNESS} {key.verifier.text} {url}\nquorum {_WITNESS}\n")
            arguments = ["--listen", url.removeprefix("http://"), "--logs", settings.evidence.store]
            for each in ring.verifiers(name):
                arguments += ["--trust-deployment", each.text]
            witness = parts.enter_context(
                WatchedProcess(
                    "witness",
                    ["witness", *arguments],
                    settings,
                    folder=folder,
                    log=folder / "witness.log",
                    say=say,
                )
            )
        sealer = parts.enter_context(
            WatchedProcess(
                "sealer", ["seal"], sealer_settings, folder=folder, log=folder / "sealer.log", say=say
            )
        )
        yield EvidenceParts(settings, sealer, witness, url)


def _without_watch(settings: Settings) -> Settings:
    """Return the settings of a sealer that leaves the watch to the deployment: its user sees no rights."""
    return settings.model_copy(update={"evidence": settings.evidence.model_copy(update={"watch_s": 0.0})})


def _ring(path: Path) -> KeyRing:
    if not path.exists():
        create_key_file(path, new_ring())
    return load_ring(path)


def _witness_key(path: Path, name: str) -> CosignerSecretKey:
    if not path.exists():
        create_witness_key(path, name)
    return load_witness_key(path)
