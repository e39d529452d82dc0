/** Lines that many stories of a subscription's life share, so that each story shows what is its own. */

export const trialBegins = ['day 0 trial_started', 'day 0 mail trial_started sent'];

export const trialBeginsWithCard = [
  'day 0 trial_started',
  'day 0 payment_method_changed',
  'day 0 mail trial_started sent',
];

/** Starts with a payment; the card that is given at once pays. */
export const paidFromTheStart = [
  'day 0 charge USD 29.00 succeeded',
  'day 0 created',
  'day 0 invoice_issued',
  'day 0 charge_failed',
  'day 0 payment_method_changed',
  'day 0 payment_received',
  'day 0 activated',
  'day 0 access full',
  'day 0 mail subscription_confirmed sent',
];

/** The same on a plan of another price. */
export function startsFor(amount: string): string[] {
  return paidFromTheStart.map((line) => line.replace('USD 29.00', amount));
}

/** The messages of a trial of 14 days, each on its day. */
export function trialMessages(...days: (7 | 12 | 13)[]): string[] {
  const templates = { 7: 'trial_halfway', 12: 'trial_ending', 13: 'trial_last_chance' };
  return days.flatMap((day) => [`day ${day} trial_message`, `day ${day} mail ${templates[day]} sent`]);
}

/** The first invoice is issued and paid: the trial has converted. */
export function converts(when: string): string[] {
  return [
    `${when} charge USD 29.00 succeeded`,
    `${when} invoice_issued`,
    `${when} payment_received`,
    `${when} activated`,
    `${when} mail subscription_confirmed sent`,
  ];
}

/** A renewal that is paid at the first try. */
export function renewsFor(day: number, amount: string): string[] {
  return [
    `day ${day} charge ${amount} succeeded`,
    `day ${day} renewed`,
    `day ${day} invoice_issued`,
    `day ${day} payment_received`,
    `day ${day} mail payment_receipt sent`,
  ];
}

/** The trial is over and nobody pays: suspended, with notice. */
export function suspends(when: string): string[] {
  return [`${when} suspended`, `${when} access suspended`, `${when} mail trial_ended sent`];
}

/** The end as asked for, and what follows until the data is erased, up to a day after the end. */
export function afterlife(endDay: number, upTo: 7 | 21 | 30): string[] {
  const lines: [number, string[]][] = [
    [7, [`day ${endDay + 7} win_back`, `day ${endDay + 7} mail win_back_1 sent`]],
    [21, [`day ${endDay + 21} win_back`, `day ${endDay + 21} mail win_back_2 sent`]],
    [30, [`day ${endDay + 30} data_erased`]],
  ];
  return lines.filter(([day]) => day <= upTo).flatMap(([, found]) => found);
}
