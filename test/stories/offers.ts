/** Invoices offered for payment in coins, in stories. */
import { invoicesOf } from './people.ts';
import type { Body, World } from './world.ts';

export type Offer = {
  id: string;
  invoiceId: string;
  /** To this minute after the offer, and a second. */
  toMinute(minute: number): Promise<void>;
  read(): Promise<Body>;
  /** `settled [late, review]` */
  standing(): Promise<string>;
  /** Everything that happened to the subscription since, lines beginning with hours and minutes after the offer. */
  happened(): Promise<string[]>;
  /** What happened to the invoice in coins, in order. */
  events(): Promise<string[]>;
  /** What an operator decides, by its path. */
  decide(act: string, body?: object): Promise<Body>;
};

/** Offers the subscription's latest invoice for coins, two minutes after whatever happened last. */
export async function offerCoins(world: World, subscriptionId: string): Promise<Offer> {
  await world.advance({ minutes: 2 });
  const { id: invoiceId } = (await invoicesOf(world, subscriptionId)).at(-1);
  const path = `/v1/invoices/${invoiceId}/crypto_invoices`;
  const { id, quotedAt } = await world.ok('POST', path, { asset: 'BTC' });
  const from = new Date(quotedAt);
  const read = () => world.ok('GET', `/v1/crypto_invoices/${id}`);
  return {
    id,
    invoiceId,
    toMinute: (minute) => world.advanceTo(new Date(from.getTime() + minute * 60_000 + 1_000)),
    read,
    async standing() {
      const { status, flags } = await read();
      return flags.length === 0 ? status : `${status} [${flags.join(', ')}]`;
    },
    async happened() {
      const lines = await world.effects({ subscriptionId, from });
      return lines.map((line) => line.replace(/^day 0 \+/, '').replace(/^day 0 /, '00:00 '));
    },
    async events() {
      const { data } = await world.ok('GET', `/v1/crypto_invoices/${id}/events?limit=100`);
      return data.map(({ kind }: Body) => kind);
    },
    decide: (act, body = {}) =>
      world.ok('POST', `/v1/crypto_invoices/${id}/${act}`, { reason: 'agreed with the customer', ...body }),
  };
}
