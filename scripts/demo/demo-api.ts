/** The API as the demo calls it, with the demo tenant's key, and the sandbox's controls. */
import { randomUUID } from 'node:crypto';
import type { Stack } from '../stack.ts';

// biome-ignore lint/suspicious/noExplicitAny: answers are read as a person reads them, field by field.
type Answer = Record<string, any>;

export type DemoApi = {
  get(path: string): Promise<Answer>;
  post(path: string, body: unknown): Promise<Answer>;
  put(path: string, body: unknown): Promise<Answer>;
  /** Sends a file as it is. */
  send(path: string, file: string): Promise<Answer>;
  /** All pages of a list. */
  list(path: string): Promise<Answer[]>;
  /** A card whose issuer gives these answers in turn, the last one repeating. */
  card(outcomes: string[]): Promise<string>;
  /** The charges that took money, by the vendor's own log. */
  vendorCharges(): Promise<Answer[]>;
};

export function createDemoApi({ urls, demo }: Stack): DemoApi {
  if (demo === undefined) throw new Error('The demo tenant is missing; start the stack with its seed.');

  async function call(method: string, url: string, body?: unknown, file?: string): Promise<Answer> {
    const response = await fetch(url, {
      method,
      headers: {
        authorization: `Bearer ${demo?.apiKey}`,
        'content-type': file === undefined ? 'application/json' : 'text/plain',
        'idempotency-key': randomUUID(),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      ...(file !== undefined && { body: file }),
    });
    const answer = (await response.json()) as Answer;
    if (!response.ok) {
      const message = `${method} ${url} was answered ${response.status}: ${answer['detail'] ?? ''}`;
      throw Object.assign(new Error(message), { code: answer['code'] });
    }
    return answer;
  }

  return {
    get: (path) => call('GET', `${urls.api}${path}`),
    post: (path, body) => call('POST', `${urls.api}${path}`, body),
    put: (path, body) => call('PUT', `${urls.api}${path}`, body),
    send: (path, file) => call('POST', `${urls.api}${path}`, undefined, file),
    async list(path) {
      const all: Answer[] = [];
      let cursor: string | null = null;
      do {
        const next: string = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`;
        const page: Answer = await call(
          'GET',
          `${urls.api}${path}${path.includes('?') ? '&' : '?'}limit=100${next}`,
        );
        all.push(...page['data']);
        cursor = page['nextCursor'];
      } while (cursor !== null);
      return all;
    },
    card: async (outcomes) =>
      (await call('POST', `${urls.stripeSandbox}/_sandbox/cards`, { outcomes }))['id'],
    vendorCharges: async () => (await call('GET', `${urls.stripeSandbox}/_sandbox/charges`))['charges'],
  };
}
