CREATE TABLE "invoice_line_taxes" (
	"id" text PRIMARY KEY NOT NULL,
	"tenant_id" text NOT NULL,
	"invoice_id" text NOT NULL,
	"line_id" text NOT NULL,
	"position" integer NOT NULL,
	"name" text NOT NULL,
	"kind" text NOT NULL,
	"percent" text NOT NULL,
	"jurisdiction" text NOT NULL,
	"base_minor" bigint NOT NULL,
	"amount_minor" bigint NOT NULL
);
--> statement-breakpoint
CREATE TABLE "tax_rates" (
	"id" text PRIMARY KEY NOT NULL,
	"tenant_id" text NOT NULL,
	"country" text NOT NULL,
	"region" text,
	"kind" text NOT NULL,
	"name" text NOT NULL,
	"percent" text NOT NULL,
	"valid_from" date NOT NULL,
	"archived_at" timestamp (3) with time zone,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "tax_settings" (
	"tenant_id" text PRIMARY KEY NOT NULL,
	"legal_name" text NOT NULL,
	"address" jsonb NOT NULL,
	"tax_ids" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"price_display" text NOT NULL,
	"updated_at" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
ALTER TABLE "customers" ADD COLUMN "address" jsonb;--> statement-breakpoint
ALTER TABLE "customers" ADD COLUMN "tax_id" text;--> statement-breakpoint
ALTER TABLE "customers" ADD COLUMN "tax_exempt_reason" text;--> statement-breakpoint
ALTER TABLE "invoice_lines" ADD COLUMN "tax_code" text;--> statement-breakpoint
ALTER TABLE "invoice_lines" ADD COLUMN "tax_rates" jsonb DEFAULT '[]'::jsonb NOT NULL;--> statement-breakpoint
ALTER TABLE "invoices" ADD COLUMN "tax_minor" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "invoices" ADD COLUMN "subtotal_minor" bigint GENERATED ALWAYS AS (total_minor - tax_minor) STORED NOT NULL;--> statement-breakpoint
ALTER TABLE "invoices" ADD COLUMN "tax_treatment" text;--> statement-breakpoint
ALTER TABLE "invoices" ADD COLUMN "tax_inclusive" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "invoices" ADD COLUMN "notes" text[] DEFAULT '{}' NOT NULL;--> statement-breakpoint
ALTER TABLE "invoices" ADD COLUMN "seller" jsonb;--> statement-breakpoint
ALTER TABLE "plans" ADD COLUMN "tax_code" text;--> statement-breakpoint
ALTER TABLE "credit_notes" ADD COLUMN "tax_minor" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "invoice_line_taxes" ADD CONSTRAINT "invoice_line_taxes_tenant_id_tenants_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "invoice_line_taxes" ADD CONSTRAINT "invoice_line_taxes_invoice_id_invoices_id_fk" FOREIGN KEY ("invoice_id") REFERENCES "public"."invoices"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "invoice_line_taxes" ADD CONSTRAINT "invoice_line_taxes_line_id_invoice_lines_id_fk" FOREIGN KEY ("line_id") REFERENCES "public"."invoice_lines"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "tax_rates" ADD CONSTRAINT "tax_rates_tenant_id_tenants_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "tax_settings" ADD CONSTRAINT "tax_settings_tenant_id_tenants_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "invoice_line_taxes_invoice" ON "invoice_line_taxes" USING btree ("tenant_id","invoice_id");--> statement-breakpoint
CREATE UNIQUE INDEX "invoice_line_taxes_position" ON "invoice_line_taxes" USING btree ("line_id","position");--> statement-breakpoint
CREATE UNIQUE INDEX "tax_rates_once" ON "tax_rates" USING btree ("tenant_id","country",coalesce("region", ''),"kind","valid_from") WHERE "tax_rates"."archived_at" is null;--> statement-breakpoint
CREATE INDEX "tax_rates_country" ON "tax_rates" USING btree ("tenant_id","country");--> statement-breakpoint

-- By hand from here on: who may do what, and what is never rewritten. Invoices that are there keep their amounts: they
-- bear no tax, so their subtotal is their total.
GRANT SELECT, INSERT, UPDATE ON "tax_settings" TO perennial_app;--> statement-breakpoint
GRANT SELECT, INSERT ON "tax_rates", "invoice_line_taxes" TO perennial_app;--> statement-breakpoint
-- A rate is only ever archived.
GRANT UPDATE ("archived_at") ON "tax_rates" TO perennial_app;--> statement-breakpoint
DO $$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['tax_settings', 'tax_rates', 'invoice_line_taxes'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY tenant ON %I USING (tenant_id = current_tenant()) WITH CHECK (tenant_id = current_tenant())', t);
  END LOOP;
  -- What an invoice bears is issued with it and never changed.
  EXECUTE 'CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON "invoice_line_taxes" FOR EACH ROW EXECUTE FUNCTION refuse_change()';
  EXECUTE 'CREATE TRIGGER append_only_all BEFORE TRUNCATE ON "invoice_line_taxes" FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()';
END $$;
