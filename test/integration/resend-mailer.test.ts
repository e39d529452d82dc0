/** Our mailer against the Resend sandbox: a mail leaves once, is kept as it was, and can be read. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Mail, Mailer } from '../../domain/messaging/mailer.ts';
import { createResendMailer } from '../../integrations/resend/client.ts';
import { type ResendSandbox, startResendSandbox } from '../../integrations/resend/sandbox.ts';
import type { FaultKind } from '../../integrations/sandbox/faults.ts';

let sandbox: ResendSandbox;
let mailer: Mailer;

beforeAll(async () => {
  sandbox = await startResendSandbox({ port: 0 });
  mailer = connect(sandbox.url);
});

beforeEach(() => sandbox.reset());
afterAll(() => sandbox.close());

function connect(
  baseUrl: string,
  options: { apiKey?: string; from?: string; timeoutMs?: number } = {},
): Mailer {
  return createResendMailer({
    apiKey: 're_sandbox',
    from: 'Perennial <billing@perennial.example>',
    baseUrl,
    ...options,
  });
}

function mail(overrides: Partial<Mail> = {}): Mail {
  return {
    to: 'ada@example.com',
    subject: 'Your trial has started',
    html: '<p>Hello <b>Ada</b></p>',
    text: 'Hello Ada',
    idempotencyKey: 'notification:ntf_1',
    tags: { notificationId: 'ntf_1', template: 'trial_started' },
    ...overrides,
  };
}

describe('a mail', () => {
  it('leaves as it was written', async () => {
    const { externalId } = await mailer.send(mail());
    expect(sandbox.mails()).toMatchObject([
      {
        id: externalId,
        from: 'Perennial <billing@perennial.example>',
        to: ['ada@example.com'],
        subject: 'Your trial has started',
        html: '<p>Hello <b>Ada</b></p>',
        text: 'Hello Ada',
        last_event: 'delivered',
        tags: [
          { name: 'notificationId', value: 'ntf_1' },
          { name: 'template', value: 'trial_started' },
        ],
      },
    ]);
    expect(sandbox.effects()).toMatchObject([
      {
        vendor: 'resend',
        op: 'emails.send',
        businessRef: 'ntf_1',
        outcome: 'effect',
        idempotencyKey: 'notification:ntf_1',
      },
    ]);
  });

  it('takes its files along, and with another file under its key it is refused', async () => {
    const attachments = [{ fileName: 'INV-000042.pdf', content: new Uint8Array([37, 80, 68, 70, 0, 255]) }];
    const { externalId } = await mailer.send(mail({ attachments }));
    expect(sandbox.files(externalId)).toEqual([{ filename: 'INV-000042.pdf', content: 'JVBERgD/' }]);
    expect(await mailer.send(mail({ attachments }))).toEqual({ externalId });
    const others = [{ fileName: 'INV-000042.pdf', content: new Uint8Array([37, 80, 68, 70, 0, 254]) }];
    await expect(mailer.send(mail({ attachments: others }))).rejects.toMatchObject({
      code: 'idempotency_key_reused',
    });
    expect(sandbox.mails()).toHaveLength(1);
  });

  it('sent again with its key leaves once and has the same id', async () => {
    const first = await mailer.send(mail());
    const second = await mailer.send(mail());
    expect(second).toEqual(first);
    expect(sandbox.mails()).toHaveLength(1);
  });

  it('with the key of another mail is refused', async () => {
    await mailer.send(mail());
    await expect(mailer.send(mail({ subject: 'Another' }))).rejects.toMatchObject({
      code: 'idempotency_key_reused',
    });
    expect(sandbox.mails()).toHaveLength(1);
  });

  it('sent again after 24 hours leaves again: the key is forgotten by then', async () => {
    await mailer.send(mail());
    sandbox.clock.advance(24 * 60 * 60 + 1);
    await mailer.send(mail());
    expect(sandbox.mails()).toHaveLength(2);
  });

  it.each<[string, Partial<Mail>]>([
    ['no address', { to: '' }],
    ['an address without a host', { to: 'ada' }],
    ['no subject', { subject: '' }],
    ['a tag with a space', { tags: { notificationId: 'ntf 1' } }],
    ['a key longer than Resend keeps', { idempotencyKey: 'k'.repeat(257) }],
  ])('with %s is refused and does not leave', async (_, overrides) => {
    await expect(mailer.send(mail(overrides))).rejects.toMatchObject({ code: 'vendor_rejected_request' });
    expect(sandbox.mails()).toEqual([]);
  });

  it('from an address that is none is refused', async () => {
    const nameless = connect(sandbox.url, { from: 'billing' });
    await expect(nameless.send(mail())).rejects.toMatchObject({ code: 'vendor_rejected_request' });
  });

  it('with a wrong key of Resend is refused', async () => {
    const stranger = connect(sandbox.url, { apiKey: 'wrong' });
    await expect(stranger.send(mail())).rejects.toMatchObject({ code: 'vendor_rejected_request' });
  });
});

describe('a mail that meets a fault', () => {
  const meet = (fault: FaultKind, more: object = {}) =>
    sandbox.setFaults({ next: [{ fault, op: 'emails.send' }], ...more });

  it.each<FaultKind>(['refuse', 'error_before', 'error_after', 'drop_answer', 'malformed'])(
    '%s: is an unknown outcome, and leaves once however often it is repeated',
    async (fault) => {
      meet(fault);
      await expect(mailer.send(mail())).rejects.toMatchObject({ code: 'outcome_unknown' });
      await mailer.send(mail());
      await mailer.send(mail());
      expect(sandbox.mails()).toHaveLength(1);
    },
  );

  it('429: says how long to wait', async () => {
    meet('rate_limit', { retryAfterSeconds: 4 });
    await expect(mailer.send(mail())).rejects.toMatchObject({ code: 'rate_limited', retryAfterMs: 4_000 });
    expect(sandbox.mails()).toEqual([]);
  });

  it('an answer later than our patience is an unknown outcome', async () => {
    const impatient = connect(sandbox.url, { timeoutMs: 100 });
    meet('delay', { delayMs: 60_000 });
    await expect(impatient.send(mail())).rejects.toMatchObject({ code: 'outcome_unknown' });
    await expect(impatient.send(mail())).rejects.toMatchObject({ code: 'outcome_unknown' });
    expect(sandbox.mails()).toHaveLength(1);
  });

  it('nobody listening is an unknown outcome', async () => {
    const gone = await startResendSandbox({ port: 0 });
    await gone.close();
    await expect(connect(gone.url).send(mail())).rejects.toMatchObject({ code: 'outcome_unknown' });
  });
});

describe('the inbox', () => {
  const read = async (path: string) => {
    const response = await fetch(`${sandbox.url}${path}`);
    return { status: response.status, headers: response.headers, body: await response.text() };
  };

  it('lists the latest mail first, and says so when there is none', async () => {
    expect((await read('/')).body).toContain('Nothing has been sent yet');
    await mailer.send(mail({ subject: 'First', idempotencyKey: 'k1' }));
    await mailer.send(mail({ subject: 'Second', idempotencyKey: 'k2' }));
    const { body } = await read('/');
    expect(body.indexOf('Second')).toBeLessThan(body.indexOf('First'));
    expect(body.indexOf('Second')).toBeGreaterThan(0);
  });

  it('shows a mail with its text, and its HTML in a frame that can do nothing', async () => {
    const { externalId } = await mailer.send(mail({ html: '<script>alert(1)</script><p>Hi</p>' }));
    const { body } = await read(`/mails/${externalId}`);
    expect(body).toContain('Hello Ada');
    expect(body).toContain('<iframe sandbox="allow-popups');
    expect(body).not.toContain('<script>');

    const frame = await read(`/mails/${externalId}/html`);
    expect(frame.body).toContain('<p>Hi</p>');
    expect(frame.headers.get('content-security-policy')).toMatch(/^sandbox .*default-src 'none'/);
  });

  it('writes what came from outside as text', async () => {
    await mailer.send(mail({ subject: '<img src=x onerror=alert(1)>' }));
    expect((await read('/')).body).toContain('&lt;img src=x onerror=alert(1)&gt;');
  });

  it('has no page for a mail that was never sent', async () => {
    expect((await read('/mails/unknown')).status).toBe(404);
  });
});

describe('a restart', () => {
  it('keeps mails, keys and log', async () => {
    const stateDir = mkdtempSync(join(tmpdir(), 'resend-sandbox-'));
    try {
      const before = await startResendSandbox({ port: 0, stateDir });
      const first = await connect(before.url).send(mail());
      await before.close();
      const after = await startResendSandbox({ port: 0, stateDir });
      const second = await connect(after.url).send(mail());
      expect(second).toEqual(first);
      expect(after.mails()).toHaveLength(1);
      expect(after.effects().map(({ outcome }) => outcome)).toEqual(['effect', 'replay']);
      await after.close();
    } finally {
      rmSync(stateDir, { recursive: true });
    }
  });
});
