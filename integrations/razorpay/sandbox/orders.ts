/** Orders: what a checkout is opened with. Neither a key nor a receipt keeps a second one away. */
import { z } from 'zod';
import { newObjectId, type Order, orderNote, type RazorpayContext, requireOrder } from './context.ts';
import { collectionOf, notes, operation, pagination, type RazorpayOperation } from './params.ts';

/** One rupee, one euro and so on. */
const SMALLEST_AMOUNT = 100;
const zeroDecimal = new Set('BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF'.split(' '));
const threeDecimal = new Set('BHD IQD JOD KWD OMR TND'.split(' '));

const newOrder = z
  .strictObject({
    amount: z.number().int(),
    currency: z.string().regex(/^[A-Z]{3}$/),
    receipt: z.string().max(40).optional(),
    notes,
    partial_payment: z.literal(false).optional(),
  })
  .superRefine(({ amount, currency }, context) => {
    const smallest = zeroDecimal.has(currency) ? 1 : SMALLEST_AMOUNT;
    if (amount < smallest)
      context.addIssue({
        code: 'custom',
        path: ['amount'],
        message: 'Order amount less than minimum amount allowed',
      });
    if (threeDecimal.has(currency) && amount % 10 !== 0)
      context.addIssue({ code: 'custom', path: ['amount'], message: 'the last digit must be 0' });
  });

export function orderOperations(context: RazorpayContext): RazorpayOperation[] {
  const { orders, payments, clock } = context;
  return [
    operation({
      op: 'orders.create',
      method: 'POST',
      path: '/v1/orders',
      params: newOrder,
      run: ({ params }) => {
        const order: Order = {
          id: newObjectId('order'),
          entity: 'order',
          amount: params.amount,
          amount_paid: 0,
          amount_due: params.amount,
          currency: params.currency,
          receipt: params.receipt ?? null,
          offer_id: null,
          status: 'created',
          attempts: 0,
          notes: params.notes,
          created_at: clock.seconds(),
        };
        orders.put(order.id, order);
        return { body: order, note: orderNote(order, { outcome: 'effect' }) };
      },
    }),
    operation({
      op: 'orders.list',
      method: 'GET',
      path: '/v1/orders',
      params: z.strictObject({
        ...pagination,
        receipt: z.string().optional(),
        authorized: z.enum(['0', '1']).optional(),
      }),
      run: ({ params: { receipt, authorized, ...page } }) => {
        const isAuthorized = (order: Order) =>
          payments.values().some(({ order_id, status }) => order_id === order.id && status === 'authorized');
        const matching = orders
          .values()
          .filter((order) => receipt === undefined || order.receipt === receipt)
          .filter((order) => authorized === undefined || isAuthorized(order) === (authorized === '1'));
        return { body: collectionOf(matching, page) };
      },
    }),
    operation({
      op: 'orders.retrieve',
      method: 'GET',
      path: '/v1/orders/:id',
      params: z.strictObject({}),
      run: ({ pathParams: { id = '' } }) => ({ body: requireOrder(context, id) }),
    }),
    operation({
      op: 'orders.payments',
      method: 'GET',
      path: '/v1/orders/:id/payments',
      params: z.strictObject({}),
      run: ({ pathParams: { id = '' } }) => {
        const { id: orderId } = requireOrder(context, id);
        const items = payments
          .values()
          .filter(({ order_id }) => order_id === orderId)
          .toReversed();
        return { body: { entity: 'collection', count: items.length, items } };
      },
    }),
  ];
}
