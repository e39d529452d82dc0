/**
 * One decided message is one mail, whatever dies and whichever answer is lost. The mails are counted in the mail
 * vendor's own log, never in our table.
 */
import { eq, sql } from 'drizzle-orm';
import { pino } from 'pino';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createSendNotification } from '../../activities/messaging/notification.ts';
import { createDatabase, type Database, withTenant } from '../../db/client.ts';
import { newId } from '../../db/ids.ts';
import { enqueueNotification } from '../../db/queries/messaging/notifications.ts';
import { customers } from '../../db/schema/billing.ts';
import { notifications } from '../../db/schema/messaging.ts';
import { tenants } from '../../db/schema/tenants.ts';
import { errorCodes, VendorError } from '../../domain/errors.ts';
import type { Mailer } from '../../domain/messaging/mailer.ts';
import type { NotificationRequest } from '../../domain/messaging/notification.ts';
import { renderInvoicePdf } from '../../integrations/pdf/invoice-pdf.ts';
import { createResendMailer } from '../../integrations/resend/client.ts';
import { type ResendSandbox, startResendSandbox } from '../../integrations/resend/sandbox.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

const address = 'ada@example.com';
const variables = {
  planName: 'Pro monthly',
  invoiceNumber: 'INV-000042',
  amount: 'USD 29.00',
  periodEndsAt: 'Tue 15 Apr 2025 15:00 UTC',
};

let testDatabase: TestDatabase;
let db: Database;
let resend: ResendSandbox;
let mailer: Mailer;
let tenantId: string;
let customerId: string;
let logged: string[];

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  db = createDatabase({ url: testDatabase.url, max: 4 });
  resend = await startResendSandbox({ port: 0 });
  mailer = createResendMailer({
    apiKey: 're_sandbox',
    baseUrl: resend.url,
    from: 'Acme <billing@example.com>',
  });
});

afterAll(async () => {
  await resend.close();
  await db.close();
  await testDatabase.drop();
});

beforeEach(async () => {
  resend.reset();
  logged = [];
  tenantId = newId('ten');
  customerId = newId('cus');
  await withTenant(db, tenantId, async (tx) => {
    const portalUrl = 'https://billing.acme.example/account';
    await tx.insert(tenants).values({ id: tenantId, name: 'Acme Analytics', portalUrl });
    await tx.insert(customers).values({
      id: customerId,
      tenantId,
      email: address,
      name: 'Ada Lovelace',
      currency: 'USD',
      personKey: 'key',
    });
  });
});

describe('a decided message', () => {
  it('is sent once, to the customer, and its row says so', async () => {
    const id = await decided();
    await send(id);

    expect(mailsLeft()).toEqual([id]);
    const [mail] = resend.mails();
    expect(mail).toMatchObject({ to: [address], subject: 'Receipt for Pro monthly: USD 29.00' });
    expect(mail?.text).toContain('Hello Ada Lovelace,');
    expect(mail?.html).toContain('INV-000042');
    expect(await row(id)).toMatchObject({
      status: 'sent',
      externalId: mail?.id,
      recipient: address,
      subject: 'Receipt for Pro monthly: USD 29.00',
      attempts: 1,
      error: null,
      sentAt: expect.any(Date),
    });
  });

  it('delivered again by the relay, it does not even reach the vendor', async () => {
    const id = await decided();
    await send(id);
    await send(id);

    expect(resend.calls()).toEqual({ 'emails.send': 1 });
    expect(await row(id)).toMatchObject({ status: 'sent', attempts: 1 });
  });

  it('delivered twice at the same moment, it is one mail', async () => {
    const id = await decided();
    await Promise.allSettled([send(id), send(id), send(id)]);
    await send(id);

    expect(mailsLeft()).toEqual([id]);
    expect(await row(id)).toMatchObject({ status: 'sent', externalId: resend.mails()[0]?.id });
  });

  it('of another tenant is not seen, and an unknown one is nothing to send', async () => {
    const id = await decided();
    await sender(mailer)({ tenantId: newId('ten'), notificationId: id });
    await send(newId('ntf'));

    expect(mailsLeft()).toEqual([]);
    expect(await row(id)).toMatchObject({ status: 'queued', attempts: 0 });
  });

  it('leaves neither name nor address in the log', async () => {
    await send(await decided());
    resend.setFaults({ next: [{ fault: 'rate_limit' }] });
    await expect(send(await decided())).rejects.toThrow(VendorError);

    expect(logged).toHaveLength(2);
    expect(logged.join()).not.toMatch(/\bada\b|lovelace|example\.com/i);
  });
});

