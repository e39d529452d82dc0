import { describe, expect, it } from 'vitest';
import { VendorError } from '../../domain/errors.ts';
import { BankFeedError } from '../../domain/payments/bank-feed.ts';
import { isUnusableToken, toVendorError } from './errors.ts';

const secret = 'plaid-secret-that-nobody-may-see';
const accessToken = 'access-sandbox-de3ce8ef-33f8-452c-a685-8671031fc0f6';

/** As much of the SDK's error as there is, with what it carries along. */
function failure({
  status = 400,
  data,
  code,
  headers = {},
}: {
  status?: number | null;
  data?: object | string | undefined;
  code?: string;
  headers?: object;
}): Error {
  const config = { headers: { 'PLAID-SECRET': secret }, data: JSON.stringify({ access_token: accessToken }) };
  const response = status === null ? undefined : { status, headers, data, config };
  return Object.assign(new Error('Request failed'), {
    isAxiosError: true,
    code,
    config,
    request: config,
    response,
  });
}

const plaidError = (error_type: string, error_code: string, error_message = 'a sentence of Plaid') => ({
  error_type,
  error_code,
  error_message,
  display_message: null,
  request_id: 'req1',
});

describe('what Plaid says of a connection', () => {
  it.each([
    ['ITEM_ERROR', 'ITEM_LOGIN_REQUIRED', 'login_required', 'state_conflict'],
    ['ITEM_ERROR', 'INVALID_CREDENTIALS', 'login_required', 'state_conflict'],
    ['ITEM_ERROR', 'ACCESS_NOT_GRANTED', 'login_required', 'state_conflict'],
    ['ITEM_ERROR', 'PRODUCT_NOT_READY', 'not_ready', 'vendor_unavailable'],
    ['ITEM_ERROR', 'ITEM_NOT_FOUND', 'access_revoked', 'not_found'],
    ['INVALID_INPUT', 'INVALID_ACCESS_TOKEN', 'access_revoked', 'not_found'],
    ['INSTITUTION_ERROR', 'INSTITUTION_DOWN', 'bank_unavailable', 'vendor_unavailable'],
    ['INSTITUTION_ERROR', 'INSTITUTION_NOT_RESPONDING', 'bank_unavailable', 'vendor_unavailable'],
    [
      'TRANSACTIONS_ERROR',
      'TRANSACTIONS_SYNC_MUTATION_DURING_PAGINATION',
      'changed_while_reading',
      'vendor_unavailable',
    ],
  ])('%s %s is %s', (type, errorCode, reason, code) => {
    const error = toVendorError(failure({ data: plaidError(type, errorCode) }), { mutates: false });
    expect(error).toBeInstanceOf(BankFeedError);
    expect(error).toMatchObject({
      name: 'BankFeedError',
      reason,
      code,
      message: `Plaid: ${errorCode}: a sentence of Plaid`,
      vendorRequestId: 'req1',
    });
  });

  it('a cursor of another connection is told from other fields that are wrong', () => {
    const data = plaidError('INVALID_REQUEST', 'INVALID_FIELD', 'cursor not associated with access_token');
    expect(toVendorError(failure({ data }), { mutates: false })).toMatchObject({ reason: 'cursor_unknown' });
    const other = plaidError('INVALID_REQUEST', 'INVALID_FIELD', 'count must be between 1 and 500');
    expect(toVendorError(failure({ data: other }), { mutates: false })).toMatchObject({
      name: 'VendorError',
      code: 'vendor_rejected_request',
    });
  });
});

it('a public token that is not taken is told from whatever else is refused, by its code alone', () => {
  const data = (code: string, message?: string) => plaidError('INVALID_INPUT', code, message);
  expect(isUnusableToken(failure({ data: data('INVALID_PUBLIC_TOKEN') }))).toBe(true);
  expect(isUnusableToken(failure({ data: data('INVALID_API_KEYS', 'INVALID_PUBLIC_TOKEN') }))).toBe(false);
  expect(isUnusableToken(failure({ status: 500, data: data('INVALID_PUBLIC_TOKEN') }))).toBe(false);
  expect(isUnusableToken(new Error('INVALID_PUBLIC_TOKEN'))).toBe(false);
});

