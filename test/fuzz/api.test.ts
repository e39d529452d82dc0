/**
 * Every operation of the API meets requests that nobody thought of: whatever is sent, no answer is a server error, and
 * none is other than the OpenAPI document says.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../../config/env.ts';
import { MissingProgramError } from '../../config/local-binaries.ts';
import { progress } from '../../scripts/terminal.ts';
import { keepCoinsOpen } from './coins.ts';
import { describedOperations } from './described-operations.ts';
import { populate } from './population.ts';
import { type Product, startProduct } from './product.ts';
import { type FuzzResult, findSchemathesis, fuzz } from './schemathesis.ts';
import { startWrongApi } from './wrong-api.ts';

/** Another one sends other requests; a failure tells the one it was found with. */
const seed = Number(process.env['FUZZ_SEED'] ?? 20_301_231);
const STATEFUL = 'Stateful tests';
const operations = await describedOperations();
const python = await findPython();

describe.skipIf(python === undefined)(`whatever is sent to the API (FUZZ_SEED=${seed})`, () => {
  let product: Product;
  let folder: string;
  let settings: Omit<Parameters<typeof fuzz>[0], 'url'>;
  let result: FuzzResult;
  const troubles: string[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'perennial-schemathesis-'));
    product = await startProduct({
      env: () => ({ LOG_LEVEL: 'info' }),
      onLine: (name, line) => {
        if (/"level":"(error|fatal)"/.test(line)) troubles.push(`${name}: ${line}`);
      },
    });
    const { stripe, razorpay, coinbase } = product.stack.config;
    const [webhookSecret = ''] = stripe.webhookSecrets;
    const [razorpaySecret = ''] = razorpay.webhookSecrets;
    const [coinbaseSecret = ''] = coinbase.webhookSecrets;
    const [commerceSecret = ''] = coinbase.commerceWebhookSecrets;
    const razorpayKeySecret = razorpay.keySecret;
    const secrets = { webhookSecret, razorpaySecret, razorpayKeySecret, coinbaseSecret, commerceSecret };
    const { plaidSandbox } = product.stack.urls;
    const freshness = setInterval(() => void keepCoinsOpen(product.db), 2_000);
    try {
      settings = {
        python: python ?? '',
        ...secrets,
        plaidSandbox,
        seed,
        folder,
        ...(await populate(product)),
      };
      progress(`schemathesis tests ${operations.length} operations with the seed ${seed} …`);
      result = await fuzz({ ...settings, url: product.stack.urls.api });
    } finally {
      clearInterval(freshness);
    }
    progress(`schemathesis sent ${result.cases} requests`);
  }, 1_500_000);
  afterAll(async () => {
    await product?.close();
    await rm(folder, { recursive: true, force: true });
  });

  it.each([...operations, STATEFUL])('%s', (operation) => {
    expect(result.operations).toContain(operation);
    const found = result.findings.filter((finding) => finding.operation === operation);
    expect(found.map(({ text }) => text).join('\n\n')).toBe('');
  });

  it('is sent to the end, in thousands of requests', () => {
    expect(result.errors).toEqual([]);
    expect(result.cases).toBeGreaterThan(2_000);
    expect(result.operations.toSorted()).toEqual([...operations, STATEFUL].toSorted());
  });

  it('is not only refused: every operation was carried out', () => {
    expect(result.unreached).toEqual([]);
  });

  it('never makes the API or the workers report an error of their own', () => {
    expect(troubles).toEqual([]);
  });

  it('would be found wrong: a server that fails at an amount of 0 and answers other than it says', async () => {
    const wrong = await startWrongApi();
    try {
      const { findings } = await fuzz({ ...settings, url: wrong.url });
      const found = findings.map(({ text }) => text).join('\n');
      expect(found).toContain('Server error');
      expect(found).toContain('Undocumented status code');
      expect(found).toContain('Response violates schema');
    } finally {
      wrong.close();
    }
  });
});

/** A machine without Python does without this suite, and says so; CI does not. */
async function findPython(): Promise<string | undefined> {
  const { cacheDir } = loadConfig({ XDG_CACHE_HOME: process.env['XDG_CACHE_HOME'] });
  try {
    return await findSchemathesis({ cacheDir, report: progress });
  } catch (error) {
    if (!(error instanceof MissingProgramError) || process.env['CI'] === 'true') throw error;
    progress(`\n!!! THE API FUZZ IS SKIPPED. ${error.message}\n`);
    return undefined;
  }
}
