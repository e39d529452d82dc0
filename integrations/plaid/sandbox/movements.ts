/** Movements as tests and the demo describe them: most of what a bank tells has a usual value. */
import { z } from 'zod';
import {
  type Account,
  accountsOf,
  type Item,
  type Movement,
  type MovementContent,
  type NewMovement,
  newPlaidId,
  type PlaidContext,
} from './context.ts';

/** More digits would not survive as a JSON number, which Plaid's amounts are. */
const DIGITS_MAX = 15;

const text = z.string().optional();

export const movementInput = z.strictObject({
  /** The first account of the Item when absent. */
  accountId: text,
  /** A decimal as Plaid counts: money OUT is positive, `-499.00` came in. */
  amount: z
    .string()
    .regex(/^-?\d+(\.\d+)?$/)
    .refine((amount) => amount.replace(/\D/g, '').length <= DIGITS_MAX, `at most ${DIGITS_MAX} digits`),
  /** The account's when absent. */
  currency: text,
  /** In place of a currency: what has no code, such as a coin. */
  unofficialCurrency: text,
  /** Today when absent. */
  date: z.iso.date().optional(),
  authorizedDate: z.iso.date().optional(),
  /** The bank's own text. */
  description: z.string(),
  /** What Plaid makes of it; the bank's text when absent. */
  name: text,
  merchantName: text,
  checkNumber: text,
  paymentMeta: z
    .strictObject({
      reference_number: text,
      ppd_id: text,
      payee: text,
      by_order_of: text,
      payer: text,
      payment_method: text,
      payment_processor: text,
      reason: text,
    })
    .default({}),
  counterparties: z.array(z.strictObject({ name: z.string(), type: z.string(), iban: text })).default([]),
  pending: z.boolean().default(false),
});

export type MovementInput = z.input<typeof movementInput>;

/** What changes of a movement; the rest stays. */
export const movementChange = movementInput
  .omit({ accountId: true, paymentMeta: true, counterparties: true, pending: true })
  .partial();

export type MovementChange = z.input<typeof movementChange>;

/** Throws a `ZodError` or a `RangeError` on what no bank would tell. */
export function newMovement(
  context: PlaidContext,
  item: Item,
  input: MovementInput,
  pendingId: string | null = null,
): NewMovement {
  const given = movementInput.parse(input);
  const account = accountOf(context, item, given.accountId);
  return {
    id: newPlaidId(),
    itemId: item.id,
    accountId: account.id,
    pendingId,
    amount: given.amount,
    currency: given.unofficialCurrency === undefined ? (given.currency ?? account.currency) : null,
    unofficialCurrency: given.unofficialCurrency ?? null,
    date: given.date ?? context.clock.now().toISOString().slice(0, 10),
    authorizedDate: given.authorizedDate ?? null,
    name: given.name ?? given.description,
    merchantName: given.merchantName ?? null,
    originalDescription: given.description,
    checkNumber: given.checkNumber ?? null,
    paymentMeta: given.paymentMeta,
    counterparties: given.counterparties,
    pending: given.pending,
  };
}

/** The booked movement that follows a pending one: as it was, but for what changes. */
export function bookedMovement(
  context: PlaidContext,
  pending: NewMovement,
  input: MovementChange,
): NewMovement {
  const { addedSeq: _, lastSeq: __, isRemoved: ___, ...rest } = pending as Movement;
  const date = context.clock.now().toISOString().slice(0, 10);
  const change = changedContent({ date, ...input });
  return { ...rest, ...change, id: newPlaidId(), pendingId: pending.id, pending: false };
}

export function changedContent(input: MovementChange): Partial<MovementContent> {
  const { description, ...given } = movementChange.parse(input);
  const isCoin = given.unofficialCurrency !== undefined;
  const content = {
    ...given,
    ...(description !== undefined && { originalDescription: description, name: given.name ?? description }),
    ...(isCoin && { currency: null }),
  };
  const present = Object.entries(content).filter(([, value]) => value !== undefined);
  return Object.fromEntries(present) as Partial<MovementContent>;
}

function accountOf(context: PlaidContext, item: Item, accountId: string | undefined): Account {
  const accounts = accountsOf(context, item);
  const account = accountId === undefined ? accounts[0] : accounts.find(({ id }) => id === accountId);
  if (!account) throw new RangeError(`Item ${item.id} has no account ${accountId ?? ''}`);
  return account;
}
