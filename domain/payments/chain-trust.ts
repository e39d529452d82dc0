/**
 * Whether what a chain says is believed for now. A chain is paused where it, or the nodes that tell of it, do what an honest
 * one hardly does; it resumes once they have agreed for some blocks, and is met with doubled depths for a while. What an
 * operator has paused, only an operator resumes.
 */
import type { ChainFamily } from './crypto-chain.ts';
import type { CryptoPolicy } from './crypto-policy.ts';

/** Instants are UTC, in ISO 8601. */
export type ChainTrust = {
  pausedAt: string | null;
  pauseReason: string | null;
  /** The operator whose pause it is, which does not end by itself; null for one that evidence began. */
  pausedBy: string | null;
  disagreeingSince: string | null;
  /** The height from which on nothing was wrong; null while something is. */
  agreedSinceHeight: number | null;
  cautiousUntil: string | null;
};

/** What a poll has found. */
export type ChainEvidence = {
  family: ChainFamily;
  /** The last block that was read. */
  height: number;
  /** Blocks that left the chain; 0 for none. */
  reorgDepth: number;
  /** The block that was final is still there. */
  isFinalKept: boolean;
  /** Two nodes see the same block just below the tip; null where that cannot be told. */
  agree: boolean | null;
  /** When the last block claims to have been made; null where that is not known. */
  tipTime: string | null;
  now: string;
};

export function nextTrust(
  trust: ChainTrust,
  evidence: ChainEvidence,
  policy: Pick<
    CryptoPolicy,
    'pauseReorgDepth' | 'pauseDisagreementMinutes' | 'tipMaxAgeMinutes' | 'cautionHours' | 'resumeBlocks'
  >,
): ChainTrust {
  const { agree, height, now } = evidence;
  const disagreeingSince = since(trust.disagreeingSince, agree, now);
  const reason = reasonToPause({ ...evidence, disagreeingSince }, policy);
  const agreedSinceHeight =
    reason !== null || agree === false ? null : (trust.agreedSinceHeight ?? (agree === true ? height : null));
  const known = { ...trust, disagreeingSince, agreedSinceHeight };

  if (reason !== null) {
    return trust.pausedAt === null ? { ...known, pausedAt: now, pauseReason: reason } : known;
  }
  const isGoodAgain = agreedSinceHeight !== null && height - agreedSinceHeight >= policy.resumeBlocks;
  const mayResume = trust.pausedAt !== null && trust.pausedBy === null;
  return mayResume && isGoodAgain ? resumed(known, now, policy) : known;
}

/** Not believed until an operator says otherwise. A pause that stands becomes the operator's; one that is theirs stays as it is. */
export function pausedBy(
  trust: ChainTrust,
  { operator, reason, now }: { operator: string; reason: string; now: string },
): ChainTrust {
  if (trust.pausedBy !== null) return trust;
  return { ...trust, pausedAt: trust.pausedAt ?? now, pauseReason: reason, pausedBy: operator };
}

/** Believed again, with care: by itself, or because an operator says so. */
export function resumed(
  trust: ChainTrust,
  now: string,
  { cautionHours }: Pick<CryptoPolicy, 'cautionHours'>,
): ChainTrust {
  const cautiousUntil = new Date(Date.parse(now) + cautionHours * 60 * MINUTE_MS).toISOString();
  return {
    ...trust,
    pausedAt: null,
    pauseReason: null,
    pausedBy: null,
    disagreeingSince: null,
    cautiousUntil,
  };
}

const MINUTE_MS = 60_000;

function since(before: string | null, agree: boolean | null, now: string): string | null {
  if (agree === true) return null;
  return agree === false ? (before ?? now) : before;
}

function reasonToPause(
  evidence: ChainEvidence & Pick<ChainTrust, 'disagreeingSince'>,
  policy: Pick<CryptoPolicy, 'pauseReorgDepth' | 'pauseDisagreementMinutes' | 'tipMaxAgeMinutes'>,
): string | null {
  const { family, reorgDepth, isFinalKept, disagreeingSince, tipTime, now } = evidence;
  const isOlder = (at: string | null, minutes: number) =>
    at !== null && Date.parse(now) - Date.parse(at) > minutes * MINUTE_MS;

  if (!isFinalKept) return 'a block that was final has been replaced';
  if (reorgDepth >= policy.pauseReorgDepth[family]) {
    return `a reorganisation has taken ${reorgDepth} blocks out of the chain`;
  }
  if (isOlder(disagreeingSince, policy.pauseDisagreementMinutes)) {
    return `two nodes have disagreed since ${disagreeingSince}`;
  }
  return isOlder(tipTime, policy.tipMaxAgeMinutes[family]) ? `the last block is from ${tipTime}` : null;
}
