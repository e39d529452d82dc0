/** What operators see of the chains and do to them: health that names what fails, reading again, pausing and resuming. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { loadConfig } from '../../config/env.ts';
import { type Json, startTestApi, type TestAnswer, type TestApi, type TestTenant } from '../support/api.ts';

let api: TestApi;
let tenant: TestTenant;

const config = loadConfig({
  NODE_ENV: 'test',
  CRYPTO_NETWORK: 'mainnet',
  BITCOIN_NODES: 'http://user:secret@127.0.0.1:1',
  ETHEREUM_NODES: 'http://127.0.0.1:1',
});

beforeAll(async () => {
  api = await startTestApi({ config });
  tenant = await api.tenant();
});
afterAll(() => api.close());

/** Both chains are read to their tips, by watchers that have just been heard of, at fresh rates. */
beforeEach(async () => {
  await api.sql('DELETE FROM chains');
  await api.sql('DELETE FROM crypto_prices');
  await api.sql(
    `INSERT INTO chains (name, network, start_height, height, hash, tip_height, tip_time, fresh_until, heartbeat_at, node)
     SELECT name, 'mainnet', 100, 900, 'aa', 900, now(), now(), now(), 'node:8332'
     FROM unnest('{bitcoin,ethereum}'::text[]) AS name`,
  );
  await api.sql(
    `INSERT INTO crypto_prices (source, asset, currency, rate, side, at, fetched_at)
     SELECT source, asset, 'USD', rate, 'spot', now(), now() FROM unnest('{coinbase,kraken}'::text[]) AS source,
       (VALUES ('BTC', '60000'), ('ETH', '3000'), ('USDC', '1')) AS prices(asset, rate)`,
  );
});

const post = (path: string, body?: unknown, token = tenant.token): Promise<TestAnswer> =>
  api.request('POST', path, { token, ...(body !== undefined && { body }) });
const health = () => post('/v1/crypto/health');
const get = async (path: string): Promise<Json> =>
  (await api.request('GET', path, { token: tenant.token })).body;
const bitcoin = async (): Promise<Json> =>
  (await get('/v1/crypto/chains')).data.find(({ name }: Json) => name === 'bitcoin');

