import { describe, expect, it } from 'vitest';
import type { Checkout } from '../../../db/queries/payments/read-checkout.ts';
import {
  type CryptoInvoiceFlag,
  type CryptoInvoiceStatus,
  cryptoInvoiceFlags,
  cryptoInvoiceStatuses,
} from '../../../domain/payments/crypto-invoice.ts';
import { cryptoPolicyOn } from '../../../domain/payments/crypto-policy.ts';
import { readQr } from '../../../test/support/qr.ts';
import { checkoutPage } from './checkout-page.ts';
import { type CheckoutPage, renderCheckout, renderState } from './page.ts';

const quotedAt = new Date('2026-03-02T10:00:00.000Z');
const expiresAt = new Date('2026-03-02T10:15:00.000Z');
const inTime = new Date('2026-03-02T10:05:00.000Z');
const afterwards = new Date('2026-03-02T10:15:00.001Z');
const address = 'bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu';
const nested = '37VucYSaXLCAsxYyAPfbSi9eh4iEcbShgf';

type Differs = Partial<Omit<Checkout, 'cryptoInvoice'>> & {
  cryptoInvoice?: Partial<Checkout['cryptoInvoice']>;
};

/** USD 100.00 for 0.001 BTC, waited for. */
function checkoutOf({ cryptoInvoice, ...differs }: Differs = {}): Checkout {
  return {
    seller: 'Acme',
    invoiceNumber: 'INV-7',
    nestedAddress: nested,
    payments: [],
    payouts: [],
    height: 100,
    isPaused: false,
    gas: null,
    ...differs,
    cryptoInvoice: {
      id: 'cin_1',
      tenantId: 'ten_1',
      customerId: 'cus_1',
      invoiceId: 'inv_1',
      accountId: 'cacc_1',
      addressIndex: 0,
      checkoutToken: 'T'.repeat(32),
      chain: 'bitcoin',
      network: 'mainnet',
      asset: 'BTC',
      address,
      version: 1,
      status: 'awaiting',
      flags: [],
      quoteOrdinal: 1,
      dueMinor: 10_000,
      currency: 'USD',
      usdMinor: 10_000,
      rate: '100000',
      rateSources: [],
      rateAt: quotedAt,
      dueUnits: 100_000n,
      minDueUnits: 98_000n,
      quotedAt,
      expiresAt,
      policy: cryptoPolicyOn('mainnet'),
      creditedUnits: 0n,
      confirmedUnits: 0n,
      lateUnits: 0n,
      excessUnits: 0n,
      bookedUnits: 0n,
      requiredDepth: 3,
      wakeHeight: null,
      progressAt: null,
      statusSince: quotedAt,
      settledAt: null,
      reversals: 0,
      createdAt: quotedAt,
      ...cryptoInvoice,
    },
  };
}

function paymentOf(differs: Partial<Checkout['payments'][number]> = {}): Checkout['payments'][number] {
  return {
    chain: 'bitcoin',
    key: 'k1',
    tenantId: 'ten_1',
    cryptoInvoiceId: 'cin_1',
    txid: 'a'.repeat(64),
    target: '0014',
    asset: 'BTC',
    token: null,
    units: 100_000n,
    height: null,
    blockHash: null,
    effectiveAt: inTime,
    seenAt: inTime,
    orphanedAt: null,
    rivalTxid: null,
    rivalHeight: null,
    unconfirmedParent: null,
    usdRate: null,
    status: 'seen',
    isLate: false,
    createdAt: inTime,
    ...differs,
  };
}

function pageOf(differs: Differs = {}, now = inTime): CheckoutPage {
  return checkoutPage(checkoutOf(differs), { now, token: null });
}

/** Headline, what it says by itself, tone, and whether the address is shown. */
const states: Record<CryptoInvoiceStatus, [string, string, CheckoutPage['tone'], boolean]> = {
  awaiting: [
    'Waiting for your payment',
    'Send the amount below in one payment; this page shows it as soon as the network does.',
    'waiting',
    true,
  ],
  processing: [
    'Your payment is on its way',
    'You need not do anything more: this page shows when the network has confirmed it.',
    'working',
    false,
  ],
  settled: ['Paid', 'Thank you.', 'done', false],
  final: ['Paid', 'Thank you.', 'done', false],
  expired: [
    'Expired',
    'The time to pay at this rate is over. Please do not send anything to this address any more.',
    'attention',
    false,
  ],
  invalid: [
    'Not paid',
    'This payment did not come through. Please get in touch with us.',
    'attention',
    false,
  ],
  cancelled: [
    'Cancelled',
    'This invoice is not to be paid in coins any more. Please do not send anything.',
    'attention',
    false,
  ],
};

