/**
 * OFX and QFX, versions 1 and 2, of bank accounts and cards, several accounts in a file. `TRNAMT` alone says the sign:
 * `TRNTYPE` is the bank's word for the kind and often contradicts it. Tags that are not closed are closed by what
 * cannot stand within them, but a file without its last tag has been cut off.
 */
import { exponentOf } from '../../domain/money.ts';
import type { BankTransaction } from '../../domain/payments/bank-transaction.ts';
import { isIbanLike } from '../../domain/payments/statement-account.ts';
import { type DecimalMark, knownCurrency, signedMinor } from './amounts.ts';
import { dayOf, refuseDate } from './dates.ts';
import { movementNames } from './movement-names.ts';
import { type OfxToken, ofxTokenizer } from './ofx-tags.ts';
import { StatementError } from './statement-error.ts';
import type { StatementAccount, StatementOptions, StatementPart } from './statement-part.ts';
import { firstText, isPlaceholder, textsOf } from './texts.ts';

/** In the order of the file. Throws a `StatementError` for what cannot be read. */
export async function* readOfx(
  text: AsyncIterable<string>,
  options: StatementOptions,
): AsyncGenerator<StatementPart> {
  const tokenizer = ofxTokenizer();
  const reader = ofxReader(options);
  for await (const piece of text) {
    for (const token of tokenizer.write(piece)) yield* reader.read(token);
  }
  for (const token of tokenizer.end()) yield* reader.read(token);
  yield* reader.end();
}

type Field = { text: string; line: number };

/** An aggregate's own elements, by name. */
type Fields = Map<string, Field>;

type OfxStatement = {
  line: number;
  fields: Fields;
  accountFields: Fields | null;
  /** Set once it has been said. */
  account: StatementAccount | null;
};

type OfxTransaction = { line: number; pending: boolean; fields: Fields; parts: Map<string, Fields> };

function ofxReader(options: StatementOptions) {
  const names = movementNames();
  let leaf: { name: string; text: string; line: number } | null = null;
  let statement: OfxStatement | null = null;
  let transaction: OfxTransaction | null = null;
  let part: { name: string; line: number; fields: Fields } | null = null;
  let statements = 0;
  let isClosed = false;

  function* announced(of: OfxStatement): Generator<StatementPart, StatementAccount> {
    if (of.account) return of.account;
    of.account = accountOf(of, options.currency);
    yield { type: 'statement', line: of.line, account: of.account, statementId: null };
    return of.account;
  }

  function* endPart(): Generator<StatementPart> {
    const ended = part;
    part = null;
    if (!ended) return;
    if (transaction) transaction.parts.set(ended.name, ended.fields);
    else if (statement && accountParts.has(ended.name)) statement.accountFields ??= ended.fields;
    else if (statement && ended.name === 'LEDGERBAL') {
      const account = yield* announced(statement);
      yield* ledgerBalance(ended, account);
    }
  }

  function* endTransaction(): Generator<StatementPart> {
    yield* endPart();
    const ended = transaction;
    transaction = null;
    if (!ended || !statement) return;
    const account = yield* announced(statement);
    const { fields } = ended;
    const read = transactionOf(ended, account);
    const named = names({
      accountId: account.id,
      names: [textOf(fields, 'FITID')],
      transaction: read,
    });
    yield { type: 'movement', line: ended.line, account, transaction: named };
  }

  function* endStatement(): Generator<StatementPart> {
    yield* endTransaction();
    // Of an investment account only the movements of its cash are ours to read.
    if (statement && statements > 0) yield* announced(statement);
    statement = null;
  }

  function* open(name: string, line: number): Generator<StatementPart> {
    // Downloads of several accounts are put one behind the other: each must end.
    if (isAggregate(name)) isClosed = false;
    if (statementNames.has(name)) {
      yield* endStatement();
      if (name !== 'INVSTMTRS') statements += 1;
      statement = { line, fields: new Map(), accountFields: null, account: null };
    } else if (transactionNames.has(name)) {
      yield* endTransaction();
      if (!statement) throw outside(line);
      statements += 1;
      transaction = { line, pending: name === 'STMTTRNP', fields: new Map(), parts: new Map() };
    } else if (partNames.has(name)) {
      yield* endPart();
      if (!transactionParts.has(name) && !accountParts.has(name)) yield* endTransaction();
      part = { name, line, fields: new Map() };
    } else if (structureNames.has(name)) {
      yield* endTransaction();
    }
  }

  function* close(name: string): Generator<StatementPart> {
    if (name === 'OFX') {
      yield* endStatement();
      isClosed = true;
    } else if (statementNames.has(name)) yield* endStatement();
    else if (transactionNames.has(name) || structureNames.has(name)) yield* endTransaction();
    else if (part?.name === name) yield* endPart();
  }

  /** The first of a name counts: what follows a tag that was not closed belongs to something else. */
  function* element(name: string, field: Field): Generator<StatementPart> {
    if (part && transaction && transactionOnly.has(name)) yield* endPart();
    const fields = part?.fields ?? transaction?.fields ?? statement?.fields;
    if (name === 'TRNAMT' && fields?.has(name)) throw twoAmounts(field.line);
    if (fields && !fields.has(name)) fields.set(name, field);
  }

  /** What has no value is an aggregate. */
  function* endLeaf(): Generator<StatementPart> {
    const ended = leaf;
    leaf = null;
    if (!ended) return;
    if (ended.text.trim() === '') yield* open(ended.name, ended.line);
    else yield* element(ended.name, { text: ended.text.trim(), line: ended.line });
  }

  return {
    *read(token: OfxToken): Generator<StatementPart> {
      if (token.kind === 'text') {
        if (leaf) leaf.text += token.text;
        return;
      }
      const isEmpty = token.kind === 'close' && leaf?.name === token.name && leaf.text.trim() === '';
      const isEmptyElement = isEmpty && !isAggregate(token.name);
      if (isEmptyElement) leaf = null;
      else {
        const isLeafEnd = token.kind === 'close' && leaf?.name === token.name && !isEmpty;
        yield* endLeaf();
        if (token.kind === 'close' && !isLeafEnd) yield* close(token.name);
      }
      if (token.kind === 'open') leaf = { name: token.name, text: '', line: token.line };
    },
    *end(): Generator<StatementPart> {
      yield* endLeaf();
      if (!isClosed) {
        throw new StatementError({
          reason: 'file_cut_off',
          line: null,
          message: 'The file ends before its last tag (</OFX>). Fetch it again from the bank.',
        });
      }
      if (statements > 0) return;
      throw new StatementError({
        reason: 'no_statement',
        line: null,
        message: 'The file has no statement of a bank account or a card. Choose such an account at the bank.',
      });
    },
  };
}

