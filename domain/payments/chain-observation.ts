/**
 * What a block, or what waits to be mined, means for the payments we know. Pure: transactions in, payments as they are now
 * out. It tells of the chain only; what a payment counts for is decided in `crypto-invoice.ts`.
 *
 * Why it is safe to run twice: a payment is written whole, by its key, and what was seen before gives what is there already.
 * A block read again, or a mempool told again, changes nothing but the time of the last sight. Where a transaction that is mined
 * again pays another of our addresses, what it had paid and what it pays now are two payments, of which one at most is alive.
 */

import { exponentOf } from '../money.ts';
import type { BlockRef, ChainTransaction, ChainTransfer } from './chain-node.ts';
import { type CryptoAsset, unitsPerCoin } from './crypto-asset.ts';
import { type ChainName, familyOf } from './crypto-chain.ts';
import type { CryptoPayment } from './crypto-payment.ts';

/** A payment with whose it is. */
export type OwnPayment = CryptoPayment & {
  tenantId: string;
  cryptoInvoiceId: string;
  /** `ChainTransfer.to` */
  target: string;
};

/** One of our addresses, and the invoice that it stands for. */
export type OwnTarget = {
  target: string;
  tenantId: string;
  cryptoInvoiceId: string;
  asset: CryptoAsset;
  minDueUnits: bigint;
  dustUsdMinor: number;
  /** Of an amount, in hundredths of a percent: what a payment may lack. */
  toleranceBps: number;
  /** Its payments may come to count by their rate alone, so that one rate is as good as none unless sources agree on it. */
  needsAgreedRate: boolean;
};

/** What a transaction that concerns us uses up. `parentTxid`: whose output it is; null where spends name no parent (EVM). */
export type TrackedSpend = { spend: string; txid: string; parentTxid: string | null };

/** How many payments an invoice has that are worth next to nothing. */
export type WorthlessCount = { unknownTokens: number; crumbs: number };

export type Observation = {
  chain: ChainName;
  /** UTC instant. */
  now: string;
  /** The active chain's block that has the transactions; null for those that wait to be mined. */
  block: (BlockRef & { time: string }) | null;
  /** Those that pay us or use up something tracked, in the order of the block; others change nothing. */
  transactions: readonly ChainTransaction[];
  /** Unmined transactions that those in the mempool build upon, however far back. */
  ancestors: readonly ChainTransaction[];
  targets: ReadonlyMap<string, OwnTarget>;
  /** All payments of the transactions, of their rivals, and of whatever builds upon one of them. */
  payments: readonly OwnPayment[];
  /** The spends of the same. */
  spends: readonly TrackedSpend[];
  /** By invoice; one that has none may be left out. */
  worthless: ReadonlyMap<string, WorthlessCount>;
  /**
   * US dollars for a whole coin at that instant; null where no fresh price is known, or, with `isAgreed`, where nobody could be
   * quoted by what is known.
   */
  usdRateAt(asset: CryptoAsset, at: string, options: { isAgreed: boolean }): string | null;
};

/** What is to be kept. `payments` are new or changed, each whole. */
export type ObservedChanges = { payments: OwnPayment[]; spends: TrackedSpend[] };

/** Worthless payments of an invoice that are kept; whoever sends more of them fills no table of ours. */
export const WORTHLESS_PAYMENTS_MAX = 20;

export function observe(observation: Observation): ObservedChanges {
  const state = new State(observation);
  for (const transaction of observation.transactions) {
    if (observation.block === null) see(state, transaction);
    else mine(state, transaction, observation.block);
  }
  track(state);
  return { payments: state.changed(), spends: [...state.newSpends.values()] };
}

/** The payments that a reorganisation changes: everything above `ancestor` is out of the chain, rivals as well. */
export function leaveChain(
  payments: readonly OwnPayment[],
  { ancestor, now }: { ancestor: number; now: string },
): OwnPayment[] {
  return payments.flatMap((payment) => {
    const isOut = payment.block !== null && payment.block.height > ancestor;
    const isRivalOut = (payment.rival?.height ?? -1) > ancestor;
    if (!isOut && !isRivalOut) return [];
    return [
      {
        ...payment,
        ...(isOut && { block: null, orphanedAt: now }),
        ...(isRivalOut && { rival: withoutBlock(payment) }),
      },
    ];
  });
}

