/** Money that comes after an offer in coins has expired, where the installation has it accepted by itself. */
import { asc, eq } from 'drizzle-orm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createCryptoInvoiceActivities } from '../../activities/payments/crypto-invoice.ts';
import { type Tx, withTenant } from '../../db/client.ts';
import { requestCryptoAct } from '../../db/queries/payments/crypto-acts.ts';
import { actOnPayout, requestPayout } from '../../db/queries/payments/crypto-payouts.ts';
import type { CryptoInvoiceRow } from '../../db/queries/payments/observe-chain.ts';
import { settlePayment } from '../../db/queries/payments/settle-payment.ts';
import { putReportSettings, usualReportSettings } from '../../db/queries/reporting/report-settings.ts';
import { listAudit } from '../../db/queries/tenants/audit-log.ts';
import { subscriptionEvents, subscriptions } from '../../db/schema/billing.ts';
import { cryptoActs } from '../../db/schema/crypto.ts';
import { money } from '../../domain/money.ts';
import { createScene, type OpenInvoice, type Scene } from './collection-scene.ts';
import {
  booksOf,
  carryOut,
  eventsOf,
  minutesAfter,
  offer,
  pay,
  readTo,
  readyForCoins,
  rowOf,
  setChain,
  setPrices,
  T0,
} from './crypto-scene.ts';
import { Death, mortal } from './mortal.ts';

let scene: Scene;
let invoice: OpenInvoice;
let coins: CryptoInvoiceRow;

beforeAll(async () => {
  scene = await createScene();
});
afterAll(() => scene.close());
beforeEach(() => expired());

/** Offered for 29 dollars at 60,000 for a coin, and not paid in time. */
async function expired({ late }: { late: 'review' | 'auto' } = { late: 'auto' }): Promise<void> {
  invoice = await scene.openInvoice();
  await readyForCoins(scene, invoice.tenantId);
  coins = await offer(scene, invoice, { settings: { late } });
  await readTo(scene, coins, { height: 101, at: minutesAfter(16) });
  await carryOut(scene, coins, minutesAfter(16));
  expect((await rowOf(scene, coins)).status).toBe('expired');
}

type Paid = { units?: bigint; usdRate?: string | null; n?: number; height?: number | null };

/** Twenty minutes after the offer, in the mempool. */
function payLate({ units = coins.dueUnits, usdRate = '60000', ...rest }: Paid = {}): Promise<string> {
  return pay(scene, coins, { units, usdRate, at: minutesAfter(20), ...rest });
}

const standing = async () => {
  const { status, flags } = await rowOf(scene, coins);
  return `${status} [${flags.join(', ')}]`;
};
/** Those about coins. */
const mails = async () =>
  (await booksOf(scene, invoice)).mails.filter((template) => template.startsWith('crypto_'));
const waiting = 'expired [late, review]';

function inTenant<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
  return withTenant(scene.db, invoice.tenantId, work);
}

const acts = () =>
  inTenant(async (tx) => {
    const rows = await tx
      .select()
      .from(cryptoActs)
      .where(eq(cryptoActs.cryptoInvoiceId, coins.id))
      .orderBy(asc(cryptoActs.ordinal));
    return rows.map(({ act, status, requestedBy, decidedBy }) => ({ act, status, requestedBy, decidedBy }));
  });

