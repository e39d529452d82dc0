/**
 * What operators decide about an invoice in coins: money that came late or wrongly is accepted or dismissed, the offer is
 * extended or cancelled, an invoice is marked. What moves more than the policy's limit waits until a second person, another
 * API key, approves it.
 *
 * Why it is safe to run twice: an act is a row that is decided once, under the customer's lock; what follows is carried out in
 * the same transaction. The caller's idempotency key is in it, too.
 */
import { and, asc, eq, inArray, isNotNull, lt, sql } from 'drizzle-orm';
import { stateConflict } from '../../../domain/errors.ts';
import { type CryptoAct, isSettled } from '../../../domain/payments/crypto-invoice.ts';
import { APPROVAL_USD_MINOR, type CryptoPolicySettings } from '../../../domain/payments/crypto-policy.ts';
import { fiatValueOf } from '../../../domain/payments/crypto-quote.ts';
import { quotedUsdMinor } from '../../../domain/payments/crypto-worth.ts';
import { lookAtCryptoInvoice } from '../../../workflows/payments/crypto-invoice.contract.ts';
import type { Tx } from '../../client.ts';
import { newId } from '../../ids.ts';
import { cryptoActs, cryptoEvents, cryptoInvoices, cryptoPayments } from '../../schema/crypto.ts';
import { dueOf, type InvoiceRow } from '../billing/invoices.ts';
import { notFound } from '../billing/subscriptions.ts';
import { appendOutbox } from '../operations/outbox.ts';
import { writeAudit } from '../tenants/audit-log.ts';
import { addApprovedAct, nextOrdinal } from './approved-act.ts';
import { carryOutCryptoInvoice } from './carry-out-crypto-invoice.ts';
import { lockInvoice } from './charge-attempts.ts';
import { readCryptoInvoice, watchedChain } from './crypto-invoices.ts';
import { findCurrentOffer, lockOffers } from './crypto-offer.ts';
import { quoteNow } from './crypto-quotes.ts';
import { type CryptoInvoiceRow, lockCryptoInvoices } from './observe-chain.ts';
import { paymentsGoingBack, paymentsToSendBack } from './payments-going-back.ts';
import { readDecisions, startOf } from './save-decision.ts';

export type CryptoActRow = typeof cryptoActs.$inferSelect;

type PaymentRow = typeof cryptoPayments.$inferSelect;

/** Who asks for what, and why. */
type Asked = { cryptoInvoiceId: string; reason: string; actor: string; at: Date };

export type ActWish = Asked & {
  /** From so many cents of US dollars on a second person approves; as usual unless given. */
  approvalUsdMinor?: number;
} & (
    | { kind: 'accept'; paymentKeys: string[]; rate: 'locked' | 'received' }
    | { kind: 'dismiss'; paymentKeys: string[] }
    | { kind: 'cancel' | 'mark_invalid' }
    /** `force`: the transaction is not known here; somebody vouches for it, and a second person as well. */
    | { kind: 'mark_settled'; txid: string; force: boolean }
  );

/**
 * Decides, or asks for the second person. Throws `not_found`, and `state_conflict` with the reasons `payment_unknown`,
 * `payment_goes_back`, `payment_booked`, `rate_unknown`, `transaction_does_not_pay`, `invoice_being_paid` and `act_waiting`.
 */
export async function requestCryptoAct(tx: Tx, wish: ActWish): Promise<CryptoActRow> {
  const { cryptoInvoiceId, reason, actor, at, kind, approvalUsdMinor = APPROVAL_USD_MINOR } = wish;
  const invoice = await lockAll(tx, cryptoInvoiceId);
  const waiting = await waitingActs(tx, cryptoInvoiceId);
  if (waiting.length > 0) {
    throw stateConflict(
      'act_waiting',
      `Another act waits to be approved first (${waiting[0]?.id}); approve or reject that.`,
    );
  }
  const weighed = await weigh(tx, invoice, wish);
  const needsSecond = weighed.isUnproven || weighed.usdMinor >= approvalUsdMinor;
  if (!needsSecond) {
    const asked = { reason, requestedBy: actor, requestedAt: at, decidedBy: actor, at };
    await acceptMarked(tx, invoice, { act: weighed.act, ...asked });
  }
  const [row] = await tx
    .insert(cryptoActs)
    .values({
      id: newId('cact'),
      tenantId: invoice.tenantId,
      cryptoInvoiceId,
      ordinal: needsSecond ? null : await nextOrdinal(tx, cryptoInvoiceId),
      act: weighed.act,
      reason,
      status: needsSecond ? 'requested' : 'approved',
      requestedBy: actor,
      requestedAt: at,
      ...(!needsSecond && { decidedBy: actor, decidedAt: at }),
    })
    .returning();
  if (row === undefined) throw new Error('An inserted act was not returned');
  await audit(tx, row, { action: `crypto_invoice.${kind}${needsSecond ? '_requested' : ''}`, actor, at });
  if (!needsSecond) await follow(tx, cryptoInvoiceId, at);
  return row;
}

