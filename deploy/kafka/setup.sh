#!/bin/sh
# Makes the product's topics and says who may do what with them. Doing it again changes nothing.
#
# Only gateways write audit.events.v1, which stamp the tenant from the credential, operators, whose changes of
# reference data are events too (`auditstream apply`), and the API, whose every answer is one. A tenant that writes Kafka itself has a topic of its
# own, audit.direct.<tenant>.v1, and may write nothing else.
set -eu
umask 077
kafka="${KAFKA_BIN:-/opt/kafka/bin}"
admin="$(mktemp)"
trap 'rm -f "$admin"' EXIT
sh "$(dirname "$0")/admin-properties.sh" > "$admin"

topic() { # name, partitions, settings...
    name="$1" partitions="$2"
    shift 2
    for setting in "$@"; do
        set -- "$@" --config "$setting"
        shift
    done
    "$kafka/kafka-topics.sh" --bootstrap-server "$BOOTSTRAP" --command-config "$admin" --create --if-not-exists \
        --topic "$name" --partitions "$partitions" --replication-factor 1 "$@"
}

# Each call starts a JVM, hence as many users and topics in one as may do the same.
allow() { # users, what...
    users="$1"
    shift
    for user in $users; do
        set -- "$@" --allow-principal "User:$user"
    done
    "$kafka/kafka-acls.sh" --bootstrap-server "$BOOTSTRAP" --command-config "$admin" --add "$@" > /dev/null
}

events_log() { # name
    topic "$1" "${PARTITIONS:-4}" cleanup.policy=delete message.timestamp.type=LogAppendTime max.message.bytes=1048576
}

tenants="$(printf '%s' "${DIRECT_TENANTS:-}" | tr ',' ' ')"

events_log audit.events.v1
for tenant in $tenants; do
    events_log "audit.direct.$tenant.v1"
done
topic audit.dlq.v1 1 cleanup.policy=delete max.message.bytes=1114112
topic audit.usage.v1 "${PARTITIONS:-4}" cleanup.policy=delete
topic audit.findings.v1 1 cleanup.policy=delete
topic audit.signals.v1 1 cleanup.policy=compact
topic _schemas 1 cleanup.policy=compact

allow "gateway operator api" --operation Write --operation Describe --topic audit.events.v1
allow api --operation Write --operation Describe --topic audit.findings.v1
allow worker --operation Read --operation Write --operation Describe --operation DescribeConfigs \
    --topic audit.dlq.v1 --topic audit.usage.v1 --topic audit.findings.v1 --topic audit.signals.v1
allow worker --operation Read --operation Describe --group auditstream- --resource-pattern-type prefixed
allow registry --operation Read --operation Write --operation Describe --operation DescribeConfigs --topic _schemas
allow registry --operation Read --operation Describe --group registry
allow registry --operation Describe --cluster

set -- --topic audit.events.v1
for tenant in $tenants; do
    set -- "$@" --topic "audit.direct.$tenant.v1"
    allow "tenant-$tenant" --operation Write --operation Describe --topic "audit.direct.$tenant.v1"
done
allow worker --operation Read --operation Describe --operation DescribeConfigs "$@"
echo "topics and access are set up"
