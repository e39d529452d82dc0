/** Bank accounts in the sandbox, by plain HTTP: verified before they are kept, debited under a mandate, answered for by a bank. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type StripeSandbox, startStripeSandbox } from '../../integrations/stripe/sandbox.ts';

let sandbox: StripeSandbox;
beforeAll(async () => {
  sandbox = await startStripeSandbox({ port: 0 });
});
beforeEach(() => sandbox.reset());
afterAll(() => sandbox.close());

// biome-ignore lint/suspicious/noExplicitAny: a test asserts the shape of what it reads
type Answer = { status: number; body: any };

async function call(
  method: 'GET' | 'POST',
  path: string,
  fields: Record<string, string> = {},
): Promise<Answer> {
  const form = new URLSearchParams(fields).toString();
  const response = await fetch(`${sandbox.url}${path}${method === 'GET' && form ? `?${form}` : ''}`, {
    method,
    headers: {
      authorization: 'Bearer sk_test_sandbox',
      'content-type': 'application/x-www-form-urlencoded',
    },
    ...(method === 'POST' && { body: form }),
  });
  return { status: response.status, body: await response.json() };
}

async function control(path: string, body: object): Promise<Answer> {
  const response = await fetch(`${sandbox.url}/_sandbox${path}`, {
    method: 'POST',
    body: JSON.stringify(body),
  });
  return { status: response.status, body: await response.json() };
}

/** What the tenant's page does: the account is named, and the mandate accepted. */
function setUp(account: string, fields: Record<string, string> = {}): Promise<Answer> {
  return call('POST', '/v1/setup_intents', {
    payment_method: account,
    'payment_method_types[0]': 'us_bank_account',
    confirm: 'true',
    'mandate_data[customer_acceptance][type]': 'offline',
    ...fields,
  });
}

async function debit(account: string, fields: Record<string, string> = {}): Promise<Answer> {
  const { body: customer } = await call('POST', '/v1/customers');
  const { body: setup } = await setUp(account, { customer: customer.id });
  return call('POST', '/v1/payment_intents', {
    amount: '2900',
    currency: 'usd',
    confirm: 'true',
    customer: customer.id,
    payment_method: setup.payment_method,
    mandate: setup.mandate,
    'allowed_payment_method_types[0]': 'us_bank_account',
    ...fields,
  });
}

describe('a bank account', () => {
  it('is verified at once, or by its micro-deposits, and can only then be attached', async () => {
    const { body: customer } = await call('POST', '/v1/customers');
    const { body: instant } = await setUp('pm_usBankAccount_success');
    expect(instant).toMatchObject({ status: 'succeeded', mandate: expect.stringMatching(/^mandate_/) });

    const { body: waiting } = await setUp('pm_usBankAccount_success', {
      'payment_method_options[us_bank_account][verification_method]': 'microdeposits',
    });
    expect(waiting).toMatchObject({
      status: 'requires_action',
      mandate: null,
      next_action: { type: 'verify_with_microdeposits' },
    });
    const attach = () =>
      call('POST', `/v1/payment_methods/${waiting.payment_method}/attach`, { customer: customer.id });
    expect((await attach()).status).toBe(400);
    const verify = (descriptor_code: string) =>
      call('POST', `/v1/setup_intents/${waiting.id}/verify_microdeposits`, { descriptor_code });
    expect((await verify('SM22BB')).body.error).toMatchObject({
      code: 'payment_method_microdeposit_verification_descriptor_code_mismatch',
    });
    expect((await attach()).status).toBe(400);
    expect((await verify('SM11AA')).body).toMatchObject({ status: 'succeeded' });
    expect((await attach()).body).toMatchObject({ type: 'us_bank_account', customer: customer.id });
    const { body: listed } = await call('GET', '/v1/setup_intents', {
      payment_method: waiting.payment_method,
    });
    expect(listed.data).toMatchObject([{ id: waiting.id, status: 'succeeded' }]);
  });

  it.each([
    ['without its mandate', { mandate: 'mandate_no' }, { code: 'payment_intent_mandate_invalid' }],
    ['in another currency', { currency: 'eur' }, { param: 'currency' }],
    ['as a card', { 'allowed_payment_method_types[0]': 'card' }, { param: 'allowed_payment_method_types' }],
  ])('is not debited %s', async (_, fields: Record<string, string>, error) => {
    const answer = await debit('pm_usBankAccount_success', fields);
    expect(answer).toMatchObject({ status: 400, body: { error } });
    expect(sandbox.effects().at(-1)).toMatchObject({ outcome: 'refused' });
  });
});

