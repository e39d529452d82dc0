/** Messages to the people who run the tenant's business: at the address it has named for its reports, or nowhere. */
import type { TenantNotification } from '../../../domain/messaging/notification.ts';
import type { Tx } from '../../client.ts';
import { findReportSettings } from '../reporting/report-settings.ts';
import { enqueueNotification } from './notifications.ts';

type Message<N extends TenantNotification = TenantNotification> = N extends unknown
  ? Omit<N, 'recipient'>
  : never;

/** Decides a message; the same one, by its `dedupeKey`, is sent once. */
export async function tellOperators(
  tx: Tx,
  { tenantId, at }: { tenantId: string; at: Date },
  message: Message,
): Promise<void> {
  const settings = await findReportSettings(tx);
  if (settings === null || settings.recipient === null) return;
  const request = { ...message, recipient: settings.recipient } as TenantNotification;
  await enqueueNotification(tx, { tenantId, at, request });
}
