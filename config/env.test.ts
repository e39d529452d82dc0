import { join } from 'node:path';
import { expect, test } from 'vitest';
import { APPROVAL_USD_MINOR, cryptoPolicyOn } from '../domain/payments/crypto-policy.ts';
import { ConfigError, loadConfig } from './env.ts';

const production = {
  NODE_ENV: 'production',
  PUBLIC_URL: 'https://billing.example',
  DATABASE_URL: 'postgres://login:pw@db:5432/perennial',
  PERENNIAL_ENCRYPTION_KEYS: `k1:${Buffer.alloc(32, 1).toString('base64')}`,
  PERSON_KEY_SECRET: 'a-secret-of-enough-length',
  STRIPE_SECRET_KEY: 'sk_live_SENTINEL',
  STRIPE_WEBHOOK_SECRETS: 'whsec_1, whsec_2',
  RESEND_API_KEY: 're_SENTINEL',
  MAIL_FROM: 'Billing <billing@company.example>',
  STORAGE_FOLDER: '/var/lib/perennial/files',
};

test('development needs no variable, and all vendors are their sandboxes', () => {
  const config = loadConfig({});
  expect(config.environment).toBe('development');
  expect(config.stripe).toMatchObject({ sandboxed: true, apiBase: 'http://127.0.0.1:3010' });
  expect(config.resend).toMatchObject({ sandboxed: true, baseUrl: 'http://127.0.0.1:3011' });
  expect(config.razorpay).toMatchObject({ sandboxed: true, enabled: true, apiBase: 'http://127.0.0.1:3012' });
  expect(config.frankfurter).toMatchObject({ sandboxed: true, baseUrl: 'http://127.0.0.1:3013' });
  expect(config.marketPrices).toEqual({
    coinbaseUrl: 'http://127.0.0.1:3015',
    krakenUrl: 'http://127.0.0.1:3015',
    coingeckoUrl: 'http://127.0.0.1:3015',
    coingeckoApiKey: undefined,
    sandboxPort: 3015,
    sandboxed: true,
  });
  expect(config.coinbase).toMatchObject({ sandboxed: true, enabled: true, apiBase: 'http://127.0.0.1:3014' });
  expect(config.plaid).toMatchObject({
    sandboxed: true,
    enabled: true,
    environment: 'sandbox',
    apiBase: 'http://127.0.0.1:3016',
  });
  expect(config.operatorChat).toEqual({
    hosts: ['hooks.slack.com', '127.0.0.1:3017'],
    sandboxPort: 3017,
    sandboxed: true,
  });
  expect(config.encryption.keys.get(config.encryption.activeKeyId)).toHaveLength(32);
});

test('everything in development stays on this machine', () => {
  const { api, worker, database, temporal, publicUrl } = loadConfig({});
  expect([api.host, worker.host]).toEqual(['127.0.0.1', '127.0.0.1']);
  expect([publicUrl, database.url, temporal.address].every((address) => address.includes('127.0.0.1'))).toBe(
    true,
  );
});

test('moving a port moves every address that is made from it', () => {
  const config = loadConfig({
    API_PORT: '4000',
    POSTGRES_PORT: '4001',
    TEMPORAL_PORT: '4002',
    TEMPORAL_UI_PORT: '4003',
  });
  expect(config.publicUrl).toBe('http://127.0.0.1:4000');
  expect(new URL(config.database.url).port).toBe('4001');
  expect(config.temporal).toMatchObject({ address: '127.0.0.1:4002', uiUrl: 'http://127.0.0.1:4003' });
});

test('a variable that is empty counts as not set', () => {
  expect(loadConfig({ STRIPE_SECRET_KEY: '', API_PORT: '', WORKFLOW_BUNDLE: '' })).toEqual(loadConfig({}));
});

test('all mistakes are listed at once, also those of combinations', () => {
  const mistakes = mistakesOf({
    API_PORT: 'x',
    TEMPORAL_ADDRESS: 'http://t:1',
    WORKER_BUILD_ID: 'b',
    LOG_LEVEL: 'loud',
  });
  expect(mistakes.map((mistake) => mistake.split(' ')[0])).toEqual([
    'LOG_LEVEL',
    'API_PORT',
    'TEMPORAL_ADDRESS',
    'WORKER_DEPLOYMENT_NAME',
  ]);
});