describe('a crash', () => {
  it('right before the call: the next run sends the mail', async () => {
    const id = await decided();
    await expect(send(id, dyingBeforeTheCall)).rejects.toThrow('the process died');
    expect(await row(id)).toMatchObject({ status: 'sending', firstTriedAt: expect.any(Date) });
    expect(mailsLeft()).toEqual([]);

    await send(id);
    expect(mailsLeft()).toEqual([id]);
    expect(await row(id)).toMatchObject({ status: 'sent', attempts: 2 });
  });

  it('right after the call: the next run finds the mail under its key and sends no second one', async () => {
    const id = await decided();
    await expect(send(id, dyingAfterTheCall)).rejects.toThrow('the process died');
    expect(await row(id)).toMatchObject({ status: 'sending', externalId: null });
    expect(mailsLeft()).toEqual([id]);

    await send(id);
    expect(mailsLeft()).toEqual([id]);
    expect(outcomes()).toEqual(['effect', 'replay']);
    expect(await row(id)).toMatchObject({ status: 'sent', externalId: resend.mails()[0]?.id });
  });

  it('would show as two mails in the log if the key were made anew for each try', async () => {
    const id = await decided();
    const withNewKey = (through: Mailer): Mailer => ({
      send: (mail) => through.send({ ...mail, idempotencyKey: newId('ntf') }),
    });
    await expect(send(id, withNewKey(dyingAfterTheCall))).rejects.toThrow('the process died');
    await send(id, withNewKey(mailer));
    expect(mailsLeft()).toEqual([id, id]);
  });
});

describe('an answer that is lost', () => {
  it('is asked for again under the same key: one mail', async () => {
    const id = await decided();
    resend.setFaults({ next: [{ fault: 'drop_answer' }] });
    await expect(send(id)).rejects.toMatchObject({ code: 'outcome_unknown' });
    const inDoubt = await row(id);
    expect(inDoubt).toMatchObject({ status: 'sending', error: expect.stringContaining('outcome_unknown') });

    await send(id);
    expect(mailsLeft()).toEqual([id]);
    expect(await row(id)).toMatchObject({ status: 'sent', error: null, firstTriedAt: inDoubt.firstTriedAt });
  });

  it('and is not found within 23 hours is never risked again: a person decides', async () => {
    const id = await decided();
    resend.setFaults({ next: [{ fault: 'drop_answer' }] });
    await expect(send(id)).rejects.toMatchObject({ code: 'outcome_unknown' });
    await triedHoursAgo(id, 23.1);
    resend.forgetIdempotencyKeys();

    await send(id);
    await send(id);
    expect(mailsLeft()).toEqual([id]);
    expect(resend.calls()).toEqual({ 'emails.send': 1 });
    expect(await row(id)).toMatchObject({
      status: 'unknown',
      error: expect.stringContaining('may have been sent'),
    });
  });

  it('is still asked for after 22 hours', async () => {
    const id = await decided();
    resend.setFaults({ next: [{ fault: 'drop_answer' }] });
    await expect(send(id)).rejects.toThrow(VendorError);
    await triedHoursAgo(id, 22.9);

    await send(id);
    expect(mailsLeft()).toEqual([id]);
    expect(await row(id)).toMatchObject({ status: 'sent' });
  });

  it('is asked for at the first address, even when the customer has another one by now', async () => {
    const id = await decided();
    resend.setFaults({ next: [{ fault: 'drop_answer' }] });
    await expect(send(id)).rejects.toThrow(VendorError);
    await customer({ email: 'other@example.com' });

    await send(id);
    expect(resend.mails().map(({ to }) => to)).toEqual([[address]]);
    expect(await row(id)).toMatchObject({ status: 'sent', recipient: address });
  });

  it('and whose mail would read differently by now is not sent a second time', async () => {
    const id = await decided();
    resend.setFaults({ next: [{ fault: 'drop_answer' }] });
    await expect(send(id)).rejects.toThrow(VendorError);
    await customer({ name: 'Ada King' });

    await send(id);
    expect(mailsLeft()).toEqual([id]);
    expect(await row(id)).toMatchObject({
      status: 'unknown',
      error: expect.stringContaining('idempotency_key_reused'),
    });
  });
});

