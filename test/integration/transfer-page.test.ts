/** The public page of a transfer: who has its link sees how it stands and may tell a number; nobody else learns anything. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Json, TestAnswer } from '../support/api.ts';
import { readQr } from '../support/qr.ts';
import { createTransferScene, hoursAfter, T0, type TransferScene } from './transfer-scene.ts';

let scene: TransferScene;
beforeAll(async () => {
  scene = await createTransferScene();
});
afterAll(() => scene.close());
beforeEach(() => scene.at(T0));

const pathOf = ({ pageUrl }: Json) => new URL(pageUrl).pathname;
const get = (path: string) => scene.api.request('GET', path);
const page = async (transfer: Json): Promise<string> => (await get(pathOf(transfer))).body;
const send = (
  transfer: Json,
  body: string,
  type = 'application/x-www-form-urlencoded',
): Promise<TestAnswer> =>
  scene.api.request('POST', `${pathOf(transfer)}/confirmation`, { body, headers: { 'content-type': type } });
const headline = (html: string) => /<section class="status[^>]*>\s*<h2>(.*?)<\/h2>/.exec(html)?.[1];

describe('the link of a transfer', () => {
  it('opens its page without an account: what to type in order, the reference and the warning in bold, no script', async () => {
    const transfer = await scene.offered();
    const { status, body, headers } = await get(pathOf(transfer));
    expect(status).toBe(200);
    expect(headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(headers.get('cache-control')).toBe('no-store');
    expect(headers.get('referrer-policy')).toBe('no-referrer');
    expect(headers.get('set-cookie')).toBeNull();
    expect(headers.get('content-security-policy')).toContain("form-action 'none'");
    expect(body).toContain('<h1>USD 900.00</h1>');
    expect([...body.matchAll(/<dt>(.*?)<\/dt>/g)].map(([, label]) => label)).toEqual([
      'Account holder',
      'Routing number (ABA)',
      'Account number',
      'Bank',
      'Amount',
      'Reference',
    ]);
    expect(body).toContain(`<strong><code class="copy">${transfer.reference}</code></strong>`);
    expect(body).toContain('<code class="copy">900.00</code> USD');
    expect(body).toMatch(/<p class="warning"><strong>Pay into exactly this account of Acme Books Inc/);
    expect(body).toContain('Mon 9 Mar 2026 10:00 UTC');
    expect(body).toContain('<meta http-equiv="refresh" content="60">');
    expect(body).not.toMatch(/<script| style=| on\w+=|<svg|https?:/);
    const style = await get('/transfers/transfer.css');
    expect([style.status, style.headers.get('content-type')]).toEqual([200, 'text/css; charset=utf-8']);
  });

  it.each<[string, (real: string) => string]>([
    ['one that never was', () => 'A'.repeat(32)],
    ['one that is a letter too short', (real) => real.slice(0, -1)],
    ['one that is a letter too long', (real) => `${real}A`],
    ['what is no token', () => '%00%27;--'],
    ['a path above', () => '..%2f..%2fv1'],
  ])('is told from no other by what is answered: %s', async (_title, token) => {
    const real =
      pathOf(await scene.offered())
        .split('/')
        .at(-1) ?? '';
    for (const [method, path] of [
      ['GET', `/transfers/${token(real)}`],
      ['GET', `/transfers/${token(real)}/confirmation`],
      ['POST', `/transfers/${token(real)}/confirmation`],
    ] as const) {
      const { status, body } = await scene.api.request(method, path);
      expect([path, status, body.code]).toEqual([path, 404, 'not_found']);
    }
  });

  it('says nothing of the customer', async () => {
    const transfer = await scene.offered();
    const body = (await page(transfer)).replaceAll(pathOf(transfer), '');
    const { customerId, invoiceId, id } = transfer;
    for (const secret of [customerId, invoiceId, id, scene.tenant.tenantId, '@example.com', 'Ada']) {
      expect(body).not.toContain(secret);
    }
  });
});

it('a transfer of euros within SEPA has a code that a banking app reads as what is to be paid', async () => {
  const plan = scene.tenant.plans['pro-euro'];
  if (plan === undefined) throw new Error('no plan');
  const customerId = await scene.business.customer('EUR');
  const subscriptionId = await scene.business.subscribe(customerId, plan, T0);
  await scene.business.begin(subscriptionId, T0);
  const { id: invoiceId } = await scene.oneOff(subscriptionId);
  const { body: transfer } = await scene.ask(invoiceId, { country: 'FR' });
  const lines = [
    'BCD',
    '002',
    '1',
    'SCT',
    'COBADEFFXXX',
    'Acme Books Inc',
    'DE89370400440532013000',
    'EUR900.00',
  ];
  expect(transfer).toMatchObject({
    method: 'sepa',
    epcQr: [...lines, '', '', transfer.reference].join('\n'),
  });
  const html = await page(transfer);
  expect(readQr(html)).toBe(transfer.epcQr);
  expect(html).toContain('<span>DE89</span><span>3704</span><span>0044</span>');

  const abroad = (await scene.ask(invoiceId, { country: 'US' })).body;
  expect(abroad).toMatchObject({ method: 'international_wire', epcQr: null });
  expect(await page(abroad)).not.toContain('<svg');
});

describe('the page follows the transfer', () => {
  it('a part that came, the rest, paid', async () => {
    const transfer = await scene.offered();
    expect(headline(await page(transfer))).toBe('Waiting for your transfer');
    await scene.pay(transfer.invoiceId, 40_000);
    const part = await page(transfer);
    expect(headline(part)).toBe('A part is still missing');
    expect(part).toContain('<dt>Received</dt><dd>USD 400.00</dd>');
    expect(part).toContain('<dt>Still to pay</dt><dd>USD 500.00</dd>');
    expect(part).toContain('<code class="copy">500.00</code> USD');
    await scene.pay(transfer.invoiceId, 50_000);
    const paid = await page(transfer);
    expect(headline(paid)).toBe('Paid');
    expect(paid).toContain('<h1>USD 900.00</h1>');
    expect(paid).not.toMatch(/000123456789|http-equiv="refresh"|\/confirmation/);
  });

  it('on hold, expired by the clock and by its process, and void: nobody is shown where to pay', async () => {
    const [held, late, voided] = [await scene.offered(), await scene.offered(), await scene.offered()];
    await scene.act(held.id, 'hold', { reason: 'money laundering suspected' });
    expect(headline(await page(held))).toBe('We have to check something first');
    expect(await page(held)).not.toMatch(/000123456789|laundering/);
    await scene.ok('POST', `/v1/invoices/${voided.invoiceId}/void`, {});
    expect(headline(await page(voided))).toBe('Nothing is to be paid');
    expect(await page(voided)).not.toContain('000123456789');
    scene.at(hoursAfter(7 * 24));
    expect(headline(await page(late))).toBe('These instructions have expired');
    await scene.look(late.id, hoursAfter(7 * 24));
    expect(headline(await page(late))).toBe('These instructions have expired');
    expect(await page(late)).not.toContain('000123456789');
  });
});

describe('the number of a confirmation', () => {
  it('is typed into a form that only sends to us, kept, and shown but for its end', async () => {
    const transfer = await scene.offered();
    const form = await get(`${pathOf(transfer)}/confirmation`);
    expect(form.status).toBe(200);
    expect(form.headers.get('content-security-policy')).toContain("form-action 'self'");
    expect(form.body).toContain(`<form method="post" action="${pathOf(transfer)}/confirmation">`);
    expect(form.body).not.toContain('http-equiv="refresh"');
    for (const _twice of [1, 2]) {
      const sent = await send(transfer, 'number=+20260303MMQFMP0N000123+');
      expect([sent.status, sent.headers.get('location')]).toEqual([303, pathOf(transfer)]);
    }
    expect((await scene.read(transfer.id)).confirmationNumber).toBe('20260303MMQFMP0N000123');
    const html = await page(transfer);
    expect(html).toContain('noted (… 0123)');
    expect(html).not.toContain('20260303MMQFMP0N000123');
    const { data } = await scene.ok('GET', `/v1/audit_log?entityId=${transfer.id}`);
    expect(data.map(({ action, actor }: Json) => [action, actor.split(':')[0]])).toEqual([
      ['bank_transfer.confirmed', 'customer'],
      ['bank_transfer.offered', 'api_key'],
    ]);
  });

  it.each([
    'number=123',
    'number=',
    '',
    'number=%3Cscript%3Ealert(1)',
    `number=${'A'.repeat(65)}`,
    'number=a&number=b',
  ])('that is none is refused in words, and nothing is kept: %s', async (body) => {
    const transfer = await scene.offered();
    const answer = await send(transfer, body);
    expect(answer.status).toBe(422);
    expect(answer.body).toContain('role="alert"');
    expect(answer.body).not.toContain('<script');
    expect((await scene.read(transfer.id)).confirmationNumber).toBeNull();
  });

  it('in another form, or too long to be read, is refused', async () => {
    const transfer = await scene.offered();
    expect((await send(transfer, '{"number":"20260303MMQF"}', 'application/json')).status).toBe(422);
    expect((await send(transfer, `number=${'A'.repeat(10_000)}`)).status).toBe(413);
    expect((await scene.read(transfer.id)).confirmationNumber).toBeNull();
  });

  it('of a transfer that was paid meanwhile is not kept; the page says that it is paid', async () => {
    const transfer = await scene.offered();
    await scene.pay(transfer.invoiceId, 90_000);
    for (const answer of [
      await get(`${pathOf(transfer)}/confirmation`),
      await send(transfer, 'number=20260303MMQF'),
      await send(transfer, 'number=1'),
    ]) {
      expect([answer.status, answer.headers.get('location')]).toEqual([303, pathOf(transfer)]);
    }
    expect((await scene.read(transfer.id)).confirmationNumber).toBeNull();
  });
});
