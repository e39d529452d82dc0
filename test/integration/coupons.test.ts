/**
 * Coupons and referrals through the API: what is refused writes nothing, a coupon is never redeemed more often than it may
 * be, and a referral is rewarded once.
 */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { withTenant } from '../../db/client.ts';
import { issuePeriodInvoice } from '../../db/queries/billing/issue-invoice.ts';
import { lockSubscription } from '../../db/queries/billing/subscriptions.ts';
import { offerWinBack } from '../../db/queries/billing/win-back.ts';
import { lapseConversion } from '../../db/queries/payments/conversion.ts';
import { ledgerEntries } from '../../db/schema/payments.ts';
import { type Json, startTestApi, type TestAnswer, type TestApi, type TestTenant } from '../support/api.ts';
import { readPdf, textsOf } from '../support/pdf.ts';

let api: TestApi;
let tenant: TestTenant;

beforeAll(async () => {
  api = await startTestApi();
  tenant = await api.tenant();
});
afterAll(() => api.close());

function request(method: string, path: string, body?: unknown): Promise<TestAnswer> {
  return api.request(method, path, { token: tenant.token, ...(body !== undefined && { body }) });
}

async function ok(method: string, path: string, body?: unknown): Promise<Json> {
  const answer = await request(method, path, body);
  expect(answer.status, JSON.stringify(answer.body)).toBeLessThan(300);
  return answer.body;
}

function newCustomer(email = `${randomUUID()}@example.com`): Promise<Json> {
  return ok('POST', '/v1/customers', { email, name: 'Ada Lovelace', currency: 'USD' });
}

function newCoupon(terms: object = {}): Promise<Json> {
  return ok('POST', '/v1/coupons', { code: `C-${randomUUID()}`, percent: 20, ...terms });
}

async function newSubscription(details: object = {}): Promise<Json> {
  const { id: customerId } = await newCustomer();
  return ok('POST', '/v1/subscriptions', { customerId, planCode: 'pro-monthly', ...details });
}

/** Issues the invoice of a period, as its process would. */
async function bill(subscriptionId: string, periodIndex = 0): Promise<Json> {
  const at = new Date(Date.UTC(2026, periodIndex, 1, 9));
  const period = {
    startsAt: at.toISOString(),
    endsAt: new Date(Date.UTC(2026, periodIndex + 1, 1, 9)).toISOString(),
  };
  const { id } = await withTenant(api.db, tenant.tenantId, async (tx) =>
    issuePeriodInvoice(tx, await lockSubscription(tx, subscriptionId), { periodIndex, period, at }),
  );
  return ok('GET', `/v1/invoices/${id}`);
}

function pay({ id, dueMinor }: Json): Promise<Json> {
  const body = {
    amountMinor: dueMinor,
    currency: 'USD',
    method: 'wire',
    reason: 'on the statement',
    reference: randomUUID(),
  };
  return ok('POST', `/v1/invoices/${id}/payments`, body);
}

/** A coupon for one redemption, which somebody else has had. */
async function usedUp(): Promise<Json> {
  const coupon = await newCoupon({ maxRedemptions: 1 });
  await newSubscription({ couponCode: coupon.code });
  return coupon;
}

async function redeemed(couponId: string): Promise<number> {
  return (await ok('GET', `/v1/coupons/${couponId}`)).timesRedeemed;
}

