/**
 * An open invoice offered for payment in coins: an address of its own, the coins at a rate that is held for a while, and the
 * start of the process that waits for them, all in one transaction under the customer's lock.
 *
 * Why it is safe to run twice: an invoice is offered in one way at a time, under the customer's lock, so who asks again for
 * the same is given the same; the process is started by its name, once. Dying before the commit leaves nothing, not even the
 * address; after it, the outbox starts the process.
 */
import { randomBytes } from 'node:crypto';
import { and, asc, desc, eq, inArray, lt, sql } from 'drizzle-orm';
import { stateConflict } from '../../../domain/errors.ts';
import type { Money } from '../../../domain/money.ts';
import { receiveAddresses } from '../../../domain/payments/crypto-account.ts';
import type { CryptoAsset } from '../../../domain/payments/crypto-asset.ts';
import {
  assetsOn,
  type ChainName,
  type CryptoNetwork,
  familyOf,
  homeOf,
  titleOf,
  usdcContractOn,
} from '../../../domain/payments/crypto-chain.ts';
import type { CryptoInvoiceFlag, CryptoInvoiceStatus } from '../../../domain/payments/crypto-invoice.ts';
import {
  type CryptoPolicy,
  type CryptoPolicySettings,
  cryptoPolicyOn,
} from '../../../domain/payments/crypto-policy.ts';
import { startCryptoInvoice } from '../../../workflows/payments/crypto-invoice.contract.ts';
import type { Tx } from '../../client.ts';
import { newId } from '../../ids.ts';
import { chains, cryptoAddresses, cryptoEvents, cryptoInvoices } from '../../schema/crypto.ts';
import { dueOf, type InvoiceRow } from '../billing/invoices.ts';
import { notFound, type SubscriptionContext } from '../billing/subscriptions.ts';
import { appendOutbox } from '../operations/outbox.ts';
import { writeAudit } from '../tenants/audit-log.ts';
import { lockInvoice } from './charge-attempts.ts';
import { takeAddress } from './crypto-accounts.ts';
import { findCurrentOffer, isBeingPaid, withdrawCurrentOffer } from './crypto-offer.ts';
import { quoteNow } from './crypto-quotes.ts';
import type { CryptoInvoiceRow } from './observe-chain.ts';
import { paidOtherwise } from './paid-otherwise.ts';
import { startOf } from './save-decision.ts';

export type CryptoEventRow = typeof cryptoEvents.$inferSelect;
export type CryptoAddressRow = typeof cryptoAddresses.$inferSelect;

export type CryptoInvoiceWish = {
  invoiceId: string;
  asset: CryptoAsset;
  chain?: ChainName | undefined;
  /** What the installation has set; the invoice keeps the policy with it. */
  settings?: CryptoPolicySettings | undefined;
  /** The contract of USDC that the installation has named for a chain, null for the one that is known; unless given, there is one. */
  tokenOn?: (chain: ChainName) => string | null;
  actor: string;
  at: Date;
};

/**
 * The invoice's offer in this asset on this chain: a new one, or the one that stands. Throws `not_found`, and `state_conflict`
 * with the reasons `invoice_not_open`, `charge_in_flight`, `collected_by_razorpay`, `payment_under_way`, `chain_not_watched`,
 * `crypto_account_missing`, `asset_not_on_chain`, `amount_too_small`, and those after which trying again later helps:
 * `chain_paused`, `chain_behind`, `rates_stale`, `rates_apart`, `rates_too_few`.
 */
