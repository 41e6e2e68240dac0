"""The key of a witness: one line in a file that only its owner may read."""

from __future__ import annotations

from pathlib import Path

from auditstream.core.secret_file import KeyFileError, create_secret, read_secret
from auditstream.ledger.cosignatures import CosignerSecretKey
from auditstream.ledger.keys import KeyTextError


def load_witness_key(path: Path) -> CosignerSecretKey:
    """Return the key of a file.

    Raises:
        KeyFileError: There is none, others may read it, or it is none of a witness.
    """
    try:
        return CosignerSecretKey.parse(read_secret(path).decode("utf-8").removesuffix("\n"))
    except UnicodeDecodeError:
        raise KeyFileError(f"{path} is not the key of a witness") from None
    except KeyTextError as error:
        raise KeyFileError(f"{path} is not the key of a witness: {error.message}") from None
    except KeyFileError as error:
        error.hint = error.hint.replace("seal keys new", "witness keys new")
        raise


def create_witness_key(path: Path, name: str) -> CosignerSecretKey:
    """Write a new key into a new file, and return it.

    Raises:
        KeyFileError: There is one already; it stays.
        KeyTextError: No key can have this name.
    """
    key = CosignerSecretKey.generate(name)
    create_secret(path, f"{key.secret_text}\n".encode())
    return key
