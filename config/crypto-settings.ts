// What the operator of an installation decides about payments in coins: how exact, how deep and how fresh is enough. An offer
// keeps what held when it was made, so a change concerns the offers after it. The defaults are those of the domain's policy
// (a test compares them); they stand here too, because whether values fit together depends on those that were not set.

import { z } from 'zod';

export type CryptoSettings = {
  /** How long the rate of an offer is held. */
  readonly quoteMinutes: number;
  /** How much less than due still pays, in hundredths of a percent. */
  readonly toleranceBps: number;
  /** Confirmations below `largeUsdMinor`, and from there on; `finalized` waits for the chain's own finality. */
  readonly depth: {
    readonly bitcoin: { readonly small: number; readonly large: number };
    readonly evm: { readonly small: number; readonly large: number | 'finalized' };
  };
  readonly largeUsdMinor: number;
  /** Depth from which a payment is never looked at again, where the chain does not say so itself. */
  readonly finalDepth: number;
  /** What becomes of money that came after the expiry. */
  readonly late: 'review' | 'auto';
  /** Not mined for so long: the customer is told; and the operators, at the second. */
  readonly slowMinutes: number;
  readonly confirmationTimeoutMinutes: number;
  readonly rateSources: number;
  readonly rateMaxAgeSeconds: number;
  readonly rateSpreadBps: number;
  /** A reorganisation of so many blocks pauses the chain. */
  readonly pauseReorgDepth: { readonly bitcoin: number; readonly evm: number };
};

const MINUTES_A_WEEK = 7 * 24 * 60;
const quoteMinutes = 'must be a number of minutes above 0, up to 60.';
const finality = 'must be a number of blocks from 1 to 10000, or finalized.';

/** In the order of `.env.example`. */
export const cryptoVariables = {
  CRYPTO_QUOTE_MINUTES: z.coerce
    .number({ error: quoteMinutes })
    .positive(quoteMinutes)
    .max(60, quoteMinutes)
    .default(15),
  // A tenth less is a partial payment, not one that differs by fees or the rate.
  CRYPTO_TOLERANCE_BPS: whole(200, 0, 1000, 'hundredths of a percent'),
  CRYPTO_LARGE_USD: whole(10_000, 0, 100_000_000, 'US dollars'),
  // Whoever sees a transaction in no block yet has nothing.
  CRYPTO_BITCOIN_DEPTH: whole(3, 1, 1000, 'blocks'),
  CRYPTO_BITCOIN_LARGE_DEPTH: whole(6, 1, 1000, 'blocks'),
  CRYPTO_EVM_DEPTH: whole(12, 1, 10_000, 'blocks'),
  CRYPTO_EVM_LARGE_DEPTH: z
    .union([z.literal('finalized'), z.coerce.number().int().min(1).max(10_000)], { error: finality })
    .default('finalized'),
  CRYPTO_FINAL_DEPTH: whole(100, 2, 100_000, 'blocks'),
  CRYPTO_LATE: z.enum(['review', 'auto'], { error: 'must be review or auto.' }).default('review'),
  CRYPTO_SLOW_MINUTES: whole(60, 1, MINUTES_A_WEEK, 'minutes'),
  CRYPTO_CONFIRMATION_TIMEOUT_MINUTES: whole(120, 1, MINUTES_A_WEEK, 'minutes'),
  // One market alone is never believed, and there are three.
  CRYPTO_RATE_SOURCES: whole(2, 2, 3, 'sources'),
  // Prices are fetched twice a minute.
  CRYPTO_RATE_MAX_AGE_SECONDS: whole(300, 60, 900, 'seconds'),
  CRYPTO_RATE_SPREAD_BPS: whole(300, 1, 1000, 'hundredths of a percent'),
  CRYPTO_BITCOIN_PAUSE_REORG_DEPTH: whole(3, 1, 1000, 'blocks'),
  CRYPTO_EVM_PAUSE_REORG_DEPTH: whole(64, 1, 10_000, 'blocks'),
  CRYPTO_APPROVAL_USD: whole(1000, 0, 100_000_000, 'US dollars'),
} as const;

type Name = keyof typeof cryptoVariables;
type Values = { [N in Name]: z.infer<(typeof cryptoVariables)[N]> };

/** Whole numbers only: half a block or half a cent means nothing. */
function whole(fallback: number, min: number, max: number, unit: string) {
  const message = `must be a whole number of ${unit} from ${min} to ${max}.`;
  return z.coerce
    .number({ error: message })
    .int(message)
    .min(min, message)
    .max(max, message)
    .default(fallback);
}

