/**
 * What an invoice, a receipt or a credit note says to the customer, whoever draws it. Amounts are minor units of the
 * document's one currency; words, dates and the order of the totals are decided here, so that a page and a PDF agree.
 *
 * A document whose sums do not agree is refused: a wrong total that was sent cannot be taken back.
 */
import { Temporal } from 'temporal-polyfill';
import type { Period } from '../calendar.ts';
import { inWords } from '../instant.ts';
import { formatMoney, money } from '../money.ts';
import { type ManualMethod, manualMethodInWords } from '../payments/manual-payment.ts';
import type { PaymentRail } from '../payments/payment.ts';

export type DocumentKind = 'invoice' | 'receipt' | 'credit_note';

export type DocumentStatus = 'open' | 'paid' | 'void' | 'uncollectible';

/** A registration as it is printed: `GSTIN 27AAPFU0939F1ZV`. */
export type TaxId = { label: string; value: string };

export type Seller = {
  name: string;
  addressLines?: readonly string[];
  taxIds?: readonly TaxId[];
  email?: string;
};

/** Empty texts are left out. */
export type BillTo = { name: string; email?: string; addressLines?: readonly string[]; taxId?: TaxId };

export type DocumentLine = {
  description: string;
  quantity: number;
  /** Null where the amount is no product: a part of a period, say. */
  unitMinor: number | null;
  /** Negative for what is taken back. */
  amountMinor: number;
  /** The service it bills. */
  period?: Period;
  /** India's code of the goods (HSN) or services (SAC). */
  hsnSac?: string;
  taxLabel?: string;
};

/** `amountMinor` is what it takes off. */
export type DocumentDiscount = { label: string; amountMinor: number };

export type DocumentTax = {
  /** `CGST 9 %` */
  label: string;
  baseMinor: number;
  amountMinor: number;
};

export type DocumentPayment = {
  receivedAt: string;
  /** In words: `Visa ending in 4242`. */
  method: string;
  reference: string;
  amountMinor: number;
};

/** What corrects an invoice. `amountMinor` is what it grants; below zero where it takes another one back. */
export type DocumentCreditNote = { number: string; issuedAt: string; amountMinor: number };

export type InvoiceDocument = {
  kind: DocumentKind;
  number: string;
  /** The document a receipt or a credit note belongs to: its number. */
  refersTo?: string;
  /** ISO-8601; its day is that of `timeZone`. */
  issuedAt: string;
  /** By when an invoice is to be paid. */
  dueAt?: string;
  /** IANA zone of the seller: an invoice of 1 April in Mumbai is not one of 31 March. */
  timeZone: string;
  status: DocumentStatus;
  seller: Seller;
  billTo: BillTo;
  currency: string;
  lines: readonly DocumentLine[];
  subtotalMinor: number;
  discounts: readonly DocumentDiscount[];
  taxes: readonly DocumentTax[];
  /** The lines contain their tax, so the subtotal is what they are without it. */
  isTaxInclusive?: boolean;
  totalMinor: number;
  /** Settled with money; nothing on a credit note. */
  paidMinor: number;
  /** Settled with the customer's credit; on a credit note: what became credit. */
  creditAppliedMinor: number;
  /** Of an invoice: the small rest that was let go. */
  writtenOffMinor?: number;
  /** Given back as money. */
  refundedMinor: number;
  /** Taken back by the customer's bank: disputes that were lost. */
  disputedMinor?: number;
  /** Of a receipt: what the bank or the chain took back of the payment. */
  takenBackMinor?: number;
  /** What is still to be paid; 0 unless it is open. */
  dueMinor: number;
  payments: readonly DocumentPayment[];
  /** Of an invoice. */
  creditNotes?: readonly DocumentCreditNote[];
  /** Whole sentences: reverse charge, for example. */
  notes: readonly string[];
};

