-- What was learnt after an event was recorded. Nothing in events changes: each row here books a difference to
-- the tenant and dimensions it names. A move from one tenant to another is two rows, one minus and one plus.
CREATE TABLE IF NOT EXISTS cost_adjustments
(
    adjustment_id UUID COMMENT 'UUIDv7 of the row',
    kind LowCardinality(String) COMMENT 'reprice, attribution or duplicate',
    log_id LowCardinality(String) COMMENT 'Log of the adjusted leaf',
    leaf_index UInt64 COMMENT 'Index of the adjusted leaf in its log',
    event_id UUID COMMENT 'event_id of the adjusted leaf',
    event_time DateTime64(6, 'UTC') COMMENT 'event_time of the adjusted leaf (UTC)',
    event_type LowCardinality(String) DEFAULT '' COMMENT 'event_type of the adjusted leaf',
    tenant_id LowCardinality(String) COMMENT 'Tenant that the difference is booked to',
    project_id LowCardinality(String) DEFAULT '' COMMENT 'Project that it is booked to',
    team_id LowCardinality(String) DEFAULT '' COMMENT 'Team that it is booked to',
    feature_id LowCardinality(String) DEFAULT '' COMMENT 'Product feature that it is booked to',
    cost_center LowCardinality(String) DEFAULT '' COMMENT 'Cost centre that it is booked to',
    environment LowCardinality(String) DEFAULT '' COMMENT 'Deployment environment that it is booked to',
    agent_id LowCardinality(String) DEFAULT '' COMMENT 'AI agent that it is booked to',
    credential_id LowCardinality(String) DEFAULT '' COMMENT 'Credential that it is booked to',
    inference_provider LowCardinality(String) DEFAULT '' COMMENT 'Provider that it is booked to',
    model LowCardinality(String) DEFAULT '' COMMENT 'Model that it is booked to',
    cost_currency LowCardinality(String) DEFAULT '' COMMENT 'ISO 4217 code of the differences',
    events Int64 DEFAULT 0 COMMENT 'Difference in events: 0 for a new price, -1 or 1 for a move or a repeat',
    failures Int64 DEFAULT 0 COMMENT 'Difference in failed events',
    unpriced_events Int64 DEFAULT 0 COMMENT 'Difference in events without a price',
    input_tokens Int64 DEFAULT 0 COMMENT 'Difference in tokens read',
    output_tokens Int64 DEFAULT 0 COMMENT 'Difference in tokens written',
    cache_read_tokens Int64 DEFAULT 0 COMMENT 'Difference in tokens read from the cache',
    cache_write_tokens Int64 DEFAULT 0 COMMENT 'Difference in tokens written to the cache',
    reasoning_tokens Int64 DEFAULT 0 COMMENT 'Difference in reasoning tokens',
    cost_list Decimal(38, 12) DEFAULT 0 COMMENT 'Difference at list price, in cost_currency',
    cost_contracted Decimal(38, 12) DEFAULT 0 COMMENT 'Difference at contracted price, in cost_currency',
    cost_effective Decimal(38, 12) DEFAULT 0 COMMENT 'Difference after amortising commitments, in cost_currency',
    cost_billed Decimal(38, 12) DEFAULT 0 COMMENT 'Difference as invoiced, in cost_currency',
    old_revision LowCardinality(String) DEFAULT '' COMMENT 'Price book or reference revision before',
    new_revision LowCardinality(String) DEFAULT '' COMMENT 'Price book or reference revision after',
    reason String COMMENT 'Why, for people',
    recorded_at DateTime64(6, 'UTC') COMMENT 'When the row was recorded (UTC): figures as known on a date leave out later rows',
    actor LowCardinality(String) COMMENT 'Who recorded it'
)
ENGINE = ${replicated}MergeTree
ORDER BY (log_id, leaf_index, recorded_at)
SETTINGS ${window}
COMMENT 'Differences booked after the fact: new prices, late attribution, late repeats';

-- The two branches keep the primary key usable for the many events that were never adjusted.
CREATE VIEW IF NOT EXISTS events_current AS
SELECT
    e.* REPLACE (
        if(e.same_call_as IS NULL, e.input_tokens, NULL) AS input_tokens,
        if(e.same_call_as IS NULL, e.output_tokens, NULL) AS output_tokens,
        if(e.same_call_as IS NULL, e.cache_read_tokens, NULL) AS cache_read_tokens,
        if(e.same_call_as IS NULL, e.cache_write_tokens, NULL) AS cache_write_tokens,
        if(e.same_call_as IS NULL, e.reasoning_tokens, NULL) AS reasoning_tokens
    ),
    e.search_text AS search_text
FROM events AS e
WHERE leaf_kind = 0
    AND duplicate_of IS NULL
    AND (log_id, leaf_index) NOT IN (SELECT log_id, leaf_index FROM cost_adjustments)
UNION ALL
SELECT
    e.* REPLACE (
        toLowCardinality(if(a.moves > 0, a.new_tenant, e.tenant_id)) AS tenant_id,
        toLowCardinality(if(a.prices > 0, 'priced', e.cost_status)) AS cost_status,
        toLowCardinality(if(a.prices > 0, a.new_currency, e.cost_currency)) AS cost_currency,
        if(a.prices > 0 OR e.cost_list IS NOT NULL, ifNull(e.cost_list, 0) + a.cost_list, NULL) AS cost_list,
        if(a.prices > 0 OR e.cost_contracted IS NOT NULL,
            ifNull(e.cost_contracted, 0) + a.cost_contracted, NULL) AS cost_contracted,
        if(a.prices > 0 OR e.cost_effective IS NOT NULL,
            ifNull(e.cost_effective, 0) + a.cost_effective, NULL) AS cost_effective,
        if(a.prices > 0 OR e.cost_billed IS NOT NULL,
            ifNull(e.cost_billed, 0) + a.cost_billed, NULL) AS cost_billed,
        if(e.same_call_as IS NULL, e.input_tokens, NULL) AS input_tokens,
        if(e.same_call_as IS NULL, e.output_tokens, NULL) AS output_tokens,
        if(e.same_call_as IS NULL, e.cache_read_tokens, NULL) AS cache_read_tokens,
        if(e.same_call_as IS NULL, e.cache_write_tokens, NULL) AS cache_write_tokens,
        if(e.same_call_as IS NULL, e.reasoning_tokens, NULL) AS reasoning_tokens
    ),
    e.search_text AS search_text
