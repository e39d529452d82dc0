ALTER TABLE "notifications" DROP CONSTRAINT "notifications_recipient";--> statement-breakpoint
ALTER TABLE "notifications" ADD COLUMN "channel" text DEFAULT 'mail' NOT NULL;--> statement-breakpoint
ALTER TABLE "report_settings" ADD COLUMN "chat_url" text;--> statement-breakpoint
ALTER TABLE "report_settings" ADD COLUMN "chat_host" text;--> statement-breakpoint
ALTER TABLE "notifications" ADD CONSTRAINT "notifications_channel" CHECK ("notifications"."channel" = 'mail' or ("notifications"."channel" = 'chat' and "notifications"."customer_id" is null));--> statement-breakpoint
ALTER TABLE "notifications" ADD CONSTRAINT "notifications_recipient" CHECK ("notifications"."customer_id" is not null or "notifications"."recipient" is not null or "notifications"."channel" = 'chat');--> statement-breakpoint
ALTER TABLE "report_settings" ADD CONSTRAINT "report_settings_chat" CHECK (("report_settings"."chat_url" is null) = ("report_settings"."chat_host" is null));--> statement-breakpoint
-- By hand: posts to a chat are a kind of their own.
CREATE OR REPLACE FUNCTION notify_outbox() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('outbox', CASE topic WHEN 'mail.send' THEN 'mails' WHEN 'chat.send' THEN 'chats' WHEN 'tax.record' THEN 'taxes' ELSE 'workflows' END)
    FROM added WHERE due_at <= now();
  RETURN NULL;
END $$;
