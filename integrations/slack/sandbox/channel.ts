/** The channel to read in a browser: what was posted, newest first, as Slack would show it. */
import { escapeHtml } from '../../../domain/html.ts';
import type { SandboxClock } from '../../sandbox/clock.ts';
import { htmlAnswer, type Route } from '../../sandbox/http.ts';
import type { Collection } from '../../sandbox/store.ts';
import type { Post } from './posts.ts';

const shownMax = 200;

export function channelRoute({ posts, clock }: { posts: Collection<Post>; clock: SandboxClock }): Route {
  return {
    method: 'GET',
    path: '/',
    answer: () => htmlAnswer(200, page(posts.values().toReversed(), clock.now())),
  };
}

function page(newestFirst: Post[], now: Date): string {
  const shown = newestFirst.slice(0, shownMax).map(message).join('');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="refresh" content="5">
<title>Chat sandbox</title>
<style>
  body { font: 15px/1.5 system-ui, sans-serif; background: #f5f6fa; color: #1b1f2a; margin: 2rem auto; max-width: 50rem;
    padding: 0 1rem; }
  h1 { font-size: 1.3rem; }
  article { background: #fff; border: 1px solid #e3e6ee; border-radius: 10px; padding: .7rem 1rem; margin: .6rem 0;
    white-space: pre-wrap; overflow-wrap: anywhere; }
  time, small { color: #667085; font-size: .8rem; }
</style>
</head>
<body>
<h1>Chat of the operators</h1>
<p>Stands in for Slack on this machine; nobody is told. Any address like <code>/services/T0SANDBOX/B0SANDBOX/operators</code>
is an incoming webhook. Its clock shows ${now.toISOString()}.</p>
${shown === '' ? '<p>Nothing has been posted yet.</p>' : shown}
</body>
</html>
`;
}

function message({ at, hook, text, mentions }: Post): string {
  const rings = mentions.length === 0 ? '' : ` · rings ${escapeHtml(mentions.join(' '))}`;
  return `<article><time>${at.slice(0, 19)}</time> <small>webhook ${hook}${rings}</small>\n${toHtml(text)}</article>\n`;
}

/** The markup we use: a line in bold, and three characters that are written as entities. */
function toHtml(text: string): string {
  const shown = text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&');
  return escapeHtml(shown).replace(/^\*(.+)\*$/m, '<b>$1</b>');
}
