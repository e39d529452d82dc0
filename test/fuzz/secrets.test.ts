/**
 * Secrets and personal data stay where they belong: the life of a customer is lived on the real servers, and then
 * every place where data comes to rest is searched for what went through it.
 */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLogger } from '../../config/logger.ts';
import { createTemporalClient } from '../../temporal/connection.ts';
import { asOwner } from './owner.ts';
import {
  databasePlaces,
  openPlaces,
  type Place,
  type Sentinels,
  sightings,
  temporalFiles,
  temporalPlaces,
} from './places.ts';
import { beginPrivateLife, type PrivateLife, person, words } from './private-life.ts';
import { type Product, startProduct } from './product.ts';

const settings = {
  stripeKey: `sk_test_SENTINEL${random()}`,
  webhookSecret: `whsec_SENTINEL${random()}`,
  resendKey: `re_SENTINEL${random()}`,
  razorpaySecret: `razorpay-SENTINEL-${random()}`,
  razorpayWebhookSecret: `razorpay-webhook-SENTINEL-${random()}`,
  coinbaseKey: coinbaseKey(),
  plaidSecret: `plaid-SENTINEL-${random()}`,
  coinbaseWebhookSecret: `coinbase-webhook-SENTINEL-${random()}`,
  commerceWebhookSecret: `commerce-webhook-SENTINEL-${random()}`,
  encryptionKey: randomBytes(32).toString('base64'),
  personKey: `sentinel-person-key-${random()}`,
  chatSecret: `chatSENTINEL${random()}`,
};

/** An Ed25519 key as Coinbase shows it. */
function coinbaseKey(): string {
  const { d = '', x = '' } = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' });
  return Buffer.concat([d, x].map((part) => Buffer.from(part, 'base64url'))).toString('base64');
}

let product: Product;
let life: PrivateLife;
let secrets: Sentinels;
let cards: Sentinels;
let inDatabase: Place[];
let inDatabaseAfterErasure: Place[];
let inTemporal: Place[];
let onDisk: Place[];
let open: Place[];
const logs = new Map<string, string[]>();

beforeAll(async () => {
  product = await startProduct({
    env: (ports) => ({
      LOG_LEVEL: 'debug',
      STRIPE_SECRET_KEY: settings.stripeKey,
      STRIPE_WEBHOOK_SECRETS: settings.webhookSecret,
      STRIPE_API_BASE: `http://127.0.0.1:${ports.stripeSandbox}`,
      RAZORPAY_KEY_ID: 'rzp_test_public',
      RAZORPAY_KEY_SECRET: settings.razorpaySecret,
      RAZORPAY_WEBHOOK_SECRETS: settings.razorpayWebhookSecret,
      RAZORPAY_API_BASE: `http://127.0.0.1:${ports.razorpaySandbox}`,
      COINBASE_BUSINESS_KEY_NAME: 'organizations/public/apiKeys/public',
      COINBASE_BUSINESS_PRIVATE_KEY: settings.coinbaseKey,
      COINBASE_BUSINESS_WEBHOOK_SECRETS: settings.coinbaseWebhookSecret,
      COINBASE_BUSINESS_API_BASE: `http://127.0.0.1:${ports.coinbaseSandbox}`,
      COINBASE_COMMERCE_WEBHOOK_SECRETS: settings.commerceWebhookSecret,
      PLAID_CLIENT_ID: 'client_public',
      PLAID_SECRET: settings.plaidSecret,
      PLAID_API_BASE: `http://127.0.0.1:${ports.plaidSandbox}`,
      RESEND_API_KEY: settings.resendKey,
      RESEND_BASE_URL: `http://127.0.0.1:${ports.resendSandbox}`,
      PERENNIAL_ENCRYPTION_KEYS: `sentinel:${settings.encryptionKey}`,
      PERSON_KEY_SECRET: settings.personKey,
    }),
    onLine: (name, line) => logs.set(name, [...(logs.get(name) ?? []), line]),
  });
  const { stack } = product;
  life = await beginPrivateLife(product, { chatSecret: settings.chatSecret });
  secrets = {
    ...settings,
    ...numbered('keySecret', life.keySecrets),
    ...numbered('bankToken', life.bankTokens),
  };
  cards = numbered('card', life.cards);
  inDatabase = await databasePlaces(stack.config.database.adminUrl);
  await life.live();
  inDatabaseAfterErasure = await databasePlaces(stack.config.database.adminUrl);

  const temporal = temporalClient();
  inTemporal = await temporalPlaces(temporal);
  await temporal.connection.close();
  onDisk = await temporalFiles(stack.home);
  open = await openPlaces({
    metrics: `${stack.urls.metrics}/metrics`,
    'readiness of the API': `${stack.urls.api}/readyz`,
    'readiness of the workers': `${stack.urls.worker}/readyz`,
    'the OpenAPI document': `${stack.urls.api}/openapi.json`,
  });
}, 300_000);
afterAll(() => product?.close());

/** Reads what is stored; it has no key to read it with. */
const temporalClient = () =>
  createTemporalClient({ target: { ...product.stack.config.temporal, credentials: {} }, dataConverter: {} });

const logsOf = (...names: string[]): Place[] =>
  names.map((name) => ({ name: `the log of ${name}`, content: (logs.get(name) ?? []).join('\n') }));
const everything = (): Sentinels => ({ ...secrets, ...cards, ...person, ...words });

