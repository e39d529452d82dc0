/**
 * Rows of columns over pages: a row stays whole where a page can hold it, the head of a table comes again on each page,
 * and every text is broken within its column.
 */
import { edges, lineHeight, type Sheet, type TextStyle } from './sheet.ts';
import type { Line } from './wrapped-text.ts';

/** What stands in a cell, one text below the other. */
export type Cell = readonly { text: string; style: TextStyle }[];

/** A column's place on the sheet. */
export type Place = { left: number; width: number; align: 'left' | 'right' };

/** A row whose texts are broken into lines, so that its height is known. */
export type Row = { columns: readonly LaidColumn[]; padding: number; height: number };

type LaidColumn = { place: Place; lines: readonly StyledLine[] };

type StyledLine = { line: Line; style: TextStyle };

/** Lays a cell into each place; `padding` is above and below. */
export function layRow(
  sheet: Sheet,
  { places, cells, padding }: { places: readonly Place[]; cells: readonly Cell[]; padding: number },
): Row {
  const columns = places.map((place, index) => ({
    place,
    lines: (cells[index] ?? []).flatMap(({ text, style }) =>
      sheet.wrap(text, style, place.width).map((line) => ({ line, style })),
    ),
  }));
  const height = Math.max(0, ...columns.map(({ lines }) => heightOf(lines))) + 2 * padding;
  return { columns, padding, height };
}

/** Draws a row at the cursor, over pages where none can hold it; `onPage` comes after each page break. */
export function drawRow(sheet: Sheet, row: Row, onPage: () => void = () => {}): void {
  const { padding } = row;
  if (sheet.ensure(row.height)) onPage();
  let columns = row.columns;
  while (true) {
    const room = sheet.room() - 2 * padding;
    const fitting = columns.map(({ place, lines }) => ({ place, lines: linesWithin(lines, room) }));
    for (const column of fitting) drawColumn(sheet, column, sheet.y + padding);
    sheet.y += Math.max(0, ...fitting.map(({ lines }) => heightOf(lines))) + 2 * padding;

    columns = columns.map(({ place, lines }, index) => ({
      place,
      lines: lines.slice(fitting[index]?.lines.length),
    }));
    if (columns.every(({ lines }) => lines.length === 0)) return;
    sheet.addPage();
    onPage();
  }
}

export type Column = {
  heading: string;
  align: 'left' | 'right';
  /** As wide as its content, up to this; one column has none and takes the rest. */
  maxWidth?: number;
};

/** Draws a table at the cursor, from edge to edge. */
export function drawTable(
  sheet: Sheet,
  { columns, rows }: { columns: readonly Column[]; rows: readonly (readonly Cell[])[] },
  { heading, ruleColour }: { heading: TextStyle; ruleColour: string },
): void {
  const headings = columns.map((column) => [{ text: column.heading, style: heading }]);
  const places = placesOf(sheet, columns, [headings, ...rows]);
  const head = layRow(sheet, { places, cells: headings, padding: 5 });
  const body = rows.map((cells) => layRow(sheet, { places, cells, padding: 5 }));
  const drawHead = () => {
    drawRow(sheet, head);
    sheet.rule(ruleColour);
  };
  // A head at the foot of a page, without a row below it, would be of no use.
  sheet.ensure(head.height + (body[0]?.height ?? 0));
  drawHead();
  for (const row of body) {
    drawRow(sheet, row, drawHead);
    sheet.rule(ruleColour);
  }
}

/** Between two columns. */
const gap = 14;

function placesOf(
  sheet: Sheet,
  columns: readonly Column[],
  rows: readonly (readonly Cell[])[],
): readonly Place[] {
  const wanted = columns.map(({ maxWidth }, index) => {
    if (maxWidth === undefined) return 0;
    const texts = rows.flatMap((row) => row[index] ?? []);
    return Math.min(maxWidth, Math.max(...texts.map(({ text, style }) => sheet.widthOf(text, style))));
  });
  const rest =
    edges.right - edges.left - gap * (columns.length - 1) - wanted.reduce((sum, width) => sum + width, 0);
  let left = edges.left;
  return columns.map(({ align, maxWidth }, index) => {
    const width = maxWidth === undefined ? rest : (wanted[index] ?? 0);
    const place = { left, width, align };
    left += width + gap;
    return place;
  });
}

function drawColumn(sheet: Sheet, { place, lines }: LaidColumn, top: number): void {
  let y = top;
  for (const { line, style } of lines) {
    const x = place.left + (place.align === 'left' ? line.indent : place.width - line.width);
    sheet.drawLine(line, style, { x, y });
    y += lineHeight(style);
  }
}

function linesWithin(lines: readonly StyledLine[], room: number): readonly StyledLine[] {
  let height = 0;
  const over = lines.findIndex(({ style }) => {
    height += lineHeight(style);
    return height > room;
  });
  return over === -1 ? lines : lines.slice(0, over);
}

function heightOf(lines: readonly StyledLine[]): number {
  return lines.reduce((sum, { style }) => sum + lineHeight(style), 0);
}
