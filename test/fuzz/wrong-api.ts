/** A small API that does not keep its word, to prove that whoever looks for it would notice. */
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

export async function startWrongApi(): Promise<{ url: string; close(): void }> {
  const server = createServer(async (request, response) => {
    const answer = (status: number, body: unknown) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    if (request.url === '/openapi.json') return answer(200, document);
    const amount = amountIn(await textOf(request));
    if (!Number.isInteger(amount)) return answer(400, { error: 'no amount' });
    if (amount === 0) return answer(500, { error: 'divided by zero' });
    if (amount === 1) return answer(418, { error: 'not described' });
    answer(200, amount > 1_000 ? { amount: 'much' } : { amount });
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
