/** A stage for direct debits: each story's subscription is paid for by card until its first renewal, on day 0, debits a bank account. */
import { type Actor, beginRenewing } from './ensemble.ts';
import { subscribePaid, useBankAccount } from './people.ts';
import { createStage, type Stage, type Act as StageAct, type Story as StageStory } from './stage.ts';

export type DebitStory = StageStory<Actor> & { plan?: string };

export function createDebitStage({ days }: { days: number }): Stage<DebitStory> {
  return createStage<Actor, DebitStory>({
    startsAt: '2030-12-31T10:00:00Z',
    days,
    begin: (world, stories) =>
      beginRenewing(world, stories, async ({ plan }) => {
        const id = await subscribePaid(world, {
          outcomes: ['succeeded'],
          ...(plan !== undefined && { plan }),
        });
        await useBankAccount(world, id);
        return id;
      }),
  });
}

/** The bank takes the latest paid debit of the subscription back. */
export function takesBack(code: string): StageAct {
  return async ({ world, subscriptionId }) => {
    const { data } = await world.ok('GET', '/v1/payments?limit=100');
    const invoices = (await world.ok('GET', `/v1/invoices?subscriptionId=${subscriptionId}&limit=100`)).data;
    const own = new Set(invoices.map(({ id }: { id: string }) => id));
    const paid = data.find(
      ({ invoiceId, returnedAt }: { invoiceId: string; returnedAt: string | null }) =>
        own.has(invoiceId) && returnedAt === null,
    );
    world.stripe.returnDebit(paid.externalId, code);
  };
}
