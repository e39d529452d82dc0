/**
 * What operators decide about an invoice in coins: money that came late or wrongly is accepted or dismissed, the offer is
 * extended or cancelled, an invoice is marked. What moves more than the policy's limit waits until a second person, another
 * API key, approves it.
 *
 * Why it is safe to run twice: an act is a row that is decided once, under the customer's lock; what follows is carried out in
 * the same transaction. The caller's idempotency key is in it, too.
 */
import { and, asc, eq, inArray, lt, max, sql } from 'drizzle-orm';
import type { CryptoAct } from '../../../domain/payments/crypto-invoice.ts';
import { APPROVAL_USD_MINOR } from '../../../domain/payments/crypto-policy.ts';
import { lookAtCryptoInvoice } from '../../../workflows/payments/crypto-invoice.contract.ts';
import type { Tx } from '../../client.ts';
import { newId } from '../../ids.ts';
import { cryptoActs, cryptoInvoices, cryptoPayments } from '../../schema/crypto.ts';
import { dueOf, type InvoiceRow } from '../billing/invoices.ts';
import { notFound } from '../billing/subscriptions.ts';
import { appendOutbox } from '../operations/outbox.ts';
import { writeAudit } from '../tenants/audit-log.ts';
import { carryOutCryptoInvoice } from './carry-out-crypto-invoice.ts';
import { lockInvoice } from './charge-attempts.ts';
import { readCryptoInvoice, refusal, watchedChain } from './crypto-invoices.ts';
import { findCurrentOffer } from './crypto-offer.ts';
import { paymentsGoingBack } from './crypto-payouts.ts';
import { quoteNow } from './crypto-quotes.ts';
import { type CryptoInvoiceRow, lockCryptoInvoices } from './observe-chain.ts';
import { startOf } from './save-decision.ts';

export type CryptoActRow = typeof cryptoActs.$inferSelect;

/** Who asks for what, and why. */
type Asked = { cryptoInvoiceId: string; reason: string; actor: string; at: Date };

export type ActWish = Asked &
  (
    | { kind: 'accept'; paymentKeys: string[]; rate: 'locked' | 'received' }
    | { kind: 'dismiss'; paymentKeys: string[] }
    | { kind: 'cancel' | 'mark_invalid' }
    /** `force`: the transaction is not known here; somebody vouches for it, and a second person as well. */
    | { kind: 'mark_settled'; txid: string; force: boolean }
  );

/**
 * Decides, or asks for the second person. Throws `not_found`, and `state_conflict` with the reasons `payment_unknown`,
 * `payment_goes_back`, `transaction_does_not_pay`, `invoice_being_paid` and `act_waiting`.
 */
