import { expect, test } from 'vitest';
import { createLogger, type Logger } from './logger.ts';

const sentinels = {
  mail: 'jane.sentinel@customer.example',
  card: '4242 4242 4242 4242',
  stripeKey: 'sk_live_SENTINEL123',
  webhookSecret: 'whsec_SENTINEL123',
  resendKey: 're_SENTINEL123',
  chat: 'https://hooks.slack.com/services/T0/B0/SENTINEL',
  bankToken: 'access-production-de3ce8ef-SENTINEL',
  clientSecret: 'pi_1_secret_SENTINEL',
  apiKey: 'pk_key_0123456789abcdef0123456789abcdef.SENTINEL',
};
const anySentinel = new RegExp(
  [...Object.values(sentinels), 'SENTINEL', 'Jane Doe'].map(literally).join('|'),
);

test.each<[string, (log: Logger) => void]>([
  ['in a message', (log) => log.info(Object.values(sentinels).join(' and '))],
  ['in what is put into a message', (log) => log.info('for %s', sentinels.mail)],
  [
    'in a field with a telling name',
    (log) => log.info({ customer: { name: 'Jane Doe', email: sentinels.mail } }),
  ],
  ['in a field with any name', (log) => log.info({ a: { b: [{ c: sentinels.stripeKey }] } })],
  ['in an error', (log) => log.error({ err: new Error(`no ${sentinels.mail}`) }, 'failed')],
  ['in an error that is logged alone', (log) => log.error(new Error(`no ${sentinels.mail}`))],
  [
    'in the cause of an error',
    (log) => log.error({ err: new Error('x', { cause: new Error(sentinels.card) }) }),
  ],
  [
    'in the fields of an error',
    (log) => log.error({ err: Object.assign(new Error('x'), { apiKey: 'SENTINEL' }) }),
  ],
  [
    'in the fields of a child',
    (log) => log.child({ email: sentinels.mail }).child({ token: 'SENTINEL' }).info('x'),
  ],
  [
    'in the headers of a request',
    (log) => log.info({ req: { headers: { authorization: 'Bearer SENTINEL' } } }),
  ],
  [
    'in the headers of a webhook',
    (log) =>
      log.info({ request: { headers: { 'plaid-verification': 'SENTINEL', 'plaid-secret': 'SENTINEL' } } }),
  ],
  [
    'in tokens of a bank',
    (log) => log.info({ publicToken: 'SENTINEL', link_token: 'SENTINEL', seen: sentinels.bankToken }),
  ],
  ['in the address of a chat', (log) => log.info({ chatUrl: 'https://chat.example/hooks/SENTINEL' })],
  ['in the query of a request', (log) => log.info({ req: { url: '/x?api_key=SENTINEL', headers: {} } })],
  ['in the password of an address', (log) => log.info({ server: 'postgres://user:SENTINEL@host/db' })],
  [
    'in a map or under a class',
    (log) => log.info({ keys: new Map([['email', sentinels.mail]]), box: new Box() }),
  ],
])('secrets and personal data %s are not logged', (_where, write) => {
  const { log, output } = recorded();
  write(log);
  expect(output()).not.toBe('');
  expect(output()).not.toMatch(anySentinel);
});

test('what operators search for stays readable', () => {
  const { log, output } = recorded();
  const fields = {
    tenantId: 'ten_1',
    invoiceId: 'inv_1',
    workflowId: 'subscription/sub_1',
    amountMinor: 4900,
    attempt: 3,
  };
  log.info({ ...fields, address: '127.0.0.1:7233' }, 'charged');
  expect(JSON.parse(output())).toMatchObject({
    ...fields,
    address: '127.0.0.1:7233',
    name: 'test',
    level: 'info',
    msg: 'charged',
  });
});

test('values that JSON does not know do not break a line', () => {
  const { log, output } = recorded();
  const circular: Record<string, unknown> = {
    big: 3n,
    at: new Date('2026-01-01T00:00:00Z'),
    bytes: new Uint8Array(4),
  };
  circular['self'] = circular;
  log.info(circular);
  expect(JSON.parse(output())).toMatchObject({
    big: '3',
    at: '2026-01-01T00:00:00.000Z',
    bytes: '[4 bytes]',
  });
});

class Box {
  readonly phone = '+1 SENTINEL';
}

function recorded(): { log: Logger; output: () => string } {
  const lines: string[] = [];
  const destination = { write: (line: string) => void lines.push(line) };
  return { log: createLogger({ name: 'test', level: 'trace', destination }), output: () => lines.join('') };
}

function literally(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
