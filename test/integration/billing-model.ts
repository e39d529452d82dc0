/**
 * A small model of one subscription and its money, in plain arithmetic and in the words of the rules (knowledge: billing
 * §1.2 to §1.4): no line of it is shared with what it is compared with. Amounts are minor units, instants milliseconds.
 */

export type Command =
  | { kind: 'pass'; hours: number; outcome: Outcome }
  | { kind: 'wire'; amount: 'exact' | 'half' | 'over' }
  | { kind: 'new_card' }
  | { kind: 'change'; price: Price; proration: 'invoice_now' | 'next_invoice' | 'none'; outcome: Outcome }
  | { kind: 'undo_change' }
  | { kind: 'cancel' }
  | { kind: 'cancel_at_end' }
  | { kind: 'undo_cancel' }
  | { kind: 'pause' }
  | { kind: 'resume' }
  | { kind: 'refund'; part: 'all' | 'third' }
  | { kind: 'lose_dispute' }
  | { kind: 'told_again' };

/** What the issuer says to the charges of a command. */
export type Outcome = 'succeeded' | 'insufficient_funds';

export const prices = [1000, 2001, 4999] as const;
export type Price = (typeof prices)[number];

export const OVERPAID = 700;

/** Less than this no card is charged in US dollars (https://docs.stripe.com/currencies): what is left by a wire is refused. */
const CARD_MINIMUM = 50;

type Invoice = {
  kind: 'period' | 'change';
  status: 'open' | 'paid' | 'void';
  total: number;
  paid: number;
  refunded: number;
  disputed: number;
  /** When its charge failed first. */
  failedAt: number | null;
  lines: Line[];
};
/** Something billed for a time, as far as it was not taken back; a credit names what it takes back. */
type Line = { amount: number; from: number; to: number; isCredited: boolean; takesBack?: Line };
/** Money from outside. */
type Payment = { invoice: Invoice; amount: number; refunded: number; byCard: boolean; isDisputed: boolean };
type Change = {
  price: number;
  invoice: Invoice | null;
  lapsesAt: number;
  charge: Line | null;
  credited: Line[];
};

export class Model {
  status: 'active' | 'past_due' | 'paused' | 'cancelled' = 'active';
  price: number;
  credit = 0;
  now: number;
  invoices: Invoice[] = [];
  private anchor: number;
  /** Months from the anchor to the beginning of the running period. */
  private month = 0;
  private from: number;
  private to: number;
  private endsAtEnd = false;
  private upgrade: Change | null = null;
  private downgrade: number | null = null;
  private unbilled: Line[] | null = null;
  private pausedAt = 0;
  private payments: Payment[] = [];

  /** Paid for from now on. */
  constructor(now: number, price: Price) {
    this.now = now;
    this.price = price;
    this.anchor = now;
    this.from = now;
    this.to = this.boundary(1);
    this.bill('period', price, [this.line(price, now, this.to)]);
    this.collect(this.last(), 'succeeded');
  }

  get periodEndsAt(): number {
    return this.to;
  }

  /** Whether it is carried out; what is refused changes nothing. */
  apply(command: Command): boolean {
    switch (command.kind) {
      case 'pass':
        return this.pass(this.now + command.hours * HOUR, command.outcome);
      case 'wire':
        return this.wire(command.amount);
      case 'new_card':
        return this.newCard();
      case 'change':
        return this.change(command);
      case 'undo_change':
        if (this.ended || (this.upgrade === null && this.downgrade === null)) return false;
        return this.dropChange();
      case 'cancel':
        return this.cancel();
      case 'cancel_at_end':
        if (this.ended || this.endsAtEnd) return false;
        if (this.status === 'paused') return this.cancel();
        this.endsAtEnd = true;
        return true;
      case 'undo_cancel':
        if (this.ended || !this.endsAtEnd || this.to <= this.now) return false;
        this.endsAtEnd = false;
        return true;
      case 'pause':
        return this.pause();
      case 'resume':
        return this.resume();
      case 'refund':
        return this.refund(command.part);
      case 'lose_dispute':
        return this.loseDispute();
      case 'told_again':
        return true;
      default:
        return command satisfies never;
    }
  }

