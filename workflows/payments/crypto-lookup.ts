/**
 * Asks the nodes of the chains about a transaction, for a person who waits for the answer.
 *
 * Why it is safe to run twice: nothing is written.
 */
import { proxyActivities } from '@temporalio/workflow';
import type { createCryptoLookupActivities } from '../../activities/payments/crypto-lookup.ts';
import type { LookedUp } from '../../domain/payments/crypto-lookup.ts';
import { chainQuestion } from '../effect-classes.ts';
import type { CryptoLookupInput } from './crypto-lookup.contract.ts';

const { lookUpTransaction } = proxyActivities<ReturnType<typeof createCryptoLookupActivities>>(chainQuestion);

export async function cryptoLookup(input: CryptoLookupInput): Promise<LookedUp> {
  return lookUpTransaction(input);
}
