/**
 * The port of a tax engine: somebody outside who knows the rates of the whole world, is asked what tax an invoice bears
 * before it is issued, and is told of it afterwards. What it is asked is a pure function of what will be billed, so that
 * an answer can be recognised: an invoice takes only the answer to exactly its own request.
 *
 * A credit is not asked about. It takes tax back as its line bore it, to the unit: by the rates the engine named, or, where
 * these do not make the engine's amount (a reduced base, several roundings), by the share that was really charged.
 */
import { Temporal } from 'temporal-polyfill';
import { DomainError, VendorError } from '../errors.ts';
import type { Address } from './address.ts';
import { divideHalfAway } from './proration.ts';
import {
  exemptNote,
  indianNotes,
  isEuropeanSale,
  type PriceDisplay,
  reverseCharge,
  type TaxableLine,
  type TaxedLines,
  type TaxTreatment,
  taxedLinesOf,
} from './tax.ts';
import {
  type AppliedRate,
  type LineTax,
  type TaxComponent,
  type TaxedLine,
  taxLines,
} from './tax-amounts.ts';
import type { TaxHoldReason } from './tax-hold.ts';
import { type TaxIdKind, taxIdKindOf } from './tax-id.ts';
import { isPercent, normalisedPercent, wholeShare } from './tax-rate.ts';

/** `own_rates`: no engine, the tenant's own table. */
export type TaxEngineName = 'own_rates' | 'stripe_tax';

export const taxEngineNames: readonly TaxEngineName[] = ['own_rates', 'stripe_tax'];

/** What an engine is asked. Two requests that are equal have the same answer. */
export type TaxRequest = {
  engine: Exclude<TaxEngineName, 'own_rates'>;
  /** The invoice it is for, by what it bills: an answer is used once. */
  subject: string;
  currency: string;
  /** The first instant of the day whose rules hold, where the seller is. */
  taxAt: string;
  isInclusive: boolean;
  from: Address;
  to: Address;
  taxId: { kind: TaxIdKind; value: string } | null;
  isExempt: boolean;
  lines: readonly { reference: string; amountMinor: number; taxCode: string | null }[];
};

/** One tax on a line. `reason` says what it is: charged, or why it is not. */
export type AnsweredTax = LineTax & { reason: Exclude<TaxTreatment, 'export'> };

export type TaxAnswer = {
  /** The engine's own id of the calculation. */
  externalId: string;
  /** Until when it can be recorded as a sale. */
  expiresAt: string;
  /** Of each line that was asked about. Taxes are within `amountMinor` where prices contain them. */
  lines: readonly { reference: string; taxes: readonly AnsweredTax[] }[];
};

/** Something to be kept at the engine, once under `reference`; the same key never makes a second one. */
type Recording = { reference: string; idempotencyKey: string };

/** Null where the engine has it already and its answer, with its id, is lost for good. */
export type Recorded = {
  externalId: string;
  /** The engine's ids of the lines, by the reference they were asked about with. */
  lines: Record<string, string>;
} | null;

/** What is taken back of a line, above zero; `amountMinor` contains the tax where its price did. */
export type ReversedAmount = { externalLineId: string; amountMinor: number; taxMinor: number };

/** All of it throws `VendorError`. */
export type TaxEngine = {
  /** Has no effect. `now` is the time of asking. Throws `tax_location_invalid` for an address it cannot use. */
  calculate(request: TaxRequest, asked: { now: string }): Promise<TaxAnswer>;
  recordSale(sale: Recording & { calculation: string }): Promise<Recorded>;
  recordReversal(
    reversal: Recording & { original: string; currency: string; lines: readonly ReversedAmount[] },
  ): Promise<Recorded>;
  /** The reversal was wrong: the sale bears again what it took back. */
  undoReversal(undone: Recording & { original: string }): Promise<Recorded>;
};

/** Who asks has to ask the engine this, keep the answer, and begin again. */
export class TaxNotCalculated extends VendorError {
  readonly request: TaxRequest;
  readonly customerId: string;

  constructor({ request, customerId }: { request: TaxRequest; customerId: string }) {
    super({
      code: 'tax_not_calculated',
      message: 'The tax engine has not been asked about this invoice yet',
    });
    this.name = 'TaxNotCalculated';
    this.request = request;
    this.customerId = customerId;
  }
}

