/**
 * One entry of a CAMT file as movements. A batch is as many movements as it has details, if every detail has its own
 * amount and they make the entry's; otherwise it is one movement with the texts of all. The rule looks at the file
 * alone, so that the same entry is always the same movements.
 */

import type { BankTransaction } from '../../domain/payments/bank-transaction.ts';
import { knownCurrency, unsignedMinor } from './amounts.ts';
import { directionOf } from './camt-direction.ts';
import { isoDay } from './dates.ts';
import type { MovementNames } from './movement-names.ts';
import { quoted, StatementError } from './statement-error.ts';
import type { StatementAccount } from './statement-part.ts';
import { firstText, isPlaceholder, reversalWord, textsOf } from './texts.ts';
import { allAt, firstAt, textAt, type XmlElement } from './xml-subtrees.ts';

export type CamtContext = {
  account: StatementAccount;
  kind: 'statement' | 'report' | 'notification';
  createdOn: string | null;
  names: MovementNames;
};

export type CamtMovement = { line: number; transaction: BankTransaction };

/** None for an entry that is for information only. Throws a `StatementError`. */
export function movementsOf(entry: XmlElement, context: CamtContext): CamtMovement[] {
  const status = statusOf(entry, context.kind);
  if (status === 'INFO') return [];
  const facts = entryFacts(entry, status, context);
  // The first version has them in the entry itself.
  const details = [...allAt(entry, 'NtryDtls', 'TxDtls'), ...allAt(entry, 'TxDtls')].map(detailOf);
  const amounts = splitAmounts(entry, details, facts);
  const { names, account } = context;
  if (amounts === null) {
    const [detail] = details.length === 1 ? details : [];
    const transaction = transactionOf(facts, facts.amountMinor, details);
    const named = names({
      accountId: account.id,
      names: [facts.servicerReference, detail?.servicerReference, facts.entryReference],
      transaction,
    });
    return [{ line: entry.line, transaction: named }];
  }
  return details.map((detail, index) => {
    const transaction = transactionOf(facts, amounts[index] ?? 0, [detail]);
    return {
      line: detail.line,
      transaction: names({ accountId: account.id, names: detailNames(facts, detail, index), transaction }),
    };
  });
}

type EntryFacts = {
  amountMinor: number;
  currency: string;
  bookedOn: string;
  pending: boolean;
  isReversal: boolean;
  servicerReference: string | null;
  entryReference: string | null;
  texts: string[];
};

function entryFacts(
  entry: XmlElement,
  status: 'BOOK' | 'PDNG',
  { account, createdOn }: CamtContext,
): EntryFacts {
  const amount = firstAt(entry, 'Amt');
  const line = amount?.line ?? entry.line;
  const currency = knownCurrency(amount?.attributes['Ccy'] ?? account.currency, line);
  const minor = unsignedMinor(amount?.text ?? '', { currency, line, mark: '.', grouped: false });
  const pending = status === 'PDNG';
  return {
    amountMinor: directionOf(entry) * minor || 0,
    currency,
    bookedOn:
      dayIn(entry, 'BookgDt') ?? dayIn(entry, 'ValDt') ?? (pending ? createdOn : null) ?? noDate(entry),
    pending,
    isReversal: isTrue(textAt(entry, 'RvslInd')),
    servicerReference: firstText(textAt(entry, 'AcctSvcrRef')),
    entryReference: firstText(textAt(entry, 'NtryRef')),
    texts: [textAt(entry, 'AddtlNtryInf'), textAt(entry, 'AcctSvcrRef')],
  };
}

/** What has not been booked may still change; of these, only what is for information is no movement at all. */
function statusOf(entry: XmlElement, kind: CamtContext['kind']): 'BOOK' | 'PDNG' | 'INFO' {
  const element = firstAt(entry, 'Sts');
  const code = (
    textAt(element, 'Cd') ||
    textAt(element, 'Prtry') ||
    (element?.text.trim() ?? '')
  ).toUpperCase();
  if (code === 'BOOK' || code === 'PDNG' || code === 'INFO') return code;
  if (code === 'FUTR') return 'PDNG';
  // A statement is of booked entries by definition; a report and a notification may be of others.
  if (code === '' && kind === 'statement') return 'BOOK';
  throw new StatementError({
    reason: 'status_unknown',
    line: element?.line ?? entry.line,
    message:
      code === ''
        ? 'The entry does not say whether it is booked (Sts).'
        : `The entry's status ${quoted(code)} is none of BOOK, PDNG, FUTR and INFO.`,
  });
}

