CREATE TABLE "bank_connections" (
	"id" text PRIMARY KEY NOT NULL,
	"tenant_id" text NOT NULL,
	"external_id" text NOT NULL,
	"institution_id" text,
	"institution_name" text,
	"access_token" text,
	"public_token_hash" text NOT NULL,
	"status" text NOT NULL,
	"status_since" timestamp (3) with time zone NOT NULL,
	"problem" text,
	"cursor" text,
	"is_ready" boolean DEFAULT false NOT NULL,
	"consent_expires_at" timestamp (3) with time zone,
	"disconnect_expected_since" timestamp (3) with time zone,
	"last_synced_at" timestamp (3) with time zone,
	"last_failed_at" timestamp (3) with time zone,
	"last_failure" text,
	"bank_read_at" timestamp (3) with time zone,
	"asked_at" timestamp (3) with time zone,
	"last_webhook_at" timestamp (3) with time zone,
	"unreadable" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"actor" text NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "bank_connections_token" CHECK ("bank_connections"."access_token" is not null or "bank_connections"."status" = 'unlinked')
);
--> statement-breakpoint
ALTER TABLE "bank_transactions" ADD COLUMN "connection_id" text;--> statement-breakpoint
ALTER TABLE "bank_connections" ADD CONSTRAINT "bank_connections_tenant_id_tenants_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "bank_connections_external" ON "bank_connections" USING btree ("external_id");--> statement-breakpoint
CREATE UNIQUE INDEX "bank_connections_public_token" ON "bank_connections" USING btree ("tenant_id","public_token_hash");--> statement-breakpoint
CREATE INDEX "bank_connections_list" ON "bank_connections" USING btree ("tenant_id","id");--> statement-breakpoint
ALTER TABLE "bank_accounts" ADD CONSTRAINT "bank_accounts_connection_id_bank_connections_id_fk" FOREIGN KEY ("connection_id") REFERENCES "public"."bank_connections"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "bank_transactions" ADD CONSTRAINT "bank_transactions_connection_id_bank_connections_id_fk" FOREIGN KEY ("connection_id") REFERENCES "public"."bank_connections"("id") ON DELETE no action ON UPDATE no action;
--> statement-breakpoint
-- By hand: rights and row-level security.
GRANT SELECT, INSERT, UPDATE ON "bank_connections" TO perennial_app;--> statement-breakpoint
-- A webhook, and the process that it starts, know the feed's name of a connection alone.
GRANT SELECT ("id", "tenant_id", "external_id") ON "bank_connections" TO perennial_system;--> statement-breakpoint
ALTER TABLE "bank_connections" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
ALTER TABLE "bank_connections" FORCE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE POLICY tenant ON "bank_connections" USING (tenant_id = current_tenant()) WITH CHECK (tenant_id = current_tenant());--> statement-breakpoint
CREATE POLICY system ON "bank_connections" FOR SELECT TO perennial_system USING (true);
