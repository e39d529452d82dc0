/**
 * Sends one decided message by mail and records what became of it.
 *
 * Why it is safe to run twice: the vendor gets the key `notification:<id>`, and the same key is never a second mail.
 * - We die right before the call: the row says `sending`, nothing was sent; the next run sends it.
 * - We die right after it: the row says `sending`; the next run repeats the call under the same key, the vendor sends
 *   nothing and answers with the first mail's id, which is then recorded.
 * - The document that goes with it must be the same bytes again, though a refund may have changed the invoice meanwhile:
 *   what it says is gathered at the first try and kept in the row until the outcome is known; each try draws that.
 * - The mail vendor was away for hours: what a message says may not be so any more, and then it is not sent.
 * - The answer is lost: the same as right after. The vendor forgets keys after 24 hours, so a message that has been `sending` for
 *   longer than 23 is never sent again: its outcome is `unknown` and a person decides.
 */
import type { Logger } from '../../config/logger.ts';
import { type Database, type Tx, withTenant } from '../../db/client.ts';
import { readAttachedDocument } from '../../db/queries/messaging/attached-document.ts';
import { whyOutdated } from '../../db/queries/messaging/outdated-notification.ts';
import {
  lockNotification,
  markNotSent,
  markRetry,
  markSending,
  markSent,
  type NotificationToSend,
} from '../../db/queries/messaging/send-notification.ts';
import {
  assertConsistent,
  type DrawDocument,
  fileNameOf,
  InconsistentDocument,
  type InvoiceDocument,
} from '../../domain/billing/invoice-document.ts';
import { errorCodes, VendorError } from '../../domain/errors.ts';
import type { Attachment, Mailer } from '../../domain/messaging/mailer.ts';
import { NotificationRenderError, type RenderedNotification, renderNotification } from './render.ts';

type Outgoing = RenderedNotification & {
  to: string;
  template: string;
  firstTry: boolean;
  attached: InvoiceDocument | null;
};

/**
 * Returns once the message needs nothing more: sent, or never to be sent. Throws a retryable `VendorError` when it is
 * to be tried again later.
 */
export function createSendNotification({
  db,
  mailer,
  drawDocument,
  log,
}: {
  db: Database;
  mailer: Mailer;
  drawDocument: DrawDocument;
  log: Logger;
}) {
  return async ({
    tenantId,
    notificationId,
  }: {
    tenantId: string;
    notificationId: string;
  }): Promise<void> => {
    const inTenant = (work: (tx: Tx) => Promise<void>) => withTenant(db, tenantId, work);
    const outgoing = await withTenant(db, tenantId, (tx) => prepare(tx, notificationId, log));
    if (outgoing === null) return;

    const { to, subject, text, html, template, attached } = outgoing;
    const attachments = attached === null ? [] : [await draw(attached, drawDocument)];
    try {
      const { externalId } = await mailer.send({
        to,
        subject,
        text,
        html,
        attachments,
        idempotencyKey: `notification:${notificationId}`,
        tags: { template, notificationId },
      });
      await inTenant((tx) => markSent(tx, notificationId, externalId));
      log.info({ tenantId, notificationId, template, externalId }, 'mail sent');
    } catch (error) {
      if (!(error instanceof VendorError)) throw error;
      await inTenant((tx) => recordFailure(tx, notificationId, { error, outgoing }));
      log.warn({ tenantId, notificationId, template, code: error.code }, 'mail not sent');
      if (errorCodes[error.code].retryable) throw error;
    }
  };
}

/** Decides, under the row's lock, whether there is something to send, and says so in the row before it is sent. */
async function prepare(tx: Tx, notificationId: string, log: Logger): Promise<Outgoing | null> {
  const found = await lockNotification(tx, notificationId);
  if (found === null) {
    log.warn({ notificationId }, 'there is no such message any more');
    return null;
  }
  const { notification, customer, keyMayBeForgotten } = found;
  const { status, template } = notification;
  if (status !== 'queued' && status !== 'sending') return null;
  const outdated = status === 'queued' ? await whyOutdated(tx, notification) : null;
  if (outdated !== null) {
    await markNotSent(tx, notificationId, { status: 'skipped', error: outdated });
    log.info({ notificationId, template, outdated }, 'a mail that waited too long is not sent');
    return null;
  }

  const address = customer === null ? notification.recipient : customer.email;
  if (customer?.erasedAt != null || address === null) {
    const error = customer?.erasedAt == null ? 'the customer has no address' : 'the customer was erased';
    // One whose answer was lost may have been sent before.
    await markNotSent(tx, notificationId, { status: status === 'queued' ? 'skipped' : 'unknown', error });
    return null;
  }
  if (keyMayBeForgotten) {
    const error = 'it may have been sent: the answer was lost and the vendor has forgotten our key';
    await markNotSent(tx, notificationId, { status: 'unknown', error });
    log.error({ notificationId, template }, 'nobody knows whether this mail was sent; a person must decide');
    return null;
  }
  // The same key must carry the same mail: a message in doubt goes to the address it was first sent to, with the document
  // it first had.
  const firstTry = status === 'queued';
  const to = firstTry ? address : (notification.recipient ?? address);
  const rendered = await rendering(tx, found, { firstTry, log });
  if (rendered === null) return null;
  const { subject, attached } = rendered;
  await markSending(tx, notificationId, { recipient: to, subject, attached });
  return { ...rendered, to, template, firstTry };
}

/** The mail in words, and what its document says; null, and the message `failed`, when it cannot be written. */
async function rendering(
  tx: Tx,
  { notification, customer, tenant }: NotificationToSend,
  { firstTry, log }: { firstTry: boolean; log: Logger },
): Promise<(RenderedNotification & Pick<Outgoing, 'attached'>) | null> {
  const { id, template, variables, attaches } = notification;
  const common = {
    customerName: customer?.name ?? 'there',
    companyName: tenant.name,
    portalUrl: tenant.portalUrl,
  };
  try {
    const attached =
      firstTry && attaches !== null ? await readAttachedDocument(tx, attaches) : notification.attached;
    if (attached !== null) assertConsistent(attached);
    return { ...renderNotification({ template, variables, common }), attached };
  } catch (error) {
    if (!(error instanceof NotificationRenderError || error instanceof InconsistentDocument)) throw error;
    await markNotSent(tx, id, { status: 'failed', error: error.message });
    log.error({ notificationId: id, template, problem: error.message }, 'a mail could not be written');
    return null;
  }
}

async function draw(document: InvoiceDocument, drawDocument: DrawDocument): Promise<Attachment> {
  return { fileName: fileNameOf(document), content: await drawDocument(document) };
}

async function recordFailure(
  tx: Tx,
  notificationId: string,
  { error, outgoing }: { error: VendorError; outgoing: Outgoing },
): Promise<void> {
  // The vendor may quote the address; the row keeps it in one column only, where the erasure finds it.
  const reason = `${error.code}: ${error.message}`.replaceAll(outgoing.to, 'the address');
  if (!errorCodes[error.code].retryable) {
    // A refusal says nothing about an earlier try in doubt; a reused key even says that one arrived.
    const inDoubt = !outgoing.firstTry || error.code === 'idempotency_key_reused';
    return markNotSent(tx, notificationId, { status: inDoubt ? 'unknown' : 'failed', error: reason });
  }
  const nothingHappened = outgoing.firstTry && error.code !== 'outcome_unknown';
  return markRetry(tx, notificationId, { error: reason, nothingHappened });
}
