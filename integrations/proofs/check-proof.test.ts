/** What is taken as a proof and what is not, by its bytes; and that nothing else of a picture is kept. */
import { deflateSync } from 'node:zlib';
import { Transformer } from '@napi-rs/image';
import { fileTypeFromBuffer } from 'file-type';
import { describe, expect, it } from 'vitest';
import { sampleDocument } from '../../test/support/invoice-document.ts';
import {
  heic,
  jpegWithPlace,
  pdf,
  pdfStream,
  picture,
  pngBomb,
  program,
} from '../../test/support/proof-files.ts';
import { renderInvoicePdf } from '../pdf/invoice-pdf.ts';
import { checkProof } from './check-proof.ts';

const text = (value: string) => new TextEncoder().encode(value);

describe('pictures', () => {
  it.each([
    ['png', 'png', 'image/png'],
    ['jpeg', 'jpg', 'image/jpeg'],
    ['webp', 'webp', 'image/webp'],
  ] as const)('a %s is drawn anew and stays one', async (type, ending, mime) => {
    const checked = await checkProof(await picture(type));
    expect(checked).toMatchObject({ kind: 'usable', ending });
    const { bytes } = checked as { bytes: Uint8Array };
    expect((await fileTypeFromBuffer(bytes))?.mime).toBe(mime);
    expect(await new Transformer(bytes).metadata()).toMatchObject({ width: 24, height: 16 });
  });

  it('where a picture was taken is not kept', async () => {
    const bytes = await jpegWithPlace('GPS 52.5200 N 13.4050 E');
    expect(Buffer.from(bytes).toString('latin1')).toContain('GPS');
    const checked = await checkProof(bytes);
    expect(checked).toMatchObject({ kind: 'usable', ending: 'jpg' });
    const kept = Buffer.from((checked as { bytes: Uint8Array }).bytes).toString('latin1');
    expect(kept).not.toMatch(/GPS|Exif/);
  });

  it.each(['png', 'jpeg', 'webp'] as const)('what hides behind a %s is not kept', async (type) => {
    const hidden = '<script>alert(1)</script>%PDF-1.7 PK\x03\x04';
    const checked = await checkProof(Buffer.concat([await picture(type), text(hidden)]));
    expect(checked.kind).toBe('usable');
    const kept = Buffer.from((checked as { bytes: Uint8Array }).bytes).toString('latin1');
    expect(kept).not.toMatch(/script|%PDF/);
  });

  it.each([
    [60_000, 60_000],
    [7_100, 7_100],
    [2, 30_001],
  ])('one of %d by %d pixels is refused before it is decoded', async (width, height) => {
    expect(await checkProof(await pngBomb(width, height))).toMatchObject({ reason: 'image_too_large' });
  });

  it.each([
    ['a part of a PNG', async () => (await picture('png', { width: 400, height: 400 })).subarray(0, 600)],
    ['a JPEG of nothing', async () => (await picture('jpeg')).subarray(0, 30)],
    ['a PNG of more pixels than it has', () => pngBomb(4_000, 4_000)],
  ])('%s is refused', async (_what, make) => {
    expect(await checkProof(await make())).toMatchObject({ kind: 'refused', reason: 'image_unreadable' });
  });
});

describe('what is neither a picture nor a PDF', () => {
  it.each([
    ['nothing', new Uint8Array(), 'file_empty'],
    ['a program', program(), 'type_not_accepted'],
    ['a page', text('<!doctype html><script>alert(1)</script>'), 'type_not_accepted'],
    ['an SVG', text('<svg xmlns="http://www.w3.org/2000/svg"><script/></svg>'), 'type_not_accepted'],
    ['an SVG as XML', text('<?xml version="1.0"?><svg onload="alert(1)"/>'), 'type_not_accepted'],
    ['a GIF', text('GIF89a\x01\x00\x01\x00\x00\x00\x00;'), 'type_not_accepted'],
    ['a ZIP', text('PK\x03\x04 and more'), 'type_not_accepted'],
    [
      'a PDF behind something',
      text(`          ${Buffer.from(pdf()).toString('latin1')}`),
      'type_not_accepted',
    ],
    ['a HEIC', heic(), 'heic_not_accepted'],
  ])('%s is refused', async (_what, bytes, reason) => {
    expect(await checkProof(bytes)).toEqual({ kind: 'refused', reason, message: expect.any(String) });
  });

  it('who sends a HEIC is told what to send instead', async () => {
    expect(await checkProof(heic())).toMatchObject({ message: expect.stringContaining('JPEG or PNG') });
  });
});

