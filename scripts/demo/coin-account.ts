/** What the demo of payments in coins came to, by the chain's payments and by our books, and what it promises of them. */
import { setTimeout as delay } from 'node:timers/promises';
import type { DemoApi } from './demo-api.ts';

export type CoinAccount = {
  /** Offers whose payments are deep enough. */
  offersSettled: number;
  /** What is special about each, in their order. */
  flags: string[][];
  invoicesPaid: number;
  /** Payments the chains hold. */
  payments: number;
  /** Pieces of coins in the books, each with its worth when it came. */
  lots: number;
  settledTwice: number;
};

export async function takeCoinAccount(api: DemoApi, ids: readonly string[]): Promise<CoinAccount> {
  const events = await carriedOutEvents(api, ids);
  const offers = await Promise.all(ids.map((id) => api.get(`/v1/crypto_invoices/${id}`)));
  const invoices = await Promise.all(offers.map(({ invoiceId }) => api.get(`/v1/invoices/${invoiceId}`)));
  const settled = events.map((each) => each.filter(({ kind }) => kind === 'settled').length);
  return {
    offersSettled: offers.filter(({ status }) => status === 'settled' || status === 'final').length,
    flags: offers.map(({ flags }) => flags),
    invoicesPaid: invoices.filter(({ status }) => status === 'paid').length,
    payments: offers.flatMap(({ payments }) => payments).length,
    lots: (await api.list('/v1/crypto_lots')).length,
    settledTwice: settled.filter((times) => times > 1).length,
  };
}

/** What happened to each offer, once the books have followed. */
async function carriedOutEvents(api: DemoApi, ids: readonly string[]) {
  const deadline = Date.now() + 30_000;
  for (;;) {
    const events = await Promise.all(ids.map((id) => api.list(`/v1/crypto_invoices/${id}/events`)));
    const isDone = events.flat().every(({ carriedOutAt }) => carriedOutAt !== null);
    if (isDone || Date.now() > deadline) return events;
    await delay(100);
  }
}

/** One sentence for each promise that the account does not keep. */
export function brokenCoinPromises(account: CoinAccount): string[] {
  return Object.entries(promised).flatMap(([name, wanted]) => {
    const found = account[name as keyof CoinAccount];
    const isKept = JSON.stringify(found) === JSON.stringify(wanted);
    return isKept ? [] : [`${name} was to be ${JSON.stringify(wanted)} and is ${JSON.stringify(found)}.`];
  });
}

/** One in one payment, one in two, one in one that came late; all of them paid, and each once. */
const promised: Partial<CoinAccount> = {
  offersSettled: 3,
  invoicesPaid: 3,
  payments: 4,
  lots: 4,
  settledTwice: 0,
};
