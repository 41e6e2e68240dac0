"""Published files are the same from a bucket as from a folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from auditstream.evidence.listing import Trust
from auditstream.evidence.published import PublishedObjects, open_published
from auditstream.evidence.verification import Scope, Verification
from auditstream.sealer.tile_store import StoreDownError
from tests.support import bundles
from tests.support.object_server import BUCKET, object_server
from tests.support.parts import skip_part

TRUST = Trust(bundles.vkeys(), bundles.policy(), bundles.DEPLOYMENT)


def test_a_bucket_is_read_as_a_folder_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = tmp_path / "bundle"
    bundles.make_bundle(bundle, tmp_path / "memory")
    try:
        import obstore  # noqa: F401
    except ImportError:
        skip_part("object store", "obstore is not installed", can_be_installed=True)
    with object_server() as server:
        for name, value in {
            "AWS_ENDPOINT_URL": server.url,
            "AWS_ALLOW_HTTP": "true",
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "id",
            "AWS_SECRET_ACCESS_KEY": "secret",
        }.items():
            monkeypatch.setenv(name, value)
        server.objects |= {
            f"evidence/{path.relative_to(bundle)}": path.read_bytes()
            for path in bundle.rglob("*")
            if path.is_file()
        }
        published = open_published(f"s3://{BUCKET}/evidence")
        assert isinstance(published, PublishedObjects)

        report = Verification(published, TRUST, None, Scope()).against_values(
            bundle, lambda done, total: None
        )
        names = set(published.names(next(iter(bundles.SIZES))))

        assert (report.findings, report.leaves) == ([], 320)
        assert list(published.log_ids()) == list(bundles.SIZES)
        assert {"checkpoint", "tile/0/000", "tile/entries/000"} <= names
        assert published.read("nothing") is None
        server.down = True
        with pytest.raises(StoreDownError):
            published.read("logs")
