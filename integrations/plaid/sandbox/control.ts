/** What tests and the demo do to the Plaid sandbox from outside: the bank, the person at Link, and Plaid's own moods. */
import type { Effect, EffectLog } from '../../sandbox/effect-log.ts';
import { createWebhookControl, type WebhookControl } from '../../sandbox/webhook-control.ts';
import type { WebhookSender } from '../../sandbox/webhooks.ts';
import { happen } from './changes.ts';
import {
  accountsOf,
  type Change,
  changeItem,
  type Item,
  type NewMovement,
  newPlaidId,
  type PlaidContext,
  type PlaidEvent,
  type UpdateStatus,
} from './context.ts';
import type { PlaidErrorName } from './errors.ts';
import { emit, emitSyncUpdates, plaidEventTypes, rotateKey, signedToken } from './events.ts';
import { completeLink, newPublicToken } from './items.ts';
import { expireConsent, repairLogin, requireLogin, revokeAccess } from './login.ts';
import {
  bookedMovement,
  changedContent,
  type MovementChange,
  type MovementInput,
  newMovement,
} from './movements.ts';
import { type AccountInput, createItem } from './new-item.ts';

export type SandboxItem = {
  itemId: string;
  accessToken: string;
  /** To be exchanged; null where Link only repaired an Item. */
  publicToken: string | null;
  accounts: { id: string; persistentId: string; name: string; mask: string; currency: string }[];
};

/** `later`: Plaid sees it at its next look (`/transactions/refresh`, or whatever happens next), and not at once. */
type When = { later?: boolean | undefined };

export type PlaidControl = WebhookControl & {
  /** A person connects a bank, without Link. */
  createItem(wanted?: {
    webhook?: string | null | undefined;
    accounts?: AccountInput[] | undefined;
    status?: UpdateStatus | undefined;
  }): SandboxItem;
  /** The same accounts connected once more: another Item, other ids of everything, all movements again. */
  connectAgain(itemId: string): SandboxItem;
  /** The person is through with Link: a new Item, or one that can be read again. */
  completeLink(
    linkToken: string,
    choice?: { institutionId?: string | undefined; accounts?: AccountInput[] | undefined },
  ): SandboxItem;
  /** The ids of the new movements, in order. */
  addTransactions(itemId: string, movements: readonly MovementInput[], when?: When): string[];
  modifyTransaction(itemId: string, id: string, change: MovementChange, when?: When): void;
  removeTransactions(itemId: string, ids: readonly string[], when?: When): void;
  /** A pending movement is booked: it goes, and another one comes that names it. Returns the id of that one. */
  postTransaction(itemId: string, pendingId: string, change?: MovementChange, when?: When): string;
  setUpdateStatus(itemId: string, status: UpdateStatus): void;
  /** So many times the log changes right after a page that is not the last. */
  changeWhileReading(itemId: string, times?: number): void;
  requireLogin(itemId: string): void;
  /** The login is repaired elsewhere than in Link of ours: `LOGIN_REPAIRED`. */
  repairLogin(itemId: string): void;
  expireConsent(itemId: string, at: string): void;
  expectDisconnect(itemId: string): void;
  revokeAccess(itemId: string): void;
  /** Another key signs from now on; the one before is over after so many seconds. Returns the new one's id. */
  rotateKey(options?: { graceSeconds?: number | undefined }): string;
  /** The token that proves an event with this body, for who sends one in Plaid's place. */
  signWebhook(body: string | Buffer): Promise<string>;
  /** The next requests, of one operation or any, are answered with this error; `after` so many that go through. */
  failNext(failure: {
    op?: string | undefined;
    error: PlaidErrorName;
    times?: number | undefined;
    after?: number | undefined;
  }): void;
  /** The effects of one Item's requests, oldest first. */
  effectsOf(itemId: string): Effect[];
};

