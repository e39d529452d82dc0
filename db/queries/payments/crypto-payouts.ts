/**
 * Coins that go back to a customer: what a settled invoice was paid (too much, as usual), or a payment that never counted.
 * What is in the books is held by a refund from the request on, so that nobody spends the customer's credit meanwhile, and is
 * booked as given back when the chain has confirmed the transaction. We send nothing ourselves.
 *
 * Why it is safe to run twice: everything happens under the locks of the customer and then of the invoice in coins. A payment
 * has one payout that was not rejected, an invoice's money at most one under way (the database says so too), and each step is
 * taken from the status before it only; a transaction is told anew, and a payout that was sent rejected, only while no block has
 * the transaction told last. What is mined all the same is looked for on the chain (`payouts-on-chain.ts`). Dying before a commit
 * leaves the step to be asked for again under the same key.
 */
import { and, asc, eq, gt } from 'drizzle-orm';
import { stateConflict } from '../../../domain/errors.ts';
import { readAddress } from '../../../domain/payments/crypto-address.ts';
import {
  type CryptoPayoutStatus,
  type PayoutAct,
  payoutMistake,
  statusAfter,
} from '../../../domain/payments/crypto-payout.ts';
import { APPROVAL_USD_MINOR } from '../../../domain/payments/crypto-policy.ts';
import { fiatValueOf } from '../../../domain/payments/crypto-quote.ts';
import { quotedUsdMinor } from '../../../domain/payments/crypto-worth.ts';
import type { Tx } from '../../client.ts';
import { newId } from '../../ids.ts';
import { cryptoPayouts } from '../../schema/crypto-payouts.ts';
import { refunds } from '../../schema/payments.ts';
import { notFound } from '../billing/subscriptions.ts';
import { writeAudit } from '../tenants/audit-log.ts';
import { addApprovedAct } from './approved-act.ts';
import { releaseCredit } from './book-refund.ts';
import { lockInvoice } from './charge-attempts.ts';
import { readCryptoInvoice } from './crypto-invoices.ts';
import { lockOffers } from './crypto-offer.ts';
import type { CryptoInvoiceRow } from './observe-chain.ts';
import { isLost } from './payout-problems.ts';
import { paymentOf, unspentExcess } from './payout-source.ts';
import { lockPayment, readRefund } from './refunds.ts';
import {
  type PayoutSource,
  refuseMoved,
  refuseSecond,
  refuseTransaction,
  uncountedPayment,
} from './refuse-payout.ts';
import { requestRefund } from './request-refund.ts';
import { decideAndSave } from './save-decision.ts';

export type CryptoPayoutRow = typeof cryptoPayouts.$inferSelect;

export type PayoutWish = {
  tenantId: string;
  cryptoInvoiceId: string;
  /** A payment that does not count; left out, what the invoice was paid. */
  paymentKey?: string | undefined;
  /** Of what was paid: minor units of the invoice's currency; as usual what is too much. */
  amountMinor?: number | undefined;
  address: string;
  reason: string;
  actor: string;
  at: Date;
  /** From so many cents of US dollars on a second person approves; as usual unless given. */
  approvalUsdMinor?: number;
};

/**
 * Asks for a payout; one that an excess has opened becomes it. Throws `not_found`, and `state_conflict` with the reasons
 * `address_unusable`, `payment_counts`, `payment_booked`, `payment_unconfirmed`, `payout_under_way`, `nothing_to_give_back`, and
 * those of a refund. Nothing is written then.
 */
export async function requestPayout(tx: Tx, wish: PayoutWish): Promise<CryptoPayoutRow> {
  const { invoiceId } = await readCryptoInvoice(tx, wish.cryptoInvoiceId);
  await lockInvoice(tx, invoiceId);
  await lockOffers(tx, invoiceId);
  const decided = await decideAndSave(tx, { id: wish.cryptoInvoiceId, at: wish.at });
  const { invoice } = decided;
  await refuseSecond(tx, wish);
  const source =
    wish.paymentKey === undefined
      ? await whatWasPaid(tx, invoice, wish)
      : await uncountedPayment(tx, decided, wish.paymentKey);
  const { chain, asset } = source;
  const read = readAddress(wish.address, chain, invoice.network);
  if (!read.ok) throw stateConflict('address_unusable', `The address ${read.message}.`);
  const fields = {
    refundId: source.refundId,
    units: source.units,
    usdMinor: usdValue(source, invoice) ?? wish.approvalUsdMinor ?? APPROVAL_USD_MINOR,
    address: read.address,
    target: read.to,
    status: 'requested',
    reason: wish.reason,
    requestedBy: wish.actor,
    requestedAt: wish.at,
  } as const;
  const row =
    (await takeOverAsked(tx, source.paymentId, fields)) ??
    (await insertPayout(tx, {
      tenantId: wish.tenantId,
      customerId: invoice.customerId,
      cryptoInvoiceId: invoice.id,
      paymentKey: wish.paymentKey ?? null,
      chain,
      network: invoice.network,
      asset,
      ...fields,
    }));
  await audit(tx, row, { action: 'requested', actor: wish.actor, reason: wish.reason, at: wish.at });
  return row;
}

