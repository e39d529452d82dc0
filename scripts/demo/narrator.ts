/** Tells a subscription's timeline as it happens, each line with the day it stands for. */
import { setTimeout as delay } from 'node:timers/promises';
import { progress } from '../terminal.ts';
import type { DemoApi } from './demo-api.ts';

export type Narrator = {
  /** Tells what happens until an entry of this kind, the next one after what was waited for before. */
  until(kind: string): Promise<void>;
  say(sentence: string): void;
  /** How many entries have been told. */
  told(): number;
};

const longestSilenceMs = 60_000;

export function createNarrator({
  api,
  subscriptionId,
  startedAt,
  dayMs,
}: {
  api: DemoApi;
  subscriptionId: string;
  startedAt: string;
  dayMs: number;
}): Narrator {
  const seen = new Set<string>();
  /** Of what has been told, the kinds that nobody has waited past. */
  const ahead: string[] = [];
  const dayOf = (at: string) => Math.floor((Date.parse(at) - Date.parse(startedAt)) / dayMs);

  /** Tells what is new; false when nothing is. */
  async function tellNews(): Promise<boolean> {
    const timeline = await api.list(`/v1/subscriptions/${subscriptionId}/timeline`);
    const mails = await api.list(`/v1/notifications?subscriptionId=${subscriptionId}`);
    const entries = [
      ...timeline.map(({ id, at, kind, message }) => ({ id, at, kind, text: message })),
      ...mails.map(({ id, decidedAt, template, subject }) => {
        return {
          id,
          at: decidedAt,
          kind: 'mail',
          text: `✉ ${template}${subject === null ? '' : `: “${subject}”`}`,
        };
      }),
    ]
      .filter(({ id }) => !seen.has(id))
      .sort((a, b) => a.at.localeCompare(b.at) || String(a.id).localeCompare(String(b.id)));
    for (const { id, at, kind, text } of entries) {
      seen.add(id);
      ahead.push(kind);
      progress(`  day ${String(dayOf(at)).padStart(3)}  ${text}`);
    }
    return entries.length > 0;
  }

  return {
    async until(kind) {
      let silentSince = Date.now();
      while (!ahead.includes(kind)) {
        if (await tellNews()) silentSince = Date.now();
        else await delay(200);
        if (Date.now() - silentSince > longestSilenceMs)
          throw new Error(`Nothing happened for a minute; ${kind} was expected.`);
      }
      ahead.splice(0, ahead.indexOf(kind) + 1);
    },
    say: (sentence) => progress(`\n${sentence}\n`),
    told: () => seen.size,
  };
}