export async function createCryptoInvoice(
  tx: Tx,
  { invoiceId, asset, chain = homeOf(asset), settings, tokenOn, actor, at }: CryptoInvoiceWish,
): Promise<CryptoInvoiceRow> {
  if (!assetsOn(chain).includes(asset)) {
    throw stateConflict(
      'asset_not_on_chain',
      `${asset} is not taken on ${titleOf(chain)}; leave chain out, or name another.`,
    );
  }
  const { context, invoice } = await lockInvoice(tx, invoiceId);
  await refuseWhilePaid(tx, { context, invoice, at });
  const { network, policy } = await watchedChain(tx, { chain, settings, at });
  const isKnown = tokenOn === undefined || (tokenOn(chain) ?? usdcContractOn(chain, network)) !== null;
  if (asset === 'USDC' && !isKnown) {
    throw stateConflict(
      'asset_not_on_chain',
      `No contract of ${asset} is known on ${titleOf(chain)} (${network}); the installation names it with ${chain.toUpperCase()}_USDC.`,
    );
  }
  const current = await findCurrentOffer(tx, invoiceId);
  const due = dueOf(invoice);
  if (current !== null) {
    if (isSameOffer(current, { asset, chain, due, at })) return current;
    refuseWhileCoinsCome(current, invoice);
    await withdrawCurrentOffer(tx, { invoiceId, at });
  }
  const quoted = await quoteNow(tx, { due, asset, policy, at });
  const { tenantId, customerId } = invoice;
  const taken = await takeAddress(tx, { tenantId, family: familyOf(chain) });
  if (taken === null || taken.account.network !== network) {
    throw stateConflict(
      'crypto_account_missing',
      `No public key is set up from which addresses of ${titleOf(chain)} could be derived; add one with POST /v1/crypto_accounts.`,
    );
  }
  const [shown, ...others] = receiveAddresses(taken.account, taken.index);
  const id = newId('cin');
  const [row] = await tx
    .insert(cryptoInvoices)
    .values({
      id,
      tenantId,
      customerId,
      invoiceId,
      accountId: taken.account.id,
      addressIndex: taken.index,
      checkoutToken: randomBytes(24).toString('base64url'),
      chain,
      network,
      asset,
      address: shown.address,
      status: 'awaiting',
      ...quoted,
      quotedAt: at,
      expiresAt: new Date(at.getTime() + policy.quoteMinutes * 60_000),
      policy,
      statusSince: at,
    })
    .returning();
  if (row === undefined) throw new Error('An inserted invoice in coins was not returned');
  await tx.insert(cryptoAddresses).values(
    [shown, ...others].map(({ kind, address, to }) => ({
      family: familyOf(chain),
      target: to,
      tenantId,
      cryptoInvoiceId: id,
      kind,
      address,
    })),
  );
  await appendOutbox(tx, tenantId, [startCryptoInvoice(startOf(row))]);
  await writeAudit(tx, {
    tenantId,
    actor,
    action: 'crypto_invoice.created',
    entityType: 'crypto_invoice',
    entityId: id,
    details: { invoiceId, asset, chain, dueUnits: row.dueUnits.toString() },
    at,
  });
  return row;
}

export async function findCryptoInvoice(tx: Tx, id: string): Promise<CryptoInvoiceRow | null> {
  const [row] = await tx.select().from(cryptoInvoices).where(eq(cryptoInvoices.id, id));
  return row ?? null;
}

/** Throws `not_found`. */
export async function readCryptoInvoice(tx: Tx, id: string): Promise<CryptoInvoiceRow> {
  const row = await findCryptoInvoice(tx, id);
  if (row === null) throw notFound('crypto invoice', id);
  return row;
}

export type CryptoInvoiceFilter = {
  invoiceId: string | undefined;
  status: CryptoInvoiceStatus | undefined;
  flag: CryptoInvoiceFlag | undefined;
  cursor: string | undefined;
  limit: number;
};

/** Newest first. */
export function listCryptoInvoices(tx: Tx, filter: CryptoInvoiceFilter): Promise<CryptoInvoiceRow[]> {
  const { invoiceId, status, flag, cursor, limit } = filter;
  return tx
    .select()
    .from(cryptoInvoices)
    .where(
      and(
        invoiceId === undefined ? undefined : eq(cryptoInvoices.invoiceId, invoiceId),
        status === undefined ? undefined : eq(cryptoInvoices.status, status),
        flag === undefined ? undefined : sql`${cryptoInvoices.flags} ? ${flag}`,
        cursor === undefined ? undefined : lt(cryptoInvoices.id, cursor),
      ),
    )
    .orderBy(desc(cryptoInvoices.id))
    .limit(limit);
}