/**
 * By another one than who asked; what is approved is weighed again. Throws `not_found`, and `state_conflict`:
 * `second_person_required`, `act_decided`, and the reasons for which an act is refused when it is asked for.
 */
export async function decideCryptoAct(
  tx: Tx,
  { actId, as, actor, at }: { actId: string; as: 'approved' | 'rejected'; actor: string; at: Date },
): Promise<CryptoActRow> {
  const { cryptoInvoiceId } = await readAct(tx, actId);
  const invoice = await lockAll(tx, cryptoInvoiceId);
  const asked = await readAct(tx, actId);
  if (asked.status !== 'requested') throw stateConflict('act_decided', `The act was ${asked.status} before.`);
  if (as === 'approved' && asked.requestedBy === actor) {
    throw stateConflict(
      'second_person_required',
      'Whoever asked for it does not approve it; use the API key of another person.',
    );
  }
  const isApproved = as === 'approved';
  if (isApproved) {
    await weighAgain(tx, invoice, asked);
    await acceptMarked(tx, invoice, { ...asked, decidedBy: actor, at });
  }
  const [row] = await tx
    .update(cryptoActs)
    .set({
      status: as,
      decidedBy: actor,
      decidedAt: at,
      // It counts from now on.
      ...(isApproved && {
        ordinal: await nextOrdinal(tx, cryptoInvoiceId),
        act: { ...asked.act, at: at.toISOString() },
      }),
    })
    .where(eq(cryptoActs.id, actId))
    .returning();
  if (row === undefined) throw notFound('crypto act', actId);
  await audit(tx, row, { action: `crypto_invoice.${row.act.kind}_${as}`, actor, at });
  if (isApproved) await follow(tx, cryptoInvoiceId, at);
  return row;
}

/**
 * A new quote at the rate of now, at the same address, by the `settings` of now (only the time a rate is held stays as it
 * was): what came late counts as on time. Throws `not_found`, and
 * `state_conflict` with `invoice_not_open`, `not_extendable`, `payment_under_way`, `payment_goes_back` and the reasons of a quote.
 */
export async function extendCryptoInvoice(
  tx: Tx,
  { cryptoInvoiceId, reason, actor, at, settings }: Asked & { settings?: CryptoPolicySettings },
): Promise<CryptoInvoiceRow> {
  const { invoice, coins } = await lockBoth(tx, cryptoInvoiceId);
  if (invoice.status !== 'open')
    throw stateConflict('invoice_not_open', `Invoice ${invoice.number} does not wait for a payment.`);
  if (coins.status !== 'expired' && coins.status !== 'awaiting') {
    throw stateConflict(
      'not_extendable',
      `It is ${coins.status}; only what waits for a payment or has expired is extended.`,
    );
  }
  const current = await findCurrentOffer(tx, coins.invoiceId);
  if (current !== null && current.id !== cryptoInvoiceId)
    throw stateConflict('payment_under_way', `The invoice is offered anew already (${current.id}).`);
  await refuseAnyGoingBack(tx, cryptoInvoiceId);
  const { policy: usual } = await watchedChain(tx, { chain: coins.chain, settings, at });
  const policy = { ...usual, quoteMinutes: coins.policy.quoteMinutes };
  const quoted = await quoteNow(tx, { due: dueOf(invoice), asset: coins.asset, policy, at });
  const [row] = await tx
    .update(cryptoInvoices)
    .set({
      ...quoted,
      status: 'awaiting',
      statusSince: at,
      quoteOrdinal: coins.quoteOrdinal + 1,
      quotedAt: at,
      expiresAt: new Date(at.getTime() + policy.quoteMinutes * 60_000),
      policy,
      version: coins.version + 1,
    })
    .where(eq(cryptoInvoices.id, cryptoInvoiceId))
    .returning();
  if (row === undefined) throw notFound('crypto invoice', cryptoInvoiceId);
  // By the time it is decided it awaits its payment already, so the decision cannot tell.
  await tx.insert(cryptoEvents).values({
    id: newId('cev'),
    tenantId: row.tenantId,
    cryptoInvoiceId,
    version: row.version,
    key: `extended:${row.version}`,
    kind: 'extended',
    details: {
      payment: null,
      creditedUnits: String(coins.creditedUnits),
      excessUnits: '0',
      missingUnits: String(row.dueUnits - coins.creditedUnits),
    },
    at,
  });
  await writeAudit(tx, {
    tenantId: row.tenantId,
    actor,
    action: 'crypto_invoice.extended',
    entityType: 'crypto_invoice',
    entityId: cryptoInvoiceId,
    reason,
    details: { quoteOrdinal: row.quoteOrdinal, dueUnits: row.dueUnits.toString() },
    at,
  });
  await follow(tx, cryptoInvoiceId, at);
  return readCryptoInvoice(tx, cryptoInvoiceId);
}