describe('late money', () => {
  it('that is still worth enough is accepted by the system, waits for its depth, and is booked once', async () => {
    await inTenant((tx) =>
      putReportSettings(tx, {
        tenantId: invoice.tenantId,
        settings: { ...usualReportSettings, recipient: 'desk@company.example' },
        at: new Date(T0),
      }),
    );
    const key = await payLate();
    expect(await standing()).toBe(waiting);
    const at = minutesAfter(21);
    for (let i = 0; i < 3; i += 1) await carryOut(scene, coins, at);
    expect(await standing()).toBe('processing [late, marked]');
    expect(await acts()).toEqual([
      {
        act: { kind: 'accept', paymentKeys: [key], at, rate: 'received' },
        status: 'approved',
        requestedBy: 'system',
        decidedBy: 'system',
      },
    ]);
    const audited = await inTenant((tx) =>
      listAudit(tx, { entityId: coins.id, cursor: undefined, limit: 5 }),
    );
    expect(audited.map(({ actor, action, details }) => [actor, action, details])).toEqual([
      ['system', 'crypto_invoice.accept', { paymentKeys: [key] }],
      ['test', 'crypto_invoice.created', expect.anything()],
    ]);
    const told = await inTenant((tx) =>
      tx.select().from(subscriptionEvents).where(eq(subscriptionEvents.kind, 'crypto_late_accepted')),
    );
    expect(told.map(({ message }) => message)).toEqual([
      expect.stringMatching(
        /^Invoice \S+ in BTC: 0[.]00048334 BTC came late, was worth enough when it came, and was accepted by itself[.]$/,
      ),
    ]);
    // Nobody is told that somebody has to decide.
    expect(await mails()).toEqual(['crypto_payment_seen']);

    await pay(scene, coins, { units: coins.dueUnits, at: minutesAfter(20), height: 102 });
    await readTo(scene, coins, { height: 103, at: minutesAfter(40) });
    await carryOut(scene, coins, minutesAfter(40));
    expect(await standing()).toBe('processing [late, marked]');
    await readTo(scene, coins, { height: 104, at: minutesAfter(50) });
    for (let i = 0; i < 2; i += 1) await carryOut(scene, coins, minutesAfter(50));
    expect(await standing()).toBe('settled [late, marked]');
    expect(await booksOf(scene, invoice)).toMatchObject({
      invoice: 'paid 2900/2900',
      payments: ['2900 (2900)'],
      cashMinor: 2900,
      creditMinor: 0,
      sumMinor: 0,
    });
    expect(await eventsOf(scene, coins)).toEqual([
      'expired',
      'late_payment',
      'review_opened',
      'processing',
      'review_closed',
      'marked',
      'settled',
    ]);
  });

  it('that nobody saw before it was deep enough settles at once', async () => {
    await payLate({ height: 101 });
    await readTo(scene, coins, { height: 104, at: minutesAfter(60) });
    await carryOut(scene, coins, minutesAfter(60));
    expect(await standing()).toBe('settled [late, marked]');
    expect(await booksOf(scene, invoice)).toMatchObject({
      invoice: 'paid 2900/2900',
      payments: ['2900 (2900)'],
    });
    expect(await mails()).toEqual([]);
  });

  it('that is worth more by now is credit to the cent', async () => {
    await payLate({ usdRate: '90000', height: 101 });
    await readTo(scene, coins, { height: 104, at: minutesAfter(60) });
    await carryOut(scene, coins, minutesAfter(60));
    expect(await booksOf(scene, invoice)).toMatchObject({ payments: ['4350 (2900)'], creditMinor: 1450 });
  });

  it.each([
    ['is worth too little by now', { usdRate: '58799' }],
    ['has no rate that anybody could be quoted with', { usdRate: null }],
    ['is too little', { units: 40_000n }],
  ])('that %s waits for a person, who is told', async (_name, paid) => {
    await payLate(paid);
    await carryOut(scene, coins, minutesAfter(21));
    expect([await standing(), await acts()]).toEqual([waiting, []]);
    expect(await mails()).toEqual(['crypto_payment_late']);
  });

  it('waits for a person where the offer was made so, whatever is set by now', async () => {
    await expired({ late: 'review' });
    await payLate();
    await carryOut(scene, coins, minutesAfter(21));
    expect([await standing(), await acts()]).toEqual([waiting, []]);
  });

  it('that comes a second time waits for a person', async () => {
    await payLate();
    await carryOut(scene, coins, minutesAfter(21));
    await pay(scene, coins, { units: coins.dueUnits, usdRate: '60000', at: minutesAfter(30), n: 2 });
    await carryOut(scene, coins, minutesAfter(31));
    expect(await standing()).toBe('processing [late, review, marked]');
    expect(await acts()).toHaveLength(1);
  });
});

