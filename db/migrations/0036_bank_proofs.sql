CREATE TABLE "bank_proofs" (
	"id" text PRIMARY KEY NOT NULL,
	"tenant_id" text NOT NULL,
	"bank_transfer_id" text NOT NULL,
	"invoice_id" text NOT NULL,
	"customer_id" text NOT NULL,
	"sha256" text NOT NULL,
	"object_key" text,
	"content_type" text NOT NULL,
	"size_bytes" integer NOT NULL,
	"status" text NOT NULL,
	"confirmation_number" text,
	"uploaded_via" text NOT NULL,
	"uploaded_by" text NOT NULL,
	"uploaded_at" timestamp (3) with time zone NOT NULL,
	"suspicion" text,
	"decided_by" text,
	"decided_at" timestamp (3) with time zone,
	"reason" text,
	"outcome" text,
	"payment_id" text,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "bank_proofs_decided" CHECK (("bank_proofs"."status" = 'waiting') = ("bank_proofs"."decided_at" is null)),
	CONSTRAINT "bank_proofs_outcome" CHECK (("bank_proofs"."status" = 'approved') = ("bank_proofs"."outcome" is not null)),
	CONSTRAINT "bank_proofs_booked" CHECK (("bank_proofs"."outcome" is not distinct from 'booked') = ("bank_proofs"."payment_id" is not null))
);
--> statement-breakpoint
ALTER TABLE "bank_proofs" ADD CONSTRAINT "bank_proofs_tenant_id_tenants_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "bank_proofs" ADD CONSTRAINT "bank_proofs_bank_transfer_id_bank_transfers_id_fk" FOREIGN KEY ("bank_transfer_id") REFERENCES "public"."bank_transfers"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "bank_proofs" ADD CONSTRAINT "bank_proofs_invoice_id_invoices_id_fk" FOREIGN KEY ("invoice_id") REFERENCES "public"."invoices"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "bank_proofs" ADD CONSTRAINT "bank_proofs_customer_id_customers_id_fk" FOREIGN KEY ("customer_id") REFERENCES "public"."customers"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "bank_proofs" ADD CONSTRAINT "bank_proofs_payment_id_payments_id_fk" FOREIGN KEY ("payment_id") REFERENCES "public"."payments"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "bank_proofs_file" ON "bank_proofs" USING btree ("bank_transfer_id","sha256");--> statement-breakpoint
CREATE UNIQUE INDEX "bank_proofs_payment" ON "bank_proofs" USING btree ("payment_id");--> statement-breakpoint
CREATE INDEX "bank_proofs_list" ON "bank_proofs" USING btree ("tenant_id","status","id");--> statement-breakpoint
CREATE INDEX "bank_proofs_invoice" ON "bank_proofs" USING btree ("tenant_id","invoice_id","id");--> statement-breakpoint
CREATE INDEX "bank_proofs_customer" ON "bank_proofs" USING btree ("tenant_id","customer_id");--> statement-breakpoint
CREATE INDEX "bank_proofs_seen" ON "bank_proofs" USING btree ("tenant_id","sha256");
--> statement-breakpoint
-- By hand: rights and row-level security.
GRANT SELECT, INSERT, UPDATE ON "bank_proofs" TO perennial_app;--> statement-breakpoint
ALTER TABLE "bank_proofs" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
ALTER TABLE "bank_proofs" FORCE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE POLICY tenant ON "bank_proofs" USING (tenant_id = current_tenant()) WITH CHECK (tenant_id = current_tenant());
