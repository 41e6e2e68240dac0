-- Roles of the server, applied by the user who owns the tables and may manage access (`auditstream migrate apply
-- --grants`). Nobody else alters, drops, truncates or optimises anything: no role here may do more than read and
-- append.

-- What an insert brings to the rollups is read with the owner's rights, whatever the server's default is: who
-- appends events need not be able to read them.
ALTER TABLE ${database}.segment_ranges_feed MODIFY SQL SECURITY DEFINER DEFINER = CURRENT_USER;
ALTER TABLE ${database}.usage_1m_feed MODIFY SQL SECURITY DEFINER DEFINER = CURRENT_USER;
ALTER TABLE ${database}.usage_1h_feed MODIFY SQL SECURITY DEFINER DEFINER = CURRENT_USER;
ALTER TABLE ${database}.outcomes_1m_feed MODIFY SQL SECURITY DEFINER DEFINER = CURRENT_USER;
ALTER TABLE ${database}.latency_1m_feed MODIFY SQL SECURITY DEFINER DEFINER = CURRENT_USER;

-- Where a value is recorded is read with the owner's rights: whoever asks for it sees leaves, and no event.
ALTER TABLE ${database}.receipts MODIFY SQL SECURITY DEFINER DEFINER = CURRENT_USER;

-- Workers: append events and findings, read what recovery, enrichment and budgets need.
CREATE ROLE IF NOT EXISTS audit_writer;
GRANT INSERT ON ${database}.events TO audit_writer;
GRANT INSERT ON ${database}.findings TO audit_writer;
GRANT SELECT(tenant_id, finding_id, version) ON ${database}.findings TO audit_writer;
-- `duplicate_of.null` is what `duplicate_of IS NULL` reads, and so on. Which calls were recorded before is told by
-- tenant, provider and response id.
GRANT SELECT(log_id, segment_id, leaf_index, leaf_kind, duplicate_of, event_id, kafka_offset, kafka_timestamp,
    ingest_day, inserted_at, reference_revision, enricher_version, reject_reason, `duplicate_of.null`,
    same_call_as, `same_call_as.null`, event_type, tenant_id, inference_provider, inference_response_id,
    input_tokens, `input_tokens.null`, output_tokens, `output_tokens.null`, cost_status,
    source, event_time, budget_id, attributes)
    ON ${database}.events TO audit_writer;
-- A call that two logs report is counted once: the report that is taken off is booked to whom, and at the price,
-- that its row has.
GRANT SELECT(event_time, kafka_topic, source, outcome, tenant_claim, project_id, team_id, cost_center, environment,
    attribution_filled, attribution_method, attribution_confidence, feature_id, agent_id, credential_id,
    inference_request_model, inference_response_model, inference_service_tier, inference_batch, inference_region,
    cache_read_tokens, cache_write_tokens, reasoning_tokens, usage_by_modality, costs, cost_currency,
    cost_list, cost_contracted, cost_effective, cost_billed, price_basis, price_book_revision)
    ON ${database}.events TO audit_writer;
-- Objectives are evaluated by what happened, when, how long it took, and what was checked.
GRANT SELECT(duration_us, `duration_us.null`, inference_ttft_us, `inference_ttft_us.null`, http_status,
    `http_status.null`, tool_name, routing_reason, trace_id, policy_target, policy_subject_event_id,
    evaluation_subject_event_id, review_subject_event_id, review_decision, source_instance, source_seq,
    `source_seq.null`, heartbeat_last_seq, `heartbeat_last_seq.null`)
    ON ${database}.events TO audit_writer;
GRANT SELECT ON ${database}.outcomes_1m TO audit_writer;
GRANT SELECT ON ${database}.usage_1m TO audit_writer;
-- Rules about sequences look back at what happened in a conversation; discovery, at what was used and told of.
GRANT SELECT(conversation_id, causation_id, agent_instance_id, tool_mcp_server, tool_args_hmac, tool_side_effect,
    policy_id, policy_action, policy_risk_category, policy_risk_score, `policy_risk_score.null`,
    inference_server_host) ON ${database}.events TO audit_writer;
GRANT SELECT(finding_id, rule_id, status, recorded_at) ON ${database}.findings TO audit_writer;
-- What is open of a source is told to be over as it was told.
GRANT SELECT(detector_version, title, severity, confidence, scope, metric, window_start, window_end, observed,
    `observed.null`, expected, `expected.null`, attacks) ON ${database}.findings TO audit_writer;
