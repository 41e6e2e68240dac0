-- Sums over events that are no repeats, and over one event a model call, by the minute or hour of event_time. Gross: adjustments are not in them
-- (costs_current is net). Each target has its own window of tokens: without it a replayed segment counts double.
-- Views must be total functions of a row: one that raises stops the log that the row is in.
CREATE TABLE IF NOT EXISTS usage_1m
(
    tenant_id LowCardinality(String) COMMENT 'Tenant that the events are attributed to',
    minute DateTime('UTC') COMMENT 'Start of the minute of event_time (UTC)',
    event_type LowCardinality(String) COMMENT 'What happened, as ai.inference',
    project_id LowCardinality(String) COMMENT 'Project within the tenant',
    environment LowCardinality(String) COMMENT 'Deployment environment',
    inference_provider LowCardinality(String) COMMENT 'Provider of the model',
    model LowCardinality(String) COMMENT 'Model that answered, else the one asked for',
    cost_currency LowCardinality(String) COMMENT 'ISO 4217 code of the costs',
    ingest_month Date COMMENT 'First day of the month of ingest (UTC); one table partition a month',
    events UInt64 COMMENT 'Events',
    failures UInt64 COMMENT 'Events with outcome FAILURE',
    unpriced_events UInt64 COMMENT 'Events that the costs lack, because they have no price',
    input_tokens Int64 COMMENT 'Tokens read, cached ones included',
    output_tokens Int64 COMMENT 'Tokens written, reasoning included',
    cache_read_tokens Int64 COMMENT 'Part of the input that was read from the cache',
    cache_write_tokens Int64 COMMENT 'Part of the input that was written to the cache',
    reasoning_tokens Int64 COMMENT 'Part of the output that was reasoning',
    cost_list Decimal(38, 12) COMMENT 'Cost at list price, in cost_currency',
    cost_contracted Decimal(38, 12) COMMENT 'Cost at contracted price, in cost_currency',
    cost_effective Decimal(38, 12) COMMENT 'Cost after amortising commitments, in cost_currency',
    cost_billed Decimal(38, 12) COMMENT 'Cost as invoiced, in cost_currency'
)
ENGINE = ${replicated}SummingMergeTree((
    events, failures, unpriced_events,
    input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens,
    cost_list, cost_contracted, cost_effective, cost_billed
))
PARTITION BY ingest_month
ORDER BY (tenant_id, minute, event_type, project_id, environment, inference_provider, model, cost_currency)
SETTINGS ${window}
COMMENT 'Use and cost by minute; sum() what you ask for, rows of one key merge later';

CREATE MATERIALIZED VIEW IF NOT EXISTS usage_1m_feed TO usage_1m AS
SELECT
    tenant_id,
    toStartOfMinute(event_time) AS minute,
    event_type,
    project_id,
    environment,
    inference_provider,
    if(inference_response_model != '', inference_response_model, inference_request_model) AS model,
    cost_currency,
    toStartOfMonth(ingest_day) AS ingest_month,
    count() AS events,
    countIf(outcome = 'FAILURE') AS failures,
    countIf(cost_status = 'unpriced') AS unpriced_events,
    sum(ifNull(e.input_tokens, 0)) AS input_tokens,
    sum(ifNull(e.output_tokens, 0)) AS output_tokens,
    sum(ifNull(e.cache_read_tokens, 0)) AS cache_read_tokens,
    sum(ifNull(e.cache_write_tokens, 0)) AS cache_write_tokens,
    sum(ifNull(e.reasoning_tokens, 0)) AS reasoning_tokens,
    sum(ifNull(e.cost_list, 0)) AS cost_list,
    sum(ifNull(e.cost_contracted, 0)) AS cost_contracted,
    sum(ifNull(e.cost_effective, 0)) AS cost_effective,
    sum(ifNull(e.cost_billed, 0)) AS cost_billed
FROM events AS e
WHERE leaf_kind = 0 AND duplicate_of IS NULL AND same_call_as IS NULL
GROUP BY
    tenant_id, minute, event_type, project_id, environment, inference_provider, model, cost_currency,
    ingest_month;

