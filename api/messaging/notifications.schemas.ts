/** The message to a customer as callers get it. */
import { z } from 'zod';
import type { NotificationChannel, NotificationStatus } from '../../db/schema/messaging.ts';
import { notificationTemplates } from '../../domain/messaging/notification.ts';
import { id, idPattern, instant } from '../schemas.ts';

const statuses = {
  queued: true,
  sending: true,
  sent: true,
  failed: true,
  unknown: true,
  skipped: true,
} satisfies Record<NotificationStatus, true>;

const channels = { mail: true, chat: true } satisfies Record<NotificationChannel, true>;

const channel = z.enum(Object.keys(channels) as [NotificationChannel, ...NotificationChannel[]]).meta({
  id: 'NotificationChannel',
  description:
    'chat: a notice in the chat of your operators. Its post has no key: in doubt it is posted again.',
});

const status = z.enum(Object.keys(statuses) as [NotificationStatus, ...NotificationStatus[]]).meta({
  id: 'NotificationStatus',
  description:
    'unknown: the answer of the mail vendor, or of the chat, was lost for good; a person decides. skipped: there is no address any more.',
});

export const notification = z
  .object({
    id: id('ntf', 'notification'),
    customerId: id('cus', 'customer')
      .nullable()
      .meta({ description: 'Null: a message to you, such as the daily report.' }),
    subscriptionId: id('sub', 'subscription').nullable(),
    channel,
    template: z.enum(notificationTemplates),
    status,
    recipient: z
      .string()
      .nullable()
      .meta({ description: 'Null before it is sent and after the erasure. Of a chat its host.' }),
    subject: z.string().nullable(),
    attempts: z.int(),
    error: z.string().nullable(),
    decidedAt: instant,
    sentAt: instant.nullable(),
  })
  .meta({ id: 'Notification' });

export type NotificationBody = z.infer<typeof notification>;

export const notificationParams = z.strictObject({ notificationId: id('ntf', 'notification') });

export const notificationCursor = idPattern('ntf');

export const notificationFilters = {
  customerId: id('cus', 'customer').optional(),
  subscriptionId: id('sub', 'subscription').optional(),
  status: status.optional(),
  channel: channel.optional(),
};

export const exampleNotification: NotificationBody = {
  id: 'ntf_0198f1c07b2a7c6e9d3b5a4f2e1d0c9b',
  customerId: 'cus_0198f1c07b2a7c6e9d3b5a4f2e1d0c9b',
  subscriptionId: 'sub_0198f1c07b2a7c6e9d3b5a4f2e1d0c9b',
  channel: 'mail',
  template: 'trial_started',
  status: 'sent',
  recipient: 'ada@example.com',
  subject: 'Your trial of Pro monthly has begun',
  attempts: 1,
  error: null,
  decidedAt: '2026-11-21T09:00:00.000Z',
  sentAt: '2026-11-21T09:00:01.000Z',
};
