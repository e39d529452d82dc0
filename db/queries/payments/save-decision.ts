/**
 * What invoices paid in coins become, decided from all their payments and saved with everything that follows from it: the
 * events, and a signal to the invoice's workflow where an event asks for more than a row.
 *
 * Why it is safe to run twice: a decision is a function of what is kept. Under the invoice's lock a second one finds what the
 * first has written, differs in nothing, and writes nothing; an event is kept once by its key.
 */
import { and, asc, eq, inArray, isNotNull, sql } from 'drizzle-orm';
import { isCrumb } from '../../../domain/payments/chain-observation.ts';
import { type CryptoEvent, eventsBetween, isHarmless } from '../../../domain/payments/crypto-events.ts';
import {
  type ChainView,
  type CryptoAct,
  type CryptoDecision,
  decideCryptoInvoice,
  isSettled,
} from '../../../domain/payments/crypto-invoice.ts';
import { type FailedCall, failedCallEvent } from '../../../domain/payments/failed-call.ts';
import {
  type CryptoInvoiceInput,
  lookAtCryptoInvoice,
} from '../../../workflows/payments/crypto-invoice.contract.ts';
import type { Tx } from '../../client.ts';
import { newId } from '../../ids.ts';
import { isOneOf } from '../../is-one-of.ts';
import { cryptoActs, cryptoEvents, cryptoInvoices, cryptoPayments } from '../../schema/crypto.ts';
import { together } from '../../together.ts';
import { appendOutbox } from '../operations/outbox.ts';
import { readChainViews, unwatched } from './chain-cursor.ts';
import {
  type CryptoInvoiceRow,
  lockCryptoInvoices,
  readPayments,
  type StoredPayment,
} from './observe-chain.ts';

export type DecidedInvoice = {
  /** As it is saved. */
  invoice: CryptoInvoiceRow;
  decision: CryptoDecision;
  events: CryptoEvent[];
};

/**
 * Locks, decides and saves. For the invoice's own workflow, and for operators: `isSignalled: false` where the caller carries
 * out itself what the events ask for. Who also locks the customer does that first.
 */
export async function decideCryptoInvoices(
  tx: Tx,
  { ids, now, isSignalled = true }: { ids: readonly string[]; now: string; isSignalled?: boolean },
): Promise<DecidedInvoice[]> {
  const invoices = await lockCryptoInvoices(tx, ids);
  const payments = await readPayments(tx, ids);
  return saveDecisions(tx, { invoices, payments, now, isSignalled });
}

/** The same for one invoice, which is known to be there. */
export async function decideAndSave(
  tx: Tx,
  { id, at, isSignalled = true }: { id: string; at: Date; isSignalled?: boolean },
): Promise<DecidedInvoice> {
  const [decided] = await decideCryptoInvoices(tx, { ids: [id], now: at.toISOString(), isSignalled });
  if (decided === undefined) throw new Error(`Invoice ${id} in coins disappeared`);
  return decided;
}

/**
 * The same for invoices that are locked already, in the order in which they were given. `payments`: all of theirs; `before`:
 * those of them that were decided about before, with what was decided, where that is not all of them; `calls`: those to their
 * addresses that failed and were not told of yet.
 */
export async function saveDecisions(
  tx: Tx,
  {
    invoices,
    payments,
    before = payments,
    calls = [],
    now,
    isSignalled = true,
  }: {
    invoices: readonly CryptoInvoiceRow[];
    payments: readonly StoredPayment[];
    before?: readonly StoredPayment[];
    calls?: readonly FailedCall[];
    now: string;
    isSignalled?: boolean;
  },
): Promise<DecidedInvoice[]> {
  if (invoices.length === 0) return [];
  const ids = invoices.map(({ id }) => id);
  const [views, acts, judged] = await together([
    readChainViews(tx),
    readActs(tx, ids),
    withOwnRivals(tx, payments),
  ]);
  const paymentsOf = Map.groupBy(judged, ({ cryptoInvoiceId }) => cryptoInvoiceId);
  const beforeOf = Map.groupBy(before, ({ cryptoInvoiceId }) => cryptoInvoiceId);

  const decided = invoices.map((invoice) =>
    decideOne({
      invoice,
      payments: paymentsOf.get(invoice.id) ?? [],
      before: beforeOf.get(invoice.id) ?? [],
      calls: calls.filter(({ cryptoInvoiceId }) => cryptoInvoiceId === invoice.id),
      acts: acts.get(invoice.id) ?? [],
      views: viewsFor(invoice, views),
      now,
    }),
  );
  await together([
    saveInvoices(tx, invoices, decided),
    savePaymentStatuses(tx, payments, decided),
    saveEvents(tx, decided, now),
  ]);
  if (isSignalled) await signalWorkflows(tx, { before: invoices, decided, now });
  return decided;
}

