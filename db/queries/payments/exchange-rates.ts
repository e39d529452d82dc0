/**
 * Exchange rates as they are kept, and the one that holds on a day.
 *
 * Why it is safe to run twice: a published rate is unique by its day, pair and source, and whoever comes second leaves it as
 * it is. Nothing is ever rewritten: who entered a rate wrongly enters it again, and the last one holds.
 */
import { isDeepStrictEqual } from 'node:util';
import { and, asc, between, eq, inArray, isNull, max, ne, or } from 'drizzle-orm';
import { DomainError, stateConflict } from '../../../domain/errors.ts';
import type { Money } from '../../../domain/money.ts';
import {
  type AppliedRate,
  convert,
  ECB,
  ENTERED,
  type ExchangeRate,
  FIRST_RATE_DAY,
  RATE_AGE_DAYS_MAX,
  rateOn,
} from '../../../domain/payments/exchange-rate.ts';
import { daysLater } from '../../../domain/reporting/report-days.ts';
import type { SystemTx, Tx } from '../../client.ts';
import { newId } from '../../ids.ts';
import { exchangeRates } from '../../schema/exchange-rates.ts';
import { auditLog } from '../../schema/tenants.ts';
import { writeAudit } from '../tenants/audit-log.ts';

export type ExchangeRateRow = typeof exchangeRates.$inferSelect;

/** Keeps what was published; returns how many rates were new. */
export async function storePublished(
  tx: SystemTx,
  { rates, fetchedAt }: { rates: readonly ExchangeRate[]; fetchedAt: Date },
): Promise<number> {
  if (rates.length === 0) return 0;
  const stored = await tx
    .insert(exchangeRates)
    .values(rates.map((rate) => ({ id: newId('fxr'), tenantId: null, ...rate, fetchedAt })))
    .onConflictDoNothing()
    .returning({ id: exchangeRates.id });
  return stored.length;
}

/** The last day of which the published rates are kept; null before the first. */
export async function lastPublishedDay(tx: SystemTx): Promise<string | null> {
  const [last] = await tx
    .select({ day: max(exchangeRates.day) })
    .from(exchangeRates)
    .where(and(isNull(exchangeRates.tenantId), eq(exchangeRates.source, ECB)));
  return last?.day ?? null;
}

/** Keeps a rate that a person of the tenant knows, for this tenant. The audit log says who that is. */
export async function enterRate(
  tx: Tx,
  rate: Omit<ExchangeRate, 'source'> & { tenantId: string; actor: string; reason: string; at: Date },
): Promise<ExchangeRateRow> {
  const { actor, reason, at, ...entered } = rate;
  const { tenantId, ...details } = entered;
  const [row] = await tx
    .insert(exchangeRates)
    .values({ id: newId('fxr'), ...entered, source: ENTERED, fetchedAt: at })
    .returning();
  if (row === undefined) throw new Error('An inserted exchange rate was not returned');
  await writeAudit(tx, {
    tenantId,
    actor,
    action: RATE_ENTERED,
    entityType: 'exchange_rate',
    entityId: row.id,
    reason,
    details,
    at,
  });
  return row;
}

const RATE_ENTERED = 'exchange_rate.entered';

/** Throws `state_conflict` (`exchange_rate_missing`) that says how to enter one. */
export async function readRate(
  tx: Tx,
  { base, quote, day }: { base: string; quote: string; day: string },
): Promise<AppliedRate> {
  const found =
    day < FIRST_RATE_DAY ? null : rateOn(await ratesBefore(tx, { base, quote, day }), { base, quote, day });
  if (found !== null) return found;
  throw new DomainError({
    code: 'state_conflict',
    reason: 'exchange_rate_missing',
    message: `No rate from ${base} to ${quote} is known for ${day} or the ${RATE_AGE_DAYS_MAX} days before it. Enter one (POST /v1/exchange_rates); with a payment you may also send exchangeRate and rateSource, as on the advice of the bank.`,
  });
}

/**
 * The rate that a person converts by. Throws also `second_person_required`, where it holds only because `actor` has entered it:
 * nobody says alone what money counts for.
 */
