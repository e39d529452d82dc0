/** The feed of Plaid, on the real SDK, against the sandbox: every failure says what the caller can do about it. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { BankFeed, FeedPage, LinkRequest } from '../../domain/payments/bank-feed.ts';
import { createPlaidBankFeed } from '../../integrations/plaid/client.ts';
import type { PlaidConnection } from '../../integrations/plaid/connection.ts';
import type { PlaidSandbox } from '../../integrations/plaid/sandbox.ts';
import { closedUrl } from '../support/closed-url.ts';
import { startTestPlaid } from '../support/plaid.ts';

let plaid: PlaidSandbox;
let feed: BankFeed;
let connection: PlaidConnection;

beforeAll(async () => {
  ({ plaid, feed, connection } = await startTestPlaid());
});
afterEach(() => plaid.setFaults({}));
afterAll(() => plaid.close());

const request = (differs: Partial<LinkRequest> = {}): LinkRequest => ({
  userId: 'usr_1',
  clientName: 'Perennial',
  language: 'en',
  countries: ['US', 'GB'],
  webhookUrl: 'https://billing.example/webhooks/plaid',
  ...differs,
});

const wire = (reference: string, amount = '-499.00') => ({ amount, description: `WIRE IN ${reference}` });

async function readAll(accessToken: string, cursor: string | null, count?: number): Promise<FeedPage[]> {
  const pages: FeedPage[] = [];
  let next = cursor;
  do {
    const input = { accessToken, cursor: next, ...(count !== undefined && { count }) };
    pages.push(await feed.sync(input));
    next = pages.at(-1)?.nextCursor ?? null;
  } while (pages.at(-1)?.hasMore === true);
  return pages;
}

const added = (pages: readonly FeedPage[]) =>
  pages.flatMap((page) => page.added.map(({ externalId }) => externalId));

describe('a bank', () => {
  it('is connected through Link: a token for the page, an exchange, accounts and movements', async () => {
    const { linkToken, expiresAt } = await feed.linkToken(request({ historyDays: 90 }));
    expect(linkToken).toMatch(/^link-sandbox-/);
    expect(Date.parse(expiresAt)).toBeGreaterThan(Date.now());
    const accounts = [{ name: 'Operating', mask: '4242', currency: 'EUR', persistentId: 'bank-1' }];
    const { publicToken, itemId } = plaid.completeLink(linkToken, { accounts });
    const exchanged = await feed.exchange(publicToken ?? '');
    const accessToken = exchanged?.accessToken ?? '';
    expect(exchanged?.connectionExternalId).toBe(itemId);
    expect(await feed.item(accessToken)).toEqual({
      externalId: itemId,
      institutionId: 'ins_109508',
      institutionName: 'First Platypus Bank',
      problem: null,
      consentExpiresAt: null,
      lastReadAt: expect.stringMatching(/Z$/),
      lastFailedAt: null,
    });
    expect(await feed.accounts(accessToken)).toEqual([
      {
        externalId: expect.any(String),
        persistentId: 'bank-1',
        name: 'Operating',
        mask: '4242',
        currency: 'EUR',
      },
    ]);
  });

  it('is exchanged once: a public token that was used, or is none, is not taken', async () => {
    const { publicToken } = plaid.createItem();
    expect(await feed.exchange(publicToken ?? '')).not.toBeNull();
    expect(await feed.exchange(publicToken ?? '')).toBeNull();
    expect(await feed.exchange('public-sandbox-none')).toBeNull();
  });

  it('whose exchange was lost is one that nobody has: the outcome is unknown', async () => {
    const { publicToken } = plaid.createItem();
    plaid.setFaults({ next: [{ fault: 'drop_answer', op: 'public_token.exchange' }] });
    await expect(feed.exchange(publicToken ?? '')).rejects.toMatchObject({ code: 'outcome_unknown' });
    expect(await feed.exchange(publicToken ?? '')).toBeNull();
  });

  it('connected once more has other names for everything, and the same lasting ones', async () => {
    const first = plaid.createItem();
    plaid.addTransactions(first.itemId, [wire('ADV1')]);
    const again = plaid.connectAgain(first.itemId);
    const [before] = await feed.accounts(first.accessToken);
    const [after] = await feed.accounts(again.accessToken);
    expect(after?.externalId).not.toBe(before?.externalId);
    expect(after?.persistentId).toBe(before?.persistentId);
    const [one] = await readAll(first.accessToken, null);
    const [other] = await readAll(again.accessToken, null);
    expect(other?.added[0]).toMatchObject({ texts: ['WIRE IN ADV1', 'WIRE IN ADV1'], amountMinor: 49_900 });
    expect(other?.added[0]?.externalId).not.toBe(one?.added[0]?.externalId);
  });
});

describe('reading from a cursor', () => {
  it('tells everything once, in pages, and then nothing', async () => {
    const { itemId, accessToken } = plaid.createItem();
    const ids = plaid.addTransactions(
      itemId,
      ['1', '2', '3', '4', '5'].map((each) => wire(`ADV${each}`)),
    );
    const pages = await readAll(accessToken, null, 2);
    expect(pages.map(({ hasMore }) => hasMore)).toEqual([true, true, false]);
    expect(added(pages)).toEqual(ids);
    const cursor = pages.at(-1)?.nextCursor ?? '';
    expect(await readAll(accessToken, cursor)).toEqual([
      {
        added: [],
        modified: [],
        removed: [],
        unreadable: [],
        nextCursor: cursor,
        hasMore: false,
        isReady: true,
      },
    ]);
  });

  it('tells the same again from the same cursor, and what happened since', async () => {
    const { itemId, accessToken } = plaid.createItem();
    const [first = ''] = plaid.addTransactions(itemId, [wire('ADV1')]);
    const cursor = (await readAll(accessToken, null)).at(-1)?.nextCursor ?? '';
    const [second = ''] = plaid.addTransactions(itemId, [wire('ADV2')]);
    expect(added(await readAll(accessToken, cursor))).toEqual([second]);
    const third = plaid.addTransactions(itemId, [wire('ADV3')]);
    expect(added(await readAll(accessToken, cursor))).toEqual([second, ...third]);
    expect(added(await readAll(accessToken, null))).toEqual([first, second, ...third]);
  });

  it('tells of the bank in its own words, exactly, with money in positive', async () => {
    const { itemId, accessToken, accounts } = plaid.createItem();
    const [externalId] = plaid.addTransactions(itemId, [
      {
        amount: '-4999.99',
        description: 'WT FED#01234 /ORG=ACME RFB# ADV 48213075',
        name: 'Acme',
        date: '2026-03-05',
        authorizedDate: '2026-03-04',
        paymentMeta: { reference_number: 'TRN260305', by_order_of: 'ACME CORP' },
        counterparties: [{ name: 'Acme Corp', type: 'merchant', iban: 'DE89370400440532013000' }],
      },
    ]);
    const [page] = await readAll(accessToken, null);
    expect(page?.added).toEqual([
      {
        externalId,
        accountExternalId: accounts[0]?.id,
        amountMinor: 499_999,
        roundedFrom: null,
        currency: 'USD',
        bookedOn: '2026-03-05',
        authorisedOn: '2026-03-04',
        pending: false,
        pendingExternalId: null,
        texts: ['WT FED#01234 /ORG=ACME RFB# ADV 48213075', 'Acme', 'TRN260305', 'ACME CORP', 'Acme Corp'],
        payer: { name: 'ACME CORP', account: 'DE89370400440532013000' },
        bankReference: 'TRN260305',
      },
    ]);
  });

  it('tells that a pending movement was booked: it goes, and another comes that names it', async () => {
    const { itemId, accessToken } = plaid.createItem();
    const [pending = ''] = plaid.addTransactions(itemId, [{ ...wire('ADV1'), pending: true }]);
    const [seen] = await readAll(accessToken, null);
    expect(seen?.added).toMatchObject([{ externalId: pending, pending: true, pendingExternalId: null }]);
    const booked = plaid.postTransaction(itemId, pending, { amount: '-498.00' });
    const [page] = await readAll(accessToken, seen?.nextCursor ?? null);
    expect(page).toMatchObject({
      added: [{ externalId: booked, pending: false, pendingExternalId: pending, amountMinor: 49_800 }],
      modified: [],
      removed: [{ externalId: pending }],
    });
    expect(added(await readAll(accessToken, null))).toEqual([booked]);
  });

  it('tells what changed and what is gone to who knew it, and nothing to who did not', async () => {
    const { itemId, accessToken } = plaid.createItem();
    const [kept = '', gone = ''] = plaid.addTransactions(itemId, [wire('ADV1'), wire('ADV2')]);
    const cursor = (await readAll(accessToken, null)).at(-1)?.nextCursor ?? '';
    plaid.modifyTransaction(itemId, kept, { amount: '-500.00' });
    plaid.removeTransactions(itemId, [gone]);
    expect(await readAll(accessToken, cursor)).toMatchObject([
      { added: [], modified: [{ externalId: kept, amountMinor: 50_000 }], removed: [{ externalId: gone }] },
    ]);
    expect(await readAll(accessToken, null)).toMatchObject([
      { added: [{ externalId: kept, amountMinor: 50_000 }], modified: [], removed: [] },
    ]);
  });

  it('keeps what changed while it was read in pages apart: new is new, in whatever order it changed last', async () => {
    const { itemId, accessToken } = plaid.createItem();
    const ids = plaid.addTransactions(itemId, [wire('ADV1'), wire('ADV2'), wire('ADV3')]);
    plaid.modifyTransaction(itemId, ids[0] ?? '', { amount: '-1.00' });
    const pages = await readAll(accessToken, null, 1);
    expect(added(pages)).toEqual([ids[1], ids[2], ids[0]]);
    expect(pages.flatMap(({ modified }) => modified)).toEqual([]);
  });

  it('begins now where nothing of the past is wanted', async () => {
    const { itemId, accessToken } = plaid.createItem();
    plaid.addTransactions(itemId, [wire('ADV1')]);
    const [page] = await readAll(accessToken, 'now');
    expect(page).toMatchObject({ added: [], hasMore: false });
    const ids = plaid.addTransactions(itemId, [wire('ADV2')]);
    expect(added(await readAll(accessToken, page?.nextCursor ?? ''))).toEqual(ids);
  });

  it('says that Plaid has not read the bank yet, and gives no cursor to keep', async () => {
    const { itemId, accessToken } = plaid.createItem({ status: 'NOT_READY' });
    const ids = plaid.addTransactions(itemId, [wire('ADV1')]);
    expect(await feed.sync({ accessToken, cursor: null })).toEqual({
      added: [],
      modified: [],
      removed: [],
      unreadable: [],
      nextCursor: '',
      hasMore: false,
      isReady: false,
    });
    plaid.setUpdateStatus(itemId, 'INITIAL_UPDATE_COMPLETE');
    expect(await feed.sync({ accessToken, cursor: '' })).toMatchObject({
      isReady: true,
      added: [{ externalId: ids[0] }],
    });
  });

  it('a change between two pages is named, and the first cursor reads everything', async () => {
    const { itemId, accessToken } = plaid.createItem();
    const ids = plaid.addTransactions(itemId, [wire('ADV1'), wire('ADV2'), wire('ADV3')]);
    const first = await feed.sync({ accessToken, cursor: null, count: 2 });
    const late = plaid.addTransactions(itemId, [wire('ADV4')]);
    await expect(feed.sync({ accessToken, cursor: first.nextCursor, count: 2 })).rejects.toMatchObject({
      name: 'BankFeedError',
      reason: 'changed_while_reading',
      code: 'vendor_unavailable',
    });
    expect(added(await readAll(accessToken, null, 2))).toEqual([...ids, ...late]);
  });

  it('a change right after a page can be ordered, as often as wanted', async () => {
    const { itemId, accessToken } = plaid.createItem();
    plaid.addTransactions(itemId, [wire('ADV1'), wire('ADV2')]);
    plaid.changeWhileReading(itemId, 2);
    const tries = [];
    for (let each = 0; each < 3; each += 1)
      tries.push(await readAll(accessToken, null, 1).catch((error) => error.reason));
    expect(tries).toEqual(['changed_while_reading', 'changed_while_reading', expect.any(Array)]);
  });

  it('a cursor of another connection, or none, is refused by name', async () => {
    const { accessToken } = plaid.createItem();
    const other = await feed.sync({ accessToken: plaid.createItem().accessToken, cursor: null });
    for (const cursor of [other.nextCursor, 'garbage']) {
      await expect(feed.sync({ accessToken, cursor })).rejects.toMatchObject({
        name: 'BankFeedError',
        reason: 'cursor_unknown',
        code: 'state_conflict',
      });
    }
  });

  it.each([0, 501, 1.5])('a page of %f movements is refused', async (count) => {
    const { accessToken } = plaid.createItem();
    await expect(feed.sync({ accessToken, cursor: null, count })).rejects.toMatchObject({
      name: 'VendorError',
      code: 'vendor_rejected_request',
    });
  });

  it('a coin among movements is told apart', async () => {
    const { itemId, accessToken } = plaid.createItem();
    const [coin, dollar] = plaid.addTransactions(itemId, [
      { ...wire('ADV1'), unofficialCurrency: 'BTC' },
      wire('ADV2'),
    ]);
    const [page] = await readAll(accessToken, null);
    expect(page?.unreadable).toMatchObject([
      { externalId: coin, reason: 'currency_unknown', currency: 'BTC' },
    ]);
    expect(page?.added).toMatchObject([{ externalId: dollar }]);
  });
});

describe('a reader that keeps a page of changes with its cursor', () => {
  /** As a store would: nothing is kept of a reading that did not come to its end. */
  async function catchUp(accessToken: string, kept: Kept, count: number): Promise<void> {
    const pages = await readAll(accessToken, kept.cursor, count).catch((error: { reason?: string }) => {
      if (error.reason === 'changed_while_reading') return null;
      throw error;
    });
    if (pages === null) return catchUp(accessToken, kept, count);
    for (const page of pages) {
      for (const { externalId, amountMinor, pendingExternalId } of page.added) {
        expect(kept.rows.has(externalId)).toBe(false);
        kept.rows.set(externalId, `${amountMinor} ${pendingExternalId}`);
      }
      for (const { externalId, amountMinor, pendingExternalId } of page.modified) {
        expect(kept.rows.has(externalId)).toBe(true);
        kept.rows.set(externalId, `${amountMinor} ${pendingExternalId}`);
      }
      for (const { externalId } of page.removed) expect(kept.rows.delete(externalId)).toBe(true);
    }
    kept.cursor = pages.at(-1)?.nextCursor ?? null;
  }

  type Kept = { cursor: string | null; rows: Map<string, string> };

  it('has what the bank has, whatever happens there, in whatever pages it reads, and whenever it is interrupted', async () => {
    const acts = fc.array(
      fc.record({
        act: fc.constantFrom('add', 'add', 'modify', 'remove', 'post', 'read', 'read', 'disturb', 'login'),
        which: fc.nat(20),
        amount: fc.integer({ min: -9_999, max: 9_999 }).map(String),
        later: fc.boolean(),
        count: fc.integer({ min: 1, max: 4 }),
      }),
      { maxLength: 30 },
    );
    await fc.assert(
      fc.asyncProperty(acts, async (script) => {
        const { itemId, accessToken } = plaid.createItem();
        const kept: Kept = { cursor: null, rows: new Map() };
        const alive: { id: string; pending: boolean }[] = [];
        for (const { act, which, amount, later, count } of script) {
          const [one] = alive.length === 0 ? [] : alive.slice(which % alive.length);
          if (act === 'add') {
            const pending = which % 2 === 0;
            const [id = ''] = plaid.addTransactions(itemId, [{ amount, description: 'x', pending }], {
              later,
            });
            alive.push({ id, pending });
          } else if (act === 'read') {
            await catchUp(accessToken, kept, count);
          } else if (act === 'disturb') {
            plaid.changeWhileReading(itemId, which % 3);
          } else if (act === 'login') {
            plaid.requireLogin(itemId);
            plaid.repairLogin(itemId);
          } else if (one && act === 'modify') {
            plaid.modifyTransaction(itemId, one.id, { amount }, { later });
          } else if (one) {
            alive.splice(alive.indexOf(one), 1);
            if (act === 'remove' || !one.pending) plaid.removeTransactions(itemId, [one.id], { later });
            else
              alive.push({
                id: plaid.postTransaction(itemId, one.id, { amount }, { later }),
                pending: false,
              });
          }
        }
        await readBankNow(accessToken);
        await catchUp(accessToken, kept, 2);
        const fresh: Kept = { cursor: null, rows: new Map() };
        await catchUp(accessToken, fresh, 500);
        expect(new Set(kept.rows.keys())).toEqual(new Set(alive.map(({ id }) => id)));
        expect(Object.fromEntries(kept.rows)).toEqual(Object.fromEntries(fresh.rows));
      }),
      { numRuns: 40 },
    );
  });
});