/** Turns a document into the bytes of a PDF; the same document into the same bytes. */
export type DrawDocument = (document: InvoiceDocument) => Promise<Uint8Array>;

/** `INV-000001.pdf`, `receipt-pay_….pdf`: letters, digits, and `.`, `_` or `-`. */
export function fileNameOf({ kind, number }: Pick<InvoiceDocument, 'kind' | 'number'>): string {
  return `${kind === 'receipt' ? 'receipt-' : ''}${number.replace(/[^\w.-]/g, '_')}.pdf`;
}

/** The figures contradict each other; the message says which. Nothing is printed. */
export class InconsistentDocument extends Error {
  constructor({ kind, number }: Pick<InvoiceDocument, 'kind' | 'number'>, contradiction: string) {
    super(`${titles[kind]} ${number} does not add up: ${contradiction}`);
    this.name = 'InconsistentDocument';
  }
}

/** Throws `InconsistentDocument` unless every figure follows from those above it. */
export function assertConsistent(document: InvoiceDocument): void {
  const { currency, lines, discounts, taxes, totalMinor, refundedMinor, creditAppliedMinor } = document;
  const say = (amountMinor: number) => formatMoney(money(amountMinor, currency));
  const check = (isRight: boolean, contradiction: () => string) => {
    if (!isRight) throw new InconsistentDocument(document, contradiction());
  };
  const equal = (name: string, stated: number, follows: number) =>
    check(stated === follows, () => `its ${name} is ${say(stated)}, by the other figures ${say(follows)}`);

  for (const amount of amountsOf(document)) {
    check(Number.isSafeInteger(amount), () => `${amount} is no amount`);
  }
  for (const [name, amount] of Object.entries(positiveAmountsOf(document))) {
    check(amount >= 0, () => `its ${name} is ${say(amount)}`);
  }
  for (const { description, quantity, unitMinor, amountMinor } of lines) {
    if (unitMinor !== null) equal(`line "${description}"`, amountMinor, quantity * unitMinor);
  }
  const included = document.isTaxInclusive === true ? sum(taxes) : 0;
  equal('subtotal', document.subtotalMinor, sum(lines) - included);
  equal('total', totalMinor, document.subtotalMinor - sum(discounts) + sum(taxes));
  equal('due amount', document.dueMinor, dueBy(document));
  if (document.status === 'paid' && document.kind !== 'credit_note') {
    equal('settled amount', settledBy(document) + (document.writtenOffMinor ?? 0), totalMinor);
  }
  check(settledBy(document) <= totalMinor, () => `${say(settledBy(document))} settled ${say(totalMinor)}`);

  if (document.kind === 'receipt') equal('payments', sum(document.payments), settledBy(document));
  else check(sum(document.payments) <= settledBy(document), () => `it lists more payments than settled it`);
  if (document.kind === 'credit_note') {
    equal('paid amount', document.paidMinor, 0);
    check(refundedMinor + creditAppliedMinor <= totalMinor, () => 'more was given back than it grants');
  }
}

export function titleOf({ kind }: Pick<InvoiceDocument, 'kind'>): string {
  return titles[kind];
}

const titles: Record<DocumentKind, string> = {
  invoice: 'Invoice',
  receipt: 'Receipt',
  credit_note: 'Credit note',
};

/** `good`: nothing is left to do. `waiting`: it is to be paid. `closed`: it counts no more. */
export type StampTone = 'good' | 'waiting' | 'closed';