  private get ended(): boolean {
    return this.status === 'cancelled';
  }

  private pass(until: number, outcome: Outcome): boolean {
    while (!this.ended && this.status !== 'paused') {
      if (this.upgrade !== null && this.upgrade.lapsesAt <= Math.min(until, this.to)) {
        this.dropChange();
        continue;
      }
      if (this.to > until) break;
      this.now = Math.max(this.now, this.to);
      if (this.endsAtEnd) this.end();
      else if (this.isSuspended()) break;
      else this.renew(outcome);
    }
    this.now = until;
    return true;
  }

  /** Two weeks after a charge has failed nothing is given, and no period is billed, until everything is paid. */
  private isSuspended(): boolean {
    const failed = this.open().flatMap(({ failedAt }) => failedAt ?? []);
    return this.status === 'past_due' && Math.min(...failed) + 14 * DAY <= this.now;
  }

  private renew(outcome: Outcome): void {
    if (this.downgrade !== null) this.price = this.downgrade;
    this.downgrade = null;
    this.month += 1;
    [this.from, this.to] = [this.boundary(this.month), this.boundary(this.month + 1)];
    const lines = [this.line(this.price, this.from, this.to), ...(this.unbilled ?? [])];
    this.unbilled = null;
    this.bill('period', total(lines), lines);
    this.collect(this.last(), outcome);
  }

  /** Credit first, then the card; who cannot pay is past due. */
  private collect(invoice: Invoice, outcome: Outcome): void {
    this.payFromCredit(invoice);
    if (invoice.status !== 'open') return;
    if (outcome === 'succeeded' && isChargeable(invoice))
      this.pay(invoice, invoice.total - invoice.paid, true);
    else if (invoice.kind === 'period') {
      this.status = 'past_due';
      invoice.failedAt = this.now;
    }
  }

  private payFromCredit(invoice: Invoice): void {
    const due = invoice.total - invoice.paid;
    const rest = due - this.credit;
    const isTooLittle = rest > 0 && rest < CARD_MINIMUM;
    const amount = Math.min(this.credit, isTooLittle ? Math.max(0, due - CARD_MINIMUM) : due);
    this.credit -= amount;
    this.settle(invoice, amount);
  }

  private pay(invoice: Invoice, amount: number, byCard: boolean): void {
    const due = invoice.status === 'open' ? invoice.total - invoice.paid : 0;
    this.payments.push({ invoice, amount, refunded: 0, byCard, isDisputed: false });
    this.credit += Math.max(0, amount - due);
    this.settle(invoice, Math.min(amount, due));
  }

  private settle(invoice: Invoice, amount: number): void {
    if (amount === 0) return;
    invoice.paid += amount;
    if (invoice.paid < invoice.total) return;
    invoice.status = 'paid';
    if (this.upgrade?.invoice === invoice) this.takeUp(this.upgrade);
    if (this.status !== 'past_due' || this.open().some(({ kind }) => kind === 'period')) return;
    this.status = 'active';
    // After a suspension it goes on with the period that runs now, as if the one before it had just ended.
    while (this.boundary(this.month + 2) <= this.now) this.month += 1;
    [this.from, this.to] = [this.boundary(this.month), this.boundary(this.month + 1)];
  }

  private wire(size: 'exact' | 'half' | 'over'): boolean {
    const invoice = this.open()[0] ?? this.last();
    const due = invoice.status === 'open' ? invoice.total - invoice.paid : 0;
    const amount = size === 'half' ? Math.ceil(due / 2) : size === 'over' ? due + OVERPAID : due;
    if (amount === 0) return false;
    this.pay(invoice, amount, false);
    this.spread(amount - due);
    return true;
  }

  /** What a wire leaves over pays what else is open, oldest first. */
  private spread(excess: number): void {
    let left = Math.max(0, excess);
    for (const invoice of this.open()) {
      const amount = Math.min(left, invoice.total - invoice.paid);
      left -= amount;
      this.credit -= amount;
      this.settle(invoice, amount);
    }
  }

