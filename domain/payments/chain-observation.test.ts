/** What blocks and mempool mean for the payments we know, case by case. */
import { describe, expect, it } from 'vitest';
import type { ChainTransaction } from './chain-node.ts';
import {
  leaveChain,
  type Observation,
  type OwnPayment,
  type OwnTarget,
  observe,
  type TrackedSpend,
  WORTHLESS_PAYMENTS_MAX,
} from './chain-observation.ts';

const noon = '2026-03-01T12:00:00.000Z';
const later = '2026-03-01T12:30:00.000Z';
const block = { height: 100, hash: 'h100', time: later };

const target: OwnTarget = {
  target: 'ours',
  tenantId: 'ten_1',
  cryptoInvoiceId: 'cin_1',
  asset: 'BTC',
  minDueUnits: 98_000n,
  dustUsdMinor: 100,
  toleranceBps: 200,
  needsAgreedRate: false,
};

const known: OwnPayment = {
  key: 'aa:0',
  chain: 'bitcoin',
  txid: 'aa',
  tenantId: 'ten_1',
  cryptoInvoiceId: 'cin_1',
  target: 'ours',
  asset: 'BTC',
  token: null,
  units: 100_000n,
  block: null,
  effectiveAt: noon,
  seenAt: noon,
  orphanedAt: null,
  rival: null,
  unconfirmedParent: null,
  usdRate: '100000',
};
const knownSpends: TrackedSpend[] = [{ spend: 'coin:0', txid: 'aa', parentTxid: 'coin' }];

function transaction(
  txid: string,
  { spends = ['coin:0'], to = 'ours', units = 100_000n } = {},
): ChainTransaction {
  return { txid, spends, transfers: [{ key: `${txid}:0`, to, asset: 'BTC', token: null, units }] };
}

function seen(fields: Partial<Observation>) {
  return observe({
    chain: 'bitcoin',
    now: later,
    block: null,
    transactions: [],
    ancestors: [],
    targets: new Map([['ours', target]]),
    payments: [],
    spends: [],
    worthless: new Map(),
    usdRateAt: () => null,
    ...fields,
  });
}

/** With the payment `aa` known, which spends `coin:0`. */
const seenBeside = (fields: Partial<Observation>) =>
  seen({ payments: [known], spends: knownSpends, ...fields });

describe('a transaction that waits', () => {
  it('is a payment from now on, and what it spends is followed', () => {
    const { payments, spends } = seen({ transactions: [transaction('aa')], usdRateAt: () => '90000' });
    expect(payments).toEqual([{ ...known, effectiveAt: later, seenAt: later, usdRate: '90000' }]);
    expect(spends).toEqual([{ spend: 'coin:0', txid: 'aa', parentTxid: 'coin' }]);
  });

  it('that pays somebody else is nothing to us', () => {
    expect(seen({ transactions: [transaction('aa', { to: 'other' })] })).toEqual({
      payments: [],
      spends: [],
    });
  });

  it('seen again keeps its time', () => {
    const { payments, spends } = seenBeside({ transactions: [transaction('aa')] });
    expect([payments, spends]).toEqual([[{ ...known, seenAt: later }], []]);
  });

  it('is no news where it is mined already', () => {
    const mined = { ...known, block: { height: 99, hash: 'h99' } };
    expect(seenBeside({ payments: [mined], transactions: [transaction('aa')] }).payments).toEqual([]);
  });

  it('lives again after it was replaced, and its replacement is dead', () => {
    const replaced = { ...known, rival: { txid: 'bb', height: null } };
    const winner = { ...known, key: 'bb:0', txid: 'bb' };
    const { payments } = seen({
      payments: [replaced, winner],
      spends: [...knownSpends, { spend: 'coin:0', txid: 'bb', parentTxid: 'coin' }],
      transactions: [transaction('aa')],
    });
    expect(payments).toEqual([
      { ...known, seenAt: later },
      { ...winner, rival: { txid: 'aa', height: null } },
    ]);
  });

  it('stays dead where its rival is mined, whatever the mempool still shows', () => {
    const dead = { ...known, rival: { txid: 'bb', height: 99 } };
    expect(seenBeside({ payments: [dead], transactions: [transaction('aa')] }).payments).toEqual([
      { ...dead, seenAt: later },
    ]);
  });

  it('is dead from the beginning where a payment that it rivals is mined', () => {
    const mined = { ...known, block: { height: 99, hash: 'h99' } };
    const { payments } = seenBeside({ payments: [mined], transactions: [transaction('bb')] });
    expect(payments.map(({ key, rival }) => [key, rival])).toEqual([['bb:0', { txid: 'aa', height: 99 }]]);
  });
});

