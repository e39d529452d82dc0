/**
 * What a movement is called (`externalId`), so that the same file read twice names the same movements, and so does
 * another file that has them too.
 *
 * Why it is safe to run twice: a name is made of what the bank says of the movement alone, never of where it stands.
 * A bank's own name is joined by day and amount, because banks do use one twice, and a second movement under a known
 * name would be taken for the first and be lost. Movements that are alike in all of it are counted: the second of two
 * equal ones is the second in every file that has both.
 */
import { createHash } from 'node:crypto';
import type { BankTransaction } from '../../domain/payments/bank-transaction.ts';
import { isPlaceholder } from './texts.ts';

export type UnnamedTransaction = Omit<BankTransaction, 'externalId'>;

export type MovementNames = (given: {
  accountId: string;
  /** What the bank calls it, the most durable first; what only looks like a name is passed over. */
  names: readonly (string | null | undefined)[];
  transaction: UnnamedTransaction;
}) => BankTransaction;

/**
 * `reading`: what texts and payers rest on beside the file; read in another way, a movement that the bank does not name is never
 * taken for another one.
 *
 * One for a file: it counts the equal ones. Some hundred bytes a movement is all that is kept of a file.
 */
export function movementNames({ reading = null }: { reading?: string | null } = {}): MovementNames {
  const counts = new Map<string, number>();
  return ({ accountId, names, transaction }) => {
    const name = names.find(isBankName)?.trim();
    const { bookedOn, currency, amountMinor } = transaction;
    const facts = [
      name === undefined ? `=${digestOf(transaction, reading)}` : shortened(name),
      bookedOn,
      currency,
      amountMinor,
    ];
    const stem = facts.join(':');
    const key = digest(`${accountId}\n${stem}`);
    const count = (counts.get(key) ?? 0) + 1;
    counts.set(key, count);
    return { externalId: count === 1 ? stem : `${stem}:${count}`, ...transaction };
  };
}

/** A name shorter than this is a position in one file, and another line's in the next. */
const shortestName = 6;

/** Whether it names a movement, and not only its place in a file. */
export function isBankName(text: string | null | undefined): text is string {
  return text != null && !isPlaceholder(text) && text.trim().length >= shortestName;
}

const longestName = 100;

function shortened(name: string): string {
  const plain = name.replace(/\s+/g, ' ');
  return plain.length <= longestName ? plain : `#${digest(plain)}`;
}

function digestOf(
  { texts, payer, bankReference, pending }: UnnamedTransaction,
  reading: string | null,
): string {
  const said = [texts, payer.name, payer.account, bankReference, pending];
  return digest(JSON.stringify(reading === null ? said : [...said, reading]));
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, 22);
}
