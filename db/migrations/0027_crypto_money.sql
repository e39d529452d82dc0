CREATE TABLE "crypto_payouts" (
	"id" text PRIMARY KEY NOT NULL,
	"tenant_id" text NOT NULL,
	"customer_id" text NOT NULL,
	"crypto_invoice_id" text NOT NULL,
	"payment_key" text,
	"refund_id" text,
	"chain" text NOT NULL,
	"network" text NOT NULL,
	"asset" text NOT NULL,
	"units" numeric(78, 0) NOT NULL,
	"usd_minor" bigint NOT NULL,
	"address" text NOT NULL,
	"target" text NOT NULL,
	"status" text NOT NULL,
	"reason" text NOT NULL,
	"requested_by" text NOT NULL,
	"requested_at" timestamp (3) with time zone NOT NULL,
	"decided_by" text,
	"decided_at" timestamp (3) with time zone,
	"rejection" text,
	"txid" text,
	"broadcast_by" text,
	"broadcast_at" timestamp (3) with time zone,
	"height" integer,
	"told_at" timestamp (3) with time zone,
	"confirmed_at" timestamp (3) with time zone,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "crypto_payouts_units" CHECK ("crypto_payouts"."units" > 0),
	CONSTRAINT "crypto_payouts_source" CHECK (("crypto_payouts"."payment_key" is null) = ("crypto_payouts"."refund_id" is not null)),
	CONSTRAINT "crypto_payouts_sent" CHECK (("crypto_payouts"."status" in ('broadcast', 'confirmed')) = ("crypto_payouts"."txid" is not null))
);
--> statement-breakpoint
ALTER TABLE "crypto_payouts" ADD CONSTRAINT "crypto_payouts_tenant_id_tenants_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "crypto_payouts" ADD CONSTRAINT "crypto_payouts_customer_id_customers_id_fk" FOREIGN KEY ("customer_id") REFERENCES "public"."customers"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "crypto_payouts" ADD CONSTRAINT "crypto_payouts_crypto_invoice_id_crypto_invoices_id_fk" FOREIGN KEY ("crypto_invoice_id") REFERENCES "public"."crypto_invoices"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "crypto_payouts" ADD CONSTRAINT "crypto_payouts_refund_id_refunds_id_fk" FOREIGN KEY ("refund_id") REFERENCES "public"."refunds"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "crypto_payouts_invoice" ON "crypto_payouts" USING btree ("tenant_id","crypto_invoice_id");--> statement-breakpoint
CREATE INDEX "crypto_payouts_list" ON "crypto_payouts" USING btree ("tenant_id","status","id");--> statement-breakpoint
CREATE INDEX "crypto_payouts_sent" ON "crypto_payouts" USING btree ("chain","txid") WHERE "crypto_payouts"."status" = 'broadcast';--> statement-breakpoint
CREATE UNIQUE INDEX "crypto_payouts_payment" ON "crypto_payouts" USING btree ("chain","payment_key") WHERE "crypto_payouts"."status" <> 'rejected';--> statement-breakpoint
CREATE UNIQUE INDEX "crypto_payouts_excess" ON "crypto_payouts" USING btree ("crypto_invoice_id") WHERE "crypto_payouts"."payment_key" is null and "crypto_payouts"."status" in ('requested', 'approved', 'broadcast');--> statement-breakpoint
-- By hand: rights and row-level security. Nothing is removed.
GRANT SELECT, INSERT, UPDATE ON "crypto_lots", "crypto_payouts" TO perennial_app;--> statement-breakpoint
-- What left a wallet is never written anew.
GRANT SELECT, INSERT ON "crypto_disposals", "crypto_disposal_parts" TO perennial_app;--> statement-breakpoint
-- The watcher of a chain says where the transaction of a payout is.
GRANT SELECT, UPDATE ON "crypto_payouts" TO perennial_system;--> statement-breakpoint
DO $$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['crypto_lots', 'crypto_disposals', 'crypto_disposal_parts', 'crypto_payouts'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY tenant ON %I USING (tenant_id = current_tenant()) WITH CHECK (tenant_id = current_tenant())', t);
  END LOOP;
END $$;--> statement-breakpoint
CREATE POLICY system ON "crypto_payouts" TO perennial_system USING (true) WITH CHECK (true);
