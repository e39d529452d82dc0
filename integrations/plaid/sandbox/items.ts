/** Items: connected through Link, and what can be asked of them and their accounts. */
import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import {
  type Account,
  accountsOf,
  changeItem,
  type Item,
  type LinkToken,
  newToken,
  type PlaidContext,
  requireItem,
  requireReadableItem,
} from './context.ts';
import { refusal } from './errors.ts';
import { emit } from './events.ts';
import { type AccountInput, createItem, findInstitution } from './new-item.ts';
import { operation, type PlaidOperation } from './params.ts';

const accessToken = z.string();
const accountIds = z.strictObject({ account_ids: z.array(z.string()).optional() }).optional();
const languages = 'da nl en et fi fr de hi it lv lt no pl pt ro es sv vi'.split(' ');
const countries = 'US GB ES NL FR IE CA DE IT PL DK NO SE EE LT LV PT BE AT FI'.split(' ');

const LINK_HOURS = 4;
const HOUR_MS = 3_600_000;
const PUBLIC_TOKEN_MS = 30 * 60_000;

export function itemOperations(context: PlaidContext): PlaidOperation[] {
  return [...linkOperations(context), ...readingOperations(context)];
}

function linkOperations(context: PlaidContext): PlaidOperation[] {
  return [
    operation({
      op: 'link_token.create',
      path: '/link/token/create',
      mutates: true,
      params: {
        client_name: z.string().min(1).max(30),
        language: z.enum(languages),
        country_codes: z.array(z.enum(countries)).min(1),
        user: z.strictObject({ client_user_id: z.string().min(1) }),
        products: z.array(z.string()).optional(),
        transactions: z.strictObject({ days_requested: z.number().int().min(1).max(730) }).optional(),
        webhook: z.url().optional(),
        access_token: z.string().nullish(),
        redirect_uri: z.url().optional(),
        update: z.strictObject({ account_selection_enabled: z.boolean() }).optional(),
      },
      run: ({ access_token, products = [], webhook, user }) => {
        const item = typeof access_token === 'string' ? requireItem(context, access_token) : null;
        if (!item && products.length === 0) {
          throw refusal('MISSING_FIELDS', 'the following required fields are missing: products');
        }
        const link: LinkToken = {
          token: newToken('link'),
          itemId: item?.id ?? null,
          webhook: webhook ?? null,
          products,
          userId: user.client_user_id,
          expiresAt: new Date(context.clock.now().getTime() + LINK_HOURS * HOUR_MS).toISOString(),
          isUsed: false,
        };
        context.linkTokens.put(link.token, link);
        return {
          body: { link_token: link.token, expiration: link.expiresAt },
          note: { outcome: 'effect', businessRef: link.userId, objectId: item?.id },
        };
      },
    }),
    operation({
      op: 'public_token.exchange',
      path: '/item/public_token/exchange',
      mutates: true,
      params: { public_token: z.string() },
      run: ({ public_token }) => {
        const token = context.publicTokens.get(public_token);
        const now = context.clock.now().toISOString();
        if (!token || token.isUsed || token.expiresAt <= now) throw refusal('INVALID_PUBLIC_TOKEN');
        const item = context.items.get(token.itemId) as Item;
        context.publicTokens.put(token.token, { ...token, isUsed: true });
        return {
          body: { access_token: item.accessToken, item_id: item.id },
          note: { outcome: 'effect', objectId: item.id },
        };
      },
    }),
    operation({
      op: 'item.webhook_update',
      path: '/item/webhook/update',
      mutates: true,
      params: { access_token: accessToken, webhook: z.url().nullable() },
      run: ({ access_token, webhook }) => {
        const item = changeItem(context, requireItem(context, access_token), { webhook });
        emit(context, item, 'ITEM.WEBHOOK_UPDATE_ACKNOWLEDGED', { error: null, new_webhook_url: webhook });
        return { body: { item: itemJson(item) }, note: { outcome: 'effect', objectId: item.id } };
      },
    }),
    operation({
      op: 'item.remove',
      path: '/item/remove',
      mutates: true,
      params: {
        access_token: accessToken,
        reason_code: z.string().optional(),
        reason_note: z.string().optional(),
      },
      run: ({ access_token }) => {
        const item = changeItem(context, requireItem(context, access_token), { isRevoked: true });
        return { body: {}, note: { outcome: 'effect', objectId: item.id } };
      },
    }),
    operation({
      op: 'processor.stripe_token',
      path: '/processor/stripe/bank_account_token/create',
      mutates: true,
      params: { access_token: accessToken, account_id: z.string() },
      run: ({ access_token, account_id }) => {
        const item = requireReadableItem(context, access_token);
        const [account] = chosen(accountsOf(context, item), [account_id]);
        return {
          body: { stripe_bank_account_token: `btok_${randomBytes(12).toString('hex')}` },
          note: { outcome: 'effect', objectId: account?.id },
        };
      },
    }),
  ];
}

