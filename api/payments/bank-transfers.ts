/** Invoices paid by bank transfer: give instructions, see how a transfer stands, and do what operators do with it. */
import { z } from 'zod';
import { findInvoice } from '../../db/queries/billing/read-invoices.ts';
import {
  createTransfer,
  findTransfer,
  listTransfers,
  readTransfer,
} from '../../db/queries/payments/bank-transfers.ts';
import type { BankTransferRow } from '../../db/queries/payments/follow-transfer.ts';
import {
  extendTransfer,
  holdTransfer,
  keepConfirmation,
  resumeTransfer,
} from '../../db/queries/payments/transfer-acts.ts';
import { invoiceParams } from '../billing/invoices.schemas.ts';
import { page, pageOf, pageQuery } from '../pagination.ts';
import { notFound } from '../problem.ts';
import { type ReadContext, type Route, route, type WriteContext } from '../route.ts';
import { emptyBody, id } from '../schemas.ts';
import { toBankTransfer, toBankTransfers } from './bank-transfer-body.ts';
import {
  type BankTransferBody,
  bankTransfer,
  bankTransferCursor,
  bankTransferParams,
  confirmedTransfer,
  extendedTransfer,
  heldTransfer,
  newBankTransfer,
  transferReference,
  transferStatus,
} from './bank-transfers.schemas.ts';

/** What a customer has told, and people have written of it, is kept in its own row alone. */
const replay = {
  keep: ({ id: kept }: BankTransferBody) => ({ id: kept }),
  restore: async (context: Pick<ReadContext, 'tx' | 'deps'>, kept: { id: string }) =>
    toBankTransfer(context, await readTransfer(context.tx, kept.id)),
};

const create = route({
  effect: 'write',
  method: 'post',
  path: '/v1/invoices/{invoiceId}/bank_transfer',
  operationId: 'createBankTransfer',
  tag: 'Bank transfers',
  scope: 'billing:write',
  summary: 'Give instructions to pay an open invoice by bank transfer',
  description:
    'The account, the method and what is typed at the bank, by where the customer pays from and by the currency of the invoice, under a reference that the invoice keeps for ever. The customer is mailed. Asked for again, the same is answered; what has expired, or would be another account now, is given anew under the same reference.',
  params: invoiceParams,
  body: newBankTransfer,
  example: { country: 'DE' },
  responses: {
    201: {
      description: 'The transfer. Send the customer to pageUrl.',
      schema: bankTransfer,
      links: {
        GetBankTransfer: {
          operationId: 'getBankTransfer',
          parameters: { bankTransferId: '$response.body#/id' },
        },
      },
    },
  },
  problems: ['state_conflict', 'customer_erased'],
  reasons: {
    state_conflict: [
      'invoice_not_open',
      'charge_in_flight',
      'collected_by_razorpay',
      'payment_under_way',
      'bank_details_missing',
      'payer_country_unknown',
      'no_account_for_payer',
      'references_used_up',
    ],
  },
  handler: async ({ tx, deps, caller: { actor }, now, params: { invoiceId }, body: { country } }) => {
    if ((await findInvoice(tx, invoiceId)) === null) throw notFound('invoice', invoiceId);
    const { publicUrl } = deps.config;
    const row = await createTransfer(tx, { invoiceId, country, publicUrl, actor, at: now });
    return { status: 201, body: await toBankTransfer({ tx, deps }, row) };
  },
  replay,
});

const list = route({
  effect: 'read',
  method: 'get',
  path: '/v1/bank_transfers',
  operationId: 'listBankTransfers',
  tag: 'Bank transfers',
  scope: 'billing:read',
  summary: 'List transfers that invoices wait for, newest first',
  description: 'status=in_review lists what waits for an operator.',
  query: z.strictObject({
    ...pageQuery(bankTransferCursor),
    invoiceId: id('inv', 'invoice').optional(),
    status: transferStatus.optional(),
    reference: transferReference.optional(),
  }),
  responses: { 200: { description: 'A page of transfers.', schema: pageOf(bankTransfer) } },
  handler: async ({ tx, deps, query: { limit, cursor, invoiceId, status, reference } }) => {
    const rows = await page({
      limit,
      fetch: (count) => listTransfers(tx, { invoiceId, status, reference, cursor, limit: count }),
      cursorOf: (row) => row.id,
      toItem: (row) => row,
    });
    const { data, nextCursor } = rows;
    return { status: 200, body: { data: await toBankTransfers({ tx, deps }, data), nextCursor } };
  },
});

