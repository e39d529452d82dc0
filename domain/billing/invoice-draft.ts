/** What somebody drafts by hand before it is an invoice: lines, and when they are due. No number, no tax, no debt. */

/** A price of 1 or more minor units; the invoice keeps the line's id. */
export type DraftLine = {
  id: string;
  description: string;
  quantity: number;
  unitMinor: number;
  /** HSN or SAC in India. */
  taxCode: string | null;
};

/** How long a customer has to pay an invoice that no card is charged for, where the draft does not say it. */
export const defaultDaysUntilDue = 14;

/** What the lines come to, without the tax that is added when they are issued. */
export function draftTotal(lines: readonly Pick<DraftLine, 'quantity' | 'unitMinor'>[]): number {
  return lines.reduce((total, { quantity, unitMinor }) => total + quantity * unitMinor, 0);
}