describe('a coupon', () => {
  it('reduces the invoices of as many periods as it has, then it is gone', async () => {
    const coupon = await newCoupon({ periods: 2 });
    const { id, coupon: shown } = await newSubscription({ couponCode: coupon.code.toLowerCase() });
    expect(shown).toEqual({ code: coupon.code, reduction: '20 % off the next 2 periods', periodsLeft: 2 });
    const bills = [await bill(id), await bill(id, 1), await bill(id, 2)];
    expect(bills.map(({ totalMinor }) => totalMinor)).toEqual([2320, 2320, 2900]);
    expect(bills[0].lines).toMatchObject([
      { unitMinor: 2900, amountMinor: 2320, discountMinor: 580, discountCode: coupon.code },
    ]);
    expect((await bill(id)).id, 'a period is counted once').toBe(bills[0].id);
    expect((await ok('GET', `/v1/subscriptions/${id}`)).coupon).toBeNull();
    expect(await redeemed(coupon.id)).toBe(1);
  });

  it('of a fixed amount never makes a period cost less than nothing, and that one is paid at once', async () => {
    const coupon = await newCoupon({ percent: undefined, reductionMinor: 5000, currency: 'USD', periods: 1 });
    const { id } = await newSubscription({ couponCode: coupon.code });
    expect(await bill(id)).toMatchObject({ totalMinor: 0, status: 'paid', lines: [{ discountMinor: 2900 }] });
  });

  it('stands on the invoice as it is printed', async () => {
    const coupon = await newCoupon({ code: 'PRINTED-20' });
    const { id } = await newSubscription({ couponCode: coupon.code });
    const { id: invoiceId } = await bill(id);
    const response = await fetch(`${api.url}/v1/invoices/${invoiceId}/pdf`, {
      headers: { authorization: `Bearer ${tenant.token}` },
    });
    const texts = textsOf(await readPdf(Buffer.from(await response.arrayBuffer()))).join(' ');
    expect(texts).toContain(`Discount ${coupon.code}`);
    expect(texts).toContain('USD 23.20');
  });

  it('takes the place of another one, and can be taken off', async () => {
    const [first, second] = [await newCoupon(), await newCoupon({ percent: 50 })];
    const { id } = await newSubscription({ couponCode: first.code });
    const path = `/v1/subscriptions/${id}`;
    expect((await ok('POST', `${path}/apply_coupon`, { couponCode: second.code })).coupon).toMatchObject({
      reduction: '50 % off every period',
      periodsLeft: null,
    });
    expect(await request('POST', `${path}/apply_coupon`, { couponCode: first.code })).toMatchObject({
      status: 409,
      body: { reason: 'coupon_redeemed' },
    });
    expect(await redeemed(first.id), 'the refused one does not count').toBe(1);
    expect((await ok('POST', `${path}/remove_coupon`, {})).coupon).toBeNull();
    expect(await request('POST', `${path}/remove_coupon`, {})).toMatchObject({
      body: { reason: 'no_coupon' },
    });
    expect(await bill(id)).toMatchObject({ totalMinor: 2900 });
  });

  it('has the period of a conversion that did not work again, once, however often that is booked', async () => {
    const coupon = await newCoupon({ periods: 2 });
    const { id } = await newSubscription({ couponCode: coupon.code });
    const { id: invoiceId } = await bill(id);
    const left = async () => (await ok('GET', `/v1/subscriptions/${id}`)).coupon?.periodsLeft;
    expect(await left()).toBe(1);
    for (const _ of ['the answer', 'its repeat']) {
      await withTenant(api.db, tenant.tenantId, async (tx) => {
        await lockSubscription(tx, id);
        await lapseConversion(tx, invoiceId, new Date());
      });
      expect(await left()).toBe(2);
    }
  });

  it('with ten uses is redeemed ten times, however many want it at once', async () => {
    const coupon = await newCoupon({ maxRedemptions: 10 });
    const customers = await Promise.all(Array.from({ length: 50 }, () => newCustomer()));
    const answers = await Promise.all(
      customers.map(({ id: customerId }) =>
        request('POST', '/v1/subscriptions', {
          customerId,
          planCode: 'pro-monthly',
          couponCode: coupon.code,
        }),
      ),
    );
    const refused = answers.filter(({ status }) => status >= 400);
    expect(refused.map(({ body }) => body.reason)).toEqual(
      Array.from({ length: 40 }, () => 'coupon_used_up'),
    );
    expect(await redeemed(coupon.id)).toBe(10);
  });
});

describe('a coupon is refused, and nothing is written', () => {
  it.each<[string, () => Promise<Json>, number]>([
    ['coupon_not_found', async () => ({ code: 'NO-SUCH-CODE' }), 404],
    ['coupon_expired', () => newCoupon({ expiresAt: '2020-01-01T00:00:00Z' }), 409],
    ['coupon_used_up', usedUp, 409],
    ['coupon_archived', async () => ok('POST', `/v1/coupons/${(await newCoupon()).id}/archive`, {}), 409],
    ['currency_mismatch', () => newCoupon({ percent: undefined, reductionMinor: 100, currency: 'EUR' }), 422],
    ['coupon_of_another_customer', async () => newCoupon({ customerId: (await newCustomer()).id }), 409],
  ])('%s', async (reason, make, status) => {
    const { id: couponId, code } = await make();
    const [{ id: customerId }, { id }] = [await newCustomer(), await newSubscription()];
    const redeemedBefore = couponId === undefined ? null : await redeemed(couponId);
    const asks = [
      ['/v1/subscriptions', { customerId, planCode: 'pro-monthly', couponCode: code }],
      [`/v1/subscriptions/${id}/apply_coupon`, { couponCode: code }],
    ] as const;
    for (const [path, body] of asks) {
      const before = await api.rowCounts();
      expect(await request('POST', path, body), path).toMatchObject({ status, body: { reason } });
      expect(await api.rowCounts(), path).toEqual(before);
    }
    if (redeemedBefore !== null) expect(await redeemed(couponId)).toBe(redeemedBefore);
    expect((await ok('GET', `/v1/subscriptions?customerId=${customerId}`)).data).toEqual([]);
    expect((await ok('GET', `/v1/subscriptions/${id}`)).coupon).toBeNull();
  });

  it.each([
    ['both reductions', { percent: 20, reductionMinor: 100, currency: 'USD' }],
    ['no reduction', { percent: undefined }],
    ['a currency with a percentage', { currency: 'USD' }],
    ['an amount without a currency', { percent: undefined, reductionMinor: 100 }],
    ['more than all', { percent: 101 }],
    ['no periods', { periods: 0 }],
    ['a code that cannot be typed', { code: 'twenty percent' }],
  ])('%s', async (_, terms) => {
    const answer = await request('POST', '/v1/coupons', { code: `X-${randomUUID()}`, percent: 20, ...terms });
    expect(answer).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
  });

  it('a code that was used before, in any case', async () => {
    const { code } = await newCoupon();
    const answer = await request('POST', '/v1/coupons', { code: code.toLowerCase(), percent: 5 });
    expect(answer).toMatchObject({ status: 409, body: { reason: 'coupon_code_taken' } });
  });
});

