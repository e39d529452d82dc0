/**
 * Who somebody is, for the ledger of granted trials: a keyed hash of the e-mail address, so that the ledger outlives
 * the erasure of the address and cannot be read back. Addresses that reach the same mailbox (other case, `+tag`) are
 * one person.
 */
import { createHmac } from 'node:crypto';

export function personKeyOf(secret: string, email: string): string {
  return createHmac('sha256', secret).update(normaliseEmail(email)).digest('hex');
}

/** `Ada+trial2@Example.com` → `ada@example.com` */
export function normaliseEmail(email: string): string {
  const normalised = email.normalize('NFKC').trim().toLowerCase();
  const at = normalised.lastIndexOf('@');
  const local = normalised.slice(0, at);
  const tag = local.indexOf('+');
  return `${tag > 0 ? local.slice(0, tag) : local}${normalised.slice(at)}`;
}
