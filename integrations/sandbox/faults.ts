/**
 * Faults a sandbox injects on request: a script for the very next requests, and rates drawn from a seeded
 * sequence for all others. Which request meets which fault depends only on the seed and the order of requests.
 */
import { z } from 'zod';
import { type Random, seededRandom } from './random.ts';

const faultKinds = [
  'refuse',
  'error_before',
  'error_after',
  'drop_answer',
  'delay',
  'rate_limit',
  'malformed',
  'slow',
] as const;

/**
 * - `refuse`: the connection is closed before the request is looked at.
 * - `error_before`: 503, nothing happened.
 * - `error_after`: 500 although it happened.
 * - `drop_answer`: it happens, then the connection is closed without an answer.
 * - `delay`: it happens at once, the answer comes late.
 * - `rate_limit`: 429 with Retry-After, nothing happened.
 * - `malformed`: it happens, the answer is cut JSON.
 * - `slow`: it happens late, and the answer comes with it.
 */
export type FaultKind = (typeof faultKinds)[number];

const rate = z.number().min(0).max(1);

const webhookFaults = z.strictObject({
  /** Share of events delivered `copies` times. */
  duplicate: rate.default(0),
  copies: z.number().int().min(2).max(10).default(2),
  /** Share of events overtaken by the next one. */
  reorder: rate.default(0),
  /** Share of events delivered `delayMs` late. */
  delay: rate.default(0),
  delayMs: z.number().int().min(0).max(60_000).default(500),
  /** Share of events never delivered. */
  drop: rate.default(0),
  /** Share of events preceded by a copy with a wrong signature. */
  forge: rate.default(0),
  /** Keep every event until it is flushed. */
  hold: z.boolean().default(false),
});

const faultPlan = z.strictObject({
  seed: z.number().int().default(1),
  /** Share of requests that meet a fault. */
  rates: z.partialRecord(z.enum(faultKinds), rate).default({}),
  /** Operations the rates apply to, such as `payment_intents.create`; all when empty. */
  ops: z.array(z.string()).default([]),
  /** For the next matching requests, before any rate is drawn. */
  next: z
    .array(
      z.strictObject({
        fault: z.enum(faultKinds),
        op: z.string().optional(),
        times: z.number().int().min(1).default(1),
      }),
    )
    .default([]),
  delayMs: z.number().int().min(0).max(120_000).default(1_000),
  retryAfterSeconds: z.number().int().min(0).max(3_600).default(1),
  webhooks: webhookFaults.prefault({}),
});

export type FaultPlanInput = z.input<typeof faultPlan>;
export type FaultPlan = z.output<typeof faultPlan>;

export type Faults = {
  plan(): FaultPlan;
  /** Replaces the plan; throws a ZodError on a plan that makes no sense. */
  set(plan: unknown): FaultPlan;
  /** The fault this request meets, if any. */
  draw(op: string): FaultKind | null;
  /** The plan's own random sequence, for whatever else the plan decides. */
  random: Random;
};

/** Starts without faults. */
export function createFaults(): Faults {
  let plan = faultPlan.parse({});
  let random = seededRandom(plan.seed);

  return {
    plan: () => plan,
    set(input) {
      plan = faultPlan.parse(input);
      random = seededRandom(plan.seed);
      return plan;
    },
    draw(op) {
      const scripted = plan.next.find((entry) => entry.times > 0 && (entry.op ?? op) === op);
      if (scripted) {
        scripted.times -= 1;
        return scripted.fault;
      }
      if (plan.ops.length > 0 && !plan.ops.includes(op)) return null;
      return drawFromRates(plan.rates, random());
    },
    random: () => random(),
  };
}

/** One number decides among all kinds: their shares lie side by side. */
function drawFromRates(rates: FaultPlan['rates'], drawn: number): FaultKind | null {
  let upTo = 0;
  for (const kind of faultKinds) {
    upTo += rates[kind] ?? 0;
    if (drawn < upTo) return kind;
  }
  return null;
}
