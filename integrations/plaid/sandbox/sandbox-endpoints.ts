/** The endpoints that Plaid has for tests alone, under `/sandbox`. https://plaid.com/docs/api/sandbox/ */
import { z } from 'zod';
import { happen } from './changes.ts';
import { type Item, type PlaidContext, requireItem } from './context.ts';
import { refusal } from './errors.ts';
import { emit, emitSyncUpdates, type PlaidEventType } from './events.ts';
import { newPublicToken } from './items.ts';
import { requireLogin } from './login.ts';
import { newMovement } from './movements.ts';
import { createItem, findInstitution } from './new-item.ts';
import { operation, type PlaidOperation } from './params.ts';

const DYNAMIC_USER = 'user_transactions_dynamic';
const ROWS_MAX = 10;
const DAYS_BACK = 14;
const DAY_MS = 86_400_000;

const firedCodes = [
  'DEFAULT_UPDATE',
  'NEW_ACCOUNTS_AVAILABLE',
  'SMS_MICRODEPOSITS_VERIFICATION',
  'AUTHORIZATION_GRANTED',
  'USER_PERMISSION_REVOKED',
  'USER_ACCOUNT_REVOKED',
  'PENDING_DISCONNECT',
  'RECURRING_TRANSACTIONS_UPDATE',
  'LOGIN_REPAIRED',
  'SYNC_UPDATES_AVAILABLE',
  'PRODUCT_READY',
  'ERROR',
] as const;

export function sandboxOperations(context: PlaidContext): PlaidOperation[] {
  return [
    operation({
      op: 'sandbox.public_token',
      path: '/sandbox/public_token/create',
      mutates: true,
      params: {
        institution_id: z.string(),
        initial_products: z.array(z.string()).min(1),
        options: z
          .strictObject({
            webhook: z.url().optional(),
            override_username: z.string().nullish(),
            override_password: z.string().nullish(),
            transactions: z.strictObject({ days_requested: z.number().int().optional() }).nullish(),
          })
          .default({}),
      },
      run: ({ institution_id, initial_products, options }) => {
        const item = createItem(context, {
          institution: findInstitution(institution_id),
          products: initial_products,
          webhook: options.webhook ?? null,
          isDynamic: options.override_username === DYNAMIC_USER,
        });
        return {
          body: { public_token: newPublicToken(context, item) },
          note: { outcome: 'effect', objectId: item.id },
        };
      },
    }),
    operation({
      op: 'sandbox.fire_webhook',
      path: '/sandbox/item/fire_webhook',
      mutates: true,
      params: {
        access_token: z.string(),
        webhook_type: z.string().optional(),
        webhook_code: z.enum(firedCodes),
      },
      run: ({ access_token, webhook_code }) => {
        const item = requireItem(context, access_token);
        if (item.webhook === null) throw refusal('SANDBOX_WEBHOOK_INVALID');
        fire(context, item, webhook_code);
        return { body: { webhook_fired: true }, note: { outcome: 'effect', objectId: item.id } };
      },
    }),
    operation({
      op: 'sandbox.reset_login',
      path: '/sandbox/item/reset_login',
      mutates: true,
      params: { access_token: z.string() },
      run: ({ access_token }) => {
        const item = requireLogin(context, requireItem(context, access_token));
        return { body: { reset_login: true }, note: { outcome: 'effect', objectId: item.id } };
      },
    }),
    operation({
      op: 'sandbox.transactions',
      path: '/sandbox/transactions/create',
      mutates: true,
      params: {
        access_token: z.string(),
        transactions: z
          .array(
            z.strictObject({
              date_transacted: z.iso.date(),
              date_posted: z.iso.date(),
              amount: z.number(),
              description: z.string(),
              iso_currency_code: z.string().optional(),
            }),
          )
          .min(1)
          .max(ROWS_MAX),
      },
      run: ({ access_token, transactions }) => {
        const item = requireItem(context, access_token);
        if (!item.isDynamic) throw refusal('SANDBOX_PRODUCT_NOT_ENABLED');
        const changes = transactions.map(
          ({ date_transacted, date_posted, amount, description, iso_currency_code }) => {
            checkDay(context, date_transacted);
            checkDay(context, date_posted);
            const movement = newMovement(context, item, {
              amount: String(amount),
              description,
              date: date_posted,
              authorizedDate: date_transacted,
              currency: iso_currency_code,
            });
            return { kind: 'add' as const, movement };
          },
        );
        happen(context, item, changes, { isRead: true });
        return { body: {}, note: { outcome: 'effect', objectId: item.id } };
      },
    }),
  ];
}

function checkDay({ clock }: PlaidContext, date: string): void {
  const day = (ms: number) => new Date(ms).toISOString().slice(0, 10);
  const now = clock.now().getTime();
  if (date > day(now) || date < day(now - DAYS_BACK * DAY_MS)) {
    throw refusal('INVALID_FIELD', `transaction dates must be within the past ${DAYS_BACK} days`);
  }
}

/** Fires what this stand-in can mean by the code; others are of products that are not stood in for. Nothing happens to the Item. */
function fire(context: PlaidContext, item: Item, code: (typeof firedCodes)[number]): void {
  const tell =
    (type: PlaidEventType, more: object = {}) =>
    () =>
      emit(context, item, type, more);
  const known: Partial<Record<typeof code, () => void>> = {
    SYNC_UPDATES_AVAILABLE: () => emitSyncUpdates(context, item, { isAsked: true }),
    DEFAULT_UPDATE: tell('TRANSACTIONS.DEFAULT_UPDATE', { error: null, new_transactions: 0 }),
    RECURRING_TRANSACTIONS_UPDATE: tell('TRANSACTIONS.RECURRING_TRANSACTIONS_UPDATE', { account_ids: [] }),
    PENDING_DISCONNECT: tell('ITEM.PENDING_DISCONNECT', { reason: 'INSTITUTION_MIGRATION' }),
    USER_PERMISSION_REVOKED: tell('ITEM.USER_PERMISSION_REVOKED', { error: null }),
    USER_ACCOUNT_REVOKED: tell('ITEM.USER_ACCOUNT_REVOKED'),
    NEW_ACCOUNTS_AVAILABLE: tell('ITEM.NEW_ACCOUNTS_AVAILABLE', { error: null }),
    LOGIN_REPAIRED: tell('ITEM.LOGIN_REPAIRED'),
  };
  const act = known[code];
  if (!act) throw refusal('SANDBOX_PRODUCT_NOT_ENABLED');
  act();
}
