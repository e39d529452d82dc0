CREATE TABLE "invoice_drafts" (
	"id" text PRIMARY KEY NOT NULL,
	"tenant_id" text NOT NULL,
	"customer_id" text NOT NULL,
	"subscription_id" text NOT NULL,
	"currency" char(3) NOT NULL,
	"lines" jsonb NOT NULL,
	"days_until_due" integer NOT NULL,
	"finalises_at" timestamp (3) with time zone,
	"drafted_at" timestamp (3) with time zone NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
ALTER TABLE "invoices" ADD COLUMN "due_at" timestamp (3) with time zone DEFAULT now() NOT NULL;--> statement-breakpoint
ALTER TABLE "invoices" ADD COLUMN "reminded_days" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "notifications" ADD COLUMN "attaches" jsonb;--> statement-breakpoint
ALTER TABLE "notifications" ADD COLUMN "attached" jsonb;--> statement-breakpoint
ALTER TABLE "invoice_drafts" ADD CONSTRAINT "invoice_drafts_tenant_id_tenants_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "invoice_drafts" ADD CONSTRAINT "invoice_drafts_customer_id_customers_id_fk" FOREIGN KEY ("customer_id") REFERENCES "public"."customers"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "invoice_drafts" ADD CONSTRAINT "invoice_drafts_subscription_id_subscriptions_id_fk" FOREIGN KEY ("subscription_id") REFERENCES "public"."subscriptions"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "invoice_drafts_customer" ON "invoice_drafts" USING btree ("tenant_id","customer_id");--> statement-breakpoint
CREATE INDEX "invoice_drafts_to_finalise" ON "invoice_drafts" USING btree ("tenant_id","id") WHERE "invoice_drafts"."finalises_at" is not null;--> statement-breakpoint
CREATE INDEX "invoices_to_remind" ON "invoices" USING btree ("tenant_id","id") WHERE "invoices"."status" = 'open';--> statement-breakpoint

-- By hand from here on: who may do what. Invoices that are there were charged, so they were due when they were issued; of
-- what has been open since then nobody is reminded now.
GRANT SELECT, INSERT, UPDATE, DELETE ON "invoice_drafts" TO perennial_app;--> statement-breakpoint
ALTER TABLE "invoice_drafts" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
ALTER TABLE "invoice_drafts" FORCE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE POLICY tenant ON "invoice_drafts" USING (tenant_id = current_tenant()) WITH CHECK (tenant_id = current_tenant());--> statement-breakpoint
ALTER TABLE "invoices" NO FORCE ROW LEVEL SECURITY;--> statement-breakpoint
UPDATE "invoices" SET "due_at" = "issued_at", "reminded_days" = 14;--> statement-breakpoint
ALTER TABLE "invoices" FORCE ROW LEVEL SECURITY;
