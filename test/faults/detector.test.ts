/** The detector finds what it is there to find: each kind of mistake is planted into books that were right. */
import { describe, expect, it } from 'vitest';
import type { Effect } from '../../integrations/sandbox/effect-log.ts';
import { type MailEvidence, type MoneyEvidence, mailWrongs, moneyWrongs } from './detector.ts';

describe('the detector of mistakes about money', () => {
  it('finds nothing where every period was charged and booked once', () => {
    expect(moneyWrongs(rightBooks())).toEqual([]);
  });

  it('finds a second charge of an invoice, though under another key and although the ledger balances', () => {
    const books = rightBooks();
    const again = charge({ invoice: 'inv_0', payment: 'pi_again', key: 'another key' });
    expect(kinds({ ...books, effects: [...books.effects, again] })).toEqual([
      'charged_twice',
      'charge_not_booked',
      'cash_off',
    ]);
  });

  it('does not take a repeated answer, a refusal or a conflict for a charge', () => {
    const books = rightBooks();
    const noise = (['replay', 'refused', 'conflict'] as const).map((outcome) => ({
      ...charge({ invoice: 'inv_0', payment: 'pi_0' }),
      outcome,
    }));
    expect(kinds({ ...books, effects: [...books.effects, ...noise] })).toEqual([]);
  });

  it('finds a charge that was never booked, and the invoice that stays open', () => {
    const books = rightBooks();
    expect(
      kinds({
        ...books,
        invoices: books.invoices.map((invoice) =>
          invoice.id === 'inv_1' ? { ...invoice, status: 'open', paidMinor: 0 } : invoice,
        ),
        payments: books.payments.filter(({ invoiceId }) => invoiceId !== 'inv_1'),
        ledger: books.ledger.filter(({ transactionId }) => transactionId !== 'paid inv_1'),
      }),
    ).toEqual(['charge_not_booked', 'invoice_not_paid', 'cash_off']);
  });

  it('finds an invoice that is paid although nobody was charged', () => {
    const books = rightBooks();
    const effects = books.effects.filter(({ businessRef }) => businessRef !== 'inv_1');
    expect(kinds({ ...books, effects })).toEqual(['paid_without_charge', 'cash_off']);
  });

  it('finds an amount that differs from what was charged', () => {
    const books = rightBooks();
    const [first, ...others] = books.effects;
    const effects = [{ ...(first as Effect), amountMinor: 1 }, ...others];
    expect(kinds({ ...books, effects })).toEqual(['amount_differs', 'cash_off']);
  });

  it('finds a charge for an invoice that does not exist', () => {
    const books = rightBooks();
    const stray = charge({ invoice: 'inv_unknown', payment: 'pi_stray' });
    expect(kinds({ ...books, effects: [...books.effects, stray] })).toEqual([
      'charge_not_booked',
      'cash_off',
    ]);
  });

  it('finds a period without an invoice, and one that has two', () => {
    const books = rightBooks();
    const began = (periodIndex: number) => [{ id: 'sub_1', periodIndex, status: 'active' }];
    expect(kinds({ ...books, subscriptions: began(2) })).toEqual(['period_without_invoice']);
    expect(kinds({ ...books, subscriptions: began(0) })).toEqual(['period_without_invoice']);
  });

  it('forgives the last period of who was cancelled before paying for it, and no other', () => {
    const cancelled = withVoid(rightBooks(), 'inv_2', 2);
    expect(kinds(cancelled)).toEqual([]);
    const active = { ...cancelled, subscriptions: [{ id: 'sub_1', periodIndex: 2, status: 'active' }] };
    expect(kinds(active)).toEqual(['period_without_invoice']);
    const later = { ...cancelled, subscriptions: [{ id: 'sub_1', periodIndex: 3, status: 'cancelled' }] };
    expect(kinds(later)).toEqual(['period_without_invoice']);
    const charged = charge({ invoice: 'inv_2', payment: 'pi_2' });
    expect(kinds({ ...cancelled, effects: [...cancelled.effects, charged] })).toEqual([
      'charge_not_booked',
      'cash_off',
    ]);
  });

  it('finds a ledger that does not balance', () => {
    const books = rightBooks();
    const [first, ...others] = books.ledger;
    expect(
      kinds({ ...books, ledger: first === undefined ? [] : [{ ...first, amountMinor: 1 }, ...others] }),
    ).toContain('ledger_off');
  });
});

