/** Invoices paid by bank transfer, in stories. */
import { randomUUID } from 'node:crypto';
import { withTenant } from '../../db/client.ts';
import { lockPayment } from '../../db/queries/payments/refunds.ts';
import { settlePayment } from '../../db/queries/payments/settle-payment.ts';
import { takeBackPayment } from '../../db/queries/payments/take-back-payment.ts';
import { usd } from '../support/receiving-accounts.ts';
import { invoicesOf } from './people.ts';
import type { Body, World } from './world.ts';

export type Transfer = {
  id: string;
  invoiceId: string;
  read(): Promise<Body>;
  /** Money that is found on the tenant's account for it, in minor units; the payment. */
  arrive(amountMinor: number): Promise<string>;
  /** The bank takes a payment back. */
  takeBack(paymentId: string): Promise<void>;
  /** What an operator does, by its path. */
  act(act: string, body?: object): Promise<Body>;
  /** Everything that happened to the subscription since, with the time after the instructions were given. */
  happened(): Promise<string[]>;
};

/** The world's tenant can be paid by bank transfer, and operators are told what needs a look. */
export async function takeTransfers(world: World): Promise<void> {
  await world.ok('PUT', '/v1/bank_details', { expectedVersion: 0, accounts: [usd] });
  await world.ok('PUT', '/v1/report_settings', { recipient: 'operators@example.test' });
}

/** Gives instructions for the subscription's latest invoice, two minutes after whatever happened last. */
export async function askForTransfer(
  world: World,
  subscriptionId: string,
  { country = 'US' }: { country?: string } = {},
): Promise<Transfer> {
  await world.advance({ minutes: 2 });
  const { id: invoiceId } = (await invoicesOf(world, subscriptionId)).at(-1);
  const { id, issuedAt } = await world.ok('POST', `/v1/invoices/${invoiceId}/bank_transfer`, { country });
  const { db, tenantId } = world;
  return {
    id,
    invoiceId,
    read: () => world.ok('GET', `/v1/bank_transfers/${id}`),
    async arrive(amountMinor) {
      const amount = { amountMinor, currency: 'USD' };
      const payment = { tenantId, invoiceId, rail: 'bank', externalId: randomUUID(), amount } as const;
      const { paymentId } = await withTenant(db, tenantId, (tx) =>
        settlePayment(tx, { ...payment, at: world.now() }),
      );
      await world.settle();
      return paymentId;
    },
    async takeBack(paymentId) {
      await withTenant(db, tenantId, async (tx) => {
        const subject = await lockPayment(tx, paymentId);
        const returned = { amountMinor: subject.payment.amountMinor, code: 'R01' };
        await takeBackPayment(tx, subject, { returned, attempt: null, at: world.now() });
      });
      await world.settle();
    },
    act: (act, body = {}) => world.ok('POST', `/v1/bank_transfers/${id}/${act}`, body),
    happened: () => world.effects({ subscriptionId, from: issuedAt }),
  };
}