/** What would be decided now, by id. Nothing is locked and nothing saved. */
export async function readDecisions(
  tx: Tx,
  { ids, now }: { ids: readonly string[]; now: string },
): Promise<Map<string, { invoice: CryptoInvoiceRow; decision: CryptoDecision }>> {
  if (ids.length === 0) return new Map();
  const [invoices, payments, views, acts] = await together([
    tx.select().from(cryptoInvoices).where(isOneOf(cryptoInvoices.id, ids)),
    readPayments(tx, ids),
    readChainViews(tx),
    readActs(tx, ids),
  ]);
  const judged = await withOwnRivals(tx, payments);
  const paymentsOf = Map.groupBy(judged, ({ cryptoInvoiceId }) => cryptoInvoiceId);
  return new Map(
    invoices.map((invoice) => {
      const own = paymentsOf.get(invoice.id) ?? [];
      const { decision } = decideOne({
        invoice,
        payments: own,
        before: own,
        calls: [],
        acts: acts.get(invoice.id) ?? [],
        views: viewsFor(invoice, views),
        now,
      });
      return [invoice.id, { invoice, decision }];
    }),
  );
}

function viewsFor({ chain }: CryptoInvoiceRow, views: ReadonlyMap<string, ChainView>): ChainView[] {
  return views.has(chain) ? [...views.values()] : [...views.values(), unwatched(chain)];
}

function decideOne({
  invoice,
  payments,
  before,
  calls,
  acts,
  views,
  now,
}: {
  invoice: CryptoInvoiceRow;
  payments: readonly StoredPayment[];
  before: readonly StoredPayment[];
  calls: readonly FailedCall[];
  acts: readonly CryptoAct[];
  views: readonly ChainView[];
  now: string;
}): DecidedInvoice {
  const { chain, asset, dueUnits, minDueUnits, usdMinor, policy, status, flags } = invoice;
  const decision = decideCryptoInvoice({
    terms: {
      chain,
      asset,
      dueUnits,
      minDueUnits,
      usdMinor,
      expiresAt: invoice.expiresAt.toISOString(),
      policy,
    },
    history: { status, flags, settledAt: invoice.settledAt?.toISOString() ?? null },
    payments,
    acts,
    views,
    now,
  });
  return { ...follow(invoice, { before, calls, decision, now }), decision };
}

/** The row as it becomes, and the events that say how. */
function follow(
  invoice: CryptoInvoiceRow,
  {
    before,
    calls,
    decision,
    now,
  }: {
    before: readonly StoredPayment[];
    calls: readonly FailedCall[];
    decision: CryptoDecision;
    now: string;
  },
): Pick<DecidedInvoice, 'invoice' | 'events'> {
  const at = new Date(now);
  const { status } = decision;
  const isNewStatus = status !== invoice.status;
  const isNow = isSettled(status);
  const wasBefore = isSettled(invoice.status);
  const version = invoice.version + 1;
  const events = [
    ...calls.map((call) => failedCallEvent(call, decision)),
    ...eventsBetween({ ...invoice, payments: before }, decision, { version, reversals: invoice.reversals }),
  ];
  const next: CryptoInvoiceRow = {
    ...invoice,
    status,
    flags: decision.flags,
    creditedUnits: decision.creditedUnits,
    confirmedUnits: decision.confirmedUnits,
    lateUnits: decision.lateUnits,
    excessUnits: decision.excessUnits,
    requiredDepth: decision.requiredDepth === 'finalized' ? null : decision.requiredDepth,
    wakeHeight: decision.wakeHeight,
    progressAt: decision.progressAt === null ? null : new Date(decision.progressAt),
    statusSince: isNewStatus ? at : invoice.statusSince,
    settledAt: isNow && !wasBefore ? at : invoice.settledAt,
    reversals: invoice.reversals + (wasBefore && !isNow ? 1 : 0),
  };
  const isChanged = events.length > 0 || says(next) !== says(invoice);
  return { invoice: isChanged ? { ...next, version } : next, events };
}

/** Everything a person may see of it. */
function says(row: CryptoInvoiceRow): string {
  const { status, flags, creditedUnits, confirmedUnits, lateUnits, excessUnits, reversals } = row;
  const units = [creditedUnits, confirmedUnits, lateUnits, excessUnits].map(String);
  return JSON.stringify([status, flags, units, reversals, row.requiredDepth, row.settledAt]);
}

