/** Whether what customers transfer is seen: how each connection to a bank fares, and what waits for a decision. */
import { z } from 'zod';
import type { BankConnectionRow } from '../../db/queries/payments/bank-connections.ts';
import { readBankHealth } from '../../db/queries/payments/bank-health.ts';
import {
  bankConnectionPolicy,
  bankConnectionStatuses,
  type ConnectionConcern,
  concernsOf,
  connectionConcerns,
} from '../../domain/payments/bank-connection.ts';
import { type Route, route } from '../route.ts';
import { instant } from '../schemas.ts';
import { connectionId } from './bank-connections.schemas.ts';

const concern = z.enum(connectionConcerns);
const waiting = {
  waitingMovements: z.int().min(0).meta({ description: 'Not decided yet, or for a person to decide.' }),
  oldestWaitingOn: z.iso
    .date()
    .nullable()
    .meta({ description: "The day of the oldest one, in the bank's calendar.", example: '2026-12-01' }),
};

const health = z
  .object({
    status: z.enum(['ok', 'degraded']),
    reasons: z
      .array(z.object({ bankConnectionId: connectionId, concern, detail: z.string() }))
      .meta({ description: 'What fails, and what to do about it; none where the status is ok.' }),
    ...waiting,
    connections: z.array(
      z.object({
        id: connectionId,
        institutionName: z.string().nullable(),
        status: z.enum(bankConnectionStatuses),
        concerns: z.array(concern),
        lastSyncedAt: instant.nullable(),
        ageSeconds: z
          .int()
          .nullable()
          .meta({ description: 'How old the last reading that came to its end is.' }),
        lastFailedAt: instant.nullable(),
        lastFailure: z.string().nullable(),
        bankReadAt: instant.nullable(),
        ...waiting,
      }),
    ),
  })
  .meta({ id: 'BankHealth' });

const read = route({
  effect: 'read',
  method: 'get',
  path: '/v1/bank/health',
  operationId: 'getBankHealth',
  tag: 'Bank transfers',
  scope: 'operations:read',
  summary: 'Whether transfers to your accounts are seen',
  description: `ok only if every connection that was not unlinked is active, was read to the end within ${bankConnectionPolicy.staleAfterHours} hours, and by Plaid at the bank within ${bankConnectionPolicy.bankSilentAfterHours}, nothing is announced that ends it, and all that it told could be read. It is answered from what is kept; POST /v1/bank_connections/{bankConnectionId}/test asks Plaid.`,
  responses: { 200: { description: 'How they fare.', schema: health } },
  handler: async ({ tx, now }) => {
    const { connections, all } = await readBankHealth(tx);
    const shown = connections.map(({ connection, waiting: count, oldestOn }) => ({
      id: connection.id,
      institutionName: connection.institutionName,
      status: connection.status,
      concerns: concernsOf(recordOf(connection), now.toISOString()),
      lastSyncedAt: connection.lastSyncedAt?.toISOString() ?? null,
      ageSeconds: ageSeconds(connection.lastSyncedAt, now),
      lastFailedAt: connection.lastFailedAt?.toISOString() ?? null,
      lastFailure: connection.lastFailure,
      bankReadAt: connection.bankReadAt?.toISOString() ?? null,
      waitingMovements: count,
      oldestWaitingOn: oldestOn,
    }));
    const reasons = shown.flatMap(({ id, concerns }) =>
      concerns.map((each) => ({ bankConnectionId: id, concern: each, detail: details[each] })),
    );
    return {
      status: 200,
      body: {
        status: reasons.length === 0 ? 'ok' : 'degraded',
        reasons,
        waitingMovements: all.waiting,
        oldestWaitingOn: all.oldestOn,
        connections: shown,
      },
    };
  },
});

export const bankHealthRoutes: readonly Route[] = [read];

const details: Record<ConnectionConcern, string> = {
  needs_reauth: 'The bank wants a new login: ask for a link token with bankConnectionId, and sign in.',
  revoked: 'Access was taken back: connect the bank anew.',
  failing: 'It could not be read at the last look; it is tried again. lastFailure says why.',
  stale: 'It was not read to the end for hours: look whether the workers run, and at its process.',
  bank_silent: 'Plaid itself has not read the bank for days: look at the bank, or import a statement file.',
  consent_ends: 'Consent ends within days: ask for a link token with bankConnectionId, and sign in.',
  disconnect_expected:
    'It will be ended within days: ask for a link token with bankConnectionId, and sign in.',
  unreadable_movements:
    'Movements were told that could not be kept: the connection lists them. Deal with them, then dismiss them.',
};

function recordOf(row: BankConnectionRow): Parameters<typeof concernsOf>[0] {
  const at = (date: Date | null) => date?.toISOString() ?? null;
  return {
    status: row.status,
    isReady: row.isReady,
    lastSyncedAt: at(row.lastSyncedAt),
    lastFailedAt: at(row.lastFailedAt),
    bankReadAt: at(row.bankReadAt),
    consentExpiresAt: at(row.consentExpiresAt),
    disconnectExpectedSince: at(row.disconnectExpectedSince),
    unreadable: row.unreadable,
    createdAt: row.createdAt.toISOString(),
  };
}

function ageSeconds(at: Date | null, now: Date): number | null {
  return at === null ? null : Math.max(0, Math.floor((now.getTime() - at.getTime()) / SECOND_MS));
}

const SECOND_MS = 1_000;
