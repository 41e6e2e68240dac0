-- Facts by which events are attributed and priced. Append-only and bitemporal: a row says what holds between
-- valid_from and valid_to, and since recorded_at and revision that it was known. A correction is another row;
-- what held at a time as known at a revision is the row with the highest revision up to that one.
CREATE TABLE IF NOT EXISTS tenants
(
    tenant_id String COMMENT 'Id of the tenant',
    name String COMMENT 'Name for people',
    organisation String DEFAULT '' COMMENT 'Organisation that the tenant belongs to',
    currency LowCardinality(String) DEFAULT 'USD' COMMENT 'ISO 4217 code that the tenant is reported in',
    clear_ids Bool DEFAULT false COMMENT 'Whether ids of persons are kept in the clear',
    readable_ids LowCardinality(String) DEFAULT 'none' COMMENT 'sealed: the readable id of a person is kept sealed beside the pseudonym',
    contents LowCardinality(String) DEFAULT 'none' COMMENT 'sealed: prompts, completions and arguments are kept sealed; none: their size and HMAC alone',
    addresses LowCardinality(String) DEFAULT 'truncated' COMMENT 'What is kept of client addresses: truncated to /24 or /48, clear, or sealed',
    labels Map(LowCardinality(String), String) COMMENT 'Free labels',
    active Bool DEFAULT true COMMENT 'Whether the tenant may send events',
    valid_from DateTime64(6, 'UTC') COMMENT 'From when the row holds (UTC), by event_time',
    valid_to Nullable(DateTime64(6, 'UTC')) COMMENT 'Until when it holds (UTC), exclusive; NULL while open',
    recorded_at DateTime64(6, 'UTC') COMMENT 'When the row was recorded (UTC)',
    revision UInt64 COMMENT 'Revision of the reference data that brought the row; they grow',
    source LowCardinality(String) COMMENT 'Where the row came from, as a file name and its hash',
    actor LowCardinality(String) COMMENT 'Who recorded it'
)
ENGINE = ${replicated}MergeTree ORDER BY (tenant_id, valid_from, revision)
SETTINGS ${window}
COMMENT 'Tenants';

CREATE TABLE IF NOT EXISTS credentials
(
    credential_id String COMMENT 'Id of the credential, never the secret',
    tenant_id String COMMENT 'Tenant that the credential belongs to',
    project_id String DEFAULT '' COMMENT 'Project that its events are attributed to',
    team_id String DEFAULT '' COMMENT 'Team that its events are attributed to',
    cost_center String DEFAULT '' COMMENT 'Cost centre that pays for its events',
    environment LowCardinality(String) DEFAULT '' COMMENT 'Deployment environment it is for',
    kind LowCardinality(String) DEFAULT '' COMMENT 'gateway, provider or service',
    name String DEFAULT '' COMMENT 'Name for people',
    secret_hash String DEFAULT '' COMMENT 'Salted hash of a gateway key, in PHC string format; empty for others',
    edge_keys Bool DEFAULT false COMMENT 'Whether it may fetch keys, to make pseudonyms and seal where the event is',
    active Bool DEFAULT true COMMENT 'False from when it was revoked',
    valid_from DateTime64(6, 'UTC') COMMENT 'From when the row holds (UTC), by event_time',
    valid_to Nullable(DateTime64(6, 'UTC')) COMMENT 'Until when it holds (UTC), exclusive; NULL while open',
    recorded_at DateTime64(6, 'UTC') COMMENT 'When the row was recorded (UTC)',
    revision UInt64 COMMENT 'Revision of the reference data that brought the row; they grow',
    source LowCardinality(String) COMMENT 'Where the row came from, as a file name and its hash',
    actor LowCardinality(String) COMMENT 'Who recorded it'
)
ENGINE = ${replicated}MergeTree ORDER BY (credential_id, valid_from, revision)
SETTINGS ${window}
COMMENT 'Credentials and whom their events are attributed to';

