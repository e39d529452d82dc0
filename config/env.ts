// The settings of every process, read once from the environment.
// In development nothing needs to be set: vendors fall back to their sandboxes, secrets to fixed development
// values. In production every secret must be given. All mistakes are listed at once, each with what to do,
// and no value is ever repeated in a message, because a value may be a secret.

import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import {
  approvalUsdMinor,
  type CryptoSettings,
  cryptoMistakes,
  cryptoSettings,
  cryptoVariables,
} from './crypto-settings.ts';
import { localAdminUrl, localLoginUrl } from './local-database.ts';
import { type StorageConfig, storageConfig, storageMistakes, storageVariables } from './storage-settings.ts';

/** Everything a process may be told from outside, grouped by what it concerns. */
export type Config = {
  readonly environment: 'development' | 'test' | 'production';
  readonly logLevel: LogLevel;
  /** Where customers and vendors reach the API from outside; links in mails start with it. */
  readonly publicUrl: string;
  readonly api: { readonly host: string; readonly port: number };
  readonly database: {
    /** Connection of the API and the workers: a login that may step down to the app and system roles. */
    readonly url: string;
    /** Connection of the owner, used by migrations only. */
    readonly adminUrl: string;
    /** Port of the embedded server; meaningless when `external`. */
    readonly localPort: number;
    /** DATABASE_URL was given, so no embedded server is started. */
    readonly external: boolean;
  };
  readonly temporal: {
    readonly address: string;
    readonly namespace: string;
    readonly uiUrl: string;
    readonly localPort: number;
    readonly localUiPort: number;
    /** TEMPORAL_ADDRESS was given, so no dev server is started. */
    readonly external: boolean;
  };
  readonly encryption: {
    /** New payloads are encrypted with this key; the others only decrypt. */
    readonly activeKeyId: string;
    readonly keys: ReadonlyMap<string, Uint8Array>;
  };
  /** HMAC key of the person keys in the ledger of granted trials. */
  readonly personKeySecret: string;
  readonly stripe: {
    readonly secretKey: string;
    /** Any of these may have signed a webhook; two during a rotation. */
    readonly webhookSecrets: readonly string[];
    /** Undefined means Stripe itself. */
    readonly apiBase: string | undefined;
    /** Stripe Tax is set up in the account, so that tenants may choose it; always in the sandbox. */
    readonly taxEnabled: boolean;
    readonly sandboxPort: number;
    /** No key was given: the sandbox stands in for Stripe. */
    readonly sandboxed: boolean;
  };
  readonly razorpay: {
    /** False in production without a key: no order is made, and no webhook is believed. */
    readonly enabled: boolean;
    /** Public: the checkout in the customer's browser needs it. */
    readonly keyId: string;
    readonly keySecret: string;
    /** Any of these may have signed a webhook; two during a rotation, for a day after it. */
    readonly webhookSecrets: readonly string[];
    /** Undefined means Razorpay itself. */
    readonly apiBase: string | undefined;
    readonly sandboxPort: number;
    /** No key was given: the sandbox stands in for Razorpay. */
    readonly sandboxed: boolean;
  };
  readonly coinbase: {
    /** False in production without a key: no checkout is made, and no webhook of Coinbase Business is believed. */
    readonly enabled: boolean;
    readonly keyName: string;
    /** PEM of an EC key, or an Ed25519 key in base64. */
    readonly privateKey: string;
    /** Any of these may have signed a webhook of Coinbase Business; two during a rotation. */
    readonly webhookSecrets: readonly string[];
    /** The same of Coinbase Commerce, which makes no charges any more; none in production unless given. */
    readonly commerceWebhookSecrets: readonly string[];
    /** Undefined means Coinbase itself. */
    readonly apiBase: string | undefined;
    readonly sandboxPort: number;
    /** No key was given: the sandbox stands in for Coinbase. */
    readonly sandboxed: boolean;
  };
  readonly plaid: {
    /** False in production without a key: no bank is connected, and no webhook of Plaid is believed. */
    readonly enabled: boolean;
    readonly clientId: string;
    readonly secret: string;
    /** Which of Plaid's own two; each has a secret of its own. */
    readonly environment: 'production' | 'sandbox';
    /** Undefined means Plaid itself. */
    readonly apiBase: string | undefined;
    readonly sandboxPort: number;
    /** No key was given: the sandbox stands in for Plaid. */
    readonly sandboxed: boolean;
  };
  readonly resend: {
    readonly apiKey: string;
    /** Undefined means Resend itself. */
    readonly baseUrl: string | undefined;
    readonly sandboxPort: number;
    readonly sandboxed: boolean;
    readonly mailFrom: string;
  };
  /** Where operators' notices may be posted. */
  readonly operatorChat: {
    /** Hosts of incoming webhooks that tenants may name: Slack's, those that were set and, but in production, the sandbox. */
    readonly hosts: readonly string[];
    readonly sandboxPort: number;
    /** It is not production: the sandbox may be named. */
    readonly sandboxed: boolean;
  };
  readonly frankfurter: {
    /** Where reference rates are read; in production Frankfurter itself, unless another server was named. */
    readonly baseUrl: string;
    readonly sandboxPort: number;
    /** No server was named, and it is not production: the sandbox stands in. */
    readonly sandboxed: boolean;
  };
  readonly marketPrices: {
    /** Where the prices of coins are read; in production the sources themselves, unless other servers were named. */
    readonly coinbaseUrl: string;
    readonly krakenUrl: string;
    readonly coingeckoUrl: string;
    /** More questions a minute than without one. */
    readonly coingeckoApiKey: string | undefined;
    readonly sandboxPort: number;
    /** One of the servers was not named, and it is not production: the sandbox stands in for it. */
    readonly sandboxed: boolean;
  };
  /** Where the files are that people send. */
  readonly storage: StorageConfig;
  readonly chains: {
    readonly network: 'mainnet' | 'testnet' | 'local';
    /** A chain without nodes is not watched. */
    readonly watched: Readonly<Record<'bitcoin' | 'ethereum' | 'base' | 'polygon', WatchedChainConfig>>;
    /** What is set instead of the usual policy of payments in coins; an offer keeps what held when it was made. */
    readonly settings: CryptoSettings;
    /** What an operator decides about so many cents of US dollars or more, a second person approves. */
    readonly approvalUsdMinor: number;
    /** Ports of the chains that development runs where no node was named. */
    readonly localPorts: { readonly bitcoin: number; readonly ethereum: number };
  };
  readonly worker: {
    /** Where health, metrics and the codec endpoint listen. */
    readonly host: string;
    readonly port: number;
    readonly metricsPort: number;
    readonly codecPort: number;
    /** Prebuilt workflow bundle; undefined means bundling at start. */
    readonly bundlePath: string | undefined;
    readonly maxCachedWorkflows: number | undefined;
    /** Both set: Worker Deployment Versioning is on. */
    readonly deploymentName: string | undefined;
    readonly buildId: string | undefined;
  };
  /** Length of a "day" for the demo tenant only. */
  readonly demoDaySeconds: number;
  /** Where the servers of development keep their state. */
  readonly home: string;
  /** Where built server binaries are kept, shared by all checkouts of this user. */
  readonly cacheDir: string;
};