describe('what is personal or secret', () => {
  it('is in no log, although they were written at their finest and every kind of query has failed', () => {
    const places = logsOf('api', 'workers', 'temporal', 'postgres');
    for (const { content } of places) expect(content.length).toBeGreaterThan(100);
    expect(logs.get('api')?.filter((line) => line.includes('Failed query')).length).toBeGreaterThan(0);
    expect(logs.get('workers')?.filter((line) => line.includes('Failed query')).length).toBeGreaterThan(0);
    expect(sightings(places, everything())).toEqual([]);
    expect(places.filter(({ content }) => /_secret_(?!\[redacted\])/.test(content))).toEqual([]);
  });

  it('is in no history, id, search attribute, memo, summary or schedule of Temporal', () => {
    const types = new Set(inTemporal.map(({ name }) => name));
    expect([...types]).toEqual(
      expect.arrayContaining([
        'the process subscription',
        'the process dunning',
        'the schedule perennial/relay-sweep',
      ]),
    );
    expect(sightings(inTemporal, everything())).toEqual([]);
    expect(inTemporal.filter(({ content }) => content.includes('binary/encrypted')).length).toBeGreaterThan(
      1,
    );
  });

  it("is nowhere in the files of Temporal's server", () => {
    expect(onDisk.map(({ name }) => name)).toContain('temporal.db');
    expect(onDisk.some(({ content }) => content.includes('binary/encrypted'))).toBe(true);
    expect(sightings(onDisk, everything())).toEqual([]);
  });

  it('is in no metric and in nothing else that is answered without a key', () => {
    expect(open.find(({ name }) => name === 'metrics')?.content).toContain('temporal_workflow_completed');
    expect(sightings(open, everything())).toEqual([]);
  });

  it('is in no problem, whatever was refused', () => {
    expect(life.refusals.length).toBeGreaterThan(5);
    const places = life.refusals.map((content) => ({ name: content, content }));
    // Whoever sent a reference that is taken hears which one, for a request may carry several.
    const { externalRef: _, ...others } = everything();
    expect(sightings(places, others)).toEqual([]);
  });
});

describe('the database', () => {
  it('has what is personal in the columns made for it', () => {
    expect(sightings(inDatabase, person)).toEqual([
      'email in customers.email',
      'email in invoices.bill_to',
      'email in notifications.recipient',
      'externalRef in customers.external_ref',
      'name in bank_transactions.payer_name',
      'name in bank_transactions.texts',
      'name in customers.name',
      'name in invoices.bill_to',
    ]);
    expect(sightings(inDatabase, words)).toEqual([
      'chequeNumber in payments.cheque_number',
      'comment in subscriptions.cancel_comment',
      'confirmation in bank_proofs.confirmation_number',
      'confirmation in bank_transactions.bank_reference',
      'confirmation in bank_transactions.bank_reference_key',
      'confirmation in bank_transactions.texts',
      'confirmation in bank_transfers.confirmation_key',
      'confirmation in bank_transfers.confirmation_number',
      'note in payments.note',
      'statementText in bank_transactions.texts',
    ]);
  });

  it('knows cards by the id they have at the vendor, and by nothing else', () => {
    const [first = ''] = life.cards;
    expect(sightings(inDatabase, { card: first })).toEqual([
      'card in audit_log.details',
      'card in charge_attempts.payment_method_id',
      'card in payment_methods.id',
    ]);
  });

  it('has no secret', () => {
    expect(sightings(inDatabase, secrets)).toEqual([]);
  });

  it('has nothing personal of an erased customer', () => {
    expect(sightings(inDatabaseAfterErasure, { ...person, ...words })).toEqual([]);
  });
});

describe('the search itself', () => {
  const planted = { planted: `planted-${random()}` };

  it('finds what is written to a log, as it is', () => {
    const lines: string[] = [];
    const log = createLogger({ name: 'planted', destination: { write: (line: string) => lines.push(line) } });
    log.info({ remark: planted.planted }, 'planted');
    logs.set('planted', lines);
    expect(sightings(logsOf('api', 'planted'), planted)).toEqual(['planted in the log of planted']);
  });

  it('finds what is given to a process without encryption: in its input, its memo and its id', async () => {
    const { stack } = product;
    const client = temporalClient();
    const start = (type: string, options: object) =>
      client.workflow.start(type, { taskQueue: 'nobody', workflowId: `plain-${type}`, args: [], ...options });
    await start('input', { args: [{ deep: { inside: planted.planted } }] });
    await start('memo', { memo: { remark: planted.planted } });
    await start('id', { workflowId: planted.planted });
    await start('attribute', { searchAttributes: { EntityId: [planted.planted] } });
    await start('nothing', {});
    const expected = ['attribute', 'id', 'input', 'memo'].map((type) => `planted in the process ${type}`);
    await expect
      .poll(async () => sightings(await temporalPlaces(client), planted), { timeout: 20_000 })
      .toEqual(expected);
    expect(sightings(await temporalFiles(stack.home), planted).length).toBeGreaterThan(0);
    await client.connection.close();
  });

  it('finds it in any column, also inside of JSON', async () => {
    const { adminUrl } = product.stack.config.database;
    await asOwner(adminUrl, 'UPDATE plans SET policy = jsonb_set(policy, $1, to_jsonb($2::text))', [
      ['remark'],
      planted.planted,
    ]);
    expect(sightings(await databasePlaces(adminUrl), planted)).toEqual(['planted in plans.policy']);
  });
});

function numbered(noun: string, values: readonly string[]): Sentinels {
  return Object.fromEntries(values.map((value, index) => [`${noun} ${index + 1}`, value]));
}

function random(): string {
  return randomBytes(12).toString('hex');
}
