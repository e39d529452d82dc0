/**
 * What went wrong with other people's money, by the vendor's own log. The log is grouped by invoice and never by our
 * idempotency keys, because a wrong key would hide the very mistake; that our ledger balances says nothing about it
 * either. Everything here is a pure function of what was collected after the storm.
 */
import type { Effect } from '../../integrations/sandbox/effect-log.ts';

export type Wrong = {
  kind:
    | 'charged_twice'
    | 'charge_not_booked'
    | 'paid_without_charge'
    | 'amount_differs'
    | 'invoice_not_paid'
    | 'period_without_invoice'
    | 'ledger_off'
    | 'cash_off'
    | 'acknowledged_and_lost'
    | 'charged_after_the_end'
    | 'secret_logged'
    | 'mailed_twice'
    | 'mail_not_sent'
    | 'left_behind'
    | 'workflow_stuck'
    | 'api_misbehaved';
  sentence: string;
};

export type InvoiceFacts = {
  id: string;
  subscriptionId: string;
  periodIndex: number;
  status: string;
  totalMinor: number;
  paidMinor: number;
  currency: string;
};

export type MoneyEvidence = {
  /** The card vendor's log. Its amounts are in our minor units for the currencies used here. */
  effects: readonly Effect[];
  subscriptions: readonly { id: string; periodIndex: number | null; status: string }[];
  invoices: readonly InvoiceFacts[];
  payments: readonly {
    invoiceId: string;
    rail: string;
    externalId: string;
    amountMinor: number;
    currency: string;
  }[];
  ledger: readonly { transactionId: string; account: string; currency: string; amountMinor: number }[];
};

/** Every mistake about money, in words; empty when each customer paid each period once. */
export function moneyWrongs(evidence: MoneyEvidence): Wrong[] {
  const charges = Map.groupBy(
    evidence.effects.filter(isCharge),
    ({ businessRef }) => businessRef ?? 'unknown',
  );
  return [
    ...evidence.invoices.flatMap((invoice) =>
      invoiceWrongs(invoice, charges.get(invoice.id) ?? [], evidence),
    ),
    ...strayCharges(charges, evidence.invoices),
    ...evidence.subscriptions.flatMap((subscription) => periodWrongs(subscription, evidence.invoices)),
    ...ledgerWrongs(evidence.ledger),
    ...cashWrongs(evidence),
  ];
}

export type MailEvidence = {
  /** The mail vendor's log. */
  effects: readonly Effect[];
  notifications: readonly { id: string; dedupeKey: string; status: string; externalId: string | null }[];
};

/** A message of ours is at most one mail, and every mail is a message of ours. */
export function mailWrongs({ effects, notifications }: MailEvidence): Wrong[] {
  const mails = effects.filter(({ op, outcome }) => op === 'emails.send' && outcome === 'effect');
  const byKey = Map.groupBy(mails, ({ businessRef }) => businessRef ?? 'unknown');
  const known = new Set(notifications.map(({ externalId }) => externalId));
  // The answer was lost, and the customer was erased before anybody could ask again: it may have left, once.
  const inDoubt = new Set(notifications.flatMap(({ id, status }) => (status === 'unknown' ? [id] : [])));
  return [
    ...[...byKey].flatMap(([key, sent]) =>
      sent.length > 1 ? [wrong('mailed_twice', `${key} left ${sent.length} times`)] : [],
    ),
    ...mails.flatMap(({ objectId, businessRef }) =>
      known.has(objectId) || inDoubt.has(businessRef ?? '')
        ? []
        : [wrong('mailed_twice', `the mail ${objectId} (${businessRef}) is no message of ours`)],
    ),
    ...notifications.flatMap(({ dedupeKey, status }) =>
      settled.has(status) ? [] : [wrong('mail_not_sent', `${dedupeKey} is ${status}`)],
    ),
  ];
}

const settled: ReadonlySet<string> = new Set(['sent', 'skipped', 'unknown']);

/** Whether money was taken. */
export function isCharge({ op, outcome, amountMinor }: Effect): boolean {
  return op.startsWith('payment_intents.') && outcome === 'effect' && amountMinor !== null;
}

export function wrong(kind: Wrong['kind'], sentence: string): Wrong {
  return { kind, sentence };
}

