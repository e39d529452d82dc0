/**
 * Slack's incoming webhooks as our operators' chat; Mattermost, Rocket.Chat and others take the same request.
 *
 * What happens when it runs twice: it is posted twice, for there is no key under which a webhook would know it again. Who
 * calls decides whether an outcome that is not known is worth it (`domain/messaging/operator-chat.ts`).
 * https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
 */
import { type ErrorCode, VendorError } from '../../domain/errors.ts';
import {
  chatUrlMistakeInWords,
  type OperatorChat,
  type OperatorNotice,
  readChatUrl,
} from '../../domain/messaging/operator-chat.ts';
import { wasNeverSent } from '../lost-requests.ts';
import { toMrkdwn } from './mrkdwn.ts';

export type SlackConnection = {
  /** The only hosts that are spoken to: `name` or `name:port`. What was allowed once may not be any more. */
  hosts: readonly string[];
  timeoutMs?: number;
};

export function createSlackChat({ hosts, timeoutMs = 10_000 }: SlackConnection): OperatorChat {
  return {
    async post({ url, ...notice }: OperatorNotice) {
      const address = readChatUrl(url, hosts);
      if ('mistake' in address) {
        const message = chatUrlMistakeInWords(address.mistake, hosts);
        throw new VendorError({ code: 'vendor_rejected_request', message });
      }
      const { status, headers, text } = await send(address, toMrkdwn(notice), timeoutMs);
      // A page is no answer of a webhook: it greets whoever comes by.
      if (status >= 200 && status < 300 && !text.trimStart().startsWith('<')) return;
      throw refused(address.host, status, headers, text);
    },
  };
}

type Answer = { status: number; headers: Headers; text: string };

/** A redirect is not followed: it could lead to a host that nobody has allowed. */
async function send(
  { url, host }: { url: string; host: string },
  text: string,
  timeoutMs: number,
): Promise<Answer> {
  let response: Response;
  try {
    response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ text }),
      redirect: 'manual',
      signal: AbortSignal.timeout(timeoutMs),
    });
  } catch (failure) {
    // The failure may name the address, so it is not passed on.
    const networkCode = (failure as { cause?: { code?: unknown } }).cause?.code;
    throw wasNeverSent(networkCode)
      ? new VendorError({
          code: 'vendor_unavailable',
          message: `The chat at ${host} cannot be reached: ${String(networkCode)}`,
        })
      : new VendorError({ code: 'outcome_unknown', message: `The chat at ${host}: no answer` });
  }
  // The status says what happened; a reason that is lost on the way changes nothing about it.
  const reason = await beginningOf(response).catch(() => '');
  return { status: response.status, headers: response.headers, text: reason };
}

/** As much as a reason needs; whoever answers more is not listened to. */
const ANSWER_BYTES_MAX = 1_024;

async function beginningOf(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes >= ANSWER_BYTES_MAX) break;
  }
  return Buffer.concat(chunks).subarray(0, ANSWER_BYTES_MAX).toString('utf8');
}

function refused(host: string, status: number, headers: Headers, text: string): VendorError {
  // Slack's reasons are single words (`invalid_payload`, `no_service`); whatever else comes is not repeated.
  const reason = /^[a-z_]{1,60}$/.exec(text.trim())?.[0] ?? 'no reason';
  const retryAfterSeconds = Number(headers.get('retry-after') ?? Number.NaN);
  return new VendorError({
    code: codeOf(status),
    message: `The chat at ${host}: status ${status}, ${reason}`,
    ...(Number.isFinite(retryAfterSeconds) && { retryAfterMs: Math.max(0, retryAfterSeconds) * 1000 }),
  });
}

/** After a 503 nothing has happened; after another failure of the server it may have. */
function codeOf(status: number): ErrorCode {
  if (status === 429) return 'rate_limited';
  if (status === 503) return 'vendor_unavailable';
  return status >= 500 ? 'outcome_unknown' : 'vendor_rejected_request';
}