describe('a replacement', () => {
  it('that pays us inherits time and price', () => {
    const { payments } = seenBeside({
      transactions: [transaction('bb', { spends: ['coin:0', 'fee:1'] })],
      usdRateAt: () => '90000',
    });
    expect(payments).toEqual([
      { ...known, rival: { txid: 'bb', height: null } },
      { ...known, key: 'bb:0', txid: 'bb', seenAt: later },
    ]);
  });

  it.each([
    ['as much as', 100_000n, 100_000n, noon],
    ['no more than the tolerance above', 98_000n, 100_000n, noon],
    ['more than', 97_999n, 100_000n, later],
    ['far more than the dust of', 546n, 100_000n, later],
  ])('of %s what it replaces has the time of a promise as large', (_name, before, units, effectiveAt) => {
    const { payments } = seenBeside({
      payments: [{ ...known, units: before }],
      transactions: [transaction('bb', { units })],
      usdRateAt: () => '90000',
    });
    const successor = payments.find(({ key }) => key === 'bb:0');
    expect([successor?.effectiveAt, successor?.usdRate]).toEqual([
      effectiveAt,
      effectiveAt === noon ? '100000' : '90000',
    ]);
  });

  it('of two payments by one counts from when both were there', () => {
    const half = { ...known, units: 50_000n };
    const second = { ...half, key: 'cc:0', txid: 'cc', effectiveAt: '2026-03-01T12:10:00.000Z' };
    const both = { spends: ['coin:0', 'coin:1'] };
    const spends = [...knownSpends, { spend: 'coin:1', txid: 'cc', parentTxid: 'coin' }];
    const { payments } = seen({ payments: [half, second], spends, transactions: [transaction('bb', both)] });
    expect(payments.find(({ key }) => key === 'bb:0')?.effectiveAt).toBe('2026-03-01T12:10:00.000Z');
    // One that had been replaced by the other promised nothing beside it.
    const replaced = { ...half, rival: { txid: 'cc', height: null } };
    const again = seen({ payments: [replaced, second], spends, transactions: [transaction('bb', both)] });
    expect(again.payments.find(({ key }) => key === 'bb:0')?.effectiveAt).toBe(later);
  });

  it('by several outputs shares what it inherits among them', () => {
    const twice = {
      ...transaction('bb'),
      transfers: [0, 1].map((n) => ({ ...known, key: `bb:${n}`, to: 'ours' })),
    };
    const { payments } = seenBeside({ transactions: [twice] });
    expect(payments.slice(1).map(({ key, effectiveAt }) => [key, effectiveAt])).toEqual([
      ['bb:0', noon],
      ['bb:1', later],
    ]);
  });

  it('that pays another invoice has a time of its own', () => {
    const other = { ...target, target: 'theirs', cryptoInvoiceId: 'cin_2' };
    const { payments } = seenBeside({
      targets: new Map([['theirs', other]]),
      transactions: [transaction('bb', { to: 'theirs' })],
    });
    expect(payments.find(({ key }) => key === 'bb:0')?.effectiveAt).toBe(later);
  });

  it('that pays us no more is the rival of what it replaces', () => {
    const { payments, spends } = seenBeside({ transactions: [transaction('bb', { to: 'other' })] });
    expect([payments, spends]).toEqual([[{ ...known, rival: { txid: 'bb', height: null } }], []]);
  });

  it('takes along everything that builds upon what it replaces', () => {
    const child = { ...known, key: 'cc:0', txid: 'cc', unconfirmedParent: 'aa' };
    const { payments } = seen({
      payments: [known, child],
      spends: [...knownSpends, { spend: 'aa:1', txid: 'cc', parentTxid: 'aa' }],
      transactions: [transaction('bb', { to: 'other' })],
    });
    expect(payments.map(({ key, rival }) => [key, rival?.txid])).toEqual([
      ['aa:0', 'bb'],
      ['cc:0', 'bb'],
    ]);
  });

  it('of a grandparent that pays us nothing does so as well', () => {
    const grandchild = { ...known, unconfirmedParent: 'pp' };
    const { payments } = seen({
      payments: [grandchild],
      spends: [
        { spend: 'gg:0', txid: 'pp', parentTxid: 'gg' },
        { spend: 'root:0', txid: 'gg', parentTxid: 'root' },
        { spend: 'pp:0', txid: 'aa', parentTxid: 'pp' },
      ],
      transactions: [transaction('bb', { to: 'other', spends: ['root:0'] })],
    });
    expect(payments.map(({ rival }) => rival?.txid)).toEqual(['bb']);
  });
});