  private newCard(): boolean {
    if (this.ended) return false;
    for (const invoice of this.open().filter(isChargeable)) {
      this.pay(invoice, invoice.total - invoice.paid, true);
    }
    return true;
  }

  private change({ price, proration, outcome }: Extract<Command, { kind: 'change' }>): boolean {
    const isUpgrade = price > this.price;
    if (this.ended || this.status === 'paused' || price === this.price || this.endsAtEnd) return false;
    if (this.to <= this.now) return false;
    const isUnpaid = this.status === 'past_due' || this.open().some(({ kind }) => kind === 'period');
    if (isUpgrade && (isUnpaid || this.unbilled !== null)) return false;
    this.dropChange();
    if (!isUpgrade) {
      this.downgrade = price;
      return true;
    }
    const left = (amount: number, from: number, to: number) =>
      halfAway(BigInt(amount) * BigInt(to - this.now), BigInt(to - from));
    const credited = proration === 'none' ? [] : this.creditable();
    const credits = credited
      .map((line) => {
        const amount = -Math.min(left(line.amount, line.from, line.to), this.paidFor(line));
        return { ...this.line(amount, this.now, line.to), takesBack: line };
      })
      .filter(({ amount }) => amount !== 0);
    const charge =
      proration === 'none' ? null : this.line(left(price, this.from, this.to), this.now, this.to);
    const lines = [...credits, ...(charge === null || charge.amount === 0 ? [] : [charge])];
    const change = { price, invoice: null, lapsesAt: 0, charge, credited };
    const sum = total(lines);
    const isTooLittle = sum > 0 && sum < CARD_MINIMUM;
    if (lines.length === 0 || proration === 'next_invoice' || isTooLittle) {
      if (lines.length > 0) this.unbilled = lines;
      this.price = price;
      return true;
    }
    this.bill('change', Math.max(0, sum), lines);
    const invoice = this.last();
    this.credit += Math.max(0, -sum);
    if (invoice.status === 'paid') {
      this.takeUp(change);
      return true;
    }
    this.upgrade = { ...change, invoice, lapsesAt: Math.min(this.now + 23 * HOUR, this.to) };
    this.collect(invoice, outcome);
    return true;
  }

  private takeUp({ price, credited }: Change): void {
    this.price = price;
    this.upgrade = null;
    for (const line of credited) line.isCredited = true;
  }

  /** What was billed for a time that is not over, and is paid. */
  private creditable(): Line[] {
    return this.invoices
      .filter(({ status }) => status === 'paid')
      .flatMap(({ lines }) => lines)
      .filter(
        ({ amount, from, to, isCredited }) => amount > 0 && !isCredited && from <= this.now && to > this.now,
      )
      .filter((line) => !this.unbilled?.includes(line));
  }

  private paidFor(line: Line): number {
    const invoice = this.invoices.find(({ lines }) => lines.includes(line));
    return Math.max(0, line.amount - (invoice?.refunded ?? 0));
  }

  private dropChange(): true {
    this.downgrade = null;
    if (this.upgrade?.invoice) this.void(this.upgrade.invoice);
    this.upgrade = null;
    return true;
  }

  private void(invoice: Invoice): void {
    this.credit += invoice.paid;
    invoice.paid = 0;
    invoice.status = 'void';
  }

  private cancel(): boolean {
    if (this.ended) return false;
    this.dropChange();
    this.unbilled = null;
    for (const invoice of this.open()) this.void(invoice);
    this.status = 'cancelled';
    return true;
  }

  private end(): void {
    this.dropChange();
    this.billUnbilled();
    this.status = 'cancelled';
  }

  private billUnbilled(): void {
    if (this.unbilled === null) return;
    const sum = total(this.unbilled);
    this.bill('change', Math.max(0, sum), this.unbilled);
    this.credit += Math.max(0, -sum);
    this.payFromCredit(this.last());
    this.unbilled = null;
  }

  private pause(): boolean {
    const isFree = this.status === 'active' && !this.endsAtEnd && this.upgrade === null;
    // Who has just come back from a suspension is about to be billed.
    if (!isFree || this.to <= this.now || this.open().length > 0) return false;
    this.status = 'paused';
    this.pausedAt = this.now;
    return true;
  }

