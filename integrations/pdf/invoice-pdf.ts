/** Draws an invoice, a receipt or a credit note as a PDF. The same document is the same bytes, whenever it is drawn. */
import {
  assertConsistent,
  type DocumentLine,
  dayInWords,
  formatAmount,
  headOf,
  type InvoiceDocument,
  periodInWords,
  type Seller,
  type StampTone,
  stampOf,
  titleOf,
  totalsOf,
} from '../../domain/billing/invoice-document.ts';
import { createSheet, edges, lineHeight, type Sheet, type TextStyle } from './sheet.ts';
import { type Cell, type Column, drawRow, drawTable, layRow } from './table.ts';

/** Throws `InconsistentDocument` for figures that contradict each other. */
export async function renderInvoicePdf(document: InvoiceDocument): Promise<Buffer> {
  assertConsistent(document);
  const title = `${titleOf(document)} ${document.number}`;
  const sheet = await createSheet({
    title,
    author: document.seller.name,
    at: new Date(document.issuedAt),
    runningHead: title,
    footStyle: styles.small,
  });
  drawHead(sheet, document);
  drawParties(sheet, document);
  drawLines(sheet, document);
  drawTotals(sheet, document);
  drawTaxes(sheet, document);
  drawPayments(sheet, document);
  drawCreditNotes(sheet, document);
  drawNotes(sheet, document);
  return sheet.finish();
}

const ink = '#1b2430';
const grey = '#66717e';
const ruleColour = '#d5dbe1';

const toneColours: Record<StampTone, string> = { good: '#1c7a4c', waiting: '#1f5f9e', closed: '#a0402f' };

const styles = {
  title: { weight: 'semibold', size: 21, colour: ink },
  stamp: { weight: 'semibold', size: 10, colour: ink },
  name: { weight: 'semibold', size: 10, colour: ink },
  text: { weight: 'regular', size: 9, colour: ink },
  strong: { weight: 'semibold', size: 10, colour: ink },
  label: { weight: 'regular', size: 9, colour: grey },
  small: { weight: 'regular', size: 8, colour: grey },
  heading: { weight: 'semibold', size: 8, colour: grey },
} as const satisfies Record<string, TextStyle>;

const tableStyle = { heading: styles.heading, ruleColour };

/** Distance between two sections. */
const sectionGap = 20;

const width = edges.right - edges.left;

function drawHead(sheet: Sheet, document: InvoiceDocument): void {
  sheet.drawText(titleOf(document), styles.title, { x: edges.left, y: sheet.y });
  drawStamp(sheet, document);
  sheet.y += lineHeight(styles.title) + 8;
  const places = [
    { left: edges.left, width: 110, align: 'left' },
    { left: edges.left + 118, width: width - 118, align: 'left' },
  ] as const;
  for (const { label, text } of headOf(document)) {
    const cells = [cell(label, styles.label), cell(text, styles.text)];
    drawRow(sheet, layRow(sheet, { places, cells, padding: 1.5 }));
  }
  sheet.y += sectionGap;
}

function drawStamp(sheet: Sheet, document: InvoiceDocument): void {
  const { words, tone } = stampOf(document);
  const style = { ...styles.stamp, colour: toneColours[tone] };
  const [aside, height] = [9, 21];
  const x = edges.right - sheet.widthOf(words, style) - 2 * aside;
  const y = sheet.y + 4;
  sheet.box(style.colour, { x, y, width: edges.right - x, height });
  sheet.drawText(words, style, { x: x + aside, y: y + (height - lineHeight(style)) / 2 });
}

function drawParties(sheet: Sheet, { kind, seller, billTo }: InvoiceDocument): void {
  const half = (width - 28) / 2;
  const places = [
    { left: edges.left, width: half, align: 'left' },
    { left: edges.right - half, width: half, align: 'left' },
  ] as const;
  const [from, to] =
    kind === 'receipt' ? (['Received by', 'Received from'] as const) : (['From', 'Bill to'] as const);
  const cells = [
    [...cell(from, styles.heading), ...partyCell(seller)],
    [
      ...cell(to, styles.heading),
      ...partyCell({ ...billTo, taxIds: billTo.taxId === undefined ? [] : [billTo.taxId] }),
    ],
  ];
  drawRow(sheet, layRow(sheet, { places, cells, padding: 0 }));
  sheet.y += sectionGap;
}

function partyCell({ name, addressLines = [], email = '', taxIds = [] }: Seller): Cell {
  return [
    ...cell(name, styles.name),
    ...addressLines.flatMap((line) => cell(line, styles.text)),
    ...cell(email, styles.text),
    ...taxIds.flatMap(({ label, value }) => cell(`${label} ${value}`, styles.text)),
  ];
}

function drawLines(sheet: Sheet, document: InvoiceDocument): void {
  const columns = lineColumns(document);
  const { lines } = document;
  // A column that no line fills is left out, but never the one for the words.
  const shown = columns.filter(
    ({ cellOf, maxWidth }) => maxWidth === undefined || lines.some((line) => cellOf(line).length > 0),
  );
  const rows = lines.map((line) => shown.map(({ cellOf }) => cellOf(line)));
  drawTable(sheet, { columns: shown, rows }, tableStyle);
}

