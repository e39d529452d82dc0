/**
 * What operators ask of a chain's watcher: to read blocks again, to believe a chain no more, and to believe it again.
 *
 * Why it is safe to run twice: each is a wish in the chain's row, and the same wish again changes nothing. Blocks that were read are read again without effect but
 * for what had been missed, and the watcher notes with each block how far it is.
 */
import { eq } from 'drizzle-orm';
import { DomainError } from '../../../domain/errors.ts';
import { pausedBy, resumed } from '../../../domain/payments/chain-trust.ts';
import { type ChainName, titleOf } from '../../../domain/payments/crypto-chain.ts';
import { cryptoPolicyOn } from '../../../domain/payments/crypto-policy.ts';
import type { SystemTx } from '../../client.ts';
import { chains } from '../../schema/crypto.ts';
import { type ChainRow, columnsOf, setChain, trustOf } from './chain-cursor.ts';

/**
 * Has every block from this height on read again, also from before the chain was watched. Throws `not_found` for a chain that
 * nobody watches, `state_conflict` (`height_not_read`) for a height above the last block that was read.
 */
export async function rescanChain(
  tx: SystemTx,
  { chain, fromHeight }: { chain: ChainName; fromHeight: number },
): Promise<ChainRow> {
  const row = await lockChain(tx, chain);
  if (row.height === null || fromHeight > row.height) {
    throw new DomainError({
      code: 'state_conflict',
      reason: 'height_not_read',
      message: `${titleOf(chain)} has been read up to ${row.height ?? 'nothing yet'}: give a height up to there.`,
    });
  }
  const rescanFrom = Math.max(0, Math.min(fromHeight, row.rescanFrom ?? fromHeight));
  await setChain(tx, chain, { rescanFrom });
  return { ...row, rescanFrom };
}

/**
 * Neither quotes nor settles on this chain, nor lets anything expire, until an operator resumes it. A pause of the watcher's own
 * becomes the operator's; an operator's stays as it is. Throws `not_found`.
 */
export async function pauseChain(
  tx: SystemTx,
  { chain, operator, reason, at }: { chain: ChainName; operator: string; reason: string; at: Date },
): Promise<ChainRow> {
  const row = await lockChain(tx, chain);
  const next = columnsOf(pausedBy(trustOf(row), { operator, reason, now: at.toISOString() }));
  await setChain(tx, chain, next);
  return { ...row, ...next };
}

/** Believes a paused chain again, with doubled depths for a while. Throws `not_found`; one that is not paused stays as it is. */
export async function resumeChain(
  tx: SystemTx,
  { chain, at }: { chain: ChainName; at: Date },
): Promise<ChainRow> {
  const row = await lockChain(tx, chain);
  if (row.pausedAt === null) return row;
  const next = columnsOf(resumed(trustOf(row), at.toISOString(), cryptoPolicyOn(row.network)));
  await setChain(tx, chain, next);
  return { ...row, ...next };
}

async function lockChain(tx: SystemTx, chain: ChainName): Promise<ChainRow> {
  const [row] = await tx.select().from(chains).where(eq(chains.name, chain)).for('update');
  if (row !== undefined) return row;
  throw new DomainError({
    code: 'not_found',
    reason: 'chain_not_watched',
    message: `${titleOf(chain)} is not watched: no node of it is configured.`,
  });
}
