CREATE TABLE "bank_accounts" (
	"id" text PRIMARY KEY NOT NULL,
	"tenant_id" text NOT NULL,
	"name" text NOT NULL,
	"currency" char(3) NOT NULL,
	"is_receiving" boolean NOT NULL,
	"mask" text,
	"statement_account" text,
	"csv_mapping" jsonb,
	"connection_id" text,
	"external_id" text,
	"persistent_id" text,
	"closed_at" timestamp (3) with time zone,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "bank_accounts_feed" CHECK (("bank_accounts"."connection_id" is null) = ("bank_accounts"."external_id" is null))
);
--> statement-breakpoint
CREATE TABLE "bank_allocations" (
	"id" text PRIMARY KEY NOT NULL,
	"tenant_id" text NOT NULL,
	"transaction_id" text NOT NULL,
	"decision_id" text NOT NULL,
	"payment_id" text NOT NULL,
	"invoice_id" text NOT NULL,
	"amount_minor" bigint NOT NULL,
	"undone_at" timestamp (3) with time zone,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "bank_allocations_amount" CHECK ("bank_allocations"."amount_minor" > 0)
);
--> statement-breakpoint
CREATE TABLE "bank_decisions" (
	"id" text PRIMARY KEY NOT NULL,
	"tenant_id" text NOT NULL,
	"transaction_id" text NOT NULL,
	"ordinal" integer NOT NULL,
	"kind" text NOT NULL,
	"rule" text,
	"decision" jsonb,
	"act" jsonb,
	"decided_by" text NOT NULL,
	"decided_at" timestamp (3) with time zone NOT NULL,
	"undone_at" timestamp (3) with time zone,
	"undone_by" text,
	"undone_reason" text,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "bank_decisions_source" CHECK (num_nonnulls("bank_decisions"."decision", "bank_decisions"."act") = 1)
);
--> statement-breakpoint
CREATE TABLE "bank_details" (
	"tenant_id" text NOT NULL,
	"version" integer NOT NULL,
	"configuration" jsonb NOT NULL,
	"actor" text NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "bank_details_tenant_id_version_pk" PRIMARY KEY("tenant_id","version"),
	CONSTRAINT "bank_details_version" CHECK ("bank_details"."version" > 0)
);
--> statement-breakpoint
CREATE TABLE "bank_statements" (
	"id" text PRIMARY KEY NOT NULL,
	"tenant_id" text NOT NULL,
	"account_id" text NOT NULL,
	"sha256" text NOT NULL,
	"source" text NOT NULL,
	"movements" integer NOT NULL,
	"added" integer NOT NULL,
	"suspected_copies" integer NOT NULL,
	"actor" text NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "bank_transactions" (
	"id" text PRIMARY KEY NOT NULL,
	"tenant_id" text NOT NULL,
	"account_id" text NOT NULL,
	"source" text NOT NULL,
	"external_id" text NOT NULL,
	"statement_id" text,
	"amount_minor" bigint NOT NULL,
	"currency" char(3) NOT NULL,
	"booked_on" date NOT NULL,
	"authorised_on" date,
	"pending" boolean NOT NULL,
	"pending_external_id" text,
	"texts" text[] NOT NULL,
	"payer_name" text,
	"payer_account" text,
	"bank_reference" text,
	"rounded_from" text,
	"status" text NOT NULL,
	"version" integer DEFAULT 0 NOT NULL,
	"decided_version" integer,
	"copy_of_id" text,
	"copy_judged_at" timestamp (3) with time zone,
	"allocated_minor" bigint DEFAULT 0 NOT NULL,
	"reversed_at" timestamp (3) with time zone,
	"removed_at" timestamp (3) with time zone,
	"erased_at" timestamp (3) with time zone,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "bank_transactions_allocated" CHECK ("bank_transactions"."allocated_minor" between 0 and greatest("bank_transactions"."amount_minor", 0)),
	CONSTRAINT "bank_transactions_copy" CHECK ("bank_transactions"."copy_of_id" is null or "bank_transactions"."copy_of_id" <> "bank_transactions"."id")
);
--> statement-breakpoint
CREATE TABLE "bank_transfers" (
	"id" text PRIMARY KEY NOT NULL,
	"tenant_id" text NOT NULL,
	"customer_id" text NOT NULL,
	"invoice_id" text NOT NULL,
	"page_token" text NOT NULL,
	"reference" text NOT NULL,
	"version" integer DEFAULT 0 NOT NULL,
	"status" text NOT NULL,
	"status_since" timestamp (3) with time zone NOT NULL,
	"details_version" integer NOT NULL,
	"instructions" jsonb NOT NULL,
	"is_international" boolean NOT NULL,
	"currency" char(3) NOT NULL,
	"issued_at" timestamp (3) with time zone NOT NULL,
	"ask_at" timestamp (3) with time zone NOT NULL,
	"alert_at" timestamp (3) with time zone NOT NULL,
	"expires_at" timestamp (3) with time zone NOT NULL,
	"asked_at" timestamp (3) with time zone,
	"alerted_at" timestamp (3) with time zone,
	"held_at" timestamp (3) with time zone,
	"hold_reason" text,
	"confirmation_number" text,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "bank_transfers_reference_form" CHECK ("bank_transfers"."reference" ~ '^ADV[0-9]{8}$'),
	CONSTRAINT "bank_transfers_held" CHECK (("bank_transfers"."status" = 'on_hold') = ("bank_transfers"."held_at" is not null) and ("bank_transfers"."held_at" is null) = ("bank_transfers"."hold_reason" is null))
);
--> statement-breakpoint
ALTER TABLE "bank_accounts" ADD CONSTRAINT "bank_accounts_tenant_id_tenants_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "bank_allocations" ADD CONSTRAINT "bank_allocations_tenant_id_tenants_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "bank_allocations" ADD CONSTRAINT "bank_allocations_transaction_id_bank_transactions_id_fk" FOREIGN KEY ("transaction_id") REFERENCES "public"."bank_transactions"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "bank_allocations" ADD CONSTRAINT "bank_allocations_decision_id_bank_decisions_id_fk" FOREIGN KEY ("decision_id") REFERENCES "public"."bank_decisions"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "bank_allocations" ADD CONSTRAINT "bank_allocations_payment_id_payments_id_fk" FOREIGN KEY ("payment_id") REFERENCES "public"."payments"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "bank_allocations" ADD CONSTRAINT "bank_allocations_invoice_id_invoices_id_fk" FOREIGN KEY ("invoice_id") REFERENCES "public"."invoices"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "bank_decisions" ADD CONSTRAINT "bank_decisions_tenant_id_tenants_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "bank_decisions" ADD CONSTRAINT "bank_decisions_transaction_id_bank_transactions_id_fk" FOREIGN KEY ("transaction_id") REFERENCES "public"."bank_transactions"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "bank_details" ADD CONSTRAINT "bank_details_tenant_id_tenants_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "bank_statements" ADD CONSTRAINT "bank_statements_tenant_id_tenants_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "bank_statements" ADD CONSTRAINT "bank_statements_account_id_bank_accounts_id_fk" FOREIGN KEY ("account_id") REFERENCES "public"."bank_accounts"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "bank_transactions" ADD CONSTRAINT "bank_transactions_tenant_id_tenants_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "bank_transactions" ADD CONSTRAINT "bank_transactions_account_id_bank_accounts_id_fk" FOREIGN KEY ("account_id") REFERENCES "public"."bank_accounts"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "bank_transactions" ADD CONSTRAINT "bank_transactions_statement_id_bank_statements_id_fk" FOREIGN KEY ("statement_id") REFERENCES "public"."bank_statements"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "bank_transactions" ADD CONSTRAINT "bank_transactions_copy_of_id_bank_transactions_id_fk" FOREIGN KEY ("copy_of_id") REFERENCES "public"."bank_transactions"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "bank_transfers" ADD CONSTRAINT "bank_transfers_tenant_id_tenants_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "bank_transfers" ADD CONSTRAINT "bank_transfers_customer_id_customers_id_fk" FOREIGN KEY ("customer_id") REFERENCES "public"."customers"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "bank_transfers" ADD CONSTRAINT "bank_transfers_invoice_id_invoices_id_fk" FOREIGN KEY ("invoice_id") REFERENCES "public"."invoices"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "bank_accounts_list" ON "bank_accounts" USING btree ("tenant_id","id");--> statement-breakpoint
CREATE UNIQUE INDEX "bank_accounts_statement" ON "bank_accounts" USING btree ("tenant_id","statement_account","currency") WHERE "bank_accounts"."statement_account" is not null and "bank_accounts"."closed_at" is null;--> statement-breakpoint
CREATE UNIQUE INDEX "bank_accounts_external" ON "bank_accounts" USING btree ("connection_id","external_id");--> statement-breakpoint
CREATE UNIQUE INDEX "bank_accounts_persistent" ON "bank_accounts" USING btree ("tenant_id","persistent_id");--> statement-breakpoint
CREATE UNIQUE INDEX "bank_allocations_payment" ON "bank_allocations" USING btree ("payment_id") WHERE "bank_allocations"."undone_at" is null;--> statement-breakpoint
CREATE INDEX "bank_allocations_transaction" ON "bank_allocations" USING btree ("tenant_id","transaction_id");--> statement-breakpoint
CREATE INDEX "bank_allocations_invoice" ON "bank_allocations" USING btree ("tenant_id","invoice_id");--> statement-breakpoint
CREATE UNIQUE INDEX "bank_decisions_ordinal" ON "bank_decisions" USING btree ("transaction_id","ordinal");--> statement-breakpoint
CREATE UNIQUE INDEX "bank_statements_file" ON "bank_statements" USING btree ("account_id","sha256");--> statement-breakpoint
CREATE INDEX "bank_statements_list" ON "bank_statements" USING btree ("tenant_id","account_id","id");--> statement-breakpoint
CREATE UNIQUE INDEX "bank_transactions_external" ON "bank_transactions" USING btree ("account_id","source","external_id");--> statement-breakpoint
CREATE INDEX "bank_transactions_list" ON "bank_transactions" USING btree ("tenant_id","status","id");--> statement-breakpoint
CREATE INDEX "bank_transactions_day" ON "bank_transactions" USING btree ("account_id","booked_on","id");--> statement-breakpoint
CREATE INDEX "bank_transactions_amount" ON "bank_transactions" USING btree ("tenant_id","currency","amount_minor","booked_on");--> statement-breakpoint
CREATE INDEX "bank_transactions_undecided" ON "bank_transactions" USING btree ("tenant_id","booked_on","id") WHERE "bank_transactions"."status" = 'new';--> statement-breakpoint
CREATE INDEX "bank_transactions_changed" ON "bank_transactions" USING btree ("tenant_id","booked_on","id") WHERE "bank_transactions"."version" > "bank_transactions"."decided_version";--> statement-breakpoint
CREATE INDEX "bank_transactions_replaces" ON "bank_transactions" USING btree ("account_id","source","pending_external_id") WHERE "bank_transactions"."pending_external_id" is not null;--> statement-breakpoint
CREATE INDEX "bank_transactions_copies" ON "bank_transactions" USING btree ("copy_of_id") WHERE "bank_transactions"."copy_of_id" is not null;--> statement-breakpoint
CREATE INDEX "bank_transactions_bank_reference" ON "bank_transactions" USING btree ("tenant_id","bank_reference") WHERE "bank_transactions"."bank_reference" is not null;--> statement-breakpoint
CREATE UNIQUE INDEX "bank_transfers_invoice" ON "bank_transfers" USING btree ("invoice_id");--> statement-breakpoint
CREATE UNIQUE INDEX "bank_transfers_reference" ON "bank_transfers" USING btree ("reference");--> statement-breakpoint
CREATE UNIQUE INDEX "bank_transfers_page" ON "bank_transfers" USING btree ("page_token");--> statement-breakpoint
CREATE INDEX "bank_transfers_list" ON "bank_transfers" USING btree ("tenant_id","status","id");--> statement-breakpoint
CREATE INDEX "bank_transfers_confirmation" ON "bank_transfers" USING btree ("tenant_id","confirmation_number") WHERE "bank_transfers"."confirmation_number" is not null;--> statement-breakpoint
-- By hand: rights and row-level security. Details, decisions and allocations are kept for ever; what they say is not changed.
GRANT SELECT, INSERT ON "bank_details" TO perennial_app;--> statement-breakpoint
GRANT SELECT, INSERT, UPDATE ON "bank_transfers" TO perennial_app;--> statement-breakpoint
GRANT SELECT, INSERT, UPDATE ON "bank_accounts" TO perennial_app;--> statement-breakpoint
GRANT SELECT, INSERT, UPDATE ON "bank_statements" TO perennial_app;--> statement-breakpoint
GRANT SELECT, INSERT, UPDATE ON "bank_transactions" TO perennial_app;--> statement-breakpoint
GRANT SELECT, INSERT, UPDATE ON "bank_decisions" TO perennial_app;--> statement-breakpoint
GRANT SELECT, INSERT, UPDATE ON "bank_allocations" TO perennial_app;--> statement-breakpoint
-- Whoever opens a customer's page knows its token alone, and whoever gives a reference must not give another tenant's.
GRANT SELECT ("id", "tenant_id", "page_token", "reference") ON "bank_transfers" TO perennial_system;--> statement-breakpoint
ALTER TABLE "bank_details" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
ALTER TABLE "bank_details" FORCE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE POLICY tenant ON "bank_details" USING (tenant_id = current_tenant()) WITH CHECK (tenant_id = current_tenant());--> statement-breakpoint
ALTER TABLE "bank_transfers" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
ALTER TABLE "bank_transfers" FORCE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE POLICY tenant ON "bank_transfers" USING (tenant_id = current_tenant()) WITH CHECK (tenant_id = current_tenant());--> statement-breakpoint
CREATE POLICY system ON "bank_transfers" FOR SELECT TO perennial_system USING (true);--> statement-breakpoint
ALTER TABLE "bank_accounts" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
ALTER TABLE "bank_accounts" FORCE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE POLICY tenant ON "bank_accounts" USING (tenant_id = current_tenant()) WITH CHECK (tenant_id = current_tenant());--> statement-breakpoint
ALTER TABLE "bank_statements" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
ALTER TABLE "bank_statements" FORCE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE POLICY tenant ON "bank_statements" USING (tenant_id = current_tenant()) WITH CHECK (tenant_id = current_tenant());--> statement-breakpoint
ALTER TABLE "bank_transactions" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
ALTER TABLE "bank_transactions" FORCE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE POLICY tenant ON "bank_transactions" USING (tenant_id = current_tenant()) WITH CHECK (tenant_id = current_tenant());--> statement-breakpoint
ALTER TABLE "bank_decisions" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
ALTER TABLE "bank_decisions" FORCE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE POLICY tenant ON "bank_decisions" USING (tenant_id = current_tenant()) WITH CHECK (tenant_id = current_tenant());--> statement-breakpoint
ALTER TABLE "bank_allocations" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
ALTER TABLE "bank_allocations" FORCE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE POLICY tenant ON "bank_allocations" USING (tenant_id = current_tenant()) WITH CHECK (tenant_id = current_tenant());
