/**
 * Proofs of transfers, from the customer's form to the payment: what is kept of a file, who is told, what an approval and a
 * rejection do; twice, at once, beside a match, with a storage that fails, and after an erasure.
 */
import { createHash, randomUUID } from 'node:crypto';
import { request as createRequest } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { createCustomerActivities } from '../../activities/billing/customer.ts';
import { scopes } from '../../api/scopes.ts';
import { VendorError } from '../../domain/errors.ts';
import type { ObjectStorage } from '../../domain/operations/object-storage.ts';
import type { CardVendor } from '../../domain/payments/card-payment.ts';
import { createS3Storage } from '../../integrations/storage/s3.ts';
import type { Json } from '../support/api.ts';
import { readPdf } from '../support/pdf.ts';
import { heic, pdf, pdfStream, picture, program } from '../support/proof-files.ts';
import { versitygwPath } from '../support/services.ts';
import { createTestStorage } from '../support/storage.ts';
import { startVersitygw } from '../support/versitygw.ts';
import { createProofScene, form, newFile, type ProofScene, pdfOf } from './proof-scene.ts';
import { hoursAfter, T0 } from './transfer-scene.ts';

let scene: ProofScene;
beforeAll(async () => {
  scene = await createProofScene();
});
afterAll(() => scene.close());
beforeEach(() => scene.at(T0));

const MIB = 1024 * 1024;
const patient = { timeout: 20_000, interval: 100 };

describe('a proof that a customer sends', () => {
  it('is kept drawn anew; the transfer is in review, operators are told once, and nothing is booked', async () => {
    const transfer = await scene.transfer();
    const bytes = await picture('jpeg', { seed: 90 });
    scene.at(hoursAfter(2));
    const fields = { confirmationNumber: ' 20260303MMQFMP0N000123 ' };
    const answer = await scene.sendOnPage(
      transfer,
      form(bytes, { name: '../../evil.exe', type: 'text/html', fields }),
    );
    expect([answer.status, answer.headers.get('location')]).toEqual([303, transfer.path]);
    const [proof, ...others] = await scene.proofs(transfer.id);
    expect(others).toEqual([]);
    expect(proof).toMatchObject({
      bankTransferId: transfer.id,
      invoiceId: transfer.invoiceId,
      customerId: transfer.customerId,
      status: 'waiting',
      contentType: 'image/jpeg',
      hasFile: true,
      confirmationNumber: '20260303MMQFMP0N000123',
      suspicion: null,
      uploadedVia: 'page',
      uploadedAt: hoursAfter(2),
      decidedAt: null,
      outcome: null,
      paymentId: null,
    });
    expect(await scene.ok('GET', `/v1/bank_proofs/${proof.id}`)).toEqual(proof);
    expect(await scene.read(transfer.id)).toMatchObject({
      status: 'in_review',
      confirmationNumber: '20260303MMQFMP0N000123',
      waitingFor: expect.stringContaining('A proof of the transfer waits to be looked at'),
    });
    expect(await scene.mails(transfer.id)).toEqual(['bank_transfer_instructions', 'bank_operator_alert']);
    expect(await scene.paid(transfer.invoiceId)).toEqual([]);
    const { data: audit } = await scene.ok('GET', `/v1/audit_log?entityId=${proof.id}`);
    expect(audit).toMatchObject([{ action: 'bank_proof.sent', actor: `customer:${transfer.customerId}` }]);
    const page = (await scene.api.request('GET', transfer.path)).body;
    expect(page).toContain('<dt>Your proof</dt><dd>we are looking at it</dd>');
  });

  it('is asked for by a form without a script that only sends to us', async () => {
    const { path } = await scene.transfer();
    expect((await scene.api.request('GET', path)).body).toContain(`href="${path}/proof"`);
    const { status, body, headers } = await scene.api.request('GET', `${path}/proof`);
    expect([status, headers.get('cache-control')]).toEqual([200, 'no-store']);
    expect(headers.get('content-security-policy')).toContain("form-action 'self'");
    expect(body).toContain(`<form method="post" action="${path}/proofs" enctype="multipart/form-data">`);
    expect(body).not.toMatch(/<script|http-equiv="refresh"/);
  });

  it('ends the asking: nothing is asked, and nothing expires, until somebody has looked', async () => {
    const { bankTransferId } = await scene.sent();
    expect(await scene.look(bankTransferId, hoursAfter(25))).toEqual({
      status: 'in_review',
      next: 'alert_operators',
    });
    expect(await scene.look(bankTransferId, hoursAfter(20 * 24))).toEqual({
      status: 'in_review',
      next: null,
    });
    expect(await scene.mails(bankTransferId)).toEqual([
      'bank_transfer_instructions',
      'bank_operator_alert',
      'bank_operator_alert',
    ]);
  });

  it('brings instructions back that have expired', async () => {
    const transfer = await scene.transfer();
    await scene.look(transfer.id, hoursAfter(7 * 24));
    scene.at(hoursAfter(7 * 24 + 1));
    expect((await scene.sendOnPage(transfer, form(await newFile()))).status).toBe(303);
    expect((await scene.read(transfer.id)).status).toBe('in_review');
  });

  it('that is sent twice, and five times at once, is one', async () => {
    const transfer = await scene.transfer();
    const bytes = await newFile();
    const before = (await scene.files()).length;
    expect((await scene.sendOnPage(transfer, form(bytes))).status).toBe(303);
    const answers = await Promise.all(
      Array.from({ length: 5 }, () => scene.sendOnPage(transfer, form(bytes))),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 5 }, () => 303));
    expect(await scene.proofs(transfer.id)).toHaveLength(1);
    expect(await scene.files()).toHaveLength(before + 1);
  });

  it('is one of five at most, also at once', async () => {
    const transfer = await scene.transfer();
    const forms = await Promise.all(Array.from({ length: 7 }, async () => form(await newFile())));
    const answers = await Promise.all(forms.map((each) => scene.sendOnPage(transfer, each)));
    const refused = answers.filter(({ status }) => status !== 303);
    expect(refused.map(({ status, body }) => [status, body.reason])).toEqual([
      [409, 'proofs_used_up'],
      [409, 'proofs_used_up'],
    ]);
    expect(await scene.proofs(transfer.id)).toHaveLength(5);
    expect((await scene.api.request('GET', transfer.path)).body).not.toContain('/proof"');
  });

  it('is not taken for what waits for no transfer any more', async () => {
    const [paid, voided] = [await scene.transfer(), await scene.transfer()];
    await scene.pay(paid.invoiceId, 90_000);
    await scene.ok('POST', `/v1/invoices/${voided.invoiceId}/void`, {});
    for (const transfer of [paid, voided]) {
      const answer = await scene.sendOnPage(transfer, form(await newFile()));
      expect([answer.status, answer.body.reason]).toEqual([409, 'transfer_not_open']);
      const got = await scene.api.request('GET', `${transfer.path}/proof`);
      expect([got.status, got.headers.get('location')]).toEqual([303, transfer.path]);
    }
  });
});

