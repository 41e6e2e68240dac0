"""`auditstream findings resend`: a notification once more, as after one that was given up."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from typing import Annotated

import typer

from auditstream.core.errors import NotFoundError, RetryableError


def resend(
    context: typer.Context,
    id_: Annotated[
        str, typer.Argument(metavar="ID", help="First digits of the finding's id, eight or more.")
    ],
    *,
    channel: Annotated[str, typer.Option(help="Channel of AUDITSTREAM_NOTIFY__CHANNELS_FILE.")],
) -> None:
    """Tell a channel of a finding's newest version, whatever it was told before and whatever mutes say.

    Notifications that were given up are events: `auditstream search "type:ai.finding outcome:FAILURE"`.
    """
    from auditstream.cli import running
    from auditstream.cli.finding_standing import standing_of
    from auditstream.cli.printing import print_document
    from auditstream.notify.channels import channels_of
    from auditstream.notify.notification import notification_of
    from auditstream.notify.signatures import signed_headers
    from auditstream.notify.webhook import Fate, Webhook

    settings = running.find(context.obj).settings
    channels = {each.channel_id: each for each in channels_of(settings.notify.channels_file)}
    if channel not in channels:
        known = ", ".join(sorted(channels)) or "none: AUDITSTREAM_NOTIFY__CHANNELS_FILE names no file"
        raise NotFoundError(f"no channel {channel!r}", hint=f"There are {known}.")
    to = channels[channel]
    message = notification_of(standing_of(context.obj, id_, "findings resend").newest, to)
    now_s = datetime.now(UTC).timestamp()
    headers = signed_headers(to.secrets, message.message_id, int(now_s), message.body)
    with closing(Webhook(to.url, timeout_s=settings.notify.timeout_s)) as webhook:
        attempt = webhook.post(message.body, headers, now_s)
    if attempt.fate is not Fate.DELIVERED:
        raise RetryableError(f"channel {channel}: {attempt.reason}", hint="Look at the receiver.")
    print_document(
        context.obj, {"channel": channel, "message_id": message.message_id, "answer": attempt.reason}
    )