const read = route({
  effect: 'read',
  method: 'get',
  path: '/v1/bank_transfers/{bankTransferId}',
  operationId: 'getBankTransfer',
  tag: 'Bank transfers',
  scope: 'billing:read',
  summary: 'Read a transfer that an invoice waits for',
  params: bankTransferParams,
  responses: { 200: { description: 'The transfer.', schema: bankTransfer } },
  handler: async ({ tx, deps, params: { bankTransferId } }) => {
    const row = await findTransfer(tx, bankTransferId);
    if (row === null) throw notFound('bank transfer', bankTransferId);
    return { status: 200, body: await toBankTransfer({ tx, deps }, row) };
  },
});

const act = {
  effect: 'write',
  method: 'post',
  tag: 'Bank transfers',
  scope: 'billing:write',
  params: bankTransferParams,
  problems: ['state_conflict'],
  reasons: { state_conflict: ['transfer_not_open'] },
  responses: { 200: { description: 'The transfer as it is now.', schema: bankTransfer } },
  replay,
} as const;

const hold = route({
  ...act,
  path: '/v1/bank_transfers/{bankTransferId}/hold',
  operationId: 'holdBankTransfer',
  summary: 'Hold a transfer about which something is to be cleared up',
  description: 'Its clock stands still, and the customer is asked by mail to get in touch.',
  body: heldTransfer,
  handler: ({ body: { reason }, ...context }) =>
    done(context, (asked) => holdTransfer(context.tx, { ...asked, reason })),
});

const resume = route({
  ...act,
  path: '/v1/bank_transfers/{bankTransferId}/resume',
  operationId: 'resumeBankTransfer',
  summary: 'Let a transfer on hold go on',
  description: 'What was left of its clock is left again.',
  body: emptyBody,
  handler: (context) => done(context, (asked) => resumeTransfer(context.tx, asked)),
});

const extend = route({
  ...act,
  path: '/v1/bank_transfers/{bankTransferId}/extend',
  operationId: 'extendBankTransfer',
  summary: 'Give a transfer more time',
  description:
    'Instructions that have expired hold again from now on. The customer is mailed, unless the transfer is on hold or in review: the mail that ends that tells until when.',
  body: extendedTransfer,
  example: { days: 7, reason: 'the bank needs longer' },
  handler: ({ body, ...context }) =>
    done(context, (asked) => extendTransfer(context.tx, { ...asked, ...body })),
});

const confirm = route({
  ...act,
  path: '/v1/bank_transfers/{bankTransferId}/confirmation',
  operationId: 'confirmBankTransfer',
  summary: "Tell the number on the bank's confirmation",
  description: 'It finds a transfer whose reference is missing. A later number takes its place.',
  body: confirmedTransfer,
  handler: ({ body: { number }, ...context }) =>
    done(context, (asked) => keepConfirmation(context.tx, { ...asked, number })),
});

export const bankTransferRoutes: readonly Route[] = [create, list, read, hold, resume, extend, confirm];

async function done(
  {
    tx,
    deps,
    caller: { actor },
    now,
    params: { bankTransferId },
  }: WriteContext & { params: z.infer<typeof bankTransferParams> },
  deed: (asked: {
    bankTransferId: string;
    publicUrl: string;
    actor: string;
    at: Date;
  }) => Promise<BankTransferRow>,
) {
  const { publicUrl } = deps.config;
  const row = await deed({ bankTransferId, publicUrl, actor, at: now });
  return { status: 200 as const, body: await toBankTransfer({ tx, deps }, row) };
}
