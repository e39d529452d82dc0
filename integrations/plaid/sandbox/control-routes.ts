/** The Plaid sandbox's own control endpoints: the bank, the person at Link, Plaid's moods, webhooks. */
import { z } from 'zod';
import { control, jsonBody } from '../../sandbox/control-routes.ts';
import type { HttpRequest, Route } from '../../sandbox/http.ts';
import { jsonAnswer } from '../../sandbox/http.ts';
import { webhookControlRoutes } from '../../sandbox/webhook-control.ts';
import { updateStatuses } from './context.ts';
import type { PlaidControl } from './control.ts';
import { plaidErrorNames } from './errors.ts';
import { movementChange, movementInput } from './movements.ts';

const text = z.string().optional();
const later = z.boolean().optional();

const account = z.strictObject({
  name: text,
  mask: text,
  currency: text,
  subtype: text,
  balance: z.number().optional(),
  persistentId: text,
  numbers: z
    .strictObject({
      ach: z.strictObject({ account: z.string(), routing: z.string(), wireRouting: z.string() }).optional(),
      international: z.strictObject({ iban: z.string(), bic: z.string() }).optional(),
    })
    .optional(),
});
const accounts = z.array(account).min(1).optional();

const newItem = z.strictObject({
  webhook: z.url().nullish(),
  accounts,
  status: z.enum(updateStatuses).optional(),
});
const linkChoice = z.strictObject({ institutionId: text, accounts });
const additions = z.strictObject({ transactions: z.array(movementInput).min(1), later });
const change = z.strictObject({ change: movementChange.default({}), later });
const failure = z.strictObject({
  op: text,
  error: z.enum(plaidErrorNames),
  times: z.number().int().min(1).optional(),
  after: z.number().int().min(0).optional(),
});

export function plaidControlRoutes(actions: PlaidControl): Route[] {
  const done = (body: object = { done: true }) => jsonAnswer(200, body);
  return [
    control('POST', '/_sandbox/items', (request) =>
      done(actions.createItem(newItem.parse(jsonBody(request)))),
    ),
    control('POST', '/_sandbox/items/:id/connect-again', (request) =>
      done(actions.connectAgain(idOf(request))),
    ),
    control('POST', '/_sandbox/link/:id/complete', (request) =>
      done(actions.completeLink(idOf(request), linkChoice.parse(jsonBody(request)))),
    ),
    control('POST', '/_sandbox/items/:id/transactions', (request) => {
      const { transactions, ...when } = additions.parse(jsonBody(request));
      return done({ ids: actions.addTransactions(idOf(request), transactions, when) });
    }),
    control('POST', '/_sandbox/items/:id/transactions/:transaction/modify', (request) => {
      const { change: input, ...when } = change.parse(jsonBody(request));
      actions.modifyTransaction(idOf(request), transactionOf(request), input, when);
      return done();
    }),
    control('POST', '/_sandbox/items/:id/transactions/:transaction/post', (request) => {
      const { change: input, ...when } = change.parse(jsonBody(request));
      return done({ id: actions.postTransaction(idOf(request), transactionOf(request), input, when) });
    }),
    control('POST', '/_sandbox/items/:id/transactions/:transaction/remove', (request) => {
      const when = z.strictObject({ later }).parse(jsonBody(request));
      actions.removeTransactions(idOf(request), [transactionOf(request)], when);
      return done();
    }),
    control('POST', '/_sandbox/items/:id/status', (request) => {
      const { status } = z.strictObject({ status: z.enum(updateStatuses) }).parse(jsonBody(request));
      actions.setUpdateStatus(idOf(request), status);
      return done();
    }),
    control('POST', '/_sandbox/items/:id/change-while-reading', (request) => {
      const { times } = z
        .strictObject({ times: z.number().int().min(0).optional() })
        .parse(jsonBody(request));
      actions.changeWhileReading(idOf(request), times);
      return done();
    }),
    control('POST', '/_sandbox/items/:id/require-login', (request) => {
      actions.requireLogin(idOf(request));
      return done();
    }),
    control('POST', '/_sandbox/items/:id/repair-login', (request) => {
      actions.repairLogin(idOf(request));
      return done();
    }),
    control('POST', '/_sandbox/items/:id/expire-consent', (request) => {
      const { at } = z.strictObject({ at: z.iso.datetime({ offset: true }) }).parse(jsonBody(request));
      actions.expireConsent(idOf(request), at);
      return done();
    }),
    control('POST', '/_sandbox/items/:id/expect-disconnect', (request) => {
      actions.expectDisconnect(idOf(request));
      return done();
    }),
    control('POST', '/_sandbox/items/:id/revoke-access', (request) => {
      actions.revokeAccess(idOf(request));
      return done();
    }),
    control('POST', '/_sandbox/keys/rotate', (request) => {
      const options = z
        .strictObject({ graceSeconds: z.number().int().min(0).optional() })
        .parse(jsonBody(request));
      return done({ keyId: actions.rotateKey(options) });
    }),
    control('POST', '/_sandbox/webhooks/sign', async ({ rawBody }) =>
      done({ token: await actions.signWebhook(rawBody) }),
    ),
    control('POST', '/_sandbox/failures', (request) => {
      actions.failNext(failure.parse(jsonBody(request)));
      return done();
    }),
    ...webhookControlRoutes(actions),
  ];
}

function idOf({ pathParams }: HttpRequest): string {
  return pathParams['id'] ?? '';
}

function transactionOf({ pathParams }: HttpRequest): string {
  return pathParams['transaction'] ?? '';
}
