/**
 * Movements that a bank's new connection tells again under new names: the feed does not know that they are the same. Those
 * that say the very same are paired one to one, so that of two equal payments told beside one known, one is new.
 */
import type { BankTransaction } from './bank-transaction.ts';

type Named = Pick<
  BankTransaction,
  'externalId' | 'amountMinor' | 'currency' | 'bookedOn' | 'pending' | 'texts'
>;

/**
 * From each known movement's name to the one it has now. Both are of one account; `told` are not known by their names, `known`
 * were told by other connections. The texts are compared as they are searched, so that their order counts.
 */
export function sameMovements(told: readonly Named[], known: readonly Named[]): Map<string, string> {
  const shelves = new Map<string, string[]>();
  for (const { externalId, ...content } of known.toReversed()) {
    const key = keyOf(content);
    const shelf = shelves.get(key) ?? [];
    shelf.push(externalId);
    shelves.set(key, shelf);
  }
  const names = new Map<string, string>();
  for (const { externalId, ...content } of told) {
    const before = shelves.get(keyOf(content))?.pop();
    if (before !== undefined) names.set(before, externalId);
  }
  return names;
}

function keyOf({ amountMinor, currency, bookedOn, pending, texts }: Omit<Named, 'externalId'>): string {
  return JSON.stringify([amountMinor, currency, bookedOn, pending, texts]);
}