/** The state of the document in a word or two. */
export function stampOf(document: InvoiceDocument): { words: string; tone: StampTone } {
  const { kind, status, refundedMinor, paidMinor, disputedMinor = 0, takenBackMinor = 0 } = document;
  switch (status) {
    case 'void':
      return { words: 'Void', tone: 'closed' };
    case 'uncollectible':
      return { words: 'Uncollectible', tone: 'closed' };
    case 'open':
      return kind === 'credit_note' ? { words: 'Issued', tone: 'good' } : { words: 'Open', tone: 'waiting' };
    case 'paid':
      if (kind === 'credit_note') return { words: 'Settled', tone: 'good' };
      if (disputedMinor > 0) return { words: 'Charged back', tone: 'closed' };
      if (takenBackMinor > 0) return { words: 'Taken back', tone: 'closed' };
      if (refundedMinor === 0) return { words: 'Paid', tone: 'good' };
      return { words: refundedMinor < paidMinor ? 'Partly refunded' : 'Refunded', tone: 'closed' };
    default:
      return status satisfies never;
  }
}

export type LabelledText = { label: string; text: string };

/** What the head of the document says of itself. */
export function headOf(document: InvoiceDocument): LabelledText[] {
  const { kind, number, refersTo, dueAt, dueMinor, currency } = document;
  const dates: Record<DocumentKind, string> = {
    invoice: 'Date of issue',
    receipt: 'Date of payment',
    credit_note: 'Date of issue',
  };
  return [
    { label: `${titles[kind]} number`, text: number },
    ...(refersTo === undefined ? [] : [{ label: 'For invoice', text: refersTo }]),
    { label: dates[kind], text: dayInWords(document.issuedAt, document) },
    ...(dueAt === undefined ? [] : [{ label: 'Due date', text: dayInWords(dueAt, document) }]),
    ...(dueMinor > 0 ? [{ label: 'To be paid', text: formatMoney(money(dueMinor, currency)) }] : []),
  ];
}

/** `strong` figures are those a reader looks for. */
export type TotalRow = LabelledText & { strong: boolean };

/** The totals in their order, each with its sign, so that a reader can add them up. Rows of nothing are left out. */
export function totalsOf(document: InvoiceDocument): TotalRow[] {
  const { kind, currency, discounts, taxes, totalMinor, paidMinor, creditAppliedMinor, refundedMinor } =
    document;
  const say = (amountMinor: number) => formatMoney(money(amountMinor, currency));
  const row = (label: string, amountMinor: number, strong = false): TotalRow => ({
    label,
    text: say(amountMinor),
    strong,
  });
  const unlessZero = (label: string, amountMinor: number) =>
    amountMinor === 0 ? [] : [row(label, amountMinor)];
  const total = [
    ...(discounts.length + taxes.length > 0 ? [row(subtotalLabel(document), document.subtotalMinor)] : []),
    ...discounts.map(({ label, amountMinor }) => row(label, 0 - amountMinor)),
    ...taxes.map(({ label, amountMinor }) => row(label, amountMinor)),
  ];
  switch (kind) {
    case 'invoice':
      return [
        ...total,
        row('Total', totalMinor, true),
        ...unlessZero('Credit applied', 0 - creditAppliedMinor),
        ...unlessZero('Paid', 0 - paidMinor),
        ...closedRows(document).map(({ label, amountMinor }) => row(label, 0 - amountMinor)),
        row('Amount due', document.dueMinor, true),
        ...unlessZero('Refunded', refundedMinor),
        ...unlessZero('Taken back by your bank', document.disputedMinor ?? 0),
      ];
    case 'receipt':
      return [...total, row('Amount paid', totalMinor, true), ...unlessZero('Refunded', refundedMinor)];
    case 'credit_note':
      return [
        ...total,
        row('Total credit', totalMinor, true),
        ...unlessZero('Kept as your credit', creditAppliedMinor),
        ...unlessZero('Refunded', refundedMinor),
      ];
    default:
      return kind satisfies never;
  }
}

function subtotalLabel({ isTaxInclusive = false }: InvoiceDocument): string {
  return isTaxInclusive ? 'Net of tax' : 'Subtotal';
}

/** `5 Dec 2026`, the day it is where the seller is. */
export function dayInWords(instant: string, { timeZone }: Pick<InvoiceDocument, 'timeZone'>): string {
  const day = Temporal.Instant.from(instant).toZonedDateTimeISO(timeZone).toPlainDate();
  // `Sat 5 Dec 2026 00:00 UTC`
  return inWords(`${day.toString()}T00:00:00Z`).split(' ').slice(1, 4).join(' ');
}