/** One whose own transaction had failed waits for it again. */
function withoutBlock({ rival, txid }: OwnPayment): OwnPayment['rival'] {
  return rival === null || rival.txid === txid ? null : { txid: rival.txid, height: null };
}

/** The transaction is in the active chain. */
function mine(state: State, transaction: ChainTransaction, block: BlockRef & { time: string }): void {
  const { txid } = transaction;
  const isOwn = new Set(transaction.transfers.map((transfer) => state.keyOf(transfer)));
  const before = state.paymentsOf(txid);
  const rivals = state.rivalsOf(transaction);
  const inherited = [...rivals.flatMap((rival) => state.paymentsOf(rival)), ...before].filter(
    ({ key, block: mined }) => mined === null && !isOwn.has(key),
  );

  for (const transfer of transaction.transfers) {
    const known = state.knownOf(transfer);
    const payment =
      known === undefined
        ? state.begin(transaction, transfer, inherited)
        : state.withUnits(known, transfer.units);
    if (payment === null) continue;
    state.put({
      ...payment,
      block: { height: block.height, hash: block.hash },
      effectiveAt: earlier(payment.effectiveAt, block.time),
      orphanedAt: null,
      rival: null,
      unconfirmedParent: null,
    });
  }
  // It was mined and moved nothing, or something else, or to somebody else, than it had promised or had done in another block.
  for (const payment of before) {
    if (!isOwn.has(payment.key)) lose(state, payment, { txid, height: block.height });
  }
  for (const dead of state.withDescendants(rivals)) {
    for (const payment of state.paymentsOf(dead)) {
      lose(state, payment, { txid, height: block.height });
    }
  }
  revive(state, transaction, before);
  for (const child of state.paymentsBuiltOn(txid)) state.put({ ...child, unconfirmedParent: null });
}

/** What a contract sends on may depend on the block that it runs in: mined again, it may go to somebody else. */
function isSameMoney({ target, asset, token }: OwnPayment, transfer: ChainTransfer): boolean {
  return target === transfer.to && asset === transfer.asset && token === transfer.token;
}

/**
 * The key of a transfer to us whose own key is that of a payment of other money already: to another address of ours, or of
 * another token. The one that was first keeps the plain key, dead or alive, so that each is found again wherever it is mined.
 */
function divertedKey({ key, to, token }: ChainTransfer): string {
  return token === null ? `${key}@${to}` : `${key}@${to}@${token}`;
}

/** Whether a payment is what has this `ChainTransfer.key`. */
export function isOfTransfer(payment: Pick<CryptoPayment, 'key'>, key: string): boolean {
  return payment.key === key || payment.key.startsWith(`${key}@`);
}

/** The transaction waits to be mined. */
function see(state: State, transaction: ChainTransaction): void {
  const { txid } = transaction;
  const { now } = state.observation;
  const rivals = state.rivalsOf(transaction);
  const rivalPayments = rivals.flatMap((rival) => state.paymentsOf(rival));
  const fatal = state.fatalTo(transaction, rivalPayments);
  const unconfirmedParent = state.unminedParentOf(transaction);
  const before = state.paymentsOf(txid);

  for (const transfer of transaction.transfers) {
    const payment = state.knownOf(transfer) ?? state.begin(transaction, transfer, rivalPayments);
    // A node's mempool may lag behind its chain.
    if (payment === null || payment.block !== null) continue;
    const isLost = (payment.rival?.height ?? null) !== null;
    state.put({
      ...payment,
      seenAt: now,
      rival: isLost ? payment.rival : fatal,
      unconfirmedParent,
    });
  }
  if (fatal !== null) return;
  for (const dead of state.withDescendants(rivals)) {
    for (const payment of state.paymentsOf(dead)) lose(state, payment, { txid, height: null });
  }
  revive(state, transaction, before);
}

/** Only one of two rivals is ever mined: what is in a block is not touched, nor what lost against a block. */
function lose(state: State, payment: OwnPayment, rival: { txid: string; height: number | null }): void {
  if (payment.block !== null) return;
  const has = payment.rival;
  if (has !== null && has.height !== null && has.txid !== rival.txid) return;
  if (has?.txid === rival.txid && (rival.height === null || has.height === rival.height)) return;
  state.put({ ...payment, rival });
}

