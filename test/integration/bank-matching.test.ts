/**
 * The worked cases of the matching over the real database: what is decided, what is booked, and what customers and operators
 * are told. After each the books explain every cent.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { withSystem } from '../../db/client.ts';
import { movementOf, waitingMovements } from '../../db/queries/payments/bank-movements.ts';
import { eraseMovements } from '../../db/queries/payments/erase-movements.ts';
import { enterRate, storePublished } from '../../db/queries/payments/exchange-rates.ts';
import { gatherMatchFacts } from '../../db/queries/payments/gather-match-facts.ts';
import { inDecisionOrder } from '../../domain/payments/match-facts.ts';
import { type BankInvoice, type BankScene, createBankScene, NOW } from './bank-scene.ts';

let scene: BankScene;
let invoices: Record<'A' | 'B' | 'C' | 'E' | 'P' | 'X' | 'V', BankInvoice>;

beforeEach(async () => {
  scene = await createBankScene();
  invoices = {
    A: await scene.invoice('ADV48213075', 49_900, { name: 'Acme Corp' }),
    B: await scene.invoice('ADV10002001', 12_000),
    C: await scene.invoice('ADV77120936', 49_900),
    E: await scene.invoice('ADV31415926', 45_000, { currency: 'EUR' }),
    P: await scene.invoice('ADV55550123', 9900, { as: 'paid' }),
    X: await scene.invoice('ADV20261031', 30_000, {
      status: 'expired',
      expiresAt: '2026-03-04T09:00:00.000Z',
    }),
    V: await scene.invoice('ADV90909090', 5000, { as: 'void' }),
  };
});
afterEach(async () => {
  try {
    await scene.check();
  } finally {
    await scene.close();
  }
});

type Case = [string, string, number, object, string, string];

const cases: Case[] = [
  ['W1', 'WIRE IN ADV48213075 ACME CORP', 49_900, {}, 'auto 7', 'matched 49900'],
  ['W2', 'Incoming wire adv-4821-3075', 49_900, {}, 'auto 7', 'matched 49900'],
  [
    'W3',
    'WT FED#01234 TD BANK NA /ORG=ACME SRF# 000111 TRN#260305 RFB# ADV 48213075',
    49_900,
    {},
    'auto 7',
    'matched 49900',
  ],
  ['W4', 'ZELLE FROM JANE REF ADV4821307S', 49_900, {}, 'auto 7', 'matched 49900'],
  ['W5', 'ACH CREDIT ACME 48213075 PPD', 49_900, {}, 'auto 7', 'matched 49900'],
  ['W6', 'ACH CREDIT ACME 48213075 PPD', 40_000, {}, 'suggest 8', 'suggested'],
  ['W7', 'WIRE ADV48213075', 47_400, {}, 'partial 10', 'matched 47400'],
  ['W8', 'WIRE ADV48213075', 50_000, {}, 'auto_over 9', 'matched 50000'],
  ['W9', 'WIRE ADV55550123', 9900, {}, 'duplicate_credit 2', 'matched 9900'],
  ['W10', 'WIRE ADV20261031', 30_000, {}, 'late_admin 5', 'exception'],
  ['W11', 'INCOMING WIRE ACME CORP', 49_900, {}, 'suggest 11', 'suggested'],
  ['W12', 'WIRE ADV48213075 ADV10002001', 61_900, {}, 'auto_combined 1', 'matched 61900'],
  ['W13', 'WIRE OUT ADV48213075', -49_900, {}, 'ignore_outflow g3', 'ignored'],
  ['W14', 'WIRE ADV48213075', 49_900, { pending: true }, 'hold_pending g7', 'pending'],
  ['W15', 'SEPA ADV31415926', 45_000, { currency: 'EUR' }, 'auto 7', 'matched 45000'],
  ['W17', 'WIRE ADV48213075', 38_500, { currency: 'GBP' }, 'exception_fx 6', 'exception'],
  ['W18', 'STRIPE TRANSFER ADV48213075', 49_900, {}, 'payout g6', 'payout'],
  ['W21', 'WIRE ADV90909090', 5000, {}, 'exception_void 3', 'exception'],
  ['W22', 'WIRE ADV99999999', 49_900, {}, 'suggest 12', 'suggested'],
  ['W23', 'full-width ＡＤＶ４８２１３０７５', 49_900, {}, 'auto 7', 'matched 49900'],
  ['W24', 'WIRE A0V48213O75', 49_900, {}, 'auto 7', 'matched 49900'],
];

describe('the worked cases', () => {
  it.each(cases)('%s: %s', async (name, text, amountMinor, details, decision, status) => {
    const id = await scene.tell(text, amountMinor, details);
    await scene.match();
    expect([await scene.decisionOf(id), await scene.statusOf(id)]).toEqual([decision, status]);
    const isPaid = status.startsWith('matched') && !['W7', 'W9', 'W15'].includes(name);
    const expected = isPaid ? 'paid 49900/49900' : name === 'W7' ? 'open 47400/49900' : 'open 0/49900';
    expect(await scene.dueOf(invoices.A.invoiceId)).toBe(expected);
  });

  it('W8: what exceeds the invoice is credit, and the customer is told', async () => {
    await scene.tell('WIRE ADV48213075', 50_000);
    await scene.match();
    expect(await scene.creditOf(invoices.A.customerId)).toBe(100);
    expect((await scene.mails()).filter((mail) => mail === 'bank_payment_over')).toHaveLength(1);
  });

  it('W9: a second payment is credit, tells the customer and the operators, and activates nothing', async () => {
    const before = (await scene.mails()).length;
    await scene.tell('WIRE ADV55550123', 9900);
    await scene.match();
    expect(await scene.creditOf(invoices.P.customerId)).toBe(9900);
    expect((await scene.mails()).slice(before)).toEqual(['bank_payment_duplicate', 'bank_matching_alert']);
  });

  it('W12: one transfer pays two invoices, of two customers, with a payment each', async () => {
    const id = await scene.tell('WIRE ADV48213075 ADV10002001', 61_900);
    await scene.match();
    expect(await scene.dueOf(invoices.B.invoiceId)).toBe('paid 12000/12000');
    const payments = await scene.api.sql(
      "SELECT external_id, amount_minor FROM payments WHERE rail = 'bank' ORDER BY external_id",
    );
    expect(payments).toEqual([
      { external_id: `${id}:1`, amount_minor: '49900' },
      { external_id: `${id}:2`, amount_minor: '12000' },
    ]);
  });

  it('W16: foreign money within 5 % pays in full, and the difference is a fee', async () => {
    await rate('1.27');
    const id = await scene.tell('WIRE ADV48213075', 38_500, { currency: 'GBP' });
    await scene.match();
    expect(await scene.decisionOf(id)).toBe('auto_fx 6');
    expect(await scene.dueOf(invoices.A.invoiceId)).toBe('paid 49900/49900');
    const fees = await scene.api.sql(
      "SELECT amount_minor FROM ledger_entries WHERE account = 'fx_fee' AND currency = 'USD'",
    );
    expect(fees).toEqual([{ amount_minor: '1005' }]);
  });

  it('W17: without a rate it waits, and is booked by itself once there is one', async () => {
    const id = await scene.tell('WIRE ADV48213075', 38_500, { currency: 'GBP' });
    await scene.match();
    await rate('1.27');
    expect((await scene.ok('POST', '/v1/bank/reconcile', {})).waiting).toBe(1);
    await scene.match();
    expect([await scene.decisionOf(id), await scene.statusOf(id)]).toEqual(['auto_fx 6', 'matched 38500']);
  });

  it('W17: at a rate that only a person has entered it is suggested, and nothing is booked', async () => {
    const { tenantId } = scene;
    const by = { actor: 'test', reason: 'agreed', at: new Date(NOW) };
    await scene.inTenant((tx) => enterRate(tx, { tenantId, ...pounds, rate: '1.27', ...by }));
    const id = await scene.tell('WIRE ADV48213075', 38_500, { currency: 'GBP' });
    await scene.match();
    expect([await scene.decisionOf(id), await scene.statusOf(id)]).toEqual(['suggest 6', 'suggested']);
  });

  it('W19: the same movement told twice is one, however often the matching runs', async () => {
    const details = { externalId: 'plaid_1' };
    const id = await scene.tell('WIRE IN ADV48213075', 49_900, details);
    await scene.match();
    const mails = await scene.mails();
    expect(await scene.tell('WIRE IN ADV48213075', 49_900, details)).toBe(id);
    await scene.match();
    expect(await scene.mails()).toEqual(mails);
    expect(await scene.api.sql("SELECT count(*)::int FROM payments WHERE rail = 'bank'")).toEqual([
      { count: 1 },
    ]);
  });

  it('W20: a return takes its credit back, reopens the invoice, tells both sides, and is erased with it', async () => {
    const credit = await scene.tell('WIRE ADV48213075', 49_900);
    await scene.match();
    const before = (await scene.mails()).length;
    const out = await scene.tell('RETURN OF WIRE ADV48213075 R01', -49_900, { bookedOn: '2026-03-06' });
    await scene.match();
    expect(await scene.statusOf(credit)).toBe('reversed');
    expect([await scene.decisionOf(out), await scene.statusOf(out)]).toEqual(['reversal g3', 'reversed']);
    expect(await scene.dueOf(invoices.A.invoiceId)).toBe('open 0/49900');
    expect((await scene.mails()).slice(before).toSorted()).toEqual([
      'bank_matching_alert',
      'bank_payment_returned',
    ]);
    expect(await scene.api.sql("SELECT return_code FROM payments WHERE rail = 'bank'")).toEqual([
      { return_code: 'R01' },
    ]);

    const { customerId } = invoices.A;
    await scene.inTenant((tx) => eraseMovements(tx, { customerId, at: new Date(NOW) }));
    for (const id of [credit, out]) expect(await scene.movement(id)).toMatchObject({ texts: [] });
  });
});

it('what waits is decided by day, money in first, then by name', async () => {
  const told: [string, number, string][] = [
    ['b', 5, '2026-03-05'],
    ['a', -5, '2026-03-05'],
    ['c', 5, '2026-03-05'],
    ['B', 5, '2026-03-05'],
    ['a-1', 5, '2026-03-05'],
    ['d', -5, '2026-03-04'],
    ['e', 5, '2026-03-06'],
  ];
  for (const [externalId, amountMinor, bookedOn] of told) {
    await scene.tell('DEPOSIT', amountMinor, { externalId, bookedOn });
  }
  const waiting = await scene.inTenant((tx) => waitingMovements(tx, told.length));
  const names = waiting.map(({ externalId }) => externalId);
  expect(names).toEqual(['d', 'B', 'a-1', 'b', 'c', 'a', 'e']);
  expect(waiting.map(movementOf).toSorted(inDecisionOrder)).toEqual(waiting.map(movementOf));
});

it('a pending return takes its credit back, and the booked one that replaces it takes back nothing', async () => {
  const credit = await scene.tell('WIRE ADV48213075', 49_900);
  await scene.match();
  await scene.tell('RETURN ADV48213075', -49_900, { externalId: 'p', bookedOn: '2026-03-06', pending: true });
  await scene.match();
  expect(await scene.statusOf(credit)).toBe('reversed');
  const booked = await scene.tell('RETURN ADV48213075', -49_900, {
    pendingExternalId: 'p',
    bookedOn: '2026-03-06',
  });
  await scene.match();
  expect(await scene.decisionOf(booked)).toBe('ignore_outflow g3');
  const suspected =
    "SELECT decision -> 'suspectedCredits' AS ids FROM bank_decisions WHERE transaction_id = $1";
  expect(await scene.api.sql(suspected, [booked])).toEqual([{ ids: [] }]);
});

describe('a return that was looked at before its credit', () => {
  const back = (day: string, details: object = {}) =>
    scene.tell('RETURN OF WIRE ADV48213075', -49_900, { bookedOn: day, ...details });

  it('takes it back once that is told, by the rules or by hand', async () => {
    const out = await back('2026-03-06');
    await scene.match();
    expect(await scene.statusOf(out)).toBe('ignored');
    const credit = await scene.tell('WIRE ADV48213075', 49_900);
    await scene.match();
    expect([await scene.statusOf(credit), await scene.statusOf(out)]).toEqual(['reversed', 'reversed']);
    expect(await scene.dueOf(invoices.A.invoiceId)).toBe('open 0/49900');
  });

  it('takes it back on the day that it has since', async () => {
    const credit = await scene.tell('WIRE ADV48213075', 49_900);
    const out = await back('2026-03-06');
    await scene.match();
    expect(await scene.statusOf(credit)).toBe('reversed');
    await scene.api.sql(
      "UPDATE bank_transactions SET authorised_on = '2026-03-05', version = version + 1 WHERE id = $1",
      [out],
    );
    await scene.match();
    expect([await scene.statusOf(credit), await scene.statusOf(out)]).toEqual(['reversed', 'reversed']);
    expect(await scene.dueOf(invoices.A.invoiceId)).toBe('open 0/49900');
  });
});

it('what people have taken over and its source tells otherwise waits for them again', async () => {
  const id = await scene.tell('WIRE ADV48213075', 49_900);
  await scene.match();
  const path = `/v1/bank_transactions/${id}`;
  await scene.ok('POST', `${path}/unmatch`, { reason: 'Wrong' });
  await scene.ok('POST', `${path}/match`, { invoices: [{ invoiceId: invoices.A.invoiceId }] });
  await scene.api.sql(
    'UPDATE bank_transactions SET amount_minor = 49800, version = version + 1 WHERE id = $1',
    [id],
  );
  await scene.match();
  expect(await scene.statusOf(id)).toBe('unmatched');
  expect(await scene.dueOf(invoices.A.invoiceId)).toBe('open 0/49900');
});

it('money on the wrong account names the invoices that it may be for', async () => {
  const connectionId = await scene.connection();
  const accountId = await scene.account({ isReceiving: false, connectionId, externalId: 'savings' });
  await scene.account({ isReceiving: true, connectionId, externalId: 'checking' });
  const id = await scene.tell('WIRE ADV48213075', 49_900, { accountId });
  await scene.match();
  const { data } = await scene.ok('GET', `/v1/bank_transactions/${id}/decisions`);
  expect(data[0]).toMatchObject({ kind: 'wrong_account' });
  expect(data[0].suggestions[0].invoices).toMatchObject([
    { invoiceId: invoices.A.invoiceId, dueMinor: 49_900 },
  ]);
});

describe('what goes wrong with transfers', () => {
  it('one that shows up two days late is matched by its own day', async () => {
    const id = await scene.tell('WIRE ADV48213075', 49_900, {
      authorisedOn: '2026-03-03',
      bookedOn: '2026-03-11',
    });
    await scene.match('2026-03-11T12:00:00.000Z');
    expect(await scene.decisionOf(id)).toBe('auto 7');
    const late = await scene.tell('WIRE ADV10002001', 12_000, { bookedOn: '2026-03-10' });
    await scene.match('2026-03-11T12:00:00.000Z');
    expect(await scene.decisionOf(late)).toBe('late_admin 5');
  });

  it.each([
    ['that somebody holds back', "status = 'on_hold', held_at = now(), hold_reason = 'asked'"],
    ['of which a proof is looked at', "status = 'in_review'"],
  ])('one %s is not late while the clock stands still', async (_what, set) => {
    await scene.api.sql(`UPDATE bank_transfers SET ${set} WHERE reference = 'ADV48213075'`);
    const id = await scene.tell('WIRE ADV48213075', 49_900, { bookedOn: '2026-03-20' });
    await scene.match('2026-03-21T12:00:00.000Z');
    expect(await scene.decisionOf(id)).toBe('auto 7');
  });

  it('one that pays an invoice that was given up is for somebody to accept, and is booked then', async () => {
    await scene.ok('POST', `/v1/invoices/${invoices.A.invoiceId}/mark_uncollectible`, { reason: 'bankrupt' });
    const id = await scene.tell('WIRE ADV48213075', 49_900);
    await scene.match();
    expect(await scene.decisionOf(id)).toBe('late_admin 5');
    await scene.ok('POST', `/v1/bank_transactions/${id}/match`, {
      invoices: [{ invoiceId: invoices.A.invoiceId }],
    });
    expect(await scene.dueOf(invoices.A.invoiceId)).toBe('paid 49900/49900');
  });

  it('a second payment in another currency is credit at the rate of its day, and waits for one', async () => {
    const id = await scene.tell('WIRE ADV55550123', 7800, { currency: 'GBP' });
    await scene.match();
    expect(await scene.decisionOf(id)).toBe('exception_fx 2');
    await rate('1.27');
    await scene.ok('POST', '/v1/bank/reconcile', {});
    await scene.match();
    expect(await scene.decisionOf(id)).toBe('duplicate_credit 2');
    expect(await scene.creditOf(invoices.P.customerId)).toBe(9906);
  });

  it('a return of some other amount, or of nobody’s money, takes nothing back', async () => {
    const credit = await scene.tell('WIRE ADV48213075', 49_900);
    const outs = [
      await scene.tell('RETURN ADV48213075', -49_800, { bookedOn: '2026-03-06' }),
      await scene.tell('RETURN ITEM', -49_900, { bookedOn: '2026-03-06' }),
      await scene.tell('REFUND ADV48213075', -49_900, { bookedOn: '2026-03-06' }),
    ];
    await scene.match();
    for (const id of outs) expect(await scene.statusOf(id)).toBe('ignored');
    expect(await scene.statusOf(credit)).toBe('matched 49900');
  });

  it('a return by the number of the bank alone takes its credit back', async () => {
    const credit = await scene.tell('WIRE ADV48213075', 49_900, { bankReference: '20260305MMQF1234' });
    await scene.tell('RETURNED ITEM TRN 20260305MMQF1234', -49_900, { bookedOn: '2026-03-06' });
    await scene.match();
    expect(await scene.statusOf(credit)).toBe('reversed');
  });

  it('a return that names nothing it may take back for sure is told to the operators, once', async () => {
    const credit = await scene.tell('WIRE ADV48213075', 49_900);
    const out = await scene.tell('RETURNED ADV48213075', -47_400, { bookedOn: '2026-03-06' });
    await scene.match();
    expect([await scene.statusOf(credit), await scene.statusOf(out)]).toEqual(['matched 49900', 'ignored']);
    const alerts = async () => (await scene.mails()).filter((mail) => mail === 'bank_matching_alert').length;
    expect(await alerts()).toBe(1);
    await scene.api.sql('UPDATE bank_transactions SET decided_version = NULL WHERE id = $1', [out]);
    await scene.match();
    expect(await alerts()).toBe(1);
  });

  it('money that we gave back ourselves is no return of the bank, whatever its text says', async () => {
    const [first, second] = [
      await scene.tell('WIRE ADV48213075', 49_900),
      await scene.tell('WIRE ADV48213075 again', 49_900),
    ];
    await scene.match();
    const [credited] = await scene.api.sql(
      'SELECT payment_id FROM bank_allocations WHERE transaction_id = $1',
      [second],
    );
    await scene.ok('POST', `/v1/payments/${credited?.payment_id}/refunds`, {});
    const out = await scene.tell('RETURN OF DUPLICATE PAYMENT ADV48213075', -49_900, {
      bookedOn: '2026-03-06',
    });
    await scene.match();
    expect(await scene.decisionOf(out)).toBe('ignore_outflow g3');
    expect([await scene.statusOf(first), await scene.statusOf(second)]).toEqual([
      'matched 49900',
      'matched 49900',
    ]);
    expect(await scene.dueOf(invoices.A.invoiceId)).toBe('paid 49900/49900');

    // A code is the bank's own word.
    await scene.tell('RETURN ADV48213075 R10', -49_900, { bookedOn: '2026-03-07' });
    await scene.match();
    expect([await scene.statusOf(first), await scene.statusOf(second)]).toContain('reversed');
  });

  it('a return of what was given back only in part takes its credit back', async () => {
    const credit = await scene.tell('WIRE ADV48213075', 49_900);
    await scene.match();
    const [paid] = await scene.api.sql('SELECT payment_id FROM bank_allocations WHERE transaction_id = $1', [
      credit,
    ]);
    await scene.ok('POST', `/v1/payments/${paid?.payment_id}/refunds`, { amountMinor: 2000 });
    await scene.tell('RETURN ADV48213075', -49_900, { bookedOn: '2026-03-06' });
    await scene.match();
    expect(await scene.statusOf(credit)).toBe('reversed');
  });

  it.each(['before', 'after'])(
    'money that waits for somebody and went back is taken out of the queue, told %s',
    async (told) => {
      const back = () => scene.tell('RETURN TRN 20260305MMQF1234', -77_700, { bookedOn: '2026-03-06' });
      const early = told === 'before' ? await back() : null;
      await scene.match();
      const waiting = await scene.tell('WIRE OF A STRANGER', 77_700, {
        bookedOn: '2026-03-05',
        bankReference: '20260305MMQF1234',
      });
      await scene.match();
      const out = early ?? (await back());
      await scene.match();
      expect([await scene.statusOf(waiting), await scene.statusOf(out)]).toEqual(['reversed', 'reversed']);
      expect((await scene.mails()).filter((mail) => mail === 'bank_payment_returned')).toEqual([]);
    },
  );

  it('money that was taken from an invoice by hand goes back by the reference that its own text names', async () => {
    const credit = await scene.tell('WIRE ADV48213075', 49_900);
    await scene.match();
    await scene.ok('POST', `/v1/bank_transactions/${credit}/unmatch`, { reason: 'Of another branch' });
    await scene.ok('POST', `/v1/bank_transactions/${credit}/match`, {
      invoices: [{ invoiceId: invoices.C.invoiceId }],
    });
    const out = await scene.tell('RETURN ADV48213075', -49_900, { bookedOn: '2026-03-06' });
    await scene.match();
    expect([await scene.statusOf(credit), await scene.statusOf(out)]).toEqual(['reversed', 'reversed']);
    expect(await scene.dueOf(invoices.C.invoiceId)).toBe('open 0/49900');
  });

  it('a return among many credits of its amount reads few of them, and finds the one that it names', async () => {
    const named = await scene.tell('WIRE ADV48213075', 1000, {
      bookedOn: '2026-03-03',
      bankReference: 'trn-2026.0303 MMQF77',
    });
    const paid = await scene.tell('WIRE ADV10002001', 1000, { bookedOn: '2026-03-03' });
    for (let n = 0; n < 25; n += 1) await scene.tell('WIRE ADV48213075', 1000, { bookedOn: '2026-03-04' });
    await scene.match();
    const back = { bookedOn: '2026-03-06' };
    const byNumber = await scene.tell('RETURN TRN20260303MMQF77', -1000, back);
    const byReference = await scene.tell('RETURN ADV10002001', -1000, back);
    const ofAnother = await scene.tell('RETURN TRN20260303MMQF77', -2000, back);
    const creditsOf = async (...ids: string[]) => {
      const rows = await Promise.all(ids.map((id) => scene.movement(id)));
      const gathered = await scene.inTenant((tx) => gatherMatchFacts(tx, rows));
      return gathered.map(({ facts }) => facts.credits.map(({ id }) => id).toSorted());
    };
    const [ofNumber = [], ofReference = [], none] = await creditsOf(byNumber, byReference, ofAnother);
    expect([ofNumber.length, ofReference.length]).toEqual([11, 11]);
    expect([ofNumber, ofReference]).toEqual([
      expect.arrayContaining([named]),
      expect.arrayContaining([paid]),
    ]);
    // What else is decided with it makes no difference.
    expect([none, ...(await creditsOf(ofAnother))]).toEqual([[], []]);
    await scene.match();
    expect([await scene.statusOf(named), await scene.statusOf(paid)]).toEqual(['reversed', 'reversed']);
    expect(await scene.statusOf(ofAnother)).toBe('ignored');
  });
});

const pounds = { base: 'GBP', quote: 'USD', day: '2026-03-05' };

function rate(units: string): Promise<unknown> {
  const rates = [{ ...pounds, rate: units, source: 'ecb' }];
  return withSystem(scene.db, (tx) => storePublished(tx, { rates, fetchedAt: new Date(NOW) }));
}
