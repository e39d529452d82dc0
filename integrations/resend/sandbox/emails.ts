/** Resend's mails: checked as Resend checks them, kept instead of sent. */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { SandboxClock } from '../../sandbox/clock.ts';
import type { Collection } from '../../sandbox/store.ts';
import { type Operation, VendorRefusal } from '../../sandbox/vendor.ts';
import { errorAnswer } from './errors.ts';

/** A mail as Resend shows it. */
export type SentMail = {
  object: 'email';
  id: string;
  message_id: string;
  to: string[];
  from: string;
  created_at: string;
  subject: string;
  html: string | null;
  text: string | null;
  bcc: string[];
  cc: string[];
  reply_to: string[];
  last_event: string;
  tags: { name: string; value: string }[];
};

/** A file that went with a mail, its content in base64. Resend does not show it with the mail. */
export type SentFile = { filename: string; content: string };

export function emailOperations({
  mails,
  files,
  clock,
}: {
  mails: Collection<SentMail>;
  /** By the id of the mail they went with. */
  files: Collection<SentFile[]>;
  clock: SandboxClock;
}): Operation<unknown>[] {
  return [
    {
      op: 'emails.send',
      method: 'POST',
      path: '/emails',
      mutates: true,
      run: ({ params, idempotencyKey }) => {
        const request = params as SendRequest;
        const mail = newMail(request, clock.now());
        mails.put(mail.id, mail);
        if (request.attachments !== undefined) files.put(mail.id, request.attachments.map(toFile));
        const notificationId = mail.tags.find(({ name }) => name === 'notificationId')?.value;
        const note = {
          outcome: 'effect',
          objectId: mail.id,
          businessRef: notificationId ?? idempotencyKey ?? undefined,
          detail: mail.last_event,
        } as const;
        return { body: { id: mail.id }, note };
      },
    },
    {
      op: 'emails.retrieve',
      method: 'GET',
      path: '/emails/:id',
      mutates: false,
      run: ({ pathParams: { id = '' } }) => {
        const mail = mails.get(id);
        if (!mail) throw new VendorRefusal(errorAnswer(404, 'not_found', 'Email not found'));
        return { body: mail };
      },
    },
    {
      op: 'emails.list',
      method: 'GET',
      path: '/emails',
      mutates: false,
      run: ({ params }) => ({ body: listMails(mails.values().toReversed(), params as ListRequest) }),
    },
  ];
}

const address = /^([^<>]*<[^<>\s@]+@[^<>\s@]+\.[^<>\s@]+>|[^<>\s@]+@[^<>\s@]+\.[^<>\s@]+)$/;
const recipient = z.string().regex(address);
const recipients = z
  .union([recipient.transform((one) => [one]), z.array(recipient).min(1).max(50)])
  .optional();
const tagText = z
  .string()
  .max(256)
  .regex(/^[\w-]*$/);

/** Base64, as the SDK sends binary content. */
const attachment = z.strictObject({
  filename: z.string().min(1),
  content: z.base64().min(1),
  content_type: z.string().optional(),
});

/** The body of `POST /emails`; templates, scheduling and files at an address are not part of this sandbox. */
export const sendRequest = z.strictObject({
  from: z.string().regex(address),
  to: recipients.unwrap(),
  subject: z.string().min(1),
  html: z.string().optional(),
  text: z.string().optional(),
  cc: recipients,
  bcc: recipients,
  reply_to: recipients,
  headers: z.record(z.string(), z.string()).optional(),
  attachments: z.array(attachment).optional(),
  tags: z.array(z.strictObject({ name: tagText, value: tagText })).optional(),
});

/** The query of `GET /emails`. */
export const listRequest = z.strictObject({
  limit: z.coerce.number().int().min(1).max(100).default(20),
  after: z.string().optional(),
  before: z.string().optional(),
});

type SendRequest = z.output<typeof sendRequest>;
type ListRequest = z.output<typeof listRequest>;

/** Resend's own test addresses end as their name says. */
const testEnds = new Map([
  ['bounced@resend.dev', 'bounced'],
  ['complained@resend.dev', 'complained'],
  ['suppressed@resend.dev', 'suppressed'],
]);

function newMail(request: SendRequest, now: Date): SentMail {
  const id = randomUUID();
  return {
    object: 'email',
    id,
    message_id: `<${id}@sandbox.invalid>`,
    to: request.to,
    from: request.from,
    created_at: now.toISOString().replace('T', ' ').replace('Z', '000+00'),
    subject: request.subject,
    html: request.html ?? null,
    text: request.text ?? null,
    bcc: request.bcc ?? [],
    cc: request.cc ?? [],
    reply_to: request.reply_to ?? [],
    last_event: testEnds.get(request.to[0] ?? '') ?? 'delivered',
    tags: request.tags ?? [],
  };
}

function toFile({ filename, content }: z.output<typeof attachment>): SentFile {
  return { filename, content };
}

/** Newest first, without the contents. */
function listMails(newestFirst: SentMail[], { limit, after, before }: ListRequest) {
  const end = before === undefined ? newestFirst.length : newestFirst.findIndex(({ id }) => id === before);
  const start = before === undefined ? newestFirst.findIndex(({ id }) => id === after) + 1 : end - limit;
  const page = newestFirst.slice(Math.max(0, start), Math.min(Math.max(0, start) + limit, end));
  const more = before === undefined ? start + page.length < newestFirst.length : start > 0;
  return {
    object: 'list',
    has_more: more,
    data: page.map(({ html: _html, text: _text, tags: _tags, object: _object, ...mail }) => mail),
  };
}