/** Values that are fine one by one and cannot hold together; one that is wrong by itself is not compared. */
export function cryptoMistakes(env: Readonly<Record<string, string | undefined>>): string[] {
  const read = <N extends Name>(name: N): number | null => {
    const parsed = cryptoVariables[name].safeParse(env[name]);
    return parsed.success && typeof parsed.data === 'number' ? parsed.data : null;
  };
  const isBelow = (a: Name, b: Name, times = 1) => {
    const [low, high] = [read(a), read(b)];
    return low !== null && high !== null && low < high * times;
  };
  const mistakes: string[] = [];
  for (const [large, small] of [
    ['CRYPTO_BITCOIN_LARGE_DEPTH', 'CRYPTO_BITCOIN_DEPTH'],
    ['CRYPTO_EVM_LARGE_DEPTH', 'CRYPTO_EVM_DEPTH'],
  ] as const) {
    if (isBelow(large, small)) {
      mistakes.push(
        `${large} is less than ${small}, and a large payment never waits for fewer blocks than a small one; raise it or lower the other.`,
      );
    }
  }
  for (const depth of depths) {
    if (isBelow('CRYPTO_FINAL_DEPTH', depth, 2)) {
      mistakes.push(
        `CRYPTO_FINAL_DEPTH is less than twice ${depth}, which is asked for after a pause: a payment would be final before it is settled; raise it or lower the other.`,
      );
    }
  }
  for (const depth of ['CRYPTO_BITCOIN_PAUSE_REORG_DEPTH', 'CRYPTO_EVM_PAUSE_REORG_DEPTH'] as const) {
    if (isBelow('CRYPTO_FINAL_DEPTH', depth)) {
      mistakes.push(
        `${depth} is more than CRYPTO_FINAL_DEPTH: final payments would leave the chain before it pauses; lower it or raise the other.`,
      );
    }
  }
  if (isBelow('CRYPTO_CONFIRMATION_TIMEOUT_MINUTES', 'CRYPTO_SLOW_MINUTES')) {
    mistakes.push(
      'CRYPTO_CONFIRMATION_TIMEOUT_MINUTES is less than CRYPTO_SLOW_MINUTES, and the customer is told before the operators; raise it or lower the other.',
    );
  }
  return mistakes;
}

const depths = [
  'CRYPTO_BITCOIN_DEPTH',
  'CRYPTO_BITCOIN_LARGE_DEPTH',
  'CRYPTO_EVM_DEPTH',
  'CRYPTO_EVM_LARGE_DEPTH',
] as const;

const CENTS = 100;

export function cryptoSettings(env: Values): CryptoSettings {
  return {
    quoteMinutes: env.CRYPTO_QUOTE_MINUTES,
    toleranceBps: env.CRYPTO_TOLERANCE_BPS,
    depth: {
      bitcoin: { small: env.CRYPTO_BITCOIN_DEPTH, large: env.CRYPTO_BITCOIN_LARGE_DEPTH },
      evm: { small: env.CRYPTO_EVM_DEPTH, large: env.CRYPTO_EVM_LARGE_DEPTH },
    },
    largeUsdMinor: env.CRYPTO_LARGE_USD * CENTS,
    finalDepth: env.CRYPTO_FINAL_DEPTH,
    late: env.CRYPTO_LATE,
    slowMinutes: env.CRYPTO_SLOW_MINUTES,
    confirmationTimeoutMinutes: env.CRYPTO_CONFIRMATION_TIMEOUT_MINUTES,
    rateSources: env.CRYPTO_RATE_SOURCES,
    rateMaxAgeSeconds: env.CRYPTO_RATE_MAX_AGE_SECONDS,
    rateSpreadBps: env.CRYPTO_RATE_SPREAD_BPS,
    pauseReorgDepth: {
      bitcoin: env.CRYPTO_BITCOIN_PAUSE_REORG_DEPTH,
      evm: env.CRYPTO_EVM_PAUSE_REORG_DEPTH,
    },
  };
}

/** From so many cents of US dollars on a second person approves. It is not kept with an offer: what holds now decides. */
export function approvalUsdMinor(env: Pick<Values, 'CRYPTO_APPROVAL_USD'>): number {
  return env.CRYPTO_APPROVAL_USD * CENTS;
}
