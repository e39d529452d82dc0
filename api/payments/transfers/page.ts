/**
 * The page by which a customer pays by bank transfer. It has no script: what is to be copied is marked by one tap, and the page
 * loads itself again once a minute while something may change. The number on a confirmation is typed on a page of its own, which
 * does not load itself again under the fingers.
 */
import { escapeHtml } from '../../../domain/html.ts';
import { bankNumberForm } from '../../../domain/payments/bank-number.ts';
import type { InstructionLine } from '../../../domain/payments/transfer-instructions.ts';
import { CONFIRMATION_MAX } from '../bank-transfers.schemas.ts';
import { style } from '../checkout/assets.ts';
import { renderProofForm } from './proof-form.ts';

/** What the page shows; every text is plain and is escaped here. */
export type TransferPage = {
  /** Who is paid. */
  seller: string;
  invoiceNumber: string;
  /** For people: `EUR 450.00`. */
  price: string;
  headline: string;
  explanation: string;
  tone: 'waiting' | 'working' | 'done' | 'attention';
  /** Null while the customer is not to send anything. */
  instructions: {
    lines: readonly InstructionLine[];
    warning: string;
    /** For people. */
    until: string;
    /** For banking apps: an SVG of ours, not escaped; null where it is no SEPA transfer. */
    qrSvg: string | null;
  } | null;
  facts: readonly { name: string; value: string }[];
  takesConfirmation: boolean;
  takesProof: boolean;
  mayChange: boolean;
};

/** The whole document. `path` is where it is served. */
export function renderTransfer(page: TransferPage, path: string): string {
  return document(page, {
    refreshes: page.mayChange,
    body: `<section class="status ${page.tone}" role="status">
<h2>${escapeHtml(page.headline)}</h2>
<p>${escapeHtml(page.explanation)}</p>
</section>
${page.instructions === null ? '' : renderInstructions(page.instructions)}
${page.facts.length === 0 ? '' : renderFacts(page.facts)}
${page.takesConfirmation ? renderHelp(path, page.takesProof) : ''}`,
  });
}

/** The form for the number on a confirmation. `mistake`: what was wrong with the one that was sent. */
export function renderConfirmation(
  page: TransferPage,
  { path, mistake }: { path: string; mistake: string | null },
): string {
  return document(page, {
    refreshes: false,
    body: `<form method="post" action="${escapeHtml(`${path}/confirmation`)}">
<h2><label for="number">The number on your bank's confirmation</label></h2>
<p id="hint">It is called confirmation, transaction or reference number; wires also have an IMAD or a UETR. With it we find a transfer whose reference is missing.</p>
${mistake === null ? '' : `<p class="attention" role="alert" id="mistake">${escapeHtml(mistake)}</p>`}
<p><input id="number" name="number" required maxlength="${CONFIRMATION_MAX}" autocomplete="off" aria-describedby="${mistake === null ? 'hint' : 'mistake'}"></p>
<p><button type="submit" class="wallet">Send</button></p>
</form>
<p><a href="${escapeHtml(path)}">Back to the transfer</a></p>`,
  });
}

/** The form for a proof. `mistake`: what was wrong with the one that was sent. */
export function renderProof(
  page: TransferPage,
  { path, mistake }: { path: string; mistake: string | null },
): string {
  return document(page, { refreshes: false, body: renderProofForm({ path, mistake }) });
}

/** What is wrong with a number that was typed; null where nothing is. */
export function numberMistake(number: string): string | null {
  if (number.length <= CONFIRMATION_MAX && bankNumberForm.test(number)) return null;
  return 'Please type the number as it stands on the confirmation: six letters and digits at least, four of them digits.';
}

export const transferStyle = `${style}
.warning { padding: .75rem 1rem; border: 2px solid var(--attention); border-radius: 8px; font-weight: 700; }
.steps dd { display: flex; align-items: baseline; gap: .4rem; }
.copy { user-select: all; -webkit-user-select: all; cursor: copy; }
.copy span + span { margin-left: .4em; }
.bold, .bold code { font-weight: 800; font-size: 1.25rem; }
form h2 { margin-top: 1.5rem; } input { width: 100%; font: inherit; padding: .6rem; border-radius: 8px;
  border: 1px solid var(--line); background: var(--back); color: var(--ink); }
button.wallet { width: 100%; } a { color: var(--waiting); }
`;

function document(
  { seller, invoiceNumber, price }: TransferPage,
  { refreshes, body }: { refreshes: boolean; body: string },
): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex, nofollow">
<meta name="format-detection" content="telephone=no">
<title>${escapeHtml(`${invoiceNumber} – ${seller}`)}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/transfers/transfer.css">
${refreshes ? '<meta http-equiv="refresh" content="60">' : ''}
</head>
<body>
<main>
<header>
<p class="seller">${escapeHtml(seller)}</p>
<h1>${escapeHtml(price)}</h1>
<p class="invoice">Invoice ${escapeHtml(invoiceNumber)}</p>
</header>
${body}
</main>
</body>
</html>
`;
}

function renderInstructions({
  lines,
  warning,
  until,
  qrSvg,
}: NonNullable<TransferPage['instructions']>): string {
  return `<section class="pay">
<p class="warning"><strong>${escapeHtml(warning)}</strong></p>
<dl class="steps">
${lines.map(renderLine).join('\n')}
</dl>
<p class="time">The instructions hold until <time>${escapeHtml(until)}</time></p>
${qrSvg === null ? '' : `<p>Or let your banking app read this code:</p>\n<div class="qr">${qrSvg}</div>`}
</section>`;
}

function renderLine({ label, value, shown, isBold }: InstructionLine): string {
  const text = copied(value, shown);
  return `<dt>${escapeHtml(label)}</dt>
<dd${isBold ? ' class="bold"' : ''}>${isBold ? `<strong>${text}</strong>` : text}</dd>`;
}

/** What is marked by one tap is the value, without the gaps that only help the eye. */
function copied(value: string, shown: string): string {
  const groups = shown.split(' ');
  const code = (content: string) => `<code class="copy">${content}</code>`;
  if (groups.length > 1 && groups.join('') === value)
    return code(groups.map((group) => `<span>${escapeHtml(group)}</span>`).join(''));
  // A name has gaps of its own; an amount is followed by its currency, which nobody types.
  if (shown.startsWith(`${value} `))
    return `${code(escapeHtml(value))} ${escapeHtml(shown.slice(value.length + 1))}`;
  return code(escapeHtml(shown));
}

function renderFacts(facts: TransferPage['facts']): string {
  const rows = facts.map(({ name, value }) => `<dt>${escapeHtml(name)}</dt><dd>${escapeHtml(value)}</dd>`);
  return `<section class="facts"><dl>${rows.join('\n')}</dl></section>`;
}

function renderHelp(path: string, takesProof: boolean): string {
  const proof = `, or <a href="${escapeHtml(`${path}/proof`)}">send us the confirmation itself</a>`;
  return `<section class="help"><h2>You have sent it, and nothing happens?</h2>
<p>Banks take their time. If it takes longer than it should, <a href="${escapeHtml(`${path}/confirmation`)}">tell us the number on your bank's confirmation</a>${takesProof ? proof : ''}, and we look for it.</p></section>`;
}