CREATE TABLE IF NOT EXISTS usage_1h
(
    tenant_id LowCardinality(String) COMMENT 'Tenant that the events are attributed to',
    hour DateTime('UTC') COMMENT 'Start of the hour of event_time (UTC)',
    event_type LowCardinality(String) COMMENT 'What happened, as ai.inference',
    project_id LowCardinality(String) COMMENT 'Project within the tenant',
    team_id LowCardinality(String) COMMENT 'Team within the tenant',
    feature_id LowCardinality(String) COMMENT 'Product feature that caused the events',
    cost_center LowCardinality(String) COMMENT 'Cost centre that pays',
    environment LowCardinality(String) COMMENT 'Deployment environment',
    agent_id LowCardinality(String) COMMENT 'Id of the AI agent',
    credential_id LowCardinality(String) COMMENT 'Id of the credential used',
    inference_provider LowCardinality(String) COMMENT 'Provider of the model',
    model LowCardinality(String) COMMENT 'Model that answered, else the one asked for',
    cost_currency LowCardinality(String) COMMENT 'ISO 4217 code of the costs',
    ingest_month Date COMMENT 'First day of the month of ingest (UTC); one table partition a month',
    events UInt64 COMMENT 'Events',
    failures UInt64 COMMENT 'Events with outcome FAILURE',
    unpriced_events UInt64 COMMENT 'Events that the costs lack, because they have no price',
    input_tokens Int64 COMMENT 'Tokens read, cached ones included',
    output_tokens Int64 COMMENT 'Tokens written, reasoning included',
    cache_read_tokens Int64 COMMENT 'Part of the input that was read from the cache',
    cache_write_tokens Int64 COMMENT 'Part of the input that was written to the cache',
    reasoning_tokens Int64 COMMENT 'Part of the output that was reasoning',
    cost_list Decimal(38, 12) COMMENT 'Cost at list price, in cost_currency',
    cost_contracted Decimal(38, 12) COMMENT 'Cost at contracted price, in cost_currency',
    cost_effective Decimal(38, 12) COMMENT 'Cost after amortising commitments, in cost_currency',
    cost_billed Decimal(38, 12) COMMENT 'Cost as invoiced, in cost_currency'
)
ENGINE = ${replicated}SummingMergeTree((
    events, failures, unpriced_events,
    input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens,
    cost_list, cost_contracted, cost_effective, cost_billed
))
PARTITION BY ingest_month
ORDER BY (
    tenant_id, hour, event_type, project_id, team_id, feature_id, cost_center, environment,
    agent_id, credential_id, inference_provider, model, cost_currency
)
SETTINGS ${window}
COMMENT 'Use and cost by hour, with every dimension that cost is shown by; sum() what you ask for';

CREATE MATERIALIZED VIEW IF NOT EXISTS usage_1h_feed TO usage_1h AS
SELECT
    tenant_id,
    toStartOfHour(event_time) AS hour,
    event_type,
    project_id,
    team_id,
    feature_id,
    cost_center,
    environment,
    agent_id,
    credential_id,
    inference_provider,
    if(inference_response_model != '', inference_response_model, inference_request_model) AS model,
    cost_currency,
    toStartOfMonth(ingest_day) AS ingest_month,
    count() AS events,
    countIf(outcome = 'FAILURE') AS failures,
    countIf(cost_status = 'unpriced') AS unpriced_events,
    sum(ifNull(e.input_tokens, 0)) AS input_tokens,
    sum(ifNull(e.output_tokens, 0)) AS output_tokens,
    sum(ifNull(e.cache_read_tokens, 0)) AS cache_read_tokens,
    sum(ifNull(e.cache_write_tokens, 0)) AS cache_write_tokens,
    sum(ifNull(e.reasoning_tokens, 0)) AS reasoning_tokens,
    sum(ifNull(e.cost_list, 0)) AS cost_list,
    sum(ifNull(e.cost_contracted, 0)) AS cost_contracted,
    sum(ifNull(e.cost_effective, 0)) AS cost_effective,
    sum(ifNull(e.cost_billed, 0)) AS cost_billed
FROM events AS e
WHERE leaf_kind = 0 AND duplicate_of IS NULL AND same_call_as IS NULL
GROUP BY
    tenant_id, hour, event_type, project_id, team_id, feature_id, cost_center, environment,
    agent_id, credential_id, inference_provider, model, cost_currency, ingest_month;

CREATE TABLE IF NOT EXISTS outcomes_1m
(
    tenant_id LowCardinality(String) COMMENT 'Tenant that the events are attributed to',
    minute DateTime('UTC') COMMENT 'Start of the minute of event_time (UTC)',
    event_type LowCardinality(String) COMMENT 'What happened, as ai.inference',
    inference_provider LowCardinality(String) COMMENT 'Provider of the model',
    model LowCardinality(String) COMMENT 'Model that answered, else the one asked for',
    tool_name LowCardinality(String) COMMENT 'Name of the tool',
    outcome LowCardinality(String) COMMENT 'How the action ended',
    error_type LowCardinality(String) COMMENT 'Class of the error, empty without one',
    http_status Int32 COMMENT 'HTTP status of the response, 0 without one',
    ingest_month Date COMMENT 'First day of the month of ingest (UTC); one table partition a month',
    events UInt64 COMMENT 'Events'
)
ENGINE = ${replicated}SummingMergeTree((events))
PARTITION BY ingest_month
ORDER BY (
    tenant_id, minute, event_type, inference_provider, model, tool_name, outcome, error_type, http_status
)
SETTINGS ${window}
COMMENT 'How actions ended, by minute; sum() what you ask for';