/** What a flag adds to that; nothing where the customer need not know. */
const additions: Record<CryptoInvoiceFlag, string> = {
  partial: 'A part of the amount has arrived; the rest is still missing.',
  within_tolerance: '',
  over: 'More than the amount due has arrived; we take care of what is too much.',
  late: 'A payment came after the time was over; we look at it and get in touch with you.',
  replaced: '',
  reorged: '',
  double_spent: 'The coins of a payment are gone, and it does not count.',
  double_spend_attempt: 'Another transaction spends the same coins, so we wait for more confirmations.',
  unconfirmed_parent: 'Your payment waits for an earlier transaction of your wallet to be confirmed.',
  wrong_asset: 'Another coin than the one asked for has arrived; we look at it and get in touch with you.',
  wrong_chain: 'A payment arrived on another network than the one asked for; we look at it.',
  dust: 'An amount too small to count has arrived.',
  review: 'We look at your payment ourselves and get in touch with you.',
  marked: '',
  paused: '',
  slow_confirm:
    'The network takes longer than usual, often because the fee was low. The payment is not lost.',
  confirmation_overdue: 'The network still has not confirmed your payment. We are looking into it.',
};

const unsettled =
  'The network is unsettled at the moment. Nothing is lost: we check your payment as soon as it is calm.';

