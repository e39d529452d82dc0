/** Invoices as the matching sees them. Days are those of the tenant's time zone. */
import { eq, type SQL, sql } from 'drizzle-orm';
import type { Money } from '../../../domain/money.ts';
import { isLookedInto } from '../../../domain/payments/bank-transfer.ts';
import type { MatchInvoice } from '../../../domain/payments/match-facts.ts';
import type { Tx } from '../../client.ts';
import { isOneOf } from '../../is-one-of.ts';
import { bankTransfers } from '../../schema/banking.ts';
import { customers, invoices } from '../../schema/billing.ts';
import { payments } from '../../schema/payments.ts';
import { isUnseen } from './proof-payments.ts';

/** By the references that were ever given for them; codes that are none of ours have no entry. */
export async function invoicesByReference(
  tx: Tx,
  references: readonly string[],
): Promise<Map<string, MatchInvoice>> {
  if (references.length === 0) return new Map();
  const rows = await select(tx, isOneOf(bankTransfers.reference, references));
  return new Map(rows.map((invoice) => [invoice.reference, invoice]));
}

/** By the letters and digits of the number on the customer's confirmation of the transfer. */
export async function invoicesByConfirmation(
  tx: Tx,
  keys: readonly string[],
): Promise<Map<string, MatchInvoice[]>> {
  if (keys.length === 0) return new Map();
  const { confirmationKey } = bankTransfers;
  const rows = await query(tx, isOneOf(confirmationKey, keys));
  const byKey = Map.groupBy(rows, (row) => row.confirmationKey ?? '');
  return new Map([...byKey].map(([key, found]) => [key, found.map(toMatchInvoice)]));
}

/**
 * Those that wait for exactly such an amount: open ones by what is due, of thousands the newest, and those with a payment on a
 * proof whose money nobody has seen yet.
 */
export async function invoicesByAmount(tx: Tx, wanted: readonly Money[]): Promise<MatchInvoice[]> {
  if (wanted.length === 0) return [];
  const amounts = sql.param(wanted.map(({ amountMinor }) => amountMinor));
  const currencies = sql.param(wanted.map(({ currency }) => currency));
  const ids = sql`
    with wanted as (select * from unnest(${amounts}::bigint[], ${currencies}::char(3)[]) wanted(amount, currency))
    select found.id from wanted
    cross join lateral (
      select due.id from invoices due
      where due.status = 'open' and due.currency = wanted.currency and due.due_minor = wanted.amount
      order by due.issued_at desc, due.id desc limit ${EQUAL_DUES_MAX}
    ) found
    union
    select found.id from wanted
    cross join lateral (
      select proof.invoice_id as id from bank_proofs proof join ${payments} on ${payments.id} = proof.payment_id
      where ${payments.currency} = wanted.currency and ${payments.amountMinor} = wanted.amount and ${isOnProof}
        and ${isUnseen}
      order by proof.id desc limit ${EQUAL_DUES_MAX}
    ) found`;
  return select(tx, sql`${invoices.id} in (${ids})`);
}

/** True of each of them; as the index of them says it. */
const isOnProof = sql`${payments.externalId} like 'proof:%'`;

/** Of more, no person's own is looked for among strangers'. */
const EQUAL_DUES_MAX = 200;

/** The oldest open ones of each customer. */
export async function openInvoicesOf(tx: Tx, customerIds: readonly string[]): Promise<MatchInvoice[]> {
  if (customerIds.length === 0) return [];
  const ids = sql`
    select found.id from unnest(${sql.param([...customerIds])}::text[]) wanted(id)
    cross join lateral (
      select due.id from invoices due
      where due.status = 'open' and due.customer_id = wanted.id
      order by due.issued_at, due.id limit ${OF_CUSTOMER_MAX}
    ) found`;
  return select(tx, sql`${invoices.id} in (${ids})`);
}

/** Of more, no sum is tried. */
const OF_CUSTOMER_MAX = 40;

const timeZone = sql`(select time_zone from tenants)`;
/** What was booked on proofs, and whose money nobody has seen yet. */
const proven = sql<string[]>`array(
  select ${payments.amountMinor} from bank_proofs proof join ${payments} on ${payments.id} = proof.payment_id
  where proof.invoice_id = ${invoices.id} and ${isUnseen} order by ${payments.amountMinor})`;
/** The day does not move with the clock of its transfer, which begins anew when a payment is taken back. */
const createdAt = sql`${invoices.issuedAt}`;

const columns = {
  id: invoices.id,
  number: invoices.number,
  customerId: invoices.customerId,
  customerName: customers.name,
  status: invoices.status,
  dueMinor: invoices.dueMinor,
  proven,
  currency: invoices.currency,
  reference: bankTransfers.reference,
  transferStatus: bankTransfers.status,
  confirmationKey: bankTransfers.confirmationKey,
  createdAt: sql<string>`to_char(${createdAt} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`,
  createdOn: sql<string>`(${createdAt} at time zone ${timeZone})::date::text`,
  expiresOn: sql<string | null>`(${bankTransfers.expiresAt} at time zone ${timeZone})::date::text`,
};

async function select(tx: Tx, where: SQL): Promise<MatchInvoice[]> {
  return (await query(tx, where)).map(toMatchInvoice);
}

function query(tx: Tx, where: SQL) {
  return tx
    .select(columns)
    .from(invoices)
    .innerJoin(customers, eq(customers.id, invoices.customerId))
    .leftJoin(bankTransfers, eq(bankTransfers.invoiceId, invoices.id))
    .where(where);
}

type Row = Awaited<ReturnType<typeof query>>[number];

/** One without instructions is known by its number, and time never ends for it. */
function toMatchInvoice(row: Row): MatchInvoice {
  const { id, customerId, customerName, dueMinor, currency, transferStatus } = row;
  return {
    id,
    reference: row.reference ?? row.number,
    customerId,
    customerName: customerName ?? '',
    payerAccounts: [],
    status: statusOf(row),
    dueMinor: row.status === 'void' ? 0 : dueMinor,
    provenMinor: row.proven.map(Number),
    currency,
    createdAt: row.createdAt,
    createdOn: row.createdOn,
    // While the clock stands still nothing is late.
    expiresOn: transferStatus !== null && isLookedInto(transferStatus) ? null : row.expiresOn,
  };
}

/** What was given up is not paid without a person, like what has expired. */
function statusOf({ status, transferStatus }: Row): MatchInvoice['status'] {
  switch (status) {
    case 'paid':
    case 'void':
      return status;
    case 'uncollectible':
      return 'expired';
    case 'open':
      return transferStatus === 'expired' ? 'expired' : 'open';
    default:
      return status satisfies never;
  }
}