function lineColumns(document: InvoiceDocument): (Column & { cellOf: (line: DocumentLine) => Cell })[] {
  const { currency } = document;
  const amount = (amountMinor: number) => cell(formatAmount(amountMinor, currency), styles.text);
  return [
    {
      heading: 'Description',
      align: 'left',
      cellOf: ({ description, period }) => [
        ...cell(description, styles.text),
        ...(period === undefined ? [] : cell(periodInWords(period, document), styles.small)),
      ],
    },
    {
      heading: 'HSN/SAC',
      align: 'left',
      maxWidth: 56,
      cellOf: ({ hsnSac = '' }) => cell(hsnSac, styles.text),
    },
    {
      heading: 'Tax',
      align: 'left',
      maxWidth: 90,
      cellOf: ({ taxLabel = '' }) => cell(taxLabel, styles.text),
    },
    {
      heading: 'Quantity',
      align: 'right',
      maxWidth: 70,
      cellOf: ({ quantity }) => cell(String(quantity), styles.text),
    },
    {
      heading: `Unit price (${currency})`,
      align: 'right',
      maxWidth: 100,
      cellOf: ({ unitMinor }) => (unitMinor === null ? [] : amount(unitMinor)),
    },
    {
      heading: `Amount${document.isTaxInclusive === true ? ' with tax' : ''} (${currency})`,
      align: 'right',
      maxWidth: 100,
      cellOf: ({ amountMinor }) => amount(amountMinor),
    },
  ];
}

/** All on one page, each label beside its figure. */
function drawTotals(sheet: Sheet, document: InvoiceDocument): void {
  const left = edges.right - 290;
  const places = [
    { left, width: 146, align: 'left' },
    { left: left + 154, width: 136, align: 'right' },
  ] as const;
  const rows = totalsOf(document).map(({ label, text, strong }) => {
    const cells = [
      cell(label, strong ? styles.strong : styles.label),
      cell(text, strong ? styles.strong : styles.text),
    ];
    return { strong, row: layRow(sheet, { places, cells, padding: strong ? 5 : 3 }) };
  });
  sheet.y += 6;
  sheet.ensure(rows.reduce((height, { row }) => height + row.height, 0));
  rows.forEach(({ strong, row }, index) => {
    if (strong && index > 0) sheet.rule(ruleColour, left, edges.right);
    drawRow(sheet, row);
  });
  sheet.y += sectionGap;
}

/** What each rate was charged on. */
function drawTaxes(sheet: Sheet, { taxes, currency }: InvoiceDocument): void {
  if (taxes.length === 0) return;
  const columns: Column[] = [
    { heading: 'Tax', align: 'left' },
    { heading: `Taxable amount (${currency})`, align: 'right', maxWidth: 120 },
    { heading: `Tax (${currency})`, align: 'right', maxWidth: 100 },
  ];
  const rows = taxes.map(({ label, baseMinor, amountMinor }) => [
    cell(label, styles.text),
    cell(formatAmount(baseMinor, currency), styles.text),
    cell(formatAmount(amountMinor, currency), styles.text),
  ]);
  drawTable(sheet, { columns, rows }, tableStyle);
  sheet.y += sectionGap;
}

function drawPayments(sheet: Sheet, document: InvoiceDocument): void {
  const { payments, currency } = document;
  if (payments.length === 0) return;
  const text = (words: string) => cell(words, styles.text);
  const columns: Column[] = [
    { heading: 'Received', align: 'left', maxWidth: 80 },
    { heading: 'Payment method', align: 'left', maxWidth: 150 },
    { heading: 'Reference', align: 'left' },
    { heading: `Amount (${currency})`, align: 'right', maxWidth: 100 },
  ];
  const rows = payments.map(({ receivedAt, method, reference, amountMinor }) => [
    text(dayInWords(receivedAt, document)),
    text(method),
    text(reference),
    text(formatAmount(amountMinor, currency)),
  ]);
  drawTable(sheet, { columns, rows }, tableStyle);
  sheet.y += sectionGap;
}

/** What the invoice was corrected by. */
function drawCreditNotes(sheet: Sheet, document: InvoiceDocument): void {
  const { creditNotes = [], currency } = document;
  if (creditNotes.length === 0) return;
  const columns: Column[] = [
    { heading: 'Credit note', align: 'left' },
    { heading: 'Date of issue', align: 'left', maxWidth: 80 },
    { heading: `Amount (${currency})`, align: 'right', maxWidth: 100 },
  ];
  const rows = creditNotes.map(({ number, issuedAt, amountMinor }) => [
    cell(number, styles.text),
    cell(dayInWords(issuedAt, document), styles.text),
    cell(formatAmount(amountMinor, currency), styles.text),
  ]);
  drawTable(sheet, { columns, rows }, tableStyle);
  sheet.y += sectionGap;
}

function drawNotes(sheet: Sheet, { notes }: InvoiceDocument): void {
  const places = [{ left: edges.left, width, align: 'left' }] as const;
  for (const note of notes) {
    drawRow(sheet, layRow(sheet, { places, cells: [cell(note, styles.small)], padding: 2 }));
  }
}

/** A cell of one text, or of none where it is empty. */
function cell(text: string, style: TextStyle): Cell {
  return text.trim() === '' ? [] : [{ text, style }];
}
