#!/bin/sh
# Prints the connection settings of Kafka's administrator, for --command-config. Its password is in the broker's
# own environment as part of the JAAS line, in the set-up's as KAFKA_ADMIN_PASSWORD.
set -eu
jaas="${KAFKA_LISTENER_NAME_INTERNAL_PLAIN_SASL_JAAS_CONFIG:-}"
if [ -z "$jaas" ]; then
    jaas="org.apache.kafka.common.security.plain.PlainLoginModule required username=\"admin\" password=\"${KAFKA_ADMIN_PASSWORD}\";"
fi
printf 'security.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\nsasl.jaas.config=%s\n' "$jaas"
