ALTER TABLE "refunds" ADD COLUMN "credit_minor" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "refunds" ADD COLUMN "reversed_at" timestamp (3) with time zone;--> statement-breakpoint
-- Keys that are there already get an id each; a new one is named by whoever claims it.
ALTER TABLE "idempotency_keys" ADD COLUMN "act_id" text NOT NULL DEFAULT gen_random_uuid()::text;--> statement-breakpoint
ALTER TABLE "idempotency_keys" ALTER COLUMN "act_id" DROP DEFAULT;--> statement-breakpoint
CREATE INDEX "outbox_workflow" ON "outbox" USING btree (("envelope" ->> 'workflowId'),"id") WHERE "outbox"."delivered_at" is null and "outbox"."failed_at" is null;