CREATE TABLE "coinbase_checkouts" (
	"id" text PRIMARY KEY NOT NULL,
	"tenant_id" text NOT NULL,
	"customer_id" text NOT NULL,
	"invoice_id" text NOT NULL,
	"provider" text NOT NULL,
	"status" text NOT NULL,
	"external_id" text,
	"url" text,
	"amount_minor" bigint NOT NULL,
	"currency" char(3) NOT NULL,
	"received" text,
	"transaction_id" text,
	"requested_at" timestamp (3) with time zone NOT NULL,
	"asked_at" timestamp (3) with time zone,
	"expires_at" timestamp (3) with time zone,
	"processing_at" timestamp (3) with time zone,
	"looked_at" timestamp (3) with time zone,
	"closed_at" timestamp (3) with time zone,
	"failure_code" text,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "coinbase_checkouts_amount" CHECK ("coinbase_checkouts"."amount_minor" > 0),
	CONSTRAINT "coinbase_checkouts_named" CHECK ("coinbase_checkouts"."external_id" is not null or "coinbase_checkouts"."status" in ('creating', 'refused')),
	CONSTRAINT "coinbase_checkouts_closed" CHECK ("coinbase_checkouts"."closed_at" is not null or "coinbase_checkouts"."status" in ('creating', 'active', 'processing'))
);
--> statement-breakpoint
ALTER TABLE "coinbase_checkouts" ADD CONSTRAINT "coinbase_checkouts_tenant_id_tenants_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "coinbase_checkouts" ADD CONSTRAINT "coinbase_checkouts_customer_id_customers_id_fk" FOREIGN KEY ("customer_id") REFERENCES "public"."customers"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "coinbase_checkouts" ADD CONSTRAINT "coinbase_checkouts_invoice_id_invoices_id_fk" FOREIGN KEY ("invoice_id") REFERENCES "public"."invoices"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "coinbase_checkouts_external" ON "coinbase_checkouts" USING btree ("tenant_id","external_id");--> statement-breakpoint
CREATE UNIQUE INDEX "coinbase_checkouts_current" ON "coinbase_checkouts" USING btree ("invoice_id") WHERE "coinbase_checkouts"."provider" = 'business' and "coinbase_checkouts"."closed_at" is null;--> statement-breakpoint
CREATE INDEX "coinbase_checkouts_invoice" ON "coinbase_checkouts" USING btree ("tenant_id","invoice_id");--> statement-breakpoint
-- By hand: rights and row-level security. A checkout is never removed: it says what a payment at Coinbase was for. Its process
-- knows its id alone, so the system may look whose it is, and nothing else of it.
GRANT SELECT, INSERT, UPDATE ON "coinbase_checkouts" TO perennial_app;--> statement-breakpoint
GRANT SELECT ("id", "tenant_id") ON "coinbase_checkouts" TO perennial_system;--> statement-breakpoint
ALTER TABLE "coinbase_checkouts" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
ALTER TABLE "coinbase_checkouts" FORCE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE POLICY tenant ON "coinbase_checkouts" USING (tenant_id = current_tenant()) WITH CHECK (tenant_id = current_tenant());--> statement-breakpoint
CREATE POLICY system ON "coinbase_checkouts" FOR SELECT TO perennial_system USING (true);
