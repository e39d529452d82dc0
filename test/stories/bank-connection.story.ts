/** A bank is connected and read for days: what Plaid tells, tells fifty times or not at all, and what happens to the login. */
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { addBank, connectBank, hearOfBanks, type StoryBank } from './banks.ts';
import { createWorld, type World } from './world.ts';

let world: World;
beforeAll(async () => {
  world = await createWorld({ startsAt: '2032-03-01T10:00:00Z' });
  await hearOfBanks(world);
});
afterAll(() => world.close());

/** One bank after the other, so that each story is about its own. */
let bank: StoryBank;
beforeEach(async () => {
  bank = await connectBank(world);
  return async () => {
    await world.ok('POST', `/v1/bank_connections/${bank.id}/unlink`, {});
    expect(await bank.process()).toBe('COMPLETED');
  };
});

const today = () => world.now().toISOString().slice(0, 10);
const wire = (amount: string, description = 'A WIRE') => ({
  amount: `-${amount}`,
  description,
  date: today(),
});
const mails = async (from: Date) =>
  (await world.effects({ from })).filter((line) => line.includes('bank_connection_alert'));

it('movements are read when Plaid tells of them and, where its webhook is lost, within the hour', async () => {
  const day = today();
  world.plaid.addTransactions(bank.itemId, [wire('1.01')]);
  await world.settle();
  await world.advance({ minutes: 1 });
  expect(await bank.movements()).toContain(`${day} 101 ignored`);
  world.plaid.setFaults({ webhooks: { drop: 1 } });
  world.plaid.addTransactions(bank.itemId, [wire('1.02')]);
  await world.settle();
  expect(await bank.movements()).not.toContain(`${day} 102 ignored`);
  await world.advance({ minutes: 60 });
  world.plaid.setFaults({ webhooks: { hold: true } });
  expect(await bank.movements()).toContain(`${day} 102 ignored`);
});

it('fifty webhooks in a second cause one look, and one after it', async () => {
  await world.advance({ minutes: 1 });
  const before = bank.looks();
  world.withholdWebhooks(true);
  for (let amount = 201; amount <= 250; amount += 1) {
    world.plaid.addTransactions(bank.itemId, [wire(`${amount}.00`)]);
  }
  await world.plaid.flushWebhooks();
  world.withholdWebhooks(false);
  await world.settle();
  expect(bank.looks() - before).toBe(1);
  await world.advance({ minutes: 1 });
  expect(bank.looks() - before).toBe(2);
  await world.advance({ minutes: 10 });
  expect(bank.looks() - before).toBe(2);
  const read = (await bank.movements()).filter((line) => / 2[0-5]\d00 ignored$/.test(line));
  expect(read).toHaveLength(50);
});

it('a reading that fails after page 2 of 3 keeps nothing, and all of it when it is tried again', async () => {
  await world.advance({ minutes: 1 });
  const amounts = Array.from({ length: 1_100 }, (_, index) => `${3_000 + index}.00`);
  const kept = async () => (await bank.movements()).filter((line) => / [34]\d{5} ignored$/.test(line)).length;
  const before = bank.looks();
  const seen: number[] = [];
  world.plaid.failNext({ op: 'transactions.sync', error: 'INTERNAL_SERVER_ERROR', after: 2, times: 2 });
  world.withholdWebhooks(true);
  world.plaid.addTransactions(
    bank.itemId,
    amounts.map((amount) => wire(amount)),
  );
  await world.plaid.flushWebhooks();
  seen.push(await kept());
  world.withholdWebhooks(false);
  await world.settle();
  await world.advance({ minutes: 1 });
  seen.push(await kept());
  expect(seen).toEqual([0, 1_100]);
  // Two pages and a failure, a failure, and three pages; a look that other webhooks cause finds nothing more.
  expect(bank.looks() - before).toBeGreaterThanOrEqual(7);
  expect(await mails(world.now())).toEqual([]);
});

it('a log that changes under the reading is read anew from where the reading began', async () => {
  await world.advance({ minutes: 1 });
  world.plaid.changeWhileReading(bank.itemId, 2);
  const amounts = Array.from({ length: 600 }, (_, index) => `${6_000 + index}.00`);
  world.plaid.addTransactions(
    bank.itemId,
    amounts.map((amount) => wire(amount)),
  );
  await world.settle();
  await world.advance({ minutes: 1 });
  expect((await bank.movements()).filter((line) => / 6\d{5} ignored$/.test(line))).toHaveLength(600);
});

