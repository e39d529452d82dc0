/** A bank in a story's world: connected through Plaid's page, and what our rows say of it. */
import { withTenant } from '../../db/client.ts';
import { bankTransactions } from '../../db/schema/banking.ts';
import { bankConnectionWorkflowId } from '../../workflows/payments/bank-connection.contract.ts';
import type { Body, World } from './world.ts';

export type StoryBank = {
  /** Ours, and Plaid's name of it. */
  id: string;
  itemId: string;
  accounts: { name: string; mask: string; persistentId: string }[];
  read(): Promise<Body>;
  /** What moved on its tenant's accounts, in plain words: `2032-03-01 1000 new`. */
  movements(): Promise<string[]>;
  /** How often Plaid was asked what has changed, on all connections. */
  looks(): number;
  /** `RUNNING`, `COMPLETED` … */
  process(): Promise<string>;
};

/** Somebody connects a bank; `status`: how far Plaid has read it by then. */
export async function connectBank(world: World): Promise<StoryBank> {
  const { linkToken } = await world.ok('POST', '/v1/bank_link_tokens', {});
  return addBank(world, world.plaid.completeLink(linkToken));
}

/** What Link has given, sent to the API. */
export async function addBank(
  world: World,
  { itemId, publicToken, accounts }: ReturnType<World['plaid']['createItem']>,
): Promise<StoryBank> {
  const { id } = await world.ok('POST', '/v1/bank_connections', { publicToken });
  return {
    id,
    itemId,
    accounts,
    read: () => world.ok('GET', `/v1/bank_connections/${id}`),
    async movements() {
      const rows = await withTenant(world.db, world.tenantId, (tx) => tx.select().from(bankTransactions));
      return rows
        .map(({ bookedOn, amountMinor, status }) => `${bookedOn} ${amountMinor} ${status}`)
        .toSorted();
    },
    looks: () => world.plaid.calls()['transactions.sync'] ?? 0,
    async process() {
      const handle = world.client.workflow.getHandle(bankConnectionWorkflowId(itemId));
      return (await handle.describe()).status.name;
    },
  };
}

/** Operators who want to hear of their banks. */
export async function hearOfBanks(world: World): Promise<void> {
  await world.ok('PUT', '/v1/report_settings', { recipient: 'owner@acme.test' });
}