test('a mistake never repeats the value, which may be a secret', () => {
  const sentinel = 'SENTINEL-4242';
  const everythingWrong = Object.fromEntries(
    [
      'PERENNIAL_ENCRYPTION_KEYS',
      'STRIPE_SECRET_KEY',
      'RESEND_API_KEY',
      'RAZORPAY_KEY_ID',
      'COINBASE_BUSINESS_KEY_NAME',
      'COINBASE_BUSINESS_PRIVATE_KEY',
      'PLAID_CLIENT_ID',
      'DATABASE_URL',
      'MAIL_FROM',
      'API_PORT',
    ].map((name) => [name, `${sentinel}:${sentinel}`]),
  );
  const webhookSecrets = { STRIPE_WEBHOOK_SECRETS: sentinel, RAZORPAY_WEBHOOK_SECRETS: sentinel };
  const coinbaseSecrets = { COINBASE_BUSINESS_WEBHOOK_SECRETS: sentinel };
  const secret = { RAZORPAY_KEY_SECRET: sentinel.repeat(2), PLAID_SECRET: sentinel.repeat(2) };
  expect(mistakesOf({ ...everythingWrong, ...webhookSecrets, ...coinbaseSecrets, ...secret })).toHaveLength(
    10,
  );
  expect(mistakesOf({ ...everythingWrong, PERSON_KEY_SECRET: 'short' }).join()).not.toMatch(/SENTINEL|short/);
});

test.each(Object.keys(production).filter((name) => name !== 'NODE_ENV'))(
  'production does not start without %s',
  (name) => {
    expect(mistakesOf({ ...production, [name]: undefined }).join()).toContain(name);
  },
);

test('production with everything it needs starts, and talks to the vendors themselves', () => {
  const config = loadConfig(production);
  expect(config.stripe).toMatchObject({
    sandboxed: false,
    apiBase: undefined,
    webhookSecrets: ['whsec_1', 'whsec_2'],
  });
  expect(config.resend).toMatchObject({ sandboxed: false, baseUrl: undefined });
  expect(config.operatorChat).toMatchObject({ sandboxed: false, hosts: ['hooks.slack.com'] });
  expect(config.frankfurter).toMatchObject({ sandboxed: false, baseUrl: 'https://api.frankfurter.dev' });
  expect(config.marketPrices).toMatchObject({
    sandboxed: false,
    coinbaseUrl: 'https://api.coinbase.com',
    krakenUrl: 'https://api.kraken.com',
    coingeckoUrl: 'https://api.coingecko.com',
  });
});

test('hosts of chats are named without a scheme, and nothing else is one', () => {
  const hosts = (list: string) => loadConfig({ ...production, OPERATOR_CHAT_HOSTS: list }).operatorChat.hosts;
  expect(hosts(' Chat.Acme.example, chat.globex.example:8443,')).toEqual([
    'hooks.slack.com',
    'chat.acme.example',
    'chat.globex.example:8443',
  ]);
  for (const wrong of ['https://chat.acme.example', 'chat.acme.example/hooks', '*.acme.example', 'a b']) {
    expect(mistakesOf({ ...production, OPERATOR_CHAT_HOSTS: wrong })).toEqual([
      'OPERATOR_CHAT_HOSTS must be hosts without a scheme, separated by commas, such as chat.company.example.',
    ]);
  }
});

test('a key of CoinGecko goes to CoinGecko, and the sandbox stands in for the others', () => {
  expect(loadConfig({ COINGECKO_API_KEY: 'CG-SENTINEL' }).marketPrices).toMatchObject({
    sandboxed: true,
    krakenUrl: 'http://127.0.0.1:3015',
    coingeckoUrl: 'https://api.coingecko.com',
    coingeckoApiKey: 'CG-SENTINEL',
  });
  const named = { COINBASE_PRICES_URL: 'http://a', KRAKEN_URL: 'http://b/', COINGECKO_URL: 'http://c' };
  expect(loadConfig(named).marketPrices).toMatchObject({ sandboxed: false, krakenUrl: 'http://b' });
});

test('a live key is never sent to another server than the vendor', () => {
  expect(mistakesOf({ ...production, STRIPE_API_BASE: 'http://127.0.0.1:3010' })).toHaveLength(1);
});

const razorpay = {
  RAZORPAY_KEY_ID: 'rzp_live_SENTINEL',
  RAZORPAY_KEY_SECRET: 'a-secret-of-enough-length',
  RAZORPAY_WEBHOOK_SECRETS: 'new, old',
};

