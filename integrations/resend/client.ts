/**
 * Resend as our mailer, on the official SDK.
 *
 * Why it is safe to run twice: every mail carries the key of its notification, under which Resend sends once within
 * 24 hours and answers a repeat with the first mail's id.
 */
import { Resend } from 'resend';
import { VendorError } from '../../domain/errors.ts';
import type { Attachment, Mail, Mailer } from '../../domain/messaging/mailer.ts';
import { toVendorError } from './errors.ts';

export type ResendConnection = {
  apiKey: string;
  /** A sandbox; Resend itself when absent. */
  baseUrl?: string | undefined;
  /** `Name <name@host>`; the host must be verified at Resend. */
  from: string;
  timeoutMs?: number;
};

export function createResendMailer({ apiKey, baseUrl, from, timeoutMs = 15_000 }: ResendConnection): Mailer {
  const resend = new Resend(apiKey, { baseUrl: baseUrl ?? 'https://api.resend.com' });
  return {
    async send({ to, subject, html, text, attachments = [], idempotencyKey, tags }: Mail) {
      const mail = {
        ...{ from, to: [to], subject, html, text },
        ...(attachments.length > 0 && { attachments: attachments.map(toAttachment) }),
        ...(tags && { tags: toTags(tags) }),
      };
      const options = { idempotencyKey, signal: AbortSignal.timeout(timeoutMs) };
      const { data, error, headers } = await resend.emails.send(mail, options);
      if (error) throw toVendorError(error, headers);
      if (typeof data.id !== 'string') throw unreadable();
      return { externalId: data.id };
    },
  };
}

/** Resend said yes, but not to what. */
function unreadable(): VendorError {
  return new VendorError({ code: 'outcome_unknown', message: 'Resend: the answer names no mail' });
}

function toAttachment({ fileName, content }: Attachment): { filename: string; content: string } {
  return { filename: fileName, content: Buffer.from(content).toString('base64') };
}

function toTags(tags: Record<string, string>): { name: string; value: string }[] {
  return Object.entries(tags).map(([name, value]) => ({ name, value }));
}
