/** A tenant whose invoices are paid by bank transfer, over the API: its accounts, money that comes, and looks of the process. */
import { randomUUID } from 'node:crypto';
import { asc } from 'drizzle-orm';
import { withTenant } from '../../db/client.ts';
import { lookAtTransfer } from '../../db/queries/payments/look-at-transfer.ts';
import { lockPayment } from '../../db/queries/payments/refunds.ts';
import { settlePayment } from '../../db/queries/payments/settle-payment.ts';
import { takeBackPayment } from '../../db/queries/payments/take-back-payment.ts';
import { notifications } from '../../db/schema/messaging.ts';
import type { PaymentRail } from '../../domain/payments/payment.ts';
import type { Json, TestAnswer } from '../support/api.ts';
import { eur, usd } from '../support/receiving-accounts.ts';
import { createInvoiceScene, type InvoiceScene } from './invoice-scene.ts';

/** Transfers are given at this instant, a Monday. */
export const T0 = '2026-03-02T10:00:00.000Z';

/** So many hours after T0, and a second. */
export function hoursAfter(hours: number): string {
  return new Date(Date.parse(T0) + hours * 3_600_000 + 1_000).toISOString();
}

export type TransferScene = InvoiceScene & {
  /** An open invoice over USD 900.00, of a customer of its own. */
  invoice(fields?: object): Promise<{ invoiceId: string; customerId: string; subscriptionId: string }>;
  /** Asks for instructions at T0. */
  ask(invoiceId: string, body?: object): Promise<TestAnswer>;
  /** A transfer of an invoice of its own, given at T0 to somebody in the United States. */
  offered(options?: { country?: string }): Promise<Json>;
  read(id: string): Promise<Json>;
  act(id: string, act: string, body?: object): Promise<TestAnswer>;
  /** What the process of the transfer does when it wakes. */
  look(id: string, at: string): Promise<{ status: string; next: string | null }>;
  /** Money that comes for an invoice; the payment. */
  pay(invoiceId: string, amountMinor: number, options?: { rail?: PaymentRail; at?: string }): Promise<string>;
  /** The payment does not stand. */
  takeBack(paymentId: string, at: string): Promise<void>;
  /** Templates of all mails about a transfer, oldest first, with what makes each one of its kind. */
  mails(id: string): Promise<string[]>;
  /** Kinds of what the timeline says of transfers, oldest first. */
  timeline(subscriptionId: string): Promise<string[]>;
};

export async function createTransferScene(
  options: Parameters<typeof createInvoiceScene>[0] = {},
): Promise<TransferScene> {
  const scene = await createInvoiceScene(options);
  const { db } = scene.api;
  const { tenantId } = scene.tenant;
  await scene.ok('PUT', '/v1/bank_details', { expectedVersion: 0, accounts: [usd, eur] });
  await scene.ok('PUT', '/v1/report_settings', { recipient: 'owner@example.com' });
  const own: TransferScene = {
    ...scene,
    async invoice(fields) {
      scene.at(T0);
      const { subscriptionId, customerId } = await scene.subscribed();
      const { id: invoiceId } = await scene.oneOff(subscriptionId, fields);
      return { invoiceId, customerId, subscriptionId };
    },
    ask: (invoiceId, body = { country: 'US' }) =>
      scene.request('POST', `/v1/invoices/${invoiceId}/bank_transfer`, body),
    async offered({ country = 'US' } = {}) {
      const { invoiceId, subscriptionId } = await own.invoice();
      const { status, body } = await own.ask(invoiceId, { country });
      if (status !== 201) throw new Error(JSON.stringify(body));
      return { ...body, subscriptionId };
    },
    read: (id) => scene.ok('GET', `/v1/bank_transfers/${id}`),
    act: (id, act, body = {}) => scene.request('POST', `/v1/bank_transfers/${id}/${act}`, body),
    async look(bankTransferId, at) {
      const publicUrl = 'https://pay.example';
      const { status, next } = await withTenant(db, tenantId, (tx) =>
        lookAtTransfer(tx, { bankTransferId, publicUrl, at: new Date(at) }),
      );
      return { status, next: next?.kind ?? null };
    },
    async pay(invoiceId, amountMinor, { rail = 'bank', at = hoursAfter(1) } = {}) {
      const { paymentId } = await withTenant(db, tenantId, (tx) =>
        settlePayment(tx, {
          tenantId,
          invoiceId,
          rail,
          externalId: `btx_${randomUUID()}`,
          amount: { amountMinor, currency: 'USD' },
          at: new Date(at),
        }),
      );
      return paymentId;
    },
    takeBack: (paymentId, at) =>
      withTenant(db, tenantId, async (tx) => {
        const subject = await lockPayment(tx, paymentId);
        const returned = { amountMinor: subject.payment.amountMinor, code: 'R01' };
        await takeBackPayment(tx, subject, { returned, attempt: null, at: new Date(at) });
      }),
    mails: (id) =>
      withTenant(db, tenantId, async (tx) => {
        const rows = await tx.select().from(notifications).orderBy(asc(notifications.id));
        return rows
          .filter(({ dedupeKey }) => dedupeKey.startsWith(`bank_transfer:${id}:`))
          .map(({ template }) => template);
      }),
    async timeline(subscriptionId) {
      const { data } = await scene.ok('GET', `/v1/subscriptions/${subscriptionId}/timeline?limit=100`);
      return data.map(({ kind }: Json) => kind).filter((kind: string) => kind.startsWith('bank_transfer'));
    },
  };
  return own;
}