describe('a login', () => {
  it('that the bank wants anew stops the reading, and nothing is lost until the person has signed in', async () => {
    const { itemId, accessToken } = plaid.createItem();
    plaid.addTransactions(itemId, [wire('ADV1')]);
    const cursor = (await readAll(accessToken, null)).at(-1)?.nextCursor ?? '';
    plaid.requireLogin(itemId);
    const meanwhile = plaid.addTransactions(itemId, [wire('ADV2'), wire('ADV3')]);
    await expect(feed.sync({ accessToken, cursor })).rejects.toMatchObject({
      name: 'BankFeedError',
      reason: 'login_required',
      code: 'state_conflict',
    });
    expect(await feed.item(accessToken)).toMatchObject({
      problem: 'login_required',
      lastFailedAt: expect.any(String),
    });
    const { linkToken } = await feed.linkToken(request({ accessToken }));
    expect(plaid.completeLink(linkToken)).toMatchObject({ itemId, accessToken, publicToken: null });
    expect(await feed.item(accessToken)).toMatchObject({ problem: null });
    expect(added(await readAll(accessToken, cursor))).toEqual(meanwhile);
  });

  it('is required by the endpoint of tests, too', async () => {
    const { accessToken } = plaid.createItem();
    await ask('/sandbox/item/reset_login', { access_token: accessToken });
    await expect(feed.sync({ accessToken, cursor: null })).rejects.toMatchObject({
      reason: 'login_required',
    });
  });

  it('that was taken back ends the connection', async () => {
    const { itemId, accessToken } = plaid.createItem();
    plaid.revokeAccess(itemId);
    for (const ask of [feed.item, feed.accounts, () => feed.sync({ accessToken, cursor: null })]) {
      await expect(ask(accessToken)).rejects.toMatchObject({ reason: 'access_revoked', code: 'not_found' });
    }
  });

  it('whose consent ends says when', async () => {
    const { itemId, accessToken } = plaid.createItem();
    plaid.expireConsent(itemId, '2026-04-01T02:00:00+02:00');
    expect(await feed.item(accessToken)).toMatchObject({ consentExpiresAt: '2026-04-01T00:00:00.000Z' });
  });
});

