/** What is kept of a PDF: what its pages show, as pictures, and nothing else; and that none keeps us busy. */
import { Transformer } from '@napi-rs/image';
import { describe, expect, it } from 'vitest';
import { sampleDocument } from '../../test/support/invoice-document.ts';
import { readPdf, textsOf } from '../../test/support/pdf.ts';
import { pdf, pdfStream } from '../../test/support/proof-files.ts';
import { renderInvoicePdf } from '../pdf/invoice-pdf.ts';
import { redrawPdf } from './redraw-pdf.ts';

const stays = new AbortController().signal;
const redraw = (bytes: Uint8Array) => redrawPdf(bytes, stays);

/** As `pdf`, with this on its page; `more` goes into the dictionary of the page. */
function showing({
  content = '',
  box = '0 0 200 200',
  more = '',
  objects = [],
}: {
  content?: string;
  box?: string;
  more?: string;
  objects?: (string | Uint8Array)[];
}): Uint8Array {
  const page = `/Type /Page /Parent 2 0 R /MediaBox [${box}] /Contents 9 0 R ${more}`;
  const own = [`3 0 obj\n<< ${page} >>\nendobj\n`, ...pdfStream({ number: 9, content })];
  return pdf({ objects: [...own, ...objects] });
}

/** A PDF of so many pages. */
function paged(count: number): Uint8Array {
  const kids = Array.from({ length: count }, () => '3 0 R').join(' ');
  return pdf({ objects: [`2 0 obj\n<< /Type /Pages /Kids [${kids}] /Count ${count} >>\nendobj\n`] });
}

/** Of the picture on the first page: how bright it is at a place, from 0 to 255. Places are parts of its sides. */
async function pictureOf(redrawn: Uint8Array | string) {
  if (typeof redrawn === 'string') throw new Error(redrawn);
  const bytes = Buffer.from(redrawn);
  const picture = new Transformer(bytes.subarray(bytes.indexOf(Buffer.from([0xff, 0xd8, 0xff]))));
  const { width, height } = await picture.metadata();
  const pixels = await picture.rawPixels();
  const channels = pixels.length / (width * height);
  const brightness = (x: number, y: number) =>
    pixels[(Math.floor(y * height) * width + Math.floor(x * width)) * channels];
  return { width, height, brightness };
}

describe('a PDF', () => {
  it('is kept as pictures of its pages, of the same size, that show the same', async () => {
    const redrawn = await redraw(showing({ content: '0 0 100 200 re f', box: '0 0 595 842' }));
    const { width, height, brightness } = await pictureOf(redrawn);
    expect([width, height]).toEqual([1239, 1754]);
    expect(brightness(0.08, 0.9)).toBeLessThan(20);
    expect(brightness(0.9, 0.1)).toBeGreaterThan(235);
    const { pages } = await readPdf(redrawn as Uint8Array);
    expect(pages.map((page) => [Math.round(page.width), Math.round(page.height)])).toEqual([[595, 842]]);
  });

  it('is the same bytes whenever it is drawn, and tells nothing of when', async () => {
    const bytes = await renderInvoicePdf(sampleDocument());
    const first = await redraw(bytes);
    expect(await redraw(bytes)).toEqual(first);
    expect((await readPdf(first as Uint8Array)).info).toMatchObject({ CreationDate: 'D:19700101000000Z' });
  });

  it('leaves behind whatever is no picture of a page', async () => {
    const bytes = showing({
      content: 'BT (unseen text) Tj ET',
      more: '/Annots [10 0 R]',
      objects: [
        '10 0 obj\n<< /Type /Annot /Subtype /Link /Rect [0 0 9 9] /A << /S /URI /URI (https://evil.example) >> >>\nendobj\n',
        '11 0 obj\n<< /Author (Ada Lovelace) >>\nendobj\n',
      ],
    });
    const redrawn = Buffer.from((await redraw(bytes)) as Uint8Array);
    expect(redrawn.toString('latin1')).not.toMatch(/evil|Lovelace|Annot/);
    expect(textsOf(await readPdf(redrawn))).toEqual([]);
  });

  it('shows what was typed into a form', async () => {
    const typed = { number: 11, content: '0 0 100 100 re f' };
    const dictionary = '/Type /XObject /Subtype /Form /BBox [0 0 100 100] /Filter /FlateDecode';
    const bytes = showing({
      more: '/Annots [10 0 R]',
      objects: [
        '10 0 obj\n<< /Type /Annot /Subtype /Widget /FT /Tx /T (a) /Rect [50 50 150 150] /F 4 /AP << /N 11 0 R >> >>\nendobj\n',
        ...pdfStream({ ...typed, dictionary }),
      ],
    });
    const { brightness } = await pictureOf(await redraw(bytes));
    expect(brightness(0.5, 0.5)).toBeLessThan(20);
  });

  it('may have five pages, and no more', async () => {
    const { pages } = await readPdf((await redraw(paged(5))) as Uint8Array);
    expect(pages).toHaveLength(5);
    expect(await redraw(paged(6))).toBe('pdf_too_large');
  });

  it('of large pages is drawn with fewer dots', async () => {
    const { width, height } = await pictureOf(await redraw(showing({ box: '0 0 14400 14400' })));
    expect([width, height]).toEqual([2000, 2000]);
  });

  it.each([
    ['no page', Buffer.from('%PDF-1.7\n%%EOF\n')],
    ['a page that is as good as a line', showing({ box: '0 0 14400 0.1' })],
    ['something else in it', Buffer.from('%PDF-1.7\nnothing of a PDF\n%%EOF\n')],
  ])('with %s cannot be read', async (_what, bytes) => {
    expect(await redraw(bytes)).toBe('pdf_unreadable');
  });
});

describe('a PDF that is made to be drawn for ever', () => {
  /** A hundred thousand million squares: each of these draws the next one ten times. */
  const endless = () => {
    const objects = Array.from({ length: 12 }, (_, n) => {
      const resources = `<< /XObject << /X ${21 + n} 0 R >> >>`;
      const dictionary = `/Type /XObject /Subtype /Form /BBox [0 0 200 200] /Resources ${resources} /Filter /FlateDecode`;
      return pdfStream({
        number: 20 + n,
        content: n === 11 ? '0 0 1 1 re f' : '/X Do '.repeat(10),
        dictionary,
      });
    });
    const more = '/Resources << /XObject << /X 20 0 R >> >>';
    return showing({ content: '/X Do', more, objects: objects.flat() });
  };

  it('is given up', async () => {
    expect(await redrawPdf(endless(), stays, { patienceMs: 1_000 })).toBe('pdf_too_large');
  });

  it('is given up for a sender that has hung up', async () => {
    const hangUp = new AbortController();
    const drawing = redrawPdf(endless(), hangUp.signal);
    hangUp.abort(new Error('hung up'));
    await expect(drawing).rejects.toThrow('hung up');
  });

  it('or needs more memory than a PDF may have is refused', async () => {
    const bytes = showing({ content: '0 0 200 200 re f '.repeat(5_000_000) });
    expect(await redraw(bytes)).toBe('pdf_too_large');
  });
});
