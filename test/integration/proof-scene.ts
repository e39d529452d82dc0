/** Proofs of transfers over the API and the customer's page, and money that shows up on the account afterwards. */
import { randomUUID } from 'node:crypto';
import { mkdtemp, readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eq } from 'drizzle-orm';
import { type Tx, withTenant } from '../../db/client.ts';
import { newId } from '../../db/ids.ts';
import { dueOf } from '../../db/queries/billing/invoices.ts';
import { lockInvoice } from '../../db/queries/payments/charge-attempts.ts';
import { linkProofPayment, proofPaymentAwaiting } from '../../db/queries/payments/proof-payments.ts';
import { settlePayment } from '../../db/queries/payments/settle-payment.ts';
import { bankAccounts, bankAllocations, bankDecisions, bankTransactions } from '../../db/schema/banking.ts';
import { payments } from '../../db/schema/payments.ts';
import type { ObjectStorage } from '../../domain/operations/object-storage.ts';
import { createDiskStorage } from '../../integrations/storage/disk.ts';
import type { Json, TestAnswer } from '../support/api.ts';
import { pdf, picture } from '../support/proof-files.ts';
import { createTransferScene, type TransferScene } from './transfer-scene.ts';

export type ProofScene = TransferScene & {
  storage: ObjectStorage;
  /** The names of all files that are kept. */
  files(): Promise<string[]>;
  /** A transfer as `offered` gives it, with what its customer's page is called. */
  transfer(): Promise<Json & { path: string }>;
  /** Sends a form on the customer's page. */
  sendOnPage(
    transfer: { path: string },
    form: FormData,
    headers?: Record<string, string>,
  ): Promise<TestAnswer>;
  /** Sends a form as an operator. */
  send(transferId: string, form: FormData, options?: { key?: string; token?: string }): Promise<TestAnswer>;
  /** A proof that waits, of a transfer of its own. */
  sent(): Promise<Json>;
  proofs(transferId: string): Promise<Json[]>;
  judge(proofId: string, act: 'approve' | 'reject', body?: object, token?: string): Promise<TestAnswer>;
  /** A movement that names the invoice is matched: it pays, or is the money of a payment on a proof. */
  arrive(invoiceId: string, amountMinor: number): Promise<'paid' | 'linked' | 'credited'>;
  /** The payments of an invoice, by rail and amount. */
  paid(invoiceId: string): Promise<{ rail: string; amountMinor: number; allocatedMinor: number }[]>;
};