/** What had lost together with this transaction lives again with it. */
function revive(state: State, { txid }: ChainTransaction, before: readonly OwnPayment[]): void {
  const overcome = new Set(before.flatMap(({ rival }) => (rival === null ? [] : [rival.txid])));
  if (overcome.size === 0) return;
  for (const child of state.withDescendants([txid])) {
    if (child === txid) continue;
    for (const payment of state.paymentsOf(child)) {
      if (payment.block === null && payment.rival !== null && overcome.has(payment.rival.txid)) {
        state.put({ ...payment, rival: null });
      }
    }
  }
}

/** Follows what the payments' transactions use up, and what those they build upon do. */
function track(state: State): void {
  const { transactions, ancestors } = state.observation;
  const byId = new Map([...ancestors, ...transactions].map((each) => [each.txid, each]));
  const wanted = transactions.filter(({ txid }) => state.paymentsOf(txid).length > 0);
  const done = new Set<string>();
  for (let next = wanted.pop(); next !== undefined; next = wanted.pop()) {
    if (done.has(next.txid)) continue;
    done.add(next.txid);
    for (const spend of next.spends) {
      const parentTxid = state.parentOf(spend);
      state.trackSpend({ spend, txid: next.txid, parentTxid });
      const parent = parentTxid === null ? undefined : byId.get(parentTxid);
      if (parent !== undefined) wanted.push(parent);
    }
  }
}

/** The payments as they become while the transactions are gone through one after the other. */
class State {
  readonly observation: Observation;
  readonly payments: Map<string, OwnPayment>;
  readonly newSpends = new Map<string, TrackedSpend>();
  readonly #before: ReadonlyMap<string, OwnPayment>;
  readonly #keysOf = new Map<string, Set<string>>();
  readonly #keysBuiltOn = new Map<string, Set<string>>();
  readonly #spendersOf = new Map<string, Set<string>>();
  readonly #childrenOf = new Map<string, Set<string>>();
  readonly #worthless = new Map<string, WorthlessCount>();
  readonly #ancestors: ReadonlySet<string>;

  constructor(observation: Observation) {
    this.observation = observation;
    this.payments = new Map(observation.payments.map((payment) => [payment.key, payment]));
    this.#before = new Map(this.payments);
    for (const payment of observation.payments) this.#index(payment);
    for (const spend of observation.spends) this.#follow(spend);
    this.#ancestors = new Set(observation.ancestors.map(({ txid }) => txid));
  }

  keyOf(transfer: ChainTransfer): string {
    const first = this.payments.get(transfer.key);
    return first === undefined || isSameMoney(first, transfer) ? transfer.key : divertedKey(transfer);
  }

  knownOf(transfer: ChainTransfer): OwnPayment | undefined {
    return this.payments.get(this.keyOf(transfer));
  }

  paymentsOf(txid: string): OwnPayment[] {
    return this.#found(this.#keysOf.get(txid));
  }

