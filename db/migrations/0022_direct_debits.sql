ALTER TABLE "invoices" ADD COLUMN "reopened_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "subscriptions" ADD COLUMN "first_payment_until" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "payment_methods" ADD COLUMN "type" text DEFAULT 'card' NOT NULL;--> statement-breakpoint
ALTER TABLE "payment_methods" ADD COLUMN "mandate_id" text;--> statement-breakpoint
ALTER TABLE "payment_methods" ADD COLUMN "mandate_ended_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "payments" ADD COLUMN "returned_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "payments" ADD COLUMN "returned_minor" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "payments" ADD COLUMN "return_code" text;--> statement-breakpoint
CREATE INDEX "payments_returned" ON "payments" USING btree ("tenant_id","returned_at") WHERE "payments"."returned_at" is not null;--> statement-breakpoint
ALTER TABLE "payment_methods" ADD CONSTRAINT "payment_methods_mandate" CHECK (("payment_methods"."type" = 'us_bank_account') = ("payment_methods"."mandate_id" is not null));--> statement-breakpoint
ALTER TABLE "payments" ADD CONSTRAINT "payments_returned_whole" CHECK (("payments"."returned_at" is null) = ("payments"."return_code" is null) and ("payments"."returned_at" is null) = ("payments"."returned_minor" = 0) and "payments"."returned_minor" between 0 and "payments"."amount_minor");