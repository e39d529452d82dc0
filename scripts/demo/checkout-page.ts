/** The page on which coins are paid, as a customer reads it while it changes. */
import { setTimeout as delay } from 'node:timers/promises';
import { progress } from '../terminal.ts';

export type CheckoutVisit = {
  /** Tells each state of the page until its headline is this one and its text has `words`. */
  until(headline: string, words?: string): Promise<void>;
  /** Every headline it has had, in their order. */
  headlines(): readonly string[];
};

const longestWaitMs = 60_000;

export function visitCheckout(url: string): CheckoutVisit {
  const headlines: string[] = [];
  let told = '';

  async function look(): Promise<{ headline: string; text: string }> {
    const answer = await fetch(url);
    if (!answer.ok) throw new Error(`The page ${url} was answered ${answer.status}.`);
    const page = readPage(await answer.text());
    if (page.headline !== headlines.at(-1)) headlines.push(page.headline);
    const line = [page.headline, page.text, ...page.facts].join(' · ');
    if (line !== told) progress(`  page  ${line}`);
    told = line;
    return { headline: page.headline, text: line };
  }

  return {
    async until(headline, words = '') {
      const deadline = Date.now() + longestWaitMs;
      for (;;) {
        const page = await look();
        if (page.headline === headline && page.text.includes(words)) return;
        if (Date.now() > deadline)
          throw new Error(`The page was to say “${headline}”; it says: ${page.text}`);
        await delay(100);
      }
    },
    headlines: () => headlines,
  };
}

/** What stands in its changing part. */
function readPage(html: string): { headline: string; text: string; facts: string[] } {
  const status = /<section class="status[^>]*>\s*<h2>(.*?)<\/h2>\s*<p>(.*?)<\/p>/s.exec(html);
  if (status === null) throw new Error('The page has no state.');
  const [, headline = '', text = ''] = status;
  const facts = /<section class="facts">(.*?)<\/section>/s.exec(html)?.[1] ?? '';
  const named = [...facts.matchAll(/<dt>([^<]*)<\/dt><dd>([^<]*)<\/dd>/g)];
  return {
    headline: plain(headline),
    text: plain(text),
    facts: named.map(([, name = '', value = '']) => `${plain(name)}: ${plain(value)}`),
  };
}

function plain(text: string): string {
  return text.replaceAll('&#39;', "'").replaceAll('&quot;', '"').replaceAll('&amp;', '&');
}
