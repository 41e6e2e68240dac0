"""The product's verifier and the one that auditors run by itself agree on every mutant of a bundle."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from auditstream.core.errors import VerificationError
from auditstream.evidence import proving
from auditstream.evidence.findings import Report
from auditstream.evidence.listing import Trust
from auditstream.evidence.published import PublishedFolder
from auditstream.evidence.verification import Scope, Verification
from auditstream.ledger.completeness import Completeness, RestsOn, sign_completeness
from auditstream.ledger.leaves import LeafRun, value_hashes
from auditstream.ledger.receipts import parse_receipt
from auditstream_verify.bundles import Result, check_bundle
from auditstream_verify.notes import BrokenError, parse_policy, parse_vkeys
from auditstream_verify.receipts import check_receipt
from tests.support import bundles
from tests.support.examples import examples

OWN_KEYS = parse_vkeys(bundles.vkeys().to_bytes())
OWN_POLICY = parse_policy(bundles.POLICY)
LOG, OTHER = bundles.SIZES
TRUST = Trust(bundles.vkeys(), bundles.policy(), bundles.DEPLOYMENT)
# Told by nobody's signature: what and when, and keys that a verifier takes from elsewhere.
UNSIGNED = {"manifest.json", "vkeys.txt"}
STATEMENT = "statements/2026-01-01"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("bundle") / "bundle"
    bundles.make_bundle(root, root.parent / "memory")
    return root


@pytest.fixture
def copied(bundle: Path, tmp_path: Path) -> Path:
    shutil.copytree(bundle, tmp_path / "copy")
    return tmp_path / "copy"


def theirs(root: Path) -> Report:
    return Verification(PublishedFolder(root), TRUST, None, Scope(threads=1)).against_values(
        root, lambda done, total: None
    )


def own(root: Path, processes: int = 1) -> Result:
    return check_bundle(root, OWN_KEYS, OWN_POLICY, processes=processes)


def files(root: Path) -> list[str]:
    found = (path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())
    return sorted(name for name in found if name not in UNSIGNED and not name.endswith(".lock"))


def test_both_hold_a_bundle_that_nobody_touched(bundle: Path) -> None:
    assert theirs(bundle).holds
    assert (own(bundle).findings, own(bundle).leaves, own(bundle).statements) == ([], 320, 1)


@pytest.fixture
def scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@settings(
    max_examples=examples(150), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_both_refuse_every_mutant(bundle: Path, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(files(bundle)))
    content = (bundle / name).read_bytes()
    mutant = data.draw(mutants(content))
    assume(mutant is not None or name != STATEMENT)  # nobody says which statements there should be
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "bundle"
        shutil.copytree(bundle, root)
        if mutant is None:
            (root / name).unlink()
        else:
            (root / name).write_bytes(mutant)

        verdicts = theirs(root).holds, not own(root).findings

    assert verdicts == (mutant == content,) * 2, name


@st.composite
def mutants(draw: st.DrawFn, content: bytes) -> bytes | None:
    """Draw a file without a part, with a part more, with other bits, or none at all."""
    at = draw(st.integers(0, len(content) - 1))
    match draw(st.sampled_from(["flip", "cut", "grow", "double", "gone", "bytes"])):
        case "flip":
            return content[:at] + bytes([content[at] ^ (1 << draw(st.integers(0, 7)))]) + content[at + 1 :]
        case "cut":
            return content[:at]
        case "grow":
            return content + draw(st.binary(min_size=1, max_size=40))
        case "double":
            length = draw(st.integers(1, 64))
            return content[:at] + content[at : at + length] + content[at:]
        case "bytes":
            return content[:at] + draw(st.binary(min_size=1, max_size=8)) + content[at:]
        case _:
            return None


@pytest.mark.parametrize("name", ["checkpoint", "tile/0/000", "tile/entries/000"])
def test_both_refuse_a_file_of_another_log(copied: Path, name: str) -> None:
    other = f"{OTHER}/{name}" if name == "checkpoint" else f"{OTHER}/{name}.p/20"
    shutil.copy(copied / other, copied / LOG / name)

    assert not theirs(copied).holds
    assert own(copied).findings


def test_both_name_the_leaf_whose_value_was_changed(copied: Path) -> None:
    path = copied / "raw" / LOG / "000000000000"
    path.write_bytes(path.read_bytes().replace(b"value 270", b"value 9!0"))

    assert [(f.log, f.first, f.what) for f in theirs(copied).findings] == [
        (f"{bundles.DEPLOYMENT}/{LOG}", 270, "value_sha256")
    ]
    assert [(f.log, f.index) for f in own(copied).findings] == [(f"{bundles.DEPLOYMENT}/{LOG}", 270)]


def test_both_refuse_a_log_that_the_list_does_not_have_and_one_that_is_gone(copied: Path) -> None:
    shutil.copytree(copied / OTHER, copied / "audit.events.v1/9/0a1b2c3d")
    assert not theirs(copied).holds
    assert any("audit.events.v1/9" in f.log for f in own(copied).findings)
    shutil.rmtree(copied / "audit.events.v1/9")
    shutil.rmtree(copied / OTHER)

    assert not theirs(copied).holds
    assert own(copied).findings


def test_links_and_endless_files_are_not_read(copied: Path) -> None:
    path = copied / LOG / "tile/0/000"
    path.unlink()
    path.symlink_to("/dev/zero")

    assert not theirs(copied).holds
    assert any("tile/0/000" in f.text for f in own(copied).findings)


def test_processes_find_what_one_finds(copied: Path) -> None:
    (copied / LOG / "tile/entries/000").write_bytes(b"")

    assert own(copied, processes=2).findings == own(copied).findings != []


def test_a_changed_statement_is_refused(copied: Path) -> None:
    path = copied / STATEMENT
    path.write_bytes(path.read_bytes().replace(b"300", b"299"))

    assert [f.log for f in own(copied).findings] == [f.log for f in theirs(copied).findings] == [STATEMENT]


def test_a_statement_that_rests_on_another_history_is_refused(copied: Path) -> None:
    root = bytes(32)
    statement = Completeness(
        deployment=bundles.DEPLOYMENT,
        day=date(2026, 1, 1),
        time_s=1_800_000_000,
        state="closed",
        logs=(RestsOn(f"{bundles.DEPLOYMENT}/{next(iter(bundles.SIZES))}", 10, root, 10),),
    )
    (copied / STATEMENT).write_bytes(sign_completeness(statement, bundles.DEPLOYMENT_KEY).to_bytes())

    assert [f.log for f in theirs(copied).findings] == [STATEMENT]
    assert [STATEMENT in f.text for f in own(copied).findings] == [True]


# --- receipts --------------------------------------------------------------------------------------------


def receipt_of(root: Path, index: int) -> bytes:
    run = LeafRun(
        kinds=[index % 2],
        first_index=index,
        offsets=[3 * index],
        timestamps_ms=[1_767_355_200_000 + index],
        event_ids=[b"%016d" % index if index % 2 == 0 else bytes(16)],
        value_sha256=value_hashes([bundles.value_of(index)]),
    )
    return proving.prove(PublishedFolder(root), TRUST, LOG, index, run.entries()[0]).to_bytes()


@pytest.mark.parametrize("index", [0, 255, 256, 298, 299])
def test_both_accept_a_receipt_and_say_the_same_of_it(bundle: Path, index: int) -> None:
    data, value = receipt_of(bundle, index), bundles.value_of(index)

    ours = check_receipt(data, OWN_KEYS, OWN_POLICY, value)
    proved = proving.check(parse_receipt(data), TRUST, value).record()

    assert (ours.origin, ours.index, ours.size, ours.event_id, ours.value_sha256, ours.cosigners) == (
        *(proved[name] for name in ("log", "index", "size", "event_id", "value_sha256", "cosigners")),
    )


@settings(
    max_examples=examples(150), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_both_refuse_every_mutant_of_a_receipt(bundle: Path, data: st.DataObject) -> None:
    content = receipt_of(bundle, 256)
    mutant = data.draw(mutants(content)) or b""

    def holds(check: object) -> bool:
        try:
            check()  # type: ignore[operator]
        except (BrokenError, VerificationError):
            return False
        return True

    verdicts = (
        holds(lambda: proving.check(parse_receipt(mutant), TRUST)),
        holds(lambda: check_receipt(mutant, OWN_KEYS, OWN_POLICY)),
    )
    assert verdicts == (mutant == content,) * 2


def test_a_receipt_does_not_prove_other_bytes(bundle: Path) -> None:
    data = receipt_of(bundle, 256)

    with pytest.raises(BrokenError, match="value: expected"):
        check_receipt(data, OWN_KEYS, OWN_POLICY, b"other")
    with pytest.raises(proving.NotProvedError, match="commits to value"):
        proving.check(parse_receipt(data), TRUST, b"other")
