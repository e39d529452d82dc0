/** Notifications: what customers and operators were told, and whether it went out. */
import { z } from 'zod';
import {
  findNotification,
  listNotifications,
  type NotificationRow,
} from '../../db/queries/messaging/read-notifications.ts';
import { page, pageOf, pageQuery } from '../pagination.ts';
import { notFound } from '../problem.ts';
import { type Route, route } from '../route.ts';
import {
  exampleNotification,
  type NotificationBody,
  notification,
  notificationCursor,
  notificationFilters,
  notificationParams,
} from './notifications.schemas.ts';

const list = route({
  effect: 'read',
  method: 'get',
  path: '/v1/notifications',
  operationId: 'listNotifications',
  tag: 'Notifications',
  scope: 'billing:read',
  summary: 'List messages to customers and operators, newest first',
  query: z.strictObject({ ...pageQuery(notificationCursor), ...notificationFilters }),
  responses: {
    200: {
      description: 'A page of messages.',
      schema: pageOf(notification),
      links: {
        GetNotification: {
          operationId: 'getNotification',
          parameters: { notificationId: '$response.body#/data/0/id' },
        },
      },
    },
  },
  handler: async ({ tx, query: { limit, cursor, customerId, subscriptionId, status, channel } }) => ({
    status: 200,
    body: await page({
      limit,
      fetch: (count) =>
        listNotifications(tx, { customerId, subscriptionId, status, channel, cursor, limit: count }),
      cursorOf: ({ id }) => id,
      toItem: toNotification,
    }),
  }),
});

const read = route({
  effect: 'read',
  method: 'get',
  path: '/v1/notifications/{notificationId}',
  operationId: 'getNotification',
  tag: 'Notifications',
  scope: 'billing:read',
  summary: 'Read a message to a customer or to operators',
  params: notificationParams,
  responses: { 200: { description: 'The message.', schema: notification, example: exampleNotification } },
  handler: async ({ tx, params: { notificationId } }) => {
    const row = await findNotification(tx, notificationId);
    if (row === null) throw notFound('notification', notificationId);
    return { status: 200, body: toNotification(row) };
  },
});

export const notificationRoutes: readonly Route[] = [list, read];

function toNotification(row: NotificationRow): NotificationBody {
  const { id, customerId, subscriptionId, channel, template, status, recipient, subject, attempts, error } =
    row;
  return {
    id,
    customerId,
    subscriptionId,
    channel,
    template,
    status,
    recipient,
    subject,
    attempts,
    error,
    decidedAt: row.decidedAt.toISOString(),
    sentAt: row.sentAt?.toISOString() ?? null,
  };
}
