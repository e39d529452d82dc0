/**
 * The same movement told by two sources: a feed and a statement file of the same account, two files of two formats, or CSVs
 * that were read with two mappings. Each source has names of its own, so nothing proves that it is the same; whoever paid must
 * not have paid twice because of it, and who paid twice must not lose the second payment. So a likely copy is suspected, and a
 * person says (knowledge: bank reconciliation §6).
 */
import { realDayMs } from '../instant.ts';
import type { BankTransaction } from './bank-transaction.ts';
import { byText } from './match-facts.ts';
import { exactCodes, readReferences } from './reference-text.ts';

/**
 * Of the readers of statement files: raised where they make other texts or payers of a file than before, by which a movement that
 * the bank does not name is known.
 */
export const STATEMENT_READER = 3;

/** The same movement has not the same day at every source. */
export const COPY_DAYS_MAX = 3;

/**
 * Which movements are likely copies of known ones: from the `externalId` of each to that of the known one. Both are of one
 * account, `known` of other sources than `told`; those that are pending, and known ones that are copies themselves, are left
 * out by the caller. A known movement has one copy at most: of two equal payments told beside one known, one is new. Those
 * that name the same invoice go together first, then those that at least do not name different ones, each time the nearest
 * in time, whatever order they come in. The work is linear in both.
 */
export function suspectedCopies(
  told: readonly BankTransaction[],
  known: readonly BankTransaction[],
): Map<string, string> {
  const shelves = shelved(known.map(toldOf));
  const inOrder = told.map(toldOf).toSorted((a, b) => a.day - b.day || byText(a.externalId, b.externalId));
  const copies = new Map<string, string>();
  const taken = new Set<string>();
  for (const likeness of ['same_invoice', 'no_other_invoice'] as const) {
    for (let days = 0; days <= COPY_DAYS_MAX; days += 1) {
      for (const one of inOrder) {
        if (copies.has(one.externalId)) continue;
        const places = placesOf(one, likeness, days);
        const free = places.map((place) => firstFree(shelves.get(place), taken));
        const copied = free.find((externalId) => externalId !== undefined);
        if (copied === undefined) continue;
        copies.set(one.externalId, copied);
        taken.add(copied);
      }
    }
  }
  return copies;
}

type Told = { externalId: string; amount: string; day: number; codes: string[] };

function toldOf({ externalId, amountMinor, currency, bookedOn, texts }: BankTransaction): Told {
  const prefixed = readReferences(texts).exact.filter(({ level }) => level === 'E');
  return {
    externalId,
    amount: `${amountMinor} ${currency}`,
    day: Date.parse(`${bookedOn}T00:00:00Z`) / realDayMs,
    codes: exactCodes({ exact: prefixed, near: [] }),
  };
}

/** Known movements by what a copy of them would have, the first name at the end of each row. */
function shelved(known: readonly Told[]): Map<string, string[]> {
  const shelves = new Map<string, string[]>();
  for (const { externalId, amount, day, codes } of known.toSorted((a, b) =>
    byText(b.externalId, a.externalId),
  )) {
    for (const key of [...codes, ANY, ...(codes.length === 0 ? [NONE] : [])]) {
      const place = placeOf(amount, day, key);
      const row = shelves.get(place) ?? [];
      row.push(externalId);
      shelves.set(place, row);
    }
  }
  return shelves;
}

const ANY = 'any';
const NONE = 'none';

function placeOf(amount: string, day: number, key: string): string {
  return `${amount} ${day} ${key}`;
}

/** One source may cut the text that the other gives whole; two that name different invoices are two payments. */
function placesOf(
  { amount, day, codes }: Told,
  likeness: 'same_invoice' | 'no_other_invoice',
  days: number,
): string[] {
  const cut = codes.length === 0 ? [ANY] : [NONE];
  const keys = likeness === 'same_invoice' ? codes : cut;
  const onDays = days === 0 ? [day] : [day - days, day + days];
  return onDays.flatMap((each) => keys.map((key) => placeOf(amount, each, key)));
}

/** What is taken stays so, and is never looked at again. */
function firstFree(row: string[] | undefined, taken: ReadonlySet<string>): string | undefined {
  while (row !== undefined && taken.has(row.at(-1) ?? '')) row.pop();
  return row?.at(-1);
}
