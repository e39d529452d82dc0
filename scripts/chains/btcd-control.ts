/** What a Bitcoin node of this machine is told beyond what the product asks: to make blocks, to take them back, whom to know. */
import { createBitcoinRpc, toVendorError } from '../../integrations/bitcoin/rpc.ts';

/** What only the owner of a node can tell it. Each throws a `VendorError` with the node's own words. */
export type BtcdControl = {
  /** Makes blocks of what waits in the mempool. Returns their hashes. */
  mine(blocks: number): Promise<string[]>;
  /** Hands in a signed transaction. Returns its id. */
  send(rawHex: string): Promise<string>;
  /** Takes a block and all on top of it off the chain; what they held waits again. */
  invalidate(blockHash: string): Promise<void>;
  /** Undoes `invalidate`: the longest chain wins again. */
  reconsider(blockHash: string): Promise<void>;
  /** Connects to another node at host:port, once. Does not wait for it. */
  connect(peer: string): Promise<void>;
  /** Only for the node that connected. */
  disconnect(peer: string): Promise<void>;
  height(): Promise<number>;
  /** How many nodes it is connected with. */
  peers(): Promise<number>;
  /** Hands in blocks that were made elsewhere or before, parents first; those it has already are passed over. */
  submit(rawBlocks: readonly string[]): Promise<void>;
  isReady(): Promise<boolean>;
};

const BATCH = 100;

export function btcdControl(url: string): BtcdControl {
  const rpc = createBitcoinRpc({ url, timeoutMs: 60_000 });
  const tell = async (method: string, ...params: (string | number)[]): Promise<unknown> => {
    const [answer] = await rpc.ask([{ method, params }]);
    if (answer?.error) throw toVendorError(rpc.name, method, answer.error);
    return answer?.result;
  };
  const height = async () => (await tell('getblockcount')) as number;
  return {
    mine: async (blocks) => (await tell('generate', blocks)) as string[],
    send: async (rawHex) => (await tell('sendrawtransaction', rawHex)) as string,
    invalidate: async (blockHash) => void (await tell('invalidateblock', blockHash)),
    reconsider: async (blockHash) => void (await tell('reconsiderblock', blockHash)),
    connect: async (peer) => void (await tell('addnode', peer, 'onetry')),
    disconnect: async (peer) => void (await tell('node', 'disconnect', peer)),
    height,
    peers: async () => (await tell('getconnectioncount')) as number,
    submit: async (rawBlocks) => {
      for (let from = 0; from < rawBlocks.length; from += BATCH) {
        const piece = rawBlocks.slice(from, from + BATCH);
        await rpc.ask(piece.map((raw) => ({ method: 'submitblock', params: [raw] })));
      }
    },
    isReady: () =>
      height().then(
        () => true,
        () => false,
      ),
  };
}
