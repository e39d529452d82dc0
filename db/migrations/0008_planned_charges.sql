ALTER TABLE "subscriptions" ADD COLUMN "planned_charges" jsonb DEFAULT '[]'::jsonb NOT NULL;--> statement-breakpoint
-- The owner of the tables sees no tenant's rows while row-level security is forced on it.
ALTER TABLE "subscriptions" NO FORCE ROW LEVEL SECURITY;--> statement-breakpoint
UPDATE "subscriptions" SET "planned_charges" = jsonb_build_array(jsonb_build_object(
  'invoiceId', "collection" ->> 'invoiceId',
  'origin', 'technical_retry',
  'originKey', 'retry:' || ("collection" ->> 'retryAt'),
  'at', "collection" ->> 'retryAt',
  'failures', ("collection" ->> 'failures')::int
)) WHERE "collection" ->> 'invoiceId' IS NOT NULL;--> statement-breakpoint
ALTER TABLE "subscriptions" FORCE ROW LEVEL SECURITY;--> statement-breakpoint
ALTER TABLE "subscriptions" DROP COLUMN "collection";