describe('the page of an invoice in coins', () => {
  it.each(cryptoInvoiceStatuses)('says how it stands: %s', (status) => {
    const { headline, explanation, tone, isPayable } = pageOf({ cryptoInvoice: { status } });
    expect([headline, explanation, tone, isPayable]).toEqual(states[status]);
  });

  const pairs = cryptoInvoiceStatuses.flatMap((status) =>
    cryptoInvoiceFlags
      .filter((flag) => flag !== 'paused' && (flag !== 'partial' || status === 'awaiting'))
      .map((flag) => [status, flag] as const),
  );
  it.each(pairs)('says what a customer has to know besides: %s, %s', (status, flag) => {
    const [headline, own, tone, isPayable] = states[status];
    const page = pageOf({ cryptoInvoice: { status, flags: [flag] } });
    const added = additions[flag];
    const isLookedAt = flag === 'review' && status !== 'settled' && status !== 'final';
    expect(page).toMatchObject({
      headline,
      explanation: added === '' ? own : `${own} ${added}`,
      tone: isLookedAt ? 'attention' : tone,
      isPayable,
    });
  });

  it.each<[string, CryptoInvoiceStatus, CryptoInvoiceFlag[], CryptoInvoiceFlag]>([
    ['a double spend before a delay', 'processing', ['double_spent', 'slow_confirm'], 'double_spent'],
    ['late money before too much', 'settled', ['over', 'late', 'review'], 'late'],
    [
      'an overdue confirmation before a slow one',
      'processing',
      ['slow_confirm', 'confirmation_overdue'],
      'confirmation_overdue',
    ],
    ['a part before dust', 'awaiting', ['partial', 'dust'], 'partial'],
    ['that we look at it before a part that came', 'expired', ['partial', 'review'], 'review'],
  ])('says one thing, the most important: %s', (_title, status, flags, said) => {
    const { explanation } = pageOf({ cryptoInvoice: { status, flags } });
    expect(explanation).toBe(`${states[status][1]} ${additions[said]}`);
  });

  it.each(['expired', 'invalid', 'cancelled'] as const)(
    'asks nobody to send the rest once it is %s',
    (status) => {
      const { explanation } = pageOf({ cryptoInvoice: { status, flags: ['partial'] } });
      expect(explanation).toBe(states[status][1]);
    },
  );

  it('shows the address to the last moment, and not a moment longer', () => {
    expect(pageOf({}, expiresAt)).toMatchObject({ isPayable: true, secondsLeft: 0 });
    expect(pageOf({}, afterwards)).toMatchObject({
      isPayable: false,
      secondsLeft: 0,
      headline: 'The time is over: we are checking',
      explanation:
        'Please do not send anything now. If you have paid in time, this page shows it in a few moments.',
      tone: 'waiting',
    });
  });

  it('counts the time that is left from now, whatever clock the customer has', () => {
    expect(pageOf({}, quotedAt).secondsLeft).toBe(900);
    expect(pageOf({}, new Date('2026-03-02T10:14:58.001Z')).secondsLeft).toBe(2);
    expect(renderState(pageOf())).toContain(
      '<time datetime="2026-03-02T10:15:00.000Z" data-seconds="600">10:15 UTC</time>',
    );
  });

  it.each([
    ['in time', inTime],
    ['afterwards', afterwards],
  ])('asks for nothing while the network is unsettled, %s', (_title, now) => {
    const page = pageOf({ isPaused: true, cryptoInvoice: { flags: ['paused'] } }, now);
    expect(page).toMatchObject({
      isPayable: false,
      headline: 'Please wait before you pay',
      explanation: `${unsettled} Please do not send anything before this page asks for it again.`,
      tone: 'waiting',
    });
    expect(renderState(page)).not.toContain(address);
  });

  it('says that what is on its way waits for the network, and nothing of it once it is paid', () => {
    const explained = (status: CryptoInvoiceStatus) =>
      pageOf({ isPaused: true, cryptoInvoice: { status } }).explanation;
    expect(explained('processing')).toBe(`${states.processing[1]} ${unsettled}`);
    expect(explained('settled')).toBe('Thank you.');
    expect(explained('final')).toBe('Thank you.');
  });

  it('asks for the whole amount, as text, as a link and as a code', () => {
    const page = pageOf();
    expect(page).toMatchObject({
      price: 'USD 100.00',
      rate: '1 BTC = USD 100000',
      coins: '0.001',
      asset: 'BTC',
      chain: 'Bitcoin',
      address,
      olderAddress: nested,
      link: `bitcoin:${address}?amount=0.001&label=Acme`,
      testNotice: null,
      facts: [],
      transactions: [],
    });
    expect(readQr(page.qrSvg)).toBe(`BITCOIN:${address.toUpperCase()}?amount=0.001`);
  });

  it('asks for the rest only, where a part has come', () => {
    const page = pageOf({
      cryptoInvoice: { flags: ['partial'], creditedUnits: 60_000n },
      payments: [paymentOf({ units: 60_000n })],
    });
    expect(page).toMatchObject({
      isPayable: true,
      coins: '0.0004',
      link: `bitcoin:${address}?amount=0.0004&label=Acme`,
      facts: [
        { name: 'Arrived', value: '0.0006 BTC' },
        { name: 'Still missing', value: '0.0004 BTC' },
      ],
      transactions: [{ txid: 'a'.repeat(64), state: '0.0006 BTC – Seen, not confirmed yet.' }],
    });
    expect(readQr(page.qrSvg)).toBe(`BITCOIN:${address.toUpperCase()}?amount=0.0004`);
  });

  it('names what is too much to the unit', () => {
    const { facts } = pageOf({
      cryptoInvoice: { status: 'settled', flags: ['over'], creditedUnits: 150_001n, excessUnits: 50_001n },
    });
    expect(facts).toEqual([
      { name: 'Arrived', value: '0.00150001 BTC' },
      { name: 'Too much', value: '0.00050001 BTC' },
    ]);
  });

  it('says what goes back, and what has', () => {
    const { facts } = pageOf({
      cryptoInvoice: { status: 'settled', flags: ['over'], creditedUnits: 150_000n, excessUnits: 50_000n },
      payouts: [
        { asset: 'BTC', units: 20_000n, status: 'confirmed' },
        { asset: 'BTC', units: 30_000n, status: 'broadcast' },
      ],
    });
    expect(facts).toEqual([
      { name: 'Arrived', value: '0.0015 BTC' },
      { name: 'Too much', value: '0.0005 BTC' },
      { name: 'Given back', value: '0.0002 BTC' },
      { name: 'On its way back to you', value: '0.0003 BTC' },
    ]);
  });

  it('names a network without value, and does not ask for real coins there', () => {
    const test = pageOf({ cryptoInvoice: { network: 'testnet' } });
    expect(test.testNotice).toBe(
      'This is a test network: coins are worth nothing here. Do not send real ones.',
    );
    expect(pageOf({ cryptoInvoice: { network: 'local' } }).testNotice).toBe(
      'This is a local network: coins are worth nothing here. Do not send real ones.',
    );
    const questions = ({ help }: CheckoutPage) => help.map(({ question }) => question);
    expect(questions(test)).not.toContain('I have sent test coins');
    expect(questions(pageOf())).toContain('I have sent test coins');
  });

  it('offers an older address only where there is another one', () => {
    const onEthereum = { chain: 'ethereum', asset: 'ETH', dueUnits: 10n ** 16n } as const;
    const to = '0x9858EfFD232B4033E47d90003D41EC34EcaEda94';
    for (const page of [
      pageOf({ nestedAddress: null, cryptoInvoice: { ...onEthereum, address: to } }),
      pageOf({ nestedAddress: address }),
    ]) {
      expect(page.olderAddress).toBeNull();
      expect(page.help.map(({ question }) => question)).not.toContain(
        'My wallet says that the address is not valid',
      );
      expect(renderState(page)).not.toContain('<details>');
    }
    expect(renderState(pageOf())).toContain(`<code>${nested}</code>`);
  });
});

