/**
 * The vendor's own record of what it did: one line for each mutating request, append-only, outside our database.
 * It decides whether a customer was charged twice. Group it on `businessRef`, never on our idempotency key: a
 * wrong key would hide the very mistake that is looked for.
 */
import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { FaultKind } from './faults.ts';

/**
 * - `effect`: it happened. With an amount: money moved.
 * - `refused`: the vendor said no, or a fault ended the request before anything happened.
 * - `replay`: the stored answer of an earlier request with the same key; nothing happened again.
 * - `conflict`: the key came with another body, or while its first request was still running.
 */
export type EffectOutcome = 'effect' | 'refused' | 'replay' | 'conflict';

/** What a request did, in words every vendor shares. */
export type EffectNote = {
  outcome: EffectOutcome;
  /** Our own reference as the vendor knows it, such as the invoice's id. */
  businessRef?: string | undefined;
  /** Our attempt's id as the vendor knows it. */
  attemptRef?: string | undefined;
  /** The vendor's object. */
  objectId?: string | undefined;
  /** In the vendor's own smallest unit. */
  amountMinor?: number | undefined;
  currency?: string | undefined;
  /** Why, in the vendor's code: a decline code, a status. */
  detail?: string | undefined;
};

export type Effect = {
  seq: number;
  at: string;
  vendor: string;
  op: string;
  idempotencyKey: string | null;
  bodyHash: string;
  businessRef: string | null;
  attemptRef: string | null;
  objectId: string | null;
  amountMinor: number | null;
  currency: string | null;
  outcome: EffectOutcome;
  detail: string | null;
  faultInjected: FaultKind | null;
};

/** The request an effect belongs to. */
export type EffectRequest = {
  op: string;
  idempotencyKey: string | null;
  bodyHash: string;
  faultInjected: FaultKind | null;
};

export type EffectLog = {
  append(request: EffectRequest, note: EffectNote): void;
  entries(): Effect[];
  clear(): void;
};

/** Opens the log; a restarted sandbox goes on where the file ends. */
export function openEffectLog({
  vendor,
  path,
  now,
}: {
  vendor: string;
  path?: string | undefined;
  now: () => Date;
}): EffectLog {
  if (path !== undefined) mkdirSync(dirname(path), { recursive: true });
  let entries = path !== undefined && existsSync(path) ? readEntries(path) : [];

  return {
    append(request, note) {
      const effect: Effect = {
        seq: entries.length + 1,
        at: now().toISOString(),
        vendor,
        op: request.op,
        idempotencyKey: request.idempotencyKey,
        bodyHash: request.bodyHash,
        businessRef: note.businessRef ?? null,
        attemptRef: note.attemptRef ?? null,
        objectId: note.objectId ?? null,
        amountMinor: note.amountMinor ?? null,
        currency: note.currency ?? null,
        outcome: note.outcome,
        detail: note.detail ?? null,
        faultInjected: request.faultInjected,
      };
      entries.push(effect);
      if (path !== undefined) appendFileSync(path, `${JSON.stringify(effect)}\n`);
    },
    entries: () => [...entries],
    clear() {
      entries = [];
      if (path !== undefined) writeFileSync(path, '');
    },
  };
}

function readEntries(path: string): Effect[] {
  const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1);
  return lines.map((line) => JSON.parse(line) as Effect);
}
