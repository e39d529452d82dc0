/** The page of a sandbox, to look at in a browser: what it did lately, and what waits for somebody. */

import { escapeHtml } from '../../domain/html.ts';
import type { SandboxCore } from './core.ts';
import type { Effect } from './effect-log.ts';
import { htmlAnswer, type Route } from './http.ts';

const shownMax = 100;

/** `waiting` lists what a person has to do something about, under its own heading. */
export type Overview = {
  /** As the vendor writes its name. */
  vendor: string;
  waiting?: { heading: string; links(): { text: string; path: string }[] };
};

export function overviewRoute({ log, clock }: SandboxCore, { vendor, waiting }: Overview): Route {
  return {
    method: 'GET',
    path: '/',
    answer: () => {
      const latest = log.entries().slice(-shownMax).toReversed();
      const links = waiting?.links() ?? [];
      return htmlAnswer(
        200,
        page({ vendor, heading: waiting?.heading ?? '', links, latest, now: clock.now() }),
      );
    },
  };
}

function page({
  vendor,
  heading,
  links,
  latest,
  now,
}: {
  vendor: string;
  heading: string;
  links: { text: string; path: string }[];
  latest: Effect[];
  now: Date;
}): string {
  const items = links.map(({ text, path }) => `<li><a href="${path}">${escapeHtml(text)}</a></li>`).join('');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="refresh" content="5">
<title>${vendor} sandbox</title>
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
<h1>${vendor} sandbox</h1>
<p>Stands in for ${vendor} on this machine; no money moves. Its clock shows ${now.toISOString()}.</p>
${items ? `<h2>${heading}</h2><ul>${items}</ul>` : ''}
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