function invoiceWrongs(
  { id, status, totalMinor, paidMinor, currency }: InvoiceFacts,
  charges: readonly Effect[],
  { payments }: MoneyEvidence,
): Wrong[] {
  const wrongs: Wrong[] = [];
  const booked = payments.filter(({ invoiceId, rail }) => invoiceId === id && rail === 'stripe');
  const manually = payments.some(({ invoiceId, rail }) => invoiceId === id && rail !== 'stripe');
  if (charges.length > 1) wrongs.push(wrong('charged_twice', `${id} was charged ${charges.length} times`));
  for (const { objectId, amountMinor, currency: charged } of charges) {
    const payment = booked.find(({ externalId }) => externalId === objectId);
    if (payment === undefined) {
      wrongs.push(wrong('charge_not_booked', `${id} was charged by ${objectId}, which is not booked`));
    } else if (payment.amountMinor !== amountMinor || payment.currency.toLowerCase() !== charged) {
      wrongs.push(
        wrong('amount_differs', `${id}: ${amountMinor} ${charged} charged, ${payment.amountMinor} booked`),
      );
    }
  }
  if (status === 'paid' && charges.length === 0 && !manually) {
    wrongs.push(wrong('paid_without_charge', `${id} is paid and nobody was charged`));
  }
  if (status === 'paid' && paidMinor !== totalMinor) {
    wrongs.push(wrong('amount_differs', `${id} is paid with ${paidMinor} of ${totalMinor} ${currency}`));
  }
  if (status !== 'paid' && status !== 'void') wrongs.push(wrong('invoice_not_paid', `${id} is ${status}`));
  return wrongs;
}

function strayCharges(
  charges: ReadonlyMap<string, readonly Effect[]>,
  invoices: readonly InvoiceFacts[],
): Wrong[] {
  const known = new Set(invoices.map(({ id }) => id));
  return [...charges.keys()].flatMap((ref) =>
    known.has(ref) ? [] : [wrong('charge_not_booked', `${ref} was charged and is no invoice of ours`)],
  );
}

/**
 * Every period that began has exactly one invoice that stands. Whoever is cancelled while the last one is unpaid has it
 * voided by the plan's policy; a charge that was under way then is the customer's credit, and has to be booked.
 */
function periodWrongs(
  { id, periodIndex, status }: MoneyEvidence['subscriptions'][number],
  invoices: readonly InvoiceFacts[],
): Wrong[] {
  const own = invoices.filter(({ subscriptionId }) => subscriptionId === id);
  const billed = own.filter(
    (invoice) => invoice.status !== 'void' || (status === 'cancelled' && invoice.periodIndex === periodIndex),
  );
  const indexes = billed.map((invoice) => invoice.periodIndex).sort((a, b) => a - b);
  const wanted = Array.from({ length: (periodIndex ?? -1) + 1 }, (_, index) => index);
  if (indexes.join() === wanted.join()) return [];
  return [
    wrong(
      'period_without_invoice',
      `${id} is ${status}, began the periods ${wanted.join()} and has invoices for ${indexes.join()}`,
    ),
  ];
}

function ledgerWrongs(ledger: MoneyEvidence['ledger']): Wrong[] {
  const sums = Map.groupBy(ledger, ({ transactionId, currency }) => `${transactionId} ${currency}`);
  return [...sums].flatMap(([fact, entries]) => {
    const sum = total(entries);
    return sum === 0 ? [] : [wrong('ledger_off', `${fact}: its entries sum to ${sum}`)];
  });
}

/** What the vendor says it captured and gave back is what our cash account holds. */
function cashWrongs({ effects, ledger }: MoneyEvidence): Wrong[] {
  const currencies = new Set(ledger.map(({ currency }) => currency));
  return [...currencies].flatMap((currency) => {
    const inCurrency = effects.filter((effect) => effect.currency?.toUpperCase() === currency);
    const refunded = inCurrency.filter(({ op, outcome }) => op === 'refunds.create' && outcome === 'effect');
    const captured = total(inCurrency.filter(isCharge)) - total(refunded);
    const cash = total(
      ledger.filter((entry) => entry.account === 'cash:stripe' && entry.currency === currency),
    );
    return captured === cash
      ? []
      : [wrong('cash_off', `${captured} ${currency} captured, ${cash} in the account`)];
  });
}

function total(entries: readonly { amountMinor: number | null }[]): number {
  return entries.reduce((sum, { amountMinor }) => sum + (amountMinor ?? 0), 0);
}
