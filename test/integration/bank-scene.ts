/**
 * A tenant whose customers pay by bank transfer, in March 2026: invoices with references, an account, movements on it as a feed
 * tells them, and the matching as its process runs it.
 */
import { randomUUID } from 'node:crypto';
import { asc, eq } from 'drizzle-orm';
import { type Database, type Tx, withTenant } from '../../db/client.ts';
import { newId } from '../../db/ids.ts';
import { createCustomer } from '../../db/queries/billing/customers.ts';
import { closeUnpaidInvoice, readInvoice } from '../../db/queries/billing/invoices.ts';
import { matchMovements } from '../../db/queries/payments/match-movements.ts';
import { putReportSettings, usualReportSettings } from '../../db/queries/reporting/report-settings.ts';
import { bankConnections } from '../../db/schema/bank-connections.ts';
import {
  bankAccounts,
  bankAllocations,
  bankDecisions,
  bankTransactions,
  bankTransfers,
} from '../../db/schema/banking.ts';
import { customers, invoices, plans } from '../../db/schema/billing.ts';
import { notifications } from '../../db/schema/messaging.ts';
import { ledgerEntries, payments } from '../../db/schema/payments.ts';
import type { BankTransaction } from '../../domain/payments/bank-transaction.ts';
import type { BankTransferStatus } from '../../domain/payments/bank-transfer.ts';
import { createInvoiceScene, type InvoiceScene } from './invoice-scene.ts';

const ISSUED = '2026-03-02T09:00:00.000Z';
export const NOW = '2026-03-06T12:00:00.000Z';

export type BankInvoice = { invoiceId: string; customerId: string; reference: string };

export type BankScene = InvoiceScene & {
  db: Database;
  tenantId: string;
  /** The account that customers are told to pay to. */
  accountId: string;
  inTenant<T>(work: (tx: Tx) => Promise<T>): Promise<T>;
  /** A connection that is read by nobody; gives its id. */
  connection(): Promise<string>;
  account(fields: Partial<typeof bankAccounts.$inferInsert>): Promise<string>;
  customer(name?: string, currency?: string): Promise<{ customerId: string; subscriptionId: string }>;
  /** An open invoice with a reference that was given on 2 March and holds until 9 March. */
  invoice(reference: string | null, amountMinor: number, options?: InvoiceOptions): Promise<BankInvoice>;
  /** A movement as its source tells it; its id. Told again under the same name it changes nothing. */
  tell(text: string | string[], amountMinor: number, details?: Told): Promise<string>;
  /** Everything that waits is decided, as the process does it. */
  match(at?: string): Promise<void>;
  movement(id: string): Promise<typeof bankTransactions.$inferSelect>;
  /** `auto 7`, and what stands of the movement: `matched 49900`. */
  decisionOf(id: string): Promise<string>;
  statusOf(id: string): Promise<string>;
  dueOf(invoiceId: string): Promise<string>;
  creditOf(customerId: string): Promise<number>;
  /** Mails to customers and operators that were decided since the scene began, by template. */
  mails(): Promise<string[]>;
  /** Throws where a sum is off: ledger, allocations, what is due, what is credit. */
  check(): Promise<void>;
};

type InvoiceOptions = {
  customerId?: string;
  subscriptionId?: string;
  name?: string;
  currency?: string;
  status?: BankTransferStatus;
  expiresAt?: string;
  confirmationNumber?: string;
  as?: 'paid' | 'void';
};

type Told = Partial<BankTransaction> & { accountId?: string; source?: 'plaid' | 'camt' };

