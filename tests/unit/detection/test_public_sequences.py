"""Published attacks through the importer: they are flagged in order."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from auditstream.emit.reading import Accepted
from tests.support.flagged import flags, imported
from tests.support.shared_data import shared_file

STRATUS = {
    "aws.credential-access.ec2-get-password-data": ["aws.password_data_read"],
    "aws.credential-access.secretsmanager-batch-retrieve-secrets": ["aws.secrets_read_in_bulk"],
    "aws.credential-access.ssm-retrieve-securestring-parameters": ["aws.parameters_decrypted"],
    "aws.defense-evasion.cloudtrail-event-selectors": ["aws.event_selectors_narrowed"],
    "aws.defense-evasion.dns-delete-logs": ["aws.network_logs_deleted"],
    "aws.defense-evasion.vpc-remove-flow-logs": ["aws.network_logs_deleted"],
    "aws.execution.ec2-launch-unusual-instances": ["aws.gpu_instances_started"],
    "aws.execution.ssm-send-command": ["aws.command_sent"],
    "aws.exfiltration.ec2-security-group-open-port-22-ingress": ["aws.opened_to_world"],
    "aws.exfiltration.ec2-share-ebs-snapshot": ["aws.snapshot_shared"],
    "aws.impact.bedrock-invoke-model": ["aws.model_access_asked", "aws.model_hijacked"],
    "aws.lateral-movement.ec2-instance-connect": ["aws.ssh_key_pushed"],
    "aws.persistence.iam-backdoor-role": ["aws.role_opened"],
    "aws.persistence.iam-create-admin-user": ["aws.admin_granted", "aws.key_made", "aws.user_made"],
    "aws.persistence.iam-create-user-login-profile": ["aws.password_set"],
    "aws.persistence.lambda-layer-extension": ["aws.function_layer_added"],
    "aws.persistence.rolesanywhere-create-trust-anchor": ["aws.trust_anchor_made"],
    "aws.privilege-escalation.iam-update-user-login-profile": ["aws.password_set"],
}
"""What is told of each technique, in order; the steps of one second are in the order of their names."""

INVICTUS = [
    ("aws.password_data_read", "11:54:47"),
    ("aws.parameters_decrypted", "11:58:10"),
    ("aws.trail_stopped", "11:59:02"),
    ("aws.event_selectors_narrowed", "12:00:08"),
    ("aws.organization_left", "12:02:05"),
    ("aws.gpu_instances_started", "12:09:31"),
    ("aws.snapshot_shared", "12:22:06"),
    ("aws.signed_in_without_mfa", "12:23:15"),
    ("aws.trust_anchor_made", "12:27:13"),
]
"""What is told of the account that was attacked for an hour, at its first event."""


@pytest.mark.parametrize("technique", STRATUS)
def test_a_technique_of_stratus_is_flagged(tmp_path: Path, technique: str) -> None:
    records = json.loads(shared_file("stratus-logs", f"{technique}.json").read_text(encoding="utf-8"))
    readings = imported(tmp_path, records)
    assert all(isinstance(reading, Accepted) for reading in readings)
    assert [each.rule for each in flags(readings)] == STRATUS[technique]


def test_every_technique_of_the_folder_is_one_of_these() -> None:
    files = shared_file("stratus-logs").glob("*.json")
    assert {file.stem for file in files} == STRATUS.keys()


def test_an_attacked_account_is_flagged_in_the_order_of_the_attack(tmp_path: Path) -> None:
    with gzip.open(shared_file("invictus-cloudtrail", "events.jsonl.gz"), "rt", encoding="utf-8") as lines:
        readings = imported(tmp_path, map(json.loads, lines))
    assert len(readings) == 1_233
    assert all(isinstance(reading, Accepted) for reading in readings)
    assert [(each.rule, f"{each.time:%H:%M:%S}") for each in flags(readings)] == INVICTUS
