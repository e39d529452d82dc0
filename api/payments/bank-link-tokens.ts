/**
 * Link tokens: with one a person opens Plaid's own page, connects a bank there, or signs in again where a connection needs it.
 *
 * Why it is safe to run twice: a link token does nothing by itself. Of two of them one is used; both end by themselves.
 */
import { z } from 'zod';
import { readConnection, tokenOf } from '../../db/queries/payments/bank-connections.ts';
import { currentTenant } from '../../db/queries/tenants/tenants.ts';
import { bankConnectionPolicy } from '../../domain/payments/bank-connection.ts';
import { BankFeedError } from '../../domain/payments/bank-feed.ts';
import { Problem } from '../problem.ts';
import { type Route, route } from '../route.ts';
import { instant } from '../schemas.ts';
import { connectionId } from './bank-connections.schemas.ts';
import { refuseWithoutPlaid } from './plaid-configured.ts';

const countries = 'US GB ES NL FR IE CA DE IT PL DK NO SE EE LT LV PT BE AT FI'.split(' ');
const languages = 'da nl en et fi fr de hi it lv lt no pl pt ro es sv vi'.split(' ');

/** A host that is a name, and a port that is one: what has this form is an address for everybody. */
const httpsAddress =
  /^https:\/\/(?:[A-Za-z0-9]+(?:-+[A-Za-z0-9]+)*\.)*[A-Za-z][A-Za-z0-9]*(?:-+[A-Za-z0-9]+)*(?::(?:[1-9]\d{0,3}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d{2}|655[0-2]\d|6553[0-5]))?(?:\/[!-~]*)?$/;

const create = route({
  effect: 'act',
  method: 'post',
  path: '/v1/bank_link_tokens',
  operationId: 'createBankLinkToken',
  tag: 'Bank transfers',
  scope: 'billing:write',
  summary: 'Let somebody connect a bank, or sign in again',
  description:
    'Open Plaid Link with the token. For a new connection, send the public token that Link gives to POST /v1/bank_connections. With bankConnectionId the person signs in again for that connection, which goes on where it stopped: ask for POST /v1/bank_connections/{bankConnectionId}/sync when the person is through.',
  body: z
    .strictObject({
      bankConnectionId: connectionId.optional().meta({ description: 'The connection to repair.' }),
      countries: z
        .array(z.enum(countries as [string, ...string[]]))
        .min(1)
        .max(countries.length)
        .default(['US'])
        .meta({ description: 'Whose banks are offered.', example: ['US', 'CA'] }),
      language: z
        .enum(languages as [string, ...string[]])
        .default('en')
        .meta({ description: 'Of the page.' }),
      redirectUrl: z.string().max(500).regex(httpsAddress, 'must be an https address').optional().meta({
        description:
          'A page of yours, known to Plaid, to which a bank with a page of its own sends the person back.',
        example: 'https://portal.example.com/banks',
      }),
    })
    .meta({ id: 'NewBankLinkToken' }),
  example: { countries: ['US'] },
  responses: {
    201: {
      description: 'The token; it works for some hours, once.',
      schema: z
        .object({
          linkToken: z.string().meta({ example: 'link-sandbox-af1a0311-da53-4636-b754-dd15cc058176' }),
          expiresAt: instant,
          bankConnectionId: connectionId.nullable(),
        })
        .meta({ id: 'BankLinkToken' }),
    },
  },
  problems: ['not_found', 'state_conflict', 'vendor_rejected_request', 'vendor_unavailable', 'rate_limited'],
  reasons: { state_conflict: ['plaid_not_configured', 'bank_connection_over'] },
  handler: {
    async look({ tx, deps, body: { bankConnectionId } }) {
      const connection = bankConnectionId === undefined ? null : await readConnection(tx, bankConnectionId);
      refuseWithoutPlaid(deps);
      if (connection !== null && connection.status === 'unlinked') throw isOver();
      return { connection, clientName: (await currentTenant(tx)).name };
    },
    async act({ deps, caller: { tenantId }, body }, { connection, clientName }) {
      const { feed, tokenSeal } = deps.banks;
      const { countries: offered, language, redirectUrl } = body;
      const sealed = connection?.accessToken ?? null;
      try {
        const made = await feed.linkToken({
          userId: tenantId,
          clientName: [...clientName].slice(0, CLIENT_NAME_MAX).join(''),
          language,
          countries: offered,
          webhookUrl: `${deps.config.publicUrl}/webhooks/plaid`,
          ...(redirectUrl !== undefined && { redirectUrl }),
          ...(connection === null || sealed === null
            ? { historyDays: bankConnectionPolicy.historyDays }
            : { accessToken: tokenSeal.open(sealed, tokenOf(connection)) }),
        });
        return { ...made, bankConnectionId: connection?.id ?? null };
      } catch (error) {
        if (error instanceof BankFeedError && error.reason === 'access_revoked') throw isOver();
        throw error;
      }
    },
    answer: async (_context, made) => made,
  },
});

/** As Plaid shows it. */
const CLIENT_NAME_MAX = 30;

function isOver(): Problem {
  return new Problem({
    code: 'state_conflict',
    reason: 'bank_connection_over',
    detail:
      'This connection has ended and cannot be repaired; ask for a link token without bankConnectionId.',
  });
}

export const bankLinkTokenRoutes: readonly Route[] = [create];
