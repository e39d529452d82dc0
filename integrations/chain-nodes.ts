/**
 * Several nodes of one chain as one: whichever answers is asked, until it fails. A node that is on another network than it
 * should be is never read, so that no payment is believed on its word.
 *
 * Why it is safe to run twice: nodes are only read. Two answers in a row may come from two nodes that do not agree yet;
 * whoever reads more than one thing compares hashes, as with a single node whose chain was reorganised in between.
 */
import { type ErrorCode, VendorError } from '../domain/errors.ts';
import type { ChainNode } from '../domain/payments/chain-node.ts';

/**
 * Asks the node that answered last, then the others in their order. Null is an answer: the next node is asked only where one
 * threw a `VendorError`. Where all did, one is thrown that names each, `vendor_rejected_request` only if no later try can help.
 */
export function firstThatAnswers(nodes: readonly ChainNode[]): ChainNode {
  const [only] = nodes;
  if (!only) throw new RangeError('A chain needs at least one node');
  if (nodes.length === 1) return only;

  let preferred = only;
  const name = nodes.map((node) => node.name).join(', ');

  const ask = async <Answer>(question: (node: ChainNode) => Promise<Answer>): Promise<Answer> => {
    const failures: VendorError[] = [];
    for (const node of [preferred, ...nodes.filter((each) => each !== preferred)]) {
      try {
        await node.checkNetwork();
        const answer = await question(node);
        preferred = node;
        return answer;
      } catch (error) {
        if (!(error instanceof VendorError)) throw error;
        failures.push(error);
      }
    }
    throw noneAnswered(failures);
  };

  return {
    name,
    checkNetwork: () => ask(async () => {}),
    tip: () => ask((node) => node.tip()),
    finalized: () => ask((node) => node.finalized()),
    hashAt: (height) => ask((node) => node.hashAt(height)),
    block: (hash) => ask((node) => node.block(hash)),
    mempool: () => ask((node) => node.mempool()),
    pending: (txids) => ask((node) => node.pending(txids)),
    used: (spends) => ask((node) => node.used(spends)),
    find: (txid) => ask((node) => node.find(txid)),
    feeRate: () => ask((node) => node.feeRate()),
  };
}

/** The first of these that happened says what to do: an outage passes, a limit has a delay, a refusal needs a person. */
const byHope: readonly ErrorCode[] = ['vendor_unavailable', 'rate_limited'];

function noneAnswered(failures: readonly VendorError[]): VendorError {
  const code = byHope.find((each) => failures.some((failure) => failure.code === each));
  const delays = failures.flatMap(({ retryAfterMs }) => retryAfterMs ?? []);
  return new VendorError({
    code: code ?? 'vendor_rejected_request',
    message: `No node of the chain can be used. ${failures.map(({ message }) => message).join('; ')}`,
    ...(code === 'rate_limited' && delays.length > 0 && { retryAfterMs: Math.min(...delays) }),
    cause: failures[0],
  });
}