/** `5 Dec 2026 to 5 Jan 2027` */
export function periodInWords(
  { startsAt, endsAt }: Period,
  document: Pick<InvoiceDocument, 'timeZone'>,
): string {
  return `${dayInWords(startsAt, document)} to ${dayInWords(endsAt, document)}`;
}

/** Like `formatMoney`, without the currency: for a column that names it in its head. */
export function formatAmount(amountMinor: number, currency: string): string {
  return formatMoney(money(amountMinor, currency)).replace(`${currency} `, '');
}

/** How money came in, for the one who sent it. A card whose data was erased is a card. */
export function methodInWords(
  rail: PaymentRail,
  card: { brand: string; last4: string } | null,
  { method, chequeNumber }: { method: ManualMethod | null; chequeNumber: string | null } = unrecorded,
): string {
  if (method !== null) return manualMethodInWords(method, chequeNumber);
  if (rail !== 'stripe' || card === null || card.last4 === '') return rails[rail];
  const brand = card.brand.replaceAll('_', ' ');
  return `${brand.slice(0, 1).toUpperCase()}${brand.slice(1)} ending in ${card.last4}`;
}

const unrecorded = { method: null, chequeNumber: null };

const rails: Record<PaymentRail, string> = {
  stripe: 'Card',
  razorpay: 'Razorpay',
  crypto: 'Coins',
  coinbase: 'Coinbase',
  bank: 'Bank transfer',
  manual: 'Direct payment',
  credit: 'Your credit',
};

/** An invoice that was closed unpaid says where the rest of its total went. */
function closedRows(document: InvoiceDocument): { label: string; amountMinor: number }[] {
  const amountMinor = document.totalMinor - settledBy(document) - document.dueMinor;
  if (amountMinor === 0) return [];
  return [{ label: document.status === 'void' ? 'Voided' : 'Written off', amountMinor }];
}

function dueBy(document: InvoiceDocument): number {
  const isPayable = document.status === 'open' && document.kind !== 'credit_note';
  return isPayable ? document.totalMinor - settledBy(document) : 0;
}

function settledBy({ paidMinor, creditAppliedMinor }: InvoiceDocument): number {
  return paidMinor + creditAppliedMinor;
}

function amountsOf(document: InvoiceDocument): number[] {
  const { lines, taxes, discounts, payments, creditNotes = [] } = document;
  return [
    document.subtotalMinor,
    ...Object.values(positiveAmountsOf(document)),
    ...lines.flatMap(({ quantity, unitMinor, amountMinor }) => [quantity, unitMinor ?? 0, amountMinor]),
    ...taxes.flatMap(({ baseMinor, amountMinor }) => [baseMinor, amountMinor]),
    ...[...discounts, ...payments, ...creditNotes].map(({ amountMinor }) => amountMinor),
  ];
}

function positiveAmountsOf(document: InvoiceDocument): Record<string, number> {
  const { totalMinor, paidMinor, creditAppliedMinor, refundedMinor, dueMinor, discounts } = document;
  const { disputedMinor = 0, creditNotes = [] } = document;
  return {
    total: totalMinor,
    'paid amount': paidMinor,
    'applied credit': creditAppliedMinor,
    'written off amount': document.writtenOffMinor ?? 0,
    'refunded amount': refundedMinor,
    'due amount': dueMinor,
    'disputed amount': disputedMinor,
    'sum of credit notes': sum(creditNotes),
    'smallest discount': Math.min(0, ...discounts.map(({ amountMinor }) => amountMinor)),
  };
}

function sum(parts: readonly { amountMinor: number }[]): number {
  return parts.reduce((total, { amountMinor }) => total + amountMinor, 0);
}
