/**
 * The page on which a customer pays in coins. It needs no script: address, amount and state are there without one, and the
 * page loads itself again twice a minute. With the script the state is live, the time counts down, and things can be copied.
 */
import { escapeHtml } from '../../../domain/html.ts';

/** What the page shows; every text is plain and is escaped here. */
export type CheckoutPage = {
  /** Who is paid. */
  seller: string;
  invoiceNumber: string;
  /** In the invoice's currency, for people: `USD 49.00`. */
  price: string;
  /** Of one coin, for people: `1 BTC = USD 64,000.00`. */
  rate: string;
  asset: string;
  chain: string;
  /** Where coins are worth nothing: what the page says of it; null on a real network. */
  testNotice: string | null;
  /** What a customer should know of fees before paying; null where there is nothing. */
  feeNotice: string | null;
  /** What is left to pay, as a decimal of whole coins. */
  coins: string;
  address: string;
  /** An address of an older form for wallets that cannot pay the first; null where there is none. */
  olderAddress: string | null;
  /** A wallet opens it: `bitcoin:…`, `ethereum:…`. */
  link: string;
  /** The link as a picture: an SVG of ours, not escaped. */
  qrSvg: string;
  /** Whether the customer can (still) pay. */
  isPayable: boolean;
  /** UTC instant. */
  expiresAt: string;
  /** Until then; the customer's own clock may be wrong. */
  secondsLeft: number;
  headline: string;
  explanation: string;
  tone: 'waiting' | 'working' | 'done' | 'attention';
  /** Facts in rows: paid so far, confirmations … */
  facts: readonly { name: string; value: string }[];
  transactions: readonly { txid: string; state: string }[];
  /** What to do when something is wrong: a question and what helps. */
  help: readonly { question: string; answer: string }[];
};

/** The whole document. `path` is where it is served; its events are below it. */
export function renderCheckout(page: CheckoutPage, path: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex, nofollow">
<title>${escapeHtml(`${page.invoiceNumber} – ${page.seller}`)}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/checkout/checkout.css">
<noscript><meta http-equiv="refresh" content="30"></noscript>
<script src="/checkout/checkout.js" defer></script>
</head>
<body>
<main data-events="${escapeHtml(`${path}/events`)}">
<header>
<p class="seller">${escapeHtml(page.seller)}</p>
<h1>${escapeHtml(page.price)}</h1>
<p class="invoice">Invoice ${escapeHtml(page.invoiceNumber)}</p>
</header>
${renderState(page)}
${renderHelp(page)}
</main>
</body>
</html>
`;
}

/** The part that changes: sent again whenever it does. */
export function renderState(page: CheckoutPage): string {
  return `<div id="state">
<section class="status ${page.tone}" role="status" aria-live="polite">
<h2>${escapeHtml(page.headline)}</h2>
<p>${escapeHtml(page.explanation)}</p>
</section>
${page.testNotice === null ? '' : `<p class="test">${escapeHtml(page.testNotice)}</p>`}
${page.isPayable ? renderPayment(page) : ''}
${renderFacts(page)}
</div>`;
}

function renderPayment(page: CheckoutPage): string {
  return `<section class="pay">
<a class="qr" href="${escapeHtml(page.link)}" aria-label="Open in your wallet">${page.qrSvg}</a>
<p class="time"><span id="until">The rate holds until</span> <time datetime="${page.expiresAt}" data-seconds="${page.secondsLeft}">${clockTime(page.expiresAt)}</time></p>
<dl>
<dt>Send exactly</dt>
<dd class="copied"><span><code id="coins">${escapeHtml(page.coins)}</code> ${escapeHtml(page.asset)}</span> <button type="button" data-copy="coins" hidden>Copy</button></dd>
<dt>On</dt>
<dd>${escapeHtml(page.chain)}</dd>
<dt>To</dt>
<dd class="copied"><code id="address">${escapeHtml(page.address)}</code> <button type="button" data-copy="address" hidden>Copy</button></dd>
<dt>Rate</dt>
<dd>${escapeHtml(page.rate)}</dd>
</dl>
${page.feeNotice === null ? '' : `<p class="fee">${escapeHtml(page.feeNotice)}</p>`}
<p><a class="wallet" href="${escapeHtml(page.link)}">Open in your wallet</a></p>
${page.olderAddress === null ? '' : `<details><summary>My wallet does not accept this address</summary><p>Send the same amount to this one instead: <code>${escapeHtml(page.olderAddress)}</code></p></details>`}
</section>`;
}

function renderFacts({ facts, transactions }: CheckoutPage): string {
  const rows = facts.map(({ name, value }) => `<dt>${escapeHtml(name)}</dt><dd>${escapeHtml(value)}</dd>`);
  const seen = transactions.map(
    ({ txid, state }) => `<dt>Transaction <code>${escapeHtml(txid)}</code></dt><dd>${escapeHtml(state)}</dd>`,
  );
  const all = [...rows, ...seen];
  return all.length === 0 ? '' : `<section class="facts"><dl>${all.join('\n')}</dl></section>`;
}

function renderHelp({ help }: CheckoutPage): string {
  const entries = help.map(
    ({ question, answer }) =>
      `<details><summary>${escapeHtml(question)}</summary><p>${escapeHtml(answer)}</p></details>`,
  );
  return `<section class="help"><h2>Something is not right?</h2>${entries.join('\n')}</section>`;
}

/** `14:32 UTC` */
function clockTime(instant: string): string {
  return `${instant.slice(11, 16)} UTC`;
}