describe('a refusal', () => {
  it('after an answer that was lost does not deny a mail that may have been sent', async () => {
    const id = await decided();
    resend.setFaults({ next: [{ fault: 'drop_answer' }] });
    await expect(send(id)).rejects.toThrow(VendorError);
    const refusal = new VendorError({ code: 'vendor_rejected_request', message: 'the API key is not valid' });
    await send(id, { send: () => Promise.reject(refusal) });

    expect(await row(id)).toMatchObject({ status: 'unknown' });
  });
});

describe('a vendor that is away', () => {
  it.each(['refuse', 'error_before', 'delay_beyond_timeout'] as const)(
    '(%s) delays the mail, nothing more',
    async (fault) => {
      const id = await decided();
      const impatient = createResendMailer({
        apiKey: 're_sandbox',
        baseUrl: resend.url,
        from: 'Acme <billing@example.com>',
        timeoutMs: 200,
      });
      const late = fault === 'delay_beyond_timeout';
      resend.setFaults(late ? { next: [{ fault: 'delay' }], delayMs: 600 } : { next: [{ fault }] });
      await expect(send(id, impatient)).rejects.toSatisfy(isRetryable);
      expect(await row(id)).toMatchObject({ status: 'sending' });

      await expect
        .poll(() => send(id).then(() => row(id)), { timeout: 10_000 })
        .toMatchObject({ status: 'sent' });
      expect(mailsLeft()).toEqual([id]);
    },
  );

  it('that asks us to slow down names the delay, and puts no mail in doubt however long it lasts', async () => {
    const id = await decided();
    resend.setFaults({ next: [{ fault: 'rate_limit', times: 2 }], retryAfterSeconds: 30 });
    await expect(send(id)).rejects.toMatchObject({ code: 'rate_limited', retryAfterMs: 30_000 });
    await expect(send(id)).rejects.toMatchObject({ code: 'rate_limited' });
    expect(await row(id)).toMatchObject({ status: 'queued', firstTriedAt: null, attempts: 2 });

    await send(id);
    expect(mailsLeft()).toEqual([id]);
    expect(await row(id)).toMatchObject({ status: 'sent', attempts: 3 });
  });

  it('that asks us to slow down leaves a mail in doubt that was in doubt before', async () => {
    const id = await decided();
    resend.setFaults({ next: [{ fault: 'drop_answer' }, { fault: 'rate_limit' }] });
    await expect(send(id)).rejects.toMatchObject({ code: 'outcome_unknown' });
    const { firstTriedAt } = await row(id);
    await expect(send(id)).rejects.toMatchObject({ code: 'rate_limited' });
    expect(await row(id)).toMatchObject({ status: 'sending', firstTriedAt });
  });
});

