/** The port every mail vendor's client implements. */

export type Mail = {
  /** One address. */
  to: string;
  subject: string;
  html: string;
  text: string;
  /** The notification's identity: a mail is sent at most once per key within the vendor's memory (a day). */
  idempotencyKey: string;
  attachments?: readonly Attachment[];
  /** Shown and filtered by at the vendor: ids only, nothing personal. Letters, digits, `_` and `-`. */
  tags?: Record<string, string>;
};

/** A file that goes with a mail. The vendor tells its type by the ending of its name. */
export type Attachment = { fileName: string; content: Uint8Array };

/** Throws `VendorError` on failure. */
export type Mailer = {
  /** Hands the mail over; `externalId` is the vendor's id of it. Safe to repeat with the same key and content. */
  send(mail: Mail): Promise<{ externalId: string }>;
};