async function readActs(tx: Tx, ids: readonly string[]): Promise<Map<string, CryptoAct[]>> {
  const rows = await tx
    .select({ id: cryptoActs.cryptoInvoiceId, act: cryptoActs.act })
    .from(cryptoActs)
    .where(and(eq(cryptoActs.status, 'approved'), isOneOf(cryptoActs.cryptoInvoiceId, ids)))
    .orderBy(asc(cryptoActs.ordinal));
  const acts = new Map<string, CryptoAct[]>();
  for (const { id, act } of rows) acts.set(id, [...(acts.get(id) ?? []), act]);
  return acts;
}

/**
 * Says of each rival whether it pays another invoice of the payment's tenant: what is kept of that invoice says so. A transaction
 * that failed, or pays somebody else where it is mined now, pays nobody here, nor does one that pays next to nothing.
 */
async function withOwnRivals(tx: Tx, payments: readonly StoredPayment[]): Promise<readonly StoredPayment[]> {
  const beaten = payments.filter(({ rival }) => rival !== null);
  if (beaten.length === 0) return payments;
  const txids = [...new Set(beaten.flatMap(({ rival }) => rival?.txid ?? []))];
  const { chain, txid, tenantId, cryptoInvoiceId, asset, units, usdRate } = cryptoPayments;
  const { minDueUnits, policy } = cryptoInvoices;
  const paying = await tx
    .select({
      payment: { chain, txid, tenantId, cryptoInvoiceId, asset, units, usdRate },
      invoice: { asset: cryptoInvoices.asset, minDueUnits, policy },
    })
    .from(cryptoPayments)
    .innerJoin(cryptoInvoices, eq(cryptoInvoices.id, cryptoInvoiceId))
    .where(
      and(
        inArray(chain, [...new Set(beaten.map((payment) => payment.chain))]),
        isOneOf(txid, txids),
        isNotNull(asset),
        sql`${cryptoPayments.rivalTxid} is distinct from ${txid}`,
      ),
    );
  const worthIt = paying
    .filter(
      (each) => !isCrumb(each.payment, { ...each.invoice, dustUsdMinor: each.invoice.policy.dustUsdMinor }),
    )
    .map((each) => each.payment);
  const byTxid = Map.groupBy(worthIt, (each) => `${each.chain} ${each.txid}`);
  return payments.map((payment) => {
    const { rival } = payment;
    if (rival === null) return payment;
    const others = byTxid.get(`${payment.chain} ${rival.txid}`) ?? [];
    const isOurs = others.some(
      (each) => each.tenantId === payment.tenantId && each.cryptoInvoiceId !== payment.cryptoInvoiceId,
    );
    return isOurs ? { ...payment, rival: { ...rival, isOurs } } : payment;
  });
}

/** One statement for all, because a block may settle thousands. */
async function saveInvoices(
  tx: Tx,
  before: readonly CryptoInvoiceRow[],
  decided: readonly DecidedInvoice[],
): Promise<void> {
  const rows = decided
    .map(({ invoice }) => invoice)
    .filter((next, i) => {
      const row = before[i];
      return row === undefined || saved(row) !== saved(next);
    });
  if (rows.length === 0) return;
  await tx.execute(sql`
    update crypto_invoices set
      version = d.version, status = d.status, flags = d.flags, credited_units = d.credited_units,
      confirmed_units = d.confirmed_units, late_units = d.late_units, excess_units = d.excess_units,
      required_depth = d.required_depth, wake_height = d.wake_height, progress_at = d.progress_at,
      status_since = d.status_since, settled_at = d.settled_at, reversals = d.reversals
    from jsonb_to_recordset(${`[${rows.map(saved).join(',')}]`}::jsonb) as d (
      id text, version int, status text, flags jsonb, credited_units numeric, confirmed_units numeric,
      late_units numeric, excess_units numeric, required_depth int, wake_height int, progress_at timestamptz,
      status_since timestamptz, settled_at timestamptz, reversals int)
    where crypto_invoices.id = d.id`);
}

/** The columns that decisions write, as JSON. */
function saved(row: CryptoInvoiceRow): string {
  return JSON.stringify({
    id: row.id,
    version: row.version,
    status: row.status,
    flags: row.flags,
    credited_units: String(row.creditedUnits),
    confirmed_units: String(row.confirmedUnits),
    late_units: String(row.lateUnits),
    excess_units: String(row.excessUnits),
    required_depth: row.requiredDepth,
    wake_height: row.wakeHeight,
    progress_at: row.progressAt,
    status_since: row.statusSince,
    settled_at: row.settledAt,
    reversals: row.reversals,
  });
}

