/** What the sandbox did lately, to look at in a browser, and the payments that wait for a customer's confirmation. */

import type { SandboxCore } from '../../sandbox/core.ts';
import type { Effect } from '../../sandbox/effect-log.ts';
import { escapeHtml, htmlAnswer, type Route } from '../../sandbox/http.ts';
import type { StripeContext } from './context.ts';

const shownMax = 100;

export function overviewRoute({ log, clock }: SandboxCore, { intents }: StripeContext): Route {
  return {
    method: 'GET',
    path: '/',
    answer: () => {
      const waiting = intents.values().filter(({ status }) => status === 'requires_action');
      const latest = log.entries().slice(-shownMax).toReversed();
      return htmlAnswer(200, page({ waiting: waiting.map(({ id }) => id), latest, now: clock.now() }));
    },
  };
}

function page({ waiting, latest, now }: { waiting: string[]; latest: Effect[]; now: Date }): string {
  const links = waiting.map((id) => `<li><a href="/3ds/${id}">${escapeHtml(id)}</a></li>`).join('');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="refresh" content="5">
<title>Stripe sandbox</title>
<style>
  body { font: 15px/1.5 system-ui, sans-serif; background: #f5f6fa; color: #1b1f2a; margin: 2rem auto; max-width: 70rem;
    padding: 0 1rem; }
  h1 { font-size: 1.3rem; } h2 { font-size: 1rem; margin-top: 2rem; }
  table { width: 100%; border-collapse: collapse; background: #fff; font-size: .85rem; }
  th, td { text-align: left; padding: .4rem .6rem; border: 1px solid #e3e6ee; overflow-wrap: anywhere; }
  .effect { color: #067647; } .refused, .conflict { color: #b42318; } .replay { color: #667085; }
</style>
</head>
<body>
<h1>Stripe sandbox</h1>
<p>Stands in for Stripe on this machine; no money moves. Its clock shows ${now.toISOString()}.</p>
${links ? `<h2>Payments that wait for the customer</h2><ul>${links}</ul>` : ''}
<h2>What it did, latest first</h2>
<table>
<tr><th>#</th><th>At</th><th>Operation</th><th>Outcome</th><th>Amount</th><th>For</th><th>Idempotency key</th></tr>
${latest.map(row).join('')}
</table>
</body>
</html>
`;
}

function row({
  seq,
  at,
  op,
  outcome,
  detail,
  amountMinor,
  currency,
  businessRef,
  idempotencyKey,
}: Effect): string {
  const amount = amountMinor === null ? '' : `${amountMinor} ${(currency ?? '').toUpperCase()}`;
  const cells = [String(seq), at.slice(0, 19), op].map(cell).join('');
  const words = detail === null ? outcome : `${outcome}: ${detail}`;
  return `<tr>${cells}<td class="${outcome}">${escapeHtml(words)}</td>${[
    amount,
    businessRef ?? '',
    idempotencyKey ?? '',
  ]
    .map(cell)
    .join('')}</tr>\n`;
}

function cell(text: string): string {
  return `<td>${escapeHtml(text)}</td>`;
}
