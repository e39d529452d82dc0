/** Plans: what one cycle of a subscription costs. They are never changed, and cannot be looked for by their notes. */
import { z } from 'zod';
import { newObjectId, type Plan, type RazorpayContext } from './context.ts';
import { collectionOf, notes, operation, pagination, type RazorpayOperation } from './params.ts';

/** One rupee. */
const SMALLEST_AMOUNT = 100;
const SMALLEST_DAILY_INTERVAL = 7;

const newPlan = z
  .strictObject({
    period: z.enum(['daily', 'weekly', 'monthly', 'yearly']),
    interval: z.number().int().min(1),
    item: z.strictObject({
      name: z.string().min(1),
      amount: z.number().int().min(SMALLEST_AMOUNT),
      currency: z.string().regex(/^[A-Z]{3}$/),
    }),
    notes,
  })
  .refine(({ period, interval }) => period !== 'daily' || interval >= SMALLEST_DAILY_INTERVAL, {
    path: ['interval'],
    message: `must be at least ${SMALLEST_DAILY_INTERVAL} for daily plans`,
  });

export function planOperations({ plans, clock }: RazorpayContext): RazorpayOperation[] {
  return [
    operation({
      op: 'plans.create',
      method: 'POST',
      path: '/v1/plans',
      params: newPlan,
      run: ({ params: { item, ...params } }) => {
        const plan: Plan = {
          id: newObjectId('plan'),
          entity: 'plan',
          ...params,
          item: { id: newObjectId('item'), active: true, ...item },
          created_at: clock.seconds(),
        };
        plans.put(plan.id, plan);
        return { body: plan, note: { outcome: 'effect', objectId: plan.id } };
      },
    }),
    operation({
      op: 'plans.list',
      method: 'GET',
      path: '/v1/plans',
      params: z.strictObject(pagination),
      run: ({ params }) => ({ body: collectionOf(plans.values(), params) }),
    }),
  ];
}
