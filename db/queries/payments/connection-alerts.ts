/** Tells a tenant's operators of a connection to a bank, by mail where they have named an address for their reports. */
import type { ConnectionAlert } from '../../../domain/payments/bank-connection-words.ts';
import { alertInWords } from '../../../domain/payments/bank-connection-words.ts';
import type { Tx } from '../../client.ts';
import { enqueueNotification } from '../messaging/notifications.ts';
import { findReportSettings } from '../reporting/report-settings.ts';
import type { BankConnectionRow } from './bank-connections.ts';

/** Each alert is told once, however often it is raised. */
export async function tellOperators(
  tx: Tx,
  {
    id: connectionId,
    tenantId,
    institutionName,
  }: Pick<BankConnectionRow, 'id' | 'tenantId' | 'institutionName'>,
  { alert, at }: { alert: ConnectionAlert; at: Date },
): Promise<void> {
  const settings = await findReportSettings(tx);
  if (settings === null || settings.recipient === null) return;
  await enqueueNotification(tx, {
    tenantId,
    at,
    request: {
      template: 'bank_connection_alert',
      variables: alertInWords(alert, { connectionId, institutionName }),
      recipient: settings.recipient,
      dedupeKey: `bank_connection:${connectionId}:${alert.kind}:${identityOf(alert)}`,
    },
  });
}

function identityOf(alert: ConnectionAlert): string {
  switch (alert.kind) {
    case 'consent_ends':
      return alert.at;
    case 'unreadable_movements':
      return alert.movements[0]?.externalId ?? '';
    default:
      return alert.since;
  }
}
