-- Sums never mix currencies: what a tenant owes is converted to the currency that it is reported in, at the rate
-- that holds at the end of the event's day (UTC), as known now. What has no rate stays NULL beside what it is.
CREATE VIEW IF NOT EXISTS costs_reported
(
    tenant_id LowCardinality(String) COMMENT 'Tenant that the cost is booked to',
    day Date COMMENT 'Day of event_time (UTC)',
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
    events Int64 COMMENT 'Events',
    unpriced_events Int64 COMMENT 'Events that the costs lack, because they have no price',
    cost_currency LowCardinality(String) COMMENT 'ISO 4217 code of the four costs',
    cost_list Decimal(38, 12) COMMENT 'Cost at list price, in cost_currency',
    cost_contracted Decimal(38, 12) COMMENT 'Cost at contracted price, in cost_currency',
    cost_effective Decimal(38, 12) COMMENT 'Cost after amortising commitments, in cost_currency',
    cost_billed Decimal(38, 12) COMMENT 'Cost as invoiced, in cost_currency',
    reporting_currency LowCardinality(String) COMMENT 'ISO 4217 code of the currency that the tenant is reported in on that day',
    rate Nullable(Decimal(38, 18)) COMMENT 'Rate of the day between the two currencies, as recorded; 1 where they are one; NULL where there is none',
    rate_inverted Bool COMMENT 'Whether the rate is of cost_currency for one unit of reporting_currency, so that costs are divided by it',
    reported_list Nullable(Decimal(38, 12)) COMMENT 'Cost at list price, in reporting_currency; NULL without a rate',
    reported_contracted Nullable(Decimal(38, 12)) COMMENT 'Cost at contracted price, in reporting_currency; NULL without a rate',
    reported_effective Nullable(Decimal(38, 12)) COMMENT 'Cost after amortising commitments, in reporting_currency; NULL without a rate',
    reported_billed Nullable(Decimal(38, 12)) COMMENT 'Cost as invoiced, in reporting_currency; NULL without a rate'
) AS
WITH
    costs AS
    (
        SELECT
            tenant_id, toDate(hour) AS day, event_type, project_id, team_id, feature_id, cost_center, environment,
            agent_id, credential_id, inference_provider, model, cost_currency,
            sum(c.events) AS events,
            sum(c.unpriced_events) AS unpriced_events,
            sum(c.cost_list) AS cost_list,
            sum(c.cost_contracted) AS cost_contracted,
            sum(c.cost_effective) AS cost_effective,
            sum(c.cost_billed) AS cost_billed
        FROM costs_current AS c
        GROUP BY
            tenant_id, day, event_type, project_id, team_id, feature_id, cost_center, environment, agent_id,
            credential_id, inference_provider, model, cost_currency
    ),
    -- Of the rows that hold at the end of a day the one that is known best, as auditstream/reference/intervals.py has it.
    wanted AS
    (
        SELECT
            d.tenant_id AS tenant_id,
            d.day AS day,
            argMax(t.currency, (t.revision, t.valid_from)) AS currency
        FROM (SELECT DISTINCT tenant_id, day FROM costs) AS d
        INNER JOIN tenants AS t ON t.tenant_id = d.tenant_id
        WHERE t.revision IN (SELECT revision FROM reference_revisions WHERE step = 'written')
            AND t.valid_from < toDateTime64(d.day + 1, 6, 'UTC')
            AND (t.valid_to IS NULL OR t.valid_to >= toDateTime64(d.day + 1, 6, 'UTC'))
        GROUP BY tenant_id, day
    ),
    wished AS
    (
        SELECT *, if(currency = '', 'USD', currency) AS reporting_currency
        FROM costs LEFT JOIN wanted USING (tenant_id, day)
    ),
    recorded AS
    (
        SELECT
            d.day AS day,
            r.base AS base,
            r.quote AS quote,
            argMax(r.rate, (r.revision, r.valid_from)) AS day_rate
        FROM (SELECT DISTINCT day FROM costs) AS d
        CROSS JOIN currency_rates AS r
        WHERE r.revision IN (SELECT revision FROM reference_revisions WHERE step = 'written')
            AND r.valid_from < toDateTime64(d.day + 1, 6, 'UTC')
            AND (r.valid_to IS NULL OR r.valid_to >= toDateTime64(d.day + 1, 6, 'UTC'))
        GROUP BY day, base, quote
    ),
    -- A rate serves both directions; the one that is recorded for a direction goes first. Of 76 digits, so that
    -- only the amount is rounded.
    factors AS
    (
        SELECT
            day, cost_currency, reporting_currency,
            toNullable(argMin(day_rate, inverted)) AS found_rate,
            argMin(factor, inverted) AS found_factor,
            min(inverted) AS is_inverted
        FROM
        (
            SELECT
                day, base AS cost_currency, quote AS reporting_currency, day_rate,
                toDecimal256(day_rate, 36) AS factor, false AS inverted
            FROM recorded
            UNION ALL
            SELECT
                day, quote AS cost_currency, base AS reporting_currency, day_rate,
                divideDecimal(toDecimal256(1, 18), toDecimal256(day_rate, 18), 36) AS factor, true AS inverted
            FROM recorded
        )
        GROUP BY day, cost_currency, reporting_currency
    ),
    rated AS
    (
        SELECT
            *,
            cost_currency IN ('', reporting_currency) AS is_same,
            if(is_same, toNullable(toDecimal128(1, 18)), found_rate) AS rate,
            NOT is_same AND is_inverted AS rate_inverted,
            if(is_same, toDecimal256(1, 36), found_factor) AS factor
        FROM wished LEFT JOIN factors USING (day, cost_currency, reporting_currency)
    )
SELECT
    tenant_id, day, event_type, project_id, team_id, feature_id, cost_center, environment, agent_id,
    credential_id, inference_provider, model, events, unpriced_events,
    cost_currency, cost_list, cost_contracted, cost_effective, cost_billed,
    reporting_currency, rate, rate_inverted,
    if(rate IS NULL, NULL, toDecimal128(roundBankers(multiplyDecimal(
        toDecimal256(cost_list, 12), factor, 36), 12), 12)) AS reported_list,
    if(rate IS NULL, NULL, toDecimal128(roundBankers(multiplyDecimal(
        toDecimal256(cost_contracted, 12), factor, 36), 12), 12)) AS reported_contracted,
    if(rate IS NULL, NULL, toDecimal128(roundBankers(multiplyDecimal(
        toDecimal256(cost_effective, 12), factor, 36), 12), 12)) AS reported_effective,
    if(rate IS NULL, NULL, toDecimal128(roundBankers(multiplyDecimal(
        toDecimal256(cost_billed, 12), factor, 36), 12), 12)) AS reported_billed
FROM rated
COMMENT 'Cost by day in the currency that the tenant is reported in';
