DROP INDEX "bank_transfers_confirmation";--> statement-breakpoint
DROP INDEX "bank_transactions_bank_reference";--> statement-breakpoint
ALTER TABLE "bank_transactions" ADD COLUMN "bank_reference_key" text GENERATED ALWAYS AS (upper(regexp_replace(bank_reference, '[^A-Za-z0-9]', '', 'g') collate "C")) STORED;--> statement-breakpoint
CREATE INDEX "bank_proofs_decided_at" ON "bank_proofs" USING btree ("tenant_id","decided_at") WHERE "bank_proofs"."payment_id" is not null;--> statement-breakpoint
CREATE INDEX "bank_transactions_all" ON "bank_transactions" USING btree ("tenant_id","id");--> statement-breakpoint
CREATE INDEX "bank_transactions_statement" ON "bank_transactions" USING btree ("statement_id","id") WHERE "bank_transactions"."statement_id" is not null;--> statement-breakpoint
CREATE INDEX "bank_transactions_pending" ON "bank_transactions" USING btree ("account_id") WHERE "bank_transactions"."pending" and "bank_transactions"."removed_at" is null;--> statement-breakpoint
CREATE INDEX "payments_on_proof" ON "payments" USING btree ("tenant_id","currency","amount_minor") WHERE "payments"."external_id" like 'proof:%';--> statement-breakpoint
CREATE INDEX "bank_transactions_bank_reference" ON "bank_transactions" USING btree ("account_id","bank_reference_key") WHERE "bank_transactions"."bank_reference_key" is not null;--> statement-breakpoint
-- By hand: a part that was taken back of an upgrade that waits had counted as the return of an upgrade that was paid. The owner of
-- the tables sees no tenant's rows while row-level security is forced on it.
ALTER TABLE "invoices" NO FORCE ROW LEVEL SECURITY;--> statement-breakpoint
ALTER TABLE "subscriptions" NO FORCE ROW LEVEL SECURITY;--> statement-breakpoint
UPDATE "invoices" SET "reopened_at" = NULL FROM "subscriptions"
  WHERE "subscriptions"."id" = "invoices"."subscription_id" AND "invoices"."status" = 'open'
    AND "subscriptions"."pending_change" ->> 'invoiceId' = "invoices"."id" AND "invoices"."reopened_at" IS NOT NULL;--> statement-breakpoint
ALTER TABLE "invoices" FORCE ROW LEVEL SECURITY;--> statement-breakpoint
ALTER TABLE "subscriptions" FORCE ROW LEVEL SECURITY;
