/** Tells a tenant's operators of a connection to a bank. */
import type { ConnectionAlert } from '../../../domain/payments/bank-connection-words.ts';
import { alertInWords } from '../../../domain/payments/bank-connection-words.ts';
import type { Tx } from '../../client.ts';
import { enqueueOperatorNotice } from '../messaging/operator-notices.ts';
import type { BankConnectionRow } from './bank-connections.ts';

/** Each alert is told once, however often it is raised. */
export async function tellOperatorsOfConnection(
  tx: Tx,
  {
    id: connectionId,
    tenantId,
    institutionName,
  }: Pick<BankConnectionRow, 'id' | 'tenantId' | 'institutionName'>,
  { alert, at }: { alert: ConnectionAlert; at: Date },
): Promise<void> {
  await enqueueOperatorNotice(tx, {
    tenantId,
    at,
    key: `bank_connection:${connectionId}:${alert.kind}:${identityOf(alert)}`,
    template: 'bank_connection_alert',
    variables: alertInWords(alert, { connectionId, institutionName }),
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
