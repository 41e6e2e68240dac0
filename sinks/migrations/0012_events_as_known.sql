-- As events_current, whose text it repeats: a view cannot be asked for another view's earlier state.
CREATE VIEW IF NOT EXISTS events_as_known AS
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
    AND (log_id, leaf_index) NOT IN (SELECT log_id, leaf_index FROM cost_adjustments WHERE recorded_at <= {known_on:DateTime64(6, 'UTC')})
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
    WHERE recorded_at <= {known_on:DateTime64(6, 'UTC')}
    GROUP BY log_id, leaf_index
    HAVING countIf(kind = 'duplicate') = 0 AND sumIf(if(stands, 1, -1), kind = 'attribution') >= 0
) AS a ON e.log_id = a.log_id AND e.leaf_index = a.leaf_index
WHERE e.leaf_kind = 0 AND e.duplicate_of IS NULL
COMMENT 'events_current as it was at a time, adjustments recorded later left out: events_as_known(known_on = ...)';