async function savePaymentStatuses(
  tx: Tx,
  before: readonly StoredPayment[],
  decided: readonly DecidedInvoice[],
): Promise<void> {
  const wanted = new Map(
    decided.flatMap(({ invoice, decision }) =>
      decision.payments.map((payment) => [nameOf(invoice.id, payment), payment] as const),
    ),
  );
  const rows = before.flatMap((payment) => {
    const next = wanted.get(nameOf(payment.cryptoInvoiceId, payment));
    if (next === undefined || (next.status === payment.status && next.isLate === payment.isLate)) return [];
    return [{ chain: payment.chain, key: payment.key, status: next.status, is_late: next.isLate }];
  });
  if (rows.length === 0) return;
  await tx.execute(sql`
    update crypto_payments set status = d.status, is_late = d.is_late
    from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as d (chain text, key text, status text, is_late boolean)
    where crypto_payments.chain = d.chain and crypto_payments.key = d.key`);
}

function nameOf(cryptoInvoiceId: string, { chain, key }: Pick<StoredPayment, 'chain' | 'key'>): string {
  return `${cryptoInvoiceId} ${chain} ${key}`;
}

/** One statement takes 65,535 values. */
const EVENTS_AT_ONCE = 1_000;

async function saveEvents(tx: Tx, decided: readonly DecidedInvoice[], now: string): Promise<void> {
  const at = new Date(now);
  const rows = decided.flatMap(({ invoice, events: found }) =>
    found.map((event) => ({
      id: newId('cev'),
      tenantId: invoice.tenantId,
      cryptoInvoiceId: invoice.id,
      version: invoice.version,
      key: event.key,
      kind: event.kind,
      details: detailsOf(event),
      at,
      // Of a harmless one nothing follows.
      carriedOutAt: isHarmless(event) ? at : null,
    })),
  );
  for (let from = 0; from < rows.length; from += EVENTS_AT_ONCE) {
    await tx
      .insert(cryptoEvents)
      .values(rows.slice(from, from + EVENTS_AT_ONCE))
      .onConflictDoNothing();
  }
}

function detailsOf({ payment, creditedUnits, excessUnits, missingUnits, failure }: CryptoEvent) {
  return { payment, creditedUnits, excessUnits, missingUnits, ...(failure !== undefined && { failure }) };
}

async function signalWorkflows(
  tx: Tx,
  {
    before,
    decided,
    now,
  }: { before: readonly CryptoInvoiceRow[]; decided: readonly DecidedInvoice[]; now: string },
): Promise<void> {
  const waiting = decided.filter((each, i) => asksForMore(each, { before: before[i], now }));
  const byTenant = Map.groupBy(waiting, ({ invoice }) => invoice.tenantId);
  for (const [tenantId, invoices] of byTenant) {
    await appendOutbox(
      tx,
      tenantId,
      invoices.map(({ invoice }) => lookAtCryptoInvoice(startOf(invoice))),
    );
  }
}

/** A run of the invoice's process costs; what only has to be told some time waits for its next look. */
function asksForMore(
  { invoice, decision, events }: DecidedInvoice,
  { before, now }: { before: CryptoInvoiceRow | undefined; now: string },
): boolean {
  const { status, bookedUnits } = invoice;
  // What was in doubt when it came may be beyond it now.
  if (decision.acceptable.length > 0) return true;
  const isBookedOtherwise = invoice.confirmedUnits > bookedUnits || decision.securedUnits < bookedUnits;
  if (isSettled(status) && isBookedOtherwise) return true;
  // Before the expiry its process looks again then. Later it has ended, or waits to be told.
  const hasLookAhead = before?.status === 'awaiting' && Date.parse(now) <= before.expiresAt.getTime();
  return events.some(
    (event) =>
      !isHarmless(event) && !patient.has(event.kind) && (event.kind !== 'processing' || !hasLookAhead),
  );
}

const patient: ReadonlySet<CryptoEvent['kind']> = new Set(['payment_seen', 'partial_payment']);

/** What an invoice's process is started with. */
export function startOf({ id, tenantId, customerId, expiresAt }: CryptoInvoiceRow): CryptoInvoiceInput {
  return { tenantId, customerId, cryptoInvoiceId: id, expiresAt: expiresAt.toISOString() };
}