describe('the offer to come back', () => {
  it('is a code for one period that only this person can redeem, also as a new customer', async () => {
    const email = `${randomUUID()}@example.com`;
    const { id: customerId } = await newCustomer(email);
    const { id } = await ok('POST', '/v1/subscriptions', { customerId, planCode: 'pro-monthly' });
    const { code, percent } = await withTenant(api.db, tenant.tenantId, async (tx) =>
      offerWinBack(tx, await lockSubscription(tx, id), new Date()),
    );
    expect(['20 %', '50 %']).toContain(percent);
    const stranger = await newSubscription();
    expect(
      await request('POST', `/v1/subscriptions/${stranger.id}/apply_coupon`, { couponCode: code }),
    ).toMatchObject({ body: { reason: 'coupon_of_another_customer' } });
    const again = await newCustomer(email.toUpperCase());
    const back = await ok('POST', '/v1/subscriptions', {
      customerId: again.id,
      planCode: 'pro-monthly',
      start: 'payment',
      couponCode: code,
    });
    expect(back.coupon).toMatchObject({ code, periodsLeft: 1 });
    const { data } = await ok('GET', `/v1/coupons?code=${code}`);
    expect(data).toMatchObject([{ wonBackFrom: id, timesRedeemed: 1, isForOnePerson: true }]);
  });
});

describe('a referral', () => {
  async function referrer(): Promise<{ id: string; code: string }> {
    const { id } = await newCustomer();
    return { id, code: (await ok('POST', `/v1/customers/${id}/referral_code`, {})).code };
  }

  it('brings a fifth of the first payment, once', async () => {
    const { id, code } = await referrer();
    expect((await ok('POST', `/v1/customers/${id}/referral_code`, {})).code).toBe(code);
    const brought = await newSubscription({ referralCode: code.toLowerCase() });
    for (const period of [0, 1]) await pay(await bill(brought.id, period));
    expect((await ok('GET', `/v1/customers/${id}`)).creditMinor).toBe(580);
    expect((await ok('GET', `/v1/customers?referredBy=${id}`)).data).toMatchObject([
      { id: brought.customerId, referredBy: id },
    ]);
    const entries = await withTenant(api.db, tenant.tenantId, (tx) => tx.select().from(ledgerEntries));
    const cost = entries.filter(({ account }) => account === 'referral_cost');
    expect(cost.map(({ amountMinor }) => amountMinor)).toEqual([580]);
    const mails = await ok('GET', `/v1/notifications?customerId=${id}`);
    expect(mails.data.map(({ template }: Json) => template)).toEqual(['referral_rewarded']);
  });

  it('of a period that a coupon makes free is rewarded with the first one that costs something', async () => {
    const { id, code } = await referrer();
    const coupon = await newCoupon({ percent: 100, periods: 1 });
    const brought = await newSubscription({ referralCode: code, couponCode: coupon.code });
    await bill(brought.id);
    expect((await ok('GET', `/v1/customers/${id}`)).creditMinor).toBe(0);
    await pay(await bill(brought.id, 1));
    expect((await ok('GET', `/v1/customers/${id}`)).creditMinor).toBe(580);
  });

  it.each<[string, (code: string, id: string) => Promise<object>]>([
    ['referral_code_not_found', async () => ({ referralCode: '0000000000' })],
    ['referred_by_oneself', async (referralCode, customerId) => ({ referralCode, customerId })],
    [
      'not_a_new_customer',
      async (referralCode) => ({ referralCode, customerId: (await newSubscription()).customerId }),
    ],
    [
      'has_referred_others',
      async (referralCode) => {
        const other = await referrer();
        await newSubscription({ referralCode: other.code });
        return { referralCode, customerId: other.id };
      },
    ],
  ])('%s', async (reason, make) => {
    const { id, code } = await referrer();
    const details = await make(code, id);
    const customerId = 'customerId' in details ? details.customerId : (await newCustomer()).id;
    const before = (await ok('GET', `/v1/subscriptions?customerId=${customerId}`)).data.length;
    const body = { customerId, planCode: 'team-monthly', start: 'payment', ...details };
    const answer = await request('POST', '/v1/subscriptions', body);
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(answer.body.reason).toBe(reason);
    expect((await ok('GET', `/v1/subscriptions?customerId=${customerId}`)).data).toHaveLength(before);
    expect((await ok('GET', `/v1/customers/${customerId}`)).referredBy).toBeNull();
  });
});
