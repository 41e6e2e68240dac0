"""All keys of a deployment's identities in one folder: the master key, and the keyring under it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path

from auditstream.core.errors import ConfigError
from auditstream.core.secret_file import KeyFileError
from auditstream.core.settings import Settings
from auditstream.identity.cached_keyring import CachedKeyring
from auditstream.identity.keyring import Keyring
from auditstream.identity.keyring_file import KeyringFile
from auditstream.identity.master_key import MasterKey, create_master_key, load_master_key
from auditstream.identity.tenant_hmac import TenantHmac

KEYRING, MASTER = "keyring.sqlite", "master"
"""Names of the two files."""


class Keys:
    """What hides a tenant's data.

    Args:
        master: What tenants' HMAC keys derive from.
        ring: Data keys.

    Attributes:
        ring: Data keys.
    """

    def __init__(self, master: MasterKey, ring: Keyring) -> None:
        self.ring = ring
        # A derivation takes some 10 us, and every event of a tenant asks.
        self.hmac: Callable[[str], TenantHmac] = lru_cache(maxsize=10_000)(
            lambda tenant: TenantHmac(master.derived("tenant hmac", tenant))
        )


def places(settings: Settings) -> tuple[Path, Path]:
    """Return where a deployment's master key and keyring are."""
    folder = settings.keys.folder or settings.data_dir / "keys"
    return settings.keys.master_file or folder / MASTER, folder / KEYRING


@contextmanager
def opened_keys(
    settings: Settings, *, create: bool = False, now_s: Callable[[], float] = time.monotonic
) -> Iterator[Keys]:
    """Lend the keys of a deployment.

    Args:
        settings: `keys` says where they are, and how long a data key is remembered.
        create: Whether to make them when there are none.
        now_s: A clock that never goes back, in seconds.

    Raises:
        KeyFileError: A file is missing, damaged, or open to others.
        ConfigError: Master key and keyring do not belong together.
        RetryableError: The keyring is busy.
    """
    master_path, ring_path = places(settings)
    if create and not ring_path.exists():
        with suppress(KeyFileError):  # another process was first, or an operator has put it there
            create_master_key(master_path)
    if not create and not ring_path.exists():
        raise ConfigError(
            f"there is no keyring {ring_path}",
            hint="Nothing was sealed with this --data-dir; AUDITSTREAM_KEYS__FOLDER names another place.",
        )
    master = load_master_key(master_path)
    ring = KeyringFile(ring_path, master)
    try:
        yield Keys(master, CachedKeyring(ring, lifetime_s=settings.keys.cache_s, now_s=now_s))
    finally:
        ring.close()
