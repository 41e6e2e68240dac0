-- One row a leaf: every record of every log, as an event, a dead letter or a gap. Columns of the event itself
-- are named as in schemas/columns.py: an envelope field keeps its name, a family's field is family_field.
-- What an event does not have is '' in a string, [] in an array, {} in a map and NULL in anything else.
CREATE TABLE IF NOT EXISTS events
(
    event_id UUID COMMENT 'UUIDv7 made by the source; the same id sent twice is one event; zeros for a dead letter',
    event_type LowCardinality(String) COMMENT 'What happened, as `ai.inference`, `ai.tool_call`, ...; open vocabulary',
    schema_rev LowCardinality(String) COMMENT 'Revision of this contract that the producer was built against, as `1.0.0`; empty when not stated',
    event_time DateTime64(6, 'UTC') DEFAULT kafka_timestamp CODEC(Delta, ZSTD(1)) COMMENT 'When the action began (UTC); the broker\'s timestamp for a dead letter',
    observed_time DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)) COMMENT 'When a collector first saw the event (UTC); the epoch when nothing observed it on its way',
    duration_us Nullable(Int64) COMMENT 'Length of the action in microseconds',
    source LowCardinality(String) COMMENT 'URI or service name of the producer',
    source_instance String COMMENT 'Instance of the producer within its source',
    source_seq Nullable(Int64) COMMENT 'Dense count of events per source instance: gaps are losses that can be named',
    idempotency_key String COMMENT 'The producer\'s own key of the action, where it has one',
    tenant_id LowCardinality(String) COMMENT 'Tenant that the event is attributed to; see attribution_method',
    project_id LowCardinality(String) COMMENT 'Project within the tenant',
    team_id LowCardinality(String) COMMENT 'Team within the tenant',
    feature_id LowCardinality(String) COMMENT 'Product feature that caused the action',
    cost_center LowCardinality(String) COMMENT 'Cost centre that pays',
    environment LowCardinality(String) COMMENT 'Deployment environment, as `production`',
    actor_type LowCardinality(String) COMMENT 'What kind of principal acted',
    actor_id String COMMENT 'Id of the principal; for a person a tenant-keyed pseudonym unless the tenant chose clear ids',
    actor_hash String COMMENT 'Keyed HMAC of the principal\'s readable name, lower-case hex',
    actor_roles Array(LowCardinality(String)) COMMENT 'Roles of the principal at the time',
    credential_id String COMMENT 'Id of the credential used, never the secret',
    session_id String COMMENT 'Session of the principal',
    agent_id String COMMENT 'Id of the AI agent',
    agent_name LowCardinality(String) COMMENT 'Name of the AI agent',
    agent_version LowCardinality(String) COMMENT 'Version of the AI agent',
    agent_instance_id String COMMENT 'One running copy of the AI agent',
    agent_framework LowCardinality(String) COMMENT 'Framework that the AI agent is built with',
    delegation_id String COMMENT 'Id of the delegation under which the agent acted',
    delegation_parent_id String COMMENT 'Delegation that this one was derived from',
    delegation_scopes Array(LowCardinality(String)) COMMENT 'Scopes that the delegation grants',
    src_ip String COMMENT 'Client address, in the form that the tenant chose: clear or truncated',
    src_asn Nullable(Int64) COMMENT 'Autonomous system number of the client',
    src_country LowCardinality(String) COMMENT 'ISO 3166 code of the client\'s country',
    user_agent String COMMENT 'User agent of the client',
    trace_id String COMMENT 'W3C trace id, 32 lower-case hex digits',
    span_id String COMMENT 'W3C span id, 16 lower-case hex digits',
    parent_span_id String COMMENT 'W3C span id of the parent, 16 lower-case hex digits',
    conversation_id String COMMENT 'Conversation or agent run that the event belongs to',
    causation_id String COMMENT 'event_id of the event that caused this one',
    outcome LowCardinality(String) COMMENT 'How the action ended',
    error_type LowCardinality(String) COMMENT 'Class of the error, where there was one',
    http_status Nullable(Int32) COMMENT 'HTTP status of the response',
    severity Int32 COMMENT 'OCSF severity: 1 informational to 6 fatal; 0 when not stated',
    content_ref String COMMENT 'URI of the content, kept outside the event',
    content_hmac String COMMENT 'Keyed HMAC of the content, lower-case hex',
    content_bytes Nullable(Int64) COMMENT 'Size of the content in bytes',
    sealed Map(LowCardinality(String), String) COMMENT 'AES-256-GCM boxes of personal data and content, by field name',
    seal_key_id String COMMENT 'Key that the boxes are sealed with; destroying it erases them',
    data_classes Array(LowCardinality(String)) COMMENT 'Classes of data touched, as `pii`, `phi`, `secret`',
    attributes Map(LowCardinality(String), String) COMMENT 'What the producer knows beyond this contract',

    -- inference
    inference_operation LowCardinality(String) COMMENT 'Operation, as `chat` or `embeddings`; open vocabulary',
    inference_provider LowCardinality(String) COMMENT 'Provider of the model, as `openai`; open vocabulary',
    inference_response_id String COMMENT 'Id that the provider gave the response',
    inference_provider_account_id LowCardinality(String) COMMENT 'Account at the provider that is billed',
    inference_request_model LowCardinality(String) COMMENT 'Model asked for',
    inference_response_model LowCardinality(String) COMMENT 'Model that answered',
    inference_server_host LowCardinality(String) COMMENT 'Host name of the provider\'s endpoint',
    inference_region LowCardinality(String) COMMENT 'Cloud region of the endpoint',
    inference_service_tier LowCardinality(String) COMMENT 'Service tier that the provider reports, as `flex`',
    inference_fingerprint LowCardinality(String) COMMENT 'Fingerprint of the provider\'s back end',
    inference_stream Nullable(Bool) COMMENT 'Whether the response was streamed',
    inference_batch Nullable(Bool) COMMENT 'Whether the call went through the provider\'s batch interface',
    inference_max_tokens Nullable(Int64) COMMENT 'Largest number of tokens to generate',
    inference_top_k Nullable(Int64) COMMENT 'Sampling: number of candidates',
    inference_seed Nullable(Int64) COMMENT 'Sampling: seed',
    inference_temperature Nullable(Float64) COMMENT 'Sampling: temperature',
    inference_top_p Nullable(Float64) COMMENT 'Sampling: cumulative probability',
    inference_reasoning_level LowCardinality(String) COMMENT 'Requested reasoning effort',
    inference_finish_reasons Array(LowCardinality(String)) COMMENT 'Why the model stopped, one entry a choice',
    inference_ttft_us Nullable(Int64) COMMENT 'Time to the first chunk in microseconds',
    inference_prompt_name LowCardinality(String) COMMENT 'Name of the managed prompt',
    inference_prompt_version LowCardinality(String) COMMENT 'Version of the managed prompt',
    inference_tool_defs_hash String COMMENT 'Keyed HMAC of the tool definitions, lower-case hex',
    inference_system_hash String COMMENT 'Keyed HMAC of the system instructions, lower-case hex',

    -- usage
    input_tokens Nullable(Int64) COMMENT 'Tokens read, cached ones included',
    cache_read_tokens Nullable(Int64) COMMENT 'Part of the input that was read from the cache',
    cache_write_tokens Nullable(Int64) COMMENT 'Part of the input that was written to the cache',
    output_tokens Nullable(Int64) COMMENT 'Tokens written, reasoning included',
    reasoning_tokens Nullable(Int64) COMMENT 'Part of the output that was reasoning',
    usage_by_modality Map(LowCardinality(String), Int64) COMMENT 'Tokens by modality and direction, as `audio.input`',
    usage_source LowCardinality(String) COMMENT 'Who counted the tokens',

    costs Array(Tuple(
        category Nullable(String),
        resource_id Nullable(String),
        period_start Nullable(DateTime64(6, 'UTC')),
        period_end Nullable(DateTime64(6, 'UTC')),
        meter String,
        direction Nullable(String),
        cache_action Nullable(String),
        quantity Nullable(Decimal(38, 9)),
        unit String,
        price_id Nullable(String),
        price_book_rev Nullable(String),
        list_unit_price Nullable(Decimal(38, 18)),
        list Nullable(Decimal(38, 12)),
        contracted Nullable(Decimal(38, 12)),
        effective Nullable(Decimal(38, 12)),
        billed Nullable(Decimal(38, 12)),
        currency String,
        source String
    )) COMMENT 'Cost lines, the reported ones or ours: decimal amounts in the line\'s currency',

    -- retrieval
    retrieval_data_source_id LowCardinality(String) COMMENT 'Data source that was queried',
    retrieval_store_id LowCardinality(String) COMMENT 'Vector or memory store',
    retrieval_top_k Nullable(Int32) COMMENT 'Number of results asked for',
    retrieval_hits Nullable(Int32) COMMENT 'Number of results returned',

    -- tool
    tool_name LowCardinality(String) COMMENT 'Name of the tool',
    tool_type LowCardinality(String) COMMENT 'Kind of tool, as `function`',
    tool_call_id String COMMENT 'Id of the call that the model gave',
    tool_mcp_server LowCardinality(String) COMMENT 'Address of the MCP server',
    tool_mcp_method LowCardinality(String) COMMENT 'MCP method, as `tools/call`',
    tool_mcp_protocol LowCardinality(String) COMMENT 'MCP protocol version',
    tool_mcp_session String COMMENT 'MCP session id; absent in stateless MCP',
    tool_args_hmac String COMMENT 'Keyed HMAC of the arguments, lower-case hex',
    tool_result_bytes Nullable(Int64) COMMENT 'Size of the result in bytes',
    tool_side_effect LowCardinality(String) COMMENT 'What the call may change',

    -- agent_step
    agent_step_index Nullable(Int32) COMMENT 'Position of the step in the run, from 0',
    agent_step_depth Nullable(Int32) COMMENT 'Depth of delegation, 0 for the root agent',
    agent_step_parent_agent_id String COMMENT 'Agent that invoked this one',
    agent_step_peer_agent_id String COMMENT 'Agent on the other side of an A2A exchange',
    agent_step_a2a_task_id String COMMENT 'A2A task id',
    agent_step_a2a_state LowCardinality(String) COMMENT 'A2A task state',

    -- policy
    policy_subject_event_id String COMMENT 'event_id of the event that was judged',
    policy_id LowCardinality(String) COMMENT 'Id of the policy',
    policy_rule_id LowCardinality(String) COMMENT 'Rule within the policy',
    policy_component LowCardinality(String) COMMENT 'Component that decided',
    policy_mode LowCardinality(String) COMMENT 'Whether the verdict was enforced',
    policy_target LowCardinality(String) COMMENT 'What was judged: `input` or `output`',
    policy_verdict LowCardinality(String) COMMENT '`allow`, `deny`, `modify`, `warn` or `escalate`',
    policy_action LowCardinality(String) COMMENT 'What was done: `allow`, `block`, `modify` or `escalate`',
    policy_risk_category LowCardinality(String) COMMENT 'Category of the risk found',
    policy_risk_score Nullable(Float64) COMMENT 'Score of the risk, 0 to 1',

    -- review
    review_subject_event_id String COMMENT 'event_id of the event under review',
    review_decision LowCardinality(String) COMMENT 'Where the review stands',
    review_reviewer_id String COMMENT 'Who decided; a pseudonym like actor_id',
    review_latency_us Nullable(Int64) COMMENT 'Time from request to decision in microseconds',
    review_expires Nullable(DateTime64(6, 'UTC')) COMMENT 'When the request or approval expires (UTC)',
    review_reason String COMMENT 'Reason that the reviewer gave',

    -- evaluation
    evaluation_subject_event_id String COMMENT 'event_id of the event that was evaluated',
    evaluation_name LowCardinality(String) COMMENT 'Name of the evaluation',
    evaluation_score Nullable(Float64) COMMENT 'Score given',
    evaluation_label LowCardinality(String) COMMENT 'Label given',

    -- limit
    limit_name LowCardinality(String) COMMENT 'Name of the limit',
    limit_scope LowCardinality(String) COMMENT 'What the limit counts by, as `tenant`',
    limit_limit_value Nullable(Int64) COMMENT 'The limit, in requests or tokens',
    limit_remaining Nullable(Int64) COMMENT 'What remained of it',
    limit_retry_after_us Nullable(Int64) COMMENT 'When to try again, in microseconds from the event',

    -- routing
    routing_from_model LowCardinality(String) COMMENT 'Model that would have been used',
    routing_to_model LowCardinality(String) COMMENT 'Model that was used',
    routing_reason LowCardinality(String) COMMENT '`fallback`, `rate_limit`, `cost`, `latency`, `cache` or `canary`',
    routing_attempt Nullable(Int32) COMMENT 'Number of the attempt, from 0',

    -- experiment
    experiment_key LowCardinality(String) COMMENT 'Key of the experiment',
    experiment_variant LowCardinality(String) COMMENT 'Variant assigned',
    experiment_set_id LowCardinality(String) COMMENT 'Flag set that the experiment belongs to',
    experiment_provider LowCardinality(String) COMMENT 'Provider of the flag',

    -- access
    access_subject_id String COMMENT 'Who or what the access is of',
    access_activity LowCardinality(String) COMMENT 'What happened, as `logon`, `grant`, `revoke`',
    access_scopes Array(LowCardinality(String)) COMMENT 'Scopes granted or used',
    access_expires Nullable(DateTime64(6, 'UTC')) COMMENT 'When the access expires (UTC)',
    access_mfa Nullable(Bool) COMMENT 'Whether a second factor was used',

    -- change
    change_object_type LowCardinality(String) COMMENT 'Kind of object',
    change_object_id String COMMENT 'Id of the object',
    change_before_hash String COMMENT 'Hash of the object before, lower-case hex',
    change_after_hash String COMMENT 'Hash of the object after, lower-case hex',
    change_ticket String COMMENT 'Ticket under which the change was made',
    change_approver_id String COMMENT 'Who approved it',

    -- budget
    budget_id LowCardinality(String) COMMENT 'Id of the budget',
    budget_period LowCardinality(String) COMMENT 'Period of the budget, as `month`',
    budget_limit Nullable(Decimal(38, 12)) COMMENT 'Budgeted amount',
    budget_spent Nullable(Decimal(38, 12)) COMMENT 'Amount spent so far',
    budget_forecast Nullable(Decimal(38, 12)) COMMENT 'Amount forecast for the whole period',
    budget_currency LowCardinality(String) COMMENT 'ISO 4217 code of the amounts',
    budget_threshold_pct Nullable(Int32) COMMENT 'Threshold that was crossed, in percent of the limit',
    budget_reaction LowCardinality(String) COMMENT 'What was done: `notify`, `throttle`, `fallback` or `block`',

    -- discovery
    discovery_asset_type LowCardinality(String) COMMENT 'Kind of asset, as `mcp_server`',
    discovery_asset_id String COMMENT 'Id of the asset',
    discovery_first_seen Nullable(DateTime64(6, 'UTC')) COMMENT 'When it was first seen (UTC)',
    discovery_evidence String COMMENT 'Where it was seen',

    -- data_access
    data_access_query_hmac String COMMENT 'Keyed HMAC of the query text, lower-case hex',
    data_access_tables Array(LowCardinality(String)) COMMENT 'Tables read',
    data_access_rows Nullable(Int64) COMMENT 'Rows returned',
    data_access_bytes Nullable(Int64) COMMENT 'Bytes returned',
    data_access_purpose String COMMENT 'Purpose that the reader stated',
    data_access_destination LowCardinality(String) COMMENT 'Where an export went',

    -- finding
    finding_rule_id LowCardinality(String) COMMENT 'Rule that found it',
    finding_title String COMMENT 'One line that says what was found',
    finding_status LowCardinality(String) COMMENT 'Where the finding stands',
    finding_confidence Nullable(Int32) COMMENT 'Confidence, 0 to 100',
    finding_attacks Array(LowCardinality(String)) COMMENT 'ATLAS and OWASP ids',
    finding_related_events Array(String) COMMENT 'event_ids that support it',

    -- heartbeat
    heartbeat_interval_us Nullable(Int64) COMMENT 'Interval between heartbeats in microseconds',
    heartbeat_last_seq Nullable(Int64) COMMENT 'Highest source_seq sent',
    heartbeat_dropped Nullable(Int64) COMMENT 'Events dropped by the source since its start',
    heartbeat_lag_us Nullable(Int64) COMMENT 'Age of the oldest event not yet sent, in microseconds',

    -- attribution and price
    tenant_claim LowCardinality(String) COMMENT 'Tenant that the event itself named',
    attribution_method LowCardinality(String) COMMENT 'How tenant_id was found: gateway, topic, registry, claimed or none',
    attribution_confidence Nullable(Float32) COMMENT 'Confidence in tenant_id, 0 to 1',
    attribution_filled UInt8 COMMENT 'Which columns the reference data filled in, as a sum: project_id 1, team_id 2, cost_center 4, environment 8; the others are the event\'s own',
    cost_currency LowCardinality(String) COMMENT 'ISO 4217 code of the four totals',
    cost_list Nullable(Decimal(38, 12)) COMMENT 'Sum of the cost lines at list price, in cost_currency; NULL without a price',
    cost_contracted Nullable(Decimal(38, 12)) COMMENT 'Sum of the cost lines at contracted price, in cost_currency; NULL without a price',
    cost_effective Nullable(Decimal(38, 12)) COMMENT 'Sum of the cost lines after amortising commitments, in cost_currency; NULL without a price',
    cost_billed Nullable(Decimal(38, 12)) COMMENT 'Sum of the cost lines as invoiced, in cost_currency; NULL without a price',
    price_basis LowCardinality(String) COMMENT 'dated when the catalogue says since when the price holds, else undated',
    cost_status LowCardinality(String) COMMENT 'priced, unpriced, or none for an event that costs nothing',
    price_book_revision LowCardinality(String) COMMENT 'Revision of the price book that the cost lines were computed with',
    computed_cost Nullable(Decimal(38, 12)) COMMENT 'What our price book says of an event that brought its own cost, in computed_currency; NULL for other events, and without a price',
    computed_currency LowCardinality(String) COMMENT 'ISO 4217 code of computed_cost',
    cost_difference Nullable(Decimal(38, 12)) COMMENT 'cost_billed less computed_cost of an event that brought its own cost, in cost_currency; NULL where one is missing or the currencies differ',
    unpriced_reason LowCardinality(String) COMMENT 'Why an unpriced event has no price, as unknown_model',
    unpriced_meter LowCardinality(String) COMMENT 'Meter for want of whose price an unpriced event has none, as web_searches',
    reference_revision UInt64 COMMENT 'Revision of the reference data that the row was enriched with',
    enricher_version UInt32 COMMENT 'Version of the enrichment rules that made the row',

    -- leaf and provenance
    log_id LowCardinality(String) COMMENT 'Log that the row is a leaf of: topic/partition/epoch',
    segment_id LowCardinality(String) COMMENT 'Insert that brought the row: topic/partition/epoch/first offset-last offset',
    leaf_index UInt64 CODEC(Delta, ZSTD(1)) COMMENT 'Index of the leaf in its log, dense from 0',
    leaf_kind UInt8 COMMENT '0 event, 1 dead letter, 2 gap',
    leaf_hash FixedString(32) CODEC(NONE) COMMENT 'SHA-256 of 0x00 and the leaf entry (RFC 6962)',
    duplicate_of Nullable(UInt64) COMMENT 'leaf_index, in the same log, of the first row with this event_id; NULL for the first',
    same_call_as Nullable(UInt64) COMMENT 'leaf_index, in the same log, of the first event that reports the same model call (tenant, provider, response id) and has its cost; NULL for that one and for other events',
    kafka_topic LowCardinality(String) COMMENT 'Kafka topic that the record came from',
    kafka_partition Int32 COMMENT 'Kafka partition that the record came from',
    kafka_offset Int64 CODEC(Delta, ZSTD(1)) COMMENT 'Kafka offset of the record; the first one that a gap stands for',
    kafka_timestamp DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)) COMMENT 'Timestamp that the broker gave the record, or when a gap was found (UTC)',
    schema_id LowCardinality(String) COMMENT 'Writer schema: id or GUID in the registry',
    reject_reason LowCardinality(String) COMMENT 'Why a dead letter is not an event, or how far lost offsets had come, as one stable word',
    reject_detail String COMMENT 'What exactly was wrong with a dead letter, or which offsets were lost',
    raw String CODEC(ZSTD(1)) COMMENT 'Value bytes as received, framing included; of a gap, the text that names its offsets',
    raw_null Bool COMMENT 'Whether the value was null, which is not the same as empty',
    ingest_day Date COMMENT 'Day that the segment was planned on (UTC); one table partition a day',
    insert_by DateTime64(3, 'UTC') COMMENT 'End of the lease under which the row was inserted (UTC)',
    inserted_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When the insert began (UTC)',

    search_text String ALIAS concatWithSeparator(' ',
        event_type, source, project_id, team_id, feature_id, cost_center, environment,
        actor_id, credential_id, agent_id, agent_name, outcome, error_type,
        inference_operation, inference_provider, inference_request_model, inference_response_model,
        inference_prompt_name, tool_name, tool_mcp_server,
        policy_id, policy_rule_id, policy_verdict, policy_risk_category, review_decision, review_reason,
        evaluation_name, evaluation_label, limit_name, routing_from_model, routing_to_model, routing_reason,
        experiment_key, experiment_variant, access_subject_id, access_activity,
        change_object_type, change_object_id, change_ticket, discovery_asset_type, discovery_asset_id,
        finding_rule_id, finding_title, reject_reason, reject_detail,
        arrayStringConcat(mapKeys(attributes), ' '), arrayStringConcat(mapValues(attributes), ' ')
    ) COMMENT 'Words that free-text search finds the row by; ask with hasAllTokens',

    -- now() and now64() are frozen when the query starts, so that they would let a slow insert through.
    CONSTRAINT fresh CHECK insert_by > nowInBlock64(3),

    INDEX event_time_range event_time TYPE minmax GRANULARITY 1,
    INDEX event_id_range event_id TYPE minmax GRANULARITY 1,
    -- Within a tenant rows lie in order of time, so of index: a verifier reads ranges of a log from the rows themselves.
    INDEX leaf_index_range leaf_index TYPE minmax GRANULARITY 1,
    INDEX trace_id_filter trace_id TYPE bloom_filter(0.01) GRANULARITY 4,
    INDEX conversation_id_filter conversation_id TYPE bloom_filter(0.01) GRANULARITY 4,
    INDEX actor_id_filter actor_id TYPE bloom_filter(0.01) GRANULARITY 4,
    INDEX credential_id_filter credential_id TYPE bloom_filter(0.01) GRANULARITY 4,
    INDEX agent_id_filter agent_id TYPE bloom_filter(0.01) GRANULARITY 4,
    INDEX search_words search_text TYPE text(tokenizer = 'splitByNonAlpha', preprocessor = lower(search_text)),

    -- All that a leaf's entry is made of, so that sealing reads no values.
    PROJECTION log_order
    (
        SELECT
            log_id, leaf_index, leaf_kind, leaf_hash, event_id, duplicate_of,
            kafka_offset, kafka_timestamp, raw_null, SHA256(raw), segment_id, ingest_day, inserted_at
        ORDER BY log_id, leaf_index
    )
)
ENGINE = ${replicated}MergeTree
PARTITION BY ingest_day
ORDER BY (tenant_id, event_time, event_id)
-- Parts of one insert stay compact, merged ones become wide: compact is quicker to write, wide to search.
SETTINGS ${window}, min_bytes_for_wide_part = 268435456, default_compression_codec = 'ZSTD(1)'
COMMENT 'Every recorded leaf: events, dead letters, gaps';

CREATE VIEW IF NOT EXISTS segments
(
    log_id LowCardinality(String) COMMENT 'Log that the segment is a range of: topic/partition/epoch',
    segment_id LowCardinality(String) COMMENT 'topic/partition/epoch/first offset-last offset, as planned',
    first_index UInt64 COMMENT 'leaf_index of the first row',
    last_index UInt64 COMMENT 'leaf_index of the last row',
    rows UInt64 COMMENT 'Rows; dense when last_index - first_index + 1',
    first_offset Int64 COMMENT 'Kafka offset of the first row',
    last_offset Int64 COMMENT 'Kafka offset of the last row',
    ingest_day Date COMMENT 'Day that the segment was planned on (UTC)',
    inserted_at DateTime64(3, 'UTC') COMMENT 'When the insert began (UTC)'
) AS
SELECT
    log_id,
    segment_id,
    min(leaf_index) AS first_index,
    max(leaf_index) AS last_index,
    count() AS rows,
    min(kafka_offset) AS first_offset,
    max(kafka_offset) AS last_offset,
    min(events.ingest_day) AS ingest_day,
    min(events.inserted_at) AS inserted_at
FROM events
GROUP BY log_id, segment_id
COMMENT 'One row a segment: one planned offset range, one insert';