it('what Plaid had not read is told after its next look at the bank', async () => {
  const { itemId, accessToken } = plaid.createItem();
  const ids = plaid.addTransactions(itemId, [wire('ADV1')], { later: true });
  expect(added(await readAll(accessToken, null))).toEqual([]);
  await readBankNow(accessToken);
  expect(added(await readAll(accessToken, null))).toEqual(ids);
});

describe('a key of webhooks', () => {
  it('is shown with the time it expires, and null is no key', async () => {
    const before = plaid.rotateKey();
    const after = plaid.rotateKey({ graceSeconds: 60 });
    expect(await feed.verificationKey(after)).toEqual({
      keyId: after,
      jwk: { kty: 'EC', crv: 'P-256', alg: 'ES256', x: expect.any(String), y: expect.any(String) },
      expiredAt: null,
    });
    const expiredAt = (await feed.verificationKey(before))?.expiredAt?.getTime() ?? 0;
    expect(expiredAt).toBeGreaterThan(Date.now());
    expect(await feed.verificationKey('none')).toBeNull();
  });

  it('that cannot be asked for is not null', async () => {
    plaid.setFaults({ next: [{ fault: 'error_before' }] });
    await expect(feed.verificationKey('none')).rejects.toMatchObject({ code: 'vendor_unavailable' });
  });
});

