/** A new Item, as a person connects one: a bank, its accounts, and nothing read of them yet or all. */
import {
  type Account,
  type AccountNumbers,
  type Item,
  newPlaidId,
  newToken,
  type PlaidContext,
  type UpdateStatus,
} from './context.ts';
import { refusal } from './errors.ts';

export type AccountInput = {
  name?: string | undefined;
  mask?: string | undefined;
  currency?: string | undefined;
  subtype?: string | undefined;
  balance?: number | undefined;
  /** Of the bank's account: the same one connected again has the same. */
  persistentId?: string | undefined;
  numbers?: AccountNumbers | undefined;
};

type Institution = { id: string; name: string };

const institutions: readonly Institution[] = [
  { id: 'ins_109508', name: 'First Platypus Bank' },
  { id: 'ins_109509', name: 'First Gingham Credit Union' },
  { id: 'ins_109510', name: 'Tattersall Federal Credit Union' },
  { id: 'ins_117650', name: 'Royal Bank of Plaid' },
];

const firstInstitution = institutions[0] as Institution;

/** The first one when none is named. Throws Plaid's refusal of one it does not know. */
export function findInstitution(id: string | undefined): Institution {
  const institution = institutions.find((each) => each.id === (id ?? firstInstitution.id));
  if (!institution) throw refusal('INVALID_INSTITUTION');
  return institution;
}

const usualAccounts: readonly AccountInput[] = [
  { name: 'Plaid Checking', mask: '0000', subtype: 'checking', balance: 1_110 },
  { name: 'Plaid Saving', mask: '1111', subtype: 'savings', balance: 210 },
];

export function createItem(
  context: PlaidContext,
  {
    institution = firstInstitution,
    webhook,
    products,
    accounts = [...usualAccounts],
    status = 'HISTORICAL_UPDATE_COMPLETE',
    isDynamic = false,
  }: {
    institution?: Institution | undefined;
    webhook: string | null;
    products: string[];
    accounts?: AccountInput[] | undefined;
    status?: UpdateStatus | undefined;
    isDynamic?: boolean;
  },
): Item {
  const createdAt = context.clock.now().toISOString();
  const item: Item = {
    id: newPlaidId(),
    accessToken: newToken('access'),
    institutionId: institution.id,
    institutionName: institution.name,
    webhook,
    products,
    error: null,
    isRevoked: false,
    consentExpiresAt: null,
    createdAt,
    status,
    isDynamic,
    seq: 0,
    unread: [],
    hasSynced: false,
    mutations: 0,
    lastReadAt: status === 'NOT_READY' ? null : createdAt,
    lastFailedAt: null,
    lastWebhook: null,
  };
  context.items.put(item.id, item);
  for (const [index, account] of accounts.entries()) {
    const made = toAccount(item, account, index);
    context.accounts.put(made.id, made);
  }
  return item;
}

function toAccount(item: Item, input: AccountInput, index: number): Account {
  const mask = input.mask ?? String(index).repeat(4);
  const name = input.name ?? `Account ${mask}`;
  return {
    id: newPlaidId(),
    itemId: item.id,
    persistentId: input.persistentId ?? newPlaidId(),
    name,
    officialName: null,
    mask,
    type: 'depository',
    subtype: input.subtype ?? 'checking',
    currency: input.currency ?? 'USD',
    balance: input.balance ?? 0,
    numbers: input.numbers ?? {
      ach: { account: `111122223333${mask}`, routing: '011401533', wireRouting: '021000021' },
    },
  };
}