test('Razorpay is off in production until it has a key, and believes nobody', () => {
  expect(loadConfig(production).razorpay).toMatchObject({ enabled: false, webhookSecrets: [] });
  expect(loadConfig({ ...production, ...razorpay }).razorpay).toMatchObject({
    enabled: true,
    sandboxed: false,
    apiBase: undefined,
    webhookSecrets: ['new', 'old'],
  });
});

test.each(Object.keys(razorpay))('Razorpay is not set up without %s', (name) => {
  expect(mistakesOf({ ...production, ...razorpay, [name]: undefined }).join()).toContain(
    name === 'RAZORPAY_KEY_ID' ? 'RAZORPAY_KEY_SECRET' : name,
  );
});

test('a live key of Razorpay is never sent to another server', () => {
  expect(mistakesOf({ ...production, ...razorpay, RAZORPAY_API_BASE: 'http://127.0.0.1:3012' })).toHaveLength(
    1,
  );
});

const coinbase = {
  COINBASE_BUSINESS_KEY_NAME: 'organizations/1/apiKeys/2',
  COINBASE_BUSINESS_PRIVATE_KEY: `${'A'.repeat(86)}==`,
  COINBASE_BUSINESS_WEBHOOK_SECRETS: 'new, old',
};

test('Coinbase is off in production until it has a key, and believes nobody', () => {
  expect(loadConfig(production).coinbase).toMatchObject({
    enabled: false,
    webhookSecrets: [],
    commerceWebhookSecrets: [],
  });
  const given = { ...production, ...coinbase, COINBASE_COMMERCE_WEBHOOK_SECRETS: 'a,b' };
  expect(loadConfig(given).coinbase).toMatchObject({
    enabled: true,
    sandboxed: false,
    apiBase: undefined,
    webhookSecrets: ['new', 'old'],
    commerceWebhookSecrets: ['a', 'b'],
  });
});

test.each(Object.keys(coinbase))('Coinbase is not set up without %s', (name) => {
  expect(mistakesOf({ ...production, ...coinbase, [name]: undefined }).join()).toContain(
    name === 'COINBASE_BUSINESS_KEY_NAME' ? 'COINBASE_BUSINESS_PRIVATE_KEY' : name,
  );
});

const plaid = { PLAID_CLIENT_ID: 'client-SENTINEL', PLAID_SECRET: 'a-secret-of-enough-length' };

test('Plaid is off in production until it has a key, which is then the one of production', () => {
  expect(loadConfig(production).plaid).toMatchObject({ enabled: false });
  expect(loadConfig({ ...production, ...plaid }).plaid).toMatchObject({
    enabled: true,
    sandboxed: false,
    environment: 'production',
    apiBase: undefined,
  });
  expect(loadConfig({ ...production, ...plaid, PLAID_ENVIRONMENT: 'sandbox' }).plaid.environment).toBe(
    'sandbox',
  );
  expect(loadConfig(plaid).plaid).toMatchObject({ sandboxed: false, environment: 'sandbox' });
});

test.each(Object.keys(plaid))('Plaid is not set up without %s', (name) => {
  expect(mistakesOf({ ...production, ...plaid, [name]: undefined }).join()).toContain(name);
});

test('the secret of Plaid in production is never sent to another server', () => {
  const elsewhere = { ...production, ...plaid, PLAID_API_BASE: 'http://127.0.0.1:3016' };
  expect(mistakesOf(elsewhere)).toHaveLength(1);
  expect(loadConfig({ ...elsewhere, PLAID_ENVIRONMENT: 'sandbox' }).plaid.apiBase).toBe(
    'http://127.0.0.1:3016',
  );
});

test('the first encryption key is active and the others still decrypt', () => {
  const key = (fill: number) => Buffer.alloc(32, fill).toString('base64');
  const { encryption } = loadConfig({ PERENNIAL_ENCRYPTION_KEYS: `new:${key(2)},old:${key(1)}` });
  expect(encryption.activeKeyId).toBe('new');
  expect([...encryption.keys.keys()]).toEqual(['new', 'old']);
});

test.each([
  ['too short a key', `k:${Buffer.alloc(16).toString('base64')}`],
  ['no key id', Buffer.alloc(32).toString('base64')],
  [
    'the same key id twice',
    `k:${Buffer.alloc(32).toString('base64')},k:${Buffer.alloc(32).toString('base64')}`,
  ],
])('encryption keys with %s are refused', (_what, keys) => {
  expect(mistakesOf({ PERENNIAL_ENCRYPTION_KEYS: keys })).toHaveLength(1);
});

