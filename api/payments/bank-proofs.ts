/** Proofs of bank transfers: send one, look at it, and say whether it is believed. */
import { z } from 'zod';
import type { Tx } from '../../db/client.ts';
import {
  type BankProofRow,
  checkTakesProof,
  findProof,
  listProofs,
} from '../../db/queries/payments/bank-proofs.ts';
import { findTransfer, lockTransfer } from '../../db/queries/payments/bank-transfers.ts';
import { approveProof, rejectProof } from '../../db/queries/payments/judge-proof.ts';
import { currentTenant } from '../../db/queries/tenants/tenants.ts';
import { bankPolicy } from '../../domain/payments/bank-policy.ts';
import { dayAt, startOfDay } from '../../domain/reporting/report-days.ts';
import { page, pageOf, pageQuery } from '../pagination.ts';
import { notFound, Problem } from '../problem.ts';
import { type Route, route } from '../route.ts';
import { id } from '../schemas.ts';
import {
  approvedProof,
  type BankProofBody,
  bankProof,
  bankProofCursor,
  bankProofParams,
  newBankProof,
  proofStatus,
  rejectedProof,
} from './bank-proofs.schemas.ts';
import { bankTransferParams } from './bank-transfers.schemas.ts';
import { type ProofToReceive, storeProof, tellOfStored } from './receive-proof.ts';

const TAG = 'Bank transfers';

/** What a customer has told, and people have written of it, is kept in its own row alone. */
const replay = {
  keep: ({ id: kept }: BankProofBody) => ({ id: kept }),
  restore: async ({ tx }: { tx: Tx }, kept: { id: string }) => toProof(await knownProof(tx, kept.id)),
};

const create = route({
  effect: 'act',
  method: 'post',
  path: '/v1/bank_transfers/{bankTransferId}/proofs',
  operationId: 'createBankProof',
  tag: TAG,
  scope: 'billing:write',
  summary: 'Send a proof of a transfer for a customer',
  description: `Customers send theirs on the page of the transfer; this is for what came by mail. The transfer is in review from then on: the customer is asked no more, and nothing expires. Nothing is booked before somebody approves it. The very same file again is the same proof. At most ${bankPolicy.proofsMax} for an invoice.`,
  params: bankTransferParams,
  body: newBankProof,
  takesFile: true,
  responses: {
    201: {
      description: 'The proof.',
      schema: bankProof,
      links: {
        ApproveBankProof: {
          operationId: 'approveBankProof',
          parameters: { bankProofId: '$response.body#/id' },
        },
      },
    },
  },
  problems: [
    'state_conflict',
    'customer_erased',
    'vendor_unavailable',
    'vendor_rejected_request',
    'rate_limited',
    'outcome_unknown',
  ],
  reasons: { state_conflict: ['transfer_not_open', 'proof_rejected', 'proofs_used_up'] },
  handler: {
    look: async ({ tx, params: { bankTransferId }, body: { file } }) => {
      if ((await findTransfer(tx, bankTransferId)) === null) throw notFound('bank transfer', bankTransferId);
      await checkTakesProof(tx, await lockTransfer(tx, bankTransferId), file);
    },
    act: async ({ deps, caller: { tenantId, actor }, updateId, params: { bankTransferId }, body }) => {
      const { file, confirmationNumber = null } = body;
      // Known by the act, so that whoever repeats it stores the same.
      const proofId = updateId.replace(/^[a-z]+_/, 'bpf_');
      const received: ProofToReceive = {
        tenantId,
        proofId,
        bankTransferId,
        file,
        confirmationNumber,
        uploadedVia: 'api',
        actor,
      };
      return { received, stored: await storeProof(deps, received) };
    },
    answer: async ({ tx, deps, now }, done) => toProof(await tellOfStored(tx, deps, { ...done, at: now })),
  },
  replay,
});

const list = route({
  effect: 'read',
  method: 'get',
  path: '/v1/bank_proofs',
  operationId: 'listBankProofs',
  tag: TAG,
  scope: 'billing:read',
  summary: 'List proofs of transfers, newest first',
  description: 'status=waiting lists those that somebody is to look at.',
  query: z.strictObject({
    ...pageQuery(bankProofCursor),
    status: proofStatus.optional(),
    bankTransferId: id('btf', 'bank transfer').optional(),
    invoiceId: id('inv', 'invoice').optional(),
  }),
  responses: { 200: { description: 'A page of proofs.', schema: pageOf(bankProof) } },
  handler: async ({ tx, query: { limit, cursor, status, bankTransferId, invoiceId } }) => ({
    status: 200,
    body: await page({
      limit,
      fetch: (count) => listProofs(tx, { status, bankTransferId, invoiceId, cursor, limit: count }),
      cursorOf: (row) => row.id,
      toItem: toProof,
    }),
  }),
});

const read = route({
  effect: 'read',
  method: 'get',
  path: '/v1/bank_proofs/{bankProofId}',
  operationId: 'getBankProof',
  tag: TAG,
  scope: 'billing:read',
  summary: 'Read what is known of a proof',
  params: bankProofParams,
  responses: { 200: { description: 'The proof.', schema: bankProof } },
  handler: async ({ tx, params: { bankProofId } }) => ({
    status: 200,
    body: toProof(await knownProof(tx, bankProofId)),
  }),
});

