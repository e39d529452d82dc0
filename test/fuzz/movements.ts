/** Movements on a bank account for each act of people, and a customer whose credit they may become. */
import { type Database, withTenant } from '../../db/client.ts';
import { newId } from '../../db/ids.ts';
import { bankAccounts, bankTransactions } from '../../db/schema/banking.ts';

type Call = (method: string, path: string, body?: unknown) => Promise<{ id: string }>;

/** What can be done once is there several times, since not every request that does it counts. */
const EACH = 12;

/** By the names that `schemathesis.toml` binds to parameters. `subscriptionId`: of a customer whom no request names. */
export async function populateMovements({
  db,
  tenantId,
  customerId,
  subscriptionId,
  ok,
}: {
  db: Database;
  tenantId: string;
  customerId: string;
  subscriptionId: string;
  ok: Call;
}): Promise<Record<string, string[]>> {
  const lines = [{ description: 'A workshop', unitMinor: 900 }];
  const { id: invoiceId } = await ok('POST', '/v1/invoices', { subscriptionId, lines });
  await ok('POST', `/v1/invoices/${invoiceId}/finalise`);
  const paid = {
    amountMinor: 900,
    currency: 'USD',
    method: 'wire',
    reason: 'on the statement',
    reference: 'before',
  };
  await ok('POST', `/v1/invoices/${invoiceId}/payments`, paid);
  const accountId = newId('bac');
  const [matchable, unmatchable, ignorable] = [movements(), movements(), movements()];
  await withTenant(db, tenantId, async (tx) => {
    const account = { id: accountId, tenantId, name: 'Checking', currency: 'USD', isReceiving: true };
    await tx.insert(bankAccounts).values(account);
    const rows = [...matchable, ...unmatchable, ...ignorable].map((id) => ({
      ...{ id, tenantId, accountId, externalId: id, source: 'csv' as const, status: 'unmatched' as const },
      ...{ amountMinor: 4321, currency: 'USD', bookedOn: '2026-03-05', pending: false, texts: ['DEPOSIT'] },
      decidedVersion: 0,
    }));
    await tx.insert(bankTransactions).values(rows);
  });
  for (const id of unmatchable) {
    await ok('POST', `/v1/bank_transactions/${id}/match`, { creditCustomerId: customerId });
  }
  return {
    movements: [...matchable, ...unmatchable, ...ignorable],
    matchable,
    unmatchable,
    ignorable,
    creditable: [customerId],
  };
}

function movements(): string[] {
  return Array.from({ length: EACH }, () => newId('btx'));
}
