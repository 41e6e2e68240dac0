"""Published files as an auditor reads them: bounded, and without links."""

from __future__ import annotations

from pathlib import Path

import pytest

from auditstream.core.errors import NotFoundError
from auditstream.evidence.published import (
    MAX_FILE_BYTES,
    PublishedError,
    PublishedFolder,
    open_published,
)
from tests.support import bundles


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    bundles.make_bundle(tmp_path / "bundle", tmp_path / "memory")
    return tmp_path / "bundle"


def test_a_folder_names_its_logs_and_not_what_lies_beside_them(bundle: Path) -> None:
    assert list(PublishedFolder(bundle).log_ids()) == list(bundles.SIZES)


def test_links_and_folders_are_no_files(bundle: Path) -> None:
    (bundle / "link").symlink_to(bundle / "logs")

    assert PublishedFolder(bundle).read("tile") is None
    assert PublishedFolder(bundle).read("audit.events.v1") is None
    with pytest.raises(PublishedError, match="link"):
        PublishedFolder(bundle).read("link")


def test_a_file_larger_than_anything_published_is_refused(bundle: Path) -> None:
    with (bundle / "logs").open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)

    with pytest.raises(PublishedError, match="more than"):
        PublishedFolder(bundle).read("logs")


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="nowhere"):
        open_published(tmp_path / "nowhere")
