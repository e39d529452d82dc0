/** Accounts at banks whose statement files can be read, and movements that two files tell. */
import { randomUUID } from 'node:crypto';
import { csvMapping } from '../../db/seed/bank.ts';
import { camtSample, mt940Sample } from '../support/statement-samples.ts';

// biome-ignore lint/suspicious/noExplicitAny: tests read the fields they assert.
type Call = (method: string, path: string, body?: unknown) => Promise<any>;

/** By the names that `schemathesis.toml` binds to parameters. */
export async function populateStatements({
  url,
  apiKey,
  ok,
}: {
  url: string;
  apiKey: string;
  ok: Call;
}): Promise<Record<string, string[]>> {
  const account = async (fields: object): Promise<string> =>
    (await ok('POST', '/v1/bank_accounts', { name: 'Current', ...fields })).id;
  const times = (count: number, make: () => Promise<string>) =>
    Promise.all(Array.from({ length: count }, make));
  const read = (accountId: string, file: string) => sendStatement({ url, apiKey, accountId, file });
  const told = await account({ currency: 'EUR' });
  const statements = [await read(told, camtSample), await read(told, mt940Sample)];
  const copies = await ok('GET', '/v1/bank_transactions?status=copy_suspected');
  return {
    bankAccounts: [...(await times(3, () => account({ currency: 'USD' }))), told],
    statementAccounts: await times(3, () => account({ currency: 'USD', csvMapping })),
    statements,
    suspectedCopies: copies.data.map(({ id }: { id: string }) => id),
  };
}

/** Has a statement file read; its id. */
export async function sendStatement({
  url,
  apiKey,
  accountId,
  file,
}: {
  url: string;
  apiKey: string;
  accountId: string;
  file: string;
}): Promise<string> {
  const response = await fetch(`${url}/v1/bank_accounts/${accountId}/statements`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${apiKey}`,
      'idempotency-key': randomUUID(),
      'content-type': 'text/plain',
    },
    body: file,
  });
  const answer = (await response.json()) as { id: string };
  if (response.ok) return answer.id;
  throw new Error(`A statement was answered ${response.status}: ${JSON.stringify(answer)}`);
}