CREATE MATERIALIZED VIEW IF NOT EXISTS outcomes_1m_feed TO outcomes_1m AS
SELECT
    tenant_id,
    toStartOfMinute(event_time) AS minute,
    event_type,
    inference_provider,
    if(inference_response_model != '', inference_response_model, inference_request_model) AS model,
    tool_name,
    outcome,
    error_type,
    ifNull(e.http_status, 0) AS http_status,
    toStartOfMonth(ingest_day) AS ingest_month,
    count() AS events
FROM events AS e
WHERE leaf_kind = 0 AND duplicate_of IS NULL AND same_call_as IS NULL
GROUP BY
    tenant_id, minute, event_type, inference_provider, model, tool_name, outcome, error_type, http_status,
    ingest_month;

CREATE TABLE IF NOT EXISTS latency_1m
(
    tenant_id LowCardinality(String) COMMENT 'Tenant that the events are attributed to',
    minute DateTime('UTC') COMMENT 'Start of the minute of event_time (UTC)',
    event_type LowCardinality(String) COMMENT 'What happened, as ai.inference',
    inference_provider LowCardinality(String) COMMENT 'Provider of the model',
    model LowCardinality(String) COMMENT 'Model that answered, else the one asked for',
    tool_name LowCardinality(String) COMMENT 'Name of the tool',
    ingest_month Date COMMENT 'First day of the month of ingest (UTC); one table partition a month',
    events SimpleAggregateFunction(sum, UInt64) COMMENT 'Events with a duration or a time to the first chunk',
    duration_us AggregateFunction(quantilesDD(0.01, 0.5, 0.9, 0.95, 0.99), Nullable(Int64))
        COMMENT 'State of the quantiles of duration_us, in microseconds, within 1 %',
    ttft_us AggregateFunction(quantilesDD(0.01, 0.5, 0.9, 0.95, 0.99), Nullable(Int64))
        COMMENT 'State of the quantiles of the time to the first chunk, in microseconds, within 1 %'
)
ENGINE = ${replicated}AggregatingMergeTree
PARTITION BY ingest_month
ORDER BY (tenant_id, minute, event_type, inference_provider, model, tool_name)
SETTINGS ${window}
COMMENT 'Latency by minute as mergeable states; latency_quantiles_1m reads them';

CREATE MATERIALIZED VIEW IF NOT EXISTS latency_1m_feed TO latency_1m AS
SELECT
    tenant_id,
    toStartOfMinute(event_time) AS minute,
    event_type,
    inference_provider,
    if(inference_response_model != '', inference_response_model, inference_request_model) AS model,
    tool_name,
    toStartOfMonth(ingest_day) AS ingest_month,
    count() AS events,
    quantilesDDState(0.01, 0.5, 0.9, 0.95, 0.99)(e.duration_us) AS duration_us,
    quantilesDDState(0.01, 0.5, 0.9, 0.95, 0.99)(e.inference_ttft_us) AS ttft_us
FROM events AS e
WHERE leaf_kind = 0 AND duplicate_of IS NULL AND same_call_as IS NULL AND (e.duration_us IS NOT NULL OR e.inference_ttft_us IS NOT NULL)
GROUP BY tenant_id, minute, event_type, inference_provider, model, tool_name, ingest_month;

CREATE VIEW IF NOT EXISTS latency_quantiles_1m
(
    tenant_id LowCardinality(String) COMMENT 'Tenant that the events are attributed to',
    minute DateTime('UTC') COMMENT 'Start of the minute of event_time (UTC)',
    event_type LowCardinality(String) COMMENT 'What happened, as ai.inference',
    inference_provider LowCardinality(String) COMMENT 'Provider of the model',
    model LowCardinality(String) COMMENT 'Model that answered, else the one asked for',
    tool_name LowCardinality(String) COMMENT 'Name of the tool',
    duration_us Array(Float64) COMMENT 'Quantiles 0.5, 0.9, 0.95, 0.99 of duration_us, in microseconds; nan without any',
    ttft_us Array(Float64) COMMENT 'Quantiles 0.5, 0.9, 0.95, 0.99 of the time to the first chunk, in microseconds'
) AS
SELECT
    tenant_id,
    minute,
    event_type,
    inference_provider,
    model,
    tool_name,
    quantilesDDMerge(0.01, 0.5, 0.9, 0.95, 0.99)(l.duration_us) AS duration_us,
    quantilesDDMerge(0.01, 0.5, 0.9, 0.95, 0.99)(l.ttft_us) AS ttft_us
FROM latency_1m AS l
GROUP BY tenant_id, minute, event_type, inference_provider, model, tool_name
COMMENT 'Latency quantiles by minute';
