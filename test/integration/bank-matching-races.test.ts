/**
 * The matching when things go wrong: it dies at every moment there is, runs twice at once, hears of movements in any order and
 * as often as they are told, and of changes after it had matched. Whatever happens, money is booked once.
 */
import { asc, eq } from 'drizzle-orm';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { matchMovements } from '../../db/queries/payments/match-movements.ts';
import { bankTransactions } from '../../db/schema/banking.ts';
import { type BankScene, createBankScene, NOW } from './bank-scene.ts';
import { Death, mortalDatabase } from './mortal.ts';

let scene: BankScene;
let references = 61_000_000;

beforeAll(async () => {
  scene = await createBankScene();
});
afterEach(() => scene.check());
afterAll(() => scene.close());

const nextReference = () => {
  references += 7;
  return `ADV${references}`;
};

describe('dying', () => {
  it('at any moment leaves what the next run ends the same way', async () => {
    const play = async (dieAt: number) => {
      const [paid, parted] = [
        await scene.invoice(nextReference(), 1000),
        await scene.invoice(nextReference(), 3000),
      ];
      const ids = [
        await scene.tell(`WIRE ${paid.reference}`, 1000),
        await scene.tell(`WIRE ${parted.reference}`, 1200),
        await scene.tell(`WIRE ${paid.reference}`, 1000, { bookedOn: '2026-03-06' }),
        await scene.tell(`RETURN ${parted.reference}`, -1200, { bookedOn: '2026-03-06' }),
        await scene.tell('SOMETHING ELSE', 77_777),
      ];
      const db = mortalDatabase(scene.db, dieAt);
      const run = { tenantId: scene.tenantId, at: new Date(NOW) };
      let hasDied = false;
      await matchMovements(db, run).catch((error: unknown) => {
        if (!(error instanceof Death)) throw error;
        hasDied = true;
      });
      await scene.match();
      const states = await Promise.all(
        ids.map(async (id) => `${await scene.decisionOf(id)}: ${await scene.statusOf(id)}`),
      );
      return {
        hasDied,
        outcome: {
          states,
          due: [await scene.dueOf(paid.invoiceId), await scene.dueOf(parted.invoiceId)],
          credit: await scene.creditOf(paid.customerId),
        },
      };
    };
    const expected = {
      states: [
        'auto 7: matched 1000',
        'none: reversed',
        'duplicate_credit 2: matched 1000',
        'reversal g3: reversed',
        'unmatched 11: unmatched',
      ],
      due: ['paid 1000/1000', 'open 0/3000'],
      credit: 1000,
    };
    for (let dieAt = 1; ; dieAt += 1) {
      const { hasDied, outcome } = await play(dieAt);
      expect(outcome, `dying at moment ${dieAt}`).toEqual(expected);
      if (!hasDied) break;
    }
  });
});

describe('two at once', () => {
  it('decide each movement once', async () => {
    const ids: string[] = [];
    for (let n = 0; n < 8; n += 1) {
      const { reference } = await scene.invoice(nextReference(), 1000);
      ids.push(await scene.tell(`WIRE ${reference}`, 1000 + n));
    }
    await Promise.all([scene.match(), scene.match(), scene.match()]);
    for (const [n, id] of ids.entries()) expect(await scene.statusOf(id)).toBe(`matched ${1000 + n}`);
    const rows = await scene.api.sql(
      'SELECT count(*)::int FROM bank_decisions WHERE transaction_id = ANY($1)',
      [ids],
    );
    expect(rows).toEqual([{ count: 8 }]);
  });

  it('pay one invoice with two halves once each, and it is paid once', async () => {
    const { invoiceId, reference } = await scene.invoice(nextReference(), 1000);
    await scene.tell(`WIRE ${reference}`, 500);
    await scene.tell(`WIRE ${reference}`, 500);
    await Promise.all([scene.match(), scene.match()]);
    expect(await scene.dueOf(invoiceId)).toBe('paid 1000/1000');
  });
});

