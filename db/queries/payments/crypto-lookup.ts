/** What the rows of the caller's tenant say of a transaction that somebody asks about. */
import { and, eq, inArray } from 'drizzle-orm';
import { isOfTransfer } from '../../../domain/payments/chain-observation.ts';
import type { ChainFamily, ChainName } from '../../../domain/payments/crypto-chain.ts';
import { familyOf } from '../../../domain/payments/crypto-chain.ts';
import {
  amountInWords,
  type Finding,
  findingOf,
  type LookedUp,
  type LookedUpPayment,
} from '../../../domain/payments/crypto-lookup.ts';
import type { Tx } from '../../client.ts';
import { isOneOf } from '../../is-one-of.ts';
import { cryptoAddresses, cryptoPayments } from '../../schema/crypto.ts';
import { together } from '../../together.ts';
import { readChainViews } from './chain-cursor.ts';
import { readDecisions } from './save-decision.ts';

/** Those of the receivers that are addresses of the tenant's. */
export async function ownAmong(
  tx: Tx,
  { family, receivers }: { family: ChainFamily; receivers: readonly string[] },
): Promise<ReadonlySet<string>> {
  const rows = await tx
    .select({ target: cryptoAddresses.target })
    .from(cryptoAddresses)
    .where(and(eq(cryptoAddresses.family, family), isOneOf(cryptoAddresses.target, receivers)));
  return new Set(rows.map(({ target }) => target));
}

export type FoundPayment = LookedUpPayment &
  Finding & {
    key: string;
    invoiceId: string;
    address: string;
    amount: string;
    units: bigint;
    asset: NonNullable<LookedUpPayment['decided']>['asset'];
  };

/**
 * Every payment of the transaction to one of the tenant's addresses: what the nodes say it transfers, and what was recorded of
 * it, also where no node knows it any more.
 */
export async function readLookedUp(
  tx: Tx,
  { txid, looked, now }: { txid: string; looked: LookedUp; now: Date },
): Promise<FoundPayment[]> {
  const { found } = looked;
  const family = txid.startsWith('0x') ? 'evm' : 'bitcoin';
  const recorded = (await tx.select().from(cryptoPayments).where(eq(cryptoPayments.txid, txid))).filter(
    ({ chain }) => (found === null ? familyOf(chain) === family : chain === found.chain),
  );
  const transfers: Transfer[] =
    found === null
      ? recorded.map(({ chain, key, target, asset, token, units }) => ({
          chain,
          key,
          to: target,
          asset,
          token,
          units,
        }))
      : found.own.map((own) => ({ ...own, chain: found.chain, units: BigInt(own.units) }));
  if (transfers.length === 0) return [];
  const [addresses, views] = await together([addressesAt(tx, family, transfers), readChainViews(tx)]);
  const decisions = await readDecisions(tx, {
    ids: [...addresses.values()].map(({ cryptoInvoiceId }) => cryptoInvoiceId),
    now: now.toISOString(),
  });
  return transfers.flatMap((transfer): FoundPayment[] => {
    const { chain, key, to, asset, token, units } = transfer;
    const owned = addresses.get(to);
    const known = owned && decisions.get(owned.cryptoInvoiceId);
    if (owned === undefined || known === undefined) return [];
    const { invoice, decision } = known;
    const payment: LookedUpPayment = {
      cryptoInvoiceId: invoice.id,
      status: invoice.status,
      due: { chain: invoice.chain, asset: invoice.asset, requiredDepth: decision.requiredDepth },
      chain,
      block: found?.block ?? null,
      token,
      decided:
        decision.payments.find(
          (each) => each.chain === chain && each.asset === asset && isOfTransfer(each, key),
        ) ?? null,
      readTo: views.get(chain)?.tipHeight ?? null,
    };
    return [
      {
        ...payment,
        ...findingOf(payment),
        key: payment.decided?.key ?? key,
        invoiceId: invoice.invoiceId,
        address: owned.address,
        amount: amountInWords(units, asset, token),
        units,
        asset,
      },
    ];
  });
}

type Transfer = {
  chain: ChainName;
  key: string;
  to: string;
  asset: FoundPayment['asset'];
  token: string | null;
  units: bigint;
};

async function addressesAt(
  tx: Tx,
  family: ChainFamily,
  transfers: readonly Transfer[],
): Promise<Map<string, { cryptoInvoiceId: string; address: string }>> {
  const rows = await tx
    .select()
    .from(cryptoAddresses)
    .where(
      and(
        eq(cryptoAddresses.family, family),
        inArray(
          cryptoAddresses.target,
          transfers.map(({ to }) => to),
        ),
      ),
    );
  return new Map(rows.map(({ target, ...row }) => [target, row]));
}