/** In the order in which they happened. */
export function listCryptoEvents(
  tx: Tx,
  { cryptoInvoiceId, cursor, limit }: { cryptoInvoiceId: string; cursor: string | undefined; limit: number },
): Promise<CryptoEventRow[]> {
  return tx
    .select()
    .from(cryptoEvents)
    .where(
      and(
        eq(cryptoEvents.cryptoInvoiceId, cryptoInvoiceId),
        cursor === undefined ? undefined : sql`${cryptoEvents.id} > ${cursor}`,
      ),
    )
    .orderBy(asc(cryptoEvents.id))
    .limit(limit);
}

/** Every address that pays each of the invoices, the one to show first. */
export async function addressesOf(tx: Tx, ids: readonly string[]): Promise<Map<string, CryptoAddressRow[]>> {
  const found = new Map<string, CryptoAddressRow[]>(ids.map((id) => [id, []]));
  if (ids.length === 0) return found;
  const rows = await tx
    .select()
    .from(cryptoAddresses)
    .where(inArray(cryptoAddresses.cryptoInvoiceId, [...ids]))
    .orderBy(desc(cryptoAddresses.kind));
  for (const row of rows) found.get(row.cryptoInvoiceId)?.push(row);
  return found;
}

/**
 * The chain's network and policy, where it can be quoted on now. Throws `state_conflict`: `chain_not_watched`, `chain_paused`,
 * `chain_behind`.
 */
export async function watchedChain(
  tx: Tx,
  { chain, settings, at }: { chain: ChainName; settings: CryptoPolicySettings | undefined; at: Date },
): Promise<{ network: CryptoNetwork; policy: CryptoPolicy }> {
  const [row] = await tx.select().from(chains).where(eq(chains.name, chain));
  const title = titleOf(chain);
  if (row === undefined || row.freshUntil === null) {
    throw stateConflict(
      'chain_not_watched',
      `${title} is not watched here, so a payment on it would not be seen; name another asset or chain.`,
    );
  }
  const otherwise =
    'try again later, or take another means of payment: a card, a transfer, or coins on another chain.';
  if (row.pausedAt !== null) {
    throw stateConflict(
      'chain_paused',
      `No payments on ${title} are taken at the moment (${row.pauseReason ?? 'paused'}); ${otherwise}`,
    );
  }
  if (at.getTime() - row.freshUntil.getTime() > BEHIND_MS) {
    throw stateConflict(
      'chain_behind',
      `${title} has not been read since ${row.freshUntil.toISOString()}; ${otherwise}`,
    );
  }
  return { network: row.network, policy: cryptoPolicyOn(row.network, settings) };
}

/** As old as a rate may be: whoever pays is not to wait longer for us to see it. */
const BEHIND_MS = 5 * 60_000;

function isSameOffer(
  current: CryptoInvoiceRow,
  { asset, chain, due, at }: { asset: CryptoAsset; chain: ChainName; due: Money; at: Date },
): boolean {
  if (current.asset !== asset || current.chain !== chain) return false;
  if (isBeingPaid(current)) return true;
  return current.dueMinor === due.amountMinor && current.expiresAt > at;
}

async function refuseWhilePaid(
  tx: Tx,
  { context, invoice, at }: { context: SubscriptionContext; invoice: InvoiceRow; at: Date },
): Promise<void> {
  const { number } = invoice;
  if (invoice.status !== 'open' || dueOf(invoice).amountMinor === 0)
    throw stateConflict('invoice_not_open', `Invoice ${number} does not wait for a payment.`);
  const otherwise = await paidOtherwise(tx, { context, invoice, at });
  if (otherwise !== null) throw stateConflict(otherwise.reason, otherwise.message);
}

function refuseWhileCoinsCome(current: CryptoInvoiceRow, { number }: InvoiceRow): void {
  if (!isBeingPaid(current)) return;
  const { asset, id } = current;
  throw stateConflict(
    'payment_under_way',
    `Invoice ${number} is being paid in ${asset} already (${id}); wait for the outcome.`,
  );
}