describe('many', () => {
  it('are decided in parts, and operators are told of the queue once', async () => {
    const before = (await scene.mails()).length;
    const { reference, invoiceId } = await scene.invoice(nextReference(), 12_000);
    for (let n = 0; n < 120; n += 1) await scene.tell(`WIRE ${reference}`, 100);
    for (let n = 0; n < 30; n += 1) await scene.tell('SOMETHING', 70_000 + n);
    await scene.match();
    expect(await scene.dueOf(invoiceId)).toBe('paid 12000/12000');
    expect((await scene.mails()).slice(before).filter((mail) => mail === 'bank_matching_alert')).toHaveLength(
      1,
    );
    await scene.ok('POST', '/v1/bank/reconcile', {});
    await scene.match();
    expect((await scene.mails()).slice(before).filter((mail) => mail === 'bank_matching_alert')).toHaveLength(
      1,
    );
  });
});

describe('one that cannot be booked', () => {
  it('is set aside for somebody, who is told why, and holds up no other', async () => {
    const [first, second] = [
      await scene.invoice(nextReference(), 1000),
      await scene.invoice(nextReference(), 1000),
    ];
    const stuck = await scene.tell(`WIRE ${first.reference}`, 1000);
    const free = await scene.tell(`WIRE ${second.reference}`, 1000);
    // Its name stands for another payment, which nothing of ours makes.
    await scene.api.sql(
      `INSERT INTO payments (id, tenant_id, customer_id, invoice_id, rail, external_id, amount_minor, allocated_minor,
         currency, received_at) VALUES ('pay_stuck', $1, $2, $3, 'bank', $4, 1, 0, 'USD', now())`,
      [scene.tenantId, first.customerId, first.invoiceId, `${stuck}:1`],
    );
    const before = (await scene.mails()).length;
    await scene.match();
    await scene.match();
    expect(await scene.statusOf(stuck)).toBe('exception');
    expect(await scene.statusOf(free)).toBe('matched 1000');
    const told = (await scene.mails()).slice(before);
    expect(told.filter((mail) => mail === 'bank_matching_alert')).toHaveLength(2);
    await scene.api.sql("DELETE FROM payments WHERE id = 'pay_stuck'");
    await scene.ok('POST', '/v1/bank/reconcile', {});
    await scene.match();
    expect(await scene.statusOf(stuck)).toBe('matched 1000');
  });
});

