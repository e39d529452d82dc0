/** A tenant's bank account in stories: references of invoices, and movements as a feed tells them. */
import { randomUUID } from 'node:crypto';
import { eq } from 'drizzle-orm';
import { withTenant } from '../../db/client.ts';
import { newId } from '../../db/ids.ts';
import { appendOutbox } from '../../db/queries/operations/outbox.ts';
import { bankAccounts, bankTransactions, bankTransfers } from '../../db/schema/banking.ts';
import { invoices } from '../../db/schema/billing.ts';
import { readTransferConfiguration } from '../../domain/payments/transfer-configuration.ts';
import { instructionsFor } from '../../domain/payments/transfer-instructions.ts';
import { lookForMatches } from '../../workflows/payments/bank-matching.contract.ts';
import { usd } from '../support/receiving-accounts.ts';
import type { World } from './world.ts';

export type Feed = {
  /** The invoice may be paid by a transfer with this reference, for seven days from now on. */
  refer(invoiceId: string, reference: string): Promise<void>;
  /** Movements as they are kept, with the signal of who keeps them; the world settles. Their ids. */
  tell(...movements: { text: string; amountMinor: number; bookedOn?: string }[]): Promise<string[]>;
};

/** Into which customers pay. */
const reading = readTransferConfiguration({ version: 1, accounts: [usd] });
if (!reading.ok) throw new Error('The account of stories cannot be used');
const { configuration } = reading;

export async function openFeed(world: World): Promise<Feed> {
  const { db, tenantId } = world;
  const accountId = newId('bac');
  const account = { id: accountId, tenantId, name: 'Checking', currency: 'USD', isReceiving: true };
  await withTenant(db, tenantId, (tx) => tx.insert(bankAccounts).values(account));
  return {
    async refer(invoiceId, reference) {
      const now = world.now();
      const later = (hours: number) => new Date(now.getTime() + hours * 3_600_000);
      await withTenant(db, tenantId, async (tx) => {
        const [invoice] = await tx.select().from(invoices).where(eq(invoices.id, invoiceId));
        if (invoice === undefined) throw new Error('no invoice');
        const { customerId, currency } = invoice;
        const instructions = instructionsFor({ configuration, country: 'US', currency });
        if (instructions === null) throw new Error('no instructions');
        await tx.insert(bankTransfers).values({
          ...{ id: newId('btf'), tenantId, customerId, invoiceId, currency, reference },
          ...{ pageToken: randomUUID(), status: 'awaiting', statusSince: now, issuedAt: now },
          ...{ askAt: later(24), alertAt: later(48), expiresAt: later(168) },
          ...{ detailsVersion: 1, isInternational: false, payerCountry: 'US', paidBeforeMinor: 0 },
          instructions,
        });
      });
    },
    async tell(...movements) {
      const rows = movements.map(
        ({ text, amountMinor, bookedOn = world.now().toISOString().slice(0, 10) }) => {
          const id = newId('btx');
          const told = { texts: [text], amountMinor, bookedOn, currency: 'USD', pending: false };
          return {
            id,
            tenantId,
            accountId,
            externalId: id,
            source: 'plaid' as const,
            status: 'new' as const,
            ...told,
          };
        },
      );
      await withTenant(db, tenantId, async (tx) => {
        await tx.insert(bankTransactions).values(rows);
        await appendOutbox(tx, tenantId, [lookForMatches({ tenantId })]);
      });
      await world.settle();
      return rows.map(({ id }) => id);
    },
  };
}
