/** What every part of the Plaid sandbox works on: Items with their accounts and movements, tokens, keys, events, its clock. */
import { randomUUID } from 'node:crypto';
import type { SandboxClock } from '../../sandbox/clock.ts';
import { randomBase62 } from '../../sandbox/random.ts';
import type { Collection, Store } from '../../sandbox/store.ts';
import { type PlaidErrorBody, type PlaidErrorName, plaidError, refusal } from './errors.ts';

export const updateStatuses = ['NOT_READY', 'INITIAL_UPDATE_COMPLETE', 'HISTORICAL_UPDATE_COMPLETE'] as const;

export type UpdateStatus = (typeof updateStatuses)[number];

/** One login at one bank. */
export type Item = {
  id: string;
  accessToken: string;
  institutionId: string;
  institutionName: string;
  webhook: string | null;
  products: string[];
  error: PlaidErrorBody | null;
  isRevoked: boolean;
  consentExpiresAt: string | null;
  createdAt: string;
  status: UpdateStatus;
  /** Whether `/sandbox/transactions/create` may add to it. */
  isDynamic: boolean;
  /** How many changes its log has. */
  seq: number;
  /** What the bank knows and Plaid has not read yet. */
  unread: Change[];
  /** Its first sync was asked for: from then on changes are told. */
  hasSynced: boolean;
  /** So many pages more are followed by a change before the next one is read. */
  mutations: number;
  lastReadAt: string | null;
  lastFailedAt: string | null;
  lastWebhook: { sent_at: string; code_sent: string } | null;
};

export type Account = {
  id: string;
  itemId: string;
  /** Of the bank's account, whoever connects it. */
  persistentId: string;
  name: string;
  officialName: string | null;
  mask: string;
  type: string;
  subtype: string;
  currency: string;
  balance: number;
  numbers: AccountNumbers;
};

export type AccountNumbers = {
  ach?: { account: string; routing: string; wireRouting: string } | undefined;
  international?: { iban: string; bic: string } | undefined;
};

export type PaymentMeta = {
  reference_number?: string | undefined;
  ppd_id?: string | undefined;
  payee?: string | undefined;
  by_order_of?: string | undefined;
  payer?: string | undefined;
  payment_method?: string | undefined;
  payment_processor?: string | undefined;
  reason?: string | undefined;
};

export type Counterparty = { name: string; type: string; iban?: string | undefined };

/** What a movement says of itself. */
export type MovementContent = {
  /** A decimal as Plaid counts: money OUT is positive. */
  amount: string;
  /** Null where only `unofficialCurrency` is given. */
  currency: string | null;
  unofficialCurrency: string | null;
  date: string;
  authorizedDate: string | null;
  name: string;
  merchantName: string | null;
  originalDescription: string | null;
  checkNumber: string | null;
  paymentMeta: PaymentMeta;
  counterparties: Counterparty[];
  pending: boolean;
};

export type Movement = MovementContent & {
  id: string;
  itemId: string;
  accountId: string;
  pendingId: string | null;
  /** The change that added it, and the last one that touched it. */
  addedSeq: number;
  lastSeq: number;
  isRemoved: boolean;
};

export type NewMovement = Omit<Movement, 'addedSeq' | 'lastSeq' | 'isRemoved'>;

export type Change =
  | { kind: 'add'; movement: NewMovement }
  | { kind: 'modify'; id: string; content: Partial<MovementContent> }
  | { kind: 'remove'; id: string };

export type PublicToken = { token: string; itemId: string; expiresAt: string; isUsed: boolean };

/** With an `itemId` it repairs that Item. */
export type LinkToken = {
  token: string;
  itemId: string | null;
  webhook: string | null;
  products: string[];
  userId: string;
  expiresAt: string;
  isUsed: boolean;
};

/** Times in seconds, as Plaid tells them. */
export type SigningKey = {
  kid: string;
  privateJwk: Record<string, unknown>;
  x: string;
  y: string;
  createdAt: number;
  expiredAt: number | null;
};

export type PlaidEvent = { id: string; type: string; itemId: string; url: string; body: object };

/** An error that the next requests are answered with. */
export type ScriptedFailure = {
  op: string | null;
  error: PlaidErrorName;
  times: number;
  /** So many requests go through before. */
  after: number;
};

export type PlaidContext = {
  items: Collection<Item>;
  accounts: Collection<Account>;
  movements: Collection<Movement>;
  publicTokens: Collection<PublicToken>;
  linkTokens: Collection<LinkToken>;
  keys: Collection<SigningKey>;
  events: Collection<PlaidEvent>;
  failures: ScriptedFailure[];
  clock: SandboxClock;
  /** Hands a new event to the webhook sender. */
  deliver(event: PlaidEvent): void;
};

export function openObjects(store: Store): Omit<PlaidContext, 'clock' | 'deliver'> {
  return {
    items: store.collection('items'),
    accounts: store.collection('accounts'),
    movements: store.collection('movements'),
    publicTokens: store.collection('public_tokens'),
    linkTokens: store.collection('link_tokens'),
    keys: store.collection('keys'),
    events: store.collection('events'),
    failures: [],
  };
}

/** `lPNjeW1nR6CDn5okmGQ6hEpMo4lLNoSrzqDje`: how Plaid names Items, accounts and movements. */
export function newPlaidId(): string {
  return randomBase62(37);
}

/** `access-sandbox-de3ce8ef-33f8-452c-a685-8671031fc0f6` */
export function newToken(kind: 'access' | 'public' | 'link'): string {
  return `${kind}-sandbox-${randomUUID()}`;
}

/** Throws Plaid's refusal of a token that opens nothing, and of an Item that was taken back. */
export function requireItem({ items }: PlaidContext, accessToken: string): Item {
  const item = items.values().find((each) => each.accessToken === accessToken);
  if (!item) throw refusal('INVALID_ACCESS_TOKEN');
  if (item.isRevoked) throw refusal('ITEM_NOT_FOUND');
  return item;
}

/** The same, of an Item whose bank can be read. */
export function requireReadableItem(context: PlaidContext, accessToken: string): Item {
  const item = requireItem(context, accessToken);
  if (item.error) throw refusal(item.error.error_code);
  return item;
}

export function accountsOf({ accounts }: PlaidContext, item: Item): Account[] {
  return accounts.values().filter(({ itemId }) => itemId === item.id);
}

export function changeItem(context: PlaidContext, item: Item, change: Partial<Item>): Item {
  const after = { ...item, ...change };
  context.items.put(after.id, after);
  return after;
}

/** The error as an Item and its events carry it: of no request. */
export function standingError(error: PlaidErrorName): PlaidErrorBody {
  return { ...plaidError(error), request_id: '' };
}
