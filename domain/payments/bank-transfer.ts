/**
 * The transfer an invoice waits for: what happens by the clock while no money comes (seed 002 §3.3, §7.2 and §8.2; knowledge:
 * bank reconciliation §2.8 and §4). What money that comes is for, the matching decides.
 */
import { addDays, addHours } from '../instant.ts';
import { calendarDaysOf } from './banking-days.ts';

/**
 * - `awaiting`: nothing has come. `partially_paid`: something has, and the rest is asked for.
 * - `in_review`: the customer has sent a proof, and somebody is to look at it.
 * - `on_hold`: the bank or somebody found it suspicious; the clock stands still until the customer has answered.
 * - `settled`, `void`: the invoice waits for nothing any more, however that came about. `expired`: nothing came in time; what
 *   comes later is found, and a person decides.
 */
export const bankTransferStatuses = [
  'awaiting',
  'partially_paid',
  'in_review',
  'on_hold',
  'settled',
  'expired',
  'void',
] as const;

export type BankTransferStatus = (typeof bankTransferStatuses)[number];

/** Whether its process still waits for something. */
export function isTransferOpen(status: BankTransferStatus): boolean {
  return status !== 'settled' && status !== 'expired' && status !== 'void';
}

/** Whether its money may still come: what was late is found, and a proof or the number on a confirmation helps. */
export function isWaitedFor(status: BankTransferStatus): boolean {
  return isTransferOpen(status) || status === 'expired';
}

/** Whether somebody looks into it: its clock stands still, nothing is late, and nothing that waits for the money is given up. */
export function isLookedInto(status: BankTransferStatus): boolean {
  return status === 'on_hold' || status === 'in_review';
}

export type TransferPolicy = {
  /** How long instructions hold (seed 002: 7 days). */
  expiryDays: number;
  /** Without a match for so long: the customer is asked for a proof, and the operators are told (seed 002: 24 hours). */
  askHours: number;
  /** Without a match for so long: the operators are alerted (seed 002, `bank_reconciliation_delay_hours`: 48). */
  alertHours: number;
  /** So late money may be seen that has come in time: banks and feeds take their time (seed 002 §8.2: 24 to 48 hours). */
  seenWithinHours: number;
  /** Nobody calls a transfer from abroad late before so many business days have passed (seed 002: 3 to 5). */
  internationalBusinessDays: number;
};

export const transferPolicy: TransferPolicy = {
  expiryDays: 7,
  askHours: 24,
  alertHours: 48,
  seenWithinHours: 48,
  internationalBusinessDays: 5,
};

/** When what happens if no money has come. UTC instants. */
export type TransferClock = { askAt: string; alertAt: string; expiresAt: string };

/** The clock of instructions that are given now. `dayMs` is how long a day of the tenant's is. */
export function transferClock({
  issuedAt,
  isInternational,
  dayMs,
  policy = transferPolicy,
}: {
  issuedAt: string;
  isInternational: boolean;
  dayMs: number;
  policy?: TransferPolicy;
}): TransferClock {
  const { expiryDays, askHours, alertHours, internationalBusinessDays } = policy;
  const clock: TransferClock = {
    askAt: addHours(issuedAt, askHours, dayMs),
    alertAt: addHours(issuedAt, alertHours, dayMs),
    expiresAt: addDays(issuedAt, expiryDays, dayMs),
  };
  if (!isInternational) return clock;
  const underWayUntil = addDays(issuedAt, calendarDaysOf(dayOf(issuedAt), internationalBusinessDays), dayMs);
  const askAt = later(clock.askAt, underWayUntil);
  const afterAsking = (hours: number) => addHours(askAt, hours, dayMs);
  return {
    askAt,
    alertAt: later(clock.alertAt, afterAsking(alertHours - askHours)),
    // Whoever is asked then has as long to answer as before any alert.
    expiresAt: later(clock.expiresAt, afterAsking(alertHours)),
  };
}

/** Until when what is to begin with the payment waits for it: money that has come in time may be seen later. */
export function transferAwaitedUntil(
  expiresAt: string,
  { dayMs, policy = transferPolicy }: { dayMs: number; policy?: TransferPolicy },
): string {
  return addHours(expiresAt, policy.seenWithinHours, dayMs);
}

/** What is done for a transfer at an instant, though nobody asks for it. */
export type TransferAct = { kind: 'ask_customer' | 'alert_operators' | 'expire'; at: string };

/** The next of them, if no money comes; null where only a person or money changes anything. */
export function nextTransferAct({
  status,
  askAt,
  alertAt,
  expiresAt,
  isAsked,
  isAlerted,
}: TransferClock & {
  status: BankTransferStatus;
  isAsked: boolean;
  isAlerted: boolean;
}): TransferAct | null {
  if (!isTransferOpen(status) || status === 'on_hold') return null;
  const acts: TransferAct[] = [];
  // Who has sent a proof, or a part of the money, is not asked where it is.
  if (status === 'awaiting' && !isAsked) acts.push({ kind: 'ask_customer', at: askAt });
  if (!isAlerted) acts.push({ kind: 'alert_operators', at: alertAt });
  // It is our turn while a proof waits for us.
  if (status !== 'in_review') acts.push({ kind: 'expire', at: expiresAt });
  const [next = null] = acts.toSorted((a, b) => Date.parse(a.at) - Date.parse(b.at));
  return next;
}

/** The clock after it stood still from one instant to another. */
export function afterStanding(
  clock: TransferClock,
  { from, to }: { from: string; to: string },
): TransferClock {
  const forMs = Math.max(0, Date.parse(to) - Date.parse(from));
  const shifted = (at: string) => new Date(Date.parse(at) + forMs).toISOString();
  return {
    askAt: shifted(clock.askAt),
    alertAt: shifted(clock.alertAt),
    expiresAt: shifted(clock.expiresAt),
  };
}

/** In UTC, in which the clock of a transfer is told. */
function dayOf(instant: string): string {
  return new Date(instant).toISOString().slice(0, 'YYYY-MM-DD'.length);
}

function later(a: string, b: string): string {
  return Date.parse(a) >= Date.parse(b) ? a : b;
}
