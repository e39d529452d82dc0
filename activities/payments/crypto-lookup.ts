/**
 * Asks the nodes for one transaction. Only what it pays to the caller's own addresses leaves here: a transaction of an exchange
 * may pay thousands of others.
 *
 * Why it is safe to run twice: nothing is written.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { type Database, withTenant } from '../../db/client.ts';
import { ownAmong } from '../../db/queries/payments/crypto-lookup.ts';
import { VendorError } from '../../domain/errors.ts';
import type { FoundTransaction } from '../../domain/payments/chain-node.ts';
import { type ChainName, familyOf } from '../../domain/payments/crypto-chain.ts';
import { chainsToAsk, type LookedUp } from '../../domain/payments/crypto-lookup.ts';
import { firstThatAnswers } from '../../integrations/chain-nodes.ts';
import type { CryptoLookupInput } from '../../workflows/payments/crypto-lookup.contract.ts';
import type { ChainWatching, WatchedChain } from './chain-watcher.ts';

export function createCryptoLookupActivities({
  db,
  chainWatching,
}: {
  db: Database;
  chainWatching: ChainWatching;
}) {
  return {
    /** The chain that is meant is believed first; a node that fails is named, and keeps nobody else from answering. */
    async lookUpTransaction({ tenantId, txid, chain }: CryptoLookupInput): Promise<LookedUp> {
      const { network, chains } = chainWatching;
      const names = chains.map((each) => each.chain);
      const asked = chainsToAsk(txid, chain, names).flatMap(
        (name) => chains.find((each) => each.chain === name) ?? [],
      );
      const answers = await Promise.all(asked.map((each) => ask(each, txid)));
      const failed = answers.flatMap((each) => ('message' in each ? [each] : []));
      const answered = answers.flatMap((each) => ('message' in each ? [] : [each]));
      const known = answered.find((each) => each.found !== null);
      return {
        network,
        asked: answered.map((each) => each.chain),
        failed,
        found: known?.found ? await ownPart(db, tenantId, { ...known, found: known.found }) : null,
      };
    },
  };
}

/** The caller waits for ten seconds. */
const NODE_MS = 7_000;

type NodeAnswer =
  | { chain: ChainName; found: FoundTransaction | null }
  | { chain: ChainName; message: string };

async function ask({ chain, nodes }: WatchedChain, txid: string): Promise<NodeAnswer> {
  const answered = new AbortController();
  const late = wait(NODE_MS, undefined, { signal: answered.signal }).then(() => {
    throw new VendorError({
      code: 'vendor_unavailable',
      message: `The nodes do not answer within ${NODE_MS / 1000} s.`,
    });
  });
  try {
    return { chain, found: await Promise.race([firstThatAnswers(nodes).find(txid), late]) };
  } catch (error) {
    if (error instanceof VendorError) return { chain, message: error.message };
    throw error;
  } finally {
    answered.abort();
    late.catch(() => {});
  }
}

async function ownPart(
  db: Database,
  tenantId: string,
  { chain, found }: { chain: ChainName; found: FoundTransaction },
): Promise<NonNullable<LookedUp['found']>> {
  const receivers = [...new Set(found.transfers.map(({ to }) => to))];
  const own = await withTenant(db, tenantId, (tx) => ownAmong(tx, { family: familyOf(chain), receivers }));
  return {
    chain,
    block: found.block,
    failure: found.failure,
    own: found.transfers
      .filter(({ to }) => own.has(to))
      .map(({ units, ...transfer }) => ({ ...transfer, units: units.toString() })),
  };
}
