/** Answers as Bitcoin Core gives them, and those of nodes in trouble; btcd itself is asked in the integration tests. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import type { ChainNode } from '../../domain/payments/chain-node.ts';
import { createBitcoinNode } from './client.ts';

type Call = { id: number; method: string; params: unknown[] };
type Outcome = { result: unknown } | { error: { code: number; message: string } };

const genesisHash = '000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f';
const blockHash = 'b1'.repeat(32);
const coinbase =
  '01000000010000000000000000000000000000000000000000000000000000000000000000ffffffff4d04ffff001d0104455468652054696d' +
  '65732030332f4a616e2f32303039204368616e63656c6c6f72206f6e206272696e6b206f66207365636f6e64206261696c6f757420666f7220' +
  '62616e6b73ffffffff0100f2052a01000000434104678afdb0fe5548271967f1a67130b7105cd6a828e03909a67962e0ea1f61deb649f6bc3f' +
  '4cef38c4f35504e51ec112de5c384df7ba0b8d578a4c702b6bf11d5fac00000000';
const coinbaseId = '4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

it.each([
  [
    'a wrong password',
    (response: ServerResponse) => response.writeHead(401).end(),
    { code: 'vendor_rejected_request', message: /refuses the user or the password/ },
  ],
  [
    'too many requests',
    (response: ServerResponse) => response.writeHead(429, { 'retry-after': '7' }).end(),
    { code: 'rate_limited', retryAfterMs: 7000 },
  ],
  [
    'a full queue',
    (response: ServerResponse) => response.writeHead(503).end('Work queue depth exceeded'),
    { code: 'vendor_unavailable', message: /status 503/ },
  ],
  [
    'another kind of server',
    (response: ServerResponse) => response.writeHead(404).end('<html>'),
    { code: 'vendor_rejected_request', message: /status 404/ },
  ],
  [
    'a proxy without a node behind it',
    (response: ServerResponse) => response.writeHead(502).end('{"message":"Bad gateway"}'),
    { code: 'vendor_unavailable', message: /status 502/ },
  ],
  [
    'a path that is wrong',
    (response: ServerResponse) => response.writeHead(404).end('{"message":"Not found"}'),
    { code: 'vendor_rejected_request', message: /status 404/ },
  ],
  [
    'half an answer',
    (response: ServerResponse) => response.writeHead(200).end('{"result": "00'),
    { code: 'vendor_unavailable', message: /no readable answer/ },
  ],
  [
    'a node that is still starting',
    (response: ServerResponse) =>
      response
        .writeHead(500)
        .end('{"result":null,"error":{"code":-28,"message":"Loading block index…"},"id":0}'),
    { code: 'vendor_unavailable', message: /is still starting/ },
  ],
  ['silence', () => {}, { code: 'vendor_unavailable', message: /no answer/ }],
])('%s is told in our words, without the password', async (_what, answer, expected) => {
  const node = await nodeThat((_request, response) => answer(response), { timeoutMs: 200 });
  const error = await node.tip().catch((thrown: unknown) => thrown);
  const { message, ...rest } = expected as { message?: RegExp };
  expect(error).toMatchObject({ name: 'VendorError', ...rest });
  expect((error as Error).message).toMatch(message ?? /^Bitcoin node 127\.0\.0\.1:\d+: /);
  expect(String((error as Error).stack) + String((error as Error).cause)).not.toContain('secret');
});

it('reads nothing from a node of another network, and tells which one it is on', async () => {
  const asked: string[] = [];
  const node = await coreNode(({ method }) => {
    asked.push(method);
    return { result: [] };
  }, '000000000933ea01ad0ee984209779baaec3ced90fa3f408719526f8d77f4943');
  const refusal = {
    code: 'vendor_rejected_request',
    message: expect.stringMatching(/is on testnet, not on mainnet/),
  };
  await expect(node.checkNetwork()).rejects.toMatchObject(refusal);
  await expect(node.mempool()).rejects.toMatchObject(refusal);
  expect(asked).toEqual([]);
});

it('checks the network once, and again after the node did not answer', async () => {
  const asked: string[] = [];
  let isDown = false;
  const node = await nodeThat(async (request, response) => {
    const call = JSON.parse(await bodyOf(request)) as Call;
    asked.push(call.method);
    if (isDown) response.writeHead(503).end();
    else respond(response, call, call.method === 'getblockhash' ? { result: genesisHash } : { result: [] });
  });
  await node.mempool();
  await node.mempool();
  isDown = true;
  await expect(node.mempool()).rejects.toMatchObject({ code: 'vendor_unavailable' });
  isDown = false;
  await node.mempool();
  expect(asked).toEqual([
    ...['getblockhash', 'getrawmempool', 'getrawmempool', 'getrawmempool'],
    ...['getblockhash', 'getrawmempool'],
  ]);
});

it('a pruned block is no outage: somebody has to name another node', async () => {
  const node = await coreNode(({ method }) =>
    method === 'getblock'
      ? { error: { code: -1, message: 'Block not available (pruned data)' } }
      : { result: { height: 5, confirmations: 90_000 } },
  );
  await expect(node.block(blockHash)).rejects.toMatchObject({
    code: 'vendor_rejected_request',
    message: expect.stringContaining('use a node that keeps all blocks'),
  });
});

it('another block than the one asked for is not believed', async () => {
  const raw = `${'00'.repeat(36)}3ba3edfd7a7b12b27ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a${'00'.repeat(12)}01${coinbase}`;
  const node = await coreNode(({ method }) =>
    method === 'getblock' ? { result: raw } : { result: { height: 5, confirmations: 1 } },
  );
  await expect(node.block(blockHash)).rejects.toMatchObject({
    code: 'vendor_unavailable',
    cause: expect.objectContaining({ message: 'Another block than the one asked for' }),
  });
});

it('the tip is asked again when it left the chain in between', async () => {
  const hashes = ['a1'.repeat(32), 'a2'.repeat(32)];
  const node = await coreNode(({ method, params }) => {
    if (method === 'getbestblockhash') return { result: hashes.shift() };
    return {
      result:
        params[0] === 'a2'.repeat(32) ? { height: 9, confirmations: 1 } : { height: 8, confirmations: -1 },
    };
  });
  expect(await node.tip()).toEqual({ height: 9, hash: 'a2'.repeat(32) });
});

it('pending transactions are asked for in pieces of a hundred; those gone or mined are left out', async () => {
  const sizes: number[] = [];
  const gone = Array.from({ length: 248 }, (_, n) => n.toString(16).padStart(64, '0'));
  const node = await nodeThat(async (request, response) => {
    const body = JSON.parse(await bodyOf(request)) as Call | Call[];
    if (!Array.isArray(body)) return respond(response, body, { result: genesisHash });
    sizes.push(body.length);
    const answers = body.map(({ id, params: [txid] }) =>
      txid === coinbaseId
        ? { id, result: { hex: coinbase } }
        : txid === blockHash
          ? { id, result: { hex: coinbase, blockhash: blockHash, confirmations: 1 } }
          : { id, result: null, error: { code: -5, message: 'No such mempool or blockchain transaction' } },
    );
    response.end(JSON.stringify(answers.toReversed()));
  });
  const found = await node.pending([...gone, blockHash, coinbaseId]);
  expect(found.map(({ txid }) => txid)).toEqual([coinbaseId]);
  expect(sizes).toEqual([100, 100, 50]);
});

it.each([
  ['in the mempool', { hex: coinbase }, { txid: coinbaseId, block: null, failure: null }],
  [
    'mined',
    { hex: coinbase, blockhash: blockHash, confirmations: 3 },
    { txid: coinbaseId, block: { height: 5, hash: blockHash }, failure: null },
  ],
  ['only in a block that left the chain', { hex: coinbase, blockhash: blockHash, confirmations: 0 }, null],
])('finds a transaction that is %s', async (_where, json, expected) => {
  const node = await coreNode(({ method }) =>
    method === 'getrawtransaction' ? { result: json } : { result: { height: 5, confirmations: 3 } },
  );
  const found = await node.find(coinbaseId.toUpperCase());
  if (expected === null) expect(found).toBeNull();
  else expect(found).toMatchObject(expected);
});

it.each([
  ['rounds up to whole satoshi', { feerate: 0.00012341, blocks: 3 }, 13n],
  ['keeps a whole one', { feerate: 0.0001, blocks: 3 }, 10n],
  ['reads the smallest one', { feerate: 1e-5, blocks: 3 }, 1n],
  [
    'has none where the node knows too little',
    { errors: ['Insufficient data or no feerate found'], blocks: 0 },
    null,
  ],
])('the fee rate %s', async (_what, result, expected) => {
  const node = await coreNode(({ method }) =>
    method === 'estimatesmartfee' ? { result } : { error: { code: -32_601, message: 'Method not found' } },
  );
  expect(await node.feeRate()).toBe(expected);
});

it('says null for heights, blocks and transactions that there are not', async () => {
  const node = await coreNode(({ method }) =>
    method === 'getblockhash'
      ? { error: { code: -8, message: 'Block height out of range' } }
      : { error: { code: -5, message: 'Block not found' } },
  );
  expect(await node.hashAt(9_000_000)).toBeNull();
  expect(await node.block(blockHash)).toBeNull();
  expect(await node.find(coinbaseId)).toBeNull();
  expect(await node.find('not a transaction')).toBeNull();
  expect(await node.finalized()).toBeNull();
});

it.each(['', 'bitcoin.example:8332', 'ftp://u:secret@host', 'http://u:100%secret@host'])(
  'an address that is none is refused without being repeated: %s',
  (url) => {
    const make = () => createBitcoinNode({ url, network: 'mainnet' });
    expect(make).toThrow(RangeError);
    expect(make).toThrow(/^The address of a Bitcoin node must look like http:\/\/user:password@host:8332/);
    expect(make).not.toThrow(/secret/);
  },
);

it('a password with signs of its own reaches the node as it is', async () => {
  let authorization: string | undefined;
  const { port } = await serve(async (request, response) => {
    ({ authorization } = request.headers);
    respond(response, JSON.parse(await bodyOf(request)) as Call, { result: genesisHash });
  });
  const node = createBitcoinNode({
    url: `http://us%20er:p%40ss%3Aword@127.0.0.1:${port}/wallet`,
    network: 'mainnet',
  });
  await node.checkNetwork();
  expect(authorization).toBe(`Basic ${Buffer.from('us er:p@ss:word').toString('base64')}`);
  expect(node.name).toBe(`127.0.0.1:${port}`);
});

/** Like Bitcoin Core, on the main network unless told otherwise: errors come with a status of their own. */
function coreNode(answer: (call: Call) => Outcome, firstBlock = genesisHash): Promise<ChainNode> {
  return nodeThat(async (request, response) => {
    const body = JSON.parse(await bodyOf(request)) as Call | Call[];
    const outcomeOf = (call: Call): Outcome =>
      call.method === 'getblockhash' && call.params[0] === 0 ? { result: firstBlock } : answer(call);
    if (!Array.isArray(body)) respond(response, body, outcomeOf(body));
    else response.end(JSON.stringify(body.map((call) => ({ id: call.id, error: null, ...outcomeOf(call) }))));
  });
}

function respond(response: ServerResponse, { id }: Call, outcome: Outcome): void {
  response.writeHead('error' in outcome ? 500 : 200);
  response.end(JSON.stringify({ result: null, error: null, ...outcome, id }));
}

async function nodeThat(
  answer: (request: IncomingMessage, response: ServerResponse) => unknown,
  { timeoutMs = 5_000 }: { timeoutMs?: number } = {},
): Promise<ChainNode> {
  const { port } = await serve(answer);
  return createBitcoinNode({ url: `http://user:secret@127.0.0.1:${port}`, network: 'mainnet', timeoutMs });
}

async function serve(
  answer: (request: IncomingMessage, response: ServerResponse) => unknown,
): Promise<{ port: number }> {
  const server = createServer((request, response) => void answer(request, response));
  servers.push(server);
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  return server.address() as AddressInfo;
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
