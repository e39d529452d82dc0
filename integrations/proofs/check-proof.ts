/**
 * Whether a file can be kept as a proof, by its bytes alone: what the sender calls it, and of what type, means nothing. Pictures
 * and the pages of PDFs are drawn anew, so that where and with what they were made is gone, and whatever else hid in them. A PDF
 * that does anything by itself is refused before.
 */
import { fileTypeFromBuffer } from 'file-type';
import { type CheckedProof, PROOF_PAGES_MAX, type ProofRefusal } from '../../domain/payments/bank-proof.ts';
import { checkPdf } from './check-pdf.ts';
import { inTurn } from './in-turn.ts';
import { redrawImage } from './redraw-image.ts';
import { redrawPdf } from './redraw-pdf.ts';

/** Never throws for what a file holds; with the reason of `gone` where its sender has hung up meanwhile. */
export async function checkProof(
  bytes: Uint8Array,
  { gone = AbortSignal.any([]) }: { gone?: AbortSignal } = {},
): Promise<CheckedProof> {
  if (bytes.length === 0) return refused('file_empty');
  const type = (await fileTypeFromBuffer(bytes))?.ext;
  switch (type) {
    case 'jpg':
    case 'png':
    case 'webp':
    case 'pdf': {
      const redrawn = await inTurn(() => redraw(bytes, type, gone), gone);
      return typeof redrawn === 'string'
        ? refused(redrawn)
        : { kind: 'usable', bytes: redrawn, ending: type };
    }
    case 'heic':
    case 'avif':
      return refused('heic_not_accepted');
    default:
      return refused('type_not_accepted');
  }
}

async function redraw(
  bytes: Uint8Array,
  type: 'jpg' | 'png' | 'webp' | 'pdf',
  gone: AbortSignal,
): Promise<Uint8Array | ProofRefusal> {
  if (type !== 'pdf') return redrawImage(bytes, type);
  return (await checkPdf(bytes, gone)) ?? redrawPdf(bytes, gone);
}

function refused(reason: ProofRefusal): CheckedProof {
  return { kind: 'refused', reason, message: messages[reason] };
}

const messages: Record<ProofRefusal, string> = {
  file_empty: 'The file is empty. Choose it again, or take a new picture.',
  type_not_accepted: 'The file is neither a picture nor a PDF. Send a JPEG, PNG or WebP picture, or a PDF.',
  heic_not_accepted:
    'Pictures in the format HEIC or AVIF cannot be read here. Send a JPEG or PNG picture (a screenshot is one), or a PDF.',
  image_unreadable: 'The picture is damaged and cannot be read. Take a new one, or send a screenshot.',
  image_too_large:
    'The picture has too many pixels. Send one with at most 50 million, such as a screenshot of it.',
  pdf_unreadable: 'The PDF is damaged and cannot be read. Save it anew, or send a picture of it.',
  pdf_encrypted:
    'The PDF is protected by a password or against changes. Print it to a new PDF without protection, or send a picture of it.',
  pdf_active:
    'The PDF holds scripts, attachments or actions that run when it is opened. Print it to a new PDF, or send a picture of it.',
  pdf_too_large: `The PDF has more than ${PROOF_PAGES_MAX} pages, or is too much work to draw. Send the page that matters, or a picture of it.`,
};