describe('a debit', () => {
  it.each([
    ['pm_usBankAccount_success', 'succeeded', {}],
    ['pm_usBankAccount_accountClosed', 'requires_payment_method', { code: 'account_closed', network: 'R02' }],
    ['pm_usBankAccount_noAccount', 'requires_payment_method', { code: 'no_account', network: 'R03' }],
    [
      'pm_usBankAccount_insufficientFunds',
      'requires_payment_method',
      { code: 'insufficient_funds', network: 'R01' },
    ],
    [
      'pm_usBankAccount_debitNotAuthorized',
      'requires_payment_method',
      { code: 'debit_not_authorized', network: 'R10' },
    ],
    ['pm_usBankAccount_processing', 'processing', {}],
  ])('of %s is in process until the bank answers: %s', async (account, status, why: object) => {
    const { body } = await debit(account);
    expect(body).toMatchObject({ status: 'processing', latest_charge: null });
    expect(sandbox.charges()).toEqual([]);
    expect((await control(`/payment_intents/${body.id}/settle`, {})).body).toEqual({ status });
    const { body: settled } = await call('GET', `/v1/payment_intents/${body.id}`);
    const { code, network_decline_code: network } = settled.last_payment_error ?? {};
    expect({ ...(code && { code, network }) }).toEqual(why);
    expect(sandbox.charges()).toHaveLength(status === 'succeeded' ? 1 : 0);
  });

  it('is blocked after a return that says never again', async () => {
    const { body } = await debit('pm_usBankAccount_accountClosed');
    await control(`/payment_intents/${body.id}/settle`, {});
    const again = await call('POST', '/v1/payment_intents', {
      amount: '2900',
      currency: 'usd',
      confirm: 'true',
      customer: body.customer,
      payment_method: body.payment_method,
      mandate: 'mandate_1',
      'allowed_payment_method_types[0]': 'us_bank_account',
    });
    expect(again.body.error).toMatchObject({ code: 'payment_method_bank_account_blocked' });
  });

  it('that had succeeded is taken back once, by a dispute that is lost already', async () => {
    const { body } = await debit('pm_usBankAccount_success');
    const takeBack = (code: string) => control(`/payment_intents/${body.id}/return`, { code });
    expect((await takeBack('R10')).status).toBe(400);
    await control(`/payment_intents/${body.id}/settle`, {});
    expect((await takeBack('10')).status).toBe(400);
    expect((await takeBack('R10')).status).toBe(200);
    expect((await takeBack('R10')).status).toBe(400);
    const { body: disputes } = await call('GET', '/v1/disputes', { payment_intent: body.id });
    expect(disputes.data).toMatchObject([
      {
        status: 'lost',
        reason: 'debit_not_authorized',
        network_reason_code: 'R10',
        balance_transactions: [{ amount: -2900 }],
      },
    ]);
    expect((await call('POST', '/v1/refunds', { payment_intent: body.id })).body.error).toMatchObject({
      code: 'charge_disputed',
    });
    const { body: events } = await call('GET', '/v1/events', { limit: '3' });
    expect(events.data.map(({ type }: { type: string }) => type)).toEqual([
      'charge.dispute.closed',
      'charge.dispute.funds_withdrawn',
      'charge.dispute.created',
    ]);
  });

  it('of pm_usBankAccount_dispute succeeds and is taken back', async () => {
    const { body } = await debit('pm_usBankAccount_dispute');
    await control(`/payment_intents/${body.id}/settle`, {});
    const { body: disputes } = await call('GET', '/v1/disputes', { payment_intent: body.id });
    expect(disputes.data).toHaveLength(1);
  });
});