describe('an unconfirmed parent', () => {
  const parent = transaction('pp', { to: 'other', spends: ['root:0'] });
  const child = transaction('aa', { spends: ['pp:0'] });

  it('is named, and followed like the payment itself', () => {
    const { payments, spends } = seen({ transactions: [child], ancestors: [parent] });
    expect(payments.map(({ unconfirmedParent }) => unconfirmedParent)).toEqual(['pp']);
    expect(spends).toEqual([
      { spend: 'pp:0', txid: 'aa', parentTxid: 'pp' },
      { spend: 'root:0', txid: 'pp', parentTxid: 'root' },
    ]);
  });

  it('is none any more once it is mined', () => {
    const { payments } = seen({
      block,
      payments: [{ ...known, unconfirmedParent: 'pp' }],
      spends: [
        { spend: 'pp:0', txid: 'aa', parentTxid: 'pp' },
        { spend: 'root:0', txid: 'pp', parentTxid: 'root' },
      ],
      transactions: [parent],
    });
    expect(payments).toEqual([known]);
  });

  it('that lost takes a child that is seen only now with it', () => {
    const lost = { ...known, key: 'pp:1', txid: 'pp', rival: { txid: 'bb', height: 99 } };
    const { payments } = seen({ payments: [lost], transactions: [child], ancestors: [] });
    expect(payments.map(({ key, rival }) => [key, rival])).toEqual([['aa:0', { txid: 'bb', height: 99 }]]);
  });
});

