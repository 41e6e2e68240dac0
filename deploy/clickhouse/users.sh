#!/bin/sh
# Makes one user for each role of the migrations. Doing it again sets the passwords anew.
set -eu

statement() { # user, password, role, profile
    hash="$(printf '%s' "$2" | sha256sum | cut -d ' ' -f 1)"
    cat <<SQL
CREATE USER OR REPLACE $1 IDENTIFIED WITH sha256_hash BY '$hash' SETTINGS PROFILE '$4';
GRANT $3 TO $1;
SQL
}

statements() {
    statement api "$API_PASSWORD" audit_api default
    statement gateway "$GATEWAY_PASSWORD" audit_gateway default
    statement worker "$WORKER_PASSWORD" audit_writer default
    statement sealer "$SEALER_PASSWORD" audit_sealer,audit_watcher default
    statement operator "$OPERATOR_PASSWORD" audit_operator default
    statement analyst "$ANALYST_PASSWORD" audit_analyst readers
    statement security "$SECURITY_PASSWORD" audit_security readers
}

if [ "${1:-}" = --print ]; then
    statements
else
    statements | clickhouse-client --host "$CLICKHOUSE_HOST" --user migrator --password "$CLICKHOUSE_PASSWORD" --multiquery
fi