CREATE TABLE IF NOT EXISTS projects
(
    tenant_id String COMMENT 'Tenant that the project belongs to',
    project_id String COMMENT 'Id of the project',
    name String DEFAULT '' COMMENT 'Name for people',
    team_id String DEFAULT '' COMMENT 'Team that owns the project',
    cost_center String DEFAULT '' COMMENT 'Cost centre that pays',
    environment LowCardinality(String) DEFAULT '' COMMENT 'Deployment environment',
    labels Map(LowCardinality(String), String) COMMENT 'Free labels',
    active Bool DEFAULT true COMMENT 'False from when it was closed',
    valid_from DateTime64(6, 'UTC') COMMENT 'From when the row holds (UTC), by event_time',
    valid_to Nullable(DateTime64(6, 'UTC')) COMMENT 'Until when it holds (UTC), exclusive; NULL while open',
    recorded_at DateTime64(6, 'UTC') COMMENT 'When the row was recorded (UTC)',
    revision UInt64 COMMENT 'Revision of the reference data that brought the row; they grow',
    source LowCardinality(String) COMMENT 'Where the row came from, as a file name and its hash',
    actor LowCardinality(String) COMMENT 'Who recorded it'
)
ENGINE = ${replicated}MergeTree ORDER BY (tenant_id, project_id, valid_from, revision)
SETTINGS ${window}
COMMENT 'Projects within tenants';

CREATE TABLE IF NOT EXISTS agents
(
    agent_id String COMMENT 'Id of the AI agent',
    tenant_id String COMMENT 'Tenant that the agent belongs to',
    project_id String DEFAULT '' COMMENT 'Project that its events are attributed to',
    name String DEFAULT '' COMMENT 'Name for people',
    owner String DEFAULT '' COMMENT 'Team or person who answers for it',
    framework LowCardinality(String) DEFAULT '' COMMENT 'Framework that it is built with',
    purpose String DEFAULT '' COMMENT 'What it is for',
    risk_class LowCardinality(String) DEFAULT '' COMMENT 'Risk class that the company gave it',
    allowed_tools Array(LowCardinality(String)) COMMENT 'Tools that it may call; empty for any',
    active Bool DEFAULT true COMMENT 'False from when it was retired',
    valid_from DateTime64(6, 'UTC') COMMENT 'From when the row holds (UTC), by event_time',
    valid_to Nullable(DateTime64(6, 'UTC')) COMMENT 'Until when it holds (UTC), exclusive; NULL while open',
    recorded_at DateTime64(6, 'UTC') COMMENT 'When the row was recorded (UTC)',
    revision UInt64 COMMENT 'Revision of the reference data that brought the row; they grow',
    source LowCardinality(String) COMMENT 'Where the row came from, as a file name and its hash',
    actor LowCardinality(String) COMMENT 'Who recorded it'
)
ENGINE = ${replicated}MergeTree ORDER BY (agent_id, valid_from, revision)
SETTINGS ${window}
COMMENT 'Registered AI agents';

CREATE TABLE IF NOT EXISTS tools
(
    tool_name String COMMENT 'Name of the tool',
    tenant_id String DEFAULT '' COMMENT 'Tenant that may use it, empty for all',
    mcp_server String DEFAULT '' COMMENT 'Address of its MCP server, empty without one',
    owner String DEFAULT '' COMMENT 'Team or person who answers for it',
    side_effect LowCardinality(String) DEFAULT 'UNKNOWN' COMMENT 'READ, WRITE, DESTRUCTIVE, EXTERNAL or UNKNOWN',
    purpose String DEFAULT '' COMMENT 'What it is for',
    active Bool DEFAULT true COMMENT 'False from when it was retired',
    valid_from DateTime64(6, 'UTC') COMMENT 'From when the row holds (UTC), by event_time',
    valid_to Nullable(DateTime64(6, 'UTC')) COMMENT 'Until when it holds (UTC), exclusive; NULL while open',
    recorded_at DateTime64(6, 'UTC') COMMENT 'When the row was recorded (UTC)',
    revision UInt64 COMMENT 'Revision of the reference data that brought the row; they grow',
    source LowCardinality(String) COMMENT 'Where the row came from, as a file name and its hash',
    actor LowCardinality(String) COMMENT 'Who recorded it'
)
ENGINE = ${replicated}MergeTree ORDER BY (tool_name, tenant_id, valid_from, revision)
SETTINGS ${window}
COMMENT 'Registered tools';

