/**
 * An open invoice offered for payment by bank transfer: instructions for the customer, a reference of its own, the mail that
 * tells them and the start of the process that waits for the money, all in one transaction under the customer's lock.
 *
 * Why it is safe to run twice: an invoice has one transfer and one reference, so who asks again is given the same; the process
 * is started by its name and the mail is known by its own. Dying before the commit leaves nothing; after it, the outbox goes on.
 */
import { randomBytes, randomInt } from 'node:crypto';
import { and, desc, eq, inArray, lt } from 'drizzle-orm';
import { dayLengthMs } from '../../../domain/billing/plan.ts';
import { DomainError, stateConflict } from '../../../domain/errors.ts';
import { type Money, money } from '../../../domain/money.ts';
import {
  type BankTransferStatus,
  isTransferOpen,
  transferAwaitedUntil,
} from '../../../domain/payments/bank-transfer.ts';
import {
  instructionsFor,
  type TransferInstructions,
} from '../../../domain/payments/transfer-instructions.ts';
import { newTransferReference } from '../../../domain/payments/transfer-reference.ts';
import { statusAfterDeed, type TransferSituation } from '../../../domain/payments/transfer-standing.ts';
import { lookAtBankTransfer, startBankTransfer } from '../../../workflows/payments/bank-transfer.contract.ts';
import type { Tx } from '../../client.ts';
import { newId } from '../../ids.ts';
import { bankTransfers } from '../../schema/banking.ts';
import { invoices } from '../../schema/billing.ts';
import { dueOf, type InvoiceRow } from '../billing/invoices.ts';
import {
  addTimelineEntry,
  announceSubscription,
  notFound,
  type SubscriptionContext,
} from '../billing/subscriptions.ts';
import { appendOutbox } from '../operations/outbox.ts';
import { writeAudit } from '../tenants/audit-log.ts';
import { awaitPayment } from './await-payment.ts';
import { currentBankDetails } from './bank-details.ts';
import { lockInvoice } from './charge-attempts.ts';
import { areCoinsUnderWay } from './crypto-offer.ts';
import { type BankTransferRow, changeTransfer, offerColumns, startOf } from './follow-transfer.ts';
import { paidOtherwise } from './paid-otherwise.ts';
import { pageUrlOf, tellOfStanding } from './transfer-messages.ts';

/** A transfer with what a decision about it needs, read under the customer's lock. */
export type TransferSubject = {
  transfer: BankTransferRow;
  context: SubscriptionContext;
  invoice: InvoiceRow;
  /** Whether a proof waits to be looked at, where that was asked for. */
  isProofWaiting?: boolean | undefined;
};

export type TransferWish = {
  invoiceId: string;
  /** Where the customer pays from; as usual that of the instructions before, and at first the country of the customer's address. */
  country?: string | undefined;
  /** Under which customers reach the pages. */
  publicUrl: string;
  actor: string;
  at: Date;
};

/**
 * The instructions of the invoice: those that stand, or new ones under the same reference where those have expired or would be
 * others now. Throws `not_found`, and `state_conflict` with the reasons `customer_erased`, `invoice_not_open`,
 * `charge_in_flight`, `collected_by_razorpay`, `payment_under_way`, `bank_details_missing`, `payer_country_unknown` and
 * `no_account_for_payer`.
 */
