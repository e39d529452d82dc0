DROP INDEX "invoices_period";--> statement-breakpoint
ALTER TABLE "invoice_lines" ADD COLUMN "position" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "invoice_lines" ADD COLUMN "kind" text DEFAULT 'plan' NOT NULL;--> statement-breakpoint
ALTER TABLE "invoice_lines" ADD COLUMN "period_starts_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "invoice_lines" ADD COLUMN "period_ends_at" timestamp (3) with time zone;--> statement-breakpoint
-- The owner of the tables sees no tenant's rows while row-level security is forced on it.
ALTER TABLE "invoice_lines" NO FORCE ROW LEVEL SECURITY;--> statement-breakpoint
ALTER TABLE "invoices" NO FORCE ROW LEVEL SECURITY;--> statement-breakpoint
UPDATE "invoice_lines" SET "period_starts_at" = "invoices"."period_starts_at", "period_ends_at" = "invoices"."period_ends_at"
  FROM "invoices" WHERE "invoices"."id" = "invoice_lines"."invoice_id";--> statement-breakpoint
ALTER TABLE "invoice_lines" FORCE ROW LEVEL SECURITY;--> statement-breakpoint
ALTER TABLE "invoices" FORCE ROW LEVEL SECURITY;--> statement-breakpoint
ALTER TABLE "invoice_lines" ALTER COLUMN "period_starts_at" SET NOT NULL;--> statement-breakpoint
ALTER TABLE "invoice_lines" ALTER COLUMN "period_ends_at" SET NOT NULL;--> statement-breakpoint
ALTER TABLE "invoice_lines" ADD COLUMN "credits_line_id" text;--> statement-breakpoint
ALTER TABLE "invoices" ADD COLUMN "kind" text DEFAULT 'period' NOT NULL;--> statement-breakpoint
ALTER TABLE "invoices" ADD COLUMN "change_id" text;--> statement-breakpoint
ALTER TABLE "subscriptions" ADD COLUMN "quantity" integer DEFAULT 1 NOT NULL;--> statement-breakpoint
ALTER TABLE "subscriptions" ADD COLUMN "pending_change" jsonb;--> statement-breakpoint
ALTER TABLE "invoice_lines" ADD CONSTRAINT "invoice_lines_credits_line_id_invoice_lines_id_fk" FOREIGN KEY ("credits_line_id") REFERENCES "public"."invoice_lines"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "invoice_lines_credits" ON "invoice_lines" USING btree ("credits_line_id");--> statement-breakpoint
CREATE UNIQUE INDEX "invoices_change" ON "invoices" USING btree ("subscription_id","change_id");--> statement-breakpoint
CREATE UNIQUE INDEX "invoices_period" ON "invoices" USING btree ("subscription_id","period_index") WHERE "invoices"."status" <> 'void' and "invoices"."kind" = 'period';--> statement-breakpoint
ALTER TABLE "invoice_lines" ADD CONSTRAINT "invoice_lines_credit" CHECK (("invoice_lines"."kind" = 'change_credit') = ("invoice_lines"."credits_line_id" is not null));--> statement-breakpoint
ALTER TABLE "invoices" ADD CONSTRAINT "invoices_kind" CHECK (("invoices"."kind" = 'change') = ("invoices"."change_id" is not null));--> statement-breakpoint
ALTER TABLE "subscriptions" ADD CONSTRAINT "subscriptions_quantity" CHECK ("subscriptions"."quantity" > 0);