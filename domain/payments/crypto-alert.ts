/**
 * What can be wrong with payments in coins as such, and not with one of them: operators are told when it begins and when it is
 * over (seed 002 §8.1, "Blockchain monitoring stopped"; knowledge: crypto §6.2 on the peg).
 */
import { inWords } from '../instant.ts';
import type { CryptoAsset } from './crypto-asset.ts';
import { type ChainFamily, type ChainName, familyOf, titleOf } from './crypto-chain.ts';

/** `watcher_silent`: nobody watches a chain. `peg_off`: a coin that promises to be a dollar is not worth one. */
export type CryptoAlertKind = 'watcher_silent' | 'peg_off';

export type CryptoAlert =
  | { kind: 'watcher_silent'; subject: ChainName; detail: null }
  /** `detail`: US dollars for one, when it was found. */
  | { kind: 'peg_off'; subject: CryptoAsset; detail: string };

/** Whether it is so; null where that cannot be told, and what was known before stands. */
export type CryptoAlertState = CryptoAlert & { isSo: boolean | null };

/** Whose accounts it concerns: tokens live on the chains of this family. */
export function concernedFamily(alert: CryptoAlert): ChainFamily {
  return alert.kind === 'watcher_silent' ? familyOf(alert.subject) : 'evm';
}

/** For a mail: a title of a few words, and sentences that say what it means and what to do. `at`: since when, or until when. */
export function alertInWords(
  alert: CryptoAlert,
  { is, at }: { is: 'begun' | 'over'; at: string },
): { title: string; what: string } {
  return is === 'begun' ? begun(alert, inWords(at)) : over(alert, inWords(at));
}

function begun(alert: CryptoAlert, at: string): { title: string; what: string } {
  switch (alert.kind) {
    case 'watcher_silent': {
      const chain = titleOf(alert.subject);
      return {
        title: `${chain} is not watched`,
        what: `The watcher of ${chain} has not been heard of; this was noticed on ${at}. Until it is back no payment on ${chain} is seen or settled, and soon none is offered; no offer expires. Nothing is lost: it reads on where it stopped. Start a worker that has a node of ${chain} in its environment, and see POST /v1/crypto/health. You are told when it is back.`,
      };
    }
    case 'peg_off':
      return {
        title: `${alert.subject} is not worth a dollar`,
        what: `The markets have put one ${alert.subject} at ${alert.detail} US dollars; this was noticed on ${at}. New offers are made at that rate and not at 1; offers that were made before keep theirs until they expire. Where you do not want to take it, pause its chains with POST /v1/crypto/chains/{chain}/pause. You are told when it is worth a dollar again.`,
      };
  }
}

function over(alert: CryptoAlert, at: string): { title: string; what: string } {
  switch (alert.kind) {
    case 'watcher_silent': {
      const chain = titleOf(alert.subject);
      return {
        title: `${chain} is watched again`,
        what: `The watcher of ${chain} is back; this was noticed on ${at}. What was paid meanwhile is found as it reads on.`,
      };
    }
    case 'peg_off':
      return {
        title: `${alert.subject} is worth a dollar again`,
        what: `The markets put one ${alert.subject} between 0.99 and 1.01 US dollars; this was noticed on ${at}. New offers are made at 1 again.`,
      };
  }
}