/** The tax cannot be had now, so nothing is issued. */
export class TaxWithheld extends DomainError {
  readonly hold: TaxHoldReason;

  constructor(hold: TaxHoldReason, cause?: unknown) {
    super(withheld[hold]);
    this.name = 'TaxWithheld';
    this.hold = hold;
    this.cause = cause;
  }
}

const withheld: Record<TaxHoldReason, ConstructorParameters<typeof DomainError>[0]> = {
  engine_unavailable: {
    code: 'vendor_unavailable',
    reason: 'tax_engine_unavailable',
    message: 'The tax engine does not answer; nothing was issued. Send the request again a little later.',
  },
  engine_refused: {
    code: 'vendor_rejected_request',
    reason: 'tax_engine_refused',
    message:
      'The tax engine refused our request; nothing was issued. See its registrations and the tax code of the plan.',
  },
  location_invalid: {
    code: 'tax_location_invalid',
    reason: 'tax_location_invalid',
    message:
      "The tax engine cannot tell where the customer is; nothing was issued. Mend the customer's address with PATCH /v1/customers/{customerId}: country, and for the United States postal code and state.",
  },
};

export function holdReasonOf({ code }: VendorError): TaxHoldReason {
  if (code === 'tax_location_invalid') return 'location_invalid';
  return code === 'vendor_unavailable' || code === 'rate_limited' || code === 'outcome_unknown'
    ? 'engine_unavailable'
    : 'engine_refused';
}

/** The facts an engine needs: whole addresses, because a rate may hold in a street. */
export type EngineFacts = {
  seller: { address: Address; priceDisplay: PriceDisplay };
  customer: { address: Address | null; taxId: string | null; taxExemptReason: string | null };
  at: string;
  timeZone: string;
};

export type BilledLine = TaxableLine & { taxCode: string | null };

/**
 * What is asked about these lines; null where there is nothing to ask. Throws `TaxWithheld` for a customer without an
 * address, unless it is exempt.
 */
export function taxRequestOf(
  { seller, customer, at, timeZone }: EngineFacts,
  lines: readonly BilledLine[],
  { engine, subject, currency }: Pick<TaxRequest, 'engine' | 'subject' | 'currency'>,
): TaxRequest | null {
  const asked = [...lines.entries()].filter(([, line]) => isAsked(line));
  const isExempt = customer.taxExemptReason !== null;
  if (asked.length === 0 || (customer.address === null && isExempt)) return null;
  const { address, taxId } = customer;
  if (address === null) throw new TaxWithheld('location_invalid');
  const day = Temporal.Instant.from(at).toZonedDateTimeISO(timeZone).startOfDay();
  return {
    engine,
    subject,
    currency,
    taxAt: day.toInstant().toString(),
    isInclusive: seller.priceDisplay === 'inclusive',
    from: seller.address,
    to: address,
    taxId: taxId === null ? null : { kind: taxIdKindOf(address.country), value: taxId },
    isExempt,
    lines: asked.map(([index, { amountMinor, taxCode }]) => ({
      reference: referenceOf(index),
      amountMinor,
      taxCode,
    })),
  };
}

/** The same text for the same request, whatever order its fields were written in. */
export function canonicalRequest(request: TaxRequest): string {
  return JSON.stringify(request, (_key, value: unknown) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  );
}

/** By which a line is found in request and answer: its place on the invoice. */
export function referenceOf(index: number): string {
  return String(index);
}

/** The tax of the lines as the engine has answered; credits as their lines bore it. */
export function taxesByAnswer(
  { seller, customer }: EngineFacts,
  lines: readonly BilledLine[],
  answer: TaxAnswer,
): TaxedLines {
  const isInclusive = seller.priceDisplay === 'inclusive';
  const answered = new Map(answer.lines.map(({ reference, taxes }) => [reference, taxes]));
  const credits = takenBack(lines);
  const taxed = lines.map((line, index) => {
    const credit = credits.get(index);
    if (credit !== undefined) return credit;
    const charged = chargedLine(line, answered.get(referenceOf(index)) ?? [], isInclusive);
    return { ...charged, rates: ratesOf(charged, isInclusive) };
  });
  const treatment = treatmentOf(answer);
  const from = seller.address.country;
  const notes = notesOf(treatment, { from, to: customer.address, reason: customer.taxExemptReason });
  return taxedLinesOf(taxed, { treatment, notes, isInclusive });
}

