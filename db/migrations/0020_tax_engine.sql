CREATE TABLE "tax_calculations" (
	"id" text PRIMARY KEY NOT NULL,
	"tenant_id" text NOT NULL,
	"customer_id" text NOT NULL,
	"engine" text NOT NULL,
	"external_id" text NOT NULL,
	"fingerprint" text NOT NULL,
	"lines" jsonb NOT NULL,
	"expires_at" timestamp (3) with time zone NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "tax_records" (
	"id" text PRIMARY KEY NOT NULL,
	"tenant_id" text NOT NULL,
	"invoice_id" text NOT NULL,
	"kind" text NOT NULL,
	"reference" text NOT NULL,
	"original_id" text,
	"lines" jsonb NOT NULL,
	"status" text DEFAULT 'owed' NOT NULL,
	"external_id" text,
	"external_lines" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"failure" text,
	"owed_at" timestamp (3) with time zone NOT NULL,
	"recorded_at" timestamp (3) with time zone,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "tax_records_original_kind" CHECK (("tax_records"."kind" = 'sale') = ("tax_records"."original_id" is null))
);
--> statement-breakpoint
ALTER TABLE "invoices" ADD COLUMN "tax_calculation_id" text;--> statement-breakpoint
ALTER TABLE "subscriptions" ADD COLUMN "tax_hold" jsonb;--> statement-breakpoint
ALTER TABLE "tax_settings" ADD COLUMN "engine" text DEFAULT 'own_rates' NOT NULL;--> statement-breakpoint
ALTER TABLE "tax_calculations" ADD CONSTRAINT "tax_calculations_tenant_id_tenants_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "tax_records" ADD CONSTRAINT "tax_records_tenant_id_tenants_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "tax_calculations_fingerprint" ON "tax_calculations" USING btree ("tenant_id","fingerprint");--> statement-breakpoint
CREATE UNIQUE INDEX "tax_records_reference" ON "tax_records" USING btree ("tenant_id","reference");--> statement-breakpoint
CREATE INDEX "tax_records_invoice" ON "tax_records" USING btree ("tenant_id","invoice_id");--> statement-breakpoint
CREATE INDEX "tax_records_original" ON "tax_records" USING btree ("original_id");--> statement-breakpoint
ALTER TABLE "invoices" ADD CONSTRAINT "invoices_tax_calculation_id_tax_calculations_id_fk" FOREIGN KEY ("tax_calculation_id") REFERENCES "public"."tax_calculations"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "invoices_tax_calculation" ON "invoices" USING btree ("tax_calculation_id");--> statement-breakpoint

-- By hand from here on: who may do what, what refers to what across the schema's files, and whom the outbox wakes.
ALTER TABLE "tax_calculations" ADD FOREIGN KEY ("customer_id") REFERENCES "customers"("id");--> statement-breakpoint
ALTER TABLE "tax_records" ADD FOREIGN KEY ("invoice_id") REFERENCES "invoices"("id");--> statement-breakpoint
ALTER TABLE "tax_records" ADD FOREIGN KEY ("original_id") REFERENCES "tax_records"("id");--> statement-breakpoint
GRANT SELECT, INSERT, DELETE ON "tax_calculations" TO perennial_app;--> statement-breakpoint
-- An answer is never changed; the erasure overwrites by what it could be found.
GRANT UPDATE ("fingerprint") ON "tax_calculations" TO perennial_app;--> statement-breakpoint
-- What is owed stays as it was decided; only what has become of it is added.
GRANT SELECT, INSERT ON "tax_records" TO perennial_app;--> statement-breakpoint
GRANT UPDATE ("status", "external_id", "external_lines", "failure", "recorded_at") ON "tax_records" TO perennial_app;--> statement-breakpoint
DO $$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['tax_calculations', 'tax_records'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY tenant ON %I USING (tenant_id = current_tenant()) WITH CHECK (tenant_id = current_tenant())', t);
  END LOOP;
END $$;--> statement-breakpoint
-- Records of taxes are a kind of their own.
CREATE OR REPLACE FUNCTION notify_outbox() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('outbox', CASE topic WHEN 'mail.send' THEN 'mails' WHEN 'tax.record' THEN 'taxes' ELSE 'workflows' END)
    FROM added WHERE due_at <= now();
  RETURN NULL;
END $$;