describe('health', () => {
  it('is ok where every chain is read and every coin has a rate; neither a key nor a body is needed', async () => {
    const answer = await api.request('POST', '/v1/crypto/health', { token: tenant.token, key: null });
    expect(answer).toMatchObject({
      status: 200,
      body: {
        status: 'ok',
        chains: [
          { name: 'bitcoin', healthy: true, failing: [], warnings: [], height: 900, tipHeight: 900 },
          { name: 'ethereum', healthy: true, failing: [] },
        ],
      },
    });
    expect(answer.body.rates.map(({ asset, currency }: Json) => `${asset}-${currency}`)).toEqual([
      'BTC-USD',
      'ETH-USD',
      'USDC-USD',
    ]);
    expect(JSON.stringify(answer.body)).not.toContain('secret');
  });

  it('of USDC that is not worth a dollar is ok, since it is quoted at what it is worth, and names it', async () => {
    expect((await health()).body.rates[2]).toMatchObject({ asset: 'USDC', warnings: [] });
    await api.sql(`UPDATE crypto_prices SET rate = '0.97' WHERE asset = 'USDC'`);
    expect(await health()).toMatchObject({
      status: 200,
      body: {
        status: 'ok',
        rates: [
          { asset: 'BTC', warnings: [] },
          { asset: 'ETH', warnings: [] },
          {
            asset: 'USDC',
            warnings: [
              {
                part: 'peg',
                detail:
                  'one USDC is worth 0.97 US dollars and is quoted at that; where you do not want to take it, pause its chains',
              },
            ],
          },
        ],
      },
    });
  });

  it.each([
    [
      'a network that is another one',
      "network = 'testnet'",
      'bitcoin.network',
      'Bitcoin: it was watched on testnet, and mainnet is configured: use another database for another network.',
    ],
    [
      'a watcher that is dead',
      "heartbeat_at = now() - interval '91 seconds'",
      'bitcoin.heartbeat',
      // The database's clock goes on until health is asked.
      expect.stringMatching(
        /^Bitcoin: its watcher has not been heard of for 9\d s; start a worker that has a node of it in its environment, and it is read from where it was left[.]$/,
      ),
    ],
    [
      'a watcher that never was',
      'heartbeat_at = null',
      'bitcoin.heartbeat',
      'Bitcoin: its watcher has not been heard of ever; start a worker that has a node of it in its environment, and it is read from where it was left.',
    ],
    [
      'a node that does not answer',
      "failure = 'node:8332 does not answer.'",
      'bitcoin.node',
      'Bitcoin: node:8332 does not answer: mend the node, or name another one beside it.',
    ],
    [
      'a last block that is old',
      "tip_time = now() - interval '91 minutes'",
      'bitcoin.tip',
      'Bitcoin: the last block is 91 minutes old: see whether the node has peers and is synchronised.',
    ],
    [
      'no block at all',
      'tip_time = null',
      'bitcoin.tip',
      'Bitcoin: no block is known: see whether the node has peers and is synchronised.',
    ],
    [
      'blocks that are not read',
      'tip_height = height + 3',
      'bitcoin.cursor',
      'Bitcoin: 3 blocks are still to be read: wait while they become fewer, else restart its worker.',
    ],
    [
      'a pause of the watcher',
      "paused_at = now(), pause_reason = 'two nodes have disagreed since noon'",
      'bitcoin.paused',
      'Bitcoin: two nodes have disagreed since noon; it goes on once its nodes agree for some blocks, or with POST /v1/crypto/chains/bitcoin/resume.',
    ],
    [
      'a pause of an operator',
      "paused_at = now(), pause_reason = 'repairs', paused_by = 'api_key:x'",
      'bitcoin.paused',
      'Bitcoin: repairs; it goes on with POST /v1/crypto/chains/bitcoin/resume.',
    ],
  ])('of %s is 503 and says so alone', async (_what, broken, path, message) => {
    await api.sql(`UPDATE chains SET ${broken} WHERE name = 'bitcoin'`);
    const answer = await health();
    expect(answer).toMatchObject({
      status: 503,
      body: {
        code: 'crypto_unhealthy',
        detail: `Not in order: ${path}. Each is explained in errors.`,
        errors: [{ path, message }],
      },
    });
    expect(answer.body.errors).toHaveLength(1);
    expect(answer.headers.get('retry-after')).toBe('30');
    expect((await bitcoin()).healthy).toBe(false);
  });

  it.each([
    ['bitcoin', 'tip_height = height + 2', 200],
    ['ethereum', 'tip_height = height + 10', 200],
    ['ethereum', 'tip_height = height + 11', 503],
    ['bitcoin', "heartbeat_at = now() - interval '85 seconds'", 200],
    ['bitcoin', "tip_time = now() - interval '89 minutes'", 200],
    ['ethereum', "tip_time = now() - interval '6 minutes'", 503],
  ])('of %s with %s is %i', async (chain, values, status) => {
    await api.sql(`UPDATE chains SET ${values} WHERE name = '${chain}'`);
    expect((await health()).status).toBe(status);
  });

  it.each([
    [
      "UPDATE crypto_prices SET at = now() - interval '301 seconds' WHERE asset = 'ETH' AND source = 'kraken'",
      'rates.ETH-USD',
      '1 of the price sources have said in the last 300 seconds what ETH costs in USD',
    ],
    [
      "DELETE FROM crypto_prices WHERE asset = 'BTC'",
      'rates.BTC-USD',
      '0 of the price sources know what BTC costs in USD',
    ],
    [
      "UPDATE crypto_prices SET rate = '70000' WHERE asset = 'BTC' AND source = 'kraken'",
      'rates.BTC-USD',
      'The price sources differ by more than 300 hundredths of a percent on BTC',
    ],
  ])('without a rate by which to quote is 503: %s', async (statement, path, says) => {
    await api.sql(statement);
    const { status, body } = await health();
    expect([status, body.errors.map((each: Json) => each.path)]).toEqual([503, [path]]);
    expect(body.errors[0].message).toContain(says);
    expect(body.errors[0].message).toContain('see in the log of the workers which price source fails');
  });

  it('of a chain that nobody has ever watched is 503, and so are all parts that fail together', async () => {
    await api.sql("DELETE FROM chains WHERE name = 'ethereum'");
    await api.sql("UPDATE chains SET failure = 'refused', tip_height = height + 9");
    const { body } = await health();
    expect(body.errors.map(({ path }: Json) => path)).toEqual([
      'bitcoin.node',
      'bitcoin.cursor',
      'ethereum.heartbeat',
    ]);
    expect(body.errors[2].message).toMatch(/^Ethereum: nobody has ever watched it; start a worker/);
  });

  it('is ok with a warning where a node does not trace calls', async () => {
    await api.sql("UPDATE chains SET traces_calls = false WHERE name = 'ethereum'");
    const { status, body } = await health();
    expect([status, body.chains[1].healthy]).toEqual([200, true]);
    expect(body.chains[1].warnings).toMatchObject([{ part: 'internal_transfers' }]);
  });

  it('is told of no chain where none has a node', async () => {
    const bare = await startTestApi();
    const { token } = await bare.tenant();
    const answer = await bare.request('POST', '/v1/crypto/health', { token, key: null });
    expect(answer).toMatchObject({ status: 200, body: { status: 'ok', chains: [], rates: [] } });
    await bare.close();
  });
});