describe('a request that fails', () => {
  it.each(['drop_answer', 'error_after', 'malformed', 'delay', 'error_before', 'refuse'] as const)(
    'by %s while it only reads may simply be repeated',
    async (fault) => {
      const { accessToken } = plaid.createItem();
      plaid.setFaults({ next: [{ fault }], delayMs: 2_000 });
      const impatient = createPlaidBankFeed({ ...connection, timeoutMs: 200 });
      const asked = fault === 'delay' ? impatient : feed;
      await expect(asked.sync({ accessToken, cursor: null })).rejects.toMatchObject({
        name: 'VendorError',
        code: 'vendor_unavailable',
      });
      expect(await feed.sync({ accessToken, cursor: null })).toMatchObject({ isReady: true });
    },
  );

  it('because of too many names no delay, for Plaid tells none', async () => {
    const { accessToken } = plaid.createItem();
    plaid.setFaults({ next: [{ fault: 'rate_limit' }] });
    const failure = await feed.sync({ accessToken, cursor: null }).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'rate_limited', retryAfterMs: undefined });
  });

  it.each([
    ['PRODUCT_NOT_READY', 'not_ready', 'vendor_unavailable'],
    ['INSTITUTION_DOWN', 'bank_unavailable', 'vendor_unavailable'],
    ['INTERNAL_SERVER_ERROR', undefined, 'vendor_unavailable'],
    ['TRANSACTIONS_LIMIT', undefined, 'rate_limited'],
    ['ITEM_LOGIN_REQUIRED', 'login_required', 'state_conflict'],
    ['INVALID_API_KEYS', undefined, 'vendor_rejected_request'],
  ] as const)('with %s is %s, %s', async (error, reason, code) => {
    const { accessToken } = plaid.createItem();
    plaid.failNext({ error, op: 'transactions.sync' });
    await expect(feed.sync({ accessToken, cursor: null })).rejects.toMatchObject({
      code,
      ...(reason !== undefined && { reason }),
      vendorRequestId: expect.stringMatching(/^\w{15}$/),
    });
  });

  it('because nobody listens had no effect', async () => {
    const nowhere = createPlaidBankFeed({ ...connection, apiBase: await closedUrl() });
    await expect(nowhere.exchange('public-sandbox-x')).rejects.toMatchObject({ code: 'vendor_unavailable' });
  });
});