/** Newest first. */
export function listCryptoActs(
  tx: Tx,
  filter: {
    status: CryptoActRow['status'] | undefined;
    cryptoInvoiceId: string | undefined;
    cursor: string | undefined;
    limit: number;
  },
): Promise<CryptoActRow[]> {
  const { status, cryptoInvoiceId, cursor, limit } = filter;
  return tx
    .select()
    .from(cryptoActs)
    .where(
      and(
        status === undefined ? undefined : eq(cryptoActs.status, status),
        cryptoInvoiceId === undefined ? undefined : eq(cryptoActs.cryptoInvoiceId, cryptoInvoiceId),
        cursor === undefined ? undefined : lt(cryptoActs.id, cursor),
      ),
    )
    .orderBy(sql`${cryptoActs.id} desc`)
    .limit(limit);
}

/** Carries out at once, and leaves what is still to come to the invoice's process. */
async function follow(tx: Tx, cryptoInvoiceId: string, at: Date): Promise<void> {
  const { invoice, decision } = await carryOutCryptoInvoice(tx, { cryptoInvoiceId, at });
  const isOpen = invoice.status === 'awaiting' || invoice.status === 'processing';
  if (!isOpen && decision.wakeAt === null) return;
  await appendOutbox(tx, invoice.tenantId, [lookAtCryptoInvoice(startOf(invoice))]);
}

async function weigh(
  tx: Tx,
  invoice: CryptoInvoiceRow,
  wish: ActWish,
): Promise<{ act: CryptoAct; usdMinor: number; isUnproven: boolean }> {
  const at = wish.at.toISOString();
  const { usdMinor } = invoice;
  switch (wish.kind) {
    case 'accept': {
      const { kind, paymentKeys, rate } = wish;
      const worthMinor = await worthOf(tx, invoice, { keys: paymentKeys, rate });
      await refuseGoingBack(tx, invoice.id, paymentKeys);
      return { act: { kind, paymentKeys, at, rate }, usdMinor: worthMinor, isUnproven: false };
    }
    case 'dismiss': {
      const { kind, paymentKeys } = wish;
      await readNamed(tx, invoice.id, paymentKeys);
      await refuseBooked(tx, invoice, { paymentKeys, at });
      return { act: { kind, paymentKeys, at }, usdMinor: 0, isUnproven: false };
    }
    case 'cancel':
      if (invoice.status !== 'awaiting' || invoice.creditedUnits > 0n) {
        throw stateConflict(
          'invoice_being_paid',
          'Only an offer that nobody has paid anything for is cancelled.',
        );
      }
      return { act: { kind: 'cancel', at }, usdMinor: 0, isUnproven: false };
    case 'mark_invalid':
      return { act: { kind: 'mark_invalid', at, txid: null }, usdMinor, isUnproven: false };
    case 'mark_settled': {
      const { txid, force } = wish;
      const paying = await paidBy(tx, invoice, txid);
      const isProven = isEnough(paying, invoice);
      if (!isProven && !force) throw doesNotPay();
      await refuseAnyGoingBack(tx, invoice.id);
      const keys = paying.map(({ key }) => key);
      await refuseGoingBack(tx, invoice.id, keys);
      // Its payments are accepted with it, however much they are.
      const worthMinor = await worthOf(tx, invoice, { keys, rate: 'locked' });
      return {
        act: { kind: 'mark_settled', at, txid, ...(!isProven && { isVouched: true }) },
        usdMinor: Math.max(usdMinor, worthMinor),
        isUnproven: !isProven,
      };
    }
    default:
      return wish satisfies never;
  }
}

/**
 * What was accepted counts for, together with all that was accepted before: in cents of US dollars, rounded up, at the rate of
 * the quote or of when it came, whichever is more. Throws `rate_unknown` where a payment would count for nothing.
 */