/** What a movement needs of one `TxDtls`. */
type Detail = {
  line: number;
  /** The surest first; they differ where money was exchanged or charges were taken. */
  amounts: DetailAmount[];
  direction: 1 | -1 | null;
  servicerReference: string | null;
  endToEndId: string | null;
  otherId: string | null;
  madeOn: string | null;
  remittance: string[];
  references: string[];
  debtor: CamtParty;
  creditor: CamtParty;
  ultimateDebtor: string;
  isReturn: boolean;
};

type DetailAmount = { text: string; currency: string | undefined; line: number };

type CamtParty = { name: string | null; account: string | null };

/** Kept by element, so that the element can be emptied once it is complete. */
const detailsRead = new WeakMap<XmlElement, Detail>();

export function detailOf(element: XmlElement): Detail {
  const known = detailsRead.get(element);
  if (known) return known;
  const detail = readDetail(element);
  detailsRead.set(element, detail);
  return detail;
}

function readDetail(element: XmlElement): Detail {
  const amounts = [
    firstAt(element, 'Amt'),
    ...['TxAmt', 'CntrValAmt', 'InstdAmt'].map((name) => firstAt(element, 'AmtDtls', name, 'Amt')),
  ].filter((amount) => amount !== undefined);
  const references = firstAt(element, 'Refs');
  const remittance = firstAt(element, 'RmtInf');
  const structured = allAt(remittance, 'Strd');
  const lines = allAt(remittance, 'Ustrd').map(({ text }) => text.trim());
  const parties = firstAt(element, 'RltdPties');
  const made = firstAt(element, 'RltdDts');
  return {
    line: element.line,
    amounts: amounts.map(({ text, attributes, line }) => ({ text, currency: attributes['Ccy'], line })),
    direction: firstAt(element, 'CdtDbtInd') ? directionOf(element) : null,
    servicerReference: firstText(textAt(references, 'AcctSvcrRef')),
    endToEndId: firstText(textAt(references, 'EndToEndId')),
    otherId: firstText(textAt(references, 'TxId'), textAt(references, 'UETR'), textAt(references, 'InstrId')),
    madeOn: dayOfText(made, 'AccptncDtTm') ?? dayOfText(made, 'TxDtTm'),
    remittance: textsOf([
      ...structured.flatMap((each) => ['Ref', 'CdtrRef'].map((name) => textAt(each, 'CdtrRefInf', name))),
      ...structured.flatMap((each) =>
        ['Nb', 'RfrdDocNb'].flatMap((name) => allAt(each, 'RfrdDocInf', name).map(({ text }) => text)),
      ),
      ...structured.flatMap((each) => allAt(each, 'AddtlRmtInf').map(({ text }) => text)),
      ...lines,
      ...continued(lines),
    ]),
    references: textsOf([
      textAt(element, 'AddtlTxInf'),
      ...[
        'EndToEndId',
        'InstrId',
        'TxId',
        'UETR',
        'AcctSvcrRef',
        'PmtInfId',
        'MsgId',
        'ChqNb',
        'ClrSysRef',
      ].map((name) => textAt(references, name)),
      ...allAt(references, 'Prtry', 'Ref').map(({ text }) => text),
      textAt(element, 'RtrInf', 'AddtlInf'),
      textAt(element, 'RtrInf', 'Rsn', 'Cd'),
    ]),
    debtor: partyIn(parties, 'Dbtr', 'DbtrAcct'),
    creditor: partyIn(parties, 'Cdtr', 'CdtrAcct'),
    ultimateDebtor: nameIn(firstAt(parties, 'UltmtDbtr')),
    isReturn: firstAt(element, 'RtrInf') !== undefined,
  };
}

/** Widths at which banks cut a text, in the middle of words and numbers: a line of SWIFT, and a field of CAMT. */
const cutWidths = [35, 140];

