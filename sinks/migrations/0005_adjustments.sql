-- What was learnt after an event was recorded. Nothing in events changes: each row here books a difference to
-- the tenant and dimensions it names. A move from one tenant to another is two rows, one minus and one plus.
CREATE TABLE IF NOT EXISTS cost_adjustments
(
    adjustment_id UUID COMMENT 'UUIDv7 made of event_time and of what the row says: the same difference has the same id',
    kind LowCardinality(String) COMMENT 'attribution, reprice, same_call (a call that another event reports, in another log or too far off in its own) or duplicate',
    log_id LowCardinality(String) COMMENT 'Log of the adjusted leaf',
    leaf_index UInt64 COMMENT 'Index of the adjusted leaf in its log',
    event_id UUID COMMENT 'event_id of the adjusted leaf',
    event_time DateTime64(6, 'UTC') COMMENT 'event_time of the adjusted leaf (UTC)',
    event_type LowCardinality(String) DEFAULT '' COMMENT 'event_type of the adjusted leaf',
    stands Bool DEFAULT false COMMENT 'Whether owner (attribution) or price (reprice) of the row are those of the leaf from then on; false for what is taken away',
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
    attribution_method LowCardinality(String) DEFAULT '' COMMENT 'How the owner was found, where kind is attribution',
    attribution_confidence Nullable(Float32) COMMENT 'Confidence in it, 0 to 1',
    cost_status LowCardinality(String) DEFAULT '' COMMENT 'priced, unpriced or none, where kind is reprice',
    price_basis LowCardinality(String) DEFAULT '' COMMENT 'dated or undated, where kind is reprice',
    same_call_as String DEFAULT '' COMMENT 'topic/partition/epoch/index of the leaf that has the cost of the call, where kind is same_call',
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
    )) COMMENT 'Cost lines of the leaf from then on, where kind is reprice',
    events Int64 DEFAULT 0 COMMENT 'Difference in events: 0 for a new price in the same currency, -1 or 1 for a move or a repeat',
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
    approved_by LowCardinality(String) DEFAULT '' COMMENT 'Who else approved of it, where the month was closed',
    recorded_at DateTime64(6, 'UTC') COMMENT 'When the row was recorded (UTC): figures as known on a date leave out later rows',
    actor LowCardinality(String) COMMENT 'Who recorded it'
)
ENGINE = ${replicated}MergeTree
ORDER BY (log_id, leaf_index, recorded_at)
SETTINGS ${window}
COMMENT 'Differences booked after the fact: new prices, late attribution, late repeats, calls reported twice';

CREATE TABLE IF NOT EXISTS closures
(
    tenant_id LowCardinality(String) COMMENT 'Tenant whose month is closed, empty for all',
    month String COMMENT 'The month, by event_time, as 2026-03 (UTC)',
    closed_by String COMMENT 'Who closed it',
    active Bool DEFAULT true COMMENT 'False from when it was opened again',
    valid_from DateTime64(6, 'UTC') COMMENT 'From when it is closed (UTC)',
    valid_to Nullable(DateTime64(6, 'UTC')) COMMENT 'Until when it is closed (UTC), exclusive; NULL while open',
    recorded_at DateTime64(6, 'UTC') COMMENT 'When the row was recorded (UTC)',
    revision UInt64 COMMENT 'Revision of the reference data that brought the row; they grow',
    source LowCardinality(String) COMMENT 'Where the row came from, as a file name and its hash',
    actor LowCardinality(String) COMMENT 'Who recorded it'
)
ENGINE = ${replicated}MergeTree ORDER BY (tenant_id, month, valid_from, revision)
SETTINGS ${window}
COMMENT 'Months whose figures are settled: adjustments in them need a second person';