describe('reading again', () => {
  const rescan = (fromHeight: unknown) =>
    post('/v1/crypto/chains/bitcoin/rescan', { fromHeight, reason: 'a node had lost blocks' });

  it('is a wish that is kept, from the lowest height that anybody asked for', async () => {
    expect(await rescan(500)).toMatchObject({ status: 200, body: { name: 'bitcoin', rescanFrom: 500 } });
    expect(await rescan(700)).toMatchObject({ status: 200, body: { rescanFrom: 500 } });
    expect(await rescan(20)).toMatchObject({ status: 200, body: { rescanFrom: 20 } });
    expect((await bitcoin()).rescanFrom).toBe(20);
    expect((await get('/v1/audit_log?entityId=bitcoin')).data).toMatchObject([
      { action: 'crypto_chain.rescanned', reason: 'a node had lost blocks', details: { fromHeight: 20 } },
      { details: { fromHeight: 700 } },
      { details: { fromHeight: 500 } },
    ]);
  });

  it('under the same key happens once', async () => {
    const body = { fromHeight: 500, reason: 'once' };
    const options = { token: tenant.token, key: 'again', body };
    const first = await api.request('POST', '/v1/crypto/chains/ethereum/rescan', options);
    await api.sql('UPDATE chains SET rescan_from = null');
    const second = await api.request('POST', '/v1/crypto/chains/ethereum/rescan', options);
    expect(second.body).toEqual(first.body);
    expect(second.headers.get('idempotency-replayed')).toBe('true');
    expect((await get('/v1/audit_log?entityId=ethereum')).data).toHaveLength(1);
  });

  it('from above what was read is refused, with the height that was', async () => {
    expect(await rescan(901)).toMatchObject({
      status: 409,
      body: {
        reason: 'height_not_read',
        detail: 'Bitcoin has been read up to 900: give a height up to there.',
      },
    });
  });
});

