/**
 * What the bench has to reach. Numbers that every machine counts alike, and ratios of things that were measured side by side;
 * the few times among them have room for a busy machine. What is only compared from version to version has no aim.
 */
import type { BankCosts } from './bank.ts';
import type { ChainCosts } from './chains.ts';
import type { MemoryCosts } from './memory.ts';

/** Temporal actions that a scenario may cost; each has to be played. */
export const actionAims: Readonly<Record<string, number>> = {
  'trial-converts': 12,
  'quiet-month': 6,
  'dunning-30-days': 17,
  upgrade: 4,
  'recovered-renewal': 10,
  refund: 4,
  'crypto-paid': 5,
  'bank-transfer-paid': 8,
};

/** What is judged of a run, as it was measured and not as it is rounded for reading. */
export type Judged = {
  scenarios: readonly { name: string; actions: number }[];
  chains: ChainCosts;
  bank: BankCosts;
  memory: MemoryCosts;
};

/** A line for each aim that was missed: what it is, what was measured and what was wanted. What is no number misses its aim. */
export function missedAims({ scenarios, chains, bank, memory }: Judged): string[] {
  const { at1k, at100k } = chains.nodeCallsPerBlock;
  return [
    ...Object.entries(actionAims).map(([name, most]) =>
      atMost(`actions of ${name}`, scenarios.find((each) => each.name === name)?.actions, most),
    ),
    atLeast('chainMatchVsScan', chains.chainMatchVsScan, 100),
    atMost('chainMatch100kVs1k', chains.chainMatch100kVs1k, 10),
    at1k > 0 && at1k === at100k
      ? null
      : `nodeCallsPerBlock: ${at1k} with 1,000 open invoices and ${at100k} with 100,000, and the same number is wanted`,
    atMost('blockToPaymentMs.p95', chains.blockToPaymentMs.p95, 500),
    atMost('restartMs', chains.restartMs, 10_000),
    atMost('catchUp144Ms', chains.catchUp144Ms, 60_000),
    atMost('bankMatchVsJoin', bank.bankMatchVsJoin, 20),
    // Of a movement its name is kept until the file is read, and nothing else.
    atMost('statement100kMb / statement10kMb', memory.statement100kMb / memory.statement10kMb, 1.5),
  ].filter((line) => line !== null);
}

function atMost(name: string, found: number | undefined, most: number): string | null {
  return found !== undefined && found <= most
    ? null
    : `${name}: ${said(found)}, and at most ${most} is wanted`;
}

function atLeast(name: string, found: number | undefined, least: number): string | null {
  return found !== undefined && found >= least && found < Number.POSITIVE_INFINITY
    ? null
    : `${name}: ${said(found)}, and at least ${least} is wanted`;
}

/** Exact enough that a number beyond its aim is never shown as the aim. */
function said(found: number | undefined): string {
  return found === undefined ? 'not measured' : String(found);
}
