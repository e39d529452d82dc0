/** Record money that came in outside of the payment vendors: for an invoice, or for whatever the customer owes longest. */
import type { Tx } from '../../db/client.ts';
import { findPayment } from '../../db/queries/payments/read-payments.ts';
import {
  listAllocations,
  type RecordedPayment,
  recordCustomerPayment,
  recordInvoicePayment,
} from '../../db/queries/payments/record-payment.ts';
import type { SettleOutcome } from '../../db/queries/payments/settle-payment.ts';
import { writeAudit } from '../../db/queries/tenants/audit-log.ts';
import { customerParams } from '../billing/customers.schemas.ts';
import { toSummary } from '../billing/invoice-body.ts';
import { exampleInvoiceSummary, invoiceParams } from '../billing/invoices.schemas.ts';
import { readIssued } from '../billing/issued-invoice.ts';
import { Problem, type ProblemCode } from '../problem.ts';
import { type Caller, type LinkSpec, type Route, route } from '../route.ts';
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
} as const;

const problems: readonly ProblemCode[] = [
  'date_out_of_range',
  'reference_already_booked',
  'exchange_rate_missing',
  'exchange_rate_unusable',
  'fee_above_amount',
  'state_conflict',
];

const forInvoice = route({
  effect: 'write',
  method: 'post',
  path: '/v1/invoices/{invoiceId}/payments',
  operationId: 'recordPayment',
  tag: 'Invoices',
  scope: 'billing:write',
  summary: 'Record a payment that came in outside of the card vendor',
  description:
    "Cash, a wire, a cheque, in any currency. It settles the invoice like any payment: an open dunning case ends and access comes back. What exceeds the invoice pays the customer's other open invoices, oldest first; what is left becomes credit of the customer.",
  params: invoiceParams,
  body: recordedPayment,
  example: { amountMinor: 3451, currency: 'USD', reference: 'wire 2026-11-21/17' },
  responses,
  problems,
  handler: async ({ tx, caller, now, params: { invoiceId }, body }) => {
    await readIssued(tx, invoiceId);
    const settled = await recordInvoicePayment(tx, { ...toRecorded(body, caller, now), invoiceId });
    return answer(tx, { ...settled, invoiceId, caller, now });
  },
});

const forCustomer = route({
  effect: 'write',
  method: 'post',
  path: '/v1/customers/{customerId}/payments',
  operationId: 'recordCustomerPayment',
  tag: 'Customers',
  scope: 'billing:write',
  summary: 'Record a payment of a customer that names no invoice',
  description:
    'It pays the open invoices of the customer, oldest first; what is left becomes credit. Money in another currency pays them in full where it comes within 5 % of what the oldest ones, so many of them, are due together.',
  params: customerParams,
  body: recordedPayment,
  example: { amountMinor: 8700, currency: 'USD', reference: 'wire 2026-11-21/18' },
  responses,
  problems: [...problems, 'nothing_unpaid'],
  handler: async ({ tx, caller, now, params: { customerId }, body }) => {
    const settled = await recordCustomerPayment(tx, { ...toRecorded(body, caller, now), customerId });
    return answer(tx, { ...settled, caller, now });
  },
});

export const recordedPaymentRoutes: readonly Route[] = [forInvoice, forCustomer];

function toRecorded(body: RecordedPaymentBody, { tenantId }: Caller, now: Date): RecordedPayment {
  const { amountMinor, currency, exchangeRate: rate, rateSource: source } = body;
  return {
    tenantId,
    reference: body.reference,
    amount: { amountMinor, currency },
    bankFeeMinor: body.feeMinor,
    exchange: rate === undefined || source === undefined ? undefined : { rate, source },
    at: now,
    receivedAt: receivedAt(body.receivedAt, now),
    note: body.note,
  };
}

async function answer(
  tx: Tx,
  {
    paymentId,
    outcome,
    invoiceId,
    caller: { tenantId, actor },
    now,
  }: { paymentId: string; outcome: SettleOutcome; invoiceId: string; caller: Caller; now: Date },
): Promise<{ status: 200 | 201; body: SettlementBody }> {
  const invoice = await readIssued(tx, invoiceId);
  const allocations = (await listAllocations(tx, [paymentId])).get(paymentId) ?? [];
  const allocatedMinor = allocations.reduce((sum, { amountMinor }) => sum + amountMinor, 0);
  const payment = await findPayment(tx, paymentId);
  const creditedMinor = Math.max(0, (payment?.amountMinor ?? 0) - allocatedMinor);
  const body = { paymentId, outcome, invoice: toSummary(invoice), allocations, creditedMinor };
  if (outcome === 'duplicate') return { status: 200, body };
  await writeAudit(tx, {
    tenantId,
    actor,
    action: 'payment.recorded',
    entityType: 'payment',
    entityId: paymentId,
    details: { invoiceId, outcome },
    at: now,
  });
  return { status: 201, body };
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