CREATE TABLE IF NOT EXISTS prices
(
    price_id String COMMENT 'Id of the price: what cost lines name',
    provider LowCardinality(String) COMMENT 'Provider of the model, as openai',
    model_pattern String COMMENT 'Model or pattern of models that the price is for',
    region LowCardinality(String) DEFAULT '' COMMENT 'Region or route, empty for any',
    service_tier LowCardinality(String) DEFAULT '' COMMENT 'Service tier, empty for the standard one',
    meter LowCardinality(String) COMMENT 'What is counted, as text',
    direction LowCardinality(String) DEFAULT '' COMMENT 'input or output, empty where it has none',
    cache_action LowCardinality(String) DEFAULT '' COMMENT 'read or write, empty for neither',
    context_from UInt64 DEFAULT 0 COMMENT 'Input tokens of a call from which the price holds',
    time_of_day_from String DEFAULT '' COMMENT 'Start of the daily window, HH:MM (UTC), empty for all day',
    time_of_day_to String DEFAULT '' COMMENT 'End of the daily window, HH:MM (UTC), exclusive',
    unit LowCardinality(String) COMMENT 'Unit of the quantity, as tokens',
    amount Decimal(38, 18) COMMENT 'Price of one unit, in currency',
    currency LowCardinality(String) COMMENT 'ISO 4217 code of the amount',
    price_basis LowCardinality(String) COMMENT 'dated when the catalogue says since when the price holds, else undated',
    catalogue LowCardinality(String) DEFAULT '' COMMENT 'Catalogue that the price was imported from, empty for a price of our own, which wins',
    source_hash String DEFAULT '' COMMENT 'SHA-256 of the catalogue that the price came from, lower-case hex',
    supersedes String DEFAULT '' COMMENT 'price_id that the row corrects',
    active Bool DEFAULT true COMMENT 'False from when the price was withdrawn',
    valid_from DateTime64(6, 'UTC') COMMENT 'From when the price holds (UTC), by event_time',
    valid_to Nullable(DateTime64(6, 'UTC')) COMMENT 'Until when it holds (UTC), exclusive; NULL while open',
    recorded_at DateTime64(6, 'UTC') COMMENT 'When the row was recorded (UTC)',
    revision UInt64 COMMENT 'Revision of the reference data that brought the row; they grow',
    source LowCardinality(String) COMMENT 'Catalogue or file that the row came from',
    actor LowCardinality(String) COMMENT 'Who recorded it'
)
ENGINE = ${replicated}MergeTree ORDER BY (provider, model_pattern, meter, direction, cache_action, valid_from, revision)
SETTINGS ${window}
COMMENT 'Price book: list prices';

CREATE TABLE IF NOT EXISTS contracts
(
    contract_id String COMMENT 'Id of the contract line',
    tenant_id String COMMENT 'Tenant that the contract is with, empty for all',
    provider LowCardinality(String) COMMENT 'Provider of the models',
    model_pattern String DEFAULT '' COMMENT 'Model or pattern of models, empty for all of the provider',
    region LowCardinality(String) DEFAULT '' COMMENT 'Region or route, empty for any',
    service_tier LowCardinality(String) DEFAULT '' COMMENT 'Service tier, empty for any',
    meter LowCardinality(String) DEFAULT '' COMMENT 'What is counted, empty for every meter',
    direction LowCardinality(String) DEFAULT '' COMMENT 'input or output, empty for both',
    cache_action LowCardinality(String) DEFAULT '' COMMENT 'read or write, empty for any',
    kind LowCardinality(String) COMMENT 'discount, fixed_rate or commitment',
    discount_pct Nullable(Decimal(9, 6)) COMMENT 'Discount off the list price, in percent',
    amount Nullable(Decimal(38, 18)) COMMENT 'Fixed price of one unit, or the committed spend of a period, in currency',
    unit LowCardinality(String) DEFAULT '' COMMENT 'Unit of a fixed price, as tokens',
    period LowCardinality(String) DEFAULT '' COMMENT 'Period of a commitment, as month',
    currency LowCardinality(String) DEFAULT '' COMMENT 'ISO 4217 code of the amount',
    active Bool DEFAULT true COMMENT 'False from when the term ended early',
    valid_from DateTime64(6, 'UTC') COMMENT 'From when the row holds (UTC), by event_time',
    valid_to Nullable(DateTime64(6, 'UTC')) COMMENT 'Until when it holds (UTC), exclusive; NULL while open',
    recorded_at DateTime64(6, 'UTC') COMMENT 'When the row was recorded (UTC)',
    revision UInt64 COMMENT 'Revision of the reference data that brought the row; they grow',
    source LowCardinality(String) COMMENT 'Where the row came from, as a file name and its hash',
    actor LowCardinality(String) COMMENT 'Who recorded it'
)
ENGINE = ${replicated}MergeTree ORDER BY (tenant_id, provider, contract_id, valid_from, revision)
SETTINGS ${window}
COMMENT 'Negotiated prices over the price book';

