"""Rows on their way into the engine as a zstd frame of stored blocks: compressed in form only.

Reading a plain pipe as if it were a file, the engine seeks over what it need not read, such as the padding of
Arrow buffers, whenever that was not read together with what is before it. A pipe cannot seek, and the insert
fails (CANNOT_SEEK_THROUGH_FILE), one in some hundred. What it decompresses the engine only reads.

Source: RFC 8878, sections 3.1.1 (frame header) and 3.1.1.2 (blocks).
"""

from __future__ import annotations

from collections.abc import Iterator

# Magic number; a descriptor without checksum, content size or dictionary; a window of 128 KiB.
FRAME_START = bytes([0x28, 0xB5, 0x2F, 0xFD, 0x00, 0x38])

LAST_BLOCK = bytes([0x01, 0x00, 0x00])
"""An empty block that ends the frame."""

_BLOCK_BYTES = 128 * 1024  # a block may be as long as the window


def stored(rows: bytes) -> Iterator[bytes]:
    """Yield bytes as blocks of a frame: a header of three bytes, then the bytes as they are."""
    view = memoryview(rows)
    for at in range(0, len(view), _BLOCK_BYTES):
        block = view[at : at + _BLOCK_BYTES]
        yield b"".join([(len(block) << 3).to_bytes(3, "little"), block])
