CREATE TABLE "payment_approvals" (
	"id" text PRIMARY KEY NOT NULL,
	"tenant_id" text NOT NULL,
	"status" text NOT NULL,
	"customer_id" text NOT NULL,
	"invoice_id" text,
	"reference" text NOT NULL,
	"method" text NOT NULL,
	"cheque_number" text,
	"amount_minor" bigint NOT NULL,
	"currency" char(3) NOT NULL,
	"bank_fee_minor" bigint DEFAULT 0 NOT NULL,
	"exchange_rate" text,
	"rate_source" text,
	"received_at" timestamp (3) with time zone NOT NULL,
	"note" text,
	"reason" text NOT NULL,
	"usd_minor" bigint,
	"asked_by" text NOT NULL,
	"asked_at" timestamp (3) with time zone NOT NULL,
	"decided_by" text,
	"decided_at" timestamp (3) with time zone,
	"rejection" text,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "payment_approvals_amount" CHECK ("payment_approvals"."amount_minor" > 0 and "payment_approvals"."bank_fee_minor" >= 0),
	CONSTRAINT "payment_approvals_rate" CHECK (("payment_approvals"."exchange_rate" is null) = ("payment_approvals"."rate_source" is null)),
	CONSTRAINT "payment_approvals_cheque" CHECK ("payment_approvals"."cheque_number" is null or "payment_approvals"."method" = 'cheque'),
	CONSTRAINT "payment_approvals_decided" CHECK (num_nonnulls("payment_approvals"."decided_by", "payment_approvals"."decided_at") = case when "payment_approvals"."status" = 'asked' then 0 else 2 end and ("payment_approvals"."decided_by" is null or "payment_approvals"."decided_by" <> "payment_approvals"."asked_by") and ("payment_approvals"."rejection" is not null) = ("payment_approvals"."status" = 'rejected'))
);
--> statement-breakpoint
ALTER TABLE "invoices" DROP CONSTRAINT "invoices_amounts";--> statement-breakpoint
ALTER TABLE "invoices" ADD COLUMN "written_off_minor" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "payments" ADD COLUMN "method" text;--> statement-breakpoint
ALTER TABLE "payments" ADD COLUMN "cheque_number" text;--> statement-breakpoint
ALTER TABLE "payments" ADD COLUMN "reason" text;--> statement-breakpoint
ALTER TABLE "payments" ADD COLUMN "recorded_by" text;--> statement-breakpoint
ALTER TABLE "payments" ADD COLUMN "recorded_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "payments" ADD COLUMN "usd_minor" bigint;--> statement-breakpoint
ALTER TABLE "payments" ADD COLUMN "approval_id" text;--> statement-breakpoint
ALTER TABLE "payment_approvals" ADD CONSTRAINT "payment_approvals_tenant_id_tenants_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "payment_approvals" ADD CONSTRAINT "payment_approvals_customer_id_customers_id_fk" FOREIGN KEY ("customer_id") REFERENCES "public"."customers"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "payment_approvals" ADD CONSTRAINT "payment_approvals_invoice_id_invoices_id_fk" FOREIGN KEY ("invoice_id") REFERENCES "public"."invoices"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "payment_approvals_waiting" ON "payment_approvals" USING btree ("tenant_id","reference") WHERE "payment_approvals"."status" = 'asked';--> statement-breakpoint
CREATE INDEX "payment_approvals_status" ON "payment_approvals" USING btree ("tenant_id","status","id");--> statement-breakpoint
CREATE INDEX "payment_approvals_customer" ON "payment_approvals" USING btree ("tenant_id","customer_id");--> statement-breakpoint
ALTER TABLE "payments" ADD CONSTRAINT "payments_approval_id_payment_approvals_id_fk" FOREIGN KEY ("approval_id") REFERENCES "public"."payment_approvals"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "payments_recorded_alone" ON "payments" USING btree ("tenant_id","customer_id","recorded_by","recorded_at") WHERE "payments"."recorded_by" is not null and "payments"."approval_id" is null;--> statement-breakpoint
CREATE UNIQUE INDEX "payments_approval" ON "payments" USING btree ("approval_id");--> statement-breakpoint
ALTER TABLE "invoices" ADD CONSTRAINT "invoices_amounts" CHECK ("invoices"."total_minor" >= 0 and "invoices"."paid_minor" between 0 and "invoices"."total_minor" and "invoices"."written_off_minor" between 0 and "invoices"."paid_minor" and "invoices"."refunded_minor" >= 0 and "invoices"."disputed_minor" >= 0);--> statement-breakpoint
ALTER TABLE "payments" ADD CONSTRAINT "payments_recorded" CHECK (num_nonnulls("payments"."method", "payments"."reason", "payments"."recorded_by", "payments"."recorded_at") in (0, 4) and ("payments"."method" is null or "payments"."rail" = 'manual') and ("payments"."approval_id" is null or "payments"."method" is not null) and ("payments"."cheque_number" is null or "payments"."method" = 'cheque'));--> statement-breakpoint
ALTER TABLE "payments" ADD CONSTRAINT "payments_recorded_worth" CHECK ("payments"."method" is null or "payments"."usd_minor" is not null or "payments"."approval_id" is not null);
--> statement-breakpoint
-- By hand: rights and row-level security. What was asked for is never removed: it says who has recorded the money, and who has
-- approved it.
GRANT SELECT, INSERT, UPDATE ON "payment_approvals" TO perennial_app;--> statement-breakpoint
ALTER TABLE "payment_approvals" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
ALTER TABLE "payment_approvals" FORCE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE POLICY tenant ON "payment_approvals" USING (tenant_id = current_tenant()) WITH CHECK (tenant_id = current_tenant());
