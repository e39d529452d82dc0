/** What a statement file says, in the order in which it says it: one statement after the other, each with its movements. */
import type { BankSource, BankTransaction } from '../../domain/payments/bank-transaction.ts';
import type { CsvMapping } from './csv-mapping.ts';

export type StatementFormat = Exclude<BankSource, 'plaid'>;

export type StatementAccount = {
  /** As the file names it: the IBAN where it gives one, else the bank's own number. Empty where a CSV names none. */
  id: string;
  iban: string | null;
  /** OFX `BANKID`: the routing number, which makes `id` unique among banks. */
  bankId: string | null;
  /** ISO 4217; `null` where only the amounts say it. */
  currency: string | null;
};

/** `line` is where it begins in the file, the first line being 1. */
export type StatementPart =
  | { type: 'statement'; line: number; account: StatementAccount; statementId: string | null }
  | { type: 'movement'; line: number; account: StatementAccount; transaction: BankTransaction }
  /** What the file says never was, or is no more, where another file may have told it as a movement. */
  | { type: 'left_out'; line: number; account: StatementAccount; externalId: string }
  | {
      type: 'balance';
      line: number;
      account: StatementAccount;
      kind: 'opening' | 'closing';
      /** Below zero is an overdrawn account. */
      amountMinor: number;
      currency: string;
      /** `null` where the file does not date it. */
      on: string | null;
    };

export type StatementOptions = {
  /** Found by content when not given, never by a file's name. */
  format?: StatementFormat | undefined;
  /** What the columns mean; without it a CSV cannot be read. */
  csv?: CsvMapping | undefined;
  /** The account's currency, for a file that does not say it. What a file says goes first. */
  currency?: string | undefined;
  /**
   * Whether the opening balance and the booked movements must make the closing balance, which shows that every sign
   * was read rightly. `true` when not given.
   */
  checkBalances?: boolean | undefined;
};
