/** Money on a tenant's bank account that waits for somebody, where nothing else of a bank matters. */
import { type Database, withTenant } from '../../db/client.ts';
import { newId } from '../../db/ids.ts';
import { matchMovements } from '../../db/queries/payments/match-movements.ts';
import { bankAccounts, bankTransactions } from '../../db/schema/banking.ts';

export async function unmatchedMovement(
  db: Database,
  tenantId: string,
  amountMinor = 12_345,
): Promise<string> {
  const accountId = newId('bac');
  const id = newId('btx');
  await withTenant(db, tenantId, async (tx) => {
    const account = { id: accountId, tenantId, name: 'Checking', currency: 'USD', isReceiving: true };
    await tx.insert(bankAccounts).values(account);
    await tx.insert(bankTransactions).values({
      ...{ id, tenantId, accountId, amountMinor, source: 'plaid', externalId: id, currency: 'USD' },
      ...{ bookedOn: '2026-03-05', pending: false, texts: ['DEPOSIT'], status: 'new' },
    });
  });
  await matchMovements(db, { tenantId, at: new Date() });
  return id;
}