describe('PDFs', () => {
  it('one that shows something is drawn anew and stays one', async () => {
    const checked = await checkProof(pdf());
    expect(checked).toMatchObject({ kind: 'usable', ending: 'pdf' });
    const { bytes } = checked as { bytes: Uint8Array };
    expect((await fileTypeFromBuffer(bytes))?.mime).toBe('application/pdf');
    expect(bytes).not.toEqual(pdf());
  });

  it('one of our own is taken', async () => {
    expect(await checkProof(await renderInvoicePdf(sampleDocument()))).toMatchObject({ kind: 'usable' });
  });

  it('one with packed objects that do nothing is taken', async () => {
    const dictionary = '/Type /ObjStm /N 1 /First 4 /Filter /FlateDecode';
    const objects = pdfStream({ number: 9, content: '10 0 << /Type /Font >>', dictionary });
    expect(await checkProof(pdf({ objects }))).toMatchObject({ kind: 'usable' });
  });

  const script = '<< /S /JavaScript /JS (app.alert(1)) >>';
  const packed = '/Type /ObjStm /N 1 /First 4';
  const deflated = { dictionary: `${packed} /Filter /FlateDecode` };
  const brokenOff = {
    content: ' '.repeat(40 * 1024 * 1024),
    pack: (content: string) => Buffer.concat([deflateSync(content).subarray(0, -6), Buffer.alloc(64, 0xff)]),
  };
  const plainly = { pack: (content: string) => text(content) };
  it.each([
    ['that is encrypted', pdf({ trailer: '/Encrypt 9 0 R' }), 'pdf_encrypted'],
    ['with a script', pdf({ objects: [`9 0 obj ${script} endobj\n`] }), 'pdf_active'],
    [
      'with a script in short',
      pdf({ objects: ['9 0 obj << /S /Rendition /JS 8 0 R >> endobj\n'] }),
      'pdf_active',
    ],
    [
      'with nothing but the name of one',
      pdf({ objects: ['9 0 obj << /JS 8 0 R >> endobj\n'] }),
      'pdf_active',
    ],
    ['that acts when it is opened', pdf({ catalog: '/OpenAction 9 0 R' }), 'pdf_active'],
    ['that writes so in codes', pdf({ catalog: '/Open#41ction 9 0 R' }), 'pdf_active'],
    ['that writes so in codes only', pdf({ catalog: `/${codes('JavaScript')} 9 0 R` }), 'pdf_active'],
    [
      'that starts a program',
      pdf({ objects: ['9 0 obj << /S /Launch /F (cmd.exe) >> endobj\n'] }),
      'pdf_active',
    ],
    ['with a file in it', pdf({ objects: ['9 0 obj << /Type/EmbeddedFile >> endobj\n'] }), 'pdf_active'],
    [
      'with a script in packed objects',
      pdf({ objects: pdfStream({ number: 9, content: `10 0 ${script}`, ...deflated }) }),
      'pdf_active',
    ],
    [
      'with a script in packed objects whose sum is wrong',
      pdf({
        objects: pdfStream({
          number: 9,
          content: `10 0 ${script}`,
          ...deflated,
          pack: (content) => Buffer.concat([deflateSync(content).subarray(0, -4), Buffer.alloc(4)]),
        }),
      }),
      'pdf_active',
    ],
    [
      'with a script in objects that are packed and not deflated',
      pdf({ objects: pdfStream({ number: 9, content: script, dictionary: packed, ...plainly }) }),
      'pdf_active',
    ],
    [
      'with objects packed in another way',
      pdf({
        objects: pdfStream({
          number: 9,
          content: '~>',
          dictionary: `${packed} /Filter [/ASCII85Decode /FlateDecode]`,
          ...plainly,
        }),
      }),
      'pdf_unreadable',
    ],
    [
      'that says of its objects that they are deflated, and they are not',
      pdf({ objects: pdfStream({ number: 9, content: 'nothing', ...deflated, ...plainly }) }),
      'pdf_unreadable',
    ],
    [
      'that hides the dictionary of packed objects',
      pdf({
        objects: [`9 0 obj\n<< ${packed} /Filter /A85 >>%obj\nstream\n`, text('~>'), '\nendstream\nendobj\n'],
      }),
      'pdf_unreadable',
    ],
    [
      'that hides in a stream what is an object',
      pdf({
        objects: pdfStream({ number: 9, content: `10 0 obj ${script} endobj`, dictionary: '', ...plainly }),
      }),
      'pdf_active',
    ],
    [
      'whose packed objects are deflated twice',
      pdf({
        objects: pdfStream({
          number: 9,
          content: `10 0 ${script}`,
          dictionary: `${packed} /Filter [/FlateDecode /FlateDecode]`,
          pack: (content) => deflateSync(deflateSync(content)),
        }),
      }),
      'pdf_unreadable',
    ],
    [
      'that says elsewhere how its objects are packed',
      pdf({
        objects: [
          '7 0 obj [/ASCIIHexDecode /FlateDecode] endobj\n',
          ...pdfStream({
            number: 9,
            content: `10 0 ${script}`,
            dictionary: `${packed} /Filter 7 0 R`,
            pack: (content) => text(deflateSync(content).toString('hex')),
          }),
        ],
      }),
      'pdf_unreadable',
    ],
    [
      'that says far ahead how its objects are packed',
      pdf({
        objects: pdfStream({
          number: 9,
          content: `10 0 ${script}`,
          dictionary: `/Filter /ASCIIHexDecode ${' '.repeat(5_000)} ${packed}`,
          pack: (content) => text(Buffer.from(content).toString('hex')),
        }),
      }),
      'pdf_unreadable',
    ],
    [
      'that opens a file of somebody else when a page is shown',
      pdf({ objects: ['9 0 obj << /AA << /O << /S /GoToR /F (x) /D [0] >> >> >> endobj\n'] }),
      'pdf_active',
    ],
    [
      'that asks an address when a page is shown',
      pdf({ objects: ['9 0 obj << /AA << /O << /S /URI /URI (http://x) >> >> >> endobj\n'] }),
      'pdf_active',
    ],
    [
      'that unpacks to too much in many streams of which each breaks off',
      pdf({
        objects: Array.from({ length: 4 }, (_, n) => pdfStream({ number: 20 + n, ...brokenOff })).flat(),
      }),
      'pdf_too_large',
    ],
    ['that goes on behind its end', pdf({ after: 'PK\x03\x04' }), 'pdf_unreadable'],
    ['without an end', pdf().subarray(0, 300), 'pdf_unreadable'],
    [
      'that unpacks to too much',
      pdf({ objects: pdfStream({ number: 9, content: ' '.repeat(100 * 1024 * 1024) }) }),
      'pdf_too_large',
    ],
  ])('one %s is refused', async (_what, bytes, reason) => {
    expect(await checkProof(bytes)).toMatchObject({ kind: 'refused', reason });
  });

  it('one that was made to be slow to read is read in no more than a moment of many', async () => {
    const head = pdf().subarray(0, -6);
    for (const unit of ['stream\n', '/#41#41', 'obj ', '(((', '/JS', '%%EOF ', '1 0 obj<<']) {
      const bytes = Buffer.concat([head, text(unit.repeat(200_000)), text('\n%%EOF\n')]);
      expect((await checkProof(bytes)).kind).toMatch(/usable|refused/);
    }
  });
});

