/**
 * Record money that came in outside of the payment vendors: for an invoice, or for whatever the customer owes longest. Above a
 * limit it waits for a second person; see `payment-approvals.ts`.
 */
import type { Tx } from '../../db/client.ts';
import {
  type HandWish,
  type RecordedOrAsked,
  recordByHand,
} from '../../db/queries/payments/payment-approvals.ts';
import { findPayment } from '../../db/queries/payments/read-payments.ts';
import { listAllocations } from '../../db/queries/payments/record-payment.ts';
import { customerParams } from '../billing/customers.schemas.ts';
import { toSummary } from '../billing/invoice-body.ts';
import { exampleInvoiceSummary, invoiceParams } from '../billing/invoices.schemas.ts';
import { readIssued } from '../billing/issued-invoice.ts';
import { Problem, type ProblemCode } from '../problem.ts';
import { type Caller, type LinkSpec, type Route, route } from '../route.ts';
import { type PaymentApprovalBody, paymentApproval, toPaymentApproval } from './payment-approvals.schemas.ts';
import { approvalReplay } from './payment-approvals.ts';
import {
  type RecordedPaymentBody,
  recordedPayment,
  type SettlementBody,
  settlement,
} from './recorded-payments.schemas.ts';

const nextSteps: Record<string, LinkSpec> = {
  GetPayment: { operationId: 'getPayment', parameters: { paymentId: '$response.body#/paymentId' } },
};

const exampleSettlement: SettlementBody = {
  paymentId: 'pay_0198f1c07b2a7c6e9d3b5a4f2e1d0c9b',
  outcome: 'settled',
  invoice: exampleInvoiceSummary,
  allocations: [
    {
      paymentId: 'pay_0198f1c07b2a7c6e9d3b5a4f2e1d0c9b',
      invoiceId: exampleInvoiceSummary.id,
      invoiceNumber: 'INV-000042',
      amountMinor: 3451,
    },
  ],
  creditedMinor: 0,
};

const responses = {
  201: {
    description: 'The payment is booked.',
    schema: settlement,
    example: exampleSettlement,
    links: nextSteps,
  },
  200: { description: 'This money was booked before; nothing changed.', schema: settlement },
  202: {
    description:
      'Nothing is booked yet: somebody else approves it first. Recorded again, it is the same approval.',
    schema: paymentApproval,
    links: {
      GetPaymentApproval: {
        operationId: 'getPaymentApproval',
        parameters: { approvalId: '$response.body#/id' },
      },
    },
  },
} as const;

const problems: readonly ProblemCode[] = [
  'date_out_of_range',
  'reference_already_booked',
  'exchange_rate_missing',
  'exchange_rate_unusable',
  'fee_above_amount',
  'state_conflict',
];

const reasons = { state_conflict: ['reference_awaits_approval', 'payment_returned'] } as const;

/** Of an approval only what identifies it is kept, for its note may be personal. */
const replay = {
  keep: (body: SettlementBody | PaymentApprovalBody) => ('id' in body ? approvalReplay.keep(body) : body),
  restore: async (context: { tx: Tx }, kept: SettlementBody | { id: string }) =>
    'id' in kept ? approvalReplay.restore(context, kept) : kept,
};

const approvalRule =
  'From a worth of 1,000 US dollars on, together with what you have booked alone for the same customer within 24 hours, another API key than yours approves it (202).';

const forInvoice = route({
  effect: 'write',
  method: 'post',
  path: '/v1/invoices/{invoiceId}/payments',
  operationId: 'recordPayment',
  tag: 'Invoices',
  scope: 'billing:write',
  summary: 'Record a payment that came in outside of the card vendor',
  description: `Cash, a wire, a cheque, in any currency. It settles the invoice like any payment: an open dunning case ends and access comes back. What exceeds the invoice pays the customer's other open invoices, oldest first; what is left becomes credit of the customer. ${approvalRule}`,
  params: invoiceParams,
  body: recordedPayment,
  example: {
    amountMinor: 3451,
    currency: 'USD',
    method: 'cheque',
    chequeNumber: '000417',
    reference: 'cheque 000417',
    reason: 'handed in at the office',
  },
  responses,
  problems,
  reasons,
  handler: async ({ tx, caller, now, params: { invoiceId }, body }) => {
    await readIssued(tx, invoiceId);
    return answer(tx, await recordByHand(tx, { invoiceId }, toWish(body, caller, now)));
  },
  replay,
});

const forCustomer = route({
  effect: 'write',
  method: 'post',
  path: '/v1/customers/{customerId}/payments',
  operationId: 'recordCustomerPayment',
  tag: 'Customers',
  scope: 'billing:write',
  summary: 'Record a payment of a customer that names no invoice',
  description: `It pays the open invoices of the customer, oldest first; what is left becomes credit. Money in another currency pays them in full where it comes within 5 % of what the oldest ones, so many of them, are due together. ${approvalRule}`,
  params: customerParams,
  body: recordedPayment,
  example: {
    amountMinor: 8700,
    currency: 'USD',
    method: 'wire',
    reference: 'wire 2026-11-21/18',
    reason: 'on the statement of 21 November',
  },
  responses,
  problems: [...problems, 'nothing_unpaid'],
  reasons,
  handler: async ({ tx, caller, now, params: { customerId }, body }) =>
    answer(tx, await recordByHand(tx, { customerId }, toWish(body, caller, now))),
  replay,
});

export const recordedPaymentRoutes: readonly Route[] = [forInvoice, forCustomer];

function toWish(body: RecordedPaymentBody, { tenantId, actor }: Caller, now: Date): HandWish {
  const { amountMinor, currency, exchangeRate: rate, rateSource: source } = body;
  return {
    tenantId,
    reference: body.reference,
    amount: { amountMinor, currency },
    bankFeeMinor: body.feeMinor,
    exchange: rate === undefined || source === undefined ? undefined : { rate, source },
    method: body.method,
    chequeNumber: body.chequeNumber ?? null,
    reason: body.reason,
    actor,
    at: now,
    receivedAt: receivedAt(body.receivedAt, now),
    note: body.note,
  };
}

async function answer(
  tx: Tx,
  recorded: RecordedOrAsked,
): Promise<{ status: 200 | 201; body: SettlementBody } | { status: 202; body: PaymentApprovalBody }> {
  // It waits, so no payment was booked with it.
  if (recorded.kind === 'asked') return { status: 202, body: toPaymentApproval(recorded.approval, null) };
  const { paymentId, outcome, invoiceId } = recorded.settled;
  const invoice = await readIssued(tx, invoiceId);
  const allocations = (await listAllocations(tx, [paymentId])).get(paymentId) ?? [];
  const allocatedMinor = allocations.reduce((sum, { amountMinor }) => sum + amountMinor, 0);
  const payment = await findPayment(tx, paymentId);
  const creditedMinor = Math.max(0, (payment?.amountMinor ?? 0) - allocatedMinor);
  const body = { paymentId, outcome, invoice: toSummary(invoice), allocations, creditedMinor };
  return { status: outcome === 'duplicate' ? 200 : 201, body };
}

function receivedAt(given: string | undefined, now: Date): Date {
  if (given === undefined) return now;
  const at = new Date(given);
  if (at <= now) return at;
  throw new Problem({
    code: 'date_out_of_range',
    detail: 'receivedAt is in the future; money is recorded when it is there.',
    errors: [{ path: 'body.receivedAt', message: `must not be later than ${now.toISOString()}` }],
  });
}
