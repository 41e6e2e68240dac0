-- What gateways are asked to do once an error budget is gone, as budgets of money have it.
ALTER TABLE slos ADD COLUMN IF NOT EXISTS reaction LowCardinality(String) DEFAULT 'notify'
    COMMENT 'What gateways are asked to do once the error budget is gone: notify, throttle, fallback or block' AFTER window_days;
ALTER TABLE slos ADD COLUMN IF NOT EXISTS fallback_model String DEFAULT ''
    COMMENT 'Model to fall back to' AFTER reaction;