describe('many files at once', () => {
  /** One that takes a while. */
  const large = () =>
    pdf({
      objects: Array.from({ length: 8 }, (_, n) =>
        pdfStream({ number: 20 + n, content: ' '.repeat(4 * 1024 * 1024) }),
      ).flat(),
    });

  it('are looked into one at a time, whatever they are', async () => {
    const ended: string[] = [];
    const look = async (name: string, bytes: Uint8Array) => {
      await checkProof(bytes);
      ended.push(name);
    };
    const small = await picture('png');
    await Promise.all([look('large', large()), look('picture', small), look('small', pdf())]);
    expect(ended[0]).toBe('large');
  });

  it('whose sender has hung up is not looked into, and keeps no other one waiting', async () => {
    const [first, hangUp] = [checkProof(large()), new AbortController()];
    const [waiting, after] = [checkProof(large(), { gone: hangUp.signal }), checkProof(pdf())];
    const ended: string[] = [];
    void first.then(() => ended.push('first'));
    hangUp.abort(new Error('hung up'));
    await expect(waiting).rejects.toThrow('hung up');
    expect(ended).toEqual([]);
    expect(await after).toMatchObject({ kind: 'usable' });
    expect(ended).toEqual(['first']);
  });

  it('whose sender hangs up meanwhile is not looked into any further', async () => {
    const hangUp = new AbortController();
    const looking = checkProof(large(), { gone: hangUp.signal });
    setImmediate(() => hangUp.abort(new Error('hung up')));
    await expect(looking).rejects.toThrow('hung up');
  });
});

function codes(name: string): string {
  return [...name].map((letter) => `#${letter.charCodeAt(0).toString(16)}`).join('');
}
