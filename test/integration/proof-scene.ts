/** Proofs of transfers over the API and the customer's page, and money that shows up on the account afterwards. */
import { randomUUID } from 'node:crypto';
import { mkdtemp, readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eq } from 'drizzle-orm';
import { type Tx, withTenant } from '../../db/client.ts';
import { newId } from '../../db/ids.ts';
import { matchMovements } from '../../db/queries/payments/match-movements.ts';
import { tellOfUnseenProofs } from '../../db/queries/payments/unseen-proofs.ts';
import { bankAccounts, bankTransactions, bankTransfers } from '../../db/schema/banking.ts';
import { notifications } from '../../db/schema/messaging.ts';
import { payments } from '../../db/schema/payments.ts';
import type { ObjectStorage } from '../../domain/operations/object-storage.ts';
import { createDiskStorage } from '../../integrations/storage/disk.ts';
import type { Json, TestAnswer } from '../support/api.ts';
import { pdf, picture } from '../support/proof-files.ts';
import { createTransferScene, T0, type TransferScene } from './transfer-scene.ts';

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
  /** A movement that names the invoice, unless a text is given, comes in and is decided about. */
  arrive(invoiceId: string, amountMinor: number, text?: string): Promise<{ id: string; kind: string }>;
  /** Everything that waits is decided, as the process does it. */
  match(): Promise<void>;
  /** What was decided about a movement last. */
  kindOf(transactionId: string): Promise<string>;
  /** The bank takes a movement back. */
  giveBack(transactionId: string): Promise<void>;
  /** What operators were told so far once the hourly look has run at that time, by what it is known by. */
  unseen(at: string): Promise<string[]>;
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
    async arrive(invoiceId, amountMinor, text) {
      const id = await inTenant(async (tx) => {
        const [transfer] = await tx
          .select()
          .from(bankTransfers)
          .where(eq(bankTransfers.invoiceId, invoiceId));
        return tell(tx, { tenantId, amountMinor, text: text ?? `WIRE ${transfer?.reference}` });
      });
      await scene.match();
      return { id, kind: await scene.kindOf(id) };
    },
    async match() {
      const run = { tenantId, at: transfers.now() };
      for (let rounds = 0; rounds < 20; rounds += 1) if ((await matchMovements(api.db, run)).isOver) return;
      throw new Error('The matching does not end');
    },
    async kindOf(id) {
      const { data } = await transfers.ok('GET', `/v1/bank_transactions/${id}/decisions`);
      return data.at(-1)?.kind;
    },
    async giveBack(id) {
      await inTenant(async (tx) => {
        const [row] = await tx.select().from(bankTransactions).where(eq(bankTransactions.id, id));
        if (row === undefined) throw new Error('There is no such movement');
        const { accountId, amountMinor, texts } = row;
        const text = `RETURN OF ${texts[0]} R03`;
        await tell(tx, { tenantId, accountId, amountMinor: -amountMinor, text });
      });
      await scene.match();
    },
    unseen: (at) =>
      inTenant(async (tx) => {
        await tellOfUnseenProofs(tx, { tenantId, since: new Date(T0), at: new Date(at) });
        const rows = await tx.select().from(notifications);
        return rows.map(({ dedupeKey }) => dedupeKey);
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

/** A movement as a statement tells it, as usual on an account of its own. */
async function tell(
  tx: Tx,
  {
    tenantId,
    amountMinor,
    text,
    accountId: known,
  }: { tenantId: string; amountMinor: number; text: string; accountId?: string },
): Promise<string> {
  const accountId = known ?? newId('bac');
  const id = newId('btx');
  const account = { id: accountId, tenantId, name: 'Current', currency: 'USD', isReceiving: true };
  if (known === undefined) await tx.insert(bankAccounts).values(account);
  await tx.insert(bankTransactions).values({
    id,
    tenantId,
    accountId,
    source: 'csv',
    externalId: randomUUID(),
    amountMinor,
    currency: 'USD',
    bookedOn: '2026-03-04',
    pending: false,
    texts: [text],
    status: 'new',
  });
  return id;
}
