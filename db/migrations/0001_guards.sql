-- Roles. The application connects as (or steps down to) perennial_app, which owns nothing and sees one tenant at a
-- time. perennial_system sees across tenants, but only the tables without customer data.
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'perennial_app') THEN CREATE ROLE perennial_app NOLOGIN; END IF;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'perennial_system') THEN CREATE ROLE perennial_system NOLOGIN; END IF;
END $$;
--> statement-breakpoint
GRANT USAGE ON SCHEMA public TO perennial_app, perennial_system;
--> statement-breakpoint
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO perennial_app;
--> statement-breakpoint
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO perennial_app, perennial_system;
--> statement-breakpoint
-- What is history stays history.
REVOKE UPDATE, DELETE ON ledger_transactions, ledger_entries, audit_log, trial_grants, dunning_policies FROM perennial_app;
--> statement-breakpoint
REVOKE INSERT, UPDATE, DELETE ON inbox_events, schedule_runs FROM perennial_app;
--> statement-breakpoint
GRANT SELECT ON tenants TO perennial_system;
--> statement-breakpoint
GRANT SELECT, INSERT, UPDATE, DELETE ON outbox, inbox_events, schedule_runs TO perennial_system;
--> statement-breakpoint

-- Row-level security, forced: without `app.tenant_id` no row is visible, not even to the tables' owner.
CREATE FUNCTION current_tenant() RETURNS text LANGUAGE sql STABLE AS
  $$ SELECT nullif(current_setting('app.tenant_id', true), '') $$;
--> statement-breakpoint
DO $$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['api_keys', 'idempotency_keys', 'audit_log', 'plans', 'customers', 'subscriptions',
    'subscription_events', 'trial_grants', 'invoices', 'invoice_lines', 'invoice_counters', 'dunning_policies',
    'dunning_cases', 'dunning_steps', 'payment_methods', 'charge_attempts', 'payments', 'refunds',
    'ledger_transactions', 'ledger_entries', 'notifications', 'trial_statistics', 'outbox', 'inbox_events']
  LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY tenant ON %I USING (tenant_id = current_tenant()) WITH CHECK (tenant_id = current_tenant())', t);
  END LOOP;
  FOREACH t IN ARRAY ARRAY['outbox', 'inbox_events'] LOOP
    EXECUTE format('CREATE POLICY system ON %I TO perennial_system USING (true) WITH CHECK (true)', t);
  END LOOP;
END $$;
--> statement-breakpoint
ALTER TABLE tenants ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE tenants FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
CREATE POLICY tenant ON tenants USING (id = current_tenant()) WITH CHECK (id = current_tenant());
--> statement-breakpoint
CREATE POLICY system ON tenants FOR SELECT TO perennial_system USING (true);
--> statement-breakpoint

-- The one look-up that happens before the tenant is known: an API key by its id. Returns the hash, never a secret.
CREATE FUNCTION api_key_by_id(key_id text)
RETURNS TABLE (id text, tenant_id text, secret_hash text, scopes text[], expires_at timestamptz, revoked_at timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public AS $$
BEGIN
  RETURN QUERY SELECT k.id, k.tenant_id, k.secret_hash, k.scopes, k.expires_at, k.revoked_at
    FROM api_keys k WHERE k.id = key_id;
END $$;
--> statement-breakpoint
-- The function runs as the owner, whose own view is forced through policies too.
CREATE POLICY key_lookup ON api_keys FOR SELECT TO CURRENT_USER USING (true);
--> statement-breakpoint
REVOKE ALL ON FUNCTION api_key_by_id(text) FROM PUBLIC;
--> statement-breakpoint
GRANT EXECUTE ON FUNCTION api_key_by_id(text) TO perennial_app;
--> statement-breakpoint

-- Ledger: every transaction sums to zero per currency at the commit; no row is ever changed or removed.
CREATE FUNCTION ledger_must_balance() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE off_currency text;
BEGIN
  SELECT currency INTO off_currency FROM ledger_entries
    WHERE transaction_id = NEW.transaction_id GROUP BY currency HAVING sum(amount_minor) <> 0 LIMIT 1;
  IF off_currency IS NOT NULL THEN
    RAISE EXCEPTION 'ledger transaction % does not balance in %', NEW.transaction_id, off_currency
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE CONSTRAINT TRIGGER ledger_balance AFTER INSERT ON ledger_entries
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger_must_balance();
--> statement-breakpoint
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% on % is refused: rows are append-only, correct them with new rows', TG_OP, TG_TABLE_NAME
    USING ERRCODE = 'restrict_violation';
END $$;
--> statement-breakpoint
DO $$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['ledger_transactions', 'ledger_entries', 'audit_log'] LOOP
    EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change()', t);
    EXECUTE format('CREATE TRIGGER append_only_all BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', t);
  END LOOP;
END $$;
--> statement-breakpoint

-- The relay sleeps until a commit leaves something for it.
CREATE FUNCTION notify_outbox() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('outbox', '');
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE TRIGGER outbox_wakes_relay AFTER INSERT ON outbox FOR EACH STATEMENT EXECUTE FUNCTION notify_outbox();