export async function createTransfer(tx: Tx, wish: TransferWish): Promise<BankTransferRow> {
  const { invoiceId, publicUrl, actor, at } = wish;
  const { context, invoice } = await lockInvoice(tx, invoiceId);
  await refuseWhilePaid(tx, { context, invoice, at });
  const current = await findTransferOf(tx, invoiceId);
  const { instructions, country } = await instructionsNow(tx, { wish, context, invoice, current });
  if (current !== null && !isOfferedAnew(current, { context, invoice, instructions })) return current;

  const { tenantId, customerId, currency, paidMinor } = invoice;
  const columns = await offerColumns(tx, { instructions, paidMinor, at });
  const offer = { status: 'awaiting' as const, payerCountry: country, ...columns };
  const transfer =
    current === null
      ? await insertTransfer(tx, { tenantId, customerId, invoiceId, currency, ...offer, statusSince: at })
      : await changeTransfer(tx, current, { ...offer, at });
  await awaitTransfer(tx, { transfer, invoice, context }, at);
  const start = startOf(transfer);
  await appendOutbox(tx, tenantId, [current === null ? startBankTransfer(start) : lookAtBankTransfer(start)]);
  await tellOfStanding(tx, { transfer, invoice, context, pageUrl: pageUrlOf(publicUrl, transfer), at });
  await addTimelineEntry(tx, context.subscription, at, {
    kind: 'bank_transfer_offered',
    message: `Invoice ${invoice.number} can be paid by ${instructions.methodName} under the reference ${transfer.reference}.`,
    details: { bankTransferId: transfer.id, invoiceId },
  });
  await writeAudit(tx, {
    tenantId,
    actor,
    action: current === null ? 'bank_transfer.offered' : 'bank_transfer.offered_anew',
    entityType: 'bank_transfer',
    entityId: transfer.id,
    details: { invoiceId, detailsVersion: transfer.detailsVersion, accountId: instructions.accountId },
    at,
  });
  return transfer;
}

/** The transfer and its invoice under the customer's lock. Throws `not_found`. */
export async function lockTransfer(tx: Tx, id: string): Promise<TransferSubject> {
  const { invoiceId } = await readTransfer(tx, id);
  const subject = await lockInvoice(tx, invoiceId);
  return { ...subject, transfer: await readTransfer(tx, id) };
}

/** A subscription that begins with the payment, or an upgrade, waits as long as the instructions hold, and a little longer. */
export async function awaitTransfer(
  tx: Tx,
  { transfer, invoice, context }: TransferSubject,
  at: Date,
): Promise<void> {
  const dayMs = dayLengthMs(context.tenant);
  const until = transferAwaitedUntil(transfer.expiresAt.toISOString(), { dayMs });
  const after = await awaitPayment(tx, context, { invoice, until, at });
  if (after !== context) await announceSubscription(tx, after);
}

/** What decides about it beside its status. */
export function situationOf({
  transfer: { paidBeforeMinor },
  invoice,
  context: { customer },
  isProofWaiting,
}: TransferSubject): TransferSituation {
  return { invoice, paidBeforeMinor, isErased: customer.erasedAt !== null, isProofWaiting };
}

export async function findTransfer(tx: Tx, id: string): Promise<BankTransferRow | null> {
  const [row] = await tx.select().from(bankTransfers).where(eq(bankTransfers.id, id));
  return row ?? null;
}

/** Throws `not_found`. */
export async function readTransfer(tx: Tx, id: string): Promise<BankTransferRow> {
  const row = await findTransfer(tx, id);
  if (row === null) throw notFound('bank transfer', id);
  return row;
}

async function findTransferOf(tx: Tx, invoiceId: string): Promise<BankTransferRow | null> {
  const [row] = await tx.select().from(bankTransfers).where(eq(bankTransfers.invoiceId, invoiceId));
  return row ?? null;
}

/** What is still to be paid of the invoices of transfers, by the invoice; nothing of one that is not open. */
export async function duesOf(
  tx: Tx,
  transfers: readonly Pick<BankTransferRow, 'invoiceId'>[],
): Promise<Map<string, Money>> {
  const ids = transfers.map(({ invoiceId }) => invoiceId);
  const rows = ids.length === 0 ? [] : await tx.select().from(invoices).where(inArray(invoices.id, ids));
  return new Map(rows.map((row) => [row.id, row.status === 'open' ? dueOf(row) : money(0, row.currency)]));
}

export type TransferFilter = {
  invoiceId: string | undefined;
  status: BankTransferStatus | undefined;
  reference: string | undefined;
  cursor: string | undefined;
  limit: number;
};

/** Newest first. */
export function listTransfers(tx: Tx, filter: TransferFilter): Promise<BankTransferRow[]> {
  const { invoiceId, status, reference, cursor, limit } = filter;
  return tx
    .select()
    .from(bankTransfers)
    .where(
      and(
        invoiceId === undefined ? undefined : eq(bankTransfers.invoiceId, invoiceId),
        status === undefined ? undefined : eq(bankTransfers.status, status),
        reference === undefined ? undefined : eq(bankTransfers.reference, reference),
        cursor === undefined ? undefined : lt(bankTransfers.id, cursor),
      ),
    )
    .orderBy(desc(bankTransfers.id))
    .limit(limit);
}

