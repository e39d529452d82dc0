/**
 * Money out that takes back money which came in (knowledge: bank reconciliation §2.4 g3). An amount and a word are not enough
 * to take an invoice's payment away: a refund that a company pays by hand has both. The movement has to be of the credit's
 * account and amount, say that it is a return, and name the credit: by the bank's own number of it, or by a reference that it
 * paid or names. Where we have given all of such a credit back ourselves, it may be that money: then only a code of the bank
 * proves that the bank took it.
 *
 * Why it is safe to run twice: a credit that was taken back is none of those that are given.
 */
import { hasBankNumber } from './bank-number.ts';
import type { BankTransaction } from './bank-transaction.ts';
import { type AllocatedCredit, byText } from './match-facts.ts';
import { searchedText } from './reference-text.ts';

export type LinkedCredit = { credit: AllocatedCredit; linkedBy: 'bank_reference' | 'reference' };

const returnWords = /(?<![A-Z0-9])(?:RETURN|REVERSAL|RECALL|NSF(?![A-Z0-9]))/;
/** Codes of ACH returns are words by themselves, from R01 to R85. */
const returnCode = /(?<![A-Z0-9])R(?:0[1-9]|[1-7]\d|8[0-5])(?![A-Z0-9])/;

/** Whether a text says that money comes back. */
export function isReturn(texts: readonly string[]): boolean {
  return returnWords.test(searchedText(texts)) || returnCodeIn(texts) !== null;
}

/** The bank's own code of a return (`R01`), where the text has one. */
export function returnCodeIn(texts: readonly string[]): `R${string}` | null {
  const [code] = returnCode.exec(searchedText(texts)) ?? [];
  return (code ?? null) as `R${string}` | null;
}

/**
 * The credit that a movement out takes back: of several the one that the bank's number names, then the last before it. Null
 * where it takes back none; `suspected` are then those that it may mean, for a person to look at.
 */
export function reversedCredit(
  { transaction, accountId }: { transaction: BankTransaction; accountId: string },
  { references, credits }: { references: readonly string[]; credits: readonly AllocatedCredit[] },
): { linked: LinkedCredit | null; suspected: string[] } {
  if (!isReturn(transaction.texts)) return { linked: null, suspected: [] };
  const possible = credits
    .filter(
      (credit) =>
        credit.accountId === accountId &&
        credit.currency === transaction.currency &&
        credit.bookedOn <= transaction.bookedOn,
    )
    .toSorted(
      (a, b) => byText(b.bookedOn, a.bookedOn) || byText(b.externalId, a.externalId) || byText(b.id, a.id),
    )
    .map((credit) => ({ credit, linkedBy: linkOf(credit, transaction, references) }));
  const equal = possible.filter(({ credit }) => credit.amountMinor === -transaction.amountMinor);
  const linkedBy = (['bank_reference', 'reference'] as const).find((link) =>
    equal.some((each) => each.linkedBy === link),
  );
  const named = equal.filter((each) => each.linkedBy === linkedBy).map(({ credit }) => credit);
  const isProven = !named.some(({ isRefunded }) => isRefunded) || returnCodeIn(transaction.texts) !== null;
  const [credit] = named;
  if (linkedBy !== undefined && credit !== undefined && isProven) {
    return { linked: { credit, linkedBy }, suspected: [] };
  }
  const suspected = possible.filter(
    ({ credit, linkedBy: link }) => link !== null || credit.amountMinor === -transaction.amountMinor,
  );
  return { linked: null, suspected: suspected.slice(0, SUSPECTED_MAX).map(({ credit }) => credit.id) };
}

/** The last ones; nobody looks through more of them. */
export const SUSPECTED_MAX = 10;

function linkOf(
  credit: AllocatedCredit,
  transaction: BankTransaction,
  references: readonly string[],
): LinkedCredit['linkedBy'] | null {
  if (hasBankNumber(transaction, credit.bankReference)) return 'bank_reference';
  return credit.references.some((reference) => references.includes(reference)) ? 'reference' : null;
}
