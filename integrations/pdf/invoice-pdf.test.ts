/** Documents as customers get them: right figures in their place, legible whatever is in them, the same bytes again. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { InconsistentDocument, type InvoiceDocument } from '../../domain/billing/invoice-document.ts';
import { sampleDocument, taxedDocument } from '../../test/support/invoice-document.ts';
import { collisionsIn, type ReadPdf, readPdf, textsOf } from '../../test/support/pdf.ts';
import { renderInvoicePdf } from './invoice-pdf.ts';

const margin = 52;

async function render(document: InvoiceDocument): Promise<ReadPdf> {
  return readPdf(await renderInvoicePdf(document));
}

function collisions({ pages }: ReadPdf): string[] {
  return pages.flatMap((page) => collisionsIn(page, margin));
}

function withLines(count: number): InvoiceDocument {
  return sampleDocument({
    lines: Array.from({ length: count }, (_, index) => ({
      description: `Line ${index + 1} of the invoice`,
      quantity: index + 1,
      unitMinor: 125,
      amountMinor: 125 * (index + 1),
    })),
  });
}

describe('the same document', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['Date'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('is the same bytes whenever it is drawn, also beside others', async () => {
    vi.setSystemTime('2026-12-05T09:00:00Z');
    const first = await renderInvoicePdf(taxedDocument());
    vi.setSystemTime('2031-01-01T00:00:00Z');
    const [other, again] = await Promise.all([
      renderInvoicePdf(sampleDocument({ billTo: { name: 'שלום' } })),
      renderInvoicePdf(taxedDocument()),
    ]);
    expect(again.equals(first)).toBe(true);
    expect(other.equals(first)).toBe(false);
  });

  it('has the dates of its issue and an id that does not change', async () => {
    const { info, id } = await render(sampleDocument());
    expect(info).toMatchObject({
      CreationDate: 'D:20261205090000Z',
      ModDate: 'D:20261205090000Z',
      Title: 'Invoice INV-000042',
    });
    expect(id).toBe((await render(sampleDocument())).id);
    expect(id).not.toBe((await render(sampleDocument({ number: 'INV-000043' }))).id);
  });

  it.each<[string, Partial<InvoiceDocument>]>([
    [
      'an amount',
      { lines: [{ description: 'Pro monthly', quantity: 1, unitMinor: 2901, amountMinor: 2901 }] },
    ],
    ['the number', { number: 'INV-000043' }],
    ['the customer', { billTo: { name: 'Ada King' } }],
    ['the state', { status: 'void' }],
    ['a note', { notes: ['Reverse charge.'] }],
  ])('with another value of %s is other bytes', async (_name, change) => {
    const [one, other] = await Promise.all([
      renderInvoicePdf(sampleDocument()),
      renderInvoicePdf(sampleDocument(change)),
    ]);
    expect(one.equals(other)).toBe(false);
  });
});

describe('an invoice that was corrected', () => {
  const corrected = () =>
    sampleDocument({
      status: 'paid',
      dueAt: '2026-12-19T09:00:00.000Z',
      paidMinor: 2900,
      refundedMinor: 900,
      disputedMinor: 2000,
      creditNotes: [
        { number: 'CN-000001', issuedAt: '2026-12-07T09:00:00Z', amountMinor: 1000 },
        { number: 'CN-000002', issuedAt: '2026-12-08T09:00:00Z', amountMinor: -1000 },
        { number: 'CN-000003', issuedAt: '2026-12-09T09:00:00Z', amountMinor: 900 },
      ],
    });

  it('says when it was due, lists its credit notes, and what the bank took back', async () => {
    const pdf = await render(corrected());
    const texts = textsOf(pdf);
    expect(texts[1]).toBe('Charged back');
    expect(texts.slice(texts.indexOf('Due date'))).toEqual(
      expect.arrayContaining(['19 Dec 2026', 'Taken back by your bank', 'USD 20.00']),
    );
    expect(texts.slice(texts.indexOf('Credit note'))).toEqual([
      ...['Credit note', 'Date of issue', 'Amount (USD)'],
      ...['CN-000001', '7 Dec 2026', '10.00', 'CN-000002', '8 Dec 2026', '-10.00'],
      ...['CN-000003', '9 Dec 2026', '9.00', 'Page 1 of 1'],
    ]);
    expect(collisions(pdf)).toEqual([]);
  });

  it('is not printed where the credit notes come to less than nothing', async () => {
    const creditNotes = [{ number: 'CN-000001', issuedAt: '2026-12-07T09:00:00Z', amountMinor: -1 }];
    await expect(renderInvoicePdf({ ...corrected(), creditNotes })).rejects.toThrow(InconsistentDocument);
  });
});

describe('an invoice', () => {
  it('says everything once and in order', async () => {
    const pdf = await render(taxedDocument());
    expect(textsOf(pdf)).toEqual([
      'Invoice',
      'Open',
      ...['Invoice number', 'INV-000042', 'Date of issue', '5 Dec 2026', 'To be paid', 'INR 100000.00'],
      ...['From', 'Sahyadri Software Private Limited', '4th Floor, Indiranagar', 'Bengaluru 560038'],
      ...['accounts@sahyadri.example', 'GSTIN 29AAPFU0939F1ZV'],
      ...['Bill to', 'Deccan Traders LLP', 'MG Road', 'pay@deccan.example', 'GSTIN 29AABCT1332L1ZU'],
      ...['Description', 'HSN/SAC', 'Tax', 'Quantity', 'Unit price (INR)', 'Amount (INR)'],
      ...['Team annual', '5 Dec 2026 to 5 Dec 2027', '998314', 'GST 18 %', '10', '12000.00', '120000.00'],
      ...['Unused time of Team monthly', '1', '-5000.00'],
      ...['Subtotal', 'INR 115000.00', 'Launch offer', '-INR 15000.00'],
      ...['CGST 9 %', 'INR 9000.00', 'SGST 9 %', 'INR 9000.00'],
      ...['Total', 'INR 118000.00', 'Credit applied', '-INR 3000.00', 'Paid', '-INR 15000.00'],
      ...['Amount due', 'INR 100000.00'],
      ...['Tax', 'Taxable amount (INR)', 'Tax (INR)'],
      ...['CGST 9 %', '100000.00', '9000.00', 'SGST 9 %', '100000.00', '9000.00'],
      ...['Received', 'Payment method', 'Reference', 'Amount (INR)'],
      ...['6 Dec 2026', 'Bank transfer', 'UTR 12345', '15000.00'],
      'Tax is not payable under reverse charge.',
      'Page 1 of 1',
    ]);
    expect(collisions(pdf)).toEqual([]);
  });

  it('has no columns and no blocks of what it does not have', async () => {
    const texts = textsOf(await render(sampleDocument()));
    expect(texts).toContain('Description');
    for (const absent of ['HSN/SAC', 'Tax', 'Received', 'Subtotal', 'Paid', 'Refunded']) {
      expect(texts).not.toContain(absent);
    }
  });

  it('has its figures below each other, to the right', async () => {
    const { pages } = await render(taxedDocument());
    const rightEnds = (wanted: RegExp) =>
      pages.flatMap(({ texts }) =>
        texts.filter(({ text }) => wanted.test(text)).map(({ x, width }) => x + width),
      );
    const amounts = rightEnds(/^(Amount \(INR\)|120000\.00|-5000\.00|INR 1\d+\.00|15000\.00)$/);
    expect(amounts.length).toBeGreaterThan(5);
    const [head, ...others] = amounts.slice(1);
    for (const end of others) expect(end).toBeCloseTo(head ?? 0, 0);
    expect(head).toBeCloseTo(595.28 - margin, 0);
  });

  it.each([
    ['JPY', 'JPY 2900', '2900'],
    ['USD', 'USD 29.00', '29.00'],
    ['KWD', 'KWD 2.900', '2.900'],
  ])('in %s has the decimals of the currency', async (currency, total, cell) => {
    const texts = textsOf(await render(sampleDocument({ currency })));
    expect(texts.slice(texts.indexOf('Total'), texts.indexOf('Total') + 2)).toEqual(['Total', total]);
    expect(texts.filter((text) => text === cell)).toHaveLength(2);
  });

  it('with the largest amounts there are keeps them apart', async () => {
    const amountMinor = Number.MAX_SAFE_INTEGER;
    const line = { description: 'All there is', quantity: 1, unitMinor: amountMinor, amountMinor };
    const pdf = await render(sampleDocument({ currency: 'KWD', lines: [line] }));
    expect(textsOf(pdf)).toContain('KWD 9007199254740.991');
    expect(collisions(pdf)).toEqual([]);
  });

  it.each([
    ['void', 'Void'],
    ['uncollectible', 'Uncollectible'],
  ] as const)('that is %s says so at its head, and that nothing is due', async (status, stamp) => {
    const texts = textsOf(await render(sampleDocument({ status })));
    expect(texts.slice(0, 2)).toEqual(['Invoice', stamp]);
    expect(texts).not.toContain('To be paid');
    expect(texts.slice(-3, -1)).toEqual(['Amount due', 'USD 0.00']);
  });

  it('whose figures contradict each other is not drawn', async () => {
    await expect(renderInvoicePdf({ ...taxedDocument(), totalMinor: 1 })).rejects.toThrow(
      InconsistentDocument,
    );
  });
});

describe('receipts and credit notes', () => {
  it('a receipt names the payment', async () => {
    const reference = 'pi_3PqX2eLkdIwHu7ix0aBcDeFg';
    const pdf = await render(
      sampleDocument({
        kind: 'receipt',
        number: `pay_${'0'.repeat(32)}`,
        refersTo: 'INV-000042',
        status: 'paid',
        paidMinor: 2900,
        payments: [
          {
            receivedAt: '2026-12-05T09:00:02Z',
            method: 'Visa ending in 4242',
            reference,
            amountMinor: 2900,
          },
        ],
      }),
    );
    const texts = textsOf(pdf);
    expect(texts.slice(0, 4)).toEqual(['Receipt', 'Paid', 'Receipt number', `pay_${'0'.repeat(32)}`]);
    expect(texts.slice(-5)).toEqual(['5 Dec 2026', 'Visa ending in 4242', reference, '29.00', 'Page 1 of 1']);
    expect(collisions(pdf)).toEqual([]);
  });

  it('a credit note names its invoice and what was given back', async () => {
    const texts = textsOf(
      await render(
        sampleDocument({
          kind: 'credit_note',
          number: 'CN-000001',
          refersTo: 'INV-000042',
          status: 'paid',
          refundedMinor: 2900,
        }),
      ),
    );
    expect(texts.slice(0, 6)).toEqual([
      'Credit note',
      'Settled',
      'Credit note number',
      'CN-000001',
      'For invoice',
      'INV-000042',
    ]);
    expect(texts.slice(-5, -1)).toEqual(['Total credit', 'USD 29.00', 'Refunded', 'USD 29.00']);
  });
});

describe('pages', () => {
  it('of forty lines have the head of the table on each, every line once, and say which they are', async () => {
    const pdf = await render(withLines(40));
    expect(pdf.pages.length).toBeGreaterThan(1);
    pdf.pages.forEach(({ texts }, index) => {
      const words = texts.map(({ text }) => text);
      expect(words.filter((text) => text === 'Description')).toHaveLength(1);
      expect(words.filter((text) => text === 'Amount (USD)')).toHaveLength(1);
      expect(words.at(-1)).toBe(`Page ${index + 1} of ${pdf.pages.length}`);
      if (index > 0) expect(words[0]).toBe('Invoice INV-000042');
    });
    const lines = textsOf(pdf).filter((text) => text.startsWith('Line '));
    expect(lines).toEqual(Array.from({ length: 40 }, (_, index) => `Line ${index + 1} of the invoice`));
    expect(collisions(pdf)).toEqual([]);
  });

  it('never part the totals from each other or from their labels, wherever the lines end', async () => {
    const pageCounts = new Set<number>();
    for (let count = 14; count <= 24; count += 1) {
      const pdf = await render(withLines(count));
      pageCounts.add(pdf.pages.length);
      const last = pdf.pages.at(-1);
      const [total, due] = ['Total', 'Amount due'].map((label) =>
        last?.texts.findIndex(({ text }) => text === label),
      );
      expect([total, due]).not.toContain(-1);
      const sum = `USD ${((125 * count * (count + 1)) / 200).toFixed(2)}`;
      for (const index of [total, due]) {
        const [label, figure] = last?.texts.slice(index, (index ?? 0) + 2) ?? [];
        expect(figure?.text).toBe(sum);
        expect(figure?.y).toBeCloseTo(label?.y ?? 0, 1);
      }
      expect(collisions(pdf)).toEqual([]);
    }
    // The break went through the totals on the way, or this would have shown nothing.
    expect([...pageCounts]).toEqual([1, 2]);
  });

  it('take a description that no page can hold', async () => {
    const words = Array.from({ length: 1_500 }, (_, index) => `word${index}`);
    const line = { description: words.join(' '), quantity: 1, unitMinor: 100, amountMinor: 100 };
    const pdf = await render(sampleDocument({ lines: [line] }));
    expect(pdf.pages.length).toBeGreaterThan(2);
    const found = textsOf(pdf).flatMap((text) => text.match(/\bword\d+\b/g) ?? []);
    expect(found).toEqual(words);
    expect(collisions(pdf)).toEqual([]);
  });
});

describe('long names', () => {
  const name = 'The Honourable Company of Very Long Names '.repeat(8).slice(0, 300).trim();
  const unbroken = 'x'.repeat(300);

  it.each([
    ['with spaces', name],
    ['without a place to break', unbroken],
    ['in Hebrew', 'חברת השמות הארוכים בעולם '.repeat(12).trim()],
  ])('%s are wrapped, cover nothing and lose nothing', async (_name, text) => {
    const pdf = await render(
      sampleDocument({
        seller: { name: text, addressLines: [text], taxIds: [{ label: 'VAT', value: text }] },
        billTo: { name: text, email: text },
        lines: [{ description: text, quantity: 1, unitMinor: 2900, amountMinor: 2900, taxLabel: text }],
        notes: [text],
      }),
    );
    expect(collisions(pdf)).toEqual([]);
    const letters = (some: string) => [...some].filter((letter) => /[\p{L}]/u.test(letter)).length;
    const drawn = letters(pdf.pages.flatMap(({ painted }) => painted).join(''));
    const bare = await render(
      sampleDocument({
        seller: { name: '.', addressLines: ['.'], taxIds: [{ label: 'VAT', value: '.' }] },
        billTo: { name: '.', email: '.' },
        lines: [{ description: '.', quantity: 1, unitMinor: 2900, amountMinor: 2900, taxLabel: '.' }],
        notes: ['.'],
      }),
    );
    // On more pages the heads come again: they are counted, not the running ones.
    const around = letters(bare.pages.flatMap(({ painted }) => painted).join(''));
    if (pdf.pages.length === 1) expect(drawn).toBe(around + 8 * letters(text));
    else expect(drawn).toBeGreaterThanOrEqual(around + 8 * letters(text));
  });

  it('would be noticed if they covered something', async () => {
    const { pages } = await render(sampleDocument());
    const [page] = pages;
    const [first] = page?.texts ?? [];
    if (page === undefined || first === undefined) throw new Error('no text');
    const covering = { ...page, texts: [...page.texts, { ...first, text: 'over it', y: first.y + 3 }] };
    expect(collisionsIn(covering, margin)).toEqual(['"Invoice" and "over it"']);
    const leaving = { ...page, texts: [{ ...first, text: 'out', x: page.width - margin - 5 }] };
    expect(collisionsIn(leaving, margin)).toEqual(['"out" is outside']);
  });
});

describe('scripts', () => {
  async function paintedOf(description: string): Promise<string[]> {
    const line = { description, quantity: 1, unitMinor: 2900, amountMinor: 2900 };
    const { pages } = await render(sampleDocument({ lines: [line] }));
    const painted = pages.flatMap((page) => page.painted);
    return painted.slice(painted.indexOf('Amount (USD)') + 1, painted.indexOf('1'));
  }

  it.each(['₹ € ₿ £ ¥ ₪ ₽ ₺ ₩', 'ÀÉÎõü ßŁžőș Åå', 'Ελληνικά', 'Київ Ёж Ђ', 'हिन्दी'])(
    '%s has all its signs',
    async (text) => {
      const painted = (await paintedOf(text)).join('');
      expect(painted).not.toContain('□');
      // Vowel signs of Devanagari stand before the letter they follow.
      expect([...painted].sort().join('')).toBe([...text].sort().join(''));
    },
  );

  it('what no font has is a box, not nothing', async () => {
    expect((await paintedOf('a漢b')).join('')).toBe('a□b');
  });

  it('Hebrew is painted from the right, its numbers from the left', async () => {
    const painted = (await paintedOf('רחוב הרצל 12 (קומה 3)')).join('');
    expect(painted).toBe(')3 המוק( 12 לצרה בוחר'.replace(/[()]/g, (it) => (it === '(' ? ')' : '(')));
  });

  it('lines of Hebrew begin below each other at the right, those of Latin at the left', async () => {
    const edgesOf = async (note: string) => {
      const { pages } = await render(sampleDocument({ notes: [note] }));
      const texts = pages.flatMap((page) => page.texts);
      const after = texts.findIndex(({ text }) => text === 'Amount due') + 2;
      const lines = Map.groupBy(texts.slice(after, -1), ({ y }) => y);
      return [...lines.values()].map((line) => ({
        left: Math.min(...line.map(({ x }) => x)),
        right: Math.max(...line.map(({ x, width }) => x + width)),
      }));
    };
    const hebrew = await edgesOf('הודעה על שירות ארוך '.repeat(20));
    expect(hebrew.length).toBeGreaterThan(2);
    for (const { right } of hebrew) expect(right).toBeCloseTo(hebrew[0]?.right ?? 0, 0);
    expect(hebrew.at(-1)?.left).toBeGreaterThan(margin + 20);
    const latin = await edgesOf('A message of many words '.repeat(20));
    expect(latin.length).toBeGreaterThan(2);
    for (const { left } of latin) expect(left).toBeCloseTo(margin, 0);
  });

  it('Arabic is joined and painted from the right, beside Latin and with digits of both', async () => {
    // One after the other: the figures of Arabic and Persian look alike, and a file has each shape once.
    expect((await paintedOf('Abo für محمد 12 ١٢ now')).join('')).toBe('Abo für ١٢ 12 دمحم now');
    expect((await paintedOf('Abo für محمد 12 ۱۲ now')).join('')).toBe('Abo für ۱۲ 12 دمحم now');
  });

  it('names and addresses in Hebrew and Arabic have all their signs and cover nothing', async () => {
    const pdf = await render(
      sampleDocument({
        seller: { name: 'شركة الكتب المحدودة', addressLines: ['شارع الملك 12، عمّان'] },
        billTo: { name: 'דוד כהן ובניו (1998) בע״מ', taxId: { label: 'ח.פ.', value: '514-123' } },
      }),
    );
    expect(pdf.pages.flatMap(({ painted }) => painted).join('')).not.toContain('□');
    expect(collisions(pdf)).toEqual([]);
  });

  it('controls and broken characters do no harm', async () => {
    expect((await paintedOf('a\u0000b\ud800c\u2028d')).join('|')).toBe('a b\ufffdc|d');
  });
});