GRANT SELECT ON ${database}.assets TO audit_writer;
GRANT SELECT ON ${database}.slos TO audit_writer;
GRANT INSERT ON ${database}.cost_adjustments TO audit_writer;
GRANT SELECT ON ${database}.closures TO audit_writer;
GRANT SYSTEM SYNC REPLICA ON ${database}.cost_adjustments TO audit_writer;
GRANT SELECT ON ${database}.segment_ranges TO audit_writer;
GRANT SELECT ON ${database}.tenants TO audit_writer;
GRANT SELECT ON ${database}.credentials TO audit_writer;
GRANT SELECT ON ${database}.projects TO audit_writer;
GRANT SELECT ON ${database}.agents TO audit_writer;
GRANT SELECT ON ${database}.tools TO audit_writer;
GRANT SELECT ON ${database}.sources TO audit_writer;
GRANT SELECT ON ${database}.prices TO audit_writer;
GRANT SELECT ON ${database}.contracts TO audit_writer;
GRANT SELECT ON ${database}.currency_rates TO audit_writer;
GRANT SELECT ON ${database}.budgets TO audit_writer;
GRANT SELECT ON ${database}.mutes TO audit_writer;
GRANT SELECT ON ${database}.costs_current TO audit_writer;
GRANT SELECT ON ${database}.costs_as_known TO audit_writer;
GRANT SELECT ON ${database}.usage_1h TO audit_writer;
GRANT SELECT ON ${database}.cost_adjustments TO audit_writer;
GRANT SELECT ON ${database}.reference_revisions TO audit_writer;
GRANT SYSTEM SYNC REPLICA ON ${database}.events TO audit_writer;

-- Gateways: read whose keys count, and where a value is recorded; nothing else.
CREATE ROLE IF NOT EXISTS audit_gateway;
GRANT SELECT ON ${database}.tenants TO audit_gateway;
GRANT SELECT ON ${database}.credentials TO audit_gateway;
GRANT SELECT ON ${database}.reference_revisions TO audit_gateway;
GRANT SELECT ON ${database}.receipts TO audit_gateway;

-- Sealers: read what a leaf commits to and hash the values that were received, append published checkpoints and
-- what they refuse.
CREATE ROLE IF NOT EXISTS audit_sealer;
GRANT SELECT(log_id, leaf_index, leaf_kind, leaf_hash, event_id, kafka_offset, kafka_timestamp, ingest_day, raw,
    raw_null) ON ${database}.events TO audit_sealer;
GRANT SELECT ON ${database}.segment_ranges TO audit_sealer;
GRANT SELECT ON ${database}.checkpoints TO audit_sealer;
GRANT INSERT ON ${database}.checkpoints TO audit_sealer;
GRANT INSERT ON ${database}.findings TO audit_sealer;

-- Platform owners: append reference data and adjustments, read everything but contents.
CREATE ROLE IF NOT EXISTS audit_operator;
GRANT SELECT ON ${database}.* TO audit_operator;
REVOKE SELECT(raw, sealed) ON ${database}.events FROM audit_operator;
GRANT INSERT ON ${database}.tenants TO audit_operator;
GRANT INSERT ON ${database}.credentials TO audit_operator;
GRANT INSERT ON ${database}.projects TO audit_operator;
GRANT INSERT ON ${database}.agents TO audit_operator;
GRANT INSERT ON ${database}.tools TO audit_operator;
GRANT INSERT ON ${database}.sources TO audit_operator;
GRANT INSERT ON ${database}.prices TO audit_operator;
GRANT INSERT ON ${database}.contracts TO audit_operator;
GRANT INSERT ON ${database}.currency_rates TO audit_operator;
GRANT INSERT ON ${database}.budgets TO audit_operator;
GRANT INSERT ON ${database}.slos TO audit_operator;
GRANT INSERT ON ${database}.retention TO audit_operator;
GRANT INSERT ON ${database}.holds TO audit_operator;
GRANT INSERT ON ${database}.closures TO audit_operator;
GRANT INSERT ON ${database}.allocation_rules TO audit_operator;
GRANT INSERT ON ${database}.mutes TO audit_operator;
GRANT INSERT ON ${database}.access_tokens TO audit_operator;
GRANT INSERT ON ${database}.findings TO audit_operator;
GRANT INSERT ON ${database}.assets TO audit_operator;
GRANT INSERT ON ${database}.reference_revisions TO audit_operator;
GRANT SYSTEM SYNC REPLICA ON ${database}.reference_revisions TO audit_operator;
GRANT INSERT ON ${database}.cost_adjustments TO audit_operator;
GRANT SYSTEM SYNC REPLICA ON ${database}.cost_adjustments TO audit_operator;
GRANT INSERT ON ${database}.exports TO audit_operator;

