/**
 * The port of the chat in which a tenant's operators read what needs them, and the rule which addresses may be one. Slack,
 * Mattermost, Rocket.Chat and others take notices at an "incoming webhook": an address that is its own password, and knows no
 * idempotency key. So a notice is posted at least once, and its row says how far it came:
 * - We die right before the post: the row says `sending`, nothing was posted; the relay posts it when its lease is over.
 * - We die right after it, or the answer is lost: the row says `sending`; the relay posts it again. The operators may read it
 *   twice, which costs them a glance; losing it could cost a payment.
 * - The mail that says the same has a row and a key of its own: whatever becomes of the chat, it is sent once.
 */

export type OperatorNotice = {
  /** The incoming webhook. A secret: no message of an error and no cause holds it. */
  url: string;
  subject: string;
  /** Plain text, from anywhere: whoever implements this escapes it. */
  text: string;
};

/** Throws `VendorError` on failure. Not safe to repeat: each post is another message. */
export type OperatorChat = { post(notice: OperatorNotice): Promise<void> };

/** Slack's own; hosts of other chats are named by the installation. */
const slackHost = 'hooks.slack.com';

export const chatUrlLengthMax = 500;

export const chatUrlMistakes = [
  'not_a_url',
  'not_https',
  'with_credentials',
  'host_not_allowed',
  'no_webhook',
] as const;

export type ChatUrlMistake = (typeof chatUrlMistakes)[number];

/**
 * The address as it is kept, or what is wrong with it. Requests to it are made from inside our network, so only hosts that
 * the installation trusts are taken: `name` or `name:port`, in lower case. Without TLS only this machine is spoken to.
 */
export function readChatUrl(
  text: string,
  hosts: readonly string[],
): { url: string; host: string } | { mistake: ChatUrlMistake } {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || text.length > chatUrlLengthMax) return { mistake: 'not_a_url' };
  const isHere = url.hostname === '127.0.0.1';
  if (url.protocol !== 'https:' && !(isHere && url.protocol === 'http:')) return { mistake: 'not_https' };
  if (url.username !== '' || url.password !== '') return { mistake: 'with_credentials' };
  if (!hosts.includes(url.host)) return { mistake: 'host_not_allowed' };
  const form = url.host === slackHost ? /^\/services\/\w+\/\w+\/\w+$/ : /^\/./;
  if (!form.test(url.pathname) || url.hash !== '') return { mistake: 'no_webhook' };
  return { url: url.href, host: url.host };
}

/** In a sentence that says what to do, and does not repeat the address. */
export function chatUrlMistakeInWords(mistake: ChatUrlMistake, hosts: readonly string[]): string {
  switch (mistake) {
    case 'not_a_url':
      return `The address of the chat is no URL of at most ${chatUrlLengthMax} characters; copy it from the settings of the incoming webhook.`;
    case 'not_https':
      return 'The address of the chat must begin with https://.';
    case 'with_credentials':
      return 'The address of the chat must hold neither a user nor a password.';
    case 'host_not_allowed':
      return `The chat is on a host that is not allowed here; allowed are ${hosts.join(', ')}. Whoever runs this installation names others in OPERATOR_CHAT_HOSTS.`;
    case 'no_webhook':
      return 'This is no address of an incoming webhook; one of Slack looks like https://hooks.slack.com/services/T…/B…/….';
  }
}