const readFile = route({
  effect: 'read',
  method: 'get',
  path: '/v1/bank_proofs/{bankProofId}/file',
  operationId: 'getBankProofFile',
  tag: TAG,
  scope: 'billing:read',
  summary: 'Download the file of a proof',
  description:
    'To be saved and never shown by a browser in place: it comes from outside. contentType of the proof says what it is.',
  params: bankProofParams,
  responses: { 200: { description: 'The file.', mediaType: 'application/octet-stream' } },
  problems: ['vendor_unavailable', 'vendor_rejected_request', 'rate_limited', 'outcome_unknown'],
  handler: async ({ tx, deps, params: { bankProofId } }) => {
    const { objectKey } = await knownProof(tx, bankProofId);
    if (objectKey === null) throw fileGone(bankProofId);
    const ending = objectKey.slice(objectKey.lastIndexOf('.'));
    return {
      status: 200,
      body: {
        fileName: `${bankProofId}${ending}`,
        content: async () => {
          const object = await deps.storage.get(objectKey);
          if (object === null) throw fileGone(bankProofId);
          return object.bytes;
        },
      },
    };
  },
});

const judging = {
  effect: 'write',
  method: 'post',
  tag: TAG,
  scope: 'billing:write',
  params: bankProofParams,
  responses: { 200: { description: 'The proof as it is now.', schema: bankProof } },
  replay,
} as const;

const approve = route({
  ...judging,
  path: '/v1/bank_proofs/{bankProofId}/approve',
  operationId: 'approveBankProof',
  summary: 'Believe a proof: the payment is booked',
  description:
    'At once, although the money may not be on the account yet; when it is, it is linked to this payment. Where the invoice was paid in the meantime, nothing is booked. Approved again, it is what it was. What was sent with the same API key needs another one from 1,000 US dollars on.',
  body: approvedProof,
  problems: ['state_conflict', 'date_out_of_range'],
  reasons: {
    state_conflict: ['proof_rejected', 'invoice_not_open', 'transfer_on_hold', 'second_person_required'],
  },
  handler: async ({
    tx,
    caller: { actor },
    now,
    params: { bankProofId },
    body: { amountMinor, receivedOn },
  }) => {
    await knownProof(tx, bankProofId);
    const receivedAt = receivedOn === undefined ? undefined : await beginOf(tx, receivedOn, now);
    const row = await approveProof(tx, { proofId: bankProofId, amountMinor, receivedAt, actor, at: now });
    return { status: 200, body: toProof(row) };
  },
});

const reject = route({
  ...judging,
  path: '/v1/bank_proofs/{bankProofId}/reject',
  operationId: 'rejectBankProof',
  summary: 'Do not believe a proof: the customer is asked again',
  description:
    'The customer is mailed the reason. The time that the transfer stood in review is given back, and a day is left in any case.',
  body: rejectedProof,
  problems: ['state_conflict'],
  reasons: { state_conflict: ['proof_approved'] },
  handler: async ({ tx, deps, caller: { actor }, now, params: { bankProofId }, body: { reason } }) => {
    await knownProof(tx, bankProofId);
    const { publicUrl } = deps.config;
    const row = await rejectProof(tx, { proofId: bankProofId, reason, publicUrl, actor, at: now });
    return { status: 200, body: toProof(row) };
  },
});

export const bankProofRoutes: readonly Route[] = [create, list, read, readFile, approve, reject];

async function knownProof(tx: Tx, proofId: string): Promise<BankProofRow> {
  const row = await findProof(tx, proofId);
  if (row === null) throw notFound('bank proof', proofId);
  return row;
}

function fileGone(proofId: string): Problem {
  return new Problem({
    code: 'not_found',
    reason: 'file_gone',
    detail: `The file of bank proof ${proofId} is not there any more.`,
  });
}

/** The beginning of a day of the tenant's, which must have begun. */
async function beginOf(tx: Tx, day: string, now: Date): Promise<Date> {
  const { timeZone } = await currentTenant(tx);
  const at = new Date(startOfDay(day, timeZone));
  if (at <= now) return at;
  throw new Problem({
    code: 'date_out_of_range',
    detail: 'receivedOn is in the future; a proof shows what has happened.',
    errors: [
      { path: 'body.receivedOn', message: `must not be later than ${dayAt(now.toISOString(), timeZone)}` },
    ],
  });
}

function toProof(row: BankProofRow): BankProofBody {
  return {
    id: row.id,
    bankTransferId: row.bankTransferId,
    invoiceId: row.invoiceId,
    customerId: row.customerId,
    status: row.status,
    contentType: row.contentType,
    sizeBytes: row.sizeBytes,
    sha256: row.sha256,
    hasFile: row.objectKey !== null,
    confirmationNumber: row.confirmationNumber,
    suspicion: row.suspicion,
    uploadedVia: row.uploadedVia,
    uploadedAt: row.uploadedAt.toISOString(),
    decidedAt: row.decidedAt?.toISOString() ?? null,
    decidedBy: row.decidedBy,
    reason: row.reason,
    outcome: row.outcome,
    paymentId: row.paymentId,
  };
}
