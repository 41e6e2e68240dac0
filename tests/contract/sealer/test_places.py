"""Where evidence is kept, as settings name it: a folder or a bucket, and what each refuses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from auditstream.core.errors import ConfigError
from auditstream.sealer.known_logs import list_reader
from auditstream.sealer.places import LogIdError, Place, open_place
from tests.support import parts
from tests.support.object_server import BUCKET, ObjectServer, object_server
from tests.support.sealers import LOG_A, LOG_B, Deployment


@pytest.fixture
def objects(monkeypatch: pytest.MonkeyPatch) -> Iterator[ObjectServer]:
    try:
        import obstore  # noqa: F401
    except ImportError:
        parts.skip_part("object store", "obstore is not installed", can_be_installed=True)
    with object_server() as server:
        for name, value in {
            "AWS_ENDPOINT_URL": server.url,
            "AWS_ALLOW_HTTP": "true",
            "AWS_ACCESS_KEY_ID": "id",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_REGION": "us-east-1",
        }.items():
            monkeypatch.setenv(name, value)
        yield server


@pytest.fixture(params=["folder", "objects"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "folder":
        return str(tmp_path / "evidence")
    request.getfixturevalue("objects")
    return f"s3://{BUCKET}/evidence"


@pytest.fixture
def place(address: str, tmp_path: Path) -> Place:
    return open_place(address, tmp_path / "elsewhere")


def test_a_whole_deployment_is_sealed_in_it(address: str, place: Place, tmp_path: Path):
    deployment = Deployment(tmp_path, a=600, b=7)
    there = {"place": place, "memory": open_place(f"{address}/state", tmp_path)}
    for _ in range(2):
        deployment.sealer(**there).round()
        deployment.grow()

    assert deployment.troubles == []
    assert place.store(LOG_A).read("checkpoint")
    assert place.store(LOG_B).read("tile/0/000.p/7")
    assert list_reader(address)() == place.register("logs").read()


def test_values_beside_the_logs_are_replaced_only_by_who_knows_them(place: Place):
    register = place.register("logs")
    assert register.read() is None
    register.replace(None, b"one")

    assert place.register("logs").read() == b"one"
    assert place.register("topic/0/aa/signed").read() is None


def test_a_forged_log_id_opens_nothing(place: Place):
    with pytest.raises(LogIdError):
        place.store("../0/aa")


def test_an_empty_address_is_the_default(tmp_path: Path):
    open_place("", tmp_path / "default").register("logs").replace(None, b"x")

    assert (tmp_path / "default" / "logs").read_bytes() == b"x"


@pytest.mark.parametrize("address", ["gs://bucket/x", "file:///x", "s3://", "s3:///x", "s3://b/x?y=z"])
def test_any_other_address_is_refused(address: str, tmp_path: Path):
    with pytest.raises(ConfigError):
        open_place(address, tmp_path)


def test_a_bucket_that_overwrites_against_conditions_is_refused(objects: ObjectServer, tmp_path: Path):
    objects.heeds_conditions = False

    with pytest.raises(ConfigError, match="overwrote"):
        open_place(f"s3://{BUCKET}/evidence", tmp_path)
