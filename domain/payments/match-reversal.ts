/**
 * Money out that takes back money which came in (knowledge: bank reconciliation §2.4 g3). An amount and a word are not enough
 * to take an invoice's payment away: a refund that a company pays by hand has both. The movement has to be of the credit's
 * account and amount, say that it is a return, and name the credit: by the bank's own number of it, or by a reference that it
 * paid.
 *
 * Why it is safe to run twice: a credit that was taken back is not taken back again.
 */
import { hasBankNumber } from './bank-number.ts';
import type { BankTransaction } from './bank-transaction.ts';
import { type AllocatedCredit, byText } from './match-facts.ts';
import { searchedText } from './reference-text.ts';

export type LinkedCredit = { credit: AllocatedCredit; linkedBy: 'bank_reference' | 'reference' };

/** Codes of ACH returns are words by themselves, from R01 to R85. */
const returnWords =
  /(?<![A-Z0-9])(?:RETURN|REVERSAL|RECALL)|(?<![A-Z0-9])(?:NSF|R(?:0[1-9]|[1-7]\d|8[0-5]))(?![A-Z0-9])/;

/** Whether a text says that money comes back. */
export function isReturn(texts: readonly string[]): boolean {
  return returnWords.test(searchedText(texts));
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
        !credit.isReversed &&
        credit.accountId === accountId &&
        credit.currency === transaction.currency &&
        credit.bookedOn <= transaction.bookedOn,
    )
    .toSorted(
      (a, b) => byText(b.bookedOn, a.bookedOn) || byText(b.externalId, a.externalId) || byText(b.id, a.id),
    )
    .map((credit) => ({ credit, linkedBy: linkOf(credit, transaction, references) }));
  const equal = possible.filter(({ credit }) => credit.amountMinor === -transaction.amountMinor);
  const linkedBy = (link: LinkedCredit['linkedBy']) => equal.find((each) => each.linkedBy === link)?.credit;
  for (const link of ['bank_reference', 'reference'] as const) {
    const credit = linkedBy(link);
    if (credit !== undefined) return { linked: { credit, linkedBy: link }, suspected: [] };
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
