/**
 * Referrals: a customer's code, who began with it, and the reward when that customer has paid for the first time.
 *
 * Why it is safe to run twice: who has referred somebody is written once, under that customer's lock; the reward is in the
 * transaction that books the payment, is marked there, and is in the ledger once. Who has referred others cannot be
 * referred, so rewards wait for locks in one direction only.
 */
import { and, eq, isNull, ne, sql } from 'drizzle-orm';
import { referralReward } from '../../../domain/billing/referral.ts';
import { taxPart } from '../../../domain/billing/tax-amounts.ts';
import { DomainError } from '../../../domain/errors.ts';
import { formatMoney, money } from '../../../domain/money.ts';
import type { Tx } from '../../client.ts';
import { customers, subscriptions } from '../../schema/billing.ts';
import { payments } from '../../schema/payments.ts';
import { enqueueNotification } from '../messaging/notifications.ts';
import { postToLedger } from '../payments/ledger.ts';
import { addCredit } from './customers.ts';
import { type InvoiceRow, negative } from './invoices.ts';
import { normalisedCode, randomCode } from './random-code.ts';
import {
  addTimelineEntry,
  type CustomerRow,
  lockCustomer,
  notFound,
  type SubscriptionContext,
} from './subscriptions.ts';

/** The customer's code, made when it is asked for first. Throws `not_found`, or `state_conflict` after the erasure. */
export async function giveReferralCode(tx: Tx, customerId: string): Promise<string> {
  const customer = await lockCustomer(tx, customerId);
  if (customer.erasedAt !== null) {
    throw conflict('customer_erased', `The data of customer ${customerId} was erased; it can bring nobody.`);
  }
  if (customer.referralCode !== null) return customer.referralCode;
  const code = randomCode();
  await tx.update(customers).set({ referralCode: code }).where(eq(customers.id, customerId));
  return code;
}

/**
 * Remembers who has brought a customer, whose first subscription this is. Throws `not_found` for the code, or
 * `state_conflict` with the reasons `referred_by_oneself`, `not_a_new_customer`, `has_referred_others` and
 * `currency_mismatch`.
 */
export async function referCustomer(tx: Tx, customer: CustomerRow, code: string): Promise<void> {
  const [referrer] = await tx
    .select()
    .from(customers)
    .where(and(eq(customers.referralCode, normalisedCode(code)), isNull(customers.erasedAt)));
  if (referrer === undefined) throw notFound('referral_code', code);
  if (referrer.id === customer.id || referrer.personKey === customer.personKey) {
    throw conflict('referred_by_oneself', 'Nobody refers themselves; leave the referral code out.');
  }
  if (referrer.currency !== customer.currency) {
    const message = `The referral code is of a customer billed in ${referrer.currency}; this one is billed in ${customer.currency}.`;
    throw conflict('currency_mismatch', message);
  }
  const [earlier] = await tx
    .select({ id: subscriptions.id })
    .from(subscriptions)
    .where(eq(subscriptions.customerId, customer.id))
    .limit(1);
  if (earlier !== undefined || customer.referredBy !== null) {
    throw conflict('not_a_new_customer', 'A referral code is for the first subscription of a customer.');
  }
  const [referred] = await tx
    .select({ id: customers.id })
    .from(customers)
    .where(eq(customers.referredBy, customer.id))
    .limit(1);
  if (referred !== undefined) {
    throw conflict(
      'has_referred_others',
      'Who has brought others is no new customer; leave the referral code out.',
    );
  }
  await tx.update(customers).set({ referredBy: referrer.id }).where(eq(customers.id, customer.id));
}

/**
 * The first invoice that a referred customer has paid with money: its share is the referrer's credit. What was paid from
 * credit brings nothing, and a later refund takes nothing back.
 */
export async function rewardReferral(
  tx: Tx,
  { customer, subscription }: SubscriptionContext,
  { invoice, at }: { invoice: InvoiceRow; at: Date },
): Promise<void> {
  if (customer.referredBy === null || customer.referralRewardedAt !== null) return;
  const [paid] = await tx
    .select({ minor: sql<number>`coalesce(sum(${payments.allocatedMinor}), 0)::int8`.mapWith(Number) })
    .from(payments)
    .where(and(eq(payments.invoiceId, invoice.id), ne(payments.rail, 'credit')));
  const paidMinor = paid?.minor ?? 0;
  const reward = money(referralReward(paidMinor - taxPart(invoice, paidMinor)), invoice.currency);
  if (reward.amountMinor === 0) return;
  await tx.update(customers).set({ referralRewardedAt: at }).where(eq(customers.id, customer.id));
  const [referrer] = await tx.select().from(customers).where(eq(customers.id, customer.referredBy));
  if (referrer === undefined || referrer.erasedAt !== null) return;
  const { tenantId } = invoice;
  await addCredit(tx, referrer.id, reward.amountMinor);
  await postToLedger(tx, {
    tenantId,
    kind: 'referral_reward',
    reference: customer.id,
    at,
    lines: [
      { account: 'referral_cost', amount: reward },
      { account: 'customer_credit', amount: negative(reward) },
    ],
  });
  await addTimelineEntry(tx, subscription, at, {
    kind: 'referral_rewarded',
    message: `${formatMoney(reward)} became the credit of the customer who brought this one.`,
    details: { referrerId: referrer.id, invoiceId: invoice.id, rewardMinor: reward.amountMinor },
  });
  await enqueueNotification(tx, {
    tenantId,
    at,
    request: {
      template: 'referral_rewarded',
      variables: { amount: formatMoney(reward) },
      customerId: referrer.id,
      dedupeKey: `referral:${customer.id}`,
    },
  });
}

function conflict(reason: string, message: string): DomainError {
  return new DomainError({ code: 'state_conflict', reason, message });
}
