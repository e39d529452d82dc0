/** Movements: what has changed since a cursor, what happened between two days, and a look at the bank right now. */
import { z } from 'zod';
import { logOf, readBank } from './changes.ts';
import { accountsOf, changeItem, type Movement, type PlaidContext, requireReadableItem } from './context.ts';
import { encodeCursor, readCursor } from './cursors.ts';
import { refusal } from './errors.ts';
import { accountJson, chosen, itemJson } from './items.ts';
import { operation, type PlaidOperation } from './params.ts';

const count = z.number().int().min(1).max(500).default(100);
const isIncluded = z.boolean().nullish();

export function transactionOperations(context: PlaidContext): PlaidOperation[] {
  return [
    operation({
      op: 'transactions.sync',
      path: '/transactions/sync',
      params: {
        access_token: z.string(),
        cursor: z.string().max(256).optional(),
        count,
        options: z
          .strictObject({
            include_original_description: isIncluded,
            include_personal_finance_category: z.boolean().optional(),
            days_requested: z.number().int().min(1).max(730).optional(),
            account_id: z.string().optional(),
          })
          .optional(),
      },
      run: ({ access_token, cursor, count: most, options }) => ({
        body: sync(context, {
          accessToken: access_token,
          cursor,
          count: most,
          accountId: options?.account_id ?? null,
          withText: options?.include_original_description === true,
        }),
      }),
    }),
    operation({
      op: 'transactions.get',
      path: '/transactions/get',
      params: {
        access_token: z.string(),
        start_date: z.iso.date(),
        end_date: z.iso.date(),
        options: z
          .strictObject({
            account_ids: z.array(z.string()).optional(),
            count,
            offset: z.number().int().min(0).default(0),
            include_original_description: isIncluded,
            include_personal_finance_category: z.boolean().optional(),
          })
          .prefault({}),
      },
      run: ({ access_token, start_date, end_date, options }) => {
        const item = requireReadableItem(context, access_token);
        if (item.status === 'NOT_READY') throw refusal('PRODUCT_NOT_READY');
        const accounts = chosen(accountsOf(context, item), options.account_ids);
        const ids = new Set(accounts.map(({ id }) => id));
        const all = logOf(context, item)
          .filter(({ isRemoved, accountId }) => !isRemoved && ids.has(accountId))
          .filter(({ date }) => date >= start_date && date <= end_date)
          .toSorted((a, b) => (a.date === b.date ? b.addedSeq - a.addedSeq : a.date < b.date ? 1 : -1));
        const page = all.slice(options.offset, options.offset + options.count);
        const withText = options.include_original_description === true;
        return {
          body: {
            accounts: accounts.map(accountJson),
            transactions: page.map((movement) => transactionJson(movement, withText)),
            total_transactions: all.length,
            item: itemJson(item),
          },
        };
      },
    }),
    operation({
      op: 'transactions.refresh',
      path: '/transactions/refresh',
      mutates: true,
      params: { access_token: z.string() },
      run: ({ access_token }) => {
        const item = readBank(context, requireReadableItem(context, access_token));
        return { body: {}, note: { outcome: 'effect', objectId: item.id } };
      },
    }),
  ];
}

function sync(
  context: PlaidContext,
  {
    accessToken,
    cursor: text,
    count: most,
    accountId,
    withText,
  }: {
    accessToken: string;
    cursor: string | undefined;
    count: number;
    accountId: string | null;
    withText: boolean;
  },
): object {
  const item = changeItem(context, requireReadableItem(context, accessToken), { hasSynced: true });
  const accounts = chosen(accountsOf(context, item), accountId === null ? undefined : [accountId]);
  const common = { accounts: accounts.map(accountJson), transactions_update_status: item.status };
  if (item.status === 'NOT_READY') {
    return { ...common, added: [], modified: [], removed: [], next_cursor: '', has_more: false };
  }
  const cursor = readCursor(text, { item, accountId });
  const { from, at } = cursor;
  const news = logOf(context, item).filter(
    (movement) =>
      movement.lastSeq > at &&
      (accountId === null || movement.accountId === accountId) &&
      // What came and went since is nothing to this reader.
      !(movement.isRemoved && movement.addedSeq > from),
  );
  const page = news.slice(0, most);
  const hasMore = news.length > most;
  const next = hasMore
    ? { ...cursor, at: page.at(-1)?.lastSeq ?? at, upTo: item.seq }
    : { ...cursor, from: item.seq, at: item.seq, upTo: null };
  if (hasMore && item.mutations > 0) {
    changeItem(context, item, { mutations: item.mutations - 1, seq: item.seq + 1 });
  }
  const [present, gone] = [page.filter((each) => !each.isRemoved), page.filter((each) => each.isRemoved)];
  return {
    ...common,
    added: present.filter(({ addedSeq }) => addedSeq > from).map((each) => transactionJson(each, withText)),
    modified: present
      .filter(({ addedSeq }) => addedSeq <= from)
      .map((each) => transactionJson(each, withText)),
    removed: gone.map(({ id, accountId: account_id }) => ({ transaction_id: id, account_id })),
    next_cursor: encodeCursor(next),
    has_more: hasMore,
  };
}

/** The bank's own text is there only for who asks for it. */
function transactionJson(movement: Movement, withText: boolean): object {
  const { paymentMeta: meta } = movement;
  return {
    transaction_id: movement.id,
    account_id: movement.accountId,
    account_owner: null,
    // A JSON number has the digits of the decimal, as long as there are no more than fifteen.
    amount: Number(movement.amount),
    iso_currency_code: movement.currency,
    unofficial_currency_code: movement.unofficialCurrency,
    check_number: movement.checkNumber,
    counterparties: movement.counterparties.map(({ name, type, iban }) => ({
      name,
      type,
      entity_id: null,
      website: null,
      logo_url: null,
      confidence_level: 'VERY_HIGH',
      ...(iban !== undefined && {
        account_numbers: {
          bacs: { account: null, sort_code: null },
          international: { iban, bic: null },
        },
      }),
    })),
    date: movement.date,
    datetime: null,
    authorized_date: movement.authorizedDate,
    authorized_datetime: null,
    location: {
      address: null,
      city: null,
      region: null,
      postal_code: null,
      country: null,
      lat: null,
      lon: null,
      store_number: null,
    },
    name: movement.name,
    merchant_name: movement.merchantName,
    merchant_entity_id: null,
    logo_url: null,
    website: null,
    ...(withText && { original_description: movement.originalDescription }),
    payment_meta: {
      reference_number: meta.reference_number ?? null,
      ppd_id: meta.ppd_id ?? null,
      payee: meta.payee ?? null,
      by_order_of: meta.by_order_of ?? null,
      payer: meta.payer ?? null,
      payment_method: meta.payment_method ?? null,
      payment_processor: meta.payment_processor ?? null,
      reason: meta.reason ?? null,
    },
    payment_channel: 'other',
    pending: movement.pending,
    pending_transaction_id: movement.pendingId,
    personal_finance_category: {
      primary: 'TRANSFER_IN',
      detailed: 'TRANSFER_IN_ACCOUNT_TRANSFER',
      confidence_level: 'LOW',
    },
    personal_finance_category_icon_url: 'https://plaid-category-icons.plaid.com/PFC_TRANSFER_IN.png',
    transaction_code: null,
    transaction_type: 'unresolved',
  };
}