const statementNames = new Set(['STMTRS', 'CCSTMTRS', 'INVSTMTRS']);
const transactionNames = new Set(['STMTTRN', 'STMTTRNP']);
const accountParts = new Set(['BANKACCTFROM', 'CCACCTFROM', 'INVACCTFROM']);
/** Aggregates that stand in a transaction. */
const transactionParts = new Set([
  'PAYEE',
  'CURRENCY',
  'ORIGCURRENCY',
  'BANKACCTTO',
  'CCACCTTO',
  'IMAGEDATA',
]);
const partNames = new Set([
  ...transactionParts,
  ...accountParts,
  'LEDGERBAL',
  'AVAILBAL',
  'BALLIST',
  'BAL',
  'INVBAL',
]);
/** What a transaction cannot stand in or contain. */
const structureNames = new Set(
  (
    'OFX SIGNONMSGSRSV1 BANKMSGSRSV1 CREDITCARDMSGSRSV1 INVSTMTMSGSRSV1 STMTTRNRS CCSTMTTRNRS INVSTMTTRNRS BANKTRANLIST ' +
    'BANKTRANLISTP INVTRANLIST INVBANKTRAN'
  ).split(' '),
);
/** Elements that end a part of a transaction that was not closed. */
const transactionOnly = new Set(
  'TRNTYPE DTPOSTED DTUSER DTAVAIL DTTRAN TRNAMT FITID CHECKNUM REFNUM SIC MEMO SRVRTID'.split(' '),
);

function isAggregate(name: string): boolean {
  return (
    statementNames.has(name) || transactionNames.has(name) || partNames.has(name) || structureNames.has(name)
  );
}

function textOf(fields: Fields | undefined, name: string): string {
  return fields?.get(name)?.text ?? '';
}

function accountOf(
  { fields, accountFields, line }: OfxStatement,
  fallback: string | undefined,
): StatementAccount {
  const id = textOf(accountFields ?? undefined, 'ACCTID');
  if (id === '') {
    throw new StatementError({
      reason: 'account_missing',
      line,
      message: 'The statement does not say which account it is of (ACCTID).',
    });
  }
  const currency = fields.get('CURDEF');
  const compact = id.replace(/\s/g, '').toUpperCase();
  return {
    id,
    iban: isIbanLike(compact) ? compact : null,
    bankId: textOf(accountFields ?? undefined, 'BANKID') || null,
    currency: currency || fallback ? knownCurrency(currency?.text ?? fallback, currency?.line ?? line) : null,
  };
}

