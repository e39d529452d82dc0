/** When an invoice in coins has to be decided again although nobody pays: by the clock, and by the height of its chain. */
import { clocksOf, hoursMs, MINUTE_MS } from './crypto-clock.ts';
import type { ChainView, CryptoInvoiceInput, CryptoInvoiceStatus } from './crypto-invoice.ts';
import { type Depth, isDeepAt, lastSeenMs, type Standing, type Standings } from './crypto-standing.ts';

type Wake = { wakeAt: string | null; wakeHeight: number | null };

export function wakeOf(known: {
  input: CryptoInvoiceInput;
  view: ChainView;
  standings: Standings;
  status: CryptoInvoiceStatus;
}): Wake {
  const nowMs = Date.parse(known.input.now);
  const instants = [...timeoutsMs(known).map((at) => afterMs(at, nowMs)), ...momentsMs(known)];
  const ahead = instants.filter((at) => at > nowMs);
  const heights = heightsOf(known);
  return {
    wakeAt: ahead.length === 0 ? null : new Date(Math.min(...ahead)).toISOString(),
    wakeHeight: heights.length === 0 ? null : Math.min(...heights),
  };
}

const SECOND_MS = 1000;

/** A poll that begins after the moment is awaited at first so long, and at most so long. */
const RETRY_MIN_MS = 10 * SECOND_MS;
const RETRY_MAX_MS = 10 * MINUTE_MS;

/** A second after the moment; where that did not do, again after as long as it has been waited already. */
function afterMs(atMs: number, nowMs: number): number {
  if (nowMs <= atMs) return atMs + SECOND_MS;
  return nowMs + Math.min(Math.max(nowMs - atMs, RETRY_MIN_MS), RETRY_MAX_MS);
}

type Known = Parameters<typeof wakeOf>[0];

/** What is still to pass, and passes only on a view that is fresh. */
function timeoutsMs({ input, standings, status }: Known): number[] {
  const { terms } = input;
  const { expiresMs, monitorUntilMs } = clocksOf(terms);
  const isHopeless = status === 'processing' && !standings.wasMined && !standings.hasAccepted;
  const waiting = standings.all.filter(({ isAlive, isMined, status, rival }) =>
    isAlive ? !isMined : status === 'orphaned' && rival === null,
  );
  const orphans = standings.all.filter(
    ({ payment, isCounted, isLost }) =>
      isCounted && payment.block === null && payment.orphanedAt !== null && !isLost,
  );
  return [
    ...(status === 'awaiting' ? [expiresMs] : []),
    ...(isHopeless ? [monitorUntilMs] : []),
    ...waiting.map(({ payment }) => lastSeenMs(payment) + hoursMs(terms.policy.droppedHours)),
    ...orphans.map(
      ({ payment }) => Date.parse(payment.orphanedAt ?? '') + hoursMs(terms.policy.orphanedHours),
    ),
    // Blocks of another chain wake nobody here.
    ...standings.all
      .filter((each) => each.isAccepted && each.wrong === 'chain' && each.confirmations > 0 && !each.isDeep)
      .map(({ payment }) => Date.parse(payment.effectiveAt)),
  ];
}

/** What comes at its moment by itself. */
function momentsMs({ input, view, standings, status }: Known): number[] {
  const { slowMinutes, confirmationTimeoutMinutes } = input.terms.policy;
  const since = status === 'processing' ? standings.waitingSince : null;
  const delays = since === null ? [] : [slowMinutes, confirmationTimeoutMinutes];
  const isShallow = standings.all.some((each) => isKnown(each) && each.isMined && !each.isDeep);
  return [
    ...delays.map((minutes) => Date.parse(since ?? '') + minutes * MINUTE_MS),
    ...(view.cautiousUntil === null || !isShallow ? [] : [Date.parse(view.cautiousUntil)]),
  ];
}

function heightsOf({ input, view, standings, status }: Known): number[] {
  const { terms } = input;
  const onChain = standings.all.filter((each) => each.payment.chain === terms.chain);
  const mined = onChain.filter((each) => isKnown(each) && each.isMined);
  const { depths } = standings;
  const reaches = (height: number | undefined, depth: Depth) => reachedAt(height ?? 0, depth, view);
  const isReady =
    (status === 'settled' ? standings.finalUnits : standings.confirmedUnits) >= terms.minDueUnits;
  // What only the pause holds back goes on with the first block after it.
  const isHeldBack = view.isPaused && isReady && ['processing', 'settled', 'invalid'].includes(status);
  return [
    ...mined
      .filter((each) => !each.isDeep)
      .map(({ payment }) => reaches(payment.block?.height, depths.payment)),
    ...(status === 'settled' ? mined : [])
      .filter((each) => each.isCounted && !each.isFinal)
      .map(({ payment }) => reaches(payment.block?.height, depths.final)),
    ...onChain
      .flatMap(({ rival }) => (rival !== null && rival.height !== null ? [rival.height] : []))
      .filter((height) => !isDeepAt(height, view, depths.rival))
      .map((height) => reaches(height, depths.rival)),
    ...(isHeldBack ? [view.tipHeight + 1] : []),
  ];
}

/**
 * The height at which a block will be this deep. A chain's own finality comes in leaps nobody foretells: it is looked for
 * after a quarter of what is missing, so that a handful of looks finds it soon after it has come.
 */
function reachedAt(height: number, depth: Depth, view: ChainView): number {
  if (depth !== 'finalized') return height + depth - 1;
  const missing = height - (view.finalizedHeight ?? view.tipHeight);
  return view.tipHeight + Math.max(1, Math.ceil(missing / 4));
}

/** How deep dust and unknown tokens lie changes nothing. */
function isKnown({ isDust, isAccepted, wrong }: Standing): boolean {
  return wrong !== 'token' && (!isDust || isAccepted);
}
