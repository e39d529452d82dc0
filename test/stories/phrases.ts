/** Lines that many dunning stories share, so that each story shows what is its own. */

/** The renewal of day 0 is declined: the period is open, the invoice unpaid, and dunning has begun. */
export function renewalFails(code = 'insufficient_funds', price = 'USD 29.00'): string[] {
  return [
    `day 0 charge ${price} refused ${code}`,
    'day 0 renewed',
    'day 0 invoice_issued',
    'day 0 charge_failed',
    'day 0 past_due',
    'day 0 access grace',
    'day 0 mail payment_failed sent',
  ];
}

/** The renewal of day 0 needs the customer: a link is asked for and mailed, and the ladder begins. */
export function askedToConfirm(when: string): string[] {
  return [
    `${when} charge USD 29.00 refused authentication_required`,
    `${when} link requires_action`,
    `${when} renewed`,
    `${when} invoice_issued`,
    `${when} charge_requires_action`,
    `${when} past_due`,
    `${when} access grace`,
    `${when} mail payment_action_required sent`,
  ];
}

/** A renewal paid at the first try. */
export function renewalPaid(when: string, price = 'USD 29.00'): string[] {
  return [
    `${when} charge ${price} succeeded`,
    `${when} renewed`,
    `${when} invoice_issued`,
    `${when} payment_received`,
    `${when} mail payment_receipt sent`,
  ];
}

/** A step that charges in vain, and says so. */
export function retryFails(day: number, mail: string, price = 'USD 29.00'): string[] {
  return [
    `day ${day} charge ${price} refused insufficient_funds`,
    `day ${day} charge_failed`,
    `day ${day} mail ${mail} sent`,
  ];
}

/** A step that has no card it may charge: no request leaves, the message does. */
export function retryWithoutCard(day: number, mail: string): string[] {
  return [`day ${day} charge_failed`, `day ${day} mail ${mail} sent`];
}

/** A step that takes access. */
export function takesAccess(day: number, level: 'restricted' | 'suspended'): string[] {
  return [
    `day ${day} access_${level}`,
    `day ${day} access ${level}`,
    `day ${day} mail account_${level} sent`,
  ];
}

/** The steps of standard_30 up to a day, all in vain. */
export function standardUntil(day: number, price = 'USD 29.00'): string[] {
  const steps: [number, string[]][] = [
    [1, retryFails(1, 'payment_failed_1', price)],
    [3, retryFails(3, 'payment_failed_2', price)],
    [5, retryFails(5, 'payment_failed_final', price)],
    [7, takesAccess(7, 'restricted')],
    [14, takesAccess(14, 'suspended')],
    [30, ['day 30 cancelled', 'day 30 access none', 'day 30 mail subscription_cancelled_unpaid sent']],
  ];
  return steps.filter(([at]) => at <= day).flatMap(([, lines]) => lines);
}

/** Paid in full: access is back and one mail tells of it. `when` as in the lines of effects. */
export function recovers(when: string): string[] {
  return [
    `${when} payment_received`,
    `${when} recovered`,
    `${when} access full`,
    `${when} mail payment_recovered sent`,
  ];
}

/** The same by another card, charged at once. */
export function recoversByNewCard(when: string, price = 'USD 29.00'): string[] {
  return [`${when} charge ${price} succeeded`, `${when} payment_method_changed`, ...recovers(when)];
}
