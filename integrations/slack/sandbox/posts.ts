/** Posts to incoming webhooks: refused as Slack refuses them, kept instead of shown to people. */
import { createHash, randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { SandboxClock } from '../../sandbox/clock.ts';
import type { Collection } from '../../sandbox/store.ts';
import { type Operation, VendorRefusal } from '../../sandbox/vendor.ts';

export type Post = {
  id: string;
  at: string;
  /** Which webhook took it, without the secret in its address. */
  hook: string;
  /** As it was sent: Slack's markup. */
  text: string;
  /** Whom it would ring: `<!channel>`, `<@U…>`, `@here`. */
  mentions: string[];
};

export const hookStates = ['active', 'revoked', 'archived', 'forbidden'] as const;
export type HookState = (typeof hookStates)[number];
export type Hook = { state: HookState };

/** What a webhook is known by here: its address is a secret, so it is not kept. */
export function hookKey(path: string): string {
  return createHash('sha256').update(path).digest('hex').slice(0, 12);
}

/** The body of a post; of all that Slack takes, what we send. */
export const postRequest = z.strictObject({ text: z.string() });

const textMax = 40_000;

export function postOperations({
  posts,
  hooks,
  clock,
}: {
  posts: Collection<Post>;
  hooks: Collection<Hook>;
  clock: SandboxClock;
}): Operation<unknown>[] {
  return [
    {
      op: 'webhooks.post',
      method: 'POST',
      path: '/services/:team/:app/:secret',
      mutates: true,
      run: ({ params, pathParams: { team = '', app = '', secret = '' } }) => {
        const { text } = params as z.output<typeof postRequest>;
        const hook = hookKey(`/services/${team}/${app}/${secret}`);
        const refusal = refusals[hooks.get(hook)?.state ?? 'active'] ?? refusedText(text);
        if (refusal !== null) throw new VendorRefusal(refusal);
        const post: Post = {
          id: randomUUID(),
          at: clock.now().toISOString(),
          hook,
          text,
          mentions: mentionsIn(text),
        };
        posts.put(post.id, post);
        // The subject is all that tells two notices apart from outside.
        return { body: 'ok', note: { outcome: 'effect', objectId: post.id, businessRef: firstLineOf(text) } };
      },
    },
  ];
}

/** https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks#handling_errors */
const refusals: Record<HookState, { status: number; body: string } | null> = {
  active: null,
  revoked: { status: 404, body: 'no_service' },
  archived: { status: 410, body: 'channel_is_archived' },
  forbidden: { status: 403, body: 'action_prohibited' },
};

function refusedText(text: string): { status: number; body: string } | null {
  if (text.trim() === '') return { status: 400, body: 'no_text' };
  return text.length > textMax ? { status: 400, body: 'msg_too_long' } : null;
}

/** Also what only rings in chats that are like Slack. */
function mentionsIn(text: string): string[] {
  return text.match(/<[!@#][^>]*>|(?<!\w)@(channel|here|everyone|all)\b/g) ?? [];
}

function firstLineOf(text: string): string {
  return (text.split('\n')[0] ?? '').replaceAll('*', '');
}