/** `CURRENCY` says what the amount is in; `ORIGCURRENCY` only what it was converted from. */
function transactionOf(
  { line, pending, fields, parts }: OfxTransaction,
  account: StatementAccount,
): Omit<BankTransaction, 'externalId'> {
  const own = parts.get('CURRENCY')?.get('CURSYM') ?? fields.get('CURRENCY');
  const amount = fields.get('TRNAMT');
  const currency = knownCurrency(own?.text ?? account.currency, own?.line ?? line);
  const amountMinor = ofxMinor(amount ?? { text: '', line }, currency);
  const payee = parts.get('PAYEE');
  const name = firstText(textOf(fields, 'NAME'), textOf(payee, 'NAME'));
  const posted = fields.get(pending ? 'DTTRAN' : 'DTPOSTED') ?? fields.get('DTPOSTED');
  const made = fields.get('DTUSER');
  return {
    amountMinor,
    currency,
    bookedOn: ofxDay(posted ?? { text: '', line }),
    authorisedOn: made && !isPlaceholder(made.text) ? ofxDay(made) : null,
    pending,
    pendingExternalId: null,
    texts: textsOf([
      textOf(fields, 'MEMO'),
      textOf(fields, 'NAME'),
      wholeName(fields),
      textOf(fields, 'EXTDNAME'),
      textOf(payee, 'NAME'),
      textOf(fields, 'REFNUM'),
      textOf(fields, 'CHECKNUM'),
      textOf(fields, 'CHKNUM'),
    ]),
    payer: { name: amountMinor > 0 ? name : null, account: null },
    bankReference: firstText(textOf(fields, 'REFNUM')),
  };
}

const nameWidth = 32;

/** A name that fills its field may be cut there, in the middle of a word or a number, and go on in the memo. */
function wholeName(fields: Fields): string | null {
  const [name, memo] = [textOf(fields, 'NAME'), textOf(fields, 'MEMO')];
  return name.length === nameWidth && !memo.startsWith(name) ? `${name}${memo}` : null;
}

/**
 * Either mark, another in each amount: banks do mix them. The standard groups no digits, so where a currency has three
 * decimals, three digits behind one mark are these. Software that leaves zeros out leaves the mark alone of a zero, as in
 * lines that only tell the balance of a day.
 */
function ofxMinor({ text, line }: Field, currency: string): number {
  if (/^[.,]$/.test(text)) return 0;
  const [, only] = /^[^.,]*([.,])\d{3}[^.,\d]*$/.exec(text) ?? [];
  const mark = only !== undefined && exponentOf(currency) === 3 ? (only as DecimalMark) : null;
  return signedMinor(text, { currency, line, mark, grouped: true });
}

/** OFX knows no opening balance, so there is nothing to check it against. */
function* ledgerBalance(
  { line, fields }: { line: number; fields: Fields },
  account: StatementAccount,
): Generator<StatementPart> {
  const amount = fields.get('BALAMT');
  if (!amount) return;
  const currency = knownCurrency(account.currency, line);
  const amountMinor = ofxMinor(amount, currency);
  const date = fields.get('DTASOF');
  const on = date && !isPlaceholder(date.text) ? ofxDay(date) : null;
  yield { type: 'balance', line, account, kind: 'closing', amountMinor, currency, on };
}

/** `20260305`, with or without a time and a zone: the day as the bank writes it. */
function ofxDay({ text, line }: Field): string {
  const match =
    /^(\d{4})([-/]?)(\d{2})\2(\d{2})(?:[T ]?\d{2}:?(?:\d{2}:?(?:\d{2}(?:\.\d*)?)?)?)?\s*(?:\[.*|[-+]\d{2}:?\d{2})?Z?$/.exec(
      text,
    );
  return (match && dayOf(Number(match[1]), Number(match[3]), Number(match[4]))) ?? refuseDate(text, line);
}

function outside(line: number): StatementError {
  return new StatementError({
    reason: 'structure_unreadable',
    line,
    message: 'A transaction stands outside of every statement.',
  });
}

function twoAmounts(line: number): StatementError {
  return new StatementError({
    reason: 'structure_unreadable',
    line,
    message: 'A transaction has two amounts (TRNAMT): where one ends and the next begins cannot be told.',
  });
}
