/** Customers: whom a tenant bills. */
import { and, desc, eq, lt, sql } from 'drizzle-orm';
import { nameKey } from '../../../domain/payments/payer-name.ts';
import type { Tx } from '../../client.ts';
import { newId } from '../../ids.ts';
import { customers } from '../../schema/billing.ts';
import type { CustomerRow } from './subscriptions.ts';

export type NewCustomer = {
  tenantId: string;
  email: string;
  name: string;
  externalRef: string | null;
  address?: CustomerRow['address'];
  taxId?: string | null;
  taxExemptReason?: string | null;
  currency: string;
  /** Keyed hash of the normalised e-mail address. */
  personKey: string;
};

/** `null` when another customer has this external reference. */
export async function createCustomer(tx: Tx, customer: NewCustomer): Promise<CustomerRow | null> {
  const [row] = await tx
    .insert(customers)
    .values({ id: newId('cus'), ...customer, nameKey: nameKey(customer.name) })
    .onConflictDoNothing({ target: [customers.tenantId, customers.externalRef] })
    .returning();
  return row ?? null;
}

export async function findCustomer(tx: Tx, customerId: string): Promise<CustomerRow | null> {
  const [row] = await tx.select().from(customers).where(eq(customers.id, customerId));
  return row ?? null;
}

export async function findCustomerByRef(tx: Tx, externalRef: string): Promise<CustomerRow | null> {
  const [row] = await tx.select().from(customers).where(eq(customers.externalRef, externalRef));
  return row ?? null;
}

/** Changes what we hold for a customer; `amountMinor` may be below zero. The caller has the customer's lock. */
export async function addCredit(tx: Tx, customerId: string, amountMinor: number): Promise<void> {
  if (amountMinor === 0) return;
  await tx
    .update(customers)
    .set({ creditMinor: sql`${customers.creditMinor} + ${amountMinor}` })
    .where(eq(customers.id, customerId));
}

/** Newest first. */
export function listCustomers(
  tx: Tx,
  {
    externalRef,
    referredBy,
    cursor,
    limit,
  }: {
    externalRef: string | undefined;
    referredBy: string | undefined;
    cursor: string | undefined;
    limit: number;
  },
): Promise<CustomerRow[]> {
  return tx
    .select()
    .from(customers)
    .where(
      and(
        externalRef === undefined ? undefined : eq(customers.externalRef, externalRef),
        referredBy === undefined ? undefined : eq(customers.referredBy, referredBy),
        cursor === undefined ? undefined : lt(customers.id, cursor),
      ),
    )
    .orderBy(desc(customers.id))
    .limit(limit);
}

/** Changes who the customer is. The currency never changes: invoices and credit are in it. */
export async function changeCustomer(
  tx: Tx,
  customerId: string,
  set: Partial<Omit<NewCustomer, 'tenantId' | 'currency'>>,
): Promise<CustomerRow> {
  const keys = set.name === undefined ? {} : { nameKey: nameKey(set.name) };
  const [row] = await tx
    .update(customers)
    .set({ ...set, ...keys })
    .where(eq(customers.id, customerId))
    .returning();
  if (row === undefined) throw new Error(`Customer ${customerId} disappeared`);
  return row;
}
