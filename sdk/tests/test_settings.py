"""Settings come from arguments and the environment, and wrong ones are refused by name."""

from __future__ import annotations

import pytest

from auditstream_sdk import AuditClient, SettingsError
from auditstream_sdk.settings import Settings, settings_from

COMPLETE = {"url": "https://audit.example.com", "key": "ask_1_secret", "source": "svc://checkout"}


def test_the_environment_configures_a_client(monkeypatch):
    for name, value in {**COMPLETE, "mode": "blocking", "queue_events": "7", "deadline_s": "1.5"}.items():
        monkeypatch.setenv(f"AUDITSTREAM_SDK_{name.upper()}", value)
    monkeypatch.setenv("AUDITSTREAM_SDK_ENVIRONMENT", "production")

    client = AuditClient.from_env(mode="batch")

    assert client.is_recording
    assert client.settings == Settings(**COMPLETE, mode="batch", queue_events=7, deadline_s=1.5)
    assert client.defaults == {"environment": "production"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mode": "sync"}, "mode: 'sync' is none of batch, blocking, blocking-strict"),
        ({"fsync": "maybe"}, "fsync: 'maybe' is none of"),
        ({"queue_events": 0}, "queue_events: 0 is not more than 0"),
        ({"queue_events": "many"}, "queue_events: expected int, got str"),
        ({"url": "audit.example.com"}, "url: 'audit.example.com' is not an http, https or kafka address"),
        ({"url": "https://user:secret@host"}, "url: names a user"),
        ({"key": ""}, "key: is missing beside url"),
        ({"key": "two\nlines"}, "key: has characters that a header cannot carry"),
        ({"source": ""}, "source: is missing beside url"),
    ],
)
def test_a_wrong_setting_is_refused_by_name(arguments, message):
    with pytest.raises(SettingsError, match=message) as caught:
        AuditClient(**{**COMPLETE, **arguments})

    assert caught.value.hint


@pytest.mark.parametrize(
    ("variable", "message"),
    [
        ({"AUDITSTREAM_SDK_URI": "x"}, "AUDITSTREAM_SDK_URI: there is no such setting"),
        ({"AUDITSTREAM_SDK_QUEUE_EVENTS": "x"}, "AUDITSTREAM_SDK_QUEUE_EVENTS: 'x' is not a whole number"),
    ],
)
def test_a_wrong_variable_is_refused_by_name(variable, message):
    with pytest.raises(SettingsError, match=message):
        settings_from({}, variable)


def test_a_name_that_is_neither_setting_nor_field_is_a_type_error():
    with pytest.raises(TypeError, match="sauce"):
        AuditClient(sauce="svc://x")


def test_the_key_is_not_shown():
    assert "secret" not in repr(Settings(**COMPLETE))


def test_spools_of_different_services_and_gateways_are_apart(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    folders = {
        Settings(**{**COMPLETE, **changes}).spool_folder
        for changes in ({}, {"source": "svc://other"}, {"url": "https://other.example.com"})
    }

    assert len(folders) == 3
    assert {folder.parent for folder in folders} == {tmp_path / "auditstream-sdk"}
    assert Settings(**COMPLETE, spool="none").spool_folder is None
