/**
 * What is told of a transaction that somebody asks about: whether it pays one of our addresses, what that counts for and why,
 * and what the payer can do where it went wrong (seed 002 §8.1, rows 3, 8 and 14).
 */
import { formatCoins } from './crypto-asset.ts';
import { type ChainName, type CryptoNetwork, familyOf, titleOf } from './crypto-chain.ts';
import type { CryptoInvoiceStatus, DecidedPayment } from './crypto-invoice.ts';
import { paymentInWords } from './crypto-words.ts';

export const lookupOutcomes = [
  /** At least one payment of an invoice that is open or settled, or that counts. */
  'pays_invoice',
  /** An address of ours, but of an invoice that has ended and for which it does not count. */
  'pays_ended_invoice',
  'pays_nothing_of_yours',
  /** It was mined, and moved nothing. */
  'failed',
  'unknown',
] as const;

export type LookupOutcome = (typeof lookupOutcomes)[number];

/** What the nodes know of it. */
export type LookedUp = {
  network: CryptoNetwork;
  /** Chains whose nodes answered. */
  asked: ChainName[];
  /** Those whose nodes did not, and why. */
  failed: { chain: ChainName; message: string }[];
  found: {
    chain: ChainName;
    block: { height: number; hash: string } | null;
    /** `FoundTransaction.failure` */
    failure: string | null;
    /** Those to the tenant's own addresses. `units` is a decimal. */
    own: { key: string; to: string; asset: DecidedPayment['asset']; token: string | null; units: string }[];
  } | null;
};

/** One transfer to one of our addresses, with what was decided about it. */
export type LookedUpPayment = {
  cryptoInvoiceId: string;
  status: CryptoInvoiceStatus;
  /** What the invoice is to be paid in. */
  due: { chain: ChainName; asset: NonNullable<DecidedPayment['asset']>; requiredDepth: number | 'finalized' };
  chain: ChainName;
  block: { height: number } | null;
  token: string | null;
  /** Null for what the watcher has not recorded. */
  decided: DecidedPayment | null;
  /** The last block that was read; null where none was. */
  readTo: number | null;
};

export type Finding = { counts: boolean; why: string };

export function findingOf(payment: LookedUpPayment): Finding {
  const { decided } = payment;
  if (decided === null) return { counts: false, why: whyUnrecorded(payment) };
  const counts = decided.creditedUnits > 0n;
  return { counts, why: counts ? whyCounted(decided, payment) : whyNot(decided, payment) };
}

function whyUnrecorded({ chain, block, readTo }: LookedUpPayment): string {
  if (block === null) return 'It waits to be mined, and is recorded at the next look at what waits.';
  if (readTo === null || block.height > readTo) {
    return `Its block ${block.height} is still to be read; ${titleOf(chain)} has been read up to ${readTo ?? 'nothing yet'}.`;
  }
  return `Its block ${block.height} was passed without it: have it read again with POST /v1/crypto/chains/${chain}/rescan and fromHeight ${block.height}.`;
}

function whyCounted(decided: DecidedPayment, { due }: LookedUpPayment): string {
  const { status, confirmations } = decided;
  if (status === 'confirmed') return `${paymentInWords(status).operator}`;
  const depth =
    due.requiredDepth === 'finalized' ? 'waits until the chain calls it final' : `of ${due.requiredDepth}`;
  return status === 'mined'
    ? `It is in a block: ${confirmations} ${confirmations === 1 ? 'confirmation' : 'confirmations'} ${depth}.`
    : paymentInWords(status).operator;
}

/** Dead first: what is gone counts for nothing, whatever else is wrong with it. */
function whyNot(decided: DecidedPayment, { due, chain, token }: LookedUpPayment): string {
  const { status, replacedBy, wrong, isLate, asset } = decided;
  if (replacedBy !== null) return `The same wallet has replaced it by ${replacedBy}.`;
  if (['replaced', 'double_spent', 'dropped', 'orphaned', 'ignored_dust'].includes(status)) {
    return paymentInWords(status).operator;
  }
  if (wrong === 'token') {
    return `The contract ${token ?? 'of the token'} is none whose tokens are taken, whatever it calls itself.`;
  }
  if (wrong === 'chain') {
    return `It came on ${titleOf(chain)}, and the invoice is to be paid on ${titleOf(due.chain)}: accept it at its value, or give it back.`;
  }
  if (wrong === 'asset') {
    return `It came in ${asset ?? 'another coin'}, and the invoice is to be paid in ${due.asset}: accept it at its value, or give it back.`;
  }
  if (isLate) return 'It came after the expiry: accept it, extend the quote, or give it back.';
  return 'An operator has decided that it does not count.';
}

/** Where nobody is quoted any more; `settled` still waits until nothing can undo it. */
const ended: readonly CryptoInvoiceStatus[] = ['final', 'expired', 'invalid', 'cancelled'];

