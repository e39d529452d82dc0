ALTER TABLE "crypto_payouts" DROP CONSTRAINT "crypto_payouts_source";--> statement-breakpoint
ALTER TABLE "crypto_payouts" DROP CONSTRAINT "crypto_payouts_sent";--> statement-breakpoint
ALTER TABLE "crypto_payouts" ALTER COLUMN "address" DROP NOT NULL;--> statement-breakpoint
ALTER TABLE "crypto_payouts" ALTER COLUMN "target" DROP NOT NULL;--> statement-breakpoint
ALTER TABLE "crypto_payouts" ADD COLUMN "excess_payment_id" text;--> statement-breakpoint
ALTER TABLE "crypto_payouts" ADD COLUMN "former_txids" text[] DEFAULT '{}'::text[] NOT NULL;--> statement-breakpoint
ALTER TABLE "crypto_payouts" ADD COLUMN "stray_told_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "crypto_payouts" ADD CONSTRAINT "crypto_payouts_excess_payment_id_payments_id_fk" FOREIGN KEY ("excess_payment_id") REFERENCES "public"."payments"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "crypto_payouts_stray" ON "crypto_payouts" USING btree ("chain") WHERE "crypto_payouts"."status" = 'rejected' and "crypto_payouts"."former_txids" <> '{}'::text[];--> statement-breakpoint
CREATE UNIQUE INDEX "crypto_payouts_excess_payment" ON "crypto_payouts" USING btree ("excess_payment_id");--> statement-breakpoint
ALTER TABLE "crypto_payouts" ADD CONSTRAINT "crypto_payouts_address" CHECK (num_nonnulls("crypto_payouts"."address", "crypto_payouts"."target") = 2 or (num_nonnulls("crypto_payouts"."address", "crypto_payouts"."target") = 0 and "crypto_payouts"."status" in ('asked', 'rejected')));--> statement-breakpoint
ALTER TABLE "crypto_payouts" ADD CONSTRAINT "crypto_payouts_source" CHECK (num_nonnulls("crypto_payouts"."payment_key", "crypto_payouts"."refund_id") = 1 or (num_nonnulls("crypto_payouts"."payment_key", "crypto_payouts"."refund_id") = 0 and "crypto_payouts"."excess_payment_id" is not null and "crypto_payouts"."status" in ('asked', 'rejected')));--> statement-breakpoint
ALTER TABLE "crypto_payouts" ADD CONSTRAINT "crypto_payouts_sent" CHECK (("crypto_payouts"."txid" is not null) = case when "crypto_payouts"."status" = 'rejected' then "crypto_payouts"."height" is not null else "crypto_payouts"."status" in ('broadcast', 'confirmed') end);