function readingOperations(context: PlaidContext): PlaidOperation[] {
  return [
    operation({
      op: 'item.get',
      path: '/item/get',
      params: { access_token: accessToken },
      run: ({ access_token }) => {
        const item = requireItem(context, access_token);
        const { lastReadAt, lastFailedAt, lastWebhook } = item;
        const transactions = { last_successful_update: lastReadAt, last_failed_update: lastFailedAt };
        const status = { transactions, ...(lastWebhook && { last_webhook: lastWebhook }) };
        const consented = {
          consented_products: item.products,
          consented_use_cases: [],
          consented_data_scopes: [],
        };
        return { body: { item: { ...itemJson(item), ...consented, created_at: item.createdAt }, status } };
      },
    }),
    operation({
      op: 'accounts.get',
      path: '/accounts/get',
      params: { access_token: accessToken, options: accountIds },
      run: ({ access_token, options }) => {
        const item = requireItem(context, access_token);
        const accounts = chosen(accountsOf(context, item), options?.account_ids);
        return { body: { accounts: accounts.map(accountJson), item: itemJson(item) } };
      },
    }),
    operation({
      op: 'auth.get',
      path: '/auth/get',
      params: { access_token: accessToken, options: accountIds },
      run: ({ access_token, options }) => {
        const item = requireReadableItem(context, access_token);
        const accounts = chosen(accountsOf(context, item), options?.account_ids);
        return {
          body: { accounts: accounts.map(accountJson), numbers: numbersJson(accounts), item: itemJson(item) },
        };
      },
    }),
    operation({
      op: 'webhook_verification_key.get',
      path: '/webhook_verification_key/get',
      params: { key_id: z.string() },
      run: ({ key_id }) => {
        const key = context.keys.get(key_id);
        if (!key) throw refusal('INVALID_WEBHOOK_VERIFICATION_KEY_ID');
        const { kid, x, y, createdAt: created_at, expiredAt: expired_at } = key;
        return {
          body: {
            key: { alg: 'ES256', crv: 'P-256', kty: 'EC', use: 'sig', kid, x, y, created_at, expired_at },
          },
        };
      },
    }),
  ];
}

/** All when none are named. Throws Plaid's refusal of one of another Item. */
export function chosen(accounts: Account[], ids: readonly string[] | undefined): Account[] {
  if (ids === undefined) return accounts;
  if (ids.some((id) => !accounts.some((account) => account.id === id))) throw refusal('INVALID_ACCOUNT_ID');
  return accounts.filter(({ id }) => ids.includes(id));
}

/** What the person does on Plaid's page: a new Item and its public token, or an Item that can be read again. */
export function newPublicToken(context: PlaidContext, item: Item): string {
  const token = newToken('public');
  const expiresAt = new Date(context.clock.now().getTime() + PUBLIC_TOKEN_MS).toISOString();
  context.publicTokens.put(token, { token, itemId: item.id, expiresAt, isUsed: false });
  return token;
}

/** The person is through with Link. Throws a `RangeError` where the token is none, used or too old. */
export function completeLink(
  context: PlaidContext,
  linkToken: string,
  { institutionId, accounts }: { institutionId?: string | undefined; accounts?: AccountInput[] | undefined },
): { item: Item; publicToken: string | null } {
  const link = context.linkTokens.get(linkToken);
  if (!link || link.isUsed || link.expiresAt <= context.clock.now().toISOString()) {
    throw new RangeError(`No link token ${linkToken} is open`);
  }
  context.linkTokens.put(linkToken, { ...link, isUsed: true });
  const repaired = link.itemId === null ? undefined : context.items.get(link.itemId);
  if (repaired) return { item: repaired, publicToken: null };
  const institution = findInstitution(institutionId);
  const { webhook, products } = link;
  const item = createItem(context, { webhook, products, institution, accounts });
  return { item, publicToken: newPublicToken(context, item) };
}

export function itemJson({
  id,
  institutionId,
  institutionName,
  webhook,
  products,
  error,
  consentExpiresAt,
}: Item): object {
  return {
    item_id: id,
    institution_id: institutionId,
    institution_name: institutionName,
    webhook,
    auth_method: null,
    error,
    available_products: ['balance', 'identity'],
    billed_products: products,
    products,
    consent_expiration_time: consentExpiresAt,
    update_type: 'background',
  };
}

export function accountJson(account: Account): object {
  return {
    account_id: account.id,
    persistent_account_id: account.persistentId,
    balances: {
      available: account.balance,
      current: account.balance,
      limit: null,
      iso_currency_code: account.currency,
      unofficial_currency_code: null,
    },
    holder_category: 'business',
    mask: account.mask,
    name: account.name,
    official_name: account.officialName,
    type: account.type,
    subtype: account.subtype,
  };
}

function numbersJson(accounts: readonly Account[]): object {
  const ach = accounts.flatMap(({ id, numbers }) =>
    numbers.ach === undefined
      ? []
      : [
          {
            account_id: id,
            account: numbers.ach.account,
            routing: numbers.ach.routing,
            wire_routing: numbers.ach.wireRouting,
            is_tokenized_account_number: false,
          },
        ],
  );
  const international = accounts.flatMap(({ id, numbers }) =>
    numbers.international === undefined ? [] : [{ account_id: id, ...numbers.international }],
  );
  return { ach, eft: [], international, bacs: [] };
}