export function createPlaidControl({
  context,
  log,
  webhooks,
  commit,
}: {
  context: PlaidContext;
  log: EffectLog;
  webhooks: WebhookSender<PlaidEvent>;
  commit: () => void;
}): PlaidControl {
  const committed = <T>(result: T): T => {
    commit();
    return result;
  };
  const itemOf = (itemId: string): Item => {
    const item = context.items.get(itemId);
    if (!item) throw new RangeError(`No Item ${itemId}`);
    return item;
  };
  const change = (itemId: string, changes: Change[], { later = false }: When = {}) => {
    happen(context, itemOf(itemId), changes, { isRead: !later });
    commit();
  };

  return {
    createItem({ webhook = null, accounts, status } = {}) {
      const item = createItem(context, { webhook, products: ['transactions'], accounts, status });
      return committed(shown(context, item, newPublicToken(context, item)));
    },
    connectAgain: (itemId) => committed(connectAgain(context, itemOf(itemId))),
    completeLink(linkToken, choice = {}) {
      const { item, publicToken } = completeLink(context, linkToken, choice);
      if (publicToken === null) repairLogin(context, item, { isTold: false });
      return committed(shown(context, item, publicToken));
    },
    addTransactions(itemId, movements, when) {
      const item = itemOf(itemId);
      const added = movements.map((movement) => newMovement(context, item, movement));
      change(itemId, added.map(addition), when);
      return added.map(({ id }) => id);
    },
    modifyTransaction(itemId, id, input, when) {
      requireMovement(context, itemOf(itemId), id);
      change(itemId, [{ kind: 'modify', id, content: changedContent(input) }], when);
    },
    removeTransactions(itemId, ids, when) {
      const item = itemOf(itemId);
      const removals = ids.map(
        (id): Change => ({ kind: 'remove', id: requireMovement(context, item, id).id }),
      );
      change(itemId, removals, when);
    },
    postTransaction(itemId, pendingId, input = {}, when) {
      const pending = requireMovement(context, itemOf(itemId), pendingId);
      const booked = bookedMovement(context, pending, input);
      change(itemId, [{ kind: 'remove', id: pendingId }, addition(booked)], when);
      return booked.id;
    },
    setUpdateStatus(itemId, status) {
      const lastReadAt = status === 'NOT_READY' ? null : context.clock.now().toISOString();
      emitSyncUpdates(context, changeItem(context, itemOf(itemId), { status, lastReadAt }));
      commit();
    },
    changeWhileReading(itemId, mutations = 1) {
      changeItem(context, itemOf(itemId), { mutations });
      commit();
    },
    requireLogin: (itemId) => void committed(requireLogin(context, itemOf(itemId))),
    repairLogin: (itemId) => void committed(repairLogin(context, itemOf(itemId), { isTold: true })),
    expireConsent: (itemId, at) => committed(expireConsent(context, itemOf(itemId), at)),
    expectDisconnect: (itemId) =>
      committed(
        emit(context, itemOf(itemId), 'ITEM.PENDING_DISCONNECT', { reason: 'INSTITUTION_MIGRATION' }),
      ),
    revokeAccess: (itemId) => committed(revokeAccess(context, itemOf(itemId))),
    rotateKey: ({ graceSeconds = 0 } = {}) =>
      committed(rotateKey(context, Math.floor(Date.now() / 1000) + graceSeconds).kid),
    async signWebhook(body) {
      const token = await signedToken(context, body);
      commit();
      return token;
    },
    failNext({ op = null, error, times = 1, after = 0 }) {
      context.failures.push({ op, error, times, after });
    },
    effectsOf: (itemId) => log.entries().filter(({ objectId }) => objectId === itemId),
    ...createWebhookControl(webhooks, plaidEventTypes),
  };
}

function shown(context: PlaidContext, item: Item, publicToken: string | null): SandboxItem {
  const accounts = accountsOf(context, item).map(({ id, persistentId, name, mask, currency }) => ({
    id,
    persistentId,
    name,
    mask,
    currency,
  }));
  return { itemId: item.id, accessToken: item.accessToken, publicToken, accounts };
}

function addition(movement: NewMovement): Change {
  return { kind: 'add', movement };
}

/** Also one that Plaid has not read yet. */
function requireMovement({ movements }: PlaidContext, item: Item, id: string): NewMovement {
  const known = movements.get(id);
  if (known?.itemId === item.id && !known.isRemoved) return known;
  for (const each of item.unread) if (each.kind === 'add' && each.movement.id === id) return each.movement;
  throw new RangeError(`Item ${item.id} has no transaction ${id}`);
}

/** What the bank knows is told again under other names: Plaid does not know that it is the same. */
function connectAgain(context: PlaidContext, before: Item): SandboxItem {
  const accounts = accountsOf(context, before);
  const item = createItem(context, {
    institution: { id: before.institutionId, name: before.institutionName },
    webhook: before.webhook,
    products: before.products,
    accounts: accounts.map(({ name, mask, currency, subtype, balance, persistentId, numbers }) => ({
      name,
      mask,
      currency,
      subtype,
      balance,
      persistentId,
      numbers,
    })),
  });
  const ours = accountsOf(context, item);
  const nameOf = new Map(accounts.map(({ id }, index) => [id, ours[index]?.id ?? '']));
  const known = context.movements
    .values()
    .filter(({ itemId, isRemoved }) => itemId === before.id && !isRemoved);
  const again = known.map((movement) => {
    const { addedSeq: _, lastSeq: __, isRemoved: ___, ...rest } = movement;
    const accountId = nameOf.get(movement.accountId) ?? '';
    return addition({ ...rest, id: newPlaidId(), itemId: item.id, accountId, pendingId: null });
  });
  happen(context, item, again, { isRead: true });
  return shown(context, item, newPublicToken(context, item));
}