CREATE TABLE IF NOT EXISTS currency_rates
(
    base LowCardinality(String) COMMENT 'ISO 4217 code of the currency converted from',
    quote LowCardinality(String) COMMENT 'ISO 4217 code of the currency converted to',
    rate Decimal(38, 18) COMMENT 'Amount of quote for one unit of base',
    valid_from DateTime64(6, 'UTC') COMMENT 'From when the rate holds (UTC), by event_time',
    valid_to Nullable(DateTime64(6, 'UTC')) COMMENT 'Until when it holds (UTC), exclusive; NULL while open',
    recorded_at DateTime64(6, 'UTC') COMMENT 'When the row was recorded (UTC)',
    revision UInt64 COMMENT 'Revision of the reference data that brought the row; they grow',
    source LowCardinality(String) COMMENT 'Where the rate came from',
    actor LowCardinality(String) COMMENT 'Who recorded it'
)
ENGINE = ${replicated}MergeTree ORDER BY (base, quote, valid_from, revision)
SETTINGS ${window}
COMMENT 'Currency rates';

CREATE TABLE IF NOT EXISTS budgets
(
    budget_id String COMMENT 'Id of the budget',
    tenant_id String COMMENT 'Tenant of the scope, empty for all',
    scope Map(LowCardinality(String), String) COMMENT 'Columns of events and their values that the budget covers',
    period LowCardinality(String) COMMENT 'hour, day, week, month, quarter or year',
    amount Decimal(38, 12) COMMENT 'Budgeted amount of a period, in currency',
    currency LowCardinality(String) COMMENT 'ISO 4217 code of the amount',
    thresholds_pct Array(UInt16) COMMENT 'Shares of the amount at which to report, in percent',
    reaction LowCardinality(String) COMMENT 'notify, throttle, fallback or block once the amount is reached',
    hard Bool DEFAULT false COMMENT 'Whether the amount may never be passed, so that gateways spend by lease',
    fallback_model String DEFAULT '' COMMENT 'Model to fall back to',
    owner String DEFAULT '' COMMENT 'Who is told',
    active Bool DEFAULT true COMMENT 'False from when it was retired',
    valid_from DateTime64(6, 'UTC') COMMENT 'From when the row holds (UTC), by event_time',
    valid_to Nullable(DateTime64(6, 'UTC')) COMMENT 'Until when it holds (UTC), exclusive; NULL while open',
    recorded_at DateTime64(6, 'UTC') COMMENT 'When the row was recorded (UTC)',
    revision UInt64 COMMENT 'Revision of the reference data that brought the row; they grow',
    source LowCardinality(String) COMMENT 'Where the row came from, as a file name and its hash',
    actor LowCardinality(String) COMMENT 'Who recorded it'
)
ENGINE = ${replicated}MergeTree ORDER BY (budget_id, valid_from, revision)
SETTINGS ${window}
COMMENT 'Budgets';

CREATE TABLE IF NOT EXISTS slos
(
    slo_id String COMMENT 'Id of the objective',
    tenant_id String COMMENT 'Tenant of the scope, empty for all',
    scope Map(LowCardinality(String), String) COMMENT 'Columns of events and their values that the objective covers',
    indicator LowCardinality(String) COMMENT 'What is measured, as availability or latency',
    threshold_us Nullable(Int64) COMMENT 'Latency up to which an event is good, in microseconds',
    objective Decimal(9, 6) COMMENT 'Share of events that shall be good, 0 to 1',
    window_days UInt16 COMMENT 'Length of the rolling window, in days',
    owner String DEFAULT '' COMMENT 'Who is told',
    active Bool DEFAULT true COMMENT 'False from when it was retired',
    valid_from DateTime64(6, 'UTC') COMMENT 'From when the row holds (UTC), by event_time',
    valid_to Nullable(DateTime64(6, 'UTC')) COMMENT 'Until when it holds (UTC), exclusive; NULL while open',
    recorded_at DateTime64(6, 'UTC') COMMENT 'When the row was recorded (UTC)',
    revision UInt64 COMMENT 'Revision of the reference data that brought the row; they grow',
    source LowCardinality(String) COMMENT 'Where the row came from, as a file name and its hash',
    actor LowCardinality(String) COMMENT 'Who recorded it'
)
ENGINE = ${replicated}MergeTree ORDER BY (slo_id, valid_from, revision)
SETTINGS ${window}
COMMENT 'Service level objectives';