describe('what else goes wrong with Plaid', () => {
  it.each([
    ['INVALID_REQUEST', 'MISSING_FIELDS', 400, 'vendor_rejected_request', 'vendor_rejected_request'],
    ['INVALID_INPUT', 'INVALID_API_KEYS', 400, 'vendor_rejected_request', 'vendor_rejected_request'],
    ['INVALID_INPUT', 'INVALID_PUBLIC_TOKEN', 400, 'vendor_rejected_request', 'vendor_rejected_request'],
    ['INVALID_RESULT', 'SOMETHING_NEW', 400, 'vendor_rejected_request', 'vendor_rejected_request'],
    ['RATE_LIMIT_EXCEEDED', 'TRANSACTIONS_LIMIT', 429, 'rate_limited', 'rate_limited'],
    ['RATE_LIMIT_EXCEEDED', 'TRANSACTIONS_SYNC_LIMIT', 400, 'rate_limited', 'rate_limited'],
    ['API_ERROR', 'INTERNAL_SERVER_ERROR', 500, 'vendor_unavailable', 'outcome_unknown'],
    ['API_ERROR', 'PLANNED_MAINTENANCE', 503, 'vendor_unavailable', 'outcome_unknown'],
  ])('%s %s (%i) is %s, and %s of what changes something', (type, errorCode, status, read, mutation) => {
    const seen = failure({ status, data: plaidError(type, errorCode) });
    expect(toVendorError(seen, { mutates: false })).toMatchObject({ name: 'VendorError', code: read });
    expect(toVendorError(seen, { mutates: true })).toMatchObject({ name: 'VendorError', code: mutation });
  });

  it('no delay is made up where Plaid names none, and its own is kept', () => {
    const data = plaidError('RATE_LIMIT_EXCEEDED', 'TRANSACTIONS_LIMIT');
    expect(toVendorError(failure({ status: 429, data }), { mutates: false }).retryAfterMs).toBeUndefined();
    const named = failure({ status: 429, data, headers: { 'retry-after': '7' } });
    expect(toVendorError(named, { mutates: false }).retryAfterMs).toBe(7_000);
  });

  it.each([
    ['a page of something in between', { status: 400, data: '<html>' }, 'outcome_unknown'],
    ['a redirect', { status: 302, data: undefined }, 'outcome_unknown'],
    ['nothing', { status: null, code: 'ECONNRESET' }, 'outcome_unknown'],
    ['too late', { status: null, code: 'ERR_CANCELED' }, 'outcome_unknown'],
    ['nobody there', { status: null, code: 'ECONNREFUSED' }, 'vendor_unavailable'],
    ['no such host', { status: null, code: 'ENOTFOUND' }, 'vendor_unavailable'],
  ])('%s: whether it happened is told', (_, answer, code) => {
    expect(toVendorError(failure(answer), { mutates: true })).toMatchObject({ code });
    expect(toVendorError(failure(answer), { mutates: false })).toMatchObject({ code: 'vendor_unavailable' });
  });

  it('a fault of our own is unknown, and one in our words stays as it is', () => {
    expect(toVendorError(new TypeError('x'), { mutates: true })).toMatchObject({
      code: 'outcome_unknown',
      message: 'Plaid: TypeError',
    });
    const own = new VendorError({ code: 'rate_limited', message: 'x' });
    expect(toVendorError(own, { mutates: true })).toBe(own);
  });
});

describe('nothing of the request is carried on', () => {
  it.each([
    ['an answer of Plaid', { data: plaidError('INVALID_INPUT', 'INVALID_API_KEYS') }],
    ['a connection', { data: plaidError('ITEM_ERROR', 'ITEM_LOGIN_REQUIRED') }],
    [
      'a token that Plaid quotes',
      { data: plaidError('INVALID_INPUT', 'OTHER', `unknown token ${accessToken}`) },
    ],
    ['no answer', { status: null, code: 'ECONNRESET' }],
    ['an unreadable one', { status: 502, data: `proxy saw ${secret}` }],
  ])('in an error about %s', (_, answer) => {
    const error = toVendorError(failure(answer), { mutates: true });
    const everything = [
      JSON.stringify(error),
      String(error),
      error.stack,
      JSON.stringify(Object.entries(error)),
    ];
    expect(error.cause).toBeUndefined();
    expect(everything.join('\n')).not.toContain(secret);
    expect(everything.join('\n')).not.toContain(accessToken);
  });
});