describe('the detector of mistakes about mails', () => {
  it('finds nothing where each message left once', () => {
    expect(mailWrongs(rightMails())).toEqual([]);
  });

  it('finds a message that left twice', () => {
    const mails = rightMails();
    const again = { ...(mails.effects[0] as Effect), objectId: 'mail_again' };
    const found = mailWrongs({ ...mails, effects: [...mails.effects, again] });
    expect(found.map(({ kind }) => kind)).toEqual(['mailed_twice', 'mailed_twice']);
  });

  it('finds a message that never left', () => {
    const mails = rightMails();
    const waiting = { id: 'ntf_2', dedupeKey: 'waiting', status: 'queued', externalId: null };
    const found = mailWrongs({ ...mails, notifications: [...mails.notifications, waiting] });
    expect(found.map(({ kind }) => kind)).toEqual(['mail_not_sent']);
  });
});

const kinds = (evidence: MoneyEvidence) => moneyWrongs(evidence).map(({ kind }) => kind);

/** The subscription was cancelled in one more period, whose invoice nobody paid. */
function withVoid(books: MoneyEvidence, id: string, periodIndex: number): MoneyEvidence {
  const [first] = books.invoices;
  if (first === undefined) throw new Error('The books hold no invoice');
  return {
    ...books,
    subscriptions: [{ id: first.subscriptionId, periodIndex, status: 'cancelled' }],
    invoices: [...books.invoices, { ...first, id, periodIndex, status: 'void', paidMinor: 0 }],
  };
}

/** A subscription that was billed for two periods. */
function rightBooks(): MoneyEvidence {
  const ids = ['inv_0', 'inv_1'];
  return {
    subscriptions: [{ id: 'sub_1', periodIndex: 1, status: 'cancelled' }],
    invoices: ids.map((id, periodIndex) => ({
      id,
      subscriptionId: 'sub_1',
      periodIndex,
      status: 'paid',
      totalMinor: 2900,
      paidMinor: 2900,
      currency: 'USD',
    })),
    effects: ids.map((invoice, index) => charge({ invoice, payment: `pi_${index}` })),
    payments: ids.map((invoiceId, index) => ({
      invoiceId,
      rail: 'stripe',
      externalId: `pi_${index}`,
      amountMinor: 2900,
      currency: 'USD',
    })),
    ledger: ids.flatMap((id) => [
      entry(`issued ${id}`, 'receivable', 2900),
      entry(`issued ${id}`, 'revenue', -2900),
      entry(`paid ${id}`, 'cash:stripe', 2900),
      entry(`paid ${id}`, 'receivable', -2900),
    ]),
  };
}

function rightMails(): MailEvidence {
  return {
    effects: [effect({ vendor: 'resend', op: 'emails.send', businessRef: 'ntf_1', objectId: 'mail_1' })],
    notifications: [{ id: 'ntf_1', dedupeKey: 'receipt', status: 'sent', externalId: 'mail_1' }],
  };
}

function charge({ invoice, payment, key }: { invoice: string; payment: string; key?: string }): Effect {
  return effect({
    idempotencyKey: key ?? `invoice:${invoice}:charge:1`,
    businessRef: invoice,
    objectId: payment,
    amountMinor: 2900,
    currency: 'usd',
  });
}

function effect(given: Partial<Effect>): Effect {
  return {
    seq: 1,
    at: '2026-01-31T10:00:00.000Z',
    vendor: 'stripe',
    op: 'payment_intents.create',
    idempotencyKey: null,
    bodyHash: '',
    businessRef: null,
    attemptRef: null,
    objectId: null,
    amountMinor: null,
    currency: null,
    outcome: 'effect',
    detail: null,
    faultInjected: null,
    ...given,
  };
}

function entry(transactionId: string, account: string, amountMinor: number) {
  return { transactionId, account, currency: 'USD', amountMinor };
}