describe('pausing', () => {
  const pause = (reason: string) => post('/v1/crypto/chains/bitcoin/pause', { reason });
  const resume = () => post('/v1/crypto/chains/bitcoin/resume', { reason: 'looked at' });

  it('stands until an operator resumes it, who then has payments lie twice as deep', async () => {
    const first = await pause('repairs');
    expect(first).toMatchObject({ status: 200, body: { paused: { reason: 'repairs', byOperator: true } } });
    expect((await pause('another reason')).body.paused).toEqual(first.body.paused);
    const resumed = await resume();
    expect(resumed).toMatchObject({ status: 200, body: { paused: null, healthy: true } });
    expect(Date.parse(resumed.body.cautiousUntil) - Date.now()).toBeGreaterThan(23 * 3_600_000);
    expect((await resume()).body.cautiousUntil).toBe(resumed.body.cautiousUntil);
    const { data } = await get('/v1/audit_log?entityId=bitcoin&limit=4');
    expect(data.map(({ action }: Json) => action)).toEqual([
      'crypto_chain.resumed',
      'crypto_chain.resumed',
      'crypto_chain.paused',
      'crypto_chain.paused',
    ]);
  });

  it('takes a pause of the watcher over, since when it stands', async () => {
    await api.sql(
      "UPDATE chains SET paused_at = '2026-11-01T00:00:00Z', pause_reason = 'disagreement' WHERE name = 'bitcoin'",
    );
    expect((await bitcoin()).paused).toEqual({
      since: '2026-11-01T00:00:00.000Z',
      reason: 'disagreement',
      byOperator: false,
    });
    expect((await pause('until the node is replaced')).body.paused).toEqual({
      since: '2026-11-01T00:00:00.000Z',
      reason: 'until the node is replaced',
      byOperator: true,
    });
  });
});

describe('bad input', () => {
  const reason = 'because';
  it.each([
    ['/v1/crypto/health', { chain: 'bitcoin' }, 400],
    ['/v1/crypto/lookup', {}, 400],
    ['/v1/crypto/lookup', { txid: 'xyz' }, 400],
    ['/v1/crypto/lookup', { txid: 'a'.repeat(63) }, 400],
    ['/v1/crypto/lookup', { txid: 'a'.repeat(64), chain: 'dogecoin' }, 400],
    ['/v1/crypto/lookup', { txid: 'a'.repeat(64), tenantId: 'x' }, 400],
    ['/v1/crypto/chains/bitcoin/rescan', { fromHeight: 1 }, 400],
    ['/v1/crypto/chains/bitcoin/rescan', { fromHeight: -1, reason }, 400],
    ['/v1/crypto/chains/bitcoin/rescan', { fromHeight: 1.5, reason }, 400],
    ['/v1/crypto/chains/bitcoin/rescan', { fromHeight: '1', reason }, 400],
    ['/v1/crypto/chains/bitcoin/rescan', { fromHeight: 2_147_483_648, reason }, 400],
    ['/v1/crypto/chains/bitcoin/rescan', { fromHeight: 901, reason }, 409],
    ['/v1/crypto/chains/dogecoin/rescan', { fromHeight: 1, reason }, 404],
    ['/v1/crypto/chains/polygon/rescan', { fromHeight: 1, reason }, 409],
    ['/v1/crypto/chains/polygon/pause', { reason }, 409],
    ['/v1/crypto/chains/polygon/resume', { reason }, 409],
    ['/v1/crypto/chains/bitcoin/pause', {}, 400],
    ['/v1/crypto/chains/bitcoin/pause', { reason: '' }, 400],
    ['/v1/crypto/chains/bitcoin/resume', { reason, force: true }, 400],
  ])('%s with %j is %i, and nothing is written', async (path, body, status) => {
    const before = await api.rowCounts();
    const chains = await api.sql('SELECT * FROM chains ORDER BY name');
    const answer = await post(path, body);
    expect(answer.status).toBe(status);
    expect(answer.body.detail).not.toBe('');
    expect(await api.rowCounts()).toEqual(before);
    expect(await api.sql('SELECT * FROM chains ORDER BY name')).toEqual(chains);
  });

  it('a key that may only read neither pauses nor resumes nor has anything read again', async () => {
    const { token } = await api.key(tenant.tenantId, ['operations:read', 'billing:write']);
    for (const [act, body] of [
      ['pause', { reason }],
      ['resume', { reason }],
      ['rescan', { fromHeight: 1, reason }],
    ] as const)
      expect((await post(`/v1/crypto/chains/bitcoin/${act}`, body, token)).status).toBe(403);
  });
});
