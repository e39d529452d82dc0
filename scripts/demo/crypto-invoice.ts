/**
 * Three invoices paid in coins on the chains of this machine: one exactly, in bitcoin; one in two parts, in dollar tokens; one
 * too late, which an operator accepts. The checkout page tells each state; everything goes through the API and the chains.
 */

import { setTimeout as delay } from 'node:timers/promises';
import { type CryptoAsset, unitsOf } from '../../domain/payments/crypto-asset.ts';
import { partOf } from '../chains/amounts.ts';
import { createPayer, type Payer } from '../chains/payer.ts';
import type { Stack } from '../stack.ts';
import { progress } from '../terminal.ts';
import { type CheckoutVisit, visitCheckout } from './checkout-page.ts';
import { brokenCoinPromises, takeCoinAccount } from './coin-account.ts';
import { createDemoApi, type DemoApi } from './demo-api.ts';
import type { Ending } from './subscription.ts';

/** The rate of an offer is held for so long, that nobody has to wait a quarter of an hour until one has expired. */
export const demoQuoteMinutes = 0.5;

const onItsWay = 'Your payment is on its way';

export async function playCryptoInvoice(stack: Stack): Promise<Ending> {
  if (stack.config.chains.watched.bitcoin.nodes.length === 0) {
    throw new Error(
      'This demo needs a local Bitcoin chain: install Go (https://go.dev/dl), or put btcd on the PATH.',
    );
  }
  const api = createDemoApi(stack);
  const bitcoin = await createPayer(stack.config, 'bitcoin');
  const ethereum = await createPayer(stack.config, 'ethereum');
  progress(
    'Bea owes Acme Books three invoices, and pays all of them in coins. Rates are held for 30 seconds here.\n',
  );
  const subscriptionId = await subscribe(api);
  const late = await offer(api, { subscriptionId, asset: 'BTC', unitMinor: 12_000 });
  progress('The first one is forgotten for now.\n');

  const exact = await offer(api, { subscriptionId, asset: 'BTC', unitMinor: 49_000 });
  await payExactly(exact, bitcoin);
  const parts = await offer(api, { subscriptionId, asset: 'USDC', unitMinor: 9_900 });
  await payInParts(parts, ethereum);
  await payTooLate(late, bitcoin, api);

  const offers = [exact, parts, late];
  const account = await takeCoinAccount(
    api,
    offers.map(({ id }) => id),
  );
  const pages = offers.map(({ page }) => page.headlines());
  return {
    outcome: { process: 'crypto-invoice', ...account, pages },
    broken: brokenCoinPromises(account),
  };
}

async function payExactly({ page, pay }: Offer, bitcoin: Payer): Promise<void> {
  await page.until('Waiting for your payment');
  progress('\nBea sends exactly what is due.\n');
  await pay(bitcoin);
  await page.until(onItsWay, '0 of 3');
  await bitcoin.mine(1);
  await page.until(onItsWay, '1 of 3');
  await bitcoin.mine(2);
  await page.until('Paid');
  progress('\nThree blocks deep: the invoice is paid.\n');
}

async function payInParts({ page, pay }: Offer, ethereum: Payer): Promise<void> {
  await page.until('Waiting for your payment');
  progress('\nThis time 0.6 of it comes first, then the rest.\n');
  await pay(ethereum, '0.6');
  await page.until('Waiting for your payment', 'Still missing');
  await pay(ethereum, '0.4');
  await page.until(onItsWay);
  await ethereum.mine(12);
  await page.until('Paid');
  progress('\nBoth parts are deep enough: paid.\n');
}

async function payTooLate({ id, page, pay }: Offer, bitcoin: Payer, api: DemoApi): Promise<void> {
  await page.until('Expired');
  progress('\nNobody paid the first invoice in time. Now the coins come after all.\n');
  await pay(bitcoin);
  await page.until('Expired', 'A payment came after the time was over');
  await bitcoin.mine(3);
  const [waiting] = await api.list('/v1/crypto_invoices?flag=review');
  progress(
    `\nAn operator finds it in the queue (${waiting?.['id']}), and accepts what came at the rate that was agreed.\n`,
  );
  const paymentKeys = waiting?.['payments'].map(({ key }: { key: string }) => key);
  await api.post(`/v1/crypto_invoices/${id}/accept`, { paymentKeys, reason: 'agreed with the customer' });
  await page.until('Paid');
}

type Offer = {
  id: string;
  page: CheckoutVisit;
  /** All of what is due, or a decimal part of it. */
  pay(payer: Payer, part?: string): Promise<void>;
};

/** Issues an invoice and offers it in coins. */
async function offer(
  api: DemoApi,
  { subscriptionId, asset, unitMinor }: { subscriptionId: string; asset: CryptoAsset; unitMinor: number },
): Promise<Offer> {
  const lines = [{ description: 'Printed catalogue', unitMinor }];
  const draft = await api.post('/v1/invoices', { subscriptionId, lines });
  const invoice = await api.post(`/v1/invoices/${draft['id']}/finalise`, {});
  const offering = () => api.post(`/v1/invoices/${invoice['id']}/crypto_invoices`, { asset });
  const { id, due, address, checkoutUrl, links } = await onceItCan(offering);
  progress(
    `Invoice ${invoice['number']}: ${due} ${asset} to ${address}\n  ${checkoutUrl}\n  ${links['temporal']}`,
  );
  return {
    id,
    page: visitCheckout(checkoutUrl),
    async pay(payer, part = '1') {
      const units = partOf(unitsOf(due, asset), part);
      progress(`  sent  ${await payer.pay({ asset, address, units })}`);
    },
  };
}

/** Right after the start no block and no price may have been read yet. */
async function onceItCan<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
  const deadline = Date.now() + 30_000;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      const { code } = error as { code?: string };
      const passes = code === 'chain_not_watched' || code === 'rates_too_few';
      if (!passes || Date.now() > deadline) throw error;
      await delay(200);
    }
  }
}

async function subscribe(api: DemoApi): Promise<string> {
  const customer = await api.post('/v1/customers', {
    email: 'bea@example.test',
    name: 'Bea Example',
    currency: 'USD',
  });
  const subscription = await api.post('/v1/subscriptions', { customerId: customer['id'], planCode: 'free' });
  return subscription['id'];
}
