CREATE TABLE "crypto_disposal_parts" (
	"id" text PRIMARY KEY NOT NULL,
	"tenant_id" text NOT NULL,
	"disposal_id" text NOT NULL,
	"position" integer NOT NULL,
	"lot_id" text NOT NULL,
	"units" numeric(78, 0) NOT NULL,
	"cost_minor" bigint NOT NULL,
	"proceeds_minor" bigint NOT NULL,
	"is_long_term" boolean NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "crypto_disposals" (
	"id" text PRIMARY KEY NOT NULL,
	"tenant_id" text NOT NULL,
	"account_id" text NOT NULL,
	"asset" text NOT NULL,
	"units" numeric(78, 0) NOT NULL,
	"proceeds_minor" bigint NOT NULL,
	"method" text NOT NULL,
	"reference" text NOT NULL,
	"disposed_at" timestamp (3) with time zone NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "crypto_disposals_amounts" CHECK ("crypto_disposals"."units" > 0 and "crypto_disposals"."proceeds_minor" >= 0)
);
--> statement-breakpoint
CREATE TABLE "crypto_lots" (
	"id" text PRIMARY KEY NOT NULL,
	"tenant_id" text NOT NULL,
	"account_id" text NOT NULL,
	"crypto_invoice_id" text NOT NULL,
	"chain" text NOT NULL,
	"payment_key" text NOT NULL,
	"txid" text NOT NULL,
	"asset" text NOT NULL,
	"acquired_at" timestamp (3) with time zone NOT NULL,
	"units" numeric(78, 0) NOT NULL,
	"remaining_units" numeric(78, 0) NOT NULL,
	"rate" text NOT NULL,
	"rate_source" text NOT NULL,
	"cost_minor" bigint NOT NULL,
	"reversed_at" timestamp (3) with time zone,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "crypto_lots_units" CHECK ("crypto_lots"."units" > 0 and "crypto_lots"."remaining_units" between 0 and "crypto_lots"."units"),
	CONSTRAINT "crypto_lots_reversed" CHECK ("crypto_lots"."reversed_at" is null or "crypto_lots"."remaining_units" = 0)
);
--> statement-breakpoint
CREATE TABLE "chain_blocks" (
	"chain" text NOT NULL,
	"height" integer NOT NULL,
	"hash" text NOT NULL,
	"parent_hash" text NOT NULL,
	"time" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "chain_blocks_chain_height_pk" PRIMARY KEY("chain","height")
);
--> statement-breakpoint
CREATE TABLE "chains" (
	"name" text PRIMARY KEY NOT NULL,
	"network" text NOT NULL,
	"start_height" integer,
	"height" integer,
	"hash" text,
	"tip_height" integer,
	"tip_time" timestamp (3) with time zone,
	"finalized_height" integer,
	"finalized_hash" text,
	"fresh_until" timestamp (3) with time zone,
	"lease_holder" text,
	"lease_until" timestamp (3) with time zone,
	"fence" integer DEFAULT 0 NOT NULL,
	"heartbeat_at" timestamp (3) with time zone,
	"node" text,
	"failure" text,
	"failing_since" timestamp (3) with time zone,
	"traces_calls" boolean,
	"fee_rate" numeric(78, 0),
	"paused_at" timestamp (3) with time zone,
	"pause_reason" text,
	"paused_by" text,
	"disagreeing_since" timestamp (3) with time zone,
	"agreed_since_height" integer,
	"cautious_until" timestamp (3) with time zone,
	"rescan_from" integer
);
--> statement-breakpoint
CREATE TABLE "crypto_accounts" (
	"id" text PRIMARY KEY NOT NULL,
	"tenant_id" text NOT NULL,
	"family" text NOT NULL,
	"network" text NOT NULL,
	"public_key" text NOT NULL,
	"fingerprint" text NOT NULL,
	"next_index" integer DEFAULT 0 NOT NULL,
	"retired_at" timestamp (3) with time zone,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "crypto_acts" (
	"id" text PRIMARY KEY NOT NULL,
	"tenant_id" text NOT NULL,
	"crypto_invoice_id" text NOT NULL,
	"ordinal" integer,
	"act" jsonb NOT NULL,
	"reason" text NOT NULL,
	"status" text NOT NULL,
	"requested_by" text NOT NULL,
	"requested_at" timestamp (3) with time zone NOT NULL,
	"decided_by" text,
	"decided_at" timestamp (3) with time zone,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "crypto_acts_approved" CHECK (("crypto_acts"."status" = 'approved') = ("crypto_acts"."ordinal" is not null))
);
--> statement-breakpoint
CREATE TABLE "crypto_addresses" (
	"family" text NOT NULL,
	"target" text NOT NULL,
	"tenant_id" text NOT NULL,
	"crypto_invoice_id" text NOT NULL,
	"kind" text NOT NULL,
	"address" text NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "crypto_addresses_family_target_pk" PRIMARY KEY("family","target")
);
--> statement-breakpoint
CREATE TABLE "crypto_events" (
	"id" text PRIMARY KEY NOT NULL,
	"tenant_id" text NOT NULL,
	"crypto_invoice_id" text NOT NULL,
	"version" integer NOT NULL,
	"key" text NOT NULL,
	"kind" text NOT NULL,
	"details" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"at" timestamp (3) with time zone NOT NULL,
	"carried_out_at" timestamp (3) with time zone,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "crypto_invoices" (
	"id" text PRIMARY KEY NOT NULL,
	"tenant_id" text NOT NULL,
	"customer_id" text NOT NULL,
	"invoice_id" text NOT NULL,
	"account_id" text NOT NULL,
	"address_index" integer NOT NULL,
	"checkout_token" text NOT NULL,
	"chain" text NOT NULL,
	"network" text NOT NULL,
	"asset" text NOT NULL,
	"address" text NOT NULL,
	"version" integer DEFAULT 0 NOT NULL,
	"status" text NOT NULL,
	"flags" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"quote_ordinal" integer DEFAULT 1 NOT NULL,
	"due_minor" bigint NOT NULL,
	"currency" char(3) NOT NULL,
	"usd_minor" bigint NOT NULL,
	"rate" text NOT NULL,
	"rate_sources" jsonb NOT NULL,
	"rate_at" timestamp (3) with time zone NOT NULL,
	"due_units" numeric(78, 0) NOT NULL,
	"min_due_units" numeric(78, 0) NOT NULL,
	"quoted_at" timestamp (3) with time zone NOT NULL,
	"expires_at" timestamp (3) with time zone NOT NULL,
	"policy" jsonb NOT NULL,
	"credited_units" numeric(78, 0) DEFAULT 0 NOT NULL,
	"confirmed_units" numeric(78, 0) DEFAULT 0 NOT NULL,
	"late_units" numeric(78, 0) DEFAULT 0 NOT NULL,
	"excess_units" numeric(78, 0) DEFAULT 0 NOT NULL,
	"booked_units" numeric(78, 0) DEFAULT 0 NOT NULL,
	"required_depth" integer,
	"wake_height" integer,
	"progress_at" timestamp (3) with time zone,
	"status_since" timestamp (3) with time zone NOT NULL,
	"settled_at" timestamp (3) with time zone,
	"reversals" integer DEFAULT 0 NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "crypto_invoices_due" CHECK ("crypto_invoices"."due_units" > 0 and "crypto_invoices"."min_due_units" between 1 and "crypto_invoices"."due_units"),
	CONSTRAINT "crypto_invoices_settled" CHECK ("crypto_invoices"."status" not in ('settled', 'final') or "crypto_invoices"."settled_at" is not null)
);
--> statement-breakpoint
CREATE TABLE "crypto_payments" (
	"chain" text NOT NULL,
	"key" text NOT NULL,
	"tenant_id" text NOT NULL,
	"crypto_invoice_id" text NOT NULL,
	"txid" text NOT NULL,
	"target" text NOT NULL,
	"asset" text,
	"token" text,
	"units" numeric(78, 0) NOT NULL,
	"height" integer,
	"block_hash" text,
	"effective_at" timestamp (3) with time zone NOT NULL,
	"seen_at" timestamp (3) with time zone,
	"orphaned_at" timestamp (3) with time zone,
	"rival_txid" text,
	"rival_height" integer,
	"unconfirmed_parent" text,
	"usd_rate" text,
	"status" text NOT NULL,
	"is_late" boolean DEFAULT false NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "crypto_payments_chain_key_pk" PRIMARY KEY("chain","key"),
	CONSTRAINT "crypto_payments_block" CHECK (("crypto_payments"."height" is null) = ("crypto_payments"."block_hash" is null))
);
--> statement-breakpoint
CREATE TABLE "crypto_prices" (
	"source" text NOT NULL,
	"asset" text NOT NULL,
	"currency" char(3) NOT NULL,
	"rate" text NOT NULL,
	"side" text NOT NULL,
	"at" timestamp (3) with time zone NOT NULL,
	"fetched_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "crypto_prices_source_asset_currency_pk" PRIMARY KEY("source","asset","currency"),
	CONSTRAINT "crypto_prices_rate" CHECK ("crypto_prices"."rate" ~ '^[0-9]{1,30}([.][0-9]{1,30})?$' and "crypto_prices"."rate" ~ '[1-9]')
);
--> statement-breakpoint
CREATE TABLE "crypto_spends" (
	"chain" text NOT NULL,
	"spend" text NOT NULL,
	"txid" text NOT NULL,
	"parent_txid" text,
	CONSTRAINT "crypto_spends_chain_spend_txid_pk" PRIMARY KEY("chain","spend","txid")
);
--> statement-breakpoint
ALTER TABLE "crypto_disposal_parts" ADD CONSTRAINT "crypto_disposal_parts_tenant_id_tenants_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "crypto_disposal_parts" ADD CONSTRAINT "crypto_disposal_parts_disposal_id_crypto_disposals_id_fk" FOREIGN KEY ("disposal_id") REFERENCES "public"."crypto_disposals"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "crypto_disposal_parts" ADD CONSTRAINT "crypto_disposal_parts_lot_id_crypto_lots_id_fk" FOREIGN KEY ("lot_id") REFERENCES "public"."crypto_lots"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "crypto_disposals" ADD CONSTRAINT "crypto_disposals_tenant_id_tenants_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "crypto_disposals" ADD CONSTRAINT "crypto_disposals_account_id_crypto_accounts_id_fk" FOREIGN KEY ("account_id") REFERENCES "public"."crypto_accounts"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "crypto_lots" ADD CONSTRAINT "crypto_lots_tenant_id_tenants_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "crypto_lots" ADD CONSTRAINT "crypto_lots_account_id_crypto_accounts_id_fk" FOREIGN KEY ("account_id") REFERENCES "public"."crypto_accounts"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "crypto_lots" ADD CONSTRAINT "crypto_lots_crypto_invoice_id_crypto_invoices_id_fk" FOREIGN KEY ("crypto_invoice_id") REFERENCES "public"."crypto_invoices"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "crypto_accounts" ADD CONSTRAINT "crypto_accounts_tenant_id_tenants_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "crypto_acts" ADD CONSTRAINT "crypto_acts_tenant_id_tenants_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "crypto_acts" ADD CONSTRAINT "crypto_acts_crypto_invoice_id_crypto_invoices_id_fk" FOREIGN KEY ("crypto_invoice_id") REFERENCES "public"."crypto_invoices"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "crypto_addresses" ADD CONSTRAINT "crypto_addresses_tenant_id_tenants_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "crypto_addresses" ADD CONSTRAINT "crypto_addresses_crypto_invoice_id_crypto_invoices_id_fk" FOREIGN KEY ("crypto_invoice_id") REFERENCES "public"."crypto_invoices"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "crypto_events" ADD CONSTRAINT "crypto_events_tenant_id_tenants_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "crypto_events" ADD CONSTRAINT "crypto_events_crypto_invoice_id_crypto_invoices_id_fk" FOREIGN KEY ("crypto_invoice_id") REFERENCES "public"."crypto_invoices"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "crypto_invoices" ADD CONSTRAINT "crypto_invoices_tenant_id_tenants_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "crypto_invoices" ADD CONSTRAINT "crypto_invoices_customer_id_customers_id_fk" FOREIGN KEY ("customer_id") REFERENCES "public"."customers"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "crypto_invoices" ADD CONSTRAINT "crypto_invoices_invoice_id_invoices_id_fk" FOREIGN KEY ("invoice_id") REFERENCES "public"."invoices"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "crypto_invoices" ADD CONSTRAINT "crypto_invoices_account_id_crypto_accounts_id_fk" FOREIGN KEY ("account_id") REFERENCES "public"."crypto_accounts"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "crypto_payments" ADD CONSTRAINT "crypto_payments_tenant_id_tenants_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "crypto_payments" ADD CONSTRAINT "crypto_payments_crypto_invoice_id_crypto_invoices_id_fk" FOREIGN KEY ("crypto_invoice_id") REFERENCES "public"."crypto_invoices"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "crypto_disposal_parts_position" ON "crypto_disposal_parts" USING btree ("disposal_id","position");--> statement-breakpoint
CREATE INDEX "crypto_disposal_parts_lot" ON "crypto_disposal_parts" USING btree ("lot_id");--> statement-breakpoint
CREATE UNIQUE INDEX "crypto_disposals_reference" ON "crypto_disposals" USING btree ("tenant_id","reference");--> statement-breakpoint
CREATE UNIQUE INDEX "crypto_lots_payment" ON "crypto_lots" USING btree ("chain","payment_key");--> statement-breakpoint
CREATE INDEX "crypto_lots_wallet" ON "crypto_lots" USING btree ("tenant_id","account_id","asset","acquired_at");--> statement-breakpoint
CREATE UNIQUE INDEX "crypto_accounts_key" ON "crypto_accounts" USING btree ("family","network","fingerprint");--> statement-breakpoint
CREATE UNIQUE INDEX "crypto_accounts_current" ON "crypto_accounts" USING btree ("tenant_id","family") WHERE "crypto_accounts"."retired_at" is null;--> statement-breakpoint
CREATE UNIQUE INDEX "crypto_acts_order" ON "crypto_acts" USING btree ("crypto_invoice_id","ordinal");--> statement-breakpoint
CREATE INDEX "crypto_acts_invoice" ON "crypto_acts" USING btree ("tenant_id","crypto_invoice_id");--> statement-breakpoint
CREATE INDEX "crypto_acts_waiting" ON "crypto_acts" USING btree ("tenant_id","id") WHERE "crypto_acts"."status" = 'requested';--> statement-breakpoint
CREATE INDEX "crypto_addresses_invoice" ON "crypto_addresses" USING btree ("crypto_invoice_id");--> statement-breakpoint
CREATE UNIQUE INDEX "crypto_events_once" ON "crypto_events" USING btree ("crypto_invoice_id","key");--> statement-breakpoint
CREATE INDEX "crypto_events_waiting" ON "crypto_events" USING btree ("crypto_invoice_id","id") WHERE "crypto_events"."carried_out_at" is null;--> statement-breakpoint
CREATE UNIQUE INDEX "crypto_invoices_address" ON "crypto_invoices" USING btree ("account_id","address_index");--> statement-breakpoint
CREATE UNIQUE INDEX "crypto_invoices_checkout" ON "crypto_invoices" USING btree ("checkout_token");--> statement-breakpoint
CREATE INDEX "crypto_invoices_current" ON "crypto_invoices" USING btree ("invoice_id") WHERE "crypto_invoices"."status" in ('awaiting', 'processing');--> statement-breakpoint
CREATE INDEX "crypto_invoices_invoice" ON "crypto_invoices" USING btree ("tenant_id","invoice_id");--> statement-breakpoint
CREATE INDEX "crypto_invoices_list" ON "crypto_invoices" USING btree ("tenant_id","status","id");--> statement-breakpoint
CREATE INDEX "crypto_invoices_expiry" ON "crypto_invoices" USING btree ("chain","expires_at") WHERE "crypto_invoices"."status" = 'awaiting';--> statement-breakpoint
CREATE INDEX "crypto_invoices_wake" ON "crypto_invoices" USING btree ("chain","wake_height") WHERE "crypto_invoices"."wake_height" is not null;--> statement-breakpoint
CREATE INDEX "crypto_payments_invoice" ON "crypto_payments" USING btree ("crypto_invoice_id");--> statement-breakpoint
CREATE INDEX "crypto_payments_txid" ON "crypto_payments" USING btree ("chain","txid");--> statement-breakpoint
CREATE INDEX "crypto_payments_height" ON "crypto_payments" USING btree ("chain","height") WHERE "crypto_payments"."height" is not null;--> statement-breakpoint
CREATE INDEX "crypto_payments_rival" ON "crypto_payments" USING btree ("chain","rival_height") WHERE "crypto_payments"."rival_height" is not null;--> statement-breakpoint
CREATE INDEX "crypto_payments_unmined" ON "crypto_payments" USING btree ("chain") WHERE "crypto_payments"."height" is null and "crypto_payments"."status" in ('seen', 'orphaned');--> statement-breakpoint
CREATE INDEX "crypto_spends_txid" ON "crypto_spends" USING btree ("chain","txid");--> statement-breakpoint
CREATE INDEX "crypto_spends_parent" ON "crypto_spends" USING btree ("chain","parent_txid") WHERE "crypto_spends"."parent_txid" is not null;--> statement-breakpoint
-- By hand: rights and row-level security. Nothing is removed: an address, a payment and a decision stay readable for ever.
GRANT SELECT, INSERT, UPDATE ON "crypto_accounts", "crypto_invoices", "crypto_addresses", "crypto_payments", "crypto_events", "crypto_acts" TO perennial_app;--> statement-breakpoint
-- The watcher of a chain finds whose a transfer is, and writes what became of it.
GRANT SELECT ON "crypto_addresses", "crypto_acts" TO perennial_system;--> statement-breakpoint
GRANT SELECT, INSERT, UPDATE ON "crypto_invoices", "crypto_payments", "crypto_events" TO perennial_system;--> statement-breakpoint
-- Chains belong to no tenant.
GRANT SELECT ON "chains", "chain_blocks", "crypto_prices", "crypto_spends" TO perennial_app;--> statement-breakpoint
GRANT SELECT, INSERT, UPDATE, DELETE ON "chains", "chain_blocks", "crypto_prices", "crypto_spends" TO perennial_system;--> statement-breakpoint
DO $$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['crypto_accounts', 'crypto_invoices', 'crypto_addresses', 'crypto_payments', 'crypto_events', 'crypto_acts'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY tenant ON %I USING (tenant_id = current_tenant()) WITH CHECK (tenant_id = current_tenant())', t);
    IF t <> 'crypto_accounts' THEN
      EXECUTE format('CREATE POLICY system ON %I TO perennial_system USING (true) WITH CHECK (true)', t);
    END IF;
  END LOOP;
  FOREACH t IN ARRAY ARRAY['chains', 'chain_blocks', 'crypto_prices', 'crypto_spends'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY everybody ON %I FOR SELECT USING (true)', t);
    EXECUTE format('CREATE POLICY system ON %I TO perennial_system USING (true) WITH CHECK (true)', t);
  END LOOP;
END $$;
