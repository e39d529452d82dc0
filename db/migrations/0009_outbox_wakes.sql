-- The relay is told which kind of row was added, and of rows only that it is to deliver at once.
CREATE OR REPLACE FUNCTION notify_outbox() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('outbox', CASE WHEN topic = 'mail.send' THEN 'mails' ELSE 'workflows' END)
    FROM added WHERE due_at <= now();
  RETURN NULL;
END $$;
--> statement-breakpoint
DROP TRIGGER outbox_wakes_relay ON outbox;
--> statement-breakpoint
CREATE TRIGGER outbox_wakes_relay AFTER INSERT ON outbox REFERENCING NEW TABLE AS added
  FOR EACH STATEMENT EXECUTE FUNCTION notify_outbox();
