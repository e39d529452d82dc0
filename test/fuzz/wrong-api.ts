/** A small API that does not keep its word, to prove that whoever looks for it would notice. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export async function startWrongApi(): Promise<{ url: string; close(): void }> {
  const server = createServer((request, response) => {
    // A caller that hangs up is told nothing more.
    answer(request, response).catch(() => response.destroy());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const say = (status: number, body: unknown): void => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  };
  if (request.url === '/openapi.json') return say(200, document);
  const amount = amountIn(await textOf(request));
  if (!Number.isInteger(amount)) return say(400, { error: 'no amount' });
  if (amount === 0) return say(500, { error: 'divided by zero' });
  if (amount === 1) return say(418, { error: 'not described' });
  say(200, amount > 1_000 ? { amount: 'much' } : { amount });
}

const withAmount = (amount: object) => ({
  'application/json': { schema: { type: 'object', required: ['amount'], properties: { amount } } },
});

const document = {
  openapi: '3.1.0',
  info: { title: 'Wrong', version: '1' },
  paths: {
    '/amounts': {
      post: {
        operationId: 'tellAmount',
        requestBody: { required: true, content: withAmount({ type: 'integer', minimum: 0, maximum: 2_000 }) },
        responses: {
          200: { description: 'The amount.', content: withAmount({ type: 'integer' }) },
          400: { description: 'No amount.', content: { 'application/json': { schema: {} } } },
        },
      },
    },
  },
};

function amountIn(text: string): number {
  try {
    return Number((JSON.parse(text) as { amount?: unknown }).amount);
  } catch {
    return Number.NaN;
  }
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}
