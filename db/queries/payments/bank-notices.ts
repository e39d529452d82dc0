/**
 * Who is told of movements on bank accounts besides the timeline: the operators, where the tenant has named an address for its
 * reports, and the customer whose money it is.
 *
 * Why it is safe to run twice: a notice is decided in the transaction of what it tells of, and known by that.
 */
import { and, asc, inArray, isNull } from 'drizzle-orm';
import { formatMoney, type Money } from '../../../domain/money.ts';
import { queueStatuses } from '../../../domain/payments/bank-movement.ts';
import type { Tx } from '../../client.ts';
import { isOneOf } from '../../is-one-of.ts';
import { bankTransactions } from '../../schema/banking.ts';
import { readInvoice } from '../billing/invoices.ts';
import { lockSubscription } from '../billing/subscriptions.ts';
import { enqueueOperatorNotice } from '../messaging/operator-notices.ts';
import { tellSubscriber } from '../messaging/tell-subscriber.ts';

export type OperatorNotice = {
  tenantId: string;
  /** In a few words. */
  title: string;
  /** In sentences, with what to do. No name of anybody. */
  what: string;
  key: string;
  at: Date;
};

export async function tellBankOperators(
  tx: Tx,
  { tenantId, title, what, key, at }: OperatorNotice,
): Promise<void> {
  await enqueueOperatorNotice(tx, {
    tenantId,
    key,
    at,
    template: 'bank_matching_alert',
    variables: { title, what },
  });
}

/** One notice for all that has come into the queue since the last one. Returns how many these are. */
export async function tellOfQueue(tx: Tx, { tenantId, at }: { tenantId: string; at: Date }): Promise<number> {
  const { status, queuedAt, id } = bankTransactions;
  const queued = await tx
    .select({ id, status })
    .from(bankTransactions)
    .where(and(inArray(status, [...queueStatuses]), isNull(queuedAt)))
    .orderBy(asc(id))
    .for('update');
  const [first] = queued;
  if (first === undefined) return 0;
  const ids = queued.map((row) => row.id);
  await tx.update(bankTransactions).set({ queuedAt: at }).where(isOneOf(id, ids));
  const count = (wanted: string) => queued.filter((row) => row.status === wanted).length;
  const parts = [
    [count('suggested'), 'with suggestions of invoices'],
    [
      count('exception'),
      'that came late, to the wrong account, for a void invoice, without a rate or in another amount than was proved',
    ],
    [count('unmatched'), 'that no open invoice fits'],
  ] as const;
  const listed = parts.filter(([number]) => number > 0).map(([number, which]) => `${number} ${which}`);
  const title =
    queued.length === 1
      ? 'A bank transfer waits for somebody'
      : `${queued.length} bank transfers wait for somebody`;
  const what = `Money came in and is not booked: ${listed.join(', ')}. Look at each, and match it or ignore it.`;
  await tellBankOperators(tx, {
    tenantId,
    title,
    what,
    key: `bank_queue:${first.id}:${at.toISOString()}`,
    at,
  });
  return queued.length;
}

/** The customer paid more than was due, or what had been paid before. */
export async function tellOfCredit(
  tx: Tx,
  {
    template,
    invoiceId,
    paymentId,
    credit,
    at,
  }: {
    template: 'bank_payment_over' | 'bank_payment_duplicate';
    invoiceId: string;
    paymentId: string;
    credit: Money;
    at: Date;
  },
): Promise<void> {
  const invoice = await readInvoice(tx, invoiceId);
  const context = await lockSubscription(tx, invoice.subscriptionId);
  const amount = formatMoney({ amountMinor: invoice.totalMinor, currency: invoice.currency });
  await tellSubscriber(tx, context, at, {
    template,
    variables: {
      planName: context.plan.name,
      invoiceNumber: invoice.number,
      amount,
      credit: formatMoney(credit),
    },
    occasion: paymentId,
  });
}
