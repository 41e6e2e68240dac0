"""Signatures are those of Standard Webhooks, and secrets are never shown."""

from __future__ import annotations

import pytest

from auditstream.core.errors import ConfigError
from auditstream.notify.signatures import SigningSecret, signed_headers

# The example that Standard Webhooks' libraries are tested with.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
MESSAGE = ("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_signature_is_the_published_one():
    assert SigningSecret(SECRET).sign(*MESSAGE) == SIGNATURE


def test_headers_name_message_and_time_and_have_a_signature_of_each_secret():
    other = SigningSecret("whsec_" + "A" * 32)

    headers = signed_headers([other, SigningSecret(SECRET)], *MESSAGE)

    assert headers == {
        "webhook-id": MESSAGE[0],
        "webhook-timestamp": "1614265330",
        "webhook-signature": f"{other.sign(*MESSAGE)} {SIGNATURE}",
    }
    assert "webhook-signature" not in signed_headers([], *MESSAGE)


@pytest.mark.parametrize("change", [0, 1, 2], ids=["id", "time", "body"])
def test_a_signature_is_of_id_time_and_body(change):
    message = list(MESSAGE)
    message[change] = [f"{MESSAGE[0]}x", MESSAGE[1] + 1, MESSAGE[2] + b" "][change]

    assert SigningSecret(SECRET).sign(*message) != SIGNATURE


@pytest.mark.parametrize(
    "text", ["", SECRET[6:], "whsec_", "whsec_***", "whsec_AAAA", "whsec_" + "A" * 88, SECRET + "=!"]
)
def test_what_is_no_secret_is_refused_and_not_shown(text):
    with pytest.raises(ConfigError) as refusal:
        SigningSecret(text)

    assert not text[6:] or text[6:] not in str(refusal.value)


def test_a_secret_does_not_print_itself():
    assert "MfKQ" not in f"{SigningSecret(SECRET)!r}"