async function refuseWhilePaid(
  tx: Tx,
  { context, invoice, at }: { context: SubscriptionContext; invoice: InvoiceRow; at: Date },
): Promise<void> {
  const { id, number, customerId } = invoice;
  if (context.customer.erasedAt !== null) {
    throw stateConflict(
      'customer_erased',
      `The data of customer ${customerId} was erased; nobody is left to pay.`,
    );
  }
  if (invoice.status !== 'open' || dueOf(invoice).amountMinor === 0)
    throw stateConflict('invoice_not_open', `Invoice ${number} does not wait for a payment.`);
  const otherwise = await paidOtherwise(tx, { context, invoice, at });
  if (otherwise !== null) throw stateConflict(otherwise.reason, otherwise.message);
  if (await areCoinsUnderWay(tx, id)) {
    throw stateConflict(
      'payment_under_way',
      `Invoice ${number} is being paid in coins just now; wait for the outcome.`,
    );
  }
}

async function instructionsNow(
  tx: Tx,
  {
    wish,
    context: { customer },
    invoice: { number, currency },
    current,
  }: {
    wish: TransferWish;
    context: SubscriptionContext;
    invoice: InvoiceRow;
    current: BankTransferRow | null;
  },
): Promise<{ instructions: TransferInstructions; country: string }> {
  const details = await currentBankDetails(tx);
  if (details === null) {
    throw stateConflict(
      'bank_details_missing',
      'No account is configured into which customers could pay; add one with PUT /v1/bank_details.',
    );
  }
  const country = wish.country ?? current?.payerCountry ?? customer.address?.country;
  if (country === undefined) {
    throw stateConflict(
      'payer_country_unknown',
      'The customer has no address; send the country from which the transfer comes.',
    );
  }
  const instructions = instructionsFor({ configuration: details.configuration, country, currency });
  if (instructions === null) {
    throw stateConflict(
      'no_account_for_payer',
      `No configured account can be paid from ${country} in ${currency}; add one with PUT /v1/bank_details, or have invoice ${number} paid in another way.`,
    );
  }
  return { instructions, country };
}

/** Those that hold are given again where they would be others now: another country, or an account that was changed. */
function isOfferedAnew(
  current: BankTransferRow,
  {
    context,
    invoice,
    instructions,
  }: Omit<TransferSubject, 'transfer'> & { instructions: TransferInstructions },
): boolean {
  const situation = situationOf({ transfer: current, context, invoice });
  if (statusAfterDeed(current.status, 'offer', situation) === null) return false;
  if (!isTransferOpen(current.status)) return true;
  const said = ({ lines, warning }: TransferInstructions) =>
    [warning, ...lines.flatMap(({ label, shown }) => [label, shown])].join('\n');
  return said(current.instructions) !== said(instructions);
}

/** A reference that anybody ever had, of whatever tenant, is not given again. */
async function insertTransfer(
  tx: Tx,
  values: Omit<typeof bankTransfers.$inferInsert, 'id' | 'pageToken' | 'reference'>,
): Promise<BankTransferRow> {
  const id = newId('btf');
  const pageToken = randomBytes(24).toString('base64url');
  for (let tries = 0; tries < TRIES_MAX; tries += 1) {
    const reference = newTransferReference(() => randomInt(10));
    const [row] = await tx
      .insert(bankTransfers)
      .values({ ...values, id, pageToken, reference })
      .onConflictDoNothing({ target: bankTransfers.reference })
      .returning();
    if (row !== undefined) return row;
  }
  throw new DomainError({
    code: 'state_conflict',
    reason: 'references_used_up',
    message: `${TRIES_MAX} references that were drawn were given before; hardly any is left.`,
  });
}

/** With nine of ten references given, a hundred draws in vain happen once in 40,000 invoices. */
const TRIES_MAX = 100;