export function outcomeOf(
  { found }: Pick<LookedUp, 'found'>,
  payments: readonly (Pick<LookedUpPayment, 'status'> & Finding)[],
): LookupOutcome {
  if (payments.some(({ status, counts }) => counts || !ended.includes(status))) return 'pays_invoice';
  if (payments.length > 0) return 'pays_ended_invoice';
  if (found === null) return 'unknown';
  return found.failure === null ? 'pays_nothing_of_yours' : 'failed';
}

/** The answer in sentences, for the operator and, through them, for the payer. `named`: the chain that was asked for. */
export function lookupInWords(
  outcome: LookupOutcome,
  looked: LookedUp,
  {
    txid,
    named,
    payments,
  }: {
    txid: string;
    named: ChainName | null;
    payments: readonly (Pick<LookedUpPayment, 'cryptoInvoiceId' | 'status' | 'decided'> &
      Finding & { amount: string })[];
  },
): { summary: string; advice: string | null } {
  const { found, network } = looked;
  const where = found === null ? '' : placeOf(found, { named, network });
  switch (outcome) {
    case 'pays_invoice':
    case 'pays_ended_invoice': {
      const told = payments.map(
        ({ amount, cryptoInvoiceId, status, counts, why }) =>
          `It pays ${amount} to ${cryptoInvoiceId}, which is ${status}, and ${counts ? 'counts' : 'does not count'}: ${why}`,
      );
      const gone = found === null ? 'No node knows it any more. ' : '';
      return { summary: `${gone}${[where, ...told].filter((each) => each !== '').join(' ')}`, advice: null };
    }
    case 'pays_nothing_of_yours':
      return {
        summary: `${where} It pays none of your addresses, so it is credited to nobody.`,
        advice:
          'Compare the address it pays with the one on the page of the invoice, character by character. What went to a wrong address only its owner can send back.',
      };
    case 'failed':
      return {
        summary: `${where} It failed: ${found?.failure ?? 'reverted'}. Nothing was moved but its fee.`,
        advice: adviceOnFailure(found?.failure ?? ''),
      };
    case 'unknown':
      return { summary: unknownInWords(txid, looked), advice: adviceOnUnknown(txid, network) };
    default:
      return outcome satisfies never;
  }
}

function placeOf(
  { chain, block }: NonNullable<LookedUp['found']>,
  { named, network }: { named: ChainName | null; network: CryptoNetwork },
): string {
  const other = named !== null && named !== chain ? `, not on ${titleOf(named)}` : '';
  const worthless = network === 'mainnet' ? '' : ', a test network whose coins are worth nothing';
  const place = `It is on ${titleOf(chain)}${other}${worthless}`;
  return block === null ? `${place}, and waits to be mined.` : `${place}, in block ${block.height}.`;
}

/** A token's transfer takes up to 65,000 gas; wallets that guess too little burn all of it. */
function adviceOnFailure(failure: string): string {
  const again = 'The coins are still in the wallet of the payer, who can send them again';
  return failure === 'out of gas'
    ? `${again}, with a higher gas limit: 65,000 or more for USDC, or what the wallet proposes.`
    : `${again}, from the wallet itself and straight to the address of the invoice: the contract refused this call.`;
}

function unknownInWords(txid: string, { asked }: LookedUp): string {
  if (asked.length === 0) {
    const chains = isEvm(txid) ? 'Ethereum, Base or Polygon' : 'Bitcoin';
    return `Nobody could be asked: no node of ${chains} is configured.`;
  }
  return `No node of ${asked.map(titleOf).join(', ')} knows it.`;
}

function adviceOnUnknown(txid: string, network: CryptoNetwork): string {
  const tests = isEvm(txid) ? 'Sepolia' : 'testnet or signet';
  const elsewhere =
    network === 'mainnet'
      ? `it is on a test network (${tests}), whose coins have no value, or on a chain that is not watched here`
      : `it is on another network than ${network}, which is the one that is watched here`;
  return `Where the payer sees it confirmed, ${elsewhere}: the payer has to send again on the network that the page of the invoice names. Else it was never broadcast, or was dropped, and the coins are still in the wallet.`;
}

function isEvm(txid: string): boolean {
  return txid.startsWith('0x');
}

/** As chains write it: lower case. Some wallets show an EVM chain's without its `0x`; where the chain is named, it is put back. */
export function txidOf(given: string, named: ChainName | null): string {
  const txid = given.toLowerCase();
  return named !== null && familyOf(named) === 'evm' && !isEvm(txid) ? `0x${txid}` : txid;
}

/** Chains on which a transaction may have such an id, the one that is meant first. */
export function chainsToAsk(txid: string, named: ChainName | null, all: readonly ChainName[]): ChainName[] {
  const family = isEvm(txid) ? 'evm' : 'bitcoin';
  const fitting = all.filter((chain) => familyOf(chain) === family);
  return named === null ? fitting : [...fitting].sort((a, b) => Number(b === named) - Number(a === named));
}

/** For people: `0.5 BTC`, and of tokens that are none of ours what can be said. */
export function amountInWords(units: bigint, asset: DecidedPayment['asset'], token: string | null): string {
  return asset === null
    ? `${units} of the smallest unit of ${token === null ? 'a coin that is not taken' : `the token ${token}`}`
    : formatCoins(units, asset);
}
