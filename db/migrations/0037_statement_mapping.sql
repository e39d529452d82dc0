ALTER TABLE "bank_statements" ADD COLUMN "csv_mapping" jsonb;--> statement-breakpoint
ALTER TABLE "bank_statements" ADD COLUMN "reader" integer DEFAULT 1 NOT NULL;--> statement-breakpoint
-- By hand: what was read before was read with the mapping that the account has now, as far as anybody knows. The owner of the
-- tables sees no tenant's rows while row-level security is forced on it.
ALTER TABLE "bank_accounts" NO FORCE ROW LEVEL SECURITY;--> statement-breakpoint
ALTER TABLE "bank_statements" NO FORCE ROW LEVEL SECURITY;--> statement-breakpoint
UPDATE "bank_statements" SET "csv_mapping" = "bank_accounts"."csv_mapping" FROM "bank_accounts"
  WHERE "bank_accounts"."id" = "bank_statements"."account_id" AND "bank_statements"."source" = 'csv';--> statement-breakpoint
ALTER TABLE "bank_accounts" FORCE ROW LEVEL SECURITY;--> statement-breakpoint
ALTER TABLE "bank_statements" FORCE ROW LEVEL SECURITY;