  /** Those that waited for this parent. */
  paymentsBuiltOn(txid: string): OwnPayment[] {
    return this.#found(this.#keysBuiltOn.get(txid)).filter(
      ({ unconfirmedParent }) => unconfirmedParent === txid,
    );
  }

  rivalsOf({ txid, spends }: ChainTransaction): string[] {
    const rivals = new Set(spends.flatMap((spend) => [...(this.#spendersOf.get(spend) ?? [])]));
    rivals.delete(txid);
    return [...rivals];
  }

  withDescendants(txids: readonly string[]): Set<string> {
    const found = new Set(txids);
    // A set that grows while it is gone through: every descendant's turn comes.
    for (const txid of found) for (const child of this.#childrenOf.get(txid) ?? []) found.add(child);
    return found;
  }

  /** The mined rival of one that waits, or of what it builds upon. */
  fatalTo(transaction: ChainTransaction, rivalPayments: readonly OwnPayment[]): OwnPayment['rival'] {
    const mined = rivalPayments.find(({ block }) => block !== null);
    if (mined?.block) return { txid: mined.txid, height: mined.block.height };
    for (const spend of transaction.spends) {
      const parent = this.parentOf(spend);
      for (const { block, rival } of parent === null ? [] : this.paymentsOf(parent)) {
        if (block === null && rival !== null) return rival;
      }
    }
    return null;
  }

  unminedParentOf({ spends }: ChainTransaction): string | null {
    for (const spend of spends) {
      const parent = this.parentOf(spend);
      if (parent !== null && this.#ancestors.has(parent)) return parent;
    }
    return null;
  }

  parentOf(spend: string): string | null {
    return familyOf(this.observation.chain) === 'bitcoin' ? spend.slice(0, spend.lastIndexOf(':')) : null;
  }

  /** A payment that was not known; null for a transfer that is not to us, or is one worthless payment too many. */
  begin(
    transaction: ChainTransaction,
    transfer: ChainTransfer,
    predecessors: readonly OwnPayment[],
  ): OwnPayment | null {
    const { targets, chain } = this.observation;
    const target = targets.get(transfer.to);
    if (target === undefined || transfer.units <= 0n) return null;
    const { txid } = transaction;
    const alike = predecessors
      .filter(({ cryptoInvoiceId }) => cryptoInvoiceId === target.cryptoInvoiceId)
      .filter(({ asset, token }) => asset === transfer.asset && token === transfer.token);
    const units = this.#unitsUpTo(transaction, transfer, target);
    const { effectiveAt, usdRate } = inheritance(alike, { units, ...target }).reduce<
      Pick<OwnPayment, 'effectiveAt' | 'usdRate'>
    >((a, b) => (Date.parse(b.effectiveAt) < Date.parse(a.effectiveAt) ? b : a), {
      effectiveAt: this.#firstSight(),
      usdRate: null,
    });
    const payment: OwnPayment = {
      key: this.keyOf(transfer),
      chain,
      txid,
      tenantId: target.tenantId,
      cryptoInvoiceId: target.cryptoInvoiceId,
      target: target.target,
      asset: transfer.asset,
      token: transfer.token,
      units: transfer.units,
      block: null,
      effectiveAt,
      seenAt: null,
      orphanedAt: null,
      rival: null,
      unconfirmedParent: null,
      usdRate: usdRate ?? this.#rateOf(transfer.asset, effectiveAt, target),
    };
    return this.#hasRoomFor(payment, target) ? payment : null;
  }

  /** With what the block says it is. What is more than was promised counts from now, like any payment. */
  withUnits(payment: OwnPayment, units: bigint): OwnPayment {
    const target = this.observation.targets.get(payment.target);
    const toleranceBps = target?.toleranceBps ?? 0;
    if (units === payment.units || covers(payment.units, { units, toleranceBps })) {
      return { ...payment, units };
    }
    const effectiveAt = this.#firstSight();
    return {
      ...payment,
      units,
      effectiveAt,
      usdRate: target === undefined ? null : this.#rateOf(payment.asset, effectiveAt, target),
    };
  }

  put(payment: OwnPayment): void {
    this.payments.set(payment.key, payment);
    this.#index(payment);
  }

  trackSpend(spend: TrackedSpend): void {
    if (this.#spendersOf.get(spend.spend)?.has(spend.txid)) return;
    this.newSpends.set(`${spend.spend} ${spend.txid}`, spend);
    this.#follow(spend);
  }

  changed(): OwnPayment[] {
    return [...this.payments.values()].filter((payment) => {
      const before = this.#before.get(payment.key);
      return before === undefined || !isSame(before, payment);
    });
  }

  #rateOf(asset: CryptoAsset | null, at: string, { needsAgreedRate }: OwnTarget): string | null {
    return asset === null ? null : this.observation.usdRateAt(asset, at, { isAgreed: needsAgreedRate });
  }

  #firstSight(): string {
    const { now, block } = this.observation;
    return earlier(now, block?.time ?? now);
  }

  /** What the transaction pays the invoice up to this transfer: several share what they inherit. */
  #unitsUpTo({ transfers }: ChainTransaction, transfer: ChainTransfer, target: OwnTarget): bigint {
    const { targets } = this.observation;
    return transfers
      .slice(0, transfers.indexOf(transfer) + 1)
      .filter(({ to }) => targets.get(to)?.cryptoInvoiceId === target.cryptoInvoiceId)
      .filter(({ asset, token }) => asset === transfer.asset && token === transfer.token)
      .reduce((sum, { units }) => sum + units, 0n);
  }

  #hasRoomFor(payment: OwnPayment, target: OwnTarget): boolean {
    const id = payment.cryptoInvoiceId;
    const count = this.#worthless.get(id) ??
      this.observation.worthless.get(id) ?? { unknownTokens: 0, crumbs: 0 };
    const kind = payment.asset === null ? 'unknownTokens' : isCrumb(payment, target) ? 'crumbs' : null;
    if (kind === null) return true;
    if (count[kind] >= WORTHLESS_PAYMENTS_MAX) return false;
    this.#worthless.set(id, { ...count, [kind]: count[kind] + 1 });
    return true;
  }

  #index({ key, txid, unconfirmedParent }: OwnPayment): void {
    add(this.#keysOf, txid, key);
    if (unconfirmedParent !== null) add(this.#keysBuiltOn, unconfirmedParent, key);
  }

  #follow({ spend, txid, parentTxid }: TrackedSpend): void {
    add(this.#spendersOf, spend, txid);
    if (parentTxid !== null) add(this.#childrenOf, parentTxid, txid);
  }

  #found(keys: ReadonlySet<string> = new Set()): OwnPayment[] {
    return [...keys].flatMap((key) => this.payments.get(key) ?? []);
  }
}

/**
 * The predecessors whose time a successor of so many units has: those whose transaction promised as much by itself, and all
 * that were alive if together they did. Whoever had promised little may not wait for the price and then pay at the old rate.
 */
function inheritance(
  predecessors: readonly OwnPayment[],
  wanted: { units: bigint; toleranceBps: number },
): OwnPayment[] {
  const promised = (payments: readonly OwnPayment[]) =>
    covers(
      payments.reduce((sum, { units }) => sum + units, 0n),
      wanted,
    );
  const alone = [...Map.groupBy(predecessors, ({ txid }) => txid).values()].filter(promised).flat();
  if (alone.length > 0) return alone;
  const alive = predecessors.filter(({ rival }) => rival === null);
  if (!promised(alive)) return [];
  // They promised as much only when the last of them was there.
  return [alive.reduce((a, b) => (Date.parse(b.effectiveAt) > Date.parse(a.effectiveAt) ? b : a))];
}

function covers(promised: bigint, { units, toleranceBps }: { units: bigint; toleranceBps: number }): boolean {
  return promised * ALL_BPS >= units * (ALL_BPS - BigInt(toleranceBps));
}

const ALL_BPS = 10_000n;

/**
 * Worth less than the policy's dust, or, where no price is known, less than it costs anywhere to move: the same bound that
 * counts how many an invoice has.
 */
export function isCrumb(
  { asset, units, usdRate }: Pick<CryptoPayment, 'asset' | 'units' | 'usdRate'>,
  target: Pick<OwnTarget, 'asset' | 'minDueUnits' | 'dustUsdMinor'>,
): boolean {
  if (asset === null || (asset === target.asset && units >= target.minDueUnits)) return false;
  if (usdRate === null) return units < crumbs[asset];
  return usdMinorFloor(units, asset, usdRate) < BigInt(target.dustUsdMinor);
}

const crumbs: Record<CryptoAsset, bigint> = { BTC: 546n, ETH: 10n ** 13n, USDC: 10_000n };

/** In the smallest unit of the dollar, rounded down. */
function usdMinorFloor(units: bigint, asset: CryptoAsset, usdRate: string): bigint {
  const [whole = '0', behind = ''] = usdRate.split('.');
  const minorPerDollar = 10n ** BigInt(exponentOf('USD'));
  const perRateDigits = 10n ** BigInt(behind.length);
  return (units * BigInt(whole + behind) * minorPerDollar) / (perRateDigits * unitsPerCoin(asset));
}

function isSame(a: OwnPayment, b: OwnPayment): boolean {
  return (
    a.units === b.units &&
    a.block?.height === b.block?.height &&
    a.block?.hash === b.block?.hash &&
    a.effectiveAt === b.effectiveAt &&
    a.seenAt === b.seenAt &&
    a.orphanedAt === b.orphanedAt &&
    a.rival?.txid === b.rival?.txid &&
    a.rival?.height === b.rival?.height &&
    a.unconfirmedParent === b.unconfirmedParent
  );
}

function earlier(a: string, b: string): string {
  return new Date(Math.min(Date.parse(a), Date.parse(b))).toISOString();
}

function add(map: Map<string, Set<string>>, key: string, value: string): void {
  const values = map.get(key);
  if (values === undefined) map.set(key, new Set([value]));
  else values.add(value);
}
