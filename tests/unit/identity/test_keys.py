"""The folder of keys: made once, refused when a part is missing or another's."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from auditstream.core.errors import ConfigError
from auditstream.core.secret_file import KeyFileError
from auditstream.core.settings import KeysSettings, Settings
from auditstream.identity.keys import opened_keys, places
from auditstream.identity.master_key import create_master_key, load_master_key


@pytest.fixture
def deployment(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path)


def test_keys_are_made_once_and_for_their_owner_alone(deployment: Settings) -> None:
    with opened_keys(deployment, create=True) as keys:
        made = keys.ring.data_key("acme", "user-a", "2026-01")
        hmac = keys.hmac("acme").key
    with opened_keys(deployment, create=True) as again:
        assert again.ring.key("acme", made.key_id) == made
        assert again.hmac("acme").key == hmac
        assert again.hmac("globex").key != hmac
    assert {stat.S_IMODE(path.stat().st_mode) for path in places(deployment)} == {0o600}


def test_without_keys_nothing_is_made_unless_asked(deployment: Settings) -> None:
    with pytest.raises(ConfigError, match="there is no keyring"), opened_keys(deployment):
        pass
    assert not (deployment.data_dir / "keys").exists()


def test_a_keyring_without_its_master_key_is_not_given_another(deployment: Settings) -> None:
    with opened_keys(deployment, create=True):
        pass
    master, _ = places(deployment)
    master.unlink()

    with pytest.raises(KeyFileError, match="no key file") as refused, opened_keys(deployment, create=True):
        pass

    assert "Restore" in refused.value.hint
    assert not master.exists()


def test_the_master_key_may_lie_elsewhere_and_be_there_before(tmp_path: Path) -> None:
    master = tmp_path / "elsewhere" / "master"
    create_master_key(master)
    settings = Settings(data_dir=tmp_path, keys=KeysSettings(master_file=master))

    with opened_keys(settings, create=True) as keys:
        assert keys.hmac("acme").key == load_master_key(master).derived("tenant hmac", "acme")


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"format": "auditstream-master-key/v1", "secret": "AAAA"}', "\xff"]
)
def test_a_damaged_master_key_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "master"
    file.write_text(text, encoding="latin-1")
    file.chmod(0o600)

    with pytest.raises(KeyFileError, match="is not a master key"):
        load_master_key(file)


def test_a_master_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    create_master_key(tmp_path / "master")
    (tmp_path / "master").chmod(0o644)

    with pytest.raises(KeyFileError, match="mode 644") as refused:
        load_master_key(tmp_path / "master")

    assert "chmod 600" in refused.value.hint