export async function createBankScene(): Promise<BankScene> {
  const base = await createInvoiceScene();
  const { api, tenant } = base;
  const { tenantId } = tenant;
  const { db } = api;
  const inTenant = <T>(work: (tx: Tx) => Promise<T>) => withTenant(db, tenantId, work);
  const plansByCurrency = new Map([['USD', tenant.plans['pro-monthly']]]);
  await inTenant((tx) =>
    putReportSettings(tx, {
      tenantId,
      settings: { ...usualReportSettings, recipient: 'ops@acme.example' },
      at: new Date(ISSUED),
    }),
  );

  const account: BankScene['account'] = async (fields) => {
    const id = newId('bac');
    const usual = { name: 'Checking', currency: 'USD', isReceiving: true };
    await inTenant((tx) => tx.insert(bankAccounts).values({ id, tenantId, ...usual, ...fields }));
    return id;
  };
  const connection = async () => {
    const id = newId('bcn');
    const read = { externalId: id, publicTokenHash: id, accessToken: 'sealed', actor: 'test' };
    const now = new Date(NOW);
    const row = { id, tenantId, ...read, status: 'active' as const, statusSince: now };
    await inTenant((tx) => tx.insert(bankConnections).values(row));
    return id;
  };
  const accountId = await account({});

  const planIn = async (currency: string) => {
    const known = plansByCurrency.get(currency);
    if (known !== undefined) return known;
    const usd = plansByCurrency.get('USD');
    if (usd === undefined) throw new Error('no plan');
    const row = { ...usd, id: newId('plan'), code: `pro-${currency.toLowerCase()}`, currency };
    const [plan] = await inTenant((tx) => tx.insert(plans).values(row).returning());
    if (plan === undefined) throw new Error('no plan');
    plansByCurrency.set(currency, plan);
    return plan;
  };

  const customer: BankScene['customer'] = async (name = `Customer ${randomUUID()}`, currency = 'USD') => {
    const person = { tenantId, email: `${randomUUID()}@example.com`, name, externalRef: null, currency };
    const row = await inTenant((tx) => createCustomer(tx, { ...person, personKey: randomUUID() }));
    if (row === null) throw new Error('The customer exists already');
    const plan = await planIn(currency);
    const subscriptionId = await base.business.subscribe(row.id, plan, '2026-03-01T09:00:00.000Z');
    await base.business.begin(subscriptionId, '2026-03-01T09:00:00.000Z');
    return { customerId: row.id, subscriptionId };
  };

  const scene: BankScene = {
    ...base,
    db,
    tenantId,
    connection,
    accountId,
    inTenant,
    account,
    customer,
    async invoice(reference, amountMinor, options = {}) {
      const before = base.now().toISOString();
      base.at(ISSUED);
      const { customerId, subscriptionId } =
        options.customerId !== undefined && options.subscriptionId !== undefined
          ? { customerId: options.customerId, subscriptionId: options.subscriptionId }
          : await customer(options.name, options.currency);
      const lines = [{ description: 'Workshop', quantity: 1, unitMinor: amountMinor }];
      const { id: invoiceId } = await base.oneOff(subscriptionId, { lines });
      base.at(before);
      if (reference !== null) {
        await inTenant((tx) => giveReference(tx, { tenantId, customerId, invoiceId, reference, ...options }));
      }
      if (options.as === 'paid') await base.business.pay(invoiceId, amountMinor, ISSUED);
      if (options.as === 'void') {
        await inTenant(async (tx) =>
          closeUnpaidInvoice(tx, await readInvoice(tx, invoiceId), { as: 'void', at: new Date(ISSUED) }),
        );
      }
      return { invoiceId, customerId, reference: reference ?? '' };
    },
    async tell(
      text,
      amountMinor,
      { accountId: account = accountId, payer, source = 'plaid', ...details } = {},
    ) {
      const id = newId('btx');
      const row = {
        id,
        tenantId,
        accountId: account,
        source,
        externalId: details.externalId ?? id,
        amountMinor,
        currency: 'USD',
        bookedOn: '2026-03-05',
        pending: false,
        texts: typeof text === 'string' ? [text] : text,
        payerName: payer?.name ?? null,
        payerAccount: payer?.account ?? null,
        status: details.pending === true ? ('pending' as const) : ('new' as const),
        ...details,
      };
      const [kept] = await inTenant((tx) =>
        tx
          .insert(bankTransactions)
          .values({ ...row, texts: [...row.texts] })
          .onConflictDoUpdate({
            target: [bankTransactions.accountId, bankTransactions.source, bankTransactions.externalId],
            set: { externalId: row.externalId },
          })
          .returning({ id: bankTransactions.id }),
      );
      return kept?.id ?? id;
    },
    async match(at = NOW) {
      for (let rounds = 0; ; rounds += 1) {
        if (rounds > 50) throw new Error('The matching does not end');
        if ((await matchMovements(db, { tenantId, at: new Date(at) })).isOver) return;
      }
    },
    movement: (id) =>
      inTenant(async (tx) => {
        const [row] = await tx.select().from(bankTransactions).where(eq(bankTransactions.id, id));
        if (row === undefined) throw new Error('no movement');
        return row;
      }),
    async decisionOf(id) {
      const rows = await inTenant((tx) =>
        tx
          .select()
          .from(bankDecisions)
          .where(eq(bankDecisions.transactionId, id))
          .orderBy(asc(bankDecisions.ordinal)),
      );
      const last = rows.findLast(({ undoneAt }) => undoneAt === null);
      return last === undefined ? 'none' : [last.kind, last.rule].filter((part) => part !== null).join(' ');
    },
    async statusOf(id) {
      const { status, allocatedMinor } = await scene.movement(id);
      return allocatedMinor === 0 ? status : `${status} ${allocatedMinor}`;
    },
    dueOf: (invoiceId) =>
      inTenant(async (tx) => {
        const { status, paidMinor, totalMinor } = await readInvoice(tx, invoiceId);
        return `${status} ${paidMinor}/${totalMinor}`;
      }),
    creditOf: (customerId) =>
      inTenant(async (tx) => {
        const [row] = await tx.select().from(customers).where(eq(customers.id, customerId));
        return row?.creditMinor ?? 0;
      }),
    mails: () =>
      inTenant(async (tx) => {
        const rows = await tx.select().from(notifications).orderBy(asc(notifications.id));
        return rows.map(({ template }) => template);
      }),
    check: () => inTenant(checkBank),
  };
  base.at(NOW);
  return scene;
}

