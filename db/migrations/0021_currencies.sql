CREATE TABLE "exchange_rates" (
	"id" text PRIMARY KEY NOT NULL,
	"tenant_id" text,
	"day" date NOT NULL,
	"base" char(3) NOT NULL,
	"quote" char(3) NOT NULL,
	"rate" text NOT NULL,
	"source" text NOT NULL,
	"fetched_at" timestamp (3) with time zone NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "exchange_rates_rate" CHECK ("exchange_rates"."rate" ~ '^[0-9]{1,12}([.][0-9]{1,20})?$' and "exchange_rates"."rate" ~ '[1-9]'),
	CONSTRAINT "exchange_rates_pair" CHECK ("exchange_rates"."base" <> "exchange_rates"."quote"),
	CONSTRAINT "exchange_rates_owner" CHECK (("exchange_rates"."tenant_id" is not null) = ("exchange_rates"."source" = 'manual'))
);
--> statement-breakpoint
ALTER TABLE "payments" ADD COLUMN "source_payment_id" text;--> statement-breakpoint
ALTER TABLE "payments" ADD COLUMN "bank_fee_minor" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "payments" ADD COLUMN "received_minor" bigint;--> statement-breakpoint
ALTER TABLE "payments" ADD COLUMN "received_currency" char(3);--> statement-breakpoint
ALTER TABLE "payments" ADD COLUMN "converted_minor" bigint;--> statement-breakpoint
ALTER TABLE "payments" ADD COLUMN "exchange_rate" text;--> statement-breakpoint
ALTER TABLE "payments" ADD COLUMN "rate_day" date;--> statement-breakpoint
ALTER TABLE "payments" ADD COLUMN "rate_source" text;--> statement-breakpoint
ALTER TABLE "payments" ADD COLUMN "rate_legs" jsonb;--> statement-breakpoint
ALTER TABLE "refunds" ADD COLUMN "received_minor" bigint;--> statement-breakpoint
ALTER TABLE "refunds" ADD COLUMN "received_currency" char(3);--> statement-breakpoint
ALTER TABLE "refunds" ADD COLUMN "converted_minor" bigint;--> statement-breakpoint
ALTER TABLE "exchange_rates" ADD CONSTRAINT "exchange_rates_tenant_id_tenants_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "exchange_rates_published" ON "exchange_rates" USING btree ("day","base","quote","source") WHERE "exchange_rates"."tenant_id" is null;--> statement-breakpoint
CREATE INDEX "exchange_rates_entered" ON "exchange_rates" USING btree ("tenant_id","day") WHERE "exchange_rates"."tenant_id" is not null;--> statement-breakpoint
ALTER TABLE "payments" ADD CONSTRAINT "payments_source_payment_id_payments_id_fk" FOREIGN KEY ("source_payment_id") REFERENCES "public"."payments"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "payments_source" ON "payments" USING btree ("source_payment_id") WHERE "payments"."source_payment_id" is not null;--> statement-breakpoint
ALTER TABLE "payments" ADD CONSTRAINT "payments_source" CHECK ("payments"."source_payment_id" is null or "payments"."rail" = 'credit');--> statement-breakpoint
ALTER TABLE "payments" ADD CONSTRAINT "payments_bank_fee" CHECK ("payments"."bank_fee_minor" >= 0 and "payments"."bank_fee_minor" < coalesce("payments"."received_minor", "payments"."amount_minor"));--> statement-breakpoint
ALTER TABLE "payments" ADD CONSTRAINT "payments_exchange" CHECK (num_nonnulls("payments"."received_minor", "payments"."received_currency", "payments"."converted_minor", "payments"."exchange_rate", "payments"."rate_day", "payments"."rate_source", "payments"."rate_legs") in (0, 7) and ("payments"."received_minor" is null or ("payments"."received_minor" > 0 and "payments"."converted_minor" > 0 and "payments"."received_currency" <> "payments"."currency")));--> statement-breakpoint

-- By hand from here on: what is published everybody sees and only the fetching job writes; what a tenant entered is its own.
GRANT SELECT, INSERT ON "exchange_rates" TO perennial_app, perennial_system;--> statement-breakpoint
ALTER TABLE "exchange_rates" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
ALTER TABLE "exchange_rates" FORCE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE POLICY seen ON "exchange_rates" FOR SELECT USING (tenant_id IS NULL OR tenant_id = current_tenant());--> statement-breakpoint
CREATE POLICY tenant ON "exchange_rates" FOR INSERT TO perennial_app WITH CHECK (tenant_id = current_tenant());--> statement-breakpoint
CREATE POLICY system ON "exchange_rates" FOR INSERT TO perennial_system WITH CHECK (tenant_id IS NULL);--> statement-breakpoint
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON "exchange_rates" FOR EACH ROW EXECUTE FUNCTION refuse_change();--> statement-breakpoint
CREATE TRIGGER append_only_all BEFORE TRUNCATE ON "exchange_rates" FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
