/**
 * Opening balance and booked movements make the closing balance: where a statement gives both, this shows that no
 * movement was missed and no sign turned round.
 */
import { formatMoney } from '../../domain/money.ts';
import { StatementError } from './statement-error.ts';

export type BookedBalance = { amountMinor: number; currency: string; line: number };

export type BalanceCheck = {
  add: (movement: { amountMinor: number; currency: string; pending: boolean }) => void;
  /** Throws `balance_differs`. Says nothing where the movements cannot be compared with the balances. */
  assertCloses: (balances: { opening: BookedBalance | null; closing: BookedBalance | null }) => void;
};

/** One for a statement. */
export function balanceCheck(): BalanceCheck {
  let sum = 0n;
  let hasPending = false;
  const currencies = new Set<string>();
  return {
    add({ amountMinor, currency, pending }) {
      sum += BigInt(amountMinor);
      hasPending ||= pending;
      currencies.add(currency);
    },
    assertCloses({ opening, closing }) {
      if (!opening || !closing || hasPending) return;
      if ([...currencies, opening.currency].some((currency) => currency !== closing.currency)) return;
      const expected = Number(BigInt(opening.amountMinor) + sum);
      if (expected === closing.amountMinor) return;
      const { currency } = closing;
      throw new StatementError({
        reason: 'balance_differs',
        line: closing.line,
        message:
          `The opening balance and the movements make ${formatMoney({ amountMinor: expected, currency })}, but the ` +
          `closing balance is ${formatMoney({ amountMinor: closing.amountMinor, currency })}. Ask the bank for a ` +
          'complete file.',
      });
    },
  };
}