describe('late money that is worth enough waits for a person', () => {
  const waits = async () => {
    await carryOut(scene, coins, minutesAfter(21));
    expect([await standing(), await acts()]).toEqual([waiting, []]);
  };

  it('where the invoice was paid otherwise', async () => {
    await inTenant((tx) =>
      settlePayment(tx, {
        tenantId: invoice.tenantId,
        invoiceId: invoice.invoiceId,
        rail: 'manual',
        externalId: 'cash',
        amount: money(2900, 'USD'),
        at: new Date(minutesAfter(18)),
      }),
    );
    await payLate();
    await waits();
  });

  it.each(['cancelled', 'expired'] as const)('where the subscription is %s', async (status) => {
    await inTenant((tx) => tx.update(subscriptions).set({ status }));
    await payLate();
    await waits();
  });

  it('where the invoice is offered anew', async () => {
    await setPrices(scene, { at: minutesAfter(18) });
    await setChain(scene, { height: 101, at: minutesAfter(18) });
    const again = await offer(scene, invoice, { at: minutesAfter(18) });
    await payLate();
    await waits();
    expect((await rowOf(scene, again)).status).toBe('awaiting');
  });

  it('while the chain is paused, and no longer', async () => {
    await setChain(scene, { height: 101, at: minutesAfter(20), isPaused: true });
    await payLate();
    await waits();
    await readTo(scene, coins, { height: 102, at: minutesAfter(30) });
    await carryOut(scene, coins, minutesAfter(31));
    expect(await standing()).toBe('processing [late, marked]');
  });

  it('where it came longer ago than a payment in time is waited for', async () => {
    await payLate();
    const dayAfter = 20 + 24 * 60;
    await carryOut(scene, coins, minutesAfter(dayAfter + 1));
    expect([await standing(), await acts()]).toEqual([waiting, []]);
    await carryOut(scene, coins, minutesAfter(dayAfter));
    expect(await standing()).toBe('processing [late, marked, slow_confirm, confirmation_overdue]');
  });

  it('while an operator’s own act waits to be approved', async () => {
    const key = await payLate();
    const wish = {
      cryptoInvoiceId: coins.id,
      reason: 'let us see',
      actor: 'test',
      at: new Date(minutesAfter(20)),
    };
    await inTenant((tx) =>
      requestCryptoAct(tx, {
        ...wish,
        kind: 'accept',
        paymentKeys: [key],
        rate: 'locked',
        approvalUsdMinor: 0,
      }),
    );
    await carryOut(scene, coins, minutesAfter(21));
    expect(await standing()).toBe(waiting);
    expect((await acts()).map(({ status }) => status)).toEqual(['requested']);
  });

  it('while it goes back', async () => {
    const key = await payLate({ height: 101 });
    await readTo(scene, coins, { height: 104, at: minutesAfter(40) });
    const { tenantId } = invoice;
    const ask = {
      tenantId,
      cryptoInvoiceId: coins.id,
      paymentKey: key,
      reason: 'wanted back',
      actor: 'test',
    };
    const at = new Date(minutesAfter(40));
    const address = 'bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu';
    const { id } = await inTenant((tx) => requestPayout(tx, { ...ask, address, at }));
    await carryOut(scene, coins, minutesAfter(41));
    expect([await standing(), await acts()]).toEqual([waiting, []]);
    await inTenant((tx) =>
      actOnPayout(tx, { id, act: 'reject', actor: 'other', reason: 'they want to pay', at }),
    );
    await carryOut(scene, coins, minutesAfter(42));
    expect(await standing()).toBe('settled [late, marked]');
  });
});

describe('a process that dies', () => {
  it('wherever it does accepts late money once, and books it once', async () => {
    for (let dieAt = 1; ; dieAt += 1) {
      await expired();
      await payLate({ height: 101 });
      await readTo(scene, coins, { height: 104, at: minutesAfter(60) });
      const { decideCryptoInvoice } = createCryptoInvoiceActivities(mortal(scene, dieAt));
      const input = { tenantId: invoice.tenantId, cryptoInvoiceId: coins.id, at: minutesAfter(61) };
      const died = await decideCryptoInvoice(input).then(
        () => false,
        (error: unknown) => {
          if (error instanceof Death) return true;
          throw error;
        },
      );
      await carryOut(scene, coins, minutesAfter(62));
      expect(await booksOf(scene, invoice)).toMatchObject({
        invoice: 'paid 2900/2900',
        payments: ['2900 (2900)'],
        cashMinor: 2900,
        creditMinor: 0,
        sumMinor: 0,
      });
      expect(await acts()).toHaveLength(1);
      if (!died) {
        expect(dieAt).toBeGreaterThan(3);
        return;
      }
    }
  });
});
