CREATE TABLE "razorpay_plans" (
	"id" text PRIMARY KEY NOT NULL,
	"tenant_id" text NOT NULL,
	"plan_id" text NOT NULL,
	"amount_minor" bigint NOT NULL,
	"currency" char(3) NOT NULL,
	"interval" jsonb NOT NULL,
	"external_id" text,
	"asked_at" timestamp (3) with time zone,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "razorpay_plans_amount" CHECK ("razorpay_plans"."amount_minor" > 0)
);
--> statement-breakpoint
CREATE TABLE "razorpay_subscriptions" (
	"id" text PRIMARY KEY NOT NULL,
	"tenant_id" text NOT NULL,
	"customer_id" text NOT NULL,
	"subscription_id" text NOT NULL,
	"razorpay_plan_id" text NOT NULL,
	"status" text NOT NULL,
	"external_id" text,
	"short_url" text,
	"amount_minor" bigint NOT NULL,
	"currency" char(3) NOT NULL,
	"starts_at" timestamp (3) with time zone,
	"cycles" integer NOT NULL,
	"requested_at" timestamp (3) with time zone NOT NULL,
	"asked_at" timestamp (3) with time zone,
	"end_requested_at" timestamp (3) with time zone,
	"end_reason" text,
	"ended_at" timestamp (3) with time zone,
	"failure_code" text,
	"looked_at" timestamp (3) with time zone,
	"read_at" timestamp (3) with time zone,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "razorpay_subscriptions_amount" CHECK ("razorpay_subscriptions"."amount_minor" > 0),
	CONSTRAINT "razorpay_subscriptions_named" CHECK ("razorpay_subscriptions"."external_id" is not null or "razorpay_subscriptions"."status" in ('creating', 'refused')),
	CONSTRAINT "razorpay_subscriptions_ended" CHECK (("razorpay_subscriptions"."status" in ('refused', 'cancelled', 'completed', 'expired')) = ("razorpay_subscriptions"."ended_at" is not null))
);
--> statement-breakpoint
ALTER TABLE "subscriptions" ADD COLUMN "collected_by_razorpay" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "razorpay_plans" ADD CONSTRAINT "razorpay_plans_tenant_id_tenants_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "razorpay_plans" ADD CONSTRAINT "razorpay_plans_plan_id_plans_id_fk" FOREIGN KEY ("plan_id") REFERENCES "public"."plans"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "razorpay_subscriptions" ADD CONSTRAINT "razorpay_subscriptions_tenant_id_tenants_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "razorpay_subscriptions" ADD CONSTRAINT "razorpay_subscriptions_customer_id_customers_id_fk" FOREIGN KEY ("customer_id") REFERENCES "public"."customers"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "razorpay_subscriptions" ADD CONSTRAINT "razorpay_subscriptions_subscription_id_subscriptions_id_fk" FOREIGN KEY ("subscription_id") REFERENCES "public"."subscriptions"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "razorpay_subscriptions" ADD CONSTRAINT "razorpay_subscriptions_razorpay_plan_id_razorpay_plans_id_fk" FOREIGN KEY ("razorpay_plan_id") REFERENCES "public"."razorpay_plans"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "razorpay_plans_price" ON "razorpay_plans" USING btree ("tenant_id","plan_id","amount_minor");--> statement-breakpoint
CREATE UNIQUE INDEX "razorpay_subscriptions_external" ON "razorpay_subscriptions" USING btree ("tenant_id","external_id");--> statement-breakpoint
CREATE UNIQUE INDEX "razorpay_subscriptions_current" ON "razorpay_subscriptions" USING btree ("subscription_id") WHERE "razorpay_subscriptions"."end_requested_at" is null and "razorpay_subscriptions"."status" not in ('refused', 'cancelled', 'completed', 'expired');--> statement-breakpoint
CREATE INDEX "razorpay_subscriptions_subscription" ON "razorpay_subscriptions" USING btree ("tenant_id","subscription_id");--> statement-breakpoint
CREATE INDEX "razorpay_subscriptions_to_look_at" ON "razorpay_subscriptions" USING btree ("tenant_id","looked_at") WHERE "razorpay_subscriptions"."ended_at" is null;--> statement-breakpoint

-- By hand: rights and row-level security. Neither is ever removed: they say what a payment at the vendor was for.
GRANT SELECT, INSERT, UPDATE ON "razorpay_plans", "razorpay_subscriptions" TO perennial_app;--> statement-breakpoint
ALTER TABLE "razorpay_plans" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
ALTER TABLE "razorpay_plans" FORCE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE POLICY tenant ON "razorpay_plans" USING (tenant_id = current_tenant()) WITH CHECK (tenant_id = current_tenant());--> statement-breakpoint
ALTER TABLE "razorpay_subscriptions" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
ALTER TABLE "razorpay_subscriptions" FORCE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE POLICY tenant ON "razorpay_subscriptions" USING (tenant_id = current_tenant()) WITH CHECK (tenant_id = current_tenant());
