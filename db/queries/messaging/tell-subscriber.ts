/** Messages about a subscription, to the customer who has it. */
import type { CustomerNotification } from '../../../domain/messaging/notification.ts';
import type { Tx } from '../../client.ts';
import type { SubscriptionRow } from '../billing/subscriptions.ts';
import { enqueueNotification } from './notifications.ts';

type Message<N extends CustomerNotification = CustomerNotification> = N extends unknown
  ? Pick<N, 'template' | 'variables' | 'attaches'> & {
      /** Which of its kind this is, where a subscription can meet several; without it, one is sent in its life. */
      occasion?: string;
    }
  : never;

/** Decides a message; the same template and occasion of one subscription is sent once. */
export function tellSubscriber(
  tx: Tx,
  { subscription }: { subscription: SubscriptionRow },
  at: Date,
  { occasion, ...message }: Message,
): Promise<void> {
  const { tenantId, customerId, id: subscriptionId } = subscription;
  const dedupeKey = ['subscription', subscriptionId, message.template, occasion]
    .filter((part) => part !== undefined)
    .join(':');
  return enqueueNotification(tx, {
    tenantId,
    at,
    request: { ...message, customerId, subscriptionId, dedupeKey } as CustomerNotification,
  });
}