export async function requestCryptoAct(tx: Tx, wish: ActWish): Promise<CryptoActRow> {
  const { cryptoInvoiceId, reason, actor, at, kind } = wish;
  const invoice = await lockAll(tx, cryptoInvoiceId);
  const waiting = await waitingActs(tx, cryptoInvoiceId);
  if (waiting.length > 0) {
    throw refusal(
      'act_waiting',
      `Another act waits to be approved first (${waiting[0]?.id}); approve or reject that.`,
    );
  }
  const weighed = await weigh(tx, invoice, wish);
  const needsSecond = weighed.isUnproven || weighed.usdMinor >= APPROVAL_USD_MINOR;
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

/** By another one than who asked. Throws `not_found`, and `state_conflict`: `second_person_required`, `act_decided`. */
export async function decideCryptoAct(
  tx: Tx,
  { actId, as, actor, at }: { actId: string; as: 'approved' | 'rejected'; actor: string; at: Date },
): Promise<CryptoActRow> {
  const { cryptoInvoiceId } = await readAct(tx, actId);
  await lockAll(tx, cryptoInvoiceId);
  const asked = await readAct(tx, actId);
  if (asked.status !== 'requested') throw refusal('act_decided', `The act was ${asked.status} before.`);
  if (as === 'approved' && asked.requestedBy === actor) {
    throw refusal(
      'second_person_required',
      'Whoever asked for it does not approve it; use the API key of another person.',
    );
  }
  const isApproved = as === 'approved';
  if (isApproved && asked.act.kind === 'accept') {
    await refuseGoingBack(tx, cryptoInvoiceId, asked.act.paymentKeys);
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
 * A new quote at the rate of now, at the same address: what came late counts as on time. Throws `not_found`, and
 * `state_conflict` with `invoice_not_open`, `not_extendable`, `payment_under_way` and the reasons of a quote.
 */
export async function extendCryptoInvoice(
  tx: Tx,
  { cryptoInvoiceId, reason, actor, at }: Asked,
): Promise<CryptoInvoiceRow> {
  const { invoice, coins } = await lockBoth(tx, cryptoInvoiceId);
  if (invoice.status !== 'open')
    throw refusal('invoice_not_open', `Invoice ${invoice.number} does not wait for a payment.`);
  if (coins.status !== 'expired' && coins.status !== 'awaiting') {
    throw refusal(
      'not_extendable',
      `It is ${coins.status}; only what waits for a payment or has expired is extended.`,
    );
  }
  const current = await findCurrentOffer(tx, coins.invoiceId);
  if (current !== null && current.id !== cryptoInvoiceId)
    throw refusal('payment_under_way', `The invoice is offered anew already (${current.id}).`);
  const { policy: usual } = await watchedChain(tx, coins.chain, at);
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
      const worthMinor = await worthOf(tx, invoice, paymentKeys);
      await refuseGoingBack(tx, invoice.id, paymentKeys);
      return { act: { kind, paymentKeys, at, rate }, usdMinor: worthMinor, isUnproven: false };
    }
    case 'dismiss': {
      const { kind, paymentKeys } = wish;
      await worthOf(tx, invoice, paymentKeys);
      return { act: { kind, paymentKeys, at }, usdMinor: 0, isUnproven: false };
    }
    case 'cancel':
      if (invoice.status !== 'awaiting' || invoice.creditedUnits > 0n) {
        throw refusal('invoice_being_paid', 'Only an offer that nobody has paid anything for is cancelled.');
      }
      return { act: { kind: 'cancel', at }, usdMinor: 0, isUnproven: false };
    case 'mark_invalid':
      return { act: { kind: 'mark_invalid', at, txid: null }, usdMinor, isUnproven: false };
    case 'mark_settled': {
      const { txid, force } = wish;
      const isProven = await isPaidBy(tx, invoice, txid);
      if (!isProven && !force) {
        throw refusal(
          'transaction_does_not_pay',
          'No such transaction that is in a block and pays this invoice enough is known here. Send force to vouch for it: a second person has to approve that.',
        );
      }
      return { act: { kind: 'mark_settled', at, txid }, usdMinor, isUnproven: !isProven };
    }
    default:
      return wish satisfies never;
  }
}

/** In cents of US dollars, at the rate of the quote; what is in another asset counts as the whole invoice. */
async function worthOf(tx: Tx, invoice: CryptoInvoiceRow, keys: readonly string[]): Promise<number> {
  const rows = await tx
    .select()
    .from(cryptoPayments)
    .where(and(eq(cryptoPayments.cryptoInvoiceId, invoice.id), inArray(cryptoPayments.key, [...keys])));
  const missing = keys.filter((key) => !rows.some((row) => row.key === key));
  if (missing.length > 0) {
    throw refusal(
      'payment_unknown',
      `The invoice has no such payments: ${missing.join(', ')}. Its payments list their keys.`,
    );
  }
  if (rows.some(({ asset }) => asset !== invoice.asset)) return invoice.usdMinor;
  const units = rows.reduce((sum, row) => sum + row.units, 0n);
  return Number((units * BigInt(invoice.usdMinor)) / invoice.dueUnits);
}

/** What a payout gives back, or has given back, counts for nothing here. */
async function refuseGoingBack(tx: Tx, cryptoInvoiceId: string, keys: readonly string[]): Promise<void> {
  const goingBack = await paymentsGoingBack(tx, cryptoInvoiceId);
  const key = keys.find((each) => goingBack.has(each));
  if (key === undefined) return;
  throw refusal(
    'payment_goes_back',
    `A payout gives payment ${key} back; reject that payout first, if it was not sent yet.`,
  );
}

async function isPaidBy(tx: Tx, invoice: CryptoInvoiceRow, txid: string): Promise<boolean> {
  const { id, chain, asset, minDueUnits } = invoice;
  const rows = await tx
    .select({ units: cryptoPayments.units, height: cryptoPayments.height })
    .from(cryptoPayments)
    .where(
      and(
        eq(cryptoPayments.cryptoInvoiceId, id),
        eq(cryptoPayments.chain, chain),
        eq(cryptoPayments.asset, asset),
        eq(cryptoPayments.txid, txid.toLowerCase()),
      ),
    );
  const mined = rows.filter(({ height }) => height !== null);
  return mined.reduce((sum, { units }) => sum + units, 0n) >= minDueUnits;
}

function waitingActs(tx: Tx, cryptoInvoiceId: string): Promise<CryptoActRow[]> {
  return tx
    .select()
    .from(cryptoActs)
    .where(and(eq(cryptoActs.cryptoInvoiceId, cryptoInvoiceId), eq(cryptoActs.status, 'requested')))
    .orderBy(asc(cryptoActs.id));
}

async function nextOrdinal(tx: Tx, cryptoInvoiceId: string): Promise<number> {
  const [row] = await tx
    .select({ last: max(cryptoActs.ordinal) })
    .from(cryptoActs)
    .where(eq(cryptoActs.cryptoInvoiceId, cryptoInvoiceId));
  return (row?.last ?? 0) + 1;
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