/** Nothing and less than nothing bear no tax of their own. */
function isAsked({ amountMinor, taxedAs }: BilledLine): boolean {
  if (taxedAs !== undefined || amountMinor === 0) return false;
  if (amountMinor < 0) throw new Error('A line below zero must say how the line it takes back was taxed');
  return true;
}

/** Credits, by their place; the tax of those that were taxed alike is rounded once. */
function takenBack(lines: readonly BilledLine[]): Map<number, TaxedLine & { rates: readonly AppliedRate[] }> {
  const credits = [...lines.entries()].flatMap(([index, { amountMinor, taxedAs }]) =>
    taxedAs === undefined ? [] : [{ index, amountMinor, taxation: taxedAs }],
  );
  const taxed = taxLines(credits);
  return new Map(
    credits.flatMap(({ index, taxation }, position) => {
      const line = taxed[position];
      return line === undefined ? [] : [[index, { ...line, rates: taxation.rates }] as const];
    }),
  );
}

function chargedLine(
  { amountMinor }: BilledLine,
  answered: readonly AnsweredTax[],
  isInclusive: boolean,
): TaxedLine {
  const taxMinor = answered.reduce((sum, tax) => sum + tax.amountMinor, 0);
  const taxes = answered.flatMap(({ reason, ...tax }): LineTax[] => {
    if (reason === 'reverse_charge') {
      const [component] = reverseCharge(tax.jurisdiction).rates[0]?.components ?? [];
      return component === undefined ? [] : [{ ...tax, ...component }];
    }
    return reason === 'taxed' ? [tax] : [];
  });
  return { netMinor: isInclusive ? amountMinor - taxMinor : amountMinor, taxMinor, taxes };
}

/** The rates that make these amounts: as the engine named them, else as they were really charged. */
function ratesOf(line: TaxedLine, isInclusive: boolean): AppliedRate[] {
  const named = line.taxes.map(({ percent }) => percent);
  if (named.every(isPercent)) {
    const rates = ratesBy(line, named);
    const amountMinor = isInclusive ? line.netMinor + line.taxMinor : line.netMinor;
    const [again] = taxLines([{ amountMinor, taxation: { rates, isInclusive } }]);
    if (line.taxes.every((tax, index) => again?.taxes[index]?.amountMinor === tax.amountMinor)) return rates;
  }
  return ratesBy(
    line,
    line.taxes.map(({ amountMinor }) => chargedPercent(amountMinor, line.netMinor)),
  );
}

function ratesBy({ taxes }: TaxedLine, percents: readonly string[]): AppliedRate[] {
  return taxes.map(({ name, kind, jurisdiction }, index) => {
    const percent = percents[index] ?? '0';
    const component: TaxComponent = { name, kind, percent, jurisdiction };
    return { percent, components: [component] };
  });
}

/** What part of the net the tax is, as a percent with six decimals. */
function chargedPercent(taxMinor: number, netMinor: number): string {
  if (netMinor === 0) return '0';
  const share = divideHalfAway(BigInt(taxMinor) * wholeShare, BigInt(netMinor));
  const digits = share.toString().padStart(PERCENT_DECIMALS + 1, '0');
  return normalisedPercent(`${digits.slice(0, -PERCENT_DECIMALS)}.${digits.slice(-PERCENT_DECIMALS)}`);
}

const PERCENT_DECIMALS = 6;

/** Of an invoice as a whole: who owes the tax decides before what it is. */
function treatmentOf({ lines }: TaxAnswer): AnsweredTax['reason'] {
  const reasons = new Set(lines.flatMap(({ taxes }) => taxes.map(({ reason }) => reason)));
  const order = ['reverse_charge', 'taxed', 'exempt'] as const;
  return order.find((reason) => reasons.has(reason)) ?? 'untaxed';
}

function notesOf(
  treatment: AnsweredTax['reason'],
  { from, to, reason }: { from: string; to: Address | null; reason: string | null },
): readonly string[] {
  switch (treatment) {
    case 'exempt':
      return [exemptNote(reason)];
    case 'reverse_charge':
      return to !== null && isEuropeanSale(from, to.country)
        ? reverseCharge(to.country).notes
        : ['Reverse charge: the recipient of the service owes the tax.'];
    case 'taxed':
      return from === 'IN' && to?.country === 'IN' ? indianNotes(to.region) : [];
    case 'untaxed':
      return [];
    default:
      return treatment satisfies never;
  }
}
