CREATE TABLE "crypto_alerts" (
	"id" text PRIMARY KEY NOT NULL,
	"kind" text NOT NULL,
	"subject" text NOT NULL,
	"detail" text,
	"since" timestamp (3) with time zone NOT NULL,
	"ended_at" timestamp (3) with time zone,
	"told_at" timestamp (3) with time zone,
	"end_told_at" timestamp (3) with time zone
);
--> statement-breakpoint
CREATE UNIQUE INDEX "crypto_alerts_open" ON "crypto_alerts" USING btree ("kind","subject") WHERE "crypto_alerts"."ended_at" is null;--> statement-breakpoint
CREATE INDEX "crypto_alerts_untold" ON "crypto_alerts" USING btree ("id") WHERE "crypto_alerts"."told_at" is null or ("crypto_alerts"."ended_at" is not null and "crypto_alerts"."end_told_at" is null);--> statement-breakpoint
-- By hand: rights and row-level security. Alerts belong to no tenant: whoever watches the chains notes them and tells tenants by
-- mail, and nobody else reads them. None is removed.
GRANT SELECT, INSERT, UPDATE ON "crypto_alerts" TO perennial_system;--> statement-breakpoint
ALTER TABLE "crypto_alerts" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
ALTER TABLE "crypto_alerts" FORCE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE POLICY system ON "crypto_alerts" TO perennial_system USING (true) WITH CHECK (true);
