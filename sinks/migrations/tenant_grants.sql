-- The role that reads one tenant's rows and nobody else's: policies on the tables, which the views read as the
-- reader, not as their owner.
CREATE ROLE IF NOT EXISTS ${role};
GRANT SELECT ON ${database}.events TO ${role};
GRANT SELECT ON ${database}.events_current TO ${role};
GRANT SELECT ON ${database}.events_as_known TO ${role};
GRANT SELECT ON ${database}.usage_1m TO ${role};
GRANT SELECT ON ${database}.usage_1h TO ${role};
GRANT SELECT ON ${database}.outcomes_1m TO ${role};
GRANT SELECT ON ${database}.latency_1m TO ${role};
GRANT SELECT ON ${database}.latency_quantiles_1m TO ${role};
GRANT SELECT ON ${database}.cost_adjustments TO ${role};
GRANT SELECT ON ${database}.costs_current TO ${role};
GRANT SELECT ON ${database}.costs_as_known TO ${role};
GRANT SELECT ON ${database}.findings TO ${role};
-- What costs are in the tenant's own currency is told by these: the view reads no more of them.
GRANT SELECT ON ${database}.costs_reported TO ${role};
GRANT SELECT(tenant_id, currency, valid_from, valid_to, `valid_to.null`, revision)
    ON ${database}.tenants TO ${role};
GRANT SELECT(base, quote, rate, valid_from, valid_to, `valid_to.null`, revision)
    ON ${database}.currency_rates TO ${role};
GRANT SELECT(revision, step) ON ${database}.reference_revisions TO ${role};
CREATE ROW POLICY IF NOT EXISTS ${role} ON ${database}.events USING tenant_id = '${tenant}' TO ${role};
CREATE ROW POLICY IF NOT EXISTS ${role} ON ${database}.usage_1m USING tenant_id = '${tenant}' TO ${role};
CREATE ROW POLICY IF NOT EXISTS ${role} ON ${database}.usage_1h USING tenant_id = '${tenant}' TO ${role};
CREATE ROW POLICY IF NOT EXISTS ${role} ON ${database}.outcomes_1m USING tenant_id = '${tenant}' TO ${role};
CREATE ROW POLICY IF NOT EXISTS ${role} ON ${database}.latency_1m USING tenant_id = '${tenant}' TO ${role};
CREATE ROW POLICY IF NOT EXISTS ${role} ON ${database}.cost_adjustments USING tenant_id = '${tenant}' TO ${role};
CREATE ROW POLICY IF NOT EXISTS ${role} ON ${database}.findings USING tenant_id = '${tenant}' TO ${role};
CREATE ROW POLICY IF NOT EXISTS ${role} ON ${database}.tenants USING tenant_id = '${tenant}' TO ${role};
