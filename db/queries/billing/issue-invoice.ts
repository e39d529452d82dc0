/**
 * Issues invoices: one per subscription and period, and one per change, each with a gapless number.
 *
 * Why it is safe to run twice: issuing happens under the customer's lock and first looks for the invoice of that period
 * or change; unique indexes back that up. The number is taken from a locked counter in the same transaction, so a
 * rollback gives it back.
 */
import { and, eq, ne, sql } from 'drizzle-orm';
import { type ChangeLine, type PlanTerms, termsInWords } from '../../../domain/billing/plan-change.ts';
import { priceOf } from '../../../domain/billing/recurring-price.ts';
import type { Period } from '../../../domain/calendar.ts';
import { formatMoney, money } from '../../../domain/money.ts';
import type { Tx } from '../../client.ts';
import { newId } from '../../ids.ts';
import {
  customers,
  type InvoiceLineKind,
  invoiceCounters,
  invoiceLines,
  invoices,
} from '../../schema/billing.ts';
import { postToLedger } from '../payments/ledger.ts';
import { type InvoiceRow, negative } from './invoices.ts';
import { addTimelineEntry, type SubscriptionContext, termsOf } from './subscriptions.ts';

type NewLine = {
  kind: InvoiceLineKind;
  description: string;
  quantity: number;
  unitMinor: number;
  amountMinor: number;
  period: Period;
  creditsLineId?: string;
};

type NewInvoice = {
  kind: 'period' | 'change';
  changeId: string | null;
  periodIndex: number;
  period: Period;
  lines: readonly NewLine[];
  /** What it is for, after "was issued for". */
  subject: string;
  at: Date;
};

/** Issues the invoice of a period of the current plan, or returns the one that exists. */
export async function issuePeriodInvoice(
  tx: Tx,
  context: SubscriptionContext,
  { periodIndex, period, at }: { periodIndex: number; period: Period; at: Date },
): Promise<InvoiceRow> {
  const { subscription } = context;
  const [existing] = await tx
    .select()
    .from(invoices)
    .where(
      and(
        eq(invoices.subscriptionId, subscription.id),
        eq(invoices.kind, 'period'),
        eq(invoices.periodIndex, periodIndex),
        ne(invoices.status, 'void'),
      ),
    );
  if (existing !== undefined) return existing;
  const terms = termsOf(context);
  const line = {
    kind: 'plan' as const,
    description: `${termsInWords(terms)}, ${daysOf(period)}`,
    quantity: terms.quantity,
    unitMinor: terms.unitMinor,
    amountMinor: priceOf(terms),
    period,
  };
  return insertInvoice(tx, context, {
    kind: 'period',
    changeId: null,
    periodIndex,
    period,
    lines: [line],
    subject: `the period from ${period.startsAt.slice(0, dayLength)} to ${period.endsAt.slice(0, dayLength)}`,
    at,
  });
}

/**
 * Issues the invoice of a change. Where the credits exceed the charges, the rest becomes the customer's credit, the
 * total is zero and the invoice is paid with that.
 */
export function issueChangeInvoice(
  tx: Tx,
  context: SubscriptionContext,
  {
    changeId,
    target,
    lines,
    period,
    periodIndex,
    at,
  }: {
    changeId: string;
    target: PlanTerms;
    lines: readonly ChangeLine[];
    period: Period;
    periodIndex: number;
    at: Date;
  },
): Promise<InvoiceRow> {
  const current = termsOf(context);
  const written = lines.map(
    (line): NewLine => changeLine(line, line.kind === 'change_credit' ? current : target),
  );
  const sumMinor = written.reduce((sum, { amountMinor }) => sum + amountMinor, 0);
  const toBalance: NewLine = {
    kind: 'to_balance',
    description: 'Kept as your credit',
    quantity: 1,
    unitMinor: -sumMinor,
    amountMinor: -sumMinor,
    period,
  };
  return insertInvoice(tx, context, {
    kind: 'change',
    changeId,
    periodIndex,
    period,
    lines: sumMinor < 0 ? [...written, toBalance] : written,
    subject: `the change from ${termsInWords(current)} to ${termsInWords(target)}`,
    at,
  });
}