export type WatchedChainConfig = {
  /** URLs, with credentials where the node wants them: secrets. */
  readonly nodes: readonly string[];
  /** Where a chain that was never read is begun; null for its tip. */
  readonly startHeight: number | null;
  /** The contract of USDC on a chain of this machine; null elsewhere, where it is known. */
  readonly usdc: string | null;
};

export type LogLevel = (typeof logLevels)[number];

/**
 * Reads and checks the environment. Throws one ConfigError that lists every mistake.
 */
export function loadConfig(env: Environment = process.env): Config {
  const given = withoutEmpty(env);
  const parsed = variables.safeParse(given);
  const mistakes = [
    ...(parsed.success ? [] : parsed.error.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`)),
    ...combinationMistakes(given),
  ];
  if (!parsed.success || mistakes.length > 0) throw new ConfigError(mistakes);
  return deepFreeze(toConfig(parsed.data));
}

/** The environment is wrong; `mistakes` has one sentence for each variable, without its value. */
export class ConfigError extends Error {
  readonly mistakes: readonly string[];

  constructor(mistakes: readonly string[]) {
    const count = mistakes.length === 1 ? 'one mistake' : `${mistakes.length} mistakes`;
    super(
      `The environment has ${count} (each variable is explained in .env.example):\n` +
        mistakes.map((mistake) => `  - ${mistake}`).join('\n'),
    );
    this.name = 'ConfigError';
    // Whoever started the program reads this; where in the code it was noticed says nothing.
    this.stack = this.message;
    this.mistakes = mistakes;
    Object.defineProperty(this, 'mistakes', { enumerable: false });
  }
}

type Environment = Readonly<Record<string, string | undefined>>;

const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

const port = (fallback: number) =>
  z.coerce
    .number({ error: 'must be a port number from 1 to 65535.' })
    .int('must be a port number from 1 to 65535.')
    .min(1, 'must be a port number from 1 to 65535.')
    .max(65_535, 'must be a port number from 1 to 65535.')
    .default(fallback);

const httpUrl = z
  .url({ protocol: /^https?$/, error: 'must be an http or https URL, such as http://127.0.0.1:3000.' })
  .transform((value) => value.replace(/\/+$/, ''));

const postgresUrl = z.url({
  protocol: /^postgres(ql)?$/,
  error: 'must look like postgres://user:password@host:5432/database.',
});

const encryptionKeys = z.string().transform((list, context) => {
  const keys = new Map<string, Uint8Array>();
  for (const [position, entry] of list.split(',').entries()) {
    const [keyId, encoded, ...rest] = entry.trim().split(':');
    const key = Buffer.from(encoded ?? '', 'base64');
    if (!keyId || rest.length > 0 || !/^[\w.-]+$/.test(keyId) || key.length !== 32) {
      context.addIssue({
        code: 'custom',
        message: `entry ${position + 1} must be <keyId>:<32 bytes in base64>; make a key with: openssl rand -base64 32`,
      });
    } else if (keys.has(keyId)) {
      context.addIssue({
        code: 'custom',
        message: `entry ${position + 1} repeats a key id; each id names one key.`,
      });
    } else {
      keys.set(keyId, new Uint8Array(key));
    }
  }
  return keys;
});

const commaSeparated = z.string().transform((list) =>
  list
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== ''),
);

const nodeUrls = commaSeparated.refine((urls) => urls.every((url) => /^https?:[/][/][^\s/]+/.test(url)), {
  error: 'must be http or https URLs of nodes, separated by commas.',
});
const chatHosts = commaSeparated
  .transform((hosts) => hosts.map((host) => host.toLowerCase()))
  .refine((hosts) => hosts.every((host) => /^[a-z0-9.-]+(:\d+)?$/.test(host)), {
    error: 'must be hosts without a scheme, separated by commas, such as chat.company.example.',
  });
const blockHeight = z.coerce
  .number({ error: 'must be the height of a block, 0 or more.' })
  .int('must be the height of a block, 0 or more.')
  .min(0, 'must be the height of a block, 0 or more.')
  .optional();
const contractAddress = z
  .string()
  .regex(/^0x[0-9a-fA-F]{40}$/, 'must be the address of a contract: 0x and 40 hexadecimal digits.')
  .optional();

const variables = z.object({
  NODE_ENV: z
    .enum(['development', 'test', 'production'], { error: 'must be development, test or production.' })
    .default('development'),
  LOG_LEVEL: z.enum(logLevels, { error: `must be one of ${logLevels.join(', ')}.` }).default('info'),

  API_HOST: z.string().default('127.0.0.1'),
  API_PORT: port(3000),
  PUBLIC_URL: httpUrl.optional(),

  DATABASE_URL: postgresUrl.optional(),
  DATABASE_ADMIN_URL: postgresUrl.optional(),
  POSTGRES_PORT: port(5433),

  TEMPORAL_ADDRESS: z
    .string()
    .regex(/^[^\s/]+:\d+$/, 'must be host:port without a scheme, such as 127.0.0.1:7233.')
    .optional(),
  TEMPORAL_NAMESPACE: z.string().default('perennial'),
  TEMPORAL_UI_URL: httpUrl.optional(),
  TEMPORAL_PORT: port(7233),
  TEMPORAL_UI_PORT: port(8233),

  PERENNIAL_ENCRYPTION_KEYS: encryptionKeys.optional(),
  PERSON_KEY_SECRET: z
    .string()
    .min(16, 'must have at least 16 characters; make one with: openssl rand -hex 32')
    .optional(),

  STRIPE_SECRET_KEY: z
    .string()
    .regex(
      /^(sk|rk)_(test|live)_/,
      'must be a secret or restricted key of Stripe (sk_test_…, sk_live_…, rk_…).',
    )
    .optional(),
  STRIPE_WEBHOOK_SECRETS: commaSeparated.optional(),
  STRIPE_API_BASE: httpUrl.optional(),
  STRIPE_TAX: z.enum(['on', 'off'], { error: 'must be on or off.' }).optional(),
  STRIPE_SANDBOX_PORT: port(3010),

  RAZORPAY_KEY_ID: z
    .string()
    .regex(/^rzp_(test|live)_\w+$/, 'must be a key id of Razorpay (rzp_test_…, rzp_live_…).')
    .optional(),
  RAZORPAY_KEY_SECRET: z.string().min(16, 'must be the secret of the key, 16 characters or more.').optional(),
  RAZORPAY_WEBHOOK_SECRETS: commaSeparated.optional(),
  RAZORPAY_API_BASE: httpUrl.optional(),
  RAZORPAY_SANDBOX_PORT: port(3012),

  COINBASE_BUSINESS_KEY_NAME: z
    .string()
    .regex(
      /^[\w-]+(\/[\w-]+)*$/,
      'must be the name of an API key of Coinbase (organizations/…/apiKeys/…, or its id).',
    )
    .optional(),
  COINBASE_BUSINESS_PRIVATE_KEY: z
    .string()
    .regex(
      /^(-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]+|[\w+/]{86}==)\s*$/,
      'must be the private key as Coinbase shows it: PEM of an EC key, or an Ed25519 key in base64.',
    )
    .optional(),
  COINBASE_BUSINESS_WEBHOOK_SECRETS: commaSeparated.optional(),
  COINBASE_BUSINESS_API_BASE: httpUrl.optional(),
  COINBASE_COMMERCE_WEBHOOK_SECRETS: commaSeparated.optional(),
  COINBASE_SANDBOX_PORT: port(3014),

  PLAID_CLIENT_ID: z
    .string()
    .regex(/^[\w-]{8,}$/, 'must be the client_id of your Plaid account.')
    .optional(),
  PLAID_SECRET: z
    .string()
    .min(16, 'must be the secret of the environment, 16 characters or more.')
    .optional(),
  PLAID_ENVIRONMENT: z
    .enum(['production', 'sandbox'], { error: 'must be production or sandbox.' })
    .optional(),
  PLAID_API_BASE: httpUrl.optional(),
  PLAID_SANDBOX_PORT: port(3016),

  RESEND_API_KEY: z.string().regex(/^re_/, 'must be an API key of Resend (re_…).').optional(),
  RESEND_BASE_URL: httpUrl.optional(),
  RESEND_SANDBOX_PORT: port(3011),
  MAIL_FROM: z
    .string()
    .regex(
      /^([^<>]+<[^<>\s@]+@[^<>\s@]+>|[^<>\s@]+@[^<>\s@]+)$/,
      'must be an address: name@host or Name <name@host>.',
    )
    .default('Perennial <billing@perennial.example>'),

  OPERATOR_CHAT_HOSTS: chatHosts.optional(),
  SLACK_SANDBOX_PORT: port(3017),

  FRANKFURTER_BASE_URL: httpUrl.optional(),
  FRANKFURTER_SANDBOX_PORT: port(3013),

  COINBASE_PRICES_URL: httpUrl.optional(),
  KRAKEN_URL: httpUrl.optional(),
  COINGECKO_URL: httpUrl.optional(),
  COINGECKO_API_KEY: z
    .string()
    .regex(/^[\w-]+$/, 'must be an API key of CoinGecko (CG-…).')
    .optional(),
  MARKET_PRICES_SANDBOX_PORT: port(3015),

  ...storageVariables,

  CRYPTO_NETWORK: z
    .enum(['mainnet', 'testnet', 'local'], { error: 'must be mainnet, testnet or local.' })
    .optional(),
  BITCOIN_NODES: nodeUrls.optional(),
  ETHEREUM_NODES: nodeUrls.optional(),
  BASE_NODES: nodeUrls.optional(),
  POLYGON_NODES: nodeUrls.optional(),
  BITCOIN_START_HEIGHT: blockHeight,
  ETHEREUM_START_HEIGHT: blockHeight,
  BASE_START_HEIGHT: blockHeight,
  POLYGON_START_HEIGHT: blockHeight,
  ETHEREUM_USDC: contractAddress,
  BASE_USDC: contractAddress,
  POLYGON_USDC: contractAddress,
  ...cryptoVariables,
  BTCD_PORT: port(3020),
  ANVIL_PORT: port(3021),

  WORKER_HOST: z.string().default('127.0.0.1'),
  WORKER_PORT: port(3002),
  METRICS_PORT: port(3003),
  CODEC_PORT: port(3001),
  WORKFLOW_BUNDLE: z.string().optional(),
  MAX_CACHED_WORKFLOWS: z.coerce
    .number({ error: 'must be a whole number, 2 or more.' })
    .int('must be a whole number, 2 or more.')
    .min(2, 'must be a whole number, 2 or more.')
    .optional(),
  WORKER_DEPLOYMENT_NAME: z.string().optional(),
  WORKER_BUILD_ID: z.string().optional(),

  DEMO_DAY_SECONDS: z.coerce
    .number({ error: 'must be a number of seconds above 0.' })
    .positive('must be a number of seconds above 0.')
    .default(5),
  PERENNIAL_HOME: z.string().optional(),
  XDG_CACHE_HOME: z.string().optional(),
});

/** Every variable this program reads, in the order of `.env.example`. */
export const variableNames: readonly string[] = Object.keys(variables.shape);

/** Public on purpose: development data is protected by being on this machine only. */
const developmentSecrets = {
  encryptionKey: new Uint8Array(Buffer.from('perennial-development-key-32byte')),
  personKey: 'perennial-development-person-key',
  stripeKey: 'sk_test_sandbox',
  stripeWebhook: 'whsec_sandbox',
  razorpayKeyId: 'rzp_test_sandbox',
  razorpayKeySecret: 'razorpay_sandbox_secret',
  razorpayWebhook: 'razorpay_sandbox_webhook',
  coinbaseKeyName: 'organizations/sandbox/apiKeys/sandbox',
  coinbasePrivateKey:
    'cGVyZW5uaWFsLWRldmVsb3BtZW50LWNvaW5iYXNlLWtJhLqdqnxkJmg3Y+lwFycDuL2Ej/mY1Eifyp6zXhUGoA==',
  coinbaseWebhook: 'coinbase_sandbox_webhook',
  coinbaseCommerceWebhook: 'coinbase_commerce_sandbox_webhook',
  plaidClientId: 'plaid_sandbox_client',
  plaidSecret: 'plaid_sandbox_secret',
  resendKey: 're_sandbox',
} as const;

/** What is wrong only in combination; looks at raw values, so that it runs even when single ones are wrong. */
function combinationMistakes(env: Environment): string[] {
  const mistakes: string[] = [];
  if (env['NODE_ENV'] === 'production') mistakes.push(...missingInProduction(env));
  if (env['STRIPE_SECRET_KEY']?.includes('_live_') && env['STRIPE_API_BASE']) {
    mistakes.push('STRIPE_API_BASE must not be set with a live STRIPE_SECRET_KEY; unset one of the two.');
  }
  if (env['STRIPE_SECRET_KEY'] && !env['STRIPE_API_BASE'] && !env['STRIPE_WEBHOOK_SECRETS']) {
    mistakes.push(
      'STRIPE_WEBHOOK_SECRETS is missing; copy the signing secret of your webhook endpoint from the Stripe dashboard.',
    );
  }
  mistakes.push(
    ...razorpayMistakes(env),
    ...coinbaseMistakes(env),
    ...plaidMistakes(env),
    ...storageMistakes(env),
    ...chainMistakes(env),
    ...cryptoMistakes(env),
  );
  if (Boolean(env['WORKER_DEPLOYMENT_NAME']) !== Boolean(env['WORKER_BUILD_ID'])) {
    mistakes.push(
      'WORKER_DEPLOYMENT_NAME and WORKER_BUILD_ID switch versioning on together; set both or neither.',
    );
  }
  if (env['DATABASE_ADMIN_URL'] && !env['DATABASE_URL']) {
    mistakes.push(
      'DATABASE_URL is missing beside DATABASE_ADMIN_URL; set both, or neither for the embedded server.',
    );
  }
  return mistakes;
}

function razorpayMistakes(env: Environment): string[] {
  const mistakes: string[] = [];
  if (Boolean(env['RAZORPAY_KEY_ID']) !== Boolean(env['RAZORPAY_KEY_SECRET'])) {
    mistakes.push('RAZORPAY_KEY_ID and RAZORPAY_KEY_SECRET belong together; set both or neither.');
  }
  if (env['RAZORPAY_KEY_ID']?.includes('_live_') && env['RAZORPAY_API_BASE']) {
    mistakes.push('RAZORPAY_API_BASE must not be set with a live RAZORPAY_KEY_ID; unset one of the two.');
  }
  if (env['RAZORPAY_KEY_ID'] && !env['RAZORPAY_API_BASE'] && !env['RAZORPAY_WEBHOOK_SECRETS']) {
    mistakes.push(
      'RAZORPAY_WEBHOOK_SECRETS is missing; set the secret that you gave your webhook in the Razorpay dashboard.',
    );
  }
  return mistakes;
}

function chainMistakes(env: Environment): string[] {
  if (networkOf(env) === 'local') return [];
  return ['ETHEREUM_USDC', 'BASE_USDC', 'POLYGON_USDC']
    .filter((name) => env[name])
    .map(
      (name) =>
        `${name} is for CRYPTO_NETWORK=local only; elsewhere the contract of USDC is known: unset it.`,
    );
}

/** In development nothing of value moves unless somebody says so. */
function networkOf(env: Environment): Config['chains']['network'] {
  const named = env['CRYPTO_NETWORK'];
  if (named === 'mainnet' || named === 'testnet' || named === 'local') return named;
  return env['NODE_ENV'] === 'production' ? 'mainnet' : 'local';
}

function coinbaseMistakes(env: Environment): string[] {
  const mistakes: string[] = [];
  if (Boolean(env['COINBASE_BUSINESS_KEY_NAME']) !== Boolean(env['COINBASE_BUSINESS_PRIVATE_KEY'])) {
    mistakes.push(
      'COINBASE_BUSINESS_KEY_NAME and COINBASE_BUSINESS_PRIVATE_KEY belong together; set both or neither.',
    );
  }
  const isReal = env['COINBASE_BUSINESS_KEY_NAME'] && !env['COINBASE_BUSINESS_API_BASE'];
  if (isReal && !env['COINBASE_BUSINESS_WEBHOOK_SECRETS']) {
    mistakes.push(
      "COINBASE_BUSINESS_WEBHOOK_SECRETS is missing; set the secret that Coinbase showed when the webhook's subscription was made.",
    );
  }
  return mistakes;
}

/** Its webhooks are signed with keys that Plaid shows: there is no secret of them to be forgotten. */
function plaidMistakes(env: Environment): string[] {
  const mistakes: string[] = [];
  if (Boolean(env['PLAID_CLIENT_ID']) !== Boolean(env['PLAID_SECRET'])) {
    mistakes.push('PLAID_CLIENT_ID and PLAID_SECRET belong together; set both or neither.');
  }
  if (env['PLAID_SECRET'] && env['PLAID_API_BASE'] && plaidEnvironmentOf(env) === 'production') {
    mistakes.push(
      'PLAID_API_BASE must not be set with the PLAID_SECRET of production; unset it, or set PLAID_ENVIRONMENT=sandbox with the secret of that one.',
    );
  }
  return mistakes;
}

/** In development nobody's real bank is read unless somebody says so. */
function plaidEnvironmentOf(env: Environment): Config['plaid']['environment'] {
  const named = env['PLAID_ENVIRONMENT'];
  if (named === 'production' || named === 'sandbox') return named;
  return env['NODE_ENV'] === 'production' ? 'production' : 'sandbox';
}

function missingInProduction(env: Environment): string[] {
  const required: Record<string, string> = {
    DATABASE_URL: 'set the connection of the API and the workers.',
    PERENNIAL_ENCRYPTION_KEYS: 'set <keyId>:<key>, with a key made by: openssl rand -base64 32',
    PERSON_KEY_SECRET: 'set a random secret made by: openssl rand -hex 32',
    PUBLIC_URL: 'set the address under which customers and vendors reach the API.',
    MAIL_FROM: 'set the sender of all mail, such as Billing <billing@your-company.example>.',
  };
  const mistakes = Object.entries(required)
    .filter(([name]) => !env[name])
    .map(([name, advice]) => `${name} is required in production; ${advice}`);
  if (!env['STRIPE_SECRET_KEY'] && !env['STRIPE_API_BASE']) {
    mistakes.push(
      'STRIPE_SECRET_KEY is required in production; set it, or set STRIPE_API_BASE to a sandbox on purpose.',
    );
  }
  if (!env['RESEND_API_KEY'] && !env['RESEND_BASE_URL']) {
    mistakes.push(
      'RESEND_API_KEY is required in production; set it, or set RESEND_BASE_URL to a sandbox on purpose.',
    );
  }
  return mistakes;
}

function toConfig(env: z.infer<typeof variables>): Config {
  const home = resolve(env.PERENNIAL_HOME ?? join(import.meta.dirname, '..', '.perennial'));
  const keys = env.PERENNIAL_ENCRYPTION_KEYS ?? new Map([['development', developmentSecrets.encryptionKey]]);
  return {
    environment: env.NODE_ENV,
    logLevel: env.LOG_LEVEL,
    publicUrl: env.PUBLIC_URL ?? `http://127.0.0.1:${env.API_PORT}`,
    api: { host: env.API_HOST, port: env.API_PORT },
    database: {
      url: env.DATABASE_URL ?? localLoginUrl({ port: env.POSTGRES_PORT }),
      adminUrl: env.DATABASE_ADMIN_URL ?? env.DATABASE_URL ?? localAdminUrl({ port: env.POSTGRES_PORT }),
      localPort: env.POSTGRES_PORT,
      external: env.DATABASE_URL !== undefined,
    },
    temporal: {
      address: env.TEMPORAL_ADDRESS ?? `127.0.0.1:${env.TEMPORAL_PORT}`,
      namespace: env.TEMPORAL_NAMESPACE,
      uiUrl: env.TEMPORAL_UI_URL ?? `http://127.0.0.1:${env.TEMPORAL_UI_PORT}`,
      localPort: env.TEMPORAL_PORT,
      localUiPort: env.TEMPORAL_UI_PORT,
      external: env.TEMPORAL_ADDRESS !== undefined,
    },
    encryption: { activeKeyId: [...keys.keys()][0] ?? 'development', keys },
    personKeySecret: env.PERSON_KEY_SECRET ?? developmentSecrets.personKey,
    stripe: {
      secretKey: env.STRIPE_SECRET_KEY ?? developmentSecrets.stripeKey,
      webhookSecrets: env.STRIPE_WEBHOOK_SECRETS ?? [developmentSecrets.stripeWebhook],
      apiBase:
        env.STRIPE_API_BASE ??
        (env.STRIPE_SECRET_KEY ? undefined : `http://127.0.0.1:${env.STRIPE_SANDBOX_PORT}`),
      taxEnabled:
        env.STRIPE_TAX === undefined ? env.STRIPE_SECRET_KEY === undefined : env.STRIPE_TAX === 'on',
      sandboxPort: env.STRIPE_SANDBOX_PORT,
      sandboxed: env.STRIPE_SECRET_KEY === undefined,
    },
    razorpay: razorpayConfig(env),
    coinbase: coinbaseConfig(env),
    plaid: plaidConfig(env),
    resend: {
      apiKey: env.RESEND_API_KEY ?? developmentSecrets.resendKey,
      baseUrl:
        env.RESEND_BASE_URL ??
        (env.RESEND_API_KEY ? undefined : `http://127.0.0.1:${env.RESEND_SANDBOX_PORT}`),
      sandboxPort: env.RESEND_SANDBOX_PORT,
      sandboxed: env.RESEND_API_KEY === undefined,
      mailFrom: env.MAIL_FROM,
    },
    operatorChat: operatorChatConfig(env),
    frankfurter: frankfurterConfig(env),
    marketPrices: marketPricesConfig(env),
    storage: storageConfig(env, { home }),
    chains: chainsConfig(env),
    worker: {
      host: env.WORKER_HOST,
      port: env.WORKER_PORT,
      metricsPort: env.METRICS_PORT,
      codecPort: env.CODEC_PORT,
      bundlePath: env.WORKFLOW_BUNDLE,
      maxCachedWorkflows: env.MAX_CACHED_WORKFLOWS,
      deploymentName: env.WORKER_DEPLOYMENT_NAME,
      buildId: env.WORKER_BUILD_ID,
    },
    demoDaySeconds: env.DEMO_DAY_SECONDS,
    home,
    cacheDir: join(env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'perennial'),
  };
}

/** The fixed secrets of development would let anybody sign a webhook: in production nothing is signed with them. */
function razorpayConfig(env: z.infer<typeof variables>): Config['razorpay'] {
  const sandboxed = env.RAZORPAY_KEY_ID === undefined;
  const enabled = !sandboxed || env.RAZORPAY_API_BASE !== undefined || env.NODE_ENV !== 'production';
  return {
    enabled,
    keyId: env.RAZORPAY_KEY_ID ?? developmentSecrets.razorpayKeyId,
    keySecret: env.RAZORPAY_KEY_SECRET ?? developmentSecrets.razorpayKeySecret,
    webhookSecrets: enabled ? (env.RAZORPAY_WEBHOOK_SECRETS ?? [developmentSecrets.razorpayWebhook]) : [],
    apiBase:
      env.RAZORPAY_API_BASE ?? (sandboxed ? `http://127.0.0.1:${env.RAZORPAY_SANDBOX_PORT}` : undefined),
    sandboxPort: env.RAZORPAY_SANDBOX_PORT,
    sandboxed,
  };
}

/** As Razorpay's. Charges of Coinbase Commerce need no key, only the secret that signs what is told of them. */
function coinbaseConfig(env: z.infer<typeof variables>): Config['coinbase'] {
  const sandboxed = env.COINBASE_BUSINESS_KEY_NAME === undefined;
  const isProduction = env.NODE_ENV === 'production';
  const enabled = !sandboxed || env.COINBASE_BUSINESS_API_BASE !== undefined || !isProduction;
  const { coinbaseWebhook, coinbaseCommerceWebhook, coinbaseKeyName, coinbasePrivateKey } =
    developmentSecrets;
  return {
    enabled,
    keyName: env.COINBASE_BUSINESS_KEY_NAME ?? coinbaseKeyName,
    privateKey: env.COINBASE_BUSINESS_PRIVATE_KEY ?? coinbasePrivateKey,
    webhookSecrets: enabled ? (env.COINBASE_BUSINESS_WEBHOOK_SECRETS ?? [coinbaseWebhook]) : [],
    commerceWebhookSecrets:
      env.COINBASE_COMMERCE_WEBHOOK_SECRETS ?? (isProduction ? [] : [coinbaseCommerceWebhook]),
    apiBase:
      env.COINBASE_BUSINESS_API_BASE ??
      (sandboxed ? `http://127.0.0.1:${env.COINBASE_SANDBOX_PORT}` : undefined),
    sandboxPort: env.COINBASE_SANDBOX_PORT,
    sandboxed,
  };
}

/** As Razorpay's. */
function plaidConfig(env: z.infer<typeof variables>): Config['plaid'] {
  const sandboxed = env.PLAID_CLIENT_ID === undefined;
  return {
    enabled: !sandboxed || env.PLAID_API_BASE !== undefined || env.NODE_ENV !== 'production',
    clientId: env.PLAID_CLIENT_ID ?? developmentSecrets.plaidClientId,
    secret: env.PLAID_SECRET ?? developmentSecrets.plaidSecret,
    environment: plaidEnvironmentOf({ NODE_ENV: env.NODE_ENV, PLAID_ENVIRONMENT: env.PLAID_ENVIRONMENT }),
    apiBase: env.PLAID_API_BASE ?? (sandboxed ? `http://127.0.0.1:${env.PLAID_SANDBOX_PORT}` : undefined),
    sandboxPort: env.PLAID_SANDBOX_PORT,
    sandboxed,
  };
}

/** Requests go to these hosts from inside our network: a host that nobody has named is never spoken to. */
function operatorChatConfig(env: z.infer<typeof variables>): Config['operatorChat'] {
  const sandboxed = env.NODE_ENV !== 'production';
  const sandbox = sandboxed ? [`127.0.0.1:${env.SLACK_SANDBOX_PORT}`] : [];
  return {
    hosts: ['hooks.slack.com', ...(env.OPERATOR_CHAT_HOSTS ?? []), ...sandbox],
    sandboxPort: env.SLACK_SANDBOX_PORT,
    sandboxed,
  };
}

/** It needs no key, so what decides is whether this is production. */
function frankfurterConfig(env: z.infer<typeof variables>): Config['frankfurter'] {
  const sandboxed = env.FRANKFURTER_BASE_URL === undefined && env.NODE_ENV !== 'production';
  const itself = sandboxed
    ? `http://127.0.0.1:${env.FRANKFURTER_SANDBOX_PORT}`
    : 'https://api.frankfurter.dev';
  return {
    baseUrl: env.FRANKFURTER_BASE_URL ?? itself,
    sandboxPort: env.FRANKFURTER_SANDBOX_PORT,
    sandboxed,
  };
}

/** As with reference rates; but a key says that CoinGecko itself is meant. */
function marketPricesConfig(env: z.infer<typeof variables>): Config['marketPrices'] {
  const isProduction = env.NODE_ENV === 'production';
  const sandbox = `http://127.0.0.1:${env.MARKET_PRICES_SANDBOX_PORT}`;
  const coingeckoUrl =
    env.COINGECKO_URL ?? (env.COINGECKO_API_KEY === undefined ? undefined : COINGECKO_ITSELF);
  const named = [env.COINBASE_PRICES_URL, env.KRAKEN_URL, coingeckoUrl];
  return {
    coinbaseUrl: env.COINBASE_PRICES_URL ?? (isProduction ? 'https://api.coinbase.com' : sandbox),
    krakenUrl: env.KRAKEN_URL ?? (isProduction ? 'https://api.kraken.com' : sandbox),
    coingeckoUrl: coingeckoUrl ?? (isProduction ? COINGECKO_ITSELF : sandbox),
    coingeckoApiKey: env.COINGECKO_API_KEY,
    sandboxPort: env.MARKET_PRICES_SANDBOX_PORT,
    sandboxed: !isProduction && named.includes(undefined),
  };
}

const COINGECKO_ITSELF = 'https://api.coingecko.com';

function chainsConfig(env: z.infer<typeof variables>): Config['chains'] {
  const chain = (
    nodes: string[] | undefined,
    startHeight: number | undefined,
    usdc: string | undefined,
  ): WatchedChainConfig => ({
    nodes: nodes ?? [],
    startHeight: startHeight ?? null,
    usdc: usdc ?? null,
  });
  return {
    network: networkOf({ NODE_ENV: env.NODE_ENV, CRYPTO_NETWORK: env.CRYPTO_NETWORK }),
    watched: {
      bitcoin: chain(env.BITCOIN_NODES, env.BITCOIN_START_HEIGHT, undefined),
      ethereum: chain(env.ETHEREUM_NODES, env.ETHEREUM_START_HEIGHT, env.ETHEREUM_USDC),
      base: chain(env.BASE_NODES, env.BASE_START_HEIGHT, env.BASE_USDC),
      polygon: chain(env.POLYGON_NODES, env.POLYGON_START_HEIGHT, env.POLYGON_USDC),
    },
    settings: cryptoSettings(env),
    approvalUsdMinor: approvalUsdMinor(env),
    localPorts: { bitcoin: env.BTCD_PORT, ethereum: env.ANVIL_PORT },
  };
}

/** `VARIABLE=` in a file of settings means "not set". */
function withoutEmpty(env: Environment): Environment {
  return Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''));
}

function deepFreeze<T extends object>(value: T): T {
  for (const child of Object.values(value)) {
    const isPlain = Array.isArray(child) || Object.getPrototypeOf(child ?? 0) === Object.prototype;
    if (isPlain) deepFreeze(child as object);
  }
  return Object.freeze(value);
}
