/**
 * Slack's incoming webhooks on this machine: a stateful stand-in that keeps what is posted and shows it at `/`, refuses what
 * Slack refuses, knows no idempotency keys as Slack does not, injects faults on request, and keeps its own record of every
 * post outside our database.
 */
import { z } from 'zod';
import { control, createControlRoutes, jsonBody } from '../sandbox/control-routes.ts';
import { createSandboxControl, openSandboxCore, type SandboxControl } from '../sandbox/core.ts';
import { type HttpRequest, jsonAnswer, serve, textAnswer } from '../sandbox/http.ts';
import { VendorRefusal, type VendorRules } from '../sandbox/vendor.ts';
import { createVendorRoutes, type RequestLog } from '../sandbox/vendor-api.ts';
import { channelRoute } from './sandbox/channel.ts';
import {
  type Hook,
  type HookState,
  hookKey,
  hookStates,
  type Post,
  postOperations,
  postRequest,
} from './sandbox/posts.ts';

export type SlackSandboxOptions = {
  /** 0 takes a free port. */
  port: number;
  /** Where state and effect log are kept; in memory only when absent. */
  stateDir?: string;
  log?: RequestLog;
};

export type SlackSandbox = SandboxControl & {
  url: string;
  /** What was posted, oldest first. */
  posts(): Post[];
  /** The address of a webhook; any of the same form works. */
  webhookUrl(name?: string): string;
  /** What a webhook answers from now on. */
  setHook(webhookUrl: string, state: HookState): void;
  close(): Promise<void>;
};

/** Starts the sandbox; with a `stateDir` it goes on where an earlier one stopped. */
export async function startSlackSandbox({ port, stateDir, log }: SlackSandboxOptions): Promise<SlackSandbox> {
  const core = openSandboxCore({ vendor: 'slack', stateDir });
  const { store, clock, faults } = core;
  const posts = store.collection<Post>('posts');
  const hooks = store.collection<Hook>('hooks');
  const setHook = (webhookUrl: string, state: HookState) => {
    hooks.put(hookKey(new URL(webhookUrl).pathname), { state });
    store.commit();
  };
  const rules = slackRules(() => faults.plan().retryAfterSeconds);
  const common = createSandboxControl(core);
  const server = await serve({
    port,
    routes: [
      channelRoute({ posts, clock }),
      control('GET', '/_sandbox/posts', () => jsonAnswer(200, { posts: posts.values() })),
      control('POST', '/_sandbox/hooks', (request) => {
        const { webhookUrl, state } = hookChange.parse(jsonBody(request));
        setHook(webhookUrl, state);
        return jsonAnswer(200, { state });
      }),
      ...createControlRoutes(core, common),
      ...createVendorRoutes(postOperations({ posts, hooks, clock }), { ...core, rules, requestLog: log }),
    ],
    fallback: () => textAnswer(404, 'no_service'),
  });
  return {
    ...common,
    url: server.url,
    posts: posts.values,
    webhookUrl: (name = 'operators') => `${server.url}/services/T0SANDBOX/B0SANDBOX/${name}`,
    setHook,
    close: server.close,
  };
}

const hookChange = z.strictObject({ webhookUrl: z.url(), state: z.enum(hookStates) });

/** Who knows the address may post; its answers are single words. */
function slackRules(retryAfterSeconds: () => number): VendorRules<unknown> {
  return {
    newRequestId: () => '',
    headers: () => ({}),
    authenticate: () => {},
    readParams: (_op, request) => readPost(request),
    keyHeader: () => null,
    replayHeaders: {},
    remembersServerErrors: false,
    toHttp: ({ status, body }, headers) => textAnswer(status, String(body), headers),
    failures: {
      serverError: () => ({ status: 500, body: 'rollup_error' }),
      unavailable: () => ({ status: 503, body: 'service_unavailable' }),
      rateLimited: () => ({
        status: 429,
        body: 'rate_limited',
        headers: { 'retry-after': String(retryAfterSeconds()) },
      }),
      otherRequestUnderKey: () => ({ status: 409, body: 'conflict' }),
      keyInFlight: () => ({ status: 409, body: 'conflict' }),
    },
  };
}

function readPost(request: HttpRequest): unknown {
  const parsed = postRequest.safeParse(bodyOf(request));
  if (parsed.success) return parsed.data;
  throw new VendorRefusal({ status: 400, body: 'invalid_payload' });
}

function bodyOf(request: HttpRequest): unknown {
  try {
    return jsonBody(request);
  } catch {
    throw new VendorRefusal({ status: 400, body: 'invalid_payload' });
  }
}
