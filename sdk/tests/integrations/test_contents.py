"""What is left of content: sizes, and HMACs in the gateway's form."""

import hashlib
import hmac
import struct
from types import SimpleNamespace

import pytest

from auditstream_sdk.integrations.contents import keyed, measured, text_bytes

KEY = b"k" * 32


@pytest.mark.parametrize(
    ("content", "size"),
    [
        (None, 0),
        ("", 0),
        ("abc", 3),
        ("é€", 5),
        ("\ud800", 3),
        (b"\x00\x01", 2),
        (["ab", ("c", 7, None, True)], 3),
        ([{"role": "user", "content": [{"type": "text", "text": "abc"}]}], 3),
        (SimpleNamespace(content="abc", role="user"), 3),
    ],
)
def test_the_size_of_content_is_that_of_its_texts(content, size):
    assert text_bytes(content) == size


def test_content_that_holds_itself_has_a_size():
    content = ["abc"]
    content.append(content)

    assert text_bytes(content) == 3 * 20


def test_the_hmac_of_content_is_the_gateways():
    text = b'[{"content":"h\xc3\xa9","role":"user"}]'
    framed = struct.pack(">I", 13) + b"content.input" + struct.pack(">Q", len(text)) + text
    expected = hmac.new(KEY, b"auditstream/content/v1\n" + framed, hashlib.sha256).hexdigest()

    left = measured([{"role": "user", "content": "hé"}], KEY)

    assert left == {"content_bytes": 3, "content_hmac": expected}
    assert measured([{"role": "user", "content": "hé"}], None) == {"content_bytes": 3}


def test_arguments_have_one_hmac_whatever_the_order_of_their_names():
    expected = hmac.new(KEY, b'auditstream/arguments/v1\n{"a":1,"b":2}', hashlib.sha256).hexdigest()

    assert keyed("arguments", {"b": 2, "a": 1}, KEY) == keyed("arguments", {"a": 1, "b": 2}, KEY) == expected
    assert keyed("arguments", {"a": 1, "b": 2}, b"other") != expected
    assert keyed("system", {"a": 1, "b": 2}, KEY) != expected