test('settings cannot be changed after they were read', () => {
  const config = loadConfig({});
  expect(() => {
    (config.api as { port: number }).port = 1;
  }).toThrow(TypeError);
});

function mistakesOf(env: Record<string, string | undefined>): readonly string[] {
  try {
    loadConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.mistakes;
    throw error;
  }
  return [];
}

test('a chain is watched where it has nodes, on a local network unless this is production', () => {
  const { chains } = loadConfig({ BITCOIN_NODES: 'http://u:p@127.0.0.1:18334, https://node.example' });
  expect(chains.network).toBe('local');
  expect(chains.watched.bitcoin).toEqual({
    nodes: ['http://u:p@127.0.0.1:18334', 'https://node.example'],
    startHeight: null,
    usdc: null,
  });
  expect(chains.watched.ethereum.nodes).toEqual([]);
  expect(loadConfig(production).chains.network).toBe('mainnet');
});

test('nodes, heights and contracts that cannot be meant are refused', () => {
  const usdc = `0x${'a'.repeat(40)}`;
  expect(loadConfig({ BASE_USDC: usdc, BASE_START_HEIGHT: '0' }).chains.watched.base).toMatchObject({
    usdc,
    startHeight: 0,
  });
  const mistakes = mistakesOf({
    BASE_NODES: 'ftp://node',
    POLYGON_START_HEIGHT: '-1',
    ETHEREUM_USDC: '0x12',
  });
  expect(mistakes.map((mistake) => mistake.split(' ')[0])).toEqual([
    'BASE_NODES',
    'POLYGON_START_HEIGHT',
    'ETHEREUM_USDC',
  ]);
  expect(mistakesOf({ CRYPTO_NETWORK: 'testnet', BASE_USDC: usdc })).toEqual([
    'BASE_USDC is for CRYPTO_NETWORK=local only; elsewhere the contract of USDC is known: unset it.',
  ]);
});

test('payments in coins are as usual where nothing is set', () => {
  const { settings, approvalUsdMinor } = loadConfig({}).chains;
  expect(cryptoPolicyOn('mainnet', settings)).toEqual(cryptoPolicyOn('mainnet'));
  expect(approvalUsdMinor).toBe(APPROVAL_USD_MINOR);
});

test('every number of payments in coins that is set becomes part of the policy', () => {
  const { settings, approvalUsdMinor } = loadConfig({
    CRYPTO_QUOTE_MINUTES: '20',
    CRYPTO_TOLERANCE_BPS: '0',
    CRYPTO_LARGE_USD: '500',
    CRYPTO_BITCOIN_DEPTH: '1',
    CRYPTO_BITCOIN_LARGE_DEPTH: '8',
    CRYPTO_EVM_DEPTH: '30',
    CRYPTO_EVM_LARGE_DEPTH: '60',
    CRYPTO_FINAL_DEPTH: '200',
    CRYPTO_LATE: 'auto',
    CRYPTO_SLOW_MINUTES: '30',
    CRYPTO_CONFIRMATION_TIMEOUT_MINUTES: '30',
    CRYPTO_RATE_SOURCES: '3',
    CRYPTO_RATE_MAX_AGE_SECONDS: '120',
    CRYPTO_RATE_SPREAD_BPS: '100',
    CRYPTO_BITCOIN_PAUSE_REORG_DEPTH: '2',
    CRYPTO_EVM_PAUSE_REORG_DEPTH: '10',
    CRYPTO_APPROVAL_USD: '0',
  }).chains;
  expect(settings).toEqual({
    quoteMinutes: 20,
    toleranceBps: 0,
    largeUsdMinor: 50_000,
    depth: { bitcoin: { small: 1, large: 8 }, evm: { small: 30, large: 60 } },
    finalDepth: 200,
    late: 'auto',
    slowMinutes: 30,
    confirmationTimeoutMinutes: 30,
    rateSources: 3,
    rateMaxAgeSeconds: 120,
    rateSpreadBps: 100,
    pauseReorgDepth: { bitcoin: 2, evm: 10 },
  });
  expect(approvalUsdMinor).toBe(0);
  expect(cryptoPolicyOn('testnet', settings)).toMatchObject(settings);
});