describe('a block', () => {
  const minedAt = { height: 100, hash: 'h100' };

  it('mines a payment that was seen, with the time it had', () => {
    const { payments } = seenBeside({ block, transactions: [transaction('aa')] });
    expect(payments).toEqual([{ ...known, block: minedAt }]);
  });

  it('that claims to be older than the first sight moves the time back', () => {
    const earlier = '2026-03-01T11:58:00.000Z';
    const { payments } = seenBeside({
      block: { ...block, time: earlier },
      transactions: [transaction('aa')],
    });
    expect(payments).toEqual([{ ...known, block: minedAt, effectiveAt: earlier }]);
  });

  it('that claims to be of the future moves nothing: now is when we saw it', () => {
    const { payments } = seen({
      block: { ...block, time: '2026-03-01T14:00:00.000Z' },
      transactions: [transaction('aa')],
    });
    expect(payments.map(({ effectiveAt }) => effectiveAt)).toEqual([later]);
  });

  it('read again changes nothing', () => {
    const mined = { ...known, block: minedAt };
    expect(seenBeside({ block, payments: [mined], transactions: [transaction('aa')] })).toEqual({
      payments: [],
      spends: [],
    });
  });

  it('with a replacement that nobody saw: it inherits, and the first one is double-spent', () => {
    const { payments } = seenBeside({ block, transactions: [transaction('bb')] });
    expect(payments).toEqual([
      { ...known, rival: { txid: 'bb', height: 100 } },
      { ...known, key: 'bb:0', txid: 'bb', block: minedAt, seenAt: null },
    ]);
  });

  it('mines again what was orphaned, and ends what had beaten it', () => {
    const orphaned = { ...known, orphanedAt: noon, rival: { txid: 'bb', height: null } };
    const child = { ...known, key: 'cc:0', txid: 'cc', rival: { txid: 'bb', height: null } };
    const { payments } = seen({
      block,
      payments: [orphaned, child],
      spends: [...knownSpends, { spend: 'aa:1', txid: 'cc', parentTxid: 'aa' }],
      transactions: [transaction('aa')],
    });
    expect(payments).toEqual([
      { ...known, block: minedAt },
      { ...child, rival: null },
    ]);
  });

  it('with a transaction that failed ends the payment it had promised', () => {
    const failed = { ...transaction('aa'), transfers: [] };
    expect(seenBeside({ block, transactions: [failed] }).payments).toEqual([
      { ...known, rival: { txid: 'aa', height: 100 } },
    ]);
  });

  it.each([
    ['fewer', 1n, noon],
    ['somewhat more', 101_000n, noon],
    ['far more, which count from now', 900_000n, later],
  ])('that mines it with %s units says what it is worth', (_name, units, effectiveAt) => {
    const { payments } = seenBeside({
      block,
      transactions: [transaction('aa', { units })],
      usdRateAt: () => '100000',
    });
    expect(payments).toEqual([{ ...known, units, block: minedAt, effectiveAt }]);
  });

  it('that mines it to somebody else ends it, and a later one brings it back', () => {
    const paying = transaction('aa');
    const ended = { ...known, rival: { txid: 'aa', height: 100 } };
    const away = transaction('aa', { to: 'other' });
    expect(seenBeside({ block, transactions: [away] }).payments).toEqual([ended]);
    const [freed] = leaveChain([ended], { ancestor: 99, now: later });
    const again = seenBeside({ block, payments: [freed ?? ended], transactions: [paying] });
    expect(again.payments).toEqual([{ ...known, block: minedAt }]);
  });

  it.each([
    [
      'to another of our addresses',
      { to: 'theirs' },
      { key: 'aa:0@theirs', target: 'theirs', cryptoInvoiceId: 'cin_2' },
    ],
    ['in another asset', { asset: 'ETH' as const }, { key: 'aa:0@ours', asset: 'ETH' as const }],
    ['by another token', { token: '0xspam' }, { key: 'aa:0@ours@0xspam', token: '0xspam' }],
  ])(
    'that mines it %s ends it and begins another one, and a later one turns that round',
    (_name, differs, other) => {
      const targets = new Map([
        ['ours', target],
        ['theirs', { ...target, target: 'theirs', cryptoInvoiceId: 'cin_2' }],
      ]);
      const paying = transaction('aa');
      const transfers = paying.transfers.map((transfer) => ({ ...transfer, ...differs }));
      const ended = { ...known, rival: { txid: 'aa', height: 100 } };
      const begun = {
        ...known,
        ...other,
        block: minedAt,
        effectiveAt: later,
        seenAt: null,
        usdRate: '90000',
      };
      const first = seenBeside({
        block,
        targets,
        transactions: [{ ...paying, transfers }],
        usdRateAt: () => '90000',
      });
      expect(first.payments).toEqual([ended, begun]);
      const mined = { block, targets, payments: first.payments };
      expect(seen({ ...mined, transactions: [{ ...paying, transfers }] }).payments).toEqual([]);

      const out = leaveChain(first.payments, { ancestor: 99, now: later });
      expect(out).toEqual([known, { ...begun, block: null, orphanedAt: later }]);
      const back = { block, targets, payments: out, transactions: [paying] };
      const turned = seen(back).payments;
      expect(turned).toEqual([
        { ...known, block: minedAt },
        { ...begun, block: null, orphanedAt: later, rival: { txid: 'aa', height: 100 } },
      ]);
      const again = leaveChain(turned, { ancestor: 99, now: later });
      const third = seen({ ...back, payments: again, transactions: [{ ...paying, transfers }] });
      expect(third.payments).toEqual([{ ...ended, orphanedAt: later }, begun]);
    },
  );

  it('never kills what another block has mined', () => {
    const mined = { ...known, block: { height: 99, hash: 'h99' } };
    const { payments } = seenBeside({
      block,
      payments: [mined],
      transactions: [transaction('bb', { to: 'other' })],
    });
    expect(payments).toEqual([]);
  });
});