/** The lines with those that a full one goes on in. One that ended in spaces has lost them, and is full all the same. */
function continued(lines: readonly string[]): string[] {
  const isFull = ({ length }: string) => cutWidths.some((width) => length <= width && length >= width - 2);
  const texts: string[] = [];
  let whole = '';
  for (const line of lines) {
    whole += line;
    if (isFull(line)) continue;
    texts.push(whole);
    whole = '';
  }
  return [...texts, whole];
}

function partyIn(parties: XmlElement | undefined, party: string, account: string): CamtParty {
  const id = firstAt(parties, account, 'Id');
  const iban = textAt(id, 'IBAN').replace(/\s/g, '').toUpperCase();
  return {
    name: firstText(nameIn(firstAt(parties, party))),
    account: firstText(iban, textAt(id, 'Othr', 'Id'), textAt(id, 'BBAN'), textAt(id, 'PrtryAcct', 'Id')),
  };
}

function nameIn(party: XmlElement | undefined): string {
  return textAt(party, 'Nm') || textAt(party, 'Pty', 'Nm') || textAt(party, 'Agt', 'FinInstnId', 'Nm');
}

/** `null` where the entry is one movement. */
function splitAmounts(entry: XmlElement, details: readonly Detail[], facts: EntryFacts): number[] | null {
  if (details.length < 2) return null;
  const amounts: number[] = [];
  for (const { amounts: given, direction } of details) {
    const amount = given.find(({ currency }) => currency === undefined || currency === facts.currency);
    if (!amount) return null;
    const { text, line } = amount;
    const minor = unsignedMinor(text, { currency: facts.currency, line, mark: '.', grouped: false });
    amounts.push((direction ?? directionOf(entry)) * minor || 0);
  }
  const sum = amounts.reduce((total, amount) => total + BigInt(amount), 0n);
  return sum === BigInt(facts.amountMinor) ? amounts : null;
}

/** A detail's own name; where the bank gave the whole batch one, that and what tells this detail from the others. */
function detailNames(facts: EntryFacts, detail: Detail, index: number): (string | null)[] {
  const own = detail.servicerReference;
  const batch = facts.servicerReference ?? facts.entryReference;
  if (own !== null && own !== batch) return [own];
  const within = detail.endToEndId ?? detail.otherId ?? `#${index + 1}`;
  if (batch !== null) return [`${batch}/${within}`];
  return [detail.endToEndId, detail.otherId];
}

function transactionOf(facts: EntryFacts, amountMinor: number, details: readonly Detail[]) {
  const [only] = details.length === 1 ? details : [];
  const isFromDebtor = amountMinor > 0 || facts.isReversal;
  const payer = only && isFromDebtor ? only.debtor : { name: null, account: null };
  const takesBack = facts.isReversal || details.some(({ isReturn }) => isReturn);
  const counterparties = details.map(({ debtor, creditor }) => (isFromDebtor ? debtor.name : creditor.name));
  return {
    amountMinor,
    currency: facts.currency,
    bookedOn: facts.bookedOn,
    authorisedOn: only?.madeOn ?? null,
    pending: facts.pending,
    pendingExternalId: null,
    texts: textsOf([
      ...details.flatMap(({ remittance }) => remittance),
      ...details.flatMap(({ references }) => references),
      ...facts.texts,
      amountMinor < 0 && takesBack ? reversalWord : null,
      ...details.map(({ ultimateDebtor }) => ultimateDebtor),
      ...counterparties,
    ]),
    payer: {
      name: payer.name ?? (isFromDebtor ? firstText(only?.ultimateDebtor) : null),
      account: payer.account,
    },
    bankReference: only?.servicerReference ?? facts.servicerReference,
  };
}

function dayIn(entry: XmlElement, name: string): string | null {
  const element = firstAt(entry, name);
  const text = textAt(element, 'Dt') || textAt(element, 'DtTm') || (element?.text.trim() ?? '');
  return element && text !== '' ? isoDay(text, element.line) : null;
}

function dayOfText(parent: XmlElement | undefined, name: string): string | null {
  const element = firstAt(parent, name);
  return element && !isPlaceholder(element.text) ? isoDay(element.text, element.line) : null;
}

function noDate(entry: XmlElement): never {
  throw new StatementError({
    reason: 'date_missing',
    line: entry.line,
    message: 'The entry has neither a booking date nor a value date (BookgDt, ValDt).',
  });
}

function isTrue(text: string): boolean {
  return text === 'true' || text === '1';
}