/** Operators were asked about an excess: that is this payout now, whatever of its payment is given back. Null where none were. */
async function takeOverAsked(
  tx: Tx,
  paymentId: string | null,
  fields: Partial<CryptoPayoutRow>,
): Promise<CryptoPayoutRow | null> {
  if (paymentId === null) return null;
  const [row] = await tx
    .update(cryptoPayouts)
    .set(fields)
    .where(and(eq(cryptoPayouts.excessPaymentId, paymentId), eq(cryptoPayouts.status, 'asked')))
    .returning();
  return row ?? null;
}

async function insertPayout(
  tx: Tx,
  fields: Omit<typeof cryptoPayouts.$inferInsert, 'id'>,
): Promise<CryptoPayoutRow> {
  const [row] = await tx
    .insert(cryptoPayouts)
    .values({ id: newId('cpo'), ...fields })
    .returning();
  if (row === undefined) throw new Error('An inserted payout was not returned');
  return row;
}

/**
 * Approves, rejects, or tells that it was sent. Throws `not_found` and `state_conflict` (see `payoutMistake`; `payment_lost`,
 * `payment_counts`, `payment_unconfirmed`, `payout_under_way`, `transaction_unusable`, `transaction_mined`, `transaction_known`).
 */
export async function actOnPayout(
  tx: Tx,
  {
    id,
    act,
    actor,
    at,
    reason,
    txid,
    approvalUsdMinor,
  }: {
    id: string;
    act: PayoutAct;
    actor: string;
    at: Date;
    /** As in the wish. */
    approvalUsdMinor?: number;
    /** Why it is rejected. */
    reason?: string | undefined;
    /** Of the transaction that was sent. */
    txid?: string | undefined;
  },
): Promise<CryptoPayoutRow> {
  const payout = await lockPayout(tx, id);
  const standing = { ...payout, isLost: await isLost(tx, payout) };
  const mistake = payoutMistake(standing, act, actor, approvalUsdMinor);
  if (mistake !== null) throw stateConflict(mistake.reason, mistake.message);
  if (act !== 'reject') await refuseMoved(tx, payout, at);
  if (act === 'broadcast') await refuseTransaction(tx, payout, txid ?? '');
  const formerTxids = [...new Set([...payout.formerTxids, ...(payout.txid === null ? [] : [payout.txid])])];
  const [row] = await tx
    .update(cryptoPayouts)
    .set({
      status: statusAfter[act],
      ...(act === 'broadcast' && { txid: txid ?? null, formerTxids, broadcastBy: actor, broadcastAt: at }),
      ...(act === 'approve' && { decidedBy: actor, decidedAt: at }),
      ...(act === 'reject' && {
        txid: null,
        formerTxids,
        decidedBy: actor,
        decidedAt: at,
        rejection: reason ?? null,
      }),
    })
    .where(eq(cryptoPayouts.id, id))
    .returning();
  if (row === undefined) throw new Error(`Payout ${id} disappeared`);
  if (act === 'reject') await releaseHeld(tx, row, at);
  if (act === 'broadcast' && payout.status === 'approved') await dismissPayment(tx, row, { actor, at });
  // A rejection names the transaction that is never to be mined.
  const { txid: named } = act === 'reject' ? payout : row;
  await audit(tx, { ...row, txid: named }, { action: pastOf[act], actor, reason, at });
  return row;
}

export async function readPayout(tx: Tx, id: string): Promise<CryptoPayoutRow> {
  const [row] = await tx.select().from(cryptoPayouts).where(eq(cryptoPayouts.id, id));
  if (row === undefined) throw notFound('payout', id);
  return row;
}