describe('confirmations', () => {
  const confirmations = (payments: Checkout['payments'], differs: Differs['cryptoInvoice'] = {}) =>
    pageOf({ payments, cryptoInvoice: { status: 'processing', ...differs } }).facts.find(
      ({ name }) => name === 'Confirmations',
    )?.value;
  const half = { units: 50_000n };

  it.each<[string, Checkout['payments'], string]>([
    ['none while nothing is mined', [paymentOf()], '0 of 3'],
    ['the first in the last block', [paymentOf({ height: 100, status: 'mined' })], '1 of 3'],
    ['no more than are waited for', [paymentOf({ height: 90, status: 'confirmed' })], '3 of 3'],
    [
      'those of the last payment that is needed',
      [
        paymentOf({ ...half, key: 'a', height: 98, status: 'confirmed' }),
        paymentOf({ ...half, key: 'b', height: 99, status: 'mined' }),
      ],
      '2 of 3',
    ],
    [
      'none while a part that is needed is not mined',
      [paymentOf({ ...half, key: 'a', height: 98, status: 'confirmed' }), paymentOf({ ...half, key: 'b' })],
      '0 of 3',
    ],
    [
      'not those of a payment more than is needed',
      [paymentOf({ key: 'a', height: 99, status: 'mined' }), paymentOf({ key: 'b' })],
      '2 of 3',
    ],
    [
      'not those of another coin, nor of what does not count',
      [
        paymentOf({ key: 'a', height: 99, status: 'mined' }),
        paymentOf({ key: 'b', height: 100, units: 10n, status: 'ignored_dust' }),
        paymentOf({ key: 'c', height: 100, asset: null, status: 'unexpected_asset' }),
      ],
      '2 of 3',
    ],
    [
      'those of late money that was accepted',
      [paymentOf({ height: 99, isLate: true, status: 'mined' })],
      '2 of 3',
    ],
  ])('are counted: %s', (_title, payments, expected) => {
    expect(confirmations(payments)).toBe(expected);
  });

  it('have no number to wait for where the chain says itself what is final', () => {
    const mined = [paymentOf({ height: 99, status: 'mined' })];
    expect(confirmations(mined, { requiredDepth: null })).toBe('2, until the network calls it final');
  });

  it('are not spoken of before and after', () => {
    const mined = [paymentOf({ height: 99, status: 'confirmed' })];
    expect(confirmations(mined, { status: 'settled' })).toBeUndefined();
    expect(confirmations(mined, { status: 'awaiting' })).toBeUndefined();
  });
});

describe('names that somebody chose', () => {
  const hostile = `"><script>alert(1)</script>'&`;
  const escaped = '&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&#39;&amp;';

  it('are text wherever they stand', () => {
    const page = pageOf({ seller: hostile, invoiceNumber: hostile });
    const html = renderCheckout(page, '/checkout/x');
    expect(html).toContain(`<title>${escaped} – ${escaped}</title>`);
    expect(html).toContain(`<p class="seller">${escaped}</p>`);
    expect(html).toContain(`<p class="invoice">Invoice ${escaped}</p>`);
    expect(html.match(/<script[^>]*>/g)).toEqual(['<script src="/checkout/checkout.js" defer>']);
    expect(html).not.toContain('alert(1)<');
  });

  it('leave the link to the wallet what it is', () => {
    const { link } = pageOf({ seller: hostile });
    expect(link).toBe(`bitcoin:${address}?amount=0.001&label=%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E'%26`);
    expect(renderState(pageOf({ seller: hostile }))).toContain(
      `href="bitcoin:${address}?amount=0.001&amp;label=%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E&#39;%26"`,
    );
  });

  it('do not leave the place of the path either', () => {
    expect(renderCheckout(pageOf(), hostile)).toContain(`data-events="${escaped}/events"`);
  });
});

describe('of fees the page speaks', () => {
  const usdc = {
    chain: 'ethereum',
    asset: 'USDC',
    address: '0x9858EfFD232B4033E47d90003D41EC34EcaEda94',
  } as const;
  const noticeAt = (gwei: bigint) =>
    checkoutPage(
      checkoutOf({ cryptoInvoice: usdc, gas: { weiPerGas: gwei * 10n ** 9n, etherRate: '3000' } }),
      {
        now: quotedAt,
        token: null,
      },
    ).feeNotice;

  it('where sending the token costs more than a twentieth of it, and names what costs less', () => {
    expect(noticeAt(40n)).toBe(
      'Sending USDC on Ethereum costs about USD 7.80 in fees now. USDC on Base or Polygon, or Bitcoin, may cost less: ask for one of these instead.',
    );
  });

  it('not where it costs little, and not where nobody knows', () => {
    expect(noticeAt(20n)).toBeNull();
    expect(
      checkoutPage(checkoutOf({ cryptoInvoice: usdc }), { now: quotedAt, token: null }).feeNotice,
    ).toBeNull();
  });
});
