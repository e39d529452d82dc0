/**
 * The movements of one account in a statement file. A file may have statements of several accounts, of which the account takes
 * its own; one without any is refused, so that no movement is ever booked on another account.
 */
import type { BankAccountRow } from '../../db/queries/payments/bank-accounts.ts';
import type { BankTransaction } from '../../domain/payments/bank-transaction.ts';
import { endOf, isAccountOf, mayBeAccountOf, plainAccount } from '../../domain/payments/statement-account.ts';
import type { StatementAccount, StatementPart } from '../../integrations/statements/statement-part.ts';
import { Problem } from '../problem.ts';

/** Reasons beside those of the reader. */
export const accountRefusals = ['account_other', 'account_unclear', 'currency_other'] as const;

/**
 * Once all was read: `accountName` is what the file has called the account, null where it calls it nothing; `leftOut` are the names
 * of what it says never was, or is no more.
 */
export type StatementMovements = {
  movements: AsyncIterable<BankTransaction>;
  accountName: () => string | null;
  leftOut: () => readonly string[];
};

/** What is known of the account that a file is given as. */
type Account = Pick<BankAccountRow, 'statementAccount' | 'mask' | 'currency'>;

/** While they are read, throws `statement_refused` with one of the reasons above. */
export function movementsOf(parts: AsyncIterable<StatementPart>, account: Account): StatementMovements {
  let named = account.statementAccount;
  const leftOut: string[] = [];
  async function* movements() {
    let hasOwn = false;
    let isOwn = false;
    let other: StatementPart | null = null;
    for await (const part of parts) {
      if (part.type === 'statement') {
        const isOurCurrency = part.account.currency === null || part.account.currency === account.currency;
        isOwn = isOurCurrency && hasItsNumber(part.account, account);
        if (isOwn && account.statementAccount === null) named = onlyAccountIn(part, named);
        if (isOwn) hasOwn = true;
        else other ??= part;
      }
      if (part.type === 'left_out' && isOwn) leftOut.push(part.externalId);
      if (part.type !== 'movement' || !isOwn) continue;
      const { transaction, line } = part;
      if (transaction.currency !== account.currency) throw otherCurrency(transaction.currency, account, line);
      yield transaction;
    }
    if (!hasOwn) refuseOther(other, account);
  }
  return { movements: movements(), accountName: () => named, leftOut: () => leftOut };
}

/** A file that does not name its account is taken for what it is given as. */
function hasItsNumber(file: StatementAccount, { statementAccount, mask }: Account): boolean {
  if (plainAccount(file.id) === '') return true;
  return statementAccount === null ? mayBeAccountOf(mask, file) : isAccountOf(statementAccount, file);
}

/** Nobody has said which of several accounts is meant. */
function onlyAccountIn({ account, line }: StatementPart, named: string | null): string | null {
  const name = plainAccount(account.iban ?? account.id);
  if (name === '') return named;
  if (named === null || isAccountOf(named, account)) return named ?? name;
  throw new Problem({
    code: 'statement_refused',
    reason: 'account_unclear',
    line,
    detail: `The file has statements of ${endOf(named)} and of ${endOf(name)}. Say which one the bank account is by its statementAccount.`,
  });
}

function refuseOther(other: StatementPart | null, account: Account): never {
  if (other === null) {
    throw new Problem({
      code: 'statement_refused',
      reason: 'no_statement',
      detail: 'There is no statement in the file.',
    });
  }
  const { statementAccount, mask } = account;
  const { currency, id, iban } = other.account;
  if (hasItsNumber(other.account, account) && currency !== null)
    throw otherCurrency(currency, account, other.line);
  const wayOut =
    statementAccount === null
      ? ' If it is the same all the same, give the account its statementAccount.'
      : '';
  throw new Problem({
    code: 'statement_refused',
    reason: 'account_other',
    line: other.line,
    detail: `The file is of the account ${endOf(plainAccount(iban ?? id))}, and not of ${endOf(statementAccount ?? plainAccount(mask ?? ''))}.${wayOut}`,
  });
}

function otherCurrency(currency: string, account: Account, line: number): Problem {
  return new Problem({
    code: 'statement_refused',
    reason: 'currency_other',
    line,
    detail: `Line ${line}: the file is in ${currency}, and the account is in ${account.currency}.`,
  });
}
