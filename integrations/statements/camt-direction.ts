/** `CdtDbtInd`: the direction of the entry itself, also of a reversal. */
import { quoted, StatementError } from './statement-error.ts';
import { firstAt, type XmlElement } from './xml-subtrees.ts';

/** 1 is money in, -1 money out. Throws `sign_missing` or `sign_unreadable`. */
export function directionOf(element: XmlElement): 1 | -1 {
  const indicator = firstAt(element, 'CdtDbtInd');
  const text = indicator?.text.trim() ?? '';
  if (text === 'CRDT') return 1;
  if (text === 'DBIT') return -1;
  throw new StatementError({
    reason: text === '' ? 'sign_missing' : 'sign_unreadable',
    line: indicator?.line ?? element.line,
    message: `${element.name} must say CRDT or DBIT in CdtDbtInd${text === '' ? '' : `, not ${quoted(text)}`}.`,
  });
}