export async function createProofScene({
  storage: given,
}: {
  storage?: ObjectStorage;
} = {}): Promise<ProofScene> {
  const folder = await mkdtemp(join(tmpdir(), 'perennial-proofs-'));
  const storage = given ?? createDiskStorage({ folder });
  const transfers = await createTransferScene({ storage });
  const { api, tenant } = transfers;
  const { tenantId } = tenant;
  const inTenant = <T>(work: (tx: Tx) => Promise<T>) => withTenant(api.db, tenantId, work);
  const scene: ProofScene = {
    ...transfers,
    storage,
    async files() {
      const entries = await readdir(folder, { recursive: true, withFileTypes: true });
      return entries.filter((entry) => entry.isFile()).map(({ name }) => name);
    },
    async transfer() {
      const offered = await transfers.offered();
      return { ...offered, path: new URL(offered.pageUrl).pathname };
    },
    sendOnPage: ({ path }, body, headers = {}) => api.request('POST', `${path}/proofs`, { body, headers }),
    send: (id, body, { key, token = tenant.token } = {}) =>
      api.request('POST', `/v1/bank_transfers/${id}/proofs`, {
        token,
        body,
        ...(key !== undefined && { key }),
      }),
    async sent() {
      const transfer = await scene.transfer();
      const { status } = await scene.sendOnPage(transfer, form(await newFile()));
      if (status !== 303) throw new Error(`The proof was answered with ${status}`);
      const [proof] = await scene.proofs(transfer.id);
      return { ...proof, path: transfer.path, subscriptionId: transfer.subscriptionId };
    },
    proofs: async (id) => (await transfers.ok('GET', `/v1/bank_proofs?bankTransferId=${id}`)).data,
    judge: (id, act, body = {}, token = tenant.token) =>
      api.request('POST', `/v1/bank_proofs/${id}/${act}`, { token, body }),
    arrive: (invoiceId, amountMinor) =>
      inTenant(async (tx) => {
        const { invoice } = await lockInvoice(tx, invoiceId);
        const { transactionId, decisionId } = await movement(tx, { tenantId, amountMinor });
        const isDue = dueOf(invoice).amountMinor > 0;
        const payment = await proofPaymentAwaiting(tx, { invoiceId, amountMinor, currency: 'USD' });
        if (payment !== null) {
          await linkProofPayment(tx, { tenantId, transactionId, decisionId, payment });
          return 'linked';
        }
        const { paymentId } = await settlePayment(tx, {
          tenantId,
          invoiceId,
          rail: 'bank',
          externalId: `${transactionId}:1`,
          amount: { amountMinor, currency: 'USD' },
          at: transfers.now(),
        });
        const allocation = { tenantId, transactionId, decisionId, paymentId, invoiceId, amountMinor };
        await tx.insert(bankAllocations).values({ id: newId('bal'), ...allocation });
        return isDue ? 'paid' : 'credited';
      }),
    paid: (invoiceId) =>
      inTenant((tx) =>
        tx
          .select({
            rail: payments.rail,
            amountMinor: payments.amountMinor,
            allocatedMinor: payments.allocatedMinor,
          })
          .from(payments)
          .where(eq(payments.invoiceId, invoiceId)),
      ),
  };
  return scene;
}

/** A form with one file, as a browser sends it. */
export function form(
  bytes: Uint8Array,
  {
    name = 'confirmation.jpg',
    type = 'image/jpeg',
    field = 'file',
    fields = {},
  }: { name?: string; type?: string; field?: string; fields?: Record<string, string> } = {},
): FormData {
  const body = new FormData();
  for (const [key, value] of Object.entries(fields)) body.append(key, value);
  body.append(field, new Blob([Uint8Array.from(bytes)], { type }), name);
  return body;
}

let seed = 0;

/** A picture that nobody has sent before. */
export function newFile(): Promise<Uint8Array> {
  seed += 1;
  return picture('png', { width: 20 + seed, seed });
}

/** A PDF of so many bytes. */
export function pdfOf(bytes: number): Uint8Array {
  const filling = bytes - pdf({ objects: ['%\n'] }).length;
  return pdf({ objects: [`%${' '.repeat(filling)}\n`] });
}

async function movement(
  tx: Tx,
  { tenantId, amountMinor }: { tenantId: string; amountMinor: number },
): Promise<{ transactionId: string; decisionId: string }> {
  const [accountId, transactionId, decisionId] = [newId('bac'), newId('btx'), newId('bdc')];
  await tx
    .insert(bankAccounts)
    .values({ id: accountId, tenantId, name: 'Current', currency: 'USD', isReceiving: true });
  await tx.insert(bankTransactions).values({
    id: transactionId,
    tenantId,
    accountId,
    source: 'csv',
    externalId: randomUUID(),
    amountMinor,
    currency: 'USD',
    bookedOn: '2026-03-04',
    pending: false,
    texts: ['WIRE'],
    status: 'matched',
  });
  await tx.insert(bankDecisions).values({
    id: decisionId,
    tenantId,
    transactionId,
    ordinal: 1,
    kind: 'match',
    act: {
      kind: 'match',
      invoices: [],
      credit: null,
      received: { amountMinor, currency: 'USD' },
      day: '2026-03-04',
      reason: null,
    },
    decidedBy: 'test',
    decidedAt: new Date(),
  });
  return { transactionId, decisionId };
}
