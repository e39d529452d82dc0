/**
 * Posts one decided notice to the chat of the tenant's operators and records what became of it.
 *
 * What happens when it runs twice: a chat knows no keys, so what is in doubt is posted again, and its row says how far it came.
 * - We die right before the post: the row says `sending`, nothing was posted; the next run posts it.
 * - We die right after it, or the answer is lost: the row says `sending`; the next run posts it again. It comes twice: better
 *   than an alert that nobody has read. The mail of the same notice has a row and a key of its own and is sent once.
 * - Two at once: the relay gives a row to one of them at a time, for longer than a post may take.
 * The address is read, and opened, when it is needed; it is in no other row, in no log and in no history.
 */
import type { Logger } from '../../config/logger.ts';
import { SealError, type SealKeys, unseal } from '../../config/seal.ts';
import { type Database, type Tx, withTenant } from '../../db/client.ts';
import {
  lockNotification,
  markNotSent,
  markRetry,
  markSending,
  markSent,
} from '../../db/queries/messaging/send-notification.ts';
import { chatSealedFor, findReportSettings } from '../../db/queries/reporting/report-settings.ts';
import { errorCodes, VendorError } from '../../domain/errors.ts';
import type { OperatorChat, OperatorNotice } from '../../domain/messaging/operator-chat.ts';
import { NotificationRenderError, renderNotice } from './render.ts';

type Outgoing = OperatorNotice & { template: string; firstTry: boolean };

/**
 * Returns once the notice needs nothing more: posted, or never to be posted. Throws a retryable `VendorError` when it is to be
 * tried again later.
 */
export function createPostNotice({
  db,
  chat,
  encryption,
  log,
}: {
  db: Database;
  chat: OperatorChat;
  encryption: SealKeys;
  log: Logger;
}) {
  return async ({
    tenantId,
    notificationId,
  }: {
    tenantId: string;
    notificationId: string;
  }): Promise<void> => {
    const inTenant = <T>(work: (tx: Tx) => Promise<T>) => withTenant(db, tenantId, work);
    const outgoing = await inTenant((tx) => prepare(tx, { tenantId, notificationId, encryption, log }));
    if (outgoing === null) return;

    const { template, firstTry, ...notice } = outgoing;
    try {
      await chat.post(notice);
    } catch (error) {
      if (!(error instanceof VendorError)) throw error;
      await inTenant((tx) => recordFailure(tx, notificationId, { error, firstTry }));
      log.warn({ tenantId, notificationId, template, code: error.code }, 'a notice was not posted');
      if (errorCodes[error.code].retryable) throw error;
      return;
    }
    await inTenant((tx) => markSent(tx, notificationId, null));
    log.info({ tenantId, notificationId, template }, 'a notice was posted');
  };
}

/** Decides, under the row's lock, whether there is something to post, and says so in the row before it is posted. */
async function prepare(
  tx: Tx,
  {
    tenantId,
    notificationId,
    encryption,
    log,
  }: { tenantId: string; notificationId: string; encryption: SealKeys; log: Logger },
): Promise<Outgoing | null> {
  const found = await lockNotification(tx, notificationId);
  if (found === null) {
    log.warn({ notificationId }, 'there is no such notice any more');
    return null;
  }
  const { notification, tenant } = found;
  const { status, template, variables } = notification;
  if (status !== 'queued' && status !== 'sending') return null;
  const firstTry = status === 'queued';

  const settings = await findReportSettings(tx);
  if (settings === null || settings.chatUrl === null || settings.chatHost === null) {
    const error = 'no chat is set any more';
    // One whose answer was lost may have been posted before.
    await markNotSent(tx, notificationId, { status: firstTry ? 'skipped' : 'unknown', error });
    return null;
  }
  try {
    const url = unseal(encryption, settings.chatUrl, chatSealedFor(tenantId));
    const common = { customerName: 'there', companyName: tenant.name, portalUrl: tenant.portalUrl };
    const { subject, text } = renderNotice({ template, variables, common });
    await markSending(tx, notificationId, { recipient: settings.chatHost, subject, attached: null });
    return { url, subject, text, template, firstTry };
  } catch (error) {
    if (!(error instanceof SealError || error instanceof NotificationRenderError)) throw error;
    const advice = error instanceof SealError ? ' Set the address of the chat again.' : '';
    const problem = `${error.message}${advice}`;
    await markNotSent(tx, notificationId, { status: firstTry ? 'failed' : 'unknown', error: problem });
    log.error({ notificationId, template, problem }, 'a notice could not be posted');
    return null;
  }
}

async function recordFailure(
  tx: Tx,
  notificationId: string,
  { error, firstTry }: { error: VendorError; firstTry: boolean },
): Promise<void> {
  const reason = `${error.code}: ${error.message}`;
  if (errorCodes[error.code].retryable) {
    const nothingHappened = firstTry && error.code !== 'outcome_unknown';
    return markRetry(tx, notificationId, { error: reason, nothingHappened });
  }
  // A refusal says nothing about an earlier try in doubt.
  return markNotSent(tx, notificationId, { status: firstTry ? 'failed' : 'unknown', error: reason });
}
