/** What a person decides about a movement on a bank account. */
import { formatMoney, type Money } from '../money.ts';

/** `received` and `day`: the movement as it was then, so that a later change of it is noticed. */
type Seen = { received: Money; day: string; reason: string | null };

export type BankAct =
  | ({
      kind: 'match';
      /** In the movement's currency. */
      invoices: { invoiceId: string; amountMinor: number }[];
      /** What is left of it and becomes the customer's credit. */
      credit: { customerId: string; amountMinor: number } | null;
    } & Seen)
  /** What was booked is taken back. */
  | ({ kind: 'unmatch' } & Seen)
  /** It is no customer's money. */
  | ({ kind: 'ignore' } & Seen);

/** As one sentence for whoever looks at the movement. */
export function actInWords(act: BankAct): string {
  const because = act.reason === null ? '' : `: ${act.reason}`;
  const amount = formatMoney(act.received);
  switch (act.kind) {
    case 'match':
      return `Somebody matched ${amount} ${purposeOf(act)}${because}.`;
    case 'unmatch':
      return `Somebody took back what ${amount} had paid${because}.`;
    case 'ignore':
      return `Somebody said that ${amount} is no customer's money${because}.`;
    default:
      return act satisfies never;
  }
}

function purposeOf({ invoices, credit, received: { amountMinor, currency } }: MatchAct): string {
  const paidMinor = invoices.reduce((total, each) => total + each.amountMinor, 0);
  const creditMinor = credit?.amountMinor ?? 0;
  const count = invoices.length === 1 ? '1 invoice' : `${invoices.length} invoices`;
  const parts = [
    ...(invoices.length > 0 ? [`${formatMoney({ amountMinor: paidMinor, currency })} to ${count}`] : []),
    ...(creditMinor > 0
      ? [`${formatMoney({ amountMinor: creditMinor, currency })} to the customer's credit`]
      : []),
  ];
  return paidMinor === amountMinor ? `to ${count}` : `with ${parts.join(' and ')}`;
}

type MatchAct = Extract<BankAct, { kind: 'match' }>;
