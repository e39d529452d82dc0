import { createHmac } from 'node:crypto';
import { expect, it } from 'vitest';
import { isCheckoutGenuine } from './verify-checkout.ts';

const keySecret = 'key_secret';
const known = 'dd0f51ec9e75790ad1f7cc8e1a83d12f0a58a9641601a3cffa5c695972543c82';
const payment = { orderId: 'order_1', paymentId: 'pay_1' };
const sign = (text: string, key = keySecret) => createHmac('sha256', key).update(text).digest('hex');

it('knows the known answer for a known order and payment', () => {
  expect(sign('order_1|pay_1')).toBe(known);
  expect(isCheckoutGenuine({ ...payment, signature: known }, keySecret)).toBe(true);
});

const authorised = { subscriptionId: 'sub_1', paymentId: 'pay_1' };
const knownOfSubscription = '39ce0e3b3acbf89c943fc90af8ded57c46257a97c88c4385197f3ec1a959022c';

it('knows the known answer for a known subscription and payment', () => {
  expect(sign('pay_1|sub_1')).toBe(knownOfSubscription);
  expect(isCheckoutGenuine({ ...authorised, signature: knownOfSubscription }, keySecret)).toBe(true);
});

it('takes the ids of a subscription in the opposite order', () => {
  const subscription = authorised;
  expect(isCheckoutGenuine({ ...subscription, signature: sign('pay_1|sub_1') }, keySecret)).toBe(true);
  expect(isCheckoutGenuine({ ...subscription, signature: sign('sub_1|pay_1') }, keySecret)).toBe(false);
  expect(isCheckoutGenuine({ ...payment, signature: sign('pay_1|order_1') }, keySecret)).toBe(false);
});

it.each([
  ['another payment', { ...payment, paymentId: 'pay_2', signature: known }],
  ['another order', { ...payment, orderId: 'order_2', signature: known }],
  ['one digit changed', { ...payment, signature: known.replace(/^d/, 'e') }],
  ['upper case', { ...payment, signature: known.toUpperCase() }],
  ['nothing', { ...payment, signature: '' }],
  ['too little', { ...payment, signature: known.slice(2) }],
  ['too much', { ...payment, signature: `${known}00` }],
  ['a line end behind it', { ...payment, signature: `${known}\n` }],
  ['letters beyond ASCII', { ...payment, signature: 'é'.repeat(64) }],
  ['the webhook secret’s signature', { ...payment, signature: sign('order_1|pay_1', 'rzp_wh_secret') }],
  [
    'another payment of a subscription',
    { ...authorised, paymentId: 'pay_2', signature: knownOfSubscription },
  ],
  ['another subscription', { ...authorised, subscriptionId: 'sub_2', signature: knownOfSubscription }],
  ['an order’s signature for a subscription', { ...authorised, signature: known }],
  ['a subscription’s signature for an order', { ...payment, signature: knownOfSubscription }],
  ['a subscription’s signature in capitals', { ...authorised, signature: knownOfSubscription.toUpperCase() }],
  [
    'a subscription’s signature by the webhook’s secret',
    { ...authorised, signature: sign('pay_1|sub_1', 'rzp_wh_secret') },
  ],
  ['a subscription’s signature cut short', { ...authorised, signature: knownOfSubscription.slice(2) }],
])('refuses %s, and never throws', (_, callback) => {
  expect(isCheckoutGenuine(callback, keySecret)).toBe(false);
});

it('takes the secret as it is: one with a line end behind it is another one', () => {
  for (const other of [`${keySecret}\n`, ` ${keySecret}`, keySecret.toUpperCase()]) {
    expect(isCheckoutGenuine({ ...payment, signature: known }, other)).toBe(false);
    expect(isCheckoutGenuine({ ...authorised, signature: knownOfSubscription }, other)).toBe(false);
    const signature = sign('order_1|pay_1', other);
    expect(isCheckoutGenuine({ ...payment, signature }, other)).toBe(true);
  }
});

it('signs the bytes of UTF-8, of ids in whatever script', () => {
  const [foreign, text] = [{ orderId: 'order_é₹', paymentId: 'pay_ü' }, 'order_é₹|pay_ü'];
  const subscription = { subscriptionId: 'sub_é₹', paymentId: 'pay_ü' };
  const hmac = (bytes: Buffer) => createHmac('sha256', keySecret).update(bytes).digest('hex');
  const utf8 = Buffer.from([
    ...Buffer.from('order_'),
    0xc3,
    0xa9,
    0xe2,
    0x82,
    0xb9,
    ...Buffer.from('|pay_'),
    0xc3,
    0xbc,
  ]);
  expect(isCheckoutGenuine({ ...foreign, signature: hmac(utf8) }, keySecret)).toBe(true);
  for (const encoding of ['latin1', 'utf16le'] as const) {
    const signature = hmac(Buffer.from(text, encoding));
    expect(isCheckoutGenuine({ ...foreign, signature }, keySecret)).toBe(false);
  }
  // The same letters, composed of others.
  expect(isCheckoutGenuine({ ...foreign, signature: sign(text.normalize('NFD')) }, keySecret)).toBe(false);
  expect(isCheckoutGenuine({ ...subscription, signature: sign('pay_ü|sub_é₹') }, keySecret)).toBe(true);
});

it('refuses everything where there is no secret', () => {
  expect(isCheckoutGenuine({ ...payment, signature: sign('order_1|pay_1', '') }, '')).toBe(false);
});