describe('nothing secret leaves the feed', () => {
  const accessToken = 'access-sandbox-3d1c1b1e-0000-4000-8000-0123456789ab';
  const secret = 'plaid-secret-that-nobody-may-see';

  it.each([
    ['Plaid refuses the secret', () => plaid.url],
    ['nobody listens', closedUrl],
    ['something answers that is not Plaid', () => answering((_, response) => response.end('<html>'))],
    ['the connection breaks', () => answering((message) => message.socket.destroy())],
    [
      'somebody leads elsewhere',
      () => answering((_, response) => response.writeHead(307, { location: '/x' }).end()),
    ],
  ])('in an error when %s', async (_, apiBase) => {
    const stranger = createPlaidBankFeed({ ...connection, secret, apiBase: await apiBase() });
    const failure = await stranger.sync({ accessToken, cursor: null }).catch((error: unknown) => error);
    expect(failure).toMatchObject({ name: 'VendorError', cause: undefined });
    const { stack, ...fields } = failure as Error;
    const told = JSON.stringify([
      failure,
      fields,
      String(failure),
      stack,
      Object.getOwnPropertyNames(failure),
    ]);
    expect(told).not.toContain(secret);
    expect(told).not.toContain(accessToken);
  });
});

describe('an amount', () => {
  const raw = (amount: string) => `{
    "accounts": [], "modified": [], "removed": [], "next_cursor": "c", "has_more": false,
    "transactions_update_status": "HISTORICAL_UPDATE_COMPLETE", "request_id": "r",
    "added": [{ "transaction_id": "t", "account_id": "a", "amount": ${amount}, "iso_currency_code": "USD",
      "date": "2026-03-05", "pending": false }]
  }`;

  it.each([
    ['-499.00', 49_900, null],
    ['-70368744177664.01', 7_036_874_417_766_401, null],
    ['-4.9900e2', 49_900, null],
    ['-0.285', 28, '0.285'],
    ['-1.0250000000000000001', 103, '1.0250000000000000001'],
  ])('is read from its digits and never through a float: %s', async (amount, amountMinor, roundedFrom) => {
    const apiBase = await answering((_, response) => response.end(raw(amount)));
    const exact = createPlaidBankFeed({ ...connection, apiBase });
    const page = await exact.sync({ accessToken: 'x', cursor: null });
    expect(page.added).toMatchObject([{ amountMinor, roundedFrom }]);
  });
});

const servers: Server[] = [];
afterAll(() => Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve)))));

async function answering(answer: Parameters<typeof createServer>[1]): Promise<string> {
  const server = createServer(answer).listen(0, '127.0.0.1');
  servers.push(server);
  await new Promise((resolve) => server.once('listening', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Plaid looks at the bank, as it does by itself some times a day. */
const readBankNow = (accessToken: string) => ask('/transactions/refresh', { access_token: accessToken });

async function ask(path: string, body: object): Promise<unknown> {
  const response = await fetch(`${plaid.url}${path}`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'plaid-client-id': connection.clientId,
      'plaid-secret': connection.secret,
    },
    body: JSON.stringify(body),
  });
  return response.json();
}