describe('a rival on an EVM chain', () => {
  it('is whoever uses the same sender and nonce', () => {
    const payment: OwnPayment = { ...known, chain: 'ethereum', key: '0xaa', txid: '0xaa', asset: 'ETH' };
    const { payments } = seen({
      chain: 'ethereum',
      block,
      payments: [payment],
      spends: [{ spend: '0xsender:7', txid: '0xaa', parentTxid: null }],
      transactions: [{ txid: '0xbb', spends: ['0xsender:7'], transfers: [] }],
    });
    expect(payments).toEqual([{ ...payment, rival: { txid: '0xbb', height: 100 } }]);
  });
});

describe('what is worth nothing', () => {
  const many = (units: bigint, asset: 'BTC' | null) =>
    Array.from({ length: 30 }, (_, n) => ({
      txid: `s${n}`,
      spends: [`s${n}:0`],
      transfers: [{ key: `s${n}:0`, to: 'ours', asset, token: asset === null ? '0xspam' : null, units }],
    }));

  it.each([
    ['unknown tokens', 5n, null, null],
    ['less than the policy’s dust', 900n, 'BTC', '100000'],
    ['next to nothing where no price is known', 500n, 'BTC', null],
  ] as const)('is kept a few times only: %s', (_name, units, asset, rate) => {
    const { payments } = seen({ transactions: many(units, asset), usdRateAt: () => rate });
    expect(payments).toHaveLength(WORTHLESS_PAYMENTS_MAX);
  });

  it('counts what is kept already', () => {
    const worthless = new Map([['cin_1', { unknownTokens: 18, crumbs: 0 }]]);
    expect(seen({ transactions: many(5n, null), worthless }).payments).toHaveLength(2);
  });

  it.each([
    ['a dollar', 1_000n, '100000'],
    ['something where no price is known', 546n, null],
  ])('is not %s', (_name, units, rate) => {
    const { payments } = seen({ transactions: many(units, 'BTC'), usdRateAt: () => rate });
    expect(payments).toHaveLength(30);
  });
});

describe('a reorganisation', () => {
  it('takes out what was mined above the ancestor, and frees what a block above it had beaten', () => {
    const mined = { ...known, block: { height: 101, hash: 'h101' } };
    const beaten = { ...known, rival: { txid: 'bb', height: 101 } };
    const failed = { ...known, rival: { txid: 'aa', height: 101 } };
    const below = { ...known, block: { height: 100, hash: 'h100' } };
    expect(leaveChain([mined, beaten, failed, below], { ancestor: 100, now: later })).toEqual([
      { ...known, orphanedAt: later },
      { ...known, rival: { txid: 'bb', height: null } },
      known,
    ]);
  });
});
