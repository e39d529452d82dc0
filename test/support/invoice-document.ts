/** A document that adds up, for whoever needs one: what is not given follows from what is. */
import type { InvoiceDocument } from '../../domain/billing/invoice-document.ts';

/** An open invoice over its lines, USD 29.00 unless they are given. */
export function sampleDocument(given: Partial<InvoiceDocument> = {}): InvoiceDocument {
  const lines = given.lines ?? [
    { description: 'Pro monthly', quantity: 1, unitMinor: 2900, amountMinor: 2900 },
  ];
  const { discounts = [], taxes = [], status = 'open', paidMinor = 0, creditAppliedMinor = 0 } = given;
  const subtotalMinor = sum(lines);
  const totalMinor = subtotalMinor - sum(discounts) + sum(taxes);
  const isPayable = status === 'open' && given.kind !== 'credit_note';
  return {
    kind: 'invoice',
    number: 'INV-000042',
    issuedAt: '2026-12-05T09:00:00.000Z',
    timeZone: 'UTC',
    status,
    seller: { name: 'Acme Books' },
    billTo: { name: 'Ada Lovelace', email: 'ada@example.com' },
    currency: 'USD',
    lines,
    subtotalMinor,
    discounts,
    taxes,
    totalMinor,
    paidMinor,
    creditAppliedMinor,
    refundedMinor: 0,
    dueMinor: isPayable ? totalMinor - paidMinor - creditAppliedMinor : 0,
    payments: [],
    notes: [],
    ...given,
  };
}

/** An invoice with everything an invoice in India has. */
export function taxedDocument(): InvoiceDocument {
  return sampleDocument({
    currency: 'INR',
    timeZone: 'Asia/Kolkata',
    seller: {
      name: 'Sahyadri Software Private Limited',
      addressLines: ['4th Floor, Indiranagar', 'Bengaluru 560038'],
      taxIds: [{ label: 'GSTIN', value: '29AAPFU0939F1ZV' }],
      email: 'accounts@sahyadri.example',
    },
    billTo: {
      name: 'Deccan Traders LLP',
      email: 'pay@deccan.example',
      addressLines: ['MG Road'],
      taxId: { label: 'GSTIN', value: '29AABCT1332L1ZU' },
    },
    lines: [
      {
        description: 'Team annual',
        quantity: 10,
        unitMinor: 1_200_000,
        amountMinor: 12_000_000,
        hsnSac: '998314',
        taxLabel: 'GST 18 %',
        period: { startsAt: '2026-12-04T18:30:00Z', endsAt: '2027-12-04T18:30:00Z' },
      },
      { description: 'Unused time of Team monthly', quantity: 1, unitMinor: null, amountMinor: -500_000 },
    ],
    discounts: [{ label: 'Launch offer', amountMinor: 1_500_000 }],
    taxes: [
      { label: 'CGST 9 %', baseMinor: 10_000_000, amountMinor: 900_000 },
      { label: 'SGST 9 %', baseMinor: 10_000_000, amountMinor: 900_000 },
    ],
    creditAppliedMinor: 300_000,
    paidMinor: 1_500_000,
    payments: [
      {
        receivedAt: '2026-12-06T10:00:00Z',
        method: 'Bank transfer',
        reference: 'UTR 12345',
        amountMinor: 1_500_000,
      },
    ],
    notes: ['Tax is not payable under reverse charge.'],
  });
}

function sum(parts: readonly { amountMinor: number }[]): number {
  return parts.reduce((total, { amountMinor }) => total + amountMinor, 0);
}