describe('a movement that changes after it was matched', () => {
  it('in its amount is taken back and decided anew, and operators are told', async () => {
    const { invoiceId, reference } = await scene.invoice(nextReference(), 1000);
    const id = await scene.tell(`WIRE ${reference}`, 1000);
    await scene.match();
    const before = (await scene.mails()).length;
    await change(id, { amountMinor: 600 });
    await scene.match();
    expect([await scene.decisionOf(id), await scene.statusOf(id)]).toEqual(['partial 10', 'matched 600']);
    expect(await scene.dueOf(invoiceId)).toBe('open 600/1000');
    expect((await scene.mails()).slice(before).toSorted()).toEqual([
      'bank_matching_alert',
      'bank_payment_returned',
    ]);
  });

  it('in its text only stays matched', async () => {
    const { invoiceId, reference } = await scene.invoice(nextReference(), 1000);
    const id = await scene.tell(`WIRE ${reference}`, 1000);
    await scene.match();
    const mails = await scene.mails();
    await change(id, { texts: ['CLEANED BY THE BANK'] });
    await scene.match();
    expect(await scene.statusOf(id)).toBe('matched 1000');
    expect(await scene.dueOf(invoiceId)).toBe('paid 1000/1000');
    expect(await scene.mails()).toEqual(mails);
  });

  it('to another currency is decided in that one', async () => {
    const { reference } = await scene.invoice(nextReference(), 1000);
    const id = await scene.tell(`WIRE ${reference}`, 1000);
    await scene.match();
    await change(id, { currency: 'GBP' });
    await scene.match();
    expect([await scene.decisionOf(id), await scene.statusOf(id)]).toEqual(['exception_fx 6', 'exception']);
  });

  it('because its source says that it never happened is taken back', async () => {
    const { invoiceId, reference } = await scene.invoice(nextReference(), 1000);
    const id = await scene.tell(`WIRE ${reference}`, 1000);
    await scene.match();
    await change(id, { removedAt: new Date(NOW) });
    await scene.match();
    expect(await scene.statusOf(id)).toBe('removed');
    expect(await scene.dueOf(invoiceId)).toBe('open 0/1000');
    await scene.match();
    expect(await scene.statusOf(id)).toBe('removed');
  });

  it('and was a return: the credit that it had taken back is booked again', async () => {
    const { invoiceId, reference } = await scene.invoice(nextReference(), 1000);
    const credit = await scene.tell(`WIRE ${reference}`, 1000);
    const out = await scene.tell(`REVERSAL ${reference}`, -1000, { bookedOn: '2026-03-06' });
    await scene.match();
    expect(await scene.dueOf(invoiceId)).toBe('open 0/1000');
    await change(out, { removedAt: new Date(NOW) });
    await scene.match();
    expect([await scene.statusOf(out), await scene.statusOf(credit)]).toEqual(['removed', 'matched 1000']);
    expect(await scene.dueOf(invoiceId)).toBe('paid 1000/1000');
  });

  it('while it waits for somebody is decided again by what it says now', async () => {
    const { invoiceId, reference } = await scene.invoice(nextReference(), 1000);
    const id = await scene.tell('CUT TEXT', 1000);
    await scene.match();
    await change(id, { texts: [`WHOLE TEXT ${reference}`] });
    await scene.match();
    expect(await scene.statusOf(id)).toBe('matched 1000');
    expect(await scene.dueOf(invoiceId)).toBe('paid 1000/1000');
  });
});

describe('a pending movement', () => {
  it('is seen, never booked, and what it was seen as is suggested where the booked one has lost its text', async () => {
    const { invoiceId, reference } = await scene.invoice(nextReference(), 4321);
    const seen = await scene.tell(`WIRE ${reference}`, 4321, {
      pending: true,
      externalId: `pending ${reference}`,
    });
    await scene.match();
    expect([await scene.statusOf(seen), await scene.dueOf(invoiceId)]).toEqual(['pending', 'open 0/4321']);
    await change(seen, { removedAt: new Date(NOW), status: 'removed' });
    const posted = await scene.tell('DEPOSIT', 4321, { pendingExternalId: `pending ${reference}` });
    await scene.match();
    expect(await scene.decisionOf(posted)).toBe('suggest 11');
    const { data } = await scene.ok('GET', `/v1/bank_transactions/${posted}/decisions`);
    expect(data[0].suggestions[0]).toMatchObject({ invoices: [{ invoiceId }], points: { reference: 100 } });
  });

  it('that is booked under the same name is decided then', async () => {
    const { invoiceId, reference } = await scene.invoice(nextReference(), 4321);
    const id = await scene.tell(`WIRE ${reference}`, 4321, { pending: true });
    await scene.match();
    await change(id, { pending: false, status: 'new' });
    await scene.match();
    expect(await scene.dueOf(invoiceId)).toBe('paid 4321/4321');
  });
});

describe('money without a reference', () => {
  it('of a known account or name is suggested for the invoices that come to it together', async () => {
    const { customerId, subscriptionId } = await scene.customer('Zebra Würfel GmbH');
    const owner = { customerId, subscriptionId };
    const parts = [];
    for (const minor of [1111, 2222, 4444]) parts.push(await scene.invoice(nextReference(), minor, owner));
    const byName = await scene.tell('ACH CREDIT ZEBRA WURFEL 123', 3333);
    await scene.match();
    const suggested = async (id: string) => {
      const { data } = await scene.ok('GET', `/v1/bank_transactions/${id}/decisions`);
      return data[0].suggestions.map((each: { invoices: { invoiceId: string }[] }) =>
        each.invoices.map(({ invoiceId }) => invoiceId),
      );
    };
    expect(await suggested(byName)).toEqual([[parts[0]?.invoiceId, parts[1]?.invoiceId]]);

    const account = { name: 'SOMEBODY ELSE', account: 'GB29 NWBK 6016 1331 9268 19' };
    await scene.tell(`WIRE ${parts[0]?.reference}`, 1111, { payer: account });
    await scene.match();
    const again = { name: 'ANOTHER SPELLING', account: 'GB29NWBK60161331926819' };
    const byAccount = await scene.tell('CREDIT', 6666, { payer: again });
    await scene.match();
    expect(await suggested(byAccount)).toEqual([[parts[1]?.invoiceId, parts[2]?.invoiceId]]);
  });
});