function changeLine(line: ChangeLine, terms: PlanTerms): NewLine {
  const isCredit = line.kind === 'change_credit';
  return {
    kind: line.kind,
    description: `${isCredit ? 'Unused time of' : ''} ${termsInWords(terms)}, ${daysOf(line.period)}`.trim(),
    quantity: 1,
    unitMinor: line.amountMinor,
    amountMinor: line.amountMinor,
    period: line.period,
    ...(isCredit && { creditsLineId: line.creditsLineId }),
  };
}

async function insertInvoice(
  tx: Tx,
  { subscription, customer, plan }: SubscriptionContext,
  { lines, period, subject, at, kind, changeId, periodIndex }: NewInvoice,
): Promise<InvoiceRow> {
  const { tenantId } = subscription;
  const amounts = (wanted: (kind: InvoiceLineKind) => boolean) =>
    money(
      lines.reduce((sum, line) => (wanted(line.kind) ? sum + line.amountMinor : sum), 0),
      plan.currency,
    );
  const total = amounts(() => true);
  const number = await nextInvoiceNumber(tx, tenantId);
  const [invoice] = await tx
    .insert(invoices)
    .values({
      id: newId('inv'),
      tenantId,
      customerId: customer.id,
      subscriptionId: subscription.id,
      number,
      kind,
      changeId,
      periodIndex,
      periodStartsAt: new Date(period.startsAt),
      periodEndsAt: new Date(period.endsAt),
      status: total.amountMinor === 0 ? 'paid' : 'open',
      totalMinor: total.amountMinor,
      currency: total.currency,
      billTo: { name: customer.name ?? '', email: customer.email ?? '' },
      issuedAt: at,
      paidAt: total.amountMinor === 0 ? at : null,
    })
    .returning();
  if (invoice === undefined) throw new Error('An inserted invoice was not returned');

  await tx.insert(invoiceLines).values(
    lines.map(({ period: service, ...line }, position) => ({
      id: newId('line'),
      tenantId,
      invoiceId: invoice.id,
      position,
      ...line,
      periodStartsAt: new Date(service.startsAt),
      periodEndsAt: new Date(service.endsAt),
    })),
  );
  const kept = amounts((each) => each === 'to_balance');
  await postToLedger(tx, {
    tenantId,
    kind: 'invoice',
    reference: invoice.id,
    at,
    lines: [
      { account: 'receivable', amount: total },
      { account: 'revenue', amount: negative(amounts((each) => each !== 'to_balance')) },
      { account: 'customer_credit', amount: negative(kept) },
    ],
  });
  if (kept.amountMinor > 0) {
    await tx
      .update(customers)
      .set({ creditMinor: sql`${customers.creditMinor} + ${kept.amountMinor}` })
      .where(eq(customers.id, customer.id));
  }
  await addTimelineEntry(tx, subscription, at, {
    kind: 'invoice_issued',
    message: `Invoice ${number} over ${formatMoney(total)} was issued for ${subject}.`,
    details: { invoiceId: invoice.id, periodIndex },
  });
  return invoice;
}

function daysOf({ startsAt, endsAt }: Period): string {
  return `${startsAt.slice(0, dayLength)} to ${endsAt.slice(0, dayLength)}`;
}

/** `2026-11-26` */
const dayLength = 10;

async function nextInvoiceNumber(tx: Tx, tenantId: string): Promise<string> {
  const [counter] = await tx
    .insert(invoiceCounters)
    .values({ tenantId, lastNumber: 1 })
    .onConflictDoUpdate({
      target: invoiceCounters.tenantId,
      set: { lastNumber: sql`${invoiceCounters.lastNumber} + 1` },
    })
    .returning({ lastNumber: invoiceCounters.lastNumber });
  if (counter === undefined) throw new Error('The invoice counter was not returned');
  return `INV-${String(counter.lastNumber).padStart(6, '0')}`;
}
