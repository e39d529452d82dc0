CREATE TABLE "razorpay_orders" (
	"id" text PRIMARY KEY NOT NULL,
	"tenant_id" text NOT NULL,
	"customer_id" text NOT NULL,
	"invoice_id" text NOT NULL,
	"status" text NOT NULL,
	"external_id" text,
	"amount_minor" bigint NOT NULL,
	"currency" char(3) NOT NULL,
	"requested_at" timestamp (3) with time zone NOT NULL,
	"asked_at" timestamp (3) with time zone,
	"payment_id" text,
	"payment_status" text,
	"payment_at" timestamp (3) with time zone,
	"looked_at" timestamp (3) with time zone,
	"closed_at" timestamp (3) with time zone,
	"failure_code" text,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "razorpay_orders_amount" CHECK ("razorpay_orders"."amount_minor" > 0),
	CONSTRAINT "razorpay_orders_named" CHECK ("razorpay_orders"."external_id" is not null or "razorpay_orders"."status" in ('creating', 'closed')),
	CONSTRAINT "razorpay_orders_closed" CHECK (("razorpay_orders"."status" in ('creating', 'open')) = ("razorpay_orders"."closed_at" is null))
);
--> statement-breakpoint
ALTER TABLE "razorpay_orders" ADD CONSTRAINT "razorpay_orders_tenant_id_tenants_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "razorpay_orders" ADD CONSTRAINT "razorpay_orders_customer_id_customers_id_fk" FOREIGN KEY ("customer_id") REFERENCES "public"."customers"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "razorpay_orders" ADD CONSTRAINT "razorpay_orders_invoice_id_invoices_id_fk" FOREIGN KEY ("invoice_id") REFERENCES "public"."invoices"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "razorpay_orders_external" ON "razorpay_orders" USING btree ("tenant_id","external_id");--> statement-breakpoint
CREATE UNIQUE INDEX "razorpay_orders_current" ON "razorpay_orders" USING btree ("invoice_id") WHERE "razorpay_orders"."status" in ('creating', 'open');--> statement-breakpoint
CREATE INDEX "razorpay_orders_to_look_at" ON "razorpay_orders" USING btree ("tenant_id","looked_at") WHERE "razorpay_orders"."status" <> 'paid';--> statement-breakpoint
-- By hand: rights and row-level security. An order is never removed: it says what a payment at the vendor was for.
GRANT SELECT, INSERT, UPDATE ON "razorpay_orders" TO perennial_app;--> statement-breakpoint
ALTER TABLE "razorpay_orders" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
ALTER TABLE "razorpay_orders" FORCE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE POLICY tenant ON "razorpay_orders" USING (tenant_id = current_tenant()) WITH CHECK (tenant_id = current_tenant());