async function worthOf(
  tx: Tx,
  invoice: CryptoInvoiceRow,
  { keys, rate }: { keys: readonly string[]; rate: 'locked' | 'received' },
): Promise<number> {
  const named = await readNamed(tx, invoice.id, keys);
  const unknown = named.find(
    ({ asset, usdRate }) =>
      asset === null || (usdRate === null && (asset !== invoice.asset || rate === 'received')),
  );
  if (unknown !== undefined) {
    throw stateConflict(
      'rate_unknown',
      unknown.asset === invoice.asset
        ? `Nobody knows what payment ${unknown.key} was worth when it came: accept it at the rate of the quote (rate locked).`
        : `Nobody knows what payment ${unknown.key} was worth when it came, so it would count for nothing: give it back by a payout, or mark the invoice as settled by its transaction (mark_settled with force).`,
    );
  }
  const earlier = await acceptedBefore(tx, invoice.id);
  const others = earlier.filter(({ key }) => !keys.includes(key));
  return [...named, ...others].reduce((sum, payment) => sum + usdMinorOf(payment, invoice), 0);
}

function usdMinorOf({ asset, units, usdRate }: PaymentRow, invoice: CryptoInvoiceRow): number {
  if (asset === null) return 0;
  const quoted = asset === invoice.asset ? quotedUsdMinor(units, invoice) : 0;
  const rate = usdRate ?? (asset === 'USDC' ? '1' : null);
  return rate === null ? quoted : Math.max(quoted, fiatValueOf(units, rate, asset, 'USD'));
}

async function acceptedBefore(tx: Tx, cryptoInvoiceId: string): Promise<PaymentRow[]> {
  const rows = await tx
    .select({ act: cryptoActs.act })
    .from(cryptoActs)
    .where(and(eq(cryptoActs.cryptoInvoiceId, cryptoInvoiceId), eq(cryptoActs.status, 'approved')));
  const keys = rows.flatMap(({ act }) => (act.kind === 'accept' ? act.paymentKeys : []));
  return readNamed(tx, cryptoInvoiceId, [...new Set(keys)]);
}

async function readNamed(tx: Tx, cryptoInvoiceId: string, keys: readonly string[]): Promise<PaymentRow[]> {
  const rows = await tx
    .select()
    .from(cryptoPayments)
    .where(and(eq(cryptoPayments.cryptoInvoiceId, cryptoInvoiceId), inArray(cryptoPayments.key, [...keys])));
  const missing = keys.filter((key) => !rows.some((row) => row.key === key));
  if (missing.length > 0) {
    throw stateConflict(
      'payment_unknown',
      `The invoice has no such payments: ${missing.join(', ')}. Its payments list their keys.`,
    );
  }
  return rows;
}

/** What the books rest on is taken out of them by a refund, never beside them. */
async function refuseBooked(
  tx: Tx,
  invoice: CryptoInvoiceRow,
  { paymentKeys, at }: { paymentKeys: readonly string[]; at: string },
): Promise<void> {
  const decided = (await readDecisions(tx, { ids: [invoice.id], now: at })).get(invoice.id);
  if (decided === undefined) throw notFound('crypto invoice', invoice.id);
  const { status, payments } = decided.decision;
  if (!isSettled(status) && !isSettled(invoice.status)) return;
  const booked = payments.find(({ key, countedUnits }) => countedUnits > 0n && paymentKeys.includes(key));
  if (booked === undefined) return;
  throw stateConflict(
    'payment_booked',
    `Payment ${booked.key} has paid the invoice and is in the books: ask for a payout with amountMinor to give that much back, or mark the invoice as invalid.`,
  );
}

/** Whether a payout that is not sent yet gives any payment back: nothing may make that payment count meanwhile. */
async function refuseAnyGoingBack(tx: Tx, cryptoInvoiceId: string): Promise<void> {
  const [key] = await paymentsToSendBack(tx, cryptoInvoiceId);
  if (key !== undefined) throw goesBack(key);
}

/** What a payout gives back, or has given back, counts for nothing here. */
async function refuseGoingBack(tx: Tx, cryptoInvoiceId: string, keys: readonly string[]): Promise<void> {
  const goingBack = await paymentsGoingBack(tx, cryptoInvoiceId);
  const key = keys.find((each) => goingBack.has(each));
  if (key !== undefined) throw goesBack(key);
}

function goesBack(key: string): Error {
  return stateConflict(
    'payment_goes_back',
    `A payout gives payment ${key} back; reject that payout first, if it was not sent yet.`,
  );
}

