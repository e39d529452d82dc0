/** The public page of an invoice in coins in a real browser, as a customer's phone shows it. */
import jsqr from 'jsqr';
import type { Browser, BrowserContextOptions, Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CryptoInvoiceRow } from '../../db/queries/payments/observe-chain.ts';
import type { CryptoAsset } from '../../domain/payments/crypto-asset.ts';
import { findChromium, startChromium } from '../support/chromium.ts';
import { readPaymentUri } from '../support/payment-uri.ts';
import { type CoinScene, createCoinScene } from './coin-scene.ts';
import { minutesAfter, pay, readTo } from './crypto-scene.ts';

const isThere = findChromium() !== null;
if (!isThere) {
  console.warn(
    'SKIPPED: the checkout page in a browser. Install the package chromium, or set CHROMIUM_PATH to the program.',
  );
}
const inChromium = isThere ? describe : describe.skip;

const phone = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };

inChromium('the checkout page on a phone', () => {
  let scene: CoinScene;
  let browser: Browser;

  beforeAll(async () => {
    [scene, browser] = await Promise.all([createCoinScene(), startChromium()]);
  });
  afterAll(async () => {
    await browser.close();
    await scene.close();
  });

  /** The page, with everything it complains of and asks for. */
  async function visit(coins: CryptoInvoiceRow, options: BrowserContextOptions = {}) {
    const context = await browser.newContext({ ...phone, ...options });
    const page = await context.newPage();
    const complaints: string[] = [];
    const requests: string[] = [];
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('request', (request) => requests.push(request.url()));
    await page.goto(`${scene.api.url}/checkout/${coins.checkoutToken}`);
    return { context, page, complaints, requests };
  }

  const headline = (page: Page, text: string) => page.getByRole('heading', { name: text, exact: true });

  it.each<[CryptoAsset, string]>([
    ['BTC', 'Bitcoin'],
    ['ETH', 'Ethereum'],
    ['USDC', 'Ethereum'],
  ])('shows a code that a camera reads as what is to be paid: %s', async (asset) => {
    const coins = await scene.offered({ asset });
    const { context, page, complaints } = await visit(coins);
    const code = await readFromScreen(browser, page.locator('.qr'));
    const link = await page.locator('.qr').getAttribute('href');
    expect(await page.locator('a.wallet').getAttribute('href')).toBe(link);
    const [scanned, tapped] = [readPaymentUri(code ?? ''), readPaymentUri(link ?? '')];
    expect(scanned).toMatchObject(
      asset === 'BTC'
        ? { scheme: 'bitcoin', address: coins.address.toUpperCase(), units: coins.dueUnits }
        : {
            scheme: 'ethereum',
            chainId: 1,
            token: asset === 'USDC' ? '0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48' : null,
            address: coins.address,
            units: coins.dueUnits,
          },
    );
    expect(tapped).toMatchObject({ address: coins.address, units: coins.dueUnits });
    expect(await page.locator('#address').textContent()).toBe(coins.address);
    expect(complaints).toEqual([]);
    await context.close();
  });

  it('counts down, by its own time and not by the clock of the phone', async () => {
    const { context, page } = await visit(await scene.offered());
    const time = page.locator('time');
    await expect.poll(() => time.textContent(), { timeout: 5_000 }).toMatch(/^14:[45]\d$/);
    const before = await time.textContent();
    await expect.poll(() => time.textContent(), { timeout: 5_000 }).not.toBe(before);
    expect(await page.locator('.time').textContent()).toMatch(/^The rate holds for 14:[45]\d$/);
    await context.close();
  });

  it('says that the time is over when it is, and takes the address away', async () => {
    const coins = await scene.offered();
    scene.at(minutesAfter(14 + 57 / 60));
    const { context, page } = await visit(coins);
    const time = () => page.locator('.time').textContent();
    await expect.poll(time, { timeout: 10_000 }).toBe('The time is over: we are checking');
    scene.at(minutesAfter(15.01));
    await headline(page, 'The time is over: we are checking').waitFor();
    expect(await page.locator('#address').count()).toBe(0);
    await context.close();
  });

  it('follows the payment to its end without being loaded again, and asks nobody else', async () => {
    const coins = await scene.offered();
    const { context, page, complaints, requests } = await visit(coins);
    await headline(page, 'Waiting for your payment').waitFor();
    await page.evaluate('window.isSamePage = true');
    await pay(scene, coins, { units: coins.dueUnits, at: minutesAfter(4) });
    await headline(page, 'Your payment is on its way').waitFor();
    await pay(scene, coins, { units: coins.dueUnits, at: minutesAfter(4), height: 101 });
    await readTo(scene, coins, { height: 101, at: minutesAfter(10) });
    await page.getByText('1 of 3').waitFor();
    await readTo(scene, coins, { height: 103, at: minutesAfter(30) });
    await headline(page, 'Paid').waitFor();
    expect(await page.evaluate('window.isSamePage')).toBe(true);
    expect(complaints).toEqual([]);
    const { origin } = new URL(scene.api.url);
    const foreign = requests.filter((url) => !url.startsWith('data:') && new URL(url).origin !== origin);
    expect(foreign).toEqual([]);
    await context.close();
  });

  it('copies amount and address exactly', async () => {
    const coins = await scene.offered();
    const { context, page } = await visit(coins, { permissions: ['clipboard-read', 'clipboard-write'] });
    for (const [what, expected] of [
      ['address', coins.address],
      ['coins', '0.015'],
    ]) {
      const button = page.locator(`[data-copy=${what}]`);
      await button.click();
      await expect.poll(() => button.textContent(), { timeout: 5_000 }).toBe('Copied');
      expect(await page.evaluate('navigator.clipboard.readText()')).toBe(expected);
    }
    await context.close();
  });

  it('has all that is needed without a script, and loads itself again', async () => {
    const coins = await scene.offered();
    const { context, page } = await visit(coins, { javaScriptEnabled: false });
    expect(await page.locator('#address').textContent()).toBe(coins.address);
    expect(await page.locator('#coins').textContent()).toBe('0.015');
    expect(await page.locator('.time').textContent()).toBe('The rate holds until 10:15 UTC');
    expect(await headline(page, 'Waiting for your payment').count()).toBe(1);
    expect(await page.locator('meta[http-equiv=refresh]').getAttribute('content')).toBe('30');
    expect(await page.getByRole('button', { name: 'Copy' }).count()).toBe(0);
    await context.close();
  });

  it('does not load itself again where a script keeps it up to date', async () => {
    const { context, page } = await visit(await scene.offered());
    expect(await page.locator('meta[http-equiv=refresh]').count()).toBe(0);
    await context.close();
  });

  it.each([
    ['awaiting', 'BTC'],
    ['awaiting', 'USDC'],
    ['processing', 'ETH'],
  ] as const)('fits on the smallest screen without being moved sideways: %s, %s', async (state, asset) => {
    const coins = await scene.offered({ asset });
    if (state === 'processing') await pay(scene, coins, { units: coins.dueUnits, at: minutesAfter(4) });
    const { context, page } = await visit(coins, { viewport: { width: 320, height: 568 } });
    for (const summary of await page.locator('summary').all()) await summary.click();
    const width = 'document.documentElement.scrollWidth';
    expect(await page.evaluate(width)).toBeLessThanOrEqual(320);
    await context.close();
  });

  it('is dark where the phone is, and the code is as readable as ever', async () => {
    const coins = await scene.offered();
    const { context, page } = await visit(coins, { colorScheme: 'dark' });
    const colours = await page.evaluate(
      "[getComputedStyle(document.querySelector('main')).backgroundColor, getComputedStyle(document.querySelector('#address')).color]",
    );
    expect(colours).toEqual(['rgb(27, 31, 42)', 'rgb(238, 240, 246)']);
    const code = await readFromScreen(browser, page.locator('.qr'));
    expect(code).toBe(`BITCOIN:${coins.address.toUpperCase()}?amount=0.015`);
    await context.close();
  });
});

/** What a camera that is held over this part of the screen reads; null where it reads nothing. */
async function readFromScreen(browser: Browser, part: Locator): Promise<string | null> {
  const picture = (await part.screenshot({ scale: 'css' })).toString('base64');
  const page = await browser.newPage();
  const { width, height, dots } = (await page.evaluate(`(async () => {
    const image = new Image();
    image.src = 'data:image/png;base64,${picture}';
    await image.decode();
    const { width, height } = image;
    const canvas = Object.assign(document.createElement('canvas'), { width, height });
    const context = canvas.getContext('2d');
    context.drawImage(image, 0, 0);
    const { data } = context.getImageData(0, 0, width, height);
    const dots = Array.from({ length: width * height }, (_, i) => (data[i * 4 + 1] > 127 ? ' ' : '#')).join('');
    return { width, height, dots };
  })()`)) as { width: number; height: number; dots: string };
  await page.close();
  const pixels = Uint8ClampedArray.from({ length: width * height * 4 }, (_, i) =>
    dots[Math.floor(i / 4)] === '#' && i % 4 !== 3 ? 0 : 255,
  );
  return jsqr.default(pixels, width, height)?.data ?? null;
}
