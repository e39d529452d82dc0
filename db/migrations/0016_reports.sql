CREATE TABLE "mrr_movements" (
	"id" text PRIMARY KEY NOT NULL,
	"tenant_id" text NOT NULL,
	"customer_id" text NOT NULL,
	"subscription_id" text NOT NULL,
	"subscription_version" integer NOT NULL,
	"at" timestamp (3) with time zone NOT NULL,
	"kind" text NOT NULL,
	"cause" text NOT NULL,
	"currency" char(3) NOT NULL,
	"before_numerator" numeric(40, 0) NOT NULL,
	"after_numerator" numeric(40, 0) NOT NULL,
	"denominator" integer NOT NULL,
	"plan_id" text NOT NULL,
	"quantity" integer NOT NULL,
	"customer_since" timestamp (3) with time zone NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "mrr_movements_kind" CHECK (("mrr_movements"."kind" in ('new', 'expansion', 'reactivation')) = ("mrr_movements"."after_numerator" > "mrr_movements"."before_numerator") and "mrr_movements"."after_numerator" <> "mrr_movements"."before_numerator"),
	CONSTRAINT "mrr_movements_amounts" CHECK ("mrr_movements"."before_numerator" >= 0 and "mrr_movements"."after_numerator" >= 0 and "mrr_movements"."denominator" > 0),
	CONSTRAINT "mrr_movements_first" CHECK ("mrr_movements"."kind" <> 'new' or "mrr_movements"."customer_since" = "mrr_movements"."at")
);
--> statement-breakpoint
CREATE TABLE "report_settings" (
	"tenant_id" text PRIMARY KEY NOT NULL,
	"recipient" text,
	"send_at" text NOT NULL,
	"clock" text NOT NULL,
	"since" timestamp (3) with time zone NOT NULL,
	"updated_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "report_settings_send_at" CHECK ("report_settings"."send_at" ~ '^([01][0-9]|2[0-3]):(00|15|30|45)$')
);
--> statement-breakpoint
ALTER TABLE "notifications" ALTER COLUMN "customer_id" DROP NOT NULL;--> statement-breakpoint
ALTER TABLE "mrr_movements" ADD CONSTRAINT "mrr_movements_tenant_id_tenants_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "mrr_movements" ADD CONSTRAINT "mrr_movements_customer_id_customers_id_fk" FOREIGN KEY ("customer_id") REFERENCES "public"."customers"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "mrr_movements" ADD CONSTRAINT "mrr_movements_subscription_id_subscriptions_id_fk" FOREIGN KEY ("subscription_id") REFERENCES "public"."subscriptions"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "mrr_movements" ADD CONSTRAINT "mrr_movements_plan_id_plans_id_fk" FOREIGN KEY ("plan_id") REFERENCES "public"."plans"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "report_settings" ADD CONSTRAINT "report_settings_tenant_id_tenants_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "mrr_movements_change" ON "mrr_movements" USING btree ("subscription_id","subscription_version");--> statement-breakpoint
CREATE INDEX "mrr_movements_at" ON "mrr_movements" USING btree ("tenant_id","at","id");--> statement-breakpoint
CREATE INDEX "mrr_movements_customer" ON "mrr_movements" USING btree ("tenant_id","customer_id");--> statement-breakpoint
CREATE INDEX "payments_received" ON "payments" USING btree ("tenant_id","received_at","id","rail","currency","amount_minor");--> statement-breakpoint
CREATE INDEX "refunds_refunded" ON "refunds" USING btree ("tenant_id","refunded_at");--> statement-breakpoint
ALTER TABLE "notifications" ADD CONSTRAINT "notifications_recipient" CHECK ("notifications"."customer_id" is not null or "notifications"."recipient" is not null);--> statement-breakpoint

-- By hand from here on.

-- Movements of the subscriptions that bring revenue already, as if they had begun with what they pay now. The owner of
-- the tables sees no tenant's rows while row-level security is forced on them.
ALTER TABLE "subscriptions" NO FORCE ROW LEVEL SECURITY;--> statement-breakpoint
ALTER TABLE "plans" NO FORCE ROW LEVEL SECURITY;--> statement-breakpoint
WITH paying AS (
  SELECT s.*, p.currency, coalesce(s.converted_at, s.status_since) AS paid_at,
    p.price_minor::numeric * s.quantity
      * CASE p.interval ->> 'unit' WHEN 'day' THEN 365 WHEN 'week' THEN 52 WHEN 'month' THEN 12 ELSE 1 END AS yearly,
    12 * (p.interval ->> 'count')::int AS denominator
  FROM subscriptions s JOIN plans p ON p.id = s.plan_id
  WHERE s.status IN ('active', 'past_due') AND p.price_minor > 0
), ranked AS (
  SELECT *, row_number() OVER (PARTITION BY customer_id ORDER BY paid_at, id) AS rank,
    min(paid_at) OVER (PARTITION BY customer_id) AS customer_since
  FROM paying
)
INSERT INTO mrr_movements (id, tenant_id, customer_id, subscription_id, subscription_version, at, kind, cause, currency,
  before_numerator, after_numerator, denominator, plan_id, quantity, customer_since)
SELECT 'mov_' || replace(gen_random_uuid()::text, '-', ''), tenant_id, customer_id, id, version, paid_at,
  CASE rank WHEN 1 THEN 'new' ELSE 'expansion' END, 'carried_over', currency, 0, yearly, denominator, plan_id, quantity,
  customer_since
FROM ranked;--> statement-breakpoint
ALTER TABLE "subscriptions" FORCE ROW LEVEL SECURITY;--> statement-breakpoint
ALTER TABLE "plans" FORCE ROW LEVEL SECURITY;--> statement-breakpoint
GRANT SELECT, INSERT ON "mrr_movements" TO perennial_app;--> statement-breakpoint
GRANT SELECT, INSERT, UPDATE ON "report_settings" TO perennial_app;--> statement-breakpoint
DO $$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['mrr_movements', 'report_settings'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY tenant ON %I USING (tenant_id = current_tenant()) WITH CHECK (tenant_id = current_tenant())', t);
  END LOOP;
END $$;--> statement-breakpoint
-- What has moved has moved: a correction is another movement.
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON mrr_movements FOR EACH ROW EXECUTE FUNCTION refuse_change();--> statement-breakpoint
CREATE TRIGGER append_only_all BEFORE TRUNCATE ON mrr_movements FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
