/** Whether the bank lets Plaid in: login required, repaired, consent that ends, access that was taken back. */
import { readBank } from './changes.ts';
import { changeItem, type Item, type PlaidContext, standingError } from './context.ts';
import { emit } from './events.ts';

/** The bank wants the person to sign in again: nothing is read until then, and nothing of it is lost. */
export function requireLogin(context: PlaidContext, item: Item): Item {
  const error = standingError('ITEM_LOGIN_REQUIRED');
  const after = changeItem(context, item, { error, lastFailedAt: context.clock.now().toISOString() });
  emit(context, after, 'ITEM.ERROR', { error });
  return after;
}

/**
 * The person has signed in again. After Link in update mode the program that opened it knows, and no webhook tells it
 * (`isTold` false); `LOGIN_REPAIRED` is for who repaired it elsewhere.
 */
export function repairLogin(context: PlaidContext, item: Item, { isTold }: { isTold: boolean }): Item {
  const after = changeItem(context, item, { error: null });
  if (isTold) emit(context, after, 'ITEM.LOGIN_REPAIRED');
  return readBank(context, context.items.get(item.id) ?? after);
}

export function expireConsent(context: PlaidContext, item: Item, consentExpiresAt: string): void {
  const after = changeItem(context, item, { consentExpiresAt });
  emit(context, after, 'ITEM.PENDING_EXPIRATION', { consent_expiration_time: consentExpiresAt });
}

/** The person takes the permission back, at the bank or at Plaid. */
export function revokeAccess(context: PlaidContext, item: Item): void {
  emit(context, changeItem(context, item, { isRevoked: true }), 'ITEM.USER_PERMISSION_REVOKED', {
    error: null,
  });
}