async function giveReference(
  tx: Tx,
  {
    tenantId,
    customerId,
    invoiceId,
    reference,
    currency = 'USD',
    status = 'awaiting',
    expiresAt = '2026-03-09T09:00:00.000Z',
    confirmationNumber,
  }: InvoiceOptions & BankInvoice & { tenantId: string },
): Promise<void> {
  const at = new Date(ISSUED);
  await tx.insert(bankTransfers).values({
    id: newId('btf'),
    tenantId,
    customerId,
    invoiceId,
    pageToken: randomUUID(),
    reference,
    status,
    statusSince: at,
    detailsVersion: 1,
    instructions: {} as typeof bankTransfers.$inferInsert.instructions,
    isInternational: false,
    payerCountry: 'US',
    paidBeforeMinor: 0,
    currency,
    issuedAt: at,
    askAt: new Date('2026-03-03T09:00:00.000Z'),
    alertAt: new Date('2026-03-04T09:00:00.000Z'),
    expiresAt: new Date(expiresAt),
    confirmationNumber: confirmationNumber ?? null,
  });
}

async function checkBank(tx: Tx): Promise<void> {
  const mistakes: string[] = [];
  const sums = new Map<string, number>();
  const add = (key: string, minor: number) => sums.set(key, (sums.get(key) ?? 0) + minor);
  for (const { account, amountMinor, currency } of await tx.select().from(ledgerEntries)) {
    add(currency, amountMinor);
    add(`${account} ${currency}`, amountMinor);
  }
  for (const currency of ['USD', 'EUR', 'GBP']) {
    if ((sums.get(currency) ?? 0) !== 0) mistakes.push(`the ledger in ${currency} is off`);
  }
  const allInvoices = await tx.select().from(invoices);
  const allPayments = await tx.select().from(payments);
  const allocations = await tx.select().from(bankAllocations);
  for (const currency of ['USD', 'EUR']) {
    const owed = allInvoices
      .filter((each) => each.currency === currency && each.status === 'open')
      .reduce((total, each) => total + each.totalMinor - each.paidMinor, 0);
    if ((sums.get(`receivable ${currency}`) ?? 0) !== owed)
      mistakes.push(`what is due in ${currency} is off`);
    const credit = (await tx.select().from(customers))
      .filter((each) => each.currency === currency)
      .reduce((total, each) => total + each.creditMinor, 0);
    if (-(sums.get(`customer_credit ${currency}`) ?? 0) !== credit)
      mistakes.push(`credit in ${currency} is off`);
  }
  for (const invoice of allInvoices) {
    const paid = allPayments
      .filter((each) => each.invoiceId === invoice.id)
      .reduce((total, each) => total + each.allocatedMinor, 0);
    if (paid > invoice.totalMinor) mistakes.push(`invoice ${invoice.number} is paid beyond its total`);
  }
  for (const row of await tx.select().from(bankTransactions)) {
    const standing = allocations
      .filter((each) => each.transactionId === row.id && each.undoneAt === null)
      .reduce((total, each) => total + each.amountMinor, 0);
    if (standing !== row.allocatedMinor) mistakes.push(`${row.texts.join()}: its allocations are off`);
    if (standing > Math.max(0, row.amountMinor)) mistakes.push(`${row.texts.join()}: more than came`);
  }
  for (const payment of allPayments.filter(({ rail }) => rail === 'bank')) {
    const standing = allocations.filter((each) => each.paymentId === payment.id && each.undoneAt === null);
    if (standing.length !== (payment.returnedAt === null ? 1 : 0))
      mistakes.push(`payment ${payment.id} is off`);
  }
  if (mistakes.length > 0) throw new Error(mistakes.join('; '));
}