test.each([
  ['CRYPTO_QUOTE_MINUTES', '0'],
  ['CRYPTO_TOLERANCE_BPS', '1001'],
  ['CRYPTO_TOLERANCE_BPS', '-1'],
  ['CRYPTO_LARGE_USD', '99.5'],
  ['CRYPTO_BITCOIN_DEPTH', '0'],
  ['CRYPTO_EVM_LARGE_DEPTH', 'safe'],
  ['CRYPTO_LATE', 'accept'],
  ['CRYPTO_RATE_SOURCES', '1'],
  ['CRYPTO_RATE_SOURCES', '4'],
  ['CRYPTO_RATE_MAX_AGE_SECONDS', '901'],
  ['CRYPTO_BITCOIN_PAUSE_REORG_DEPTH', '0'],
  ['CRYPTO_APPROVAL_USD', 'none'],
])('%s cannot be %s', (name, value) => {
  const mistakes = mistakesOf({ [name]: value });
  expect(mistakes.map((mistake) => mistake.split(' must be ')[0])).toEqual([name]);
});

test.each([
  [{ CRYPTO_BITCOIN_DEPTH: '7' }, 'CRYPTO_BITCOIN_LARGE_DEPTH is less than CRYPTO_BITCOIN_DEPTH'],
  [{ CRYPTO_EVM_LARGE_DEPTH: '11' }, 'CRYPTO_EVM_LARGE_DEPTH is less than CRYPTO_EVM_DEPTH'],
  [{ CRYPTO_FINAL_DEPTH: '65', CRYPTO_EVM_LARGE_DEPTH: '33' }, 'CRYPTO_FINAL_DEPTH is less than twice'],
  [{ CRYPTO_EVM_PAUSE_REORG_DEPTH: '101' }, 'CRYPTO_EVM_PAUSE_REORG_DEPTH is more than CRYPTO_FINAL_DEPTH'],
  [
    { CRYPTO_CONFIRMATION_TIMEOUT_MINUTES: '59' },
    'CRYPTO_CONFIRMATION_TIMEOUT_MINUTES is less than CRYPTO_SLOW_MINUTES',
  ],
])('numbers of payments in coins that cannot hold together are refused: %o', (env, mistake) => {
  expect(mistakesOf(env)).toEqual([expect.stringContaining(mistake)]);
});

test('mistakes in payments in coins are named with all others, each once and without its value', () => {
  const mistakes = mistakesOf({
    API_PORT: 'x',
    CRYPTO_TOLERANCE_BPS: '4242',
    CRYPTO_BITCOIN_DEPTH: '4242',
    CRYPTO_SLOW_MINUTES: '424',
  });
  expect(mistakes.map((mistake) => mistake.split(' ')[0])).toEqual([
    'API_PORT',
    'CRYPTO_TOLERANCE_BPS',
    'CRYPTO_BITCOIN_DEPTH',
    'CRYPTO_CONFIRMATION_TIMEOUT_MINUTES',
  ]);
  expect(mistakes.join()).not.toContain('424');
});

test('files are in a folder of this machine, unless a bucket is named', () => {
  const { storage, home } = loadConfig({});
  expect(storage).toEqual({ kind: 'disk', folder: join(home, 'files') });
  expect(loadConfig(production).storage).toEqual({ kind: 'disk', folder: '/var/lib/perennial/files' });
  const bucket = { STORAGE_BUCKET: 'proofs', STORAGE_REGION: 'eu-central-1' };
  expect(loadConfig({ ...production, ...bucket, STORAGE_FOLDER: undefined }).storage).toEqual({
    kind: 's3',
    bucket: 'proofs',
    region: 'eu-central-1',
    endpoint: undefined,
    pathStyle: false,
    credentials: undefined,
  });
  const elsewhere = {
    STORAGE_ENDPOINT: 'http://127.0.0.1:9000/',
    STORAGE_ACCESS_KEY_ID: 'key',
    STORAGE_SECRET_ACCESS_KEY: 'of-the-key',
  };
  expect(loadConfig({ ...bucket, ...elsewhere }).storage).toMatchObject({
    endpoint: 'http://127.0.0.1:9000',
    pathStyle: true,
    credentials: { accessKeyId: 'key', secretAccessKey: 'of-the-key' },
  });
});

test('half of a key, and settings of a bucket that is not named, are mistakes', () => {
  const mistakes = mistakesOf({ STORAGE_ACCESS_KEY_ID: 'key', STORAGE_REGION: 'eu-central-1' });
  expect(mistakes.map((mistake) => mistake.split(' ')[0])).toEqual([
    'STORAGE_ACCESS_KEY_ID',
    'STORAGE_REGION',
    'STORAGE_ACCESS_KEY_ID',
  ]);
  expect(mistakesOf({ STORAGE_FOLDER: 'files' }).join()).toContain('STORAGE_FOLDER');
});