describe('a message that cannot be sent', () => {
  it('to an erased customer is skipped', async () => {
    const id = await decided();
    await customer({ email: null, name: null, erasedAt: new Date() });
    await send(id);

    expect(mailsLeft()).toEqual([]);
    expect(await row(id)).toMatchObject({
      status: 'skipped',
      error: 'the customer was erased',
      recipient: null,
    });
  });

  it('to a customer who is being erased at that moment is skipped', async () => {
    const id = await decided();
    const locked = Promise.withResolvers<void>();
    const committing = Promise.withResolvers<void>();
    const erasure = withTenant(db, tenantId, async (tx) => {
      const erased = { email: null, name: null, nameKey: null, erasedAt: new Date() };
      await tx.update(customers).set(erased).where(eq(customers.id, customerId));
      await tx.update(notifications).set({ variables: {} }).where(eq(notifications.id, id));
      locked.resolve();
      await committing.promise;
    });
    await locked.promise;
    const sending = send(id);
    await expect.poll(waitsForALock, { timeout: 10_000 }).toBe(true);
    committing.resolve();
    await Promise.all([erasure, sending]);

    expect(mailsLeft()).toEqual([]);
    expect(await row(id)).toMatchObject({ status: 'skipped', error: 'the customer was erased' });
  });

  it('to a customer without an address is skipped', async () => {
    const id = await decided();
    await customer({ email: null });
    await send(id);

    expect(mailsLeft()).toEqual([]);
    expect(await row(id)).toMatchObject({ status: 'skipped', error: 'the customer has no address' });
  });

  it('to a customer without a name greets without one', async () => {
    const id = await decided();
    await customer({ name: null });
    await send(id);
    expect(resend.mails()[0]?.text).toContain('Hello there,');
  });

  it('for want of a variable fails, names it, and is never tried again', async () => {
    const { planName: _, ...incomplete } = variables;
    const id = await decided({ template: 'payment_receipt', variables: incomplete as typeof variables });
    await send(id);
    await send(id);

    expect(resend.calls()).toEqual({});
    expect(await row(id)).toMatchObject({
      status: 'failed',
      error: 'payment_receipt: the variable planName is missing',
      attempts: 0,
    });
  });

  it('because the vendor refuses its address fails, is never tried again, and does not keep the address in its error', async () => {
    const id = await decided();
    await customer({ email: 'nobody@nowhere' });
    await send(id);
    await send(id);

    expect(resend.calls()).toEqual({ 'emails.send': 1 });
    expect(mailsLeft()).toEqual([]);
    const { status, error } = await row(id);
    expect(status).toBe('failed');
    expect(error).toContain('vendor_rejected_request');
    expect(error).not.toContain('nobody@nowhere');
  });
});

/** The mails that left the vendor, by our notification, in order. */
function mailsLeft(): (string | null)[] {
  return resend
    .effects()
    .filter(({ op, outcome }) => op === 'emails.send' && outcome === 'effect')
    .map(({ businessRef }) => businessRef);
}

function outcomes(): string[] {
  return resend.effects().map(({ outcome }) => outcome);
}

const dyingBeforeTheCall: Mailer = { send: () => Promise.reject(new Error('the process died')) };

const dyingAfterTheCall: Mailer = {
  async send(mail) {
    await mailer.send(mail);
    throw new Error('the process died');
  },
};

function send(notificationId: string, through: Mailer = mailer): Promise<void> {
  return sender(through)({ tenantId, notificationId });
}

function sender(through: Mailer) {
  return createSendNotification({ db, mailer: through, drawDocument: renderInvoicePdf, log: log() });
}

/** Without redaction: what is not written cannot leak. */
function log() {
  return pino({ base: null }, { write: (line: string) => void logged.push(line) });
}

function isRetryable(error: unknown): boolean {
  return error instanceof VendorError && errorCodes[error.code].retryable;
}

async function decided(
  message: Pick<Extract<NotificationRequest, { template: 'payment_receipt' }>, 'template' | 'variables'> = {
    template: 'payment_receipt',
    variables,
  },
): Promise<string> {
  const dedupeKey = newId('ntf');
  return withTenant(db, tenantId, async (tx) => {
    const request: NotificationRequest = { ...message, customerId, dedupeKey };
    await enqueueNotification(tx, { tenantId, at: new Date(), request });
    const [found] = await tx
      .select({ id: notifications.id })
      .from(notifications)
      .where(eq(notifications.dedupeKey, dedupeKey));
    if (found === undefined) throw new Error('The message was not decided');
    return found.id;
  });
}

async function row(id: string): Promise<typeof notifications.$inferSelect> {
  return withTenant(db, tenantId, async (tx) => {
    const [found] = await tx.select().from(notifications).where(eq(notifications.id, id));
    if (found === undefined) throw new Error(`No notification ${id}`);
    return found;
  });
}

async function waitsForALock(): Promise<boolean> {
  const { rows } = await db.pool.query('SELECT FROM pg_locks WHERE NOT granted');
  return rows.length > 0;
}

function customer(change: Partial<typeof customers.$inferInsert>): Promise<unknown> {
  return withTenant(db, tenantId, (tx) =>
    tx.update(customers).set(change).where(eq(customers.id, customerId)),
  );
}

function triedHoursAgo(id: string, hours: number): Promise<unknown> {
  const firstTriedAt = sql`now() - make_interval(secs => ${hours * 3600})`;
  return withTenant(db, tenantId, (tx) =>
    tx.update(notifications).set({ firstTriedAt }).where(eq(notifications.id, id)),
  );
}