FROM events AS e
INNER JOIN
(
    SELECT
        log_id,
        leaf_index,
        countIf(kind = 'attribution') AS moves,
        countIf(kind = 'reprice') AS prices,
        argMaxIf(tenant_id, recorded_at, kind = 'attribution' AND events > 0) AS new_tenant,
        argMaxIf(cost_currency, recorded_at, kind = 'reprice') AS new_currency,
        sum(c.cost_list) AS cost_list,
        sum(c.cost_contracted) AS cost_contracted,
        sum(c.cost_effective) AS cost_effective,
        sum(c.cost_billed) AS cost_billed
    FROM cost_adjustments AS c
    GROUP BY log_id, leaf_index
    HAVING countIf(kind = 'duplicate') = 0
) AS a ON e.log_id = a.log_id AND e.leaf_index = a.leaf_index
WHERE e.leaf_kind = 0 AND e.duplicate_of IS NULL
COMMENT 'One row an event_id, with what was learnt later added: tenant, price status and costs; tokens and costs of a model call are in one row';

CREATE VIEW IF NOT EXISTS costs_current
(
    tenant_id LowCardinality(String) COMMENT 'Tenant that the cost is booked to',
    hour DateTime('UTC') COMMENT 'Start of the hour of event_time (UTC)',
    event_type LowCardinality(String) COMMENT 'What happened, as ai.inference',
    project_id LowCardinality(String) COMMENT 'Project within the tenant',
    team_id LowCardinality(String) COMMENT 'Team within the tenant',
    feature_id LowCardinality(String) COMMENT 'Product feature that caused the cost',
    cost_center LowCardinality(String) COMMENT 'Cost centre that pays',
    environment LowCardinality(String) COMMENT 'Deployment environment',
    agent_id LowCardinality(String) COMMENT 'Id of the AI agent',
    credential_id LowCardinality(String) COMMENT 'Id of the credential used',
    inference_provider LowCardinality(String) COMMENT 'Provider of the model',
    model LowCardinality(String) COMMENT 'Model that answered, else the one asked for',
    cost_currency LowCardinality(String) COMMENT 'ISO 4217 code of the costs',
    events Int64 COMMENT 'Events',
    failures Int64 COMMENT 'Events with outcome FAILURE',
    unpriced_events Int64 COMMENT 'Events that the costs lack, because they have no price',
    input_tokens Int64 COMMENT 'Tokens read, cached ones included',
    output_tokens Int64 COMMENT 'Tokens written, reasoning included',
    cache_read_tokens Int64 COMMENT 'Part of the input that was read from the cache',
    cache_write_tokens Int64 COMMENT 'Part of the input that was written to the cache',
    reasoning_tokens Int64 COMMENT 'Part of the output that was reasoning',
    cost_list Decimal(38, 12) COMMENT 'Cost at list price, in cost_currency',
    cost_contracted Decimal(38, 12) COMMENT 'Cost at contracted price, in cost_currency',
    cost_effective Decimal(38, 12) COMMENT 'Cost after amortising commitments, in cost_currency',
    cost_billed Decimal(38, 12) COMMENT 'Cost as invoiced, in cost_currency'
) AS
SELECT
    tenant_id, hour, event_type, project_id, team_id, feature_id, cost_center, environment, agent_id,
    credential_id, inference_provider, model, cost_currency,
    sum(b.events) AS events,
    sum(b.failures) AS failures,
    sum(b.unpriced_events) AS unpriced_events,
    sum(b.input_tokens) AS input_tokens,
    sum(b.output_tokens) AS output_tokens,
    sum(b.cache_read_tokens) AS cache_read_tokens,
    sum(b.cache_write_tokens) AS cache_write_tokens,
    sum(b.reasoning_tokens) AS reasoning_tokens,
    sum(b.cost_list) AS cost_list,
    sum(b.cost_contracted) AS cost_contracted,
    sum(b.cost_effective) AS cost_effective,
    sum(b.cost_billed) AS cost_billed
FROM
(
    SELECT
        tenant_id, hour, event_type, project_id, team_id, feature_id, cost_center, environment, agent_id,
        credential_id, inference_provider, model, cost_currency,
        toInt64(events) AS events, toInt64(failures) AS failures, toInt64(unpriced_events) AS unpriced_events,
        input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens,
        cost_list, cost_contracted, cost_effective, cost_billed
    FROM usage_1h
    UNION ALL
    SELECT
        tenant_id, toStartOfHour(event_time) AS hour, event_type, project_id, team_id, feature_id,
        cost_center, environment, agent_id, credential_id, inference_provider, model, cost_currency,
        events, failures, unpriced_events,
        input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens,
        cost_list, cost_contracted, cost_effective, cost_billed
    FROM cost_adjustments
) AS b
GROUP BY
    tenant_id, hour, event_type, project_id, team_id, feature_id, cost_center, environment, agent_id,
    credential_id, inference_provider, model, cost_currency
COMMENT 'Use and cost by hour, net of adjustments';