it('nine days without a login are made up for when somebody signs in again, and the operators heard of it once', async () => {
  const from = world.now();
  world.plaid.requireLogin(bank.itemId);
  await world.settle();
  await world.advance({ minutes: 1 });
  expect(await bank.read()).toMatchObject({ status: 'needs_reauth', problem: 'login_required' });
  const before = bank.looks();
  const days: string[] = [];
  for (let day = 1; day <= 9; day += 1) {
    await world.advance({ days: 1 });
    days.push(`${today()} 70${day} ignored`);
    world.plaid.addTransactions(bank.itemId, [wire(`7.0${day}`)]);
  }
  // Once a day somebody may have signed in without telling.
  expect(bank.looks() - before).toBeLessThanOrEqual(9);
  expect(await mails(from)).toEqual(['day 0 mail bank_connection_alert sent']);
  expect(await bank.movements()).not.toContain(days[0]);
  expect(await world.ok('GET', '/v1/bank/health')).toMatchObject({
    status: 'degraded',
    reasons: [{ bankConnectionId: bank.id, concern: 'needs_reauth' }],
  });

  world.plaid.repairLogin(bank.itemId);
  await world.settle();
  await world.advance({ minutes: 1 });
  expect(await bank.read()).toMatchObject({ status: 'active', problem: null });
  expect((await bank.movements()).filter((line) => days.includes(line))).toEqual(days);
  expect(await mails(from)).toHaveLength(1);
});

it('a movement is seen pending, booked under another name, changed, and taken back by the bank', async () => {
  const day = today();
  const of = async (...amounts: number[]) =>
    (await bank.movements()).filter((line) => amounts.some((amount) => line.includes(` ${amount} `)));
  const [pending = ''] = world.plaid.addTransactions(bank.itemId, [{ ...wire('80.01'), pending: true }]);
  await world.settle();
  await world.advance({ minutes: 1 });
  expect(await of(8_001)).toEqual([`${day} 8001 ignored`]);
  const booked = world.plaid.postTransaction(bank.itemId, pending, { date: day });
  await world.settle();
  await world.advance({ minutes: 1 });
  expect(await of(8_001)).toEqual([`${day} 8001 ignored`, `${day} 8001 removed`]);
  world.plaid.modifyTransaction(bank.itemId, booked, { amount: '-80.02' });
  await world.settle();
  await world.advance({ minutes: 1 });
  expect(await of(8_001, 8_002)).toEqual([`${day} 8001 removed`, `${day} 8002 ignored`]);
  world.plaid.removeTransactions(bank.itemId, [booked]);
  await world.settle();
  await world.advance({ minutes: 1 });
  expect(await of(8_001, 8_002)).toEqual([`${day} 8001 removed`, `${day} 8002 removed`]);
});

it('a bank that is connected anew goes on without anything counted twice, and the connection before it ends', async () => {
  world.plaid.addTransactions(bank.itemId, [wire('90.01'), wire('90.01')]);
  await world.settle();
  await world.advance({ minutes: 1 });
  const before = await bank.movements();
  const first = bank;
  bank = await addBank(world, world.plaid.connectAgain(first.itemId));
  await world.advance({ minutes: 1 });
  expect(await bank.movements()).toEqual(before);
  expect(await first.process()).toBe('COMPLETED');
  expect(await first.read()).toMatchObject({ status: 'unlinked' });
  const { accounts } = await bank.read();
  expect(accounts).toHaveLength(2);
});

it('a day on which Plaid cannot be asked ends with everything read, and nobody is alarmed by mail', async () => {
  const [day, from] = [today(), world.now()];
  world.plaid.setFaults({ rates: { error_before: 1 }, ops: ['transactions.sync'], webhooks: { hold: true } });
  world.plaid.addTransactions(bank.itemId, [wire('95.01')]);
  await world.advance({ hours: 24 });
  expect(await world.ok('GET', '/v1/bank/health')).toMatchObject({ status: 'degraded' });
  world.plaid.setFaults({ webhooks: { hold: true } });
  await world.advance({ hours: 1 });
  expect(await bank.movements()).toContain(`${day} 9501 ignored`);
  expect(await world.ok('GET', '/v1/bank/health')).toMatchObject({ status: 'ok' });
  expect(await mails(from)).toEqual([]);
});