  private resume(): boolean {
    if (this.status !== 'paused') return false;
    const stood = this.now - this.pausedAt;
    this.status = 'active';
    this.to += stood;
    this.from += stood;
    [this.anchor, this.month] = [this.to, -1];
    const running = [...this.invoices.flatMap(({ lines }) => lines), ...(this.unbilled ?? [])];
    for (const line of running.filter(({ to }) => to > this.pausedAt)) {
      line.from += stood;
      line.to += stood;
    }
    return true;
  }

  private refund(part: 'all' | 'third'): boolean {
    const payment = this.payments.findLast(({ byCard }) => byCard);
    if (payment === undefined || payment.isDisputed || payment.invoice.status !== 'paid') return false;
    const { invoice } = payment;
    const unused = invoice.paid + absorbed(invoice) - invoice.refunded - this.takenOver(invoice);
    const left = Math.max(0, Math.min(payment.amount - payment.refunded, unused));
    const amount = part === 'all' ? left : Math.ceil(payment.amount / 3);
    if (amount === 0 || amount > left) return false;
    payment.refunded += amount;
    payment.invoice.refunded += amount;
    return true;
  }

  /** What changes have credited of it, or will with the next invoice, unless they were given up. */
  private takenOver(invoice: Invoice): number {
    const counting = this.invoices.filter(({ status }) => status !== 'void').flatMap(({ lines }) => lines);
    const credits = [...counting, ...(this.unbilled ?? [])].filter(
      ({ takesBack }) => takesBack !== undefined && invoice.lines.includes(takesBack),
    );
    return -total(credits);
  }

  /** The bank takes the money back, and who takes it back through the bank has left. */
  private loseDispute(): boolean {
    const payment = this.payments.findLast(({ byCard }) => byCard);
    const isPlain = payment !== undefined && !payment.isDisputed && payment.refunded === 0;
    if (!isPlain || payment.invoice.status !== 'paid') return false;
    payment.isDisputed = true;
    payment.invoice.disputed += payment.amount;
    if (this.ended) return true;
    for (const invoice of this.open()) this.void(invoice);
    this.upgrade = null;
    this.downgrade = null;
    this.unbilled = null;
    this.status = 'cancelled';
    return true;
  }

  private bill(kind: Invoice['kind'], amount: number, lines: Line[]): void {
    const status = amount === 0 ? 'paid' : 'open';
    const untouched = { paid: 0, refunded: 0, disputed: 0, failedAt: null };
    this.invoices.push({ kind, status, total: amount, ...untouched, lines });
  }

  private line(amount: number, from: number, to: number): Line {
    return { amount, from, to, isCredited: false };
  }

  private open(): Invoice[] {
    return this.invoices.filter(({ status }) => status === 'open');
  }

  private last(): Invoice {
    const invoice = this.invoices.at(-1);
    if (invoice === undefined) throw new Error('Nothing was billed');
    return invoice;
  }

  /** So many months after the anchor, on its day or the last one of the month, at its time (UTC). */
  private boundary(months: number): number {
    const at = new Date(this.anchor);
    const [year, month] = [at.getUTCFullYear(), at.getUTCMonth() + months];
    const day = Math.min(at.getUTCDate(), new Date(Date.UTC(year, month + 1, 0)).getUTCDate());
    return Date.UTC(year, month, day) + (this.anchor % DAY);
  }
}

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

function isChargeable({ total: whole, paid }: Invoice): boolean {
  return whole - paid >= CARD_MINIMUM;
}

/** What of it earlier changes have paid; what they credited beyond it became the customer's. */
function absorbed({ lines }: Invoice): number {
  const credits = -total(lines.filter(({ amount }) => amount < 0));
  return credits - Math.max(0, -total(lines));
}

function total(lines: readonly Line[]): number {
  return lines.reduce((sum, { amount }) => sum + amount, 0);
}

function halfAway(dividend: bigint, divisor: bigint): number {
  return Number((2n * dividend + divisor) / (2n * divisor));
}
