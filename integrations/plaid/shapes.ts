/**
 * What we read of Plaid's JSON; it has more. Numbers come as the text they were written in (`parseExactJson`). Amounts, dates
 * and ids must be right; a text that is something else is no text.
 * https://plaid.com/docs/api/products/transactions/, …/api/items/, …/api/link/, …/api/webhooks/webhook-verification/
 */
import { z } from 'zod';

const id = z.string().regex(/^[\x21-\x7e]{1,255}$/);
const token = z.string().min(1).max(1_000);
const decimal = z.string().regex(/^-?\d+(\.\d+)?([eE][+-]?\d+)?$/);
const text = z.string().nullish().catch(null);
const instant = z.iso.datetime({ offset: true }).nullish().catch(null);
const seconds = z
  .string()
  .regex(/^\d{1,11}$/)
  .transform(Number);

const counterparty = z.object({
  name: text,
  type: text,
  account_numbers: z
    .object({
      bacs: z.object({ account: text, sort_code: text }).nullish().catch(null),
      international: z.object({ iban: text }).nullish().catch(null),
    })
    .nullish()
    .catch(null),
});

const transaction = z.object({
  transaction_id: id,
  account_id: id,
  amount: decimal,
  iso_currency_code: z.string().nullish(),
  unofficial_currency_code: z.string().nullish(),
  date: z.iso.date(),
  authorized_date: z.iso.date().nullish(),
  pending: z.boolean(),
  pending_transaction_id: id.nullish(),
  original_description: text,
  name: text,
  merchant_name: text,
  check_number: text,
  payment_meta: z
    .object({ reference_number: text, reason: text, payer: text, by_order_of: text, payee: text })
    .nullish()
    .catch(null),
  counterparties: z.array(counterparty).nullish().catch(null),
});

export const transactionsPage = z.object({
  added: z.array(transaction),
  modified: z.array(transaction),
  removed: z.array(z.object({ transaction_id: id, account_id: id })),
  next_cursor: z.string().max(10_000),
  has_more: z.boolean(),
  transactions_update_status: z.string(),
});

const account = z.object({
  account_id: id,
  persistent_account_id: text,
  name: z.string(),
  mask: text,
  balances: z.object({ iso_currency_code: text }),
});

export const accounts = z.object({ accounts: z.array(account) });

/** An error in an answer: what it was about, and the request it is known by at Plaid. */
export const failure = z.object({
  error_type: z.string().max(255),
  error_code: z.string().max(255),
  error_message: text,
  request_id: text,
});

const item = z.object({
  item_id: id,
  institution_id: text,
  institution_name: text,
  error: failure.nullish().catch(null),
  consent_expiration_time: instant,
});

const itemStatus = z.object({
  transactions: z
    .object({ last_successful_update: instant, last_failed_update: instant })
    .nullish()
    .catch(null),
});

export const itemAnswer = z.object({ item, status: itemStatus.nullish().catch(null) });
export const exchanged = z.object({ access_token: token, item_id: id });
export const linkToken = z.object({ link_token: token, expiration: z.iso.datetime({ offset: true }) });
export const accepted = z.object({ request_id: z.string() });

export const verificationKey = z.object({
  key: z.object({
    alg: z.literal('ES256'),
    crv: z.literal('P-256'),
    kty: z.literal('EC'),
    kid: id,
    x: z.string(),
    y: z.string(),
    expired_at: seconds.nullish(),
  }),
});

/** The body of a webhook. What it tells besides depends on its type. */
export const event = z.looseObject({
  webhook_type: z.string().regex(/^[\w.-]{1,100}$/),
  webhook_code: z.string().regex(/^[\w.-]{1,100}$/),
  item_id: id.nullish(),
});

export type TransactionJson = z.output<typeof transaction>;
export type TransactionsPageJson = z.output<typeof transactionsPage>;
export type AccountJson = z.output<typeof account>;
export type ItemAnswerJson = z.output<typeof itemAnswer>;
export type FailureJson = z.output<typeof failure>;
export type EventJson = z.output<typeof event>;
