"""Files of lines: hashes, compression, and lines that cannot be held."""

from __future__ import annotations

import gzip
import hashlib
import io
from pathlib import Path

import pytest

from auditstream.core.errors import NotFoundError, RequestError
from auditstream.emit import source
from auditstream.emit.source import Line, opened

CONTENT = b"one\r\n\n  \ntwo\nthree"
LINES = [Line(1, b"one"), Line(4, b"two"), Line(5, b"three")]


def lines_of(path: Path) -> list[Line]:
    with opened(str(path)) as opened_source:
        return list(opened_source.lines())


def test_blank_lines_are_counted_and_left_out(tmp_path: Path) -> None:
    path = tmp_path / "plain.txt"
    path.write_bytes(CONTENT)

    assert lines_of(path) == LINES


def test_a_compressed_file_has_the_lines_and_the_hash_of_the_plain_one(tmp_path: Path) -> None:
    path = tmp_path / "packed.txt.gz"
    path.write_bytes(gzip.compress(CONTENT))

    with opened(str(path)) as packed:
        assert packed.file_hash == hashlib.sha256(CONTENT).digest()
        assert packed.size_bytes == len(CONTENT)
        assert list(packed.lines()) == LINES
        assert packed.position_bytes == len(CONTENT)


def test_stdin_is_read_like_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stdin:
        buffer = io.BytesIO(CONTENT)

    monkeypatch.setattr(source.sys, "stdin", Stdin)

    with opened("-") as piped:
        assert piped.file_hash == hashlib.sha256(CONTENT).digest()
        assert list(piped.lines()) == LINES


def test_a_byte_order_mark_is_not_part_of_the_first_line(tmp_path: Path) -> None:
    path = tmp_path / "marked.txt"
    path.write_bytes(b"\xef\xbb\xbfone\n\xef\xbb\xbftwo\n")

    assert lines_of(path) == [Line(1, b"one"), Line(2, b"\xef\xbb\xbftwo")]


def test_a_line_too_long_to_hold_has_no_content_and_its_neighbours_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "MAX_LINE_BYTES", 8)
    path = tmp_path / "long.txt"
    path.write_bytes(b"a\n" + b"x" * 50 + b"\n12345678\nb\n" + b"y" * 9)

    assert lines_of(path) == [
        Line(1, b"a"),
        Line(2, None),
        Line(3, b"12345678"),
        Line(4, b"b"),
        Line(5, None),
    ]


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"nothing\.txt: no such file"):
        lines_of(tmp_path / "nothing.txt")


@pytest.mark.parametrize("damage", [b"plain text", gzip.compress(b"x" * 1000, mtime=0)[:-9]])
def test_a_damaged_archive_is_named(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "damaged.gz"
    path.write_bytes(damage)

    with pytest.raises(RequestError, match=r"damaged\.gz: cannot be read"):
        lines_of(path)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="cannot be read"):
        lines_of(tmp_path)
