CREATE TABLE "subscription_pauses" (
	"id" text PRIMARY KEY NOT NULL,
	"tenant_id" text NOT NULL,
	"subscription_id" text NOT NULL,
	"paused_at" timestamp (3) with time zone NOT NULL,
	"resumed_at" timestamp (3) with time zone NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "subscription_pauses_order" CHECK ("subscription_pauses"."resumed_at" >= "subscription_pauses"."paused_at")
);
--> statement-breakpoint
ALTER TABLE "subscriptions" ADD COLUMN "resumes_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "subscription_pauses" ADD CONSTRAINT "subscription_pauses_tenant_id_tenants_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "subscription_pauses" ADD CONSTRAINT "subscription_pauses_subscription_id_subscriptions_id_fk" FOREIGN KEY ("subscription_id") REFERENCES "public"."subscriptions"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "subscription_pauses_once" ON "subscription_pauses" USING btree ("subscription_id","paused_at");--> statement-breakpoint
GRANT SELECT, INSERT ON "subscription_pauses" TO perennial_app;--> statement-breakpoint
ALTER TABLE "subscription_pauses" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
ALTER TABLE "subscription_pauses" FORCE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE POLICY tenant ON "subscription_pauses" USING (tenant_id = current_tenant()) WITH CHECK (tenant_id = current_tenant());
