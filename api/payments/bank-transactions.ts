/** Movements on bank accounts: searched, read with what was decided about them, and told from copies. */
import { type BankMovementRow, payerOf, readMovement } from '../../db/queries/payments/bank-movements.ts';
import { judgeCopy } from '../../db/queries/payments/judge-copy.ts';
import {
  type BankTransactionView,
  listBankTransactions,
  readBankTransaction,
} from '../../db/queries/payments/read-bank-transactions.ts';
import { decimalOf } from '../../domain/money.ts';
import type { CsvTable } from '../csv.ts';
import { page, pageOf } from '../pagination.ts';
import { type Route, route } from '../route.ts';
import { toBankDecision } from './bank-decision-body.ts';
import {
  type BankTransactionBody,
  type BankTransactionDetailsBody,
  bankTransaction,
  bankTransactionDetails,
  bankTransactionFilters,
  bankTransactionParams,
  copyJudgement,
} from './bank-transactions.schemas.ts';

const list = route({
  effect: 'read',
  method: 'get',
  path: '/v1/bank_transactions',
  operationId: 'listBankTransactions',
  tag: 'Bank transfers',
  scope: 'billing:read',
  summary: 'Search movements on bank accounts',
  description:
    'By account, status, day, amount and text, the one we have heard of last first. Where a table goes on, the header Link of the answer names its next page.',
  query: bankTransactionFilters,
  responses: {
    200: {
      description: 'The movements.',
      schema: pageOf(bankTransaction),
      csv: { fileName: 'bank-transactions.csv', tableOf },
    },
  },
  handler: async ({ tx, query: { limit, cursor, q, amountMinor, ...filter } }) => {
    // Exactly one amount is a range of one; beside a range it narrows it.
    const amounts = {
      minAmountMinor: greatest(filter.minAmountMinor, amountMinor),
      maxAmountMinor: least(filter.maxAmountMinor, amountMinor),
    };
    const body = await page({
      limit,
      fetch: (count) => listBankTransactions(tx, { ...filter, ...amounts, text: q, cursor, limit: count }),
      cursorOf: (row) => row.id,
      toItem: toBankTransaction,
    });
    return { status: 200, body };
  },
});

const get = route({
  effect: 'read',
  method: 'get',
  path: '/v1/bank_transactions/{transactionId}',
  operationId: 'getBankTransaction',
  tag: 'Bank transfers',
  scope: 'billing:read',
  summary: 'Get a movement on a bank account',
  description: 'With what was decided about it last, in sentences, and the payments it became.',
  params: bankTransactionParams,
  responses: { 200: { description: 'The movement.', schema: bankTransactionDetails } },
  handler: async ({ tx, params: { transactionId } }) => ({
    status: 200,
    body: toDetails(await readBankTransaction(tx, transactionId)),
  }),
});

const judge = route({
  effect: 'write',
  method: 'post',
  path: '/v1/bank_transactions/{transactionId}/copy',
  operationId: 'judgeBankTransactionCopy',
  tag: 'Bank transfers',
  scope: 'billing:write',
  summary: 'Say whether a movement is a copy of another',
  description:
    'A feed and a statement file, or two files of two formats, tell the same movement under different names. What seems to be told twice waits for this: a copy is left out, and money of its own is matched.',
  params: bankTransactionParams,
  body: copyJudgement,
  example: { isCopy: true },
  responses: { 200: { description: 'The movement.', schema: bankTransaction } },
  problems: ['state_conflict'],
  reasons: { state_conflict: ['copy_not_suspected', 'copy_judged'] },
  handler: async ({ tx, caller: { actor }, now, params: { transactionId }, body: { isCopy } }) => {
    const judged = await judgeCopy(tx, { transactionId, isCopy, actor, at: now });
    return { status: 200, body: toBankTransaction(judged) };
  },
  // The texts of a movement and who paid are personal.
  replay: {
    keep: ({ id }: BankTransactionBody) => ({ id }),
    restore: async ({ tx }, { id }: { id: string }) => toBankTransaction(await readMovement(tx, id)),
  },
});

export const bankTransactionRoutes: readonly Route[] = [list, get, judge];

function greatest(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.max(a, b);
}

function least(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.min(a, b);
}

function toBankTransaction(row: BankMovementRow): BankTransactionBody {
  const { id, accountId, source, externalId, statementId, status, amountMinor, currency } = row;
  const { bookedOn, authorisedOn, texts, bankReference } = row;
  const { allocatedMinor, roundedFrom, copyOfId } = row;
  return {
    id,
    accountId,
    source,
    externalId,
    statementId,
    status,
    amountMinor,
    currency,
    bookedOn,
    authorisedOn,
    texts,
    payer: payerOf(row),
    bankReference,
    allocatedMinor,
    roundedFrom,
    copyOfId,
    copyJudgedAt: row.copyJudgedAt?.toISOString() ?? null,
    removedAt: row.removedAt?.toISOString() ?? null,
    createdAt: row.createdAt.toISOString(),
  };
}

function toDetails({ transaction, decisions, allocations }: BankTransactionView): BankTransactionDetailsBody {
  return {
    ...toBankTransaction(transaction),
    decisions: decisions.map(toBankDecision),
    allocations: allocations.map(({ paymentId, invoiceId, decisionId, amountMinor, undoneAt }) => ({
      paymentId,
      invoiceId,
      decisionId,
      amountMinor,
      undoneAt: undoneAt?.toISOString() ?? null,
    })),
  };
}

function tableOf({ data }: { data: BankTransactionBody[] }): CsvTable {
  return {
    header: [
      'Transaction',
      'Booked',
      'Amount',
      'Currency',
      'Status',
      'Payer',
      'Payer account',
      'Text',
      'Bank reference',
      'Account',
      'Source',
    ],
    rows: data.map((each) => [
      each.id,
      each.bookedOn,
      decimalOf(each),
      each.currency,
      each.status,
      each.payer.name,
      each.payer.account,
      each.texts.join(' | '),
      each.bankReference,
      each.accountId,
      each.source,
    ]),
  };
}