/** Oldest first, so that what waits longest is seen first. */
export function listPayouts(
  tx: Tx,
  {
    status,
    cursor,
    limit,
  }: {
    status: CryptoPayoutStatus | undefined;
    cursor: string | undefined;
    limit: number;
  },
): Promise<CryptoPayoutRow[]> {
  return tx
    .select()
    .from(cryptoPayouts)
    .where(
      and(
        status === undefined ? undefined : eq(cryptoPayouts.status, status),
        cursor === undefined ? undefined : gt(cryptoPayouts.id, cursor),
      ),
    )
    .orderBy(asc(cryptoPayouts.id))
    .limit(limit);
}

async function whatWasPaid(tx: Tx, invoice: CryptoInvoiceRow, wish: PayoutWish): Promise<PayoutSource> {
  const { chain, asset } = invoice;
  const source =
    wish.amountMinor === undefined
      ? await unspentExcess(tx, invoice)
      : await paymentOf(tx, invoice, wish.amountMinor);
  if (source === null) {
    throw stateConflict(
      'nothing_to_give_back',
      'Nothing that was paid too much is left: it was given back, has paid other invoices since, or never came. Name amountMinor to give back what paid the invoice.',
    );
  }
  const { paymentId, amountMinor, units } = source;
  const { actor, at, reason } = wish;
  const { refund } = await requestRefund(tx, {
    paymentId,
    amountMinor,
    reason,
    actor,
    at,
    isSentLater: true,
  });
  return { chain, asset, units, refundId: refund.id, paymentId };
}

/** What has left the wallet can count no longer. */
async function dismissPayment(
  tx: Tx,
  payout: CryptoPayoutRow,
  { actor, at }: { actor: string; at: Date },
): Promise<void> {
  const { paymentKey, tenantId, cryptoInvoiceId } = payout;
  if (paymentKey === null) return;
  await addApprovedAct(tx, {
    tenantId,
    cryptoInvoiceId,
    act: { kind: 'dismiss', paymentKeys: [paymentKey], at: at.toISOString() },
    reason: `given back by payout ${payout.id}`,
    requestedBy: actor,
    requestedAt: at,
    decidedBy: actor,
    decidedAt: at,
  });
  await decideAndSave(tx, { id: cryptoInvoiceId, at });
}

async function releaseHeld(tx: Tx, { refundId }: CryptoPayoutRow, at: Date): Promise<void> {
  if (refundId === null) return;
  const refund = await readRefund(tx, refundId);
  await releaseCredit(tx, { ...(await lockPayment(tx, refund.paymentId)), refund, at });
  await tx.update(refunds).set({ status: 'failed', failureCode: 'rejected' }).where(eq(refunds.id, refundId));
}

async function lockPayout(tx: Tx, id: string): Promise<CryptoPayoutRow> {
  const { cryptoInvoiceId } = await readPayout(tx, id);
  const { invoiceId } = await readCryptoInvoice(tx, cryptoInvoiceId);
  await lockInvoice(tx, invoiceId);
  await lockOffers(tx, invoiceId);
  const [row] = await tx.select().from(cryptoPayouts).where(eq(cryptoPayouts.id, id)).for('update');
  if (row === undefined) throw notFound('payout', id);
  return row;
}

/** Null where what it is worth is not known here, so that a second person looks at it. */
function usdValue({ asset, units }: PayoutSource, invoice: CryptoInvoiceRow): number | null {
  if (asset === invoice.asset) return quotedUsdMinor(units, invoice);
  return asset === 'USDC' ? fiatValueOf(units, '1', asset, 'USD') : null;
}

const pastOf = { approve: 'approved', reject: 'rejected', broadcast: 'broadcast' } as const;

function audit(
  tx: Tx,
  { id, tenantId, cryptoInvoiceId, units, asset, txid }: CryptoPayoutRow,
  { action, actor, reason, at }: { action: string; actor: string; reason?: string | undefined; at: Date },
): Promise<void> {
  return writeAudit(tx, {
    tenantId,
    actor,
    action: `crypto_payout.${action}`,
    entityType: 'crypto_payout',
    entityId: id,
    ...(reason !== undefined && { reason }),
    details: { cryptoInvoiceId, asset, units: units.toString(), ...(txid !== null && { txid }) },
    at,
  });
}
