/** Plaid's objects in our words. */

import { isCurrency } from '../../domain/money.ts';
import type {
  BankFeedEvent,
  BankFeedEventKind,
  FeedAccount,
  FeedConnection,
  FeedPage,
  FeedTransaction,
  UnreadableTransaction,
  VerificationKey,
} from '../../domain/payments/bank-feed.ts';
import { readAmount } from './amounts.ts';
import { failureOf } from './errors.ts';
import type * as shapes from './shapes.ts';

export function toFeedPage(page: shapes.TransactionsPageJson): FeedPage {
  const [added, modified] = [page.added.map(toFeedTransaction), page.modified.map(toFeedTransaction)];
  return {
    added: added.filter(isReadable),
    modified: modified.filter(isReadable),
    removed: page.removed.map(({ transaction_id, account_id }) => ({
      externalId: transaction_id,
      accountExternalId: account_id,
    })),
    unreadable: [...added, ...modified].filter((each) => !isReadable(each)) as UnreadableTransaction[],
    nextCursor: page.next_cursor,
    hasMore: page.has_more,
    isReady: page.transactions_update_status !== 'NOT_READY',
  };
}

function isReadable(read: FeedTransaction | UnreadableTransaction): read is FeedTransaction {
  return 'amountMinor' in read;
}

/** Exactly one of the two currencies is given: a code of ISO 4217, or what the bank calls a coin that has none. */
function toFeedTransaction(transaction: shapes.TransactionJson): FeedTransaction | UnreadableTransaction {
  const { transaction_id: externalId, account_id: accountExternalId, date: bookedOn } = transaction;
  const currency = transaction.iso_currency_code ?? transaction.unofficial_currency_code ?? '';
  const isOfficial = typeof transaction.iso_currency_code === 'string';
  const amount = readAmount(transaction.amount, isOfficial ? currency : '');
  if ('unreadable' in amount) {
    return { externalId, accountExternalId, reason: amount.unreadable, currency, bookedOn };
  }
  return {
    externalId,
    accountExternalId,
    ...amount,
    currency,
    bookedOn,
    authorisedOn: transaction.authorized_date ?? null,
    pending: transaction.pending,
    pendingExternalId: transaction.pending_transaction_id ?? null,
    texts: textsOf(transaction),
    payer: payerOf(transaction, amount.amountMinor),
    bankReference: clean(transaction.payment_meta?.reference_number),
  };
}

/** In the order in which they are searched: the bank's own words before what Plaid has made of them. */
function textsOf({
  original_description,
  name,
  merchant_name,
  payment_meta: meta,
  check_number,
  counterparties,
}: shapes.TransactionJson): string[] {
  return [
    original_description,
    name,
    merchant_name,
    meta?.reference_number,
    meta?.reason,
    meta?.payer,
    meta?.by_order_of,
    meta?.payee,
    check_number,
    ...(counterparties ?? []).map((counterparty) => counterparty.name),
  ]
    .map(clean)
    .filter((text) => text !== null);
}

/** A database keeps neither NUL nor half of a pair; a text without anything in it is none. */
function clean(text: string | null | undefined): string | null {
  const cleaned = (text ?? '').toWellFormed().replaceAll('\0', ' ').trim();
  return cleaned === '' ? null : cleaned;
}

/**
 * Who paid money in. The bank's word first: who is paying, or ordered the wire. Plaid's guess at the other side after it, and
 * only where it is somebody who pays, and not the bank or the app it came through. Of money out nobody is the payer.
 */
function payerOf(
  { payment_meta: meta, counterparties }: shapes.TransactionJson,
  amountMinor: number,
): FeedTransaction['payer'] {
  if (amountMinor <= 0) return { name: null, account: null };
  const others = (counterparties ?? []).filter(({ type }) => type === 'merchant' || type === 'income_source');
  const guessed = others.map(({ name }) => clean(name)).find((name) => name !== null) ?? null;
  const accounts = (counterparties ?? []).map(({ account_numbers: numbers }) => {
    const { account, sort_code: sortCode } = numbers?.bacs ?? {};
    const domestic = clean(sortCode) && clean(account) ? `${clean(sortCode)} ${clean(account)}` : null;
    return clean(numbers?.international?.iban) ?? domestic;
  });
  return {
    name: clean(meta?.payer) ?? clean(meta?.by_order_of) ?? guessed,
    account: accounts.find((account) => account !== null) ?? null,
  };
}

export function toFeedAccount(account: shapes.AccountJson): FeedAccount {
  const { iso_currency_code: currency } = account.balances;
  return {
    externalId: account.account_id,
    persistentId: clean(account.persistent_account_id),
    name: account.name,
    mask: clean(account.mask),
    currency: typeof currency === 'string' && isCurrency(currency) ? currency : null,
  };
}

export function toFeedConnection({ item, status }: shapes.ItemAnswerJson): FeedConnection {
  return {
    externalId: item.item_id,
    institutionId: item.institution_id ?? null,
    institutionName: item.institution_name ?? null,
    problem: item.error ? problemOf(item.error) : null,
    consentExpiresAt: instantOf(item.consent_expiration_time),
    lastReadAt: instantOf(status?.transactions?.last_successful_update),
    lastFailedAt: instantOf(status?.transactions?.last_failed_update),
  };
}

/** Whatever else keeps it from being read is no word we know: the bank cannot be read now. */
function problemOf(error: shapes.FailureJson): FeedConnection['problem'] {
  return failureOf(error) ?? 'bank_unavailable';
}

function instantOf(instant: string | null | undefined): string | null {
  return instant ? new Date(instant).toISOString() : null;
}

export function toVerificationKey({ key }: { key: VerificationKeyJson }): VerificationKey {
  const { kid, kty, crv, x, y, alg, expired_at } = key;
  return {
    keyId: kid,
    jwk: { kty, crv, x, y, alg },
    expiredAt: typeof expired_at === 'number' ? new Date(expired_at * 1000) : null,
  };
}

type VerificationKeyJson = {
  kid: string;
  kty: string;
  crv: string;
  x: string;
  y: string;
  alg: string;
  expired_at?: number | null | undefined;
};

export function toBankFeedEvent(
  event: shapes.EventJson,
  { externalId, createdAt }: { externalId: string; createdAt: Date },
): BankFeedEvent {
  const type = `${event.webhook_type}.${event.webhook_code}`;
  return {
    externalId,
    type,
    kind: eventKinds.get(type) ?? 'other',
    connectionExternalId: event.item_id ?? null,
    createdAt: createdAt.toISOString(),
  };
}

/** The older ones, from the time before cursors, tell the same as `SYNC_UPDATES_AVAILABLE` and are sent beside it. */
const eventKinds: ReadonlyMap<string, BankFeedEventKind> = new Map([
  ['TRANSACTIONS.SYNC_UPDATES_AVAILABLE', 'changes_available'],
  ['ITEM.ERROR', 'failed'],
  ['ITEM.LOGIN_REPAIRED', 'login_repaired'],
  ['ITEM.PENDING_EXPIRATION', 'consent_expires'],
  ['ITEM.PENDING_DISCONNECT', 'disconnect_expected'],
  ['ITEM.USER_PERMISSION_REVOKED', 'access_revoked'],
  ['ITEM.USER_ACCOUNT_REVOKED', 'access_revoked'],
]);