export async function readRateOfOthers(
  tx: Tx,
  { actor, ...pair }: { base: string; quote: string; day: string; actor: string },
): Promise<AppliedRate> {
  const rate = await readRate(tx, pair);
  const others = rateOn(await enteredByOthers(tx, await ratesBefore(tx, pair), actor), pair);
  if (isDeepStrictEqual(rate, others)) return rate;
  throw stateConflict(
    'second_person_required',
    `The rate from ${pair.base} to ${pair.quote} was entered with the API key that you use now: another one than that converts by it.`,
  );
}

/**
 * What money is worth in cents of US dollars, as a limit compares it for what `actor` does; null where that is not known, or only
 * from a rate that `actor` has entered. The greatest counts of what was published, what others have entered and what holds, so that
 * a rate that a person entered makes it worth more, and never less.
 */
export async function usdWorth(
  tx: Tx,
  amount: Money,
  { day, actor }: { day: string; actor: string },
): Promise<number | null> {
  const pair = { base: amount.currency, quote: 'USD', day };
  if (pair.base === pair.quote) return amount.amountMinor;
  if (day < FIRST_RATE_DAY) return null;
  const rates = await ratesBefore(tx, pair);
  const published = rates.filter(({ source }) => source === ECB);
  const others = rateOn(await enteredByOthers(tx, rates, actor), pair);
  if (others === null) return null;
  const worths = [others, rateOn(published, pair), rateOn(rates, pair)].flatMap((rate) =>
    rate === null ? [] : [usdMinorAt(amount, rate)],
  );
  return Math.max(...worths);
}

/** Without those that `actor` has entered, and those of which nobody knows who has. */
async function enteredByOthers(
  tx: Tx,
  rates: readonly ExchangeRateRow[],
  actor: string,
): Promise<ExchangeRateRow[]> {
  const entered = rates.filter(({ source }) => source === ENTERED).map(({ id }) => id);
  if (entered.length === 0) return [...rates];
  const { entityId, action, actor: enteredBy } = auditLog;
  const rows = await tx
    .select({ id: entityId })
    .from(auditLog)
    .where(and(inArray(entityId, entered), eq(action, RATE_ENTERED), ne(enteredBy, actor)));
  const ofOthers = new Set(rows.map(({ id }) => id));
  return rates.filter(({ id, source }) => source !== ENTERED || ofOthers.has(id));
}

/** What cannot be counted is above every limit. */
function usdMinorAt(amount: Money, rate: AppliedRate): number {
  try {
    return convert(amount, rate).amountMinor;
  } catch {
    return Number.MAX_SAFE_INTEGER;
  }
}

export type WantedRate = { base: string; quote: string; day: string };

/** The rates that hold on several days, in the order in which they are asked for; null where none is known. One question. */
export async function findRates(tx: Tx, wanted: readonly WantedRate[]): Promise<(AppliedRate | null)[]> {
  if (wanted.length === 0) return [];
  const days = wanted.flatMap(({ day }) =>
    Array.from({ length: RATE_AGE_DAYS_MAX + 1 }, (_, age) => daysLater(day, -age)),
  );
  const currencies = [...new Set(wanted.flatMap(({ base, quote }) => [base, quote]))];
  const { day: rateDay, base: from, quote: to } = exchangeRates;
  const known = await tx
    .select()
    .from(exchangeRates)
    .where(and(inArray(rateDay, [...new Set(days)]), or(inArray(from, currencies), inArray(to, currencies))))
    .orderBy(asc(exchangeRates.id));
  return wanted.map((each) => (each.day < FIRST_RATE_DAY ? null : rateOn(known, each)));
}

/** Those that may hold on the day; of several that were entered, the last one is the last. */
function ratesBefore(
  tx: Tx,
  { base, quote, day }: { base: string; quote: string; day: string },
): Promise<ExchangeRateRow[]> {
  const { day: rateDay, base: from, quote: to } = exchangeRates;
  const currencies = [base, quote];
  return tx
    .select()
    .from(exchangeRates)
    .where(
      and(
        between(rateDay, daysLater(day, -RATE_AGE_DAYS_MAX), day),
        or(inArray(from, currencies), inArray(to, currencies)),
      ),
    )
    .orderBy(asc(exchangeRates.id));
}
