import { describe, expect, it } from 'vitest';
import { VendorError } from '../domain/errors.ts';
import { retryDelayMs } from './relay-retry.ts';

const away = Object.assign(new Error('unavailable'), { code: 14 });
const refused = Object.assign(new Error('invalid argument'), { code: 3 });
const hour = 3_600_000;

describe('a row for Temporal', () => {
  it('is tried again every 15 seconds at the latest while Temporal is away, so that it goes out soon after', () => {
    const delays = [1, 2, 3, 4, 5, 6, 1000].map((attempts) =>
      retryDelayMs({ topic: 'workflow.start', attempts, error: away }),
    );
    expect(delays).toEqual([1000, 2000, 4000, 8000, 15_000, 15_000, 15_000]);
  });

  it('that Temporal refuses is tried ever more rarely and never given up', () => {
    expect(retryDelayMs({ topic: 'workflow.signal', attempts: 1, error: refused })).toBe(1000);
    expect(retryDelayMs({ topic: 'workflow.signal', attempts: 10, error: refused })).toBe(512_000);
    expect(retryDelayMs({ topic: 'workflow.signal', attempts: 100_000, error: refused })).toBe(hour);
  });
});

describe('a post to a chat', () => {
  const post = (attempts: number, error: Error) => retryDelayMs({ topic: 'chat.send', attempts, error });

  it('is tried 16 times in about five hours, for each try may be another message', () => {
    const delays = Array.from({ length: 16 }, (_, index) => post(index + 1, new Error('no answer')));
    expect(delays.slice(0, 4)).toEqual([1000, 2000, 4000, 8000]);
    expect(delays.at(-1)).toBeNull();
    const totalMs = delays.reduce<number>((sum, delayMs) => sum + (delayMs ?? 0), 0);
    expect(totalMs / hour).toBeGreaterThan(4);
    expect(totalMs / hour).toBeLessThan(6);
  });

  it('waits as long as the chat asks for, but never longer than an hour', () => {
    const limited = (retryAfterMs: number) =>
      new VendorError({ code: 'rate_limited', message: 'slow down', retryAfterMs });
    expect(post(1, limited(30_000))).toBe(30_000);
    expect(post(1, limited(Number.MAX_SAFE_INTEGER))).toBe(hour);
  });

  it('that the chat refuses for good is given up at once', () => {
    expect(post(1, new VendorError({ code: 'vendor_rejected_request', message: 'gone' }))).toBeNull();
  });
});

describe('a mail', () => {
  const mail = (attempts: number, error: Error) => retryDelayMs({ topic: 'mail.send', attempts, error });

  it('is tried for about three days', () => {
    let totalMs = 0;
    for (let attempts = 1; ; attempts++) {
      const delayMs = mail(attempts, new Error('connection reset'));
      if (delayMs === null) break;
      totalMs += delayMs;
    }
    expect(totalMs / hour).toBeGreaterThan(66);
    expect(totalMs / hour).toBeLessThan(72);
  });

  it('waits as long as the vendor asks for', () => {
    const limited = new VendorError({ code: 'rate_limited', message: 'slow down', retryAfterMs: 30_000 });
    expect(mail(1, limited)).toBe(30_000);
    expect(mail(10, limited)).toBe(512_000);
  });

  it('that the vendor refuses for good is given up at once', () => {
    expect(
      mail(1, new VendorError({ code: 'vendor_rejected_request', message: 'no such domain' })),
    ).toBeNull();
    expect(mail(1, new VendorError({ code: 'vendor_unavailable', message: 'down' }))).toBe(1000);
  });
});