CREATE TABLE IF NOT EXISTS retention
(
    retention_class String COMMENT 'Name of the class',
    tenant_id String COMMENT 'Tenant that it applies to, empty for all',
    event_types Array(LowCardinality(String)) COMMENT 'Event types that it applies to, empty for all',
    keep_days UInt32 COMMENT 'Days that rows are kept after ingest',
    keep_raw_days UInt32 COMMENT 'Days that value bytes are kept after ingest',
    ground String DEFAULT '' COMMENT 'Law or policy that asks for it',
    active Bool DEFAULT true COMMENT 'False from when it was retired',
    valid_from DateTime64(6, 'UTC') COMMENT 'From when the row holds (UTC)',
    valid_to Nullable(DateTime64(6, 'UTC')) COMMENT 'Until when it holds (UTC), exclusive; NULL while open',
    recorded_at DateTime64(6, 'UTC') COMMENT 'When the row was recorded (UTC)',
    revision UInt64 COMMENT 'Revision of the reference data that brought the row; they grow',
    source LowCardinality(String) COMMENT 'Where the row came from, as a file name and its hash',
    actor LowCardinality(String) COMMENT 'Who recorded it'
)
ENGINE = ${replicated}MergeTree ORDER BY (tenant_id, retention_class, valid_from, revision)
SETTINGS ${window}
COMMENT 'How long rows are kept';

CREATE TABLE IF NOT EXISTS holds
(
    hold_id String COMMENT 'Id of the legal hold',
    tenant_id String COMMENT 'Tenant that it covers, empty for all',
    scope Map(LowCardinality(String), String) COMMENT 'Columns of events and their values that the hold covers',
    ground String COMMENT 'Matter or law that asks for it',
    approvers Array(String) COMMENT 'Who approved it',
    active Bool DEFAULT true COMMENT 'False from when it was released',
    valid_from DateTime64(6, 'UTC') COMMENT 'From when the row holds (UTC)',
    valid_to Nullable(DateTime64(6, 'UTC')) COMMENT 'Until when it holds (UTC), exclusive; NULL while open',
    recorded_at DateTime64(6, 'UTC') COMMENT 'When the row was recorded (UTC)',
    revision UInt64 COMMENT 'Revision of the reference data that brought the row; they grow',
    source LowCardinality(String) COMMENT 'Where the row came from, as a file name and its hash',
    actor LowCardinality(String) COMMENT 'Who recorded it'
)
ENGINE = ${replicated}MergeTree ORDER BY (hold_id, valid_from, revision)
SETTINGS ${window}
COMMENT 'Legal holds';

CREATE TABLE IF NOT EXISTS allocation_rules
(
    rule_id String COMMENT 'Id of the rule',
    priority UInt32 DEFAULT 100 COMMENT 'Of the rules that match a cost the one with the lowest number counts, then the first by id',
    tenant_id String DEFAULT '' COMMENT 'Tenant that the costs are booked to, empty for costs that nobody owns',
    category LowCardinality(String) DEFAULT '' COMMENT 'Category of the costs, empty for any',
    service String DEFAULT '' COMMENT 'Service of the costs, * for any characters; empty for any',
    part LowCardinality(String) DEFAULT '' COMMENT 'Part of the wrapper that they count as, empty for their category',
    method LowCardinality(String) COMMENT 'What shares follow: tokens, requests, time, fixed or even; own leaves a cost where it is booked',
    shares Map(LowCardinality(String), String) COMMENT 'Weights of the method fixed by tenant, as decimals',
    tenants Array(LowCardinality(String)) COMMENT 'Tenants that pay, empty for all that used something',
    active Bool DEFAULT true COMMENT 'False from when it was retired',
    valid_from DateTime64(6, 'UTC') COMMENT 'From when the rule holds (UTC), by event_time of the cost',
    valid_to Nullable(DateTime64(6, 'UTC')) COMMENT 'Until when it holds (UTC), exclusive; NULL while open',
    recorded_at DateTime64(6, 'UTC') COMMENT 'When the row was recorded (UTC)',
    revision UInt64 COMMENT 'Revision of the reference data that brought the row; they grow',
    source LowCardinality(String) COMMENT 'Where the row came from, as a file name and its hash',
    actor LowCardinality(String) COMMENT 'Who recorded it'
)
ENGINE = ${replicated}MergeTree ORDER BY (rule_id, valid_from, revision)
SETTINGS ${window}
COMMENT 'Who pays which share of shared costs';