describe('what is no proof', () => {
  const files: [string, number, string, () => Promise<Uint8Array> | Uint8Array][] = [
    ['nothing', 422, 'file_empty', () => new Uint8Array()],
    ['a program with the name of a picture', 422, 'type_not_accepted', () => program()],
    ['a page', 422, 'type_not_accepted', () => Buffer.from('<script>alert(1)</script>')],
    ['a HEIC', 422, 'heic_not_accepted', () => heic()],
    [
      'half a picture',
      422,
      'image_unreadable',
      async () => (await picture('png', { width: 300 })).subarray(0, 200),
    ],
    ['an encrypted PDF', 422, 'pdf_encrypted', () => pdf({ trailer: '/Encrypt 9 0 R' })],
    [
      'a PDF with a script',
      422,
      'pdf_active',
      () => pdf({ catalog: '/OpenAction << /S /JavaScript /JS (x) >>' }),
    ],
  ];

  it.each(files)(
    '%s is refused on the page and over the API, and nothing is kept',
    async (_what, status, reason, make) => {
      const transfer = await scene.transfer();
      const bytes = await make();
      const [rows, kept] = [await scene.api.rowCounts(), await scene.files()];
      for (const answer of [
        await scene.sendOnPage(transfer, form(bytes)),
        await scene.send(transfer.id, form(bytes)),
      ]) {
        expect([answer.status, answer.body.code, answer.body.reason]).toEqual([
          status,
          'file_unusable',
          reason,
        ]);
        expect(answer.body.detail.length).toBeGreaterThan(20);
      }
      expect(await scene.api.rowCounts()).toEqual(rows);
      expect(await scene.files()).toEqual(kept);
      expect((await scene.read(transfer.id)).status).toBe('awaiting');
    },
  );

  it('a browser is told on the form', async () => {
    const transfer = await scene.transfer();
    const headers = { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' };
    const answer = await scene.sendOnPage(transfer, form(heic()), headers);
    expect([answer.status, answer.headers.get('content-type')]).toEqual([422, 'text/html; charset=utf-8']);
    expect(answer.body).toMatch(/role="alert"[^>]*>Pictures in the format HEIC/);
    expect(answer.headers.get('content-security-policy')).toContain("form-action 'self'");
    const large = await scene.sendOnPage(transfer, form(pdfOf(10 * MIB + 1)), headers);
    expect([large.status, large.body.includes('10 MiB at most')]).toEqual([413, true]);
  });

  it('10 MiB are taken, and a byte more is not', async () => {
    const transfer = await scene.transfer();
    expect((await scene.sendOnPage(transfer, form(pdfOf(10 * MIB + 1)))).body.code).toBe('payload_too_large');
    expect((await scene.send(transfer.id, form(pdfOf(10 * MIB + 1)))).status).toBe(413);
    expect((await scene.sendOnPage(transfer, form(pdfOf(10 * MIB)))).status).toBe(303);
  });

  it('a form of another kind is refused in words', async () => {
    const transfer = await scene.transfer();
    const bytes = await newFile();
    const two = form(bytes);
    two.append('file', new Blob([Uint8Array.from(bytes)]), 'second.png');
    const fields = { note: 'x' };
    const many = Object.fromEntries(Array.from({ length: 11 }, (_, index) => [`f${index}`, 'x']));
    for (const [body, status] of [
      [two, 400],
      [form(bytes, { field: 'picture' }), 400],
      [form(bytes, { fields }), 400],
      [form(bytes, { fields: { confirmationNumber: '12' } }), 400],
      [form(bytes, { fields: { confirmationNumber: 'A'.repeat(65 * 1024) } }), 400],
      [form(bytes, { fields: many }), 400],
      [new FormData(), 400],
    ] as const) {
      expect((await scene.sendOnPage(transfer, body)).status).toBe(status);
      expect((await scene.send(transfer.id, body)).status).toBe(status);
    }
    const path = `/v1/bank_transfers/${transfer.id}/proofs`;
    const { token } = scene.tenant;
    expect((await scene.api.request('POST', path, { token, body: { file: 'x' } })).status).toBe(415);
    const type = { 'content-type': 'multipart/form-data; boundary=x' };
    const broken = '--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nabc';
    for (const body of [broken, 'nothing', '--x--\r\n']) {
      expect((await scene.api.request('POST', path, { token, headers: type, body })).status).toBe(400);
      expect(
        (await scene.api.request('POST', `${transfer.path}/proofs`, { headers: type, body })).status,
      ).toBe(400);
    }
    const unbound = { 'content-type': 'multipart/form-data' };
    expect((await scene.api.request('POST', path, { token, headers: unbound, body: broken })).status).toBe(
      400,
    );
    expect(await scene.proofs(transfer.id)).toEqual([]);
  });
});

it('only so many files are held at once; one that is broken off makes room', async () => {
  const transfer = await scene.transfer();
  const head = '--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nabc';
  const refused: (number | undefined)[] = [];
  const open = Array.from({ length: 12 }, () => {
    const request = createRequest(`${scene.api.url}${transfer.path}/proofs`, {
      method: 'POST',
      headers: { 'content-type': 'multipart/form-data; boundary=x' },
    });
    request.on('error', () => {});
    request.on('response', ({ statusCode }) => refused.push(statusCode));
    request.write(head);
    onTestFinished(() => void request.destroy());
    return request;
  });
  await expect.poll(() => refused, patient).toEqual([429, 429, 429, 429]);
  const bytes = await newFile();
  const send = () => scene.sendOnPage(transfer, form(bytes));
  const { status, body, headers } = await send();
  expect([status, body.code, headers.get('retry-after')]).toEqual([429, 'too_many_uploads', '5']);
  for (const request of open) request.destroy();
  await expect.poll(async () => (await send()).status, patient).toBe(303);
  expect(await scene.proofs(transfer.id)).toHaveLength(1);
});

it('one whose sender hangs up while it is looked into is not kept', async () => {
  const transfer = await scene.transfer();
  // So large that it is sent only once most of it was read, and takes a while.
  const large = (seed: number) => {
    const content = `${seed}${' '.repeat(4 * MIB)}`;
    const streams = Array.from({ length: 20 }, (_, n) => pdfStream({ number: 20 + n, content }));
    return pdf({ objects: [`%${' '.repeat(9.5 * MIB)}\n`, ...streams.flat()] });
  };
  const request = createRequest(`${scene.api.url}${transfer.path}/proofs`, {
    method: 'POST',
    headers: { 'content-type': 'multipart/form-data; boundary=x' },
  });
  request.on('error', () => {});
  const head = '--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n';
  const body = Buffer.concat([Buffer.from(head), large(1), Buffer.from('\r\n--x--\r\n')]);
  await new Promise<void>((sent) => void request.end(body, sent));
  request.destroy();
  // It is looked into behind the other one.
  const bytes = large(2);
  expect((await scene.sendOnPage(transfer, form(bytes))).status).toBe(303);
  const proofs = await scene.proofs(transfer.id);
  expect(proofs.map(({ sha256 }) => sha256)).toEqual([createHash('sha256').update(bytes).digest('hex')]);
});

describe('operators', () => {
  it('send one for a customer, once under their key', async () => {
    const transfer = await scene.transfer();
    const [bytes, key] = [await newFile(), randomUUID()];
    const fields = { confirmationNumber: 'WIRE-123456' };
    const first = await scene.send(transfer.id, form(bytes, { fields }), { key });
    expect(first.status).toBe(201);
    expect(first.body).toMatchObject({
      status: 'waiting',
      uploadedVia: 'api',
      confirmationNumber: 'WIRE-123456',
    });
    const again = await scene.send(transfer.id, form(bytes, { fields }), { key });
    expect([again.status, again.headers.get('idempotency-replayed')]).toEqual([201, 'true']);
    expect(again.body).toEqual(first.body);
    const other = await scene.send(transfer.id, form(await newFile()), { key });
    expect(other.body.code).toBe('idempotency_key_reused');
    expect((await scene.send(transfer.id, form(bytes))).body.id).toBe(first.body.id);
    expect(await scene.proofs(transfer.id)).toHaveLength(1);
  });

  it('list what waits, and get the file to be saved, never to be shown in place', async () => {
    const { id, contentType, sizeBytes } = await scene.sent();
    const waiting = await scene.ok('GET', '/v1/bank_proofs?status=waiting&limit=100');
    expect(waiting.data.map((each: Json) => each.id)).toContain(id);
    const { token } = scene.tenant;
    const { status, headers, body } = await scene.api.request('GET', `/v1/bank_proofs/${id}/file`, { token });
    expect(status).toBe(200);
    expect(Object.fromEntries(headers)).toMatchObject({
      'content-type': 'application/octet-stream',
      'content-disposition': `attachment; filename="${id}.png"`,
      'x-content-type-options': 'nosniff',
      'content-security-policy': "default-src 'none'; sandbox",
      'cache-control': 'no-store',
    });
    expect(contentType).toBe('image/png');
    expect(body).toHaveLength(sizeBytes);
    expect(body.slice(1, 4)).toBe('PNG');
  });

  it('approve: the payment is booked now, the invoice is paid, and the same again is the same', async () => {
    const { id, invoiceId, bankTransferId, path } = await scene.sent();
    scene.at(hoursAfter(30));
    const approved = await scene.judge(id, 'approve', { receivedOn: '2026-03-02' });
    expect(approved.status).toBe(200);
    expect(approved.body).toMatchObject({ status: 'approved', outcome: 'booked', decidedAt: hoursAfter(30) });
    const payment = await scene.ok('GET', `/v1/payments/${approved.body.paymentId}`);
    expect(payment).toMatchObject({
      rail: 'bank',
      externalId: `proof:${id}`,
      amountMinor: 90_000,
      receivedAt: '2026-03-02T00:00:00.000Z',
    });
    expect((await scene.ok('GET', `/v1/invoices/${invoiceId}`)).status).toBe('paid');
    expect((await scene.read(bankTransferId)).status).toBe('settled');
    expect(await scene.told(invoiceId)).toContain('payment_received');
    for (const _again of [1, 2]) expect((await scene.judge(id, 'approve')).body).toEqual(approved.body);
    expect(await scene.paid(invoiceId)).toHaveLength(1);
    expect((await scene.judge(id, 'reject', { reason: 'a mistake' })).body.reason).toBe('proof_approved');
    expect((await scene.api.request('GET', path)).body).toContain('<dt>Your proof</dt><dd>accepted</dd>');
  });

  it.each([
    ['America/New_York', '2026-03-03T02:00:00Z', ['2026-03-02', '2026-03-03'], '2026-03-02T05:00:00.000Z'],
    ['Asia/Tokyo', '2026-03-02T20:00:00Z', ['2026-03-03', '2026-03-04'], '2026-03-02T15:00:00.000Z'],
  ])('approve in %s: the day of the money is one there', async (zone, now, [today, tomorrow], receivedAt) => {
    const { id } = await scene.sent();
    scene.at(now);
    const zoned = (to: string) =>
      scene.api.sql('UPDATE tenants SET time_zone = $2 WHERE id = $1', [scene.tenant.tenantId, to]);
    await zoned(zone);
    try {
      expect((await scene.judge(id, 'approve', { receivedOn: tomorrow })).status).toBe(422);
      const { body } = await scene.judge(id, 'approve', { receivedOn: today });
      const payment = await scene.ok('GET', `/v1/payments/${body.paymentId}`);
      expect(payment.receivedAt).toBe(receivedAt);
      const receipt = await fetch(`${scene.api.url}/v1/payments/${payment.id}/receipt`, {
        headers: { authorization: `Bearer ${scene.tenant.token}` },
      });
      const { pages } = await readPdf(new Uint8Array(await receipt.arrayBuffer()));
      expect(pages.flatMap(({ texts }) => texts.map(({ text }) => text)).join(' ')).toContain(
        `${Number(today?.slice(-2))} Mar 2026`,
      );
    } finally {
      await zoned('UTC');
    }
  });

  it('approve a part: the rest is asked for, with the time that the review took', async () => {
    const { id, invoiceId, bankTransferId } = await scene.sent();
    scene.at(hoursAfter(48));
    expect((await scene.judge(id, 'approve', { amountMinor: 50_000 })).status).toBe(200);
    const transfer = await scene.read(bankTransferId);
    expect(transfer).toMatchObject({ status: 'partially_paid', dueMinor: 40_000 });
    expect(transfer.expiresAt).toBe('2026-03-11T10:00:01.000Z');
    await scene.look(bankTransferId, hoursAfter(49));
    expect((await scene.mails(bankTransferId)).at(-1)).toBe('bank_transfer_rest');
    expect(await scene.paid(invoiceId)).toMatchObject([{ rail: 'bank', amountMinor: 50_000 }]);
  });

  it('approve more than is due: what is too much is credit', async () => {
    const { id, invoiceId } = await scene.sent();
    await scene.judge(id, 'approve', { amountMinor: 90_100 });
    expect(await scene.paid(invoiceId)).toMatchObject([{ amountMinor: 90_100, allocatedMinor: 90_000 }]);
  });

  it('reject: the customer is told why and asked again, with a day at least and the time of the review', async () => {
    const { id, invoiceId, bankTransferId, path } = await scene.sent();
    scene.at(hoursAfter(6.9 * 24));
    const rejected = await scene.judge(id, 'reject', { reason: 'The <b>amount</b> cannot be read.' });
    expect(rejected.body).toMatchObject({ status: 'rejected', reason: 'The <b>amount</b> cannot be read.' });
    const transfer = await scene.read(bankTransferId);
    expect(transfer.status).toBe('awaiting');
    expect(Date.parse(transfer.expiresAt)).toBe(
      Date.parse('2026-03-09T10:00:00Z') + 6.9 * 24 * 3_600_000 + 1_000,
    );
    expect((await scene.judge(id, 'reject', { reason: 'another one' })).body).toEqual(rejected.body);
    await scene.look(bankTransferId, hoursAfter(6.9 * 24 + 1));
    // One mail tells the reason and until when; nothing else asks.
    expect(await scene.mails(bankTransferId)).toEqual([
      'bank_transfer_instructions',
      'bank_operator_alert',
      'bank_transfer_proof_rejected',
    ]);
    expect((await scene.judge(id, 'approve')).body.reason).toBe('proof_rejected');
    expect(await scene.paid(invoiceId)).toEqual([]);
    const page = (await scene.api.request('GET', path)).body;
    expect(page).toContain('not accepted: The &lt;b&gt;amount&lt;/b&gt; cannot be read.');
  });

  it('do not look at the very same file again once it was rejected', async () => {
    const transfer = await scene.transfer();
    const bytes = await newFile();
    await scene.sendOnPage(transfer, form(bytes));
    const [proof] = await scene.proofs(transfer.id);
    await scene.judge(proof.id, 'reject', { reason: 'no' });
    expect((await scene.sendOnPage(transfer, form(bytes))).body.reason).toBe('proof_rejected');
    expect((await scene.sendOnPage(transfer, form(await newFile()))).status).toBe(303);
    expect((await scene.read(transfer.id)).status).toBe('in_review');
  });

  it('judge one after the other: while one waits the review goes on', async () => {
    const { id, bankTransferId, path } = await scene.sent();
    await scene.sendOnPage({ path }, form(await newFile()));
    await scene.judge(id, 'reject', { reason: 'no' });
    expect((await scene.read(bankTransferId)).status).toBe('in_review');
    const [second] = await scene.proofs(bankTransferId);
    await scene.judge(second.id, 'reject', { reason: 'nor this one' });
    expect((await scene.read(bankTransferId)).status).toBe('awaiting');
    const mails = await scene.mails(bankTransferId);
    expect(mails.filter((template) => template === 'bank_transfer_proof_rejected')).toHaveLength(2);
  });

  it('hold a transfer with a proof: it is not approved, and waits for them again afterwards', async () => {
    const { id, bankTransferId, path } = await scene.sent();
    await scene.act(bankTransferId, 'hold', { reason: 'odd' });
    expect((await scene.judge(id, 'approve')).body.reason).toBe('transfer_on_hold');
    expect((await scene.sendOnPage({ path }, form(await newFile()))).status).toBe(303);
    expect((await scene.read(bankTransferId)).status).toBe('on_hold');
    await scene.act(bankTransferId, 'resume');
    expect((await scene.read(bankTransferId)).status).toBe('in_review');
    expect((await scene.judge(id, 'approve')).body.outcome).toBe('booked');
  });

  it('hold one in review and reject the proof meanwhile: the time of the review is the customer’s again', async () => {
    const { id, bankTransferId } = await scene.sent();
    scene.at(hoursAfter(8 * 24));
    await scene.act(bankTransferId, 'hold', { reason: 'odd' });
    scene.at(hoursAfter(9 * 24));
    await scene.judge(id, 'reject', { reason: 'It shows another transfer' });
    scene.at(hoursAfter(10 * 24));
    const { body } = await scene.act(bankTransferId, 'resume');
    expect(body.status).toBe('awaiting');
    // Seven days were left when the proof was sent.
    expect(Date.parse(body.expiresAt)).toBeGreaterThanOrEqual(Date.parse(hoursAfter(16 * 24)));
    expect(await scene.look(bankTransferId, hoursAfter(10 * 24))).toMatchObject({ status: 'awaiting' });
  });

  it.each([
    ['approve', { amountMinor: 0 }, 400],
    ['approve', { amountMinor: 1.5 }, 400],
    ['approve', { amountMinor: -1 }, 400],
    ['approve', { receivedOn: '2026-03-03' }, 422],
    ['approve', { currency: 'EUR' }, 400],
    ['reject', {}, 400],
    ['reject', { reason: '' }, 400],
  ] as const)('%s with %o changes nothing', async (act, body, status) => {
    const { id, bankTransferId } = await scene.sent();
    expect((await scene.judge(id, act, body)).status).toBe(status);
    expect((await scene.ok('GET', `/v1/bank_proofs/${id}`)).status).toBe('waiting');
    expect((await scene.read(bankTransferId)).status).toBe('in_review');
  });

  it('do not approve much money in several parts on what they have sent themselves', async () => {
    const { invoiceId } = await scene.invoice({
      lines: [{ description: 'Workshop', quantity: 1, unitMinor: 300_000 }],
    });
    const { body: transfer } = await scene.ask(invoiceId);
    const part = { amountMinor: 60_000 };
    const { body: first } = await scene.send(transfer.id, form(await newFile()));
    expect((await scene.judge(first.id, 'approve', part)).body.outcome).toBe('booked');
    const { body: second } = await scene.send(transfer.id, form(await newFile()));
    expect((await scene.judge(second.id, 'approve', part)).body.reason).toBe('second_person_required');
  });

  it.each(['recorded', 'proved'])(
    'do not book much money in several parts, of which what they %s comes first',
    async (first) => {
      const { invoiceId } = await scene.invoice({
        lines: [{ description: 'Workshop', quantity: 1, unitMinor: 300_000 }],
      });
      const { body: transfer } = await scene.ask(invoiceId);
      const { body: proof } = await scene.send(transfer.id, form(await newFile()));
      const part = { amountMinor: 60_000 };
      const money = { ...part, currency: 'USD', reference: invoiceId, method: 'wire', reason: 'seen' };
      const record = () => scene.request('POST', `/v1/invoices/${invoiceId}/payments`, money);
      const approve = () => scene.judge(proof.id, 'approve', part);
      if (first === 'recorded') {
        expect((await record()).status).toBe(201);
        expect((await approve()).body.reason).toBe('second_person_required');
      } else {
        expect((await approve()).body.outcome).toBe('booked');
        expect((await record()).status).toBe(202);
      }
    },
  );

  it('do not approve much money on what they have sent themselves', async () => {
    const { invoiceId } = await scene.invoice({
      lines: [{ description: 'Workshop', quantity: 1, unitMinor: 100_000 }],
    });
    const { body: transfer } = await scene.ask(invoiceId);
    const { body: proof } = await scene.send(transfer.id, form(await newFile()));
    expect((await scene.judge(proof.id, 'approve')).body.reason).toBe('second_person_required');
    const another = await scene.api.key(scene.tenant.tenantId, scopes);
    expect((await scene.judge(proof.id, 'approve', {}, another.token)).body.outcome).toBe('booked');
  });
});

describe('a proof and the money itself', () => {
  it('that was matched first: nothing is booked, and the proof is superseded', async () => {
    const { id, invoiceId } = await scene.sent();
    expect((await scene.arrive(invoiceId, 90_000)).kind).toBe('auto');
    for (const _twice of [1, 2]) {
      expect((await scene.judge(id, 'approve')).body).toMatchObject({
        outcome: 'superseded',
        paymentId: null,
      });
    }
    expect(await scene.paid(invoiceId)).toHaveLength(1);
  });

  it('that comes after it is linked to its payment, once', async () => {
    const { id, invoiceId } = await scene.sent();
    await scene.judge(id, 'approve');
    expect((await scene.arrive(invoiceId, 90_000)).kind).toBe('proof_seen');
    expect((await scene.arrive(invoiceId, 90_000)).kind).toBe('duplicate_credit');
    const paid = await scene.paid(invoiceId);
    expect(paid.map(({ allocatedMinor }) => allocatedMinor).toSorted()).toEqual([0, 90_000]);
  });

  it('that comes after a part was approved is linked to it, and the rest is still asked for', async () => {
    const { id, invoiceId } = await scene.sent();
    await scene.judge(id, 'approve', { amountMinor: 50_000 });
    expect((await scene.arrive(invoiceId, 50_000)).kind).toBe('proof_seen');
    expect((await scene.arrive(invoiceId, 40_000)).kind).toBe('auto');
    expect((await scene.ok('GET', `/v1/invoices/${invoiceId}`)).status).toBe('paid');
  });

  it.each([1, 2, 3])('that comes in the same second: one payment (%i)', async () => {
    const { id, invoiceId } = await scene.sent();
    const [approved, arrived, again] = await Promise.all([
      scene.judge(id, 'approve'),
      scene.arrive(invoiceId, 90_000),
      scene.judge(id, 'approve'),
    ]);
    expect([approved.status, again.status]).toEqual([200, 200]);
    expect(again.body).toEqual(approved.body);
    expect(['superseded auto', 'booked proof_seen']).toContain(`${approved.body.outcome} ${arrived.kind}`);
    expect(await scene.paid(invoiceId)).toMatchObject([{ amountMinor: 90_000, allocatedMinor: 90_000 }]);
  });

  it('a proof whose payment was taken back waits for no money', async () => {
    const { id, invoiceId } = await scene.sent();
    const { paymentId } = (await scene.judge(id, 'approve')).body;
    await scene.takeBack(paymentId, hoursAfter(50));
    expect((await scene.arrive(invoiceId, 90_000)).kind).toBe('auto');
  });

  it('of another amount than was approved pays nothing and is no credit: a person says whether it is that money', async () => {
    const { id, invoiceId } = await scene.sent();
    const { paymentId } = (await scene.judge(id, 'approve')).body;
    const came = await scene.arrive(invoiceId, 89_000);
    expect(came.kind).toBe('exception_proof');
    const { data } = await scene.ok('GET', `/v1/bank_transactions/${came.id}/decisions`);
    expect(data[0].sentence).toContain('USD 900.00 was booked on a proof and not seen');
    expect(await scene.paid(invoiceId)).toHaveLength(1);
    const match = (body: object) => scene.request('POST', `/v1/bank_transactions/${came.id}/match`, body);
    const refused = await match({ invoices: [{ invoiceId }] });
    expect(refused.body).toMatchObject({ reason: 'invoice_not_open' });
    expect(refused.body.detail).toContain(`/v1/payments/${paymentId}/bounce`);

    // It is that money: what the proof had paid is taken back, and what came pays.
    await scene.ok('POST', `/v1/payments/${paymentId}/bounce`, { reason: 'The bank kept a fee' });
    expect((await match({ invoices: [{ invoiceId }] })).body.payments).toMatchObject([
      { outcome: 'partial' },
    ]);
    expect(await scene.ok('GET', `/v1/invoices/${invoiceId}`)).toMatchObject({
      status: 'open',
      dueMinor: 1000,
    });
  });

  it('that waits with another amount becomes credit once the money of the proof has come', async () => {
    const { id, invoiceId } = await scene.sent();
    await scene.judge(id, 'approve');
    const other = await scene.arrive(invoiceId, 89_000);
    expect((await scene.arrive(invoiceId, 90_000)).kind).toBe('proof_seen');
    await scene.ok('POST', '/v1/bank/reconcile', {});
    await scene.match();
    expect(await scene.kindOf(other.id)).toBe('duplicate_credit');
  });

  it('that names nothing is suggested by its amount, and one click makes it the payment’s money', async () => {
    const { id, invoiceId } = await scene.sent();
    const { paymentId } = (await scene.judge(id, 'approve', { amountMinor: 73_519 })).body;
    const came = await scene.arrive(invoiceId, 73_519, 'INCOMING WIRE');
    const path = `/v1/bank_transactions/${came.id}`;
    const { data } = await scene.ok('GET', `${path}/decisions`);
    expect(data[0]).toMatchObject({ kind: 'suggest', suggestions: [{ invoices: [{ invoiceId }] }] });
    const { body } = await scene.request('POST', `${path}/match`, { invoices: [{ invoiceId }] });
    expect(body).toMatchObject({
      status: 'matched',
      payments: [{ paymentId, outcome: 'proven', amountMinor: 73_519 }],
    });
    expect(await scene.paid(invoiceId)).toHaveLength(1);
  });

  it('is split: a part is the money of the proof, and the rest is credit', async () => {
    const { id, invoiceId } = await scene.sent();
    const { customerId } = await scene.ok('GET', `/v1/invoices/${invoiceId}`);
    await scene.judge(id, 'approve');
    const came = await scene.arrive(invoiceId, 95_000, 'INCOMING WIRE');
    const wish = { invoices: [{ invoiceId }], creditCustomerId: customerId };
    const { body } = await scene.request('POST', `/v1/bank_transactions/${came.id}/match`, wish);
    expect(body.payments).toMatchObject([
      { outcome: 'proven', amountMinor: 90_000 },
      { outcome: 'credited', amountMinor: 5000 },
    ]);
    expect(body).toMatchObject({ status: 'matched', allocatedMinor: 95_000 });
  });

  it('that was linked wrongly is let go: the payment stands, and waits for its money again', async () => {
    const { id, invoiceId } = await scene.sent();
    const { paymentId } = (await scene.judge(id, 'approve')).body;
    const came = await scene.arrive(invoiceId, 90_000);
    const bounced = await scene.request('POST', `/v1/payments/${paymentId}/bounce`, { reason: 'x' });
    expect(bounced.body).toMatchObject({ status: 409, reason: 'payment_cannot_bounce' });
    await scene.ok('POST', `/v1/bank_transactions/${came.id}/unmatch`, { reason: 'Somebody else’s' });
    expect((await scene.ok('GET', `/v1/invoices/${invoiceId}`)).status).toBe('paid');
    expect((await scene.arrive(invoiceId, 90_000)).kind).toBe('proof_seen');
    expect(await scene.paid(invoiceId)).toHaveLength(1);
  });

  it('that the bank takes back after it was seen is taken from the payment', async () => {
    const { id, invoiceId } = await scene.sent();
    await scene.judge(id, 'approve');
    const came = await scene.arrive(invoiceId, 90_000);
    await scene.giveBack(came.id);
    expect(await scene.ok('GET', `/v1/invoices/${invoiceId}`)).toMatchObject({
      status: 'open',
      dueMinor: 90_000,
    });
  });

  it('that never comes: operators are told once after five business days, and take the payment back once', async () => {
    const { id, invoiceId } = await scene.sent();
    const { paymentId } = (await scene.judge(id, 'approve')).body;
    await scene.arrive(invoiceId, 12, 'NOISE');
    expect(await scene.unseen(hoursAfter(7 * 24))).not.toContain(`bank_proof_unseen:${id}`);
    expect(await scene.unseen(hoursAfter(8 * 24))).toContain(`bank_proof_unseen:${id}`);
    const told = await scene.unseen(hoursAfter(9 * 24));
    expect(told.filter((key) => key === `bank_proof_unseen:${id}`)).toHaveLength(1);

    const path = `/v1/payments/${paymentId}/bounce`;
    const [one, two] = await Promise.all(
      [1, 2].map(() => scene.request('POST', path, { reason: 'Never came' })),
    );
    expect([one?.status, two?.status]).toEqual([200, 200]);
    expect(one?.body).toMatchObject({ returnedMinor: 90_000, returnCode: 'transfer_not_received' });
    expect(await scene.ok('GET', `/v1/invoices/${invoiceId}`)).toMatchObject({
      status: 'open',
      dueMinor: 90_000,
    });
    expect((await scene.arrive(invoiceId, 90_000)).kind).toBe('auto');
  });

  it('approved and rejected at once, one of the two holds', async () => {
    const { id, invoiceId } = await scene.sent();
    const [approved, rejected] = await Promise.all([
      scene.judge(id, 'approve'),
      scene.judge(id, 'reject', { reason: 'no' }),
    ]);
    expect([approved.status, rejected.status].toSorted()).toEqual([200, 409]);
    expect(await scene.paid(invoiceId)).toHaveLength(approved.status === 200 ? 1 : 0);
  });
});

describe('the very same file', () => {
  it('for another invoice, and by another customer, is suspected on both sides, and operators are told', async () => {
    const [first, second, third] = [await scene.transfer(), await scene.transfer(), await scene.transfer()];
    const bytes = await newFile();
    for (const transfer of [first, second, third]) await scene.sendOnPage(transfer, form(bytes));
    const suspicions = async ({ id }: Json) => (await scene.proofs(id)).map(({ suspicion }) => suspicion);
    for (const transfer of [first, second, third])
      expect(await suspicions(transfer)).toEqual(['other_customer']);
    const rows = await scene.api.sql(
      "SELECT variables->>'what' AS what FROM notifications WHERE dedupe_key LIKE $1",
      [`bank_transfer:${third.id}:proof:%`],
    );
    expect(rows).toEqual([{ what: expect.stringContaining('by another customer') }]);
  });

  it('at the same moment is suspected all the same', async () => {
    const transfers = [await scene.transfer(), await scene.transfer()];
    const bytes = await newFile();
    await Promise.all(transfers.map((transfer) => scene.sendOnPage(transfer, form(bytes))));
    for (const { id } of transfers) expect((await scene.proofs(id))[0]?.suspicion).toBe('other_customer');
  });

  it('for another invoice of the customer is told apart', async () => {
    const transfer = await scene.transfer();
    const { id: invoiceId } = await scene.oneOff(transfer.subscriptionId);
    const { body: other } = await scene.ask(invoiceId);
    const bytes = await newFile();
    await scene.sendOnPage(transfer, form(bytes));
    await scene.send(other.id, form(bytes));
    for (const { id } of [transfer, other])
      expect((await scene.proofs(id))[0]?.suspicion).toBe('other_invoice');
  });
});

describe('the storage', () => {
  /** One that fails once, before or after it has kept a file. */
  function failing(when: 'before' | 'after'): ObjectStorage {
    const storage = createTestStorage();
    let isFirst = true;
    return {
      ...storage,
      async put(object) {
        const fails = isFirst;
        isFirst = false;
        const down = new VendorError({ code: 'vendor_unavailable', message: 'The storage is away' });
        if (fails && when === 'before') throw down;
        const stored = await storage.put(object);
        if (fails) throw down;
        return stored;
      },
    };
  }

  it.each(['before', 'after'] as const)(
    'that fails %s it has kept a file: nothing is told of it, and the same request again is one proof',
    async (when) => {
      const storage = failing(when);
      const put = vi.spyOn(storage, 'put');
      const own = await createProofScene({ storage });
      const transfer = await own.transfer();
      const [bytes, key] = [await newFile(), randomUUID()];
      const failed = await own.send(transfer.id, form(bytes), { key });
      expect([failed.status, failed.body.code]).toEqual([503, 'vendor_unavailable']);
      expect(await own.proofs(transfer.id)).toEqual([]);
      expect((await own.read(transfer.id)).status).toBe('awaiting');
      expect((await own.send(transfer.id, form(bytes), { key })).status).toBe(201);
      const [first, second] = put.mock.calls.map(([object]) => object.key);
      expect(first).toBe(second);
      expect(await own.proofs(transfer.id)).toHaveLength(1);
      await own.close();
    },
  );

  const server = versitygwPath();
  it.skipIf(server === null)('is a bucket where one is named', async () => {
    const s3 = await startVersitygw(server ?? '');
    const storage = createS3Storage(s3.settings);
    const own = await createProofScene({ storage });
    const { id, sizeBytes } = await own.sent();
    const { token } = own.tenant;
    const { body } = await own.api.request('GET', `/v1/bank_proofs/${id}/file`, { token });
    expect(body).toHaveLength(sizeBytes);
    await s3.down();
    const lost = await own.api.request('GET', `/v1/bank_proofs/${id}/file`, { token });
    expect(lost.status).toBe(503);
    await own.close();
    storage.close();
    await s3.stop();
  });
});

describe('the erasure of a customer', () => {
  const noVendor = {} as CardVendor;

  it('deletes the files and what people wrote, also where the storage was away at first', async () => {
    const { id, customerId, subscriptionId, path, bankTransferId } = await scene.sent();
    await scene.send(
      bankTransferId,
      form(await newFile(), { fields: { confirmationNumber: 'WIRE-777777' } }),
    );
    await scene.judge(id, 'reject', { reason: 'Ada Lovelace did not pay this' });
    const { tenantId } = scene.tenant;
    const rows = () =>
      scene.api.sql(
        'SELECT object_key, confirmation_number, reason FROM bank_proofs WHERE customer_id = $1 ORDER BY id',
        [customerId],
      );
    const keys = (await rows()).map(({ object_key }) => object_key);
    expect(keys).toHaveLength(2);
    const input = { tenantId, subscriptionId, at: hoursAfter(100) };
    const away: ObjectStorage = {
      ...scene.storage,
      delete: async () => {
        throw new VendorError({ code: 'vendor_unavailable', message: 'The storage is away' });
      },
    };
    const { db } = scene.api;
    const close = (storage: ObjectStorage) =>
      createCustomerActivities({ db, cardVendor: noVendor, storage }).closeSubscription(input);
    await expect(close(away)).rejects.toMatchObject({ code: 'vendor_unavailable' });
    expect((await rows()).map(({ object_key }) => object_key)).toEqual(keys);
    for (const _twice of [1, 2]) await close(scene.storage);
    const nothing = { object_key: null, confirmation_number: null, reason: null };
    expect(await rows()).toEqual([nothing, nothing]);
    for (const key of keys) expect(await scene.storage.get(key)).toBeNull();
    const { token } = scene.tenant;
    expect((await scene.api.request('GET', `/v1/bank_proofs/${id}/file`, { token })).body.reason).toBe(
      'file_gone',
    );
    expect((await scene.ok('GET', `/v1/bank_proofs/${id}`)).hasFile).toBe(false);
    expect((await scene.sendOnPage({ path }, form(await newFile()))).status).toBe(404);
    expect((await scene.send(bankTransferId, form(await newFile()))).body.reason).toBe('customer_erased');
    const answers = await scene.api.sql(
      "SELECT 1 FROM idempotency_keys WHERE tenant_id = $1 AND (response_body::text LIKE '%WIRE-777777%' OR response_body::text LIKE '%Lovelace did not%')",
      [tenantId],
    );
    expect(answers).toEqual([]);
  });
});
