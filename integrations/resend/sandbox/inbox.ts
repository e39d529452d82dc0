/**
 * The mail that was "sent", to read in a browser. A mail's HTML is shown in a sandboxed frame: it is what a
 * template made of people's data, so it may neither run scripts nor load anything.
 */
import { escapeHtml } from '../../../domain/html.ts';
import { type HttpAnswer, htmlAnswer, type Route } from '../../sandbox/http.ts';
import type { Collection } from '../../sandbox/store.ts';
import type { SentFile, SentMail } from './emails.ts';

const shownMax = 200;

export function inboxRoutes({
  mails,
  files,
}: {
  mails: Collection<SentMail>;
  files: Collection<SentFile[]>;
}): Route[] {
  const withMail = (id: string | undefined, show: (mail: SentMail) => HttpAnswer) => {
    const mail = mails.get(id ?? '');
    return mail
      ? show(mail)
      : htmlAnswer(404, page('No such mail', '<p class="empty">There is no such mail.</p>'));
  };
  return [
    { method: 'GET', path: '/', answer: () => htmlAnswer(200, inbox(mails.values().toReversed())) },
    {
      method: 'GET',
      path: '/mails/:id',
      answer: ({ pathParams }) =>
        withMail(pathParams['id'], (mail) => htmlAnswer(200, reading(mail, files.get(mail.id) ?? []))),
    },
    {
      method: 'GET',
      path: '/mails/:id/files/:index',
      answer: ({ pathParams: { id = '', index = '' } }) =>
        withMail(id, (mail) => download(files.get(mail.id)?.[Number(index)])),
    },
    {
      method: 'GET',
      path: '/mails/:id/html',
      answer: ({ pathParams }) => withMail(pathParams['id'], preview),
    },
  ];
}

function inbox(newestFirst: SentMail[]): string {
  const rows = newestFirst.slice(0, shownMax).map(
    (mail) => `
      <a class="row" href="/mails/${mail.id}">
        <span class="to">${escapeHtml(mail.to.join(', '))}</span>
        <span class="subject">${escapeHtml(mail.subject)}</span>
        <time>${escapeHtml(shortTime(mail))}</time>
      </a>`,
  );
  const count = `${newestFirst.length} ${newestFirst.length === 1 ? 'mail' : 'mails'}`;
  const list =
    rows.length > 0 ? `<nav>${rows.join('')}</nav>` : '<p class="empty">Nothing has been sent yet.</p>';
  return page('Sent mail', `<header><h1>Sent mail</h1><span>${count}</span></header>${list}`, {
    refreshSeconds: 5,
  });
}

function reading(mail: SentMail, files: readonly SentFile[]): string {
  const tags = mail.tags.map(
    ({ name, value }) => `<span class="tag">${escapeHtml(`${name}: ${value}`)}</span>`,
  );
  const attached = files.map(
    ({ filename }, index) => `<a href="/mails/${mail.id}/files/${index}">${escapeHtml(filename)}</a>`,
  );
  return page(
    mail.subject,
    `<header><h1>${escapeHtml(mail.subject)}</h1><a href="/">All mail</a></header>
    <dl>
      <dt>From</dt><dd>${escapeHtml(mail.from)}</dd>
      <dt>To</dt><dd>${escapeHtml(mail.to.join(', '))}</dd>
      <dt>Sent</dt><dd>${escapeHtml(shortTime(mail))} UTC</dd>
      <dt>State</dt><dd>${escapeHtml(mail.last_event)} ${tags.join(' ')}</dd>
      ${attached.length === 0 ? '' : `<dt>Files</dt><dd>${attached.join(' ')}</dd>`}
    </dl>
    ${mail.html === null ? '' : `<iframe sandbox="allow-popups allow-popups-to-escape-sandbox" src="/mails/${mail.id}/html" title="HTML part"></iframe>`}
    <h2>Text part</h2>
    <pre>${escapeHtml(mail.text ?? '(none)')}</pre>`,
  );
}

/** A file as it was sent, to keep and never to show as a page of this server. */
function download(file: SentFile | undefined): HttpAnswer {
  if (file === undefined) {
    return htmlAnswer(404, page('No such file', '<p class="empty">The mail has no such file.</p>'));
  }
  const fileName = file.filename.replace(/[^\w.-]/g, '_');
  const headers = {
    'content-type': 'application/octet-stream',
    'content-disposition': `attachment; filename="${fileName}"`,
  };
  return { status: 200, headers, body: Buffer.from(file.content, 'base64') };
}

/** The mail's own HTML; links open beside it. */
function preview(mail: SentMail): HttpAnswer {
  const answer = htmlAnswer(200, `<base target="_blank">${mail.html ?? ''}`);
  if (answer === 'hang_up') return answer;
  const policy =
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'; " +
    "img-src data:; frame-ancestors 'self'";
  return { ...answer, headers: { ...answer.headers, 'content-security-policy': policy } };
}

/** `2025-12-02 10:00:05` */
function shortTime({ created_at }: SentMail): string {
  return created_at.slice(0, 19);
}

function page(title: string, content: string, { refreshSeconds }: { refreshSeconds?: number } = {}): string {
  const refresh =
    refreshSeconds === undefined ? '' : `<meta http-equiv="refresh" content="${refreshSeconds}">`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
${refresh}<title>${escapeHtml(title)}</title>
<style>
  :root { color-scheme: light; --line: #e3e6ee; --quiet: #667085; --accent: #3b49df; }
  body { font: 15px/1.5 system-ui, sans-serif; background: #f5f6fa; color: #1b1f2a; margin: 0; }
  main { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
  header { display: flex; align-items: baseline; justify-content: space-between; gap: 1rem; }
  h1 { font-size: 1.3rem; margin: 0 0 1rem; }
  h2 { font-size: .9rem; color: var(--quiet); margin: 1.5rem 0 .5rem; }
  header span, time, dt { color: var(--quiet); }
  a { color: var(--accent); text-decoration: none; }
  nav, dl, pre, iframe { background: #fff; border: 1px solid var(--line); border-radius: 10px; }
  .row { display: grid; grid-template-columns: 16rem 1fr auto; gap: 1rem; padding: .7rem 1rem; color: inherit;
    border-top: 1px solid var(--line); }
  .row:first-child { border-top: 0; }
  .row:hover { background: #fafbff; }
  .to, .subject { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
  .subject { font-weight: 600; }
  .empty { padding: 3rem; text-align: center; color: var(--quiet); }
  dl { display: grid; grid-template-columns: 4rem 1fr; margin: 0 0 1rem; padding: .8rem 1rem; gap: .2rem 1rem; }
  dd { margin: 0; }
  .tag { background: #eef0fb; border-radius: 6px; padding: 0 .4rem; font-size: .8rem; }
  iframe { width: 100%; height: 34rem; box-sizing: border-box; }
  pre { padding: 1rem; white-space: pre-wrap; overflow-wrap: anywhere; margin: 0; }
  @media (max-width: 40rem) { .row { grid-template-columns: 1fr auto; } .subject { grid-column: 1 / -1; order: 3; } }
</style>
</head>
<body><main>${content}</main></body>
</html>
`;
}
