"""The private names of faust and aiokafka that the transport touches, checked before the first fetch.

Both packages are pinned to a minor version; a patch release that renames one of these must not turn into a
silent loss, so the worker does not start without them. There is no slower way around: aiokafka's public
`getmany()` does not tell what a fetch covered, and a range that retention removed would pass unseen.
"""

from __future__ import annotations

from importlib import import_module

from auditstream.core.errors import ConfigError

NAMES = (
    "aiokafka.consumer.fetcher:MemoryRecords",
    "aiokafka.consumer.fetcher:FetchResult.check_assignment",
    "aiokafka.consumer.fetcher:FetchResult.has_more",
    "aiokafka.consumer.fetcher:FetchResult._update_position",
    "aiokafka.consumer.fetcher:PartitionRecords._consume_aborted_up_to",
    "aiokafka.consumer.fetcher:PartitionRecords._contains_abort_marker",
    "aiokafka.consumer.fetcher:Fetcher._create_fetch_waiter",
    "aiokafka.consumer.fetcher:Fetcher._notify",
    "aiokafka.consumer.group_coordinator:GroupCoordinator._do_commit_offsets",
    "aiokafka.consumer.group_coordinator:GroupCoordinator.fetch_committed_offsets",
    "aiokafka.consumer.group_coordinator:GroupCoordinator.ensure_coordinator_known",
    "aiokafka.consumer.group_coordinator:GroupCoordinator._maybe_leave_group",
    "faust.transport.drivers.aiokafka:AIOKafkaConsumerThread._commit",
    "faust.transport.drivers.aiokafka:AIOKafkaConsumerThread._fetch_records",
    "faust.transport.drivers.aiokafka:AIOKafkaConsumerThread._create_worker_consumer",
    "faust.transport.consumer:Consumer._new_offset",
    "faust.transport.consumer:Consumer._should_commit",
    "faust.transport.consumer:Consumer._filter_tps_with_pending_acks",
    "faust.transport.consumer:Consumer._add_gap",
    "faust.transport.consumer:Consumer._wait_next_records",
    "faust.transport.consumer:Consumer.perform_seek",
    "faust.transport.consumer:Consumer.wait_empty",
    "faust.transport.consumer:Consumer.on_buffer_drop",
    "faust.transport.consumer:Consumer.verify_event_path",
    "faust.tables:TableManager._update_channels",
)


def missing(names: tuple[str, ...]) -> list[str]:
    """Return those of `names` (`module:Class.attribute`) that the installed packages do not have."""
    return [name for name in names if not _exists(name)]


def require(names: tuple[str, ...]) -> None:
    """Return when every name exists.

    Raises:
        ConfigError: One is missing; names it.
    """
    absent = missing(names)
    if absent:
        raise ConfigError(
            f"this release of faust or aiokafka has no {absent[0]}",
            hint="Install the versions in requirements.lock.",
        )


def _exists(name: str) -> bool:
    module, _, path = name.partition(":")
    here: object = import_module(module)
    for part in path.split("."):
        here = getattr(here, part, None)
        if here is None:
            return False
    return True
