"""Panther's published cases, each log through its importer: what others expect of rules like ours."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from auditstream.emit.reading import Accepted
from tests.support.flagged import RULES, flags, imported
from tests.support.shared_data import shared_file

SAME_INTENT = {
    "AWS.Bedrock.GuardrailUpdateDelete": "aws.guardrail_changed",
    "AWS.BedrockModelInvocation.AbnormalTokenUsage": "bedrock.tokens_without_output",
    "AWS.CloudTrail.AttemptToLeaveOrg": "aws.organization_left",
    "AWS.CloudTrail.EventSelectorsDisabled": "aws.event_selectors_narrowed",
    "AWS.CloudTrail.IAMEntityCreatedWithoutCloudFormation": "aws.user_made",
    "AWS.CloudTrail.SecurityConfigurationChange": "aws.trail_stopped",
    "AWS.CloudTrail.SnapshotMadePublic": "aws.snapshot_shared",
    "AWS.Console.LoginWithoutMFA": "aws.signed_in_without_mfa",
    "AWS.Console.RootLogin": "aws.root_signed_in",
    "AWS.IAM.AttachAdminRolePolicy": "aws.admin_granted",
    "AWS.IAM.BackdoorRole": "aws.role_opened",
    "AWS.Lambda.UpdateFunctionConfiguration": "aws.function_layer_added",
    "AWS.Potential.Backdoor.Lambda": "aws.function_opened",
    "AWS.SSM.DecryptSSMParams": "aws.parameters_decrypted",
    "AWS.STS.GetCallerIdentity.TruffleHog": "aws.key_tested_by_scanner",
    "AWS.SecretsManager.RetrieveSecrets": "aws.secret_read",
    "AWS.VPCFlow.LogsDeleted": "aws.network_logs_deleted",
    "Anthropic.Activity.Admin.API.Key.Created": "key.admin_made",
    "Anthropic.Activity.Artifact.Shared.Publicly": "anthropic.artifact_published",
    "Anthropic.Activity.Integration.Connected": "anthropic.integration_connected",
    "Anthropic.Activity.MCP.Server.Created": "mcp_server.added",
    "Anthropic.Activity.Organization.Settings.Updated": "anthropic.settings_changed",
    "Anthropic.Activity.Primary.Owner.Transferred": "anthropic.owner_transferred",
    "Anthropic.Activity.SSO.Login.Failed": "login.failed",
    "Anthropic.Activity.Service.Key.Created": "key.admin_made",
    "Anthropic.Activity.Spend.Limit.Deleted": "spend_limit.removed",
    "Okta.APIKeyCreated": "key.admin_made",
    "Okta.AdminRoleAssigned": "okta.admin_granted",
    "Okta.Group.Admin.Role.Assigned": "okta.admin_granted",
    "Okta.Org2org.Creation.Modification": "okta.org_linked",
    "Okta.Password.Extraction.via.SCIM": "okta.passwords_pushed",
    "Okta.Refresh.Access.Token.Reuse": "okta.token_reused",
    "Okta.Support.Access": "okta.support_access",
    "Okta.Support.Reset": "okta.password_reset_by_support",
    "Okta.User.Account.Locked": "okta.account_locked",
    "Okta.User.MFA.Reset.Single": "okta.factor_removed",
    "Okta.User.Reported.Suspicious.Activity": "okta.activity_reported",
    "OpenAI.Admin.Role.Assignment": "openai.admin_granted",
    "OpenAI.CredentialStuffing": "login.failed",
    "OpenAI.Login.Failed": "login.failed",
    "OpenAI.SCIM.Configuration.Change": "openai.scim_changed",
}
"""Rules of Panther's whose intent is that of one of ours.

Where they count matches in their own engine (a threshold), ours is the rule that a correlation counts.
"""

NOT_BY_THE_EVENT_ALONE = {("AWS.Console.LoginWithoutMFA", "No MFA Login - New User")}
"""Cases in which a helper of Panther's knows more than the event says: that the user was made just before."""