-- Analysts: read views, rollups and events, but no contents and no key hashes.
CREATE ROLE IF NOT EXISTS audit_analyst;
GRANT SELECT ON ${database}.* TO audit_analyst;
REVOKE SELECT(raw, sealed) ON ${database}.events FROM audit_analyst;
REVOKE SELECT(secret_hash) ON ${database}.credentials FROM audit_analyst;
REVOKE SELECT(secret_hash) ON ${database}.access_tokens FROM audit_analyst;

-- The query API: reads for those who ask it, each held to their tenants and their role by the API itself, and to
-- tokens by their hashes; appends what people do about findings, which assets they say may be used and what may
-- be spent, and exports. No hashes of gateway keys.
CREATE ROLE IF NOT EXISTS audit_api;
GRANT SELECT ON ${database}.* TO audit_api;
REVOKE SELECT(secret_hash) ON ${database}.credentials FROM audit_api;
GRANT INSERT ON ${database}.findings TO audit_api;
GRANT INSERT ON ${database}.exports TO audit_api;
GRANT INSERT ON ${database}.assets TO audit_api;
GRANT INSERT ON ${database}.budgets TO audit_api;
GRANT INSERT ON ${database}.reference_revisions TO audit_api;
GRANT SYSTEM SYNC REPLICA ON ${database}.reference_revisions TO audit_api;

-- Security: read every row and column.
CREATE ROLE IF NOT EXISTS audit_security;
GRANT SELECT ON ${database}.* TO audit_security;

-- The watch over the store: sees what tables, parts, mutations and rights there are, reads no row, appends findings.
CREATE ROLE IF NOT EXISTS audit_watcher;
GRANT SHOW TABLES, SHOW COLUMNS ON ${database}.* TO audit_watcher;
GRANT SHOW USERS, SHOW ROLES, SHOW ROW POLICIES ON *.* TO audit_watcher;
GRANT SELECT ON system.tables TO audit_watcher;
GRANT SELECT ON system.parts TO audit_watcher;
GRANT SELECT ON system.mutations TO audit_watcher;
GRANT SELECT ON system.grants TO audit_watcher;
GRANT SELECT ON system.role_grants TO audit_watcher;
GRANT SELECT ON system.row_policies TO audit_watcher;
GRANT INSERT ON ${database}.findings TO audit_watcher;

-- A table with a policy for one tenant's readers needs one for everybody else.
CREATE ROW POLICY IF NOT EXISTS audit_all ON ${database}.events USING 1
    TO audit_writer, audit_sealer, audit_operator, audit_analyst, audit_api, audit_security;
CREATE ROW POLICY IF NOT EXISTS audit_all ON ${database}.usage_1m USING 1
    TO audit_writer, audit_operator, audit_analyst, audit_api, audit_security;
CREATE ROW POLICY IF NOT EXISTS audit_all ON ${database}.usage_1h USING 1
    TO audit_writer, audit_operator, audit_analyst, audit_api, audit_security;
CREATE ROW POLICY IF NOT EXISTS audit_all ON ${database}.outcomes_1m USING 1
    TO audit_writer, audit_operator, audit_analyst, audit_api, audit_security;
CREATE ROW POLICY IF NOT EXISTS audit_all ON ${database}.latency_1m USING 1
    TO audit_operator, audit_analyst, audit_api, audit_security;
CREATE ROW POLICY IF NOT EXISTS audit_all ON ${database}.cost_adjustments USING 1
    TO audit_writer, audit_operator, audit_analyst, audit_api, audit_security;
CREATE ROW POLICY IF NOT EXISTS audit_all ON ${database}.findings USING 1
    TO audit_writer, audit_operator, audit_analyst, audit_api, audit_security;
CREATE ROW POLICY IF NOT EXISTS audit_all ON ${database}.tenants USING 1
    TO audit_writer, audit_gateway, audit_operator, audit_analyst, audit_api, audit_security;