// Hundreds of small runs, one after another.
describe('any order and repetition of a feed', { timeout: 300_000 }, () => {
  it('ends in the same state', async () => {
    const movement = fc.record({
      invoice: fc.integer({ min: 0, max: 2 }),
      amountMinor: fc.constantFrom(300, 500, 700, 1000),
      kind: fc.constantFrom('named', 'digits', 'silent', 'return' as const),
      day: fc.constantFrom('2026-03-03', '2026-03-04', '2026-03-05'),
    });
    const feed = fc.array(movement, { minLength: 2, maxLength: 7 });
    await fc.assert(
      fc.asyncProperty(feed, fc.infiniteStream(fc.nat()), async (told, randoms) => {
        const shuffled = told
          .map((each, index) => ({ each, index, at: randoms.next().value }))
          .toSorted((a, b) => a.at - b.at)
          .map(({ each, index }) => ({ each, index }));
        const inOrder = told.map((each, index) => ({ each, index }));
        const one = await outcomeOf(inOrder);
        const other = await outcomeOf([...shuffled, ...shuffled.toReversed()]);
        expect(other).toEqual(one);
      }),
      { numRuns: 12 },
    );
  });

  type Tellable = {
    each: { invoice: number; amountMinor: number; kind: string; day: string };
    index: number;
  };

  /** With invoices, customers and names of its own each time. */
  async function outcomeOf(feed: readonly Tellable[]): Promise<unknown> {
    const owed = [];
    for (let n = 0; n < 3; n += 1) owed.push(await scene.invoice(nextReference(), 1000));
    const accountId = await scene.account({});
    const ids = new Map<number, string>();
    for (const { each, index } of feed) {
      const reference = owed[each.invoice]?.reference ?? '';
      const text = {
        named: `WIRE ${reference}`,
        digits: `ACH ${reference.slice(3)} PPD`,
        silent: 'NOTHING',
        return: `RETURN ${reference}`,
      }[each.kind] as string;
      // Amounts of money that names nothing fit no invoice of another example.
      const amountMinor =
        each.kind === 'return' ? -each.amountMinor : each.kind === 'silent' ? 99 : each.amountMinor;
      const details = { accountId, externalId: `m${index}`, bookedOn: each.day };
      ids.set(index, await scene.tell(text, amountMinor, details));
    }
    await scene.match();
    const states: string[] = [];
    for (const [, id] of [...ids].toSorted(([a], [b]) => a - b)) {
      states.push(`${await scene.decisionOf(id)}: ${await scene.statusOf(id)}`);
    }
    const books: string[] = [];
    for (const { invoiceId, customerId } of owed) {
      books.push(`${await scene.dueOf(invoiceId)} credit ${await scene.creditOf(customerId)}`);
    }
    await scene.check();
    return { states, books };
  }
});

/** As `keepMovements` writes what its source says now. */
async function change(id: string, set: Partial<typeof bankTransactions.$inferInsert>): Promise<void> {
  await scene.inTenant(async (tx) => {
    const [row] = await tx
      .select()
      .from(bankTransactions)
      .where(eq(bankTransactions.id, id))
      .orderBy(asc(bankTransactions.id));
    await tx
      .update(bankTransactions)
      .set({ ...set, version: (row?.version ?? 0) + 1 })
      .where(eq(bankTransactions.id, id));
  });
}