CLOUD_AT_LARGE = "is about the cloud at large, not about AI or the ways to it"
EVERYDAY = "is about what happens every day; theirs is informational and meant for a search"
NO_MEMORY = "compares with a history that a scheduled query of theirs keeps; its rows are no log"
LEFT_OUT = {
    **dict.fromkeys(
        (
            "AWS.CloudTrail.CodebuildProjectMadePublic", "AWS.CloudTrail.EnableRegion",
            "AWS.CloudTrail.NetworkACLPermissiveEntry", "AWS.CloudTrail.Password.Policy.Discovery",
            "AWS.CloudTrail.ResourceMadePublic", "AWS.CloudTrail.SES.CheckSendQuota",
            "AWS.CloudTrail.ShortLifecycle", "AWS.CloudTrail.VPCE.ExternalPrincipal",
            "AWS.CloudTrail.VPCE.SensitiveAPICalls", "AWS.ConfigService.DisabledDeleted",
            "AWS.EC2.DownloadInstanceUserData", "AWS.EC2.ManualSecurityGroupChange", "AWS.IPSet.Modified",
            "AWS.KMS.CustomerManagedKeyLoss", "AWS.Macie.Evasion", "AWS.RDS.ActivityStreamStopped",
            "AWS.RDS.ClusterFailover", "AWS.RDS.IAMRoleAdded", "AWS.RDS.InstanceMadePublic",
            "AWS.RDS.LogFileDownloaded", "AWS.RDS.MasterPasswordUpdated",
            "AWS.RDS.SecurityGroupIngressAuthorized", "AWS.RDS.SnapshotDeleted", "AWS.RDS.SnapshotExport",
            "AWS.S3.CopyObject.CrossAccount.Encryption.KMS", "AWS.S3.CopyObjectWithClientSideEncryption",
            "AWS.S3.DeleteBucketReplication", "AWS.S3.DisableBucketLogging", "AWS.S3.RansomwareNoteUpload",
            "AWS.S3.SuspendVersioning",
        ),
        CLOUD_AT_LARGE,
    ),
    **dict.fromkeys(
        (
            "AWS.CloudTrail.IAMAnythingChanged", "AWS.CloudTrail.UnauthorizedAPICall", "AWS.Console.Sign-In",
            "AWS.EC2.GatewayModified", "AWS.EC2.Monitoring", "AWS.EC2.NetworkACLModified",
            "AWS.EC2.SecurityGroupModified", "AWS.EC2.StopInstances", "AWS.EC2.VPCModified", "AWS.ECR.CRUD",
            "AWS.IAM.CreateRole", "AWS.IAM.CredentialsUpdated", "AWS.IAM.PolicyModified",
            "AWS.IAMUser.ReconAccessDenied", "AWS.S3.BucketDeleted", "AWS.S3.DeleteObjects",
            "Retrieve.SSO.access.token", "Role.Assumed.by.User",
        ),
        EVERYDAY,
    ),
    **dict.fromkeys(
        (
            "Okta.ADAgent.TokenAbuse.Behavioral", "Okta.SWA.OffHoursAccess.Behavioral",
            "Okta.SkeletonKeyBypass.Behavioral",
        ),
        NO_MEMORY,
    ),
    "AWS.Root.Activity": "is about all that root does; ours, aws.root_signed_in, about its sign-in",
    "AWS.SecretsManager.BatchRetrieveSecretsCatchAll": (
        "is about one filter that matches all; ours, aws.secrets_read_in_bulk, about every read in bulk"
    ),
    "AWS.Unsuccessful.MFA.attempt": "is a failed sign-in: ours counts them, login.failed_from_many_addresses",
    "Okta.Identity.Provider.SignIn": "is every sign-in through an identity provider: for rules of your own",
    "Okta.Login.Without.Push.Marker": "looks for a marker that one product puts into user agents",
    "Okta.PotentiallyStolenSession": "remembers each session's device, and its cases replace that memory",
}  # fmt: skip
"""Rules of Panther's that none of ours has the intent of, and why."""


def as_cloudtrail_has_it(log: dict[str, Any]) -> dict[str, Any]:
    """Return a case's event with its time in CloudTrail's form: Panther's is that of tables, or missing."""
    time = (log.get("eventTime") or "2026-03-02T10:00:00Z")[:19].replace(" ", "T")
    return {**log, "eventTime": f"{time}Z"}


_OKTA = (
    "authenticationContext",
    "debugContext",
    "displayMessage",
    "eventType",
    "legacyEventType",
    "securityContext",
)


def as_okta_has_it(log: dict[str, Any]) -> dict[str, Any]:
    """Return a case's event with Okta's names, where it has those of a table's columns, and with a time."""
    names = {name.lower(): name for name in _OKTA}
    record = {names.get(key, key): value for key, value in log.items()}
    return record | {"published": record.get("published") or "2026-03-02T10:00:00.000Z"}


def as_it_is(log: dict[str, Any]) -> dict[str, Any]:
    """Return a case's event."""
    return log


LOGS: dict[str, tuple[str, Callable[[dict[str, Any]], dict[str, Any]]]] = {
    "anthropic": ("anthropic-activity", as_it_is),
    "aws_bedrockmodelinvocation": ("bedrock-invocation", as_it_is),
    "aws_cloudtrail": ("cloudtrail", as_cloudtrail_has_it),
    "okta": ("okta", as_okta_has_it),
    "openai": ("openai-audit", as_it_is),
}
"""By file, its format, and what brings a case into the form of the log itself."""


def cases(name: str) -> list[dict[str, Any]]:
    lines = shared_file("panther", f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


@pytest.mark.parametrize("name", LOGS)
def test_cases_come_out_as_expected_by_rules_of_the_same_intent(tmp_path: Path, name: str) -> None:
    log_format, as_the_log_has_it = LOGS[name]
    wrong, looked_at = [], 0
    for case in cases(name):
        named = (case["rule_id"], case["name"])
        if case["rule_id"] not in SAME_INTENT:
            continue
        if named in NOT_BY_THE_EVENT_ALONE:
            assert case["has_mocks"]
            continue
        readings = imported(tmp_path, [as_the_log_has_it(case["log"])], log_format)
        assert all(isinstance(reading, Accepted) for reading in readings), (named, readings)
        looked_at += 1
        found = {each.rule for each in flags(readings, counted=True)}
        if (SAME_INTENT[case["rule_id"]] in found) != case["expected_result"]:
            wrong.append(named)
    assert wrong == []
    assert looked_at


def test_every_rule_of_theirs_has_one_of_ours_or_a_reason() -> None:
    theirs = {case["rule_id"] for name in LOGS for case in cases(name)}
    assert theirs == SAME_INTENT.keys() | LEFT_OUT.keys()
    assert not SAME_INTENT.keys() & LEFT_OUT.keys()


def test_every_rule_of_ours_that_is_named_is_there() -> None:
    assert set(SAME_INTENT.values()) <= RULES.rules.keys()