/** What a transaction that is in a block pays the invoice as it was asked for. */
function paidBy(tx: Tx, { id, chain, asset }: CryptoInvoiceRow, txid: string): Promise<PaymentRow[]> {
  return tx
    .select()
    .from(cryptoPayments)
    .where(
      and(
        eq(cryptoPayments.cryptoInvoiceId, id),
        eq(cryptoPayments.chain, chain),
        eq(cryptoPayments.asset, asset),
        eq(cryptoPayments.txid, txid.toLowerCase()),
        isNotNull(cryptoPayments.height),
      ),
    );
}

function isEnough(payments: readonly PaymentRow[], { minDueUnits }: CryptoInvoiceRow): boolean {
  return payments.reduce((sum, { units }) => sum + units, 0n) >= minDueUnits;
}

function doesNotPay(): Error {
  return stateConflict(
    'transaction_does_not_pay',
    'No such transaction that is in a block and pays this invoice enough is known here. Send force to vouch for it: a second person has to approve that.',
  );
}

/** The payments of the transaction that an invoice is marked with count, so that nobody gives them back later. */
async function acceptMarked(tx: Tx, invoice: CryptoInvoiceRow, mark: Mark): Promise<void> {
  const { act, reason, requestedBy, requestedAt, decidedBy, at } = mark;
  if (act.kind !== 'mark_settled' || act.txid === null) return;
  const paymentKeys = (await paidBy(tx, invoice, act.txid)).map(({ key }) => key);
  if (paymentKeys.length === 0) return;
  const { tenantId, id: cryptoInvoiceId } = invoice;
  const accepted = { kind: 'accept', paymentKeys, at: at.toISOString(), rate: 'locked' } as const;
  await addApprovedAct(tx, {
    tenantId,
    cryptoInvoiceId,
    act: accepted,
    reason,
    requestedBy,
    requestedAt,
    decidedBy,
    decidedAt: at,
  });
}

type Mark = Pick<CryptoActRow, 'act' | 'reason' | 'requestedBy' | 'requestedAt'> & {
  decidedBy: string;
  at: Date;
};

/** What was true when it was asked for may be true no longer. */
async function weighAgain(tx: Tx, invoice: CryptoInvoiceRow, { act }: CryptoActRow): Promise<void> {
  if (act.kind === 'accept') {
    await worthOf(tx, invoice, { keys: act.paymentKeys, rate: act.rate });
    await refuseGoingBack(tx, invoice.id, act.paymentKeys);
  }
  if (act.kind !== 'mark_settled') return;
  const paying = await paidBy(tx, invoice, act.txid ?? '');
  if (act.isVouched !== true && !isEnough(paying, invoice)) throw doesNotPay();
  await refuseAnyGoingBack(tx, invoice.id);
  await refuseGoingBack(
    tx,
    invoice.id,
    paying.map(({ key }) => key),
  );
}

function waitingActs(tx: Tx, cryptoInvoiceId: string): Promise<CryptoActRow[]> {
  return tx
    .select()
    .from(cryptoActs)
    .where(and(eq(cryptoActs.cryptoInvoiceId, cryptoInvoiceId), eq(cryptoActs.status, 'requested')))
    .orderBy(asc(cryptoActs.id));
}

async function readAct(tx: Tx, actId: string): Promise<CryptoActRow> {
  const [row] = await tx.select().from(cryptoActs).where(eq(cryptoActs.id, actId));
  if (row === undefined) throw notFound('crypto act', actId);
  return row;
}

async function lockAll(tx: Tx, cryptoInvoiceId: string): Promise<CryptoInvoiceRow> {
  return (await lockBoth(tx, cryptoInvoiceId)).coins;
}

/** The customer first, then the invoice in coins, as everybody does. */
async function lockBoth(
  tx: Tx,
  cryptoInvoiceId: string,
): Promise<{ invoice: InvoiceRow; coins: CryptoInvoiceRow }> {
  const { invoiceId } = await readCryptoInvoice(tx, cryptoInvoiceId);
  const { invoice } = await lockInvoice(tx, invoiceId);
  await lockOffers(tx, invoiceId);
  const [coins] = await lockCryptoInvoices(tx, [cryptoInvoiceId]);
  if (coins === undefined) throw notFound('crypto invoice', cryptoInvoiceId);
  return { invoice, coins };
}

function audit(
  tx: Tx,
  { id, tenantId, cryptoInvoiceId, reason }: CryptoActRow,
  entry: { action: string; actor: string; at: Date },
): Promise<void> {
  return writeAudit(tx, {
    ...entry,
    tenantId,
    entityType: 'crypto_invoice',
    entityId: cryptoInvoiceId,
    reason,
    details: { actId: id },
  });
}