-- The two branches keep the primary key usable for the many events that were never adjusted. Differences of
-- amounts are summed up over all kinds: what another owner or currency was booked is taken away in full. A reader
-- of one tenant sees the minus of a move alone, and then no more of the event.
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
        toLowCardinality(if(a.moves > 0, a.tenant_id, e.tenant_id)) AS tenant_id,
        toLowCardinality(if(a.moves > 0, a.project_id, e.project_id)) AS project_id,
        toLowCardinality(if(a.moves > 0, a.team_id, e.team_id)) AS team_id,
        toLowCardinality(if(a.moves > 0, a.cost_center, e.cost_center)) AS cost_center,
        toLowCardinality(if(a.moves > 0, a.environment, e.environment)) AS environment,
        toLowCardinality(if(a.moves > 0, a.attribution_method, e.attribution_method)) AS attribution_method,
        if(a.moves > 0, a.attribution_confidence, e.attribution_confidence) AS attribution_confidence,
        toLowCardinality(multiIf(a.reported_again, 'none', a.prices > 0, a.cost_status, e.cost_status)) AS cost_status,
        toLowCardinality(multiIf(a.reported_again, '', a.prices > 0, a.cost_currency, e.cost_currency)) AS cost_currency,
        toLowCardinality(multiIf(a.reported_again, '', a.prices > 0, a.price_basis, e.price_basis)) AS price_basis,
        toLowCardinality(if(a.prices > 0, a.new_revision, e.price_book_revision)) AS price_book_revision,
        multiIf(a.reported_again, [], a.prices > 0, a.costs, e.costs) AS costs,
        toLowCardinality(if(a.reported_again OR a.prices > 0 AND a.cost_status != 'unpriced', '', e.unpriced_reason)) AS unpriced_reason,
        toLowCardinality(if(a.reported_again OR a.prices > 0 AND a.cost_status != 'unpriced', '', e.unpriced_meter)) AS unpriced_meter,
        if(a.reported_again OR if(a.prices > 0, a.cost_status != 'priced', e.cost_list IS NULL), NULL,
            ifNull(e.cost_list, 0) + a.cost_list) AS cost_list,
        if(a.reported_again OR if(a.prices > 0, a.cost_status != 'priced', e.cost_contracted IS NULL), NULL,
            ifNull(e.cost_contracted, 0) + a.cost_contracted) AS cost_contracted,
        if(a.reported_again OR if(a.prices > 0, a.cost_status != 'priced', e.cost_effective IS NULL), NULL,
            ifNull(e.cost_effective, 0) + a.cost_effective) AS cost_effective,
        if(a.reported_again OR if(a.prices > 0, a.cost_status != 'priced', e.cost_billed IS NULL), NULL,
            ifNull(e.cost_billed, 0) + a.cost_billed) AS cost_billed,
        if(e.same_call_as IS NULL AND NOT a.reported_again, e.input_tokens, NULL) AS input_tokens,
        if(e.same_call_as IS NULL AND NOT a.reported_again, e.output_tokens, NULL) AS output_tokens,
        if(e.same_call_as IS NULL AND NOT a.reported_again, e.cache_read_tokens, NULL) AS cache_read_tokens,
        if(e.same_call_as IS NULL AND NOT a.reported_again, e.cache_write_tokens, NULL) AS cache_write_tokens,
        if(e.same_call_as IS NULL AND NOT a.reported_again, e.reasoning_tokens, NULL) AS reasoning_tokens
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
        sumIf(c.events, kind = 'same_call') < 0 AS reported_again,
        argMaxIf(c.tenant_id, recorded_at, kind = 'attribution' AND stands) AS tenant_id,
        argMaxIf(c.project_id, recorded_at, kind = 'attribution' AND stands) AS project_id,
        argMaxIf(c.team_id, recorded_at, kind = 'attribution' AND stands) AS team_id,
        argMaxIf(c.cost_center, recorded_at, kind = 'attribution' AND stands) AS cost_center,
        argMaxIf(c.environment, recorded_at, kind = 'attribution' AND stands) AS environment,
        argMaxIf(c.attribution_method, recorded_at, kind = 'attribution' AND stands) AS attribution_method,
        argMaxIf(c.attribution_confidence, recorded_at, kind = 'attribution' AND stands) AS attribution_confidence,
        argMaxIf(c.cost_status, recorded_at, kind = 'reprice' AND stands) AS cost_status,
        argMaxIf(c.cost_currency, recorded_at, kind = 'reprice' AND stands) AS cost_currency,
        argMaxIf(c.price_basis, recorded_at, kind = 'reprice' AND stands) AS price_basis,
        argMaxIf(c.new_revision, recorded_at, kind = 'reprice' AND stands) AS new_revision,
        argMaxIf(c.costs, recorded_at, kind = 'reprice' AND stands) AS costs,
        sumIf(c.cost_list, kind != 'same_call') AS cost_list,
        sumIf(c.cost_contracted, kind != 'same_call') AS cost_contracted,
        sumIf(c.cost_effective, kind != 'same_call') AS cost_effective,
        sumIf(c.cost_billed, kind != 'same_call') AS cost_billed
    FROM cost_adjustments AS c
    GROUP BY log_id, leaf_index
    HAVING countIf(kind = 'duplicate') = 0 AND sumIf(if(stands, 1, -1), kind = 'attribution') >= 0
) AS a ON e.log_id = a.log_id AND e.leaf_index = a.leaf_index
WHERE e.leaf_kind = 0 AND e.duplicate_of IS NULL
COMMENT 'One row an event_id, with what was learnt later added: owner, price status, costs and their lines; tokens and costs of a model call are in one row';

CREATE VIEW IF NOT EXISTS costs_as_known AS
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
    WHERE recorded_at <= {known_on:DateTime64(6, 'UTC')}
) AS b
GROUP BY
    tenant_id, hour, event_type, project_id, team_id, feature_id, cost_center, environment, agent_id,
    credential_id, inference_provider, model, cost_currency
COMMENT 'costs_current as it was at a time, adjustments recorded later left out: costs_as_known(known_on = ...)';

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
SELECT * FROM costs_as_known(known_on = '2299-12-31 00:00:00')
COMMENT 'Use and cost by hour, net of adjustments';
