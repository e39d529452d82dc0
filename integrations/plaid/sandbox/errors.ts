/** Plaid's errors: every one has a type, a code within it, and a sentence. https://plaid.com/docs/errors/ */
import { randomBase62 } from '../../sandbox/random.ts';
import { type VendorAnswer, VendorRefusal } from '../../sandbox/vendor.ts';

const errors = {
  MISSING_FIELDS: [400, 'INVALID_REQUEST', 'the following required fields are missing'],
  INVALID_FIELD: [400, 'INVALID_REQUEST', 'a field is invalid'],
  UNKNOWN_FIELDS: [400, 'INVALID_REQUEST', 'the following fields are not recognized by this endpoint'],
  INVALID_BODY: [400, 'INVALID_REQUEST', 'body could not be parsed as JSON'],
  NOT_FOUND: [404, 'INVALID_REQUEST', 'the requested endpoint does not exist'],
  INVALID_API_KEYS: [400, 'INVALID_INPUT', 'invalid client_id or secret provided'],
  INVALID_ACCESS_TOKEN: [400, 'INVALID_INPUT', 'could not find matching access token'],
  INVALID_PUBLIC_TOKEN: [400, 'INVALID_INPUT', 'could not find matching public token'],
  INVALID_LINK_TOKEN: [400, 'INVALID_INPUT', 'invalid link_token provided'],
  INVALID_ACCOUNT_ID: [400, 'INVALID_INPUT', 'failed to find requested account ID for requested item'],
  INVALID_WEBHOOK_VERIFICATION_KEY_ID: [400, 'INVALID_INPUT', 'invalid key_id provided'],
  INVALID_INSTITUTION: [400, 'INVALID_INPUT', 'invalid institution_id provided'],
  PRODUCT_NOT_READY: [
    400,
    'ITEM_ERROR',
    'the requested product is not yet ready. please provide a webhook or try the request again later',
  ],
  ITEM_LOGIN_REQUIRED: [
    400,
    'ITEM_ERROR',
    "the login details of this item have changed and a user login is required to update this information. use Link's update mode to restore the item to a good state",
  ],
  ITEM_NOT_FOUND: [400, 'ITEM_ERROR', 'The Item you requested cannot be found.'],
  INSTITUTION_DOWN: [
    400,
    'INSTITUTION_ERROR',
    'this institution is not currently responding to this request. please try again soon',
  ],
  INSTITUTION_NOT_RESPONDING: [400, 'INSTITUTION_ERROR', 'this institution is not currently responding'],
  TRANSACTIONS_SYNC_MUTATION_DURING_PAGINATION: [
    400,
    'TRANSACTIONS_ERROR',
    'Underlying transaction data changed since last page was fetched. Please restart pagination from last update.',
  ],
  TRANSACTIONS_LIMIT: [
    429,
    'RATE_LIMIT_EXCEEDED',
    'rate limit exceeded for attempts to access this item. please try again later',
  ],
  SANDBOX_WEBHOOK_INVALID: [
    400,
    'SANDBOX_ERROR',
    'unable to fire webhook: the item has no webhook configured',
  ],
  SANDBOX_PRODUCT_NOT_ENABLED: [
    400,
    'SANDBOX_ERROR',
    'the item does not support what was asked for in the sandbox',
  ],
  INTERNAL_SERVER_ERROR: [500, 'API_ERROR', 'an unexpected error occurred'],
} as const satisfies Record<string, readonly [status: number, type: string, message: string]>;

export type PlaidErrorName = keyof typeof errors;

export const plaidErrorNames = Object.keys(errors) as [PlaidErrorName, ...PlaidErrorName[]];

export type PlaidErrorBody = {
  error_type: string;
  error_code: PlaidErrorName;
  error_message: string;
  display_message: string | null;
  documentation_url: string;
  suggested_action: string | null;
  request_id: string;
};

export function plaidError(name: PlaidErrorName, message?: string): PlaidErrorBody {
  const [, type, usual] = errors[name];
  return {
    error_type: type,
    error_code: name,
    error_message: message ?? usual,
    display_message: null,
    documentation_url: `https://plaid.com/docs/?ref=error#${type.toLowerCase().replaceAll('_', '-')}-errors`,
    suggested_action: null,
    request_id: newRequestId(),
  };
}

/** `m8MDnv9okwxFNBV` */
export function newRequestId(): string {
  return randomBase62(15);
}

export function errorAnswer(name: PlaidErrorName, message?: string): VendorAnswer {
  return { status: errors[name][0], body: plaidError(name, message) };
}

export function refusal(name: PlaidErrorName, message?: string): VendorRefusal {
  return new VendorRefusal(errorAnswer(name, message), { outcome: 'refused', detail: name });
}
