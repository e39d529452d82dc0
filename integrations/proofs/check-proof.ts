/**
 * Whether a file can be kept as a proof, by its bytes alone: what the sender calls it, and of what type, means nothing. Pictures
 * are decoded and drawn anew, so that where and with what they were taken is gone, and whatever else hid in them. A PDF cannot
 * be drawn anew here; one that does anything by itself is refused.
 */
import { fileTypeFromBuffer } from 'file-type';
import type { CheckedProof, ProofRefusal } from '../../domain/payments/bank-proof.ts';
import { checkPdf } from './check-pdf.ts';
import { inTurn } from './in-turn.ts';
import { redrawImage } from './redraw-image.ts';

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
    case 'webp': {
      const redrawn = await inTurn(() => redrawImage(bytes, type), gone);
      return typeof redrawn === 'string'
        ? refused(redrawn)
        : { kind: 'usable', bytes: redrawn, ending: type };
    }
    case 'pdf': {
      const refusal = await inTurn(() => checkPdf(bytes, gone), gone);
      return refusal === null ? { kind: 'usable', bytes, ending: type } : refused(refusal);
    }
    case 'heic':
    case 'avif':
      return refused('heic_not_accepted');
    default:
      return refused('type_not_accepted');
  }
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
  pdf_too_large: 'The PDF unpacks to too much. Send the page that matters, or a picture of it.',
};
