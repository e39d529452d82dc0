/**
 * Plaid as the feed of customers' banks, on the official SDK.
 *
 * Why it is safe to run twice: nothing here moves money. Everything is a question that may be asked again, with one exception:
 * a public token is exchanged once. Where that answer was lost nobody has the access token, so the outcome is unknown and the
 * person connects the bank again; the lost connection is never read.
 */
import type { CountryCode, LinkTokenCreateRequest, Products } from 'plaid';
import {
  type BankFeed,
  FEED_PAGE_MAX,
  type FeedAccount,
  type FeedPage,
  type LinkRequest,
  type VerificationKey,
} from '../../domain/payments/bank-feed.ts';
import { connect, type Plaid, type PlaidConnection } from './connection.ts';
import { isUnknownKey, isUnusableToken } from './errors.ts';
import * as shapes from './shapes.ts';
import { toFeedAccount, toFeedConnection, toFeedPage, toVerificationKey } from './transform.ts';

/** Connects to Plaid, or to whatever listens at `apiBase`. */
export function createPlaidBankFeed(connection: PlaidConnection): BankFeed {
  const plaid = connect(connection);
  return {
    linkToken: (request) => linkToken(plaid, request),
    async exchange(publicToken) {
      const exchanged = await plaid.ask(
        shapes.exchanged.nullable(),
        (api, options) => api.itemPublicTokenExchange({ public_token: publicToken }, options),
        { mutates: true, failed: (failure) => (isUnusableToken(failure) ? null : undefined) },
      );
      if (exchanged === null) return null;
      return { accessToken: exchanged.access_token, connectionExternalId: exchanged.item_id };
    },
    async item(accessToken) {
      return toFeedConnection(
        await plaid.ask(shapes.itemAnswer, (api, options) =>
          api.itemGet({ access_token: accessToken }, options),
        ),
      );
    },
    accounts: (accessToken) => accounts(plaid, accessToken),
    sync: (input) => sync(plaid, input),
    verificationKey: (keyId) => verificationKey(plaid, keyId),
    async remove(accessToken) {
      await plaid.ask(shapes.accepted, (api, options) =>
        api.itemRemove({ access_token: accessToken }, options),
      );
    },
  };
}

async function linkToken(
  plaid: Plaid,
  { userId, clientName, language, countries, webhookUrl, historyDays, redirectUrl, accessToken }: LinkRequest,
): Promise<{ linkToken: string; expiresAt: string }> {
  const wanted: Partial<LinkTokenCreateRequest> =
    accessToken === undefined
      ? {
          products: [TRANSACTIONS],
          ...(historyDays !== undefined && { transactions: { days_requested: historyDays } }),
        }
      : { access_token: accessToken };
  const { link_token, expiration } = await plaid.ask(shapes.linkToken, (api, options) =>
    api.linkTokenCreate(
      {
        ...wanted,
        client_name: clientName,
        language,
        country_codes: countries as CountryCode[],
        user: { client_user_id: userId },
        webhook: webhookUrl,
        ...(redirectUrl !== undefined && { redirect_uri: redirectUrl }),
      },
      options,
    ),
  );
  return { linkToken: link_token, expiresAt: new Date(expiration).toISOString() };
}

/** The SDK's own name of it would load the SDK. */
const TRANSACTIONS = 'transactions' as Products.Transactions;

async function accounts(plaid: Plaid, accessToken: string): Promise<FeedAccount[]> {
  const answer = await plaid.ask(shapes.accounts, (api, options) =>
    api.accountsGet({ access_token: accessToken }, options),
  );
  return answer.accounts.map(toFeedAccount);
}

/** Without the option the bank's own text would be missing, and with it most references. */
async function sync(
  plaid: Plaid,
  {
    accessToken,
    cursor,
    count = FEED_PAGE_MAX,
  }: { accessToken: string; cursor: string | null; count?: number },
): Promise<FeedPage> {
  const page = await plaid.ask(shapes.transactionsPage, (api, options) =>
    api.transactionsSync(
      {
        access_token: accessToken,
        count,
        ...(cursor !== null && { cursor }),
        options: { include_original_description: true },
      },
      options,
    ),
  );
  return toFeedPage(page);
}

async function verificationKey(plaid: Plaid, keyId: string): Promise<VerificationKey | null> {
  const answer = await plaid.ask(
    shapes.verificationKey.nullable(),
    (api, options) => api.webhookVerificationKeyGet({ key_id: keyId }, options),
    { failed: (failure) => (isUnknownKey(failure) ? null : undefined) },
  );
  return answer === null ? null : toVerificationKey(answer);
}
