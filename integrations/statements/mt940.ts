/**
 * SWIFT MT940 and MT942, bare or in their envelopes, any number of messages and pages in a file. Every page of an MT940
 * has an opening and a closing balance, which its movements must join.
 */
import { knownCurrency } from './amounts.ts';
import { type BookedBalance, balanceCheck } from './balance-check.ts';
import { movementNames } from './movement-names.ts';
import { inOwnCodePage } from './mt940-code-page.ts';
import { accountIn, balanceIn } from './mt940-fields.ts';
import { readInformation, readOwnersLines } from './mt940-information.ts';
import { readStatementLine, type StatementLine } from './mt940-statement-line.ts';
import { StatementError } from './statement-error.ts';
import type { StatementAccount, StatementOptions, StatementPart } from './statement-part.ts';
import { textLines } from './text-lines.ts';
import { firstText, reversalWord, textsOf } from './texts.ts';

/** In the order of the file. Throws a `StatementError` for what cannot be read. */
export async function* readMt940(
  text: AsyncIterable<string>,
  options: StatementOptions,
): AsyncGenerator<StatementPart> {
  const reader = mt940Reader(options);
  for await (const field of swiftFields(text)) yield* reader.read(field);
  yield* reader.end();
}

type SwiftField = { tag: string | null; lines: string[]; line: number };

const knownTags = /^\s*:(20|21|25P?|28C?|13D?|34F|60[FM]|61|86|62[FM]|64|65|90[CD]|NS):/i;

const envelope = /^\s*(?:(?:\{[1-3]:(?:[^{}]|\{[^{}]*\})*\})+(?:\{4:)?|\{4:)/;

/** A field is its first line and all that follow until the next tag; the end of a message is a field without a tag. */
async function* swiftFields(text: AsyncIterable<string>): AsyncGenerator<SwiftField> {
  let field: SwiftField | null = null;
  let length = 0;
  for await (const { text: written, line } of textLines(withLineEnds(text))) {
    const plain = written.replaceAll('\t', ' ').replace(controlsAtEnds, '');
    const unwrapped = plain.replace(envelope, '').trimEnd();
    // An indented dash alone may be a line of a text.
    const isMessageEnd: boolean =
      (field?.tag === '86' ? /^(?:-|\s*-(?:\}.*|:20:.*))$/i : /^\s*-(?:\}.*|:20:.*)?$/i).test(unwrapped) ||
      unwrapped.startsWith('{5:');
    if (isMessageEnd || unwrapped !== plain.trimEnd()) {
      if (field) yield field;
      field = null;
      yield { tag: null, lines: [], line };
    }
    // The next message may begin on the line on which one ends.
    const marred: string = isMessageEnd ? (/(?:\{4:|^\s*-(?=:))(.*)$/.exec(unwrapped)?.[1] ?? '') : unwrapped;
    const match = knownTags.exec(marred);
    const tag: string = match?.[1]?.toUpperCase() ?? field?.tag ?? '';
    const content: string = marred.replace(controls, '');
    if (content !== marred && strictTags.test(tag)) throw refuseControl(tag, line);
    if (match) {
      if (field) yield field;
      field = { tag, lines: [content.slice(match[0].length)], line };
      length = content.length;
    } else if (field && content.trim() !== '') {
      field.lines.push(content);
      length += content.length;
      if (length > longestField) {
        throw new StatementError({
          reason: 'field_too_long',
          line,
          message: `Field :${field.tag}: is too long.`,
        });
      }
    }
  }
  if (field) yield field;
}

const longestField = 131_072;

/** Not those beyond ASCII, which are letters of older code pages. */
const controls = /(?:(?=\p{ASCII})\p{Cc})+/gu;
const controlsAtEnds = /^(?:(?=\p{ASCII})\p{Cc})+|(?<!\p{Cc})(?:(?=\p{ASCII})\p{Cc})+$/gu;

/** Fields in which every character counts: the account, movements and balances. */
const strictTags = /^(?:25|34|60|61|62)/;

function refuseControl(tag: string, line: number): StatementError {
  return new StatementError({
    reason: 'structure_unreadable',
    line,
    message: `Field :${tag}: has a control character in it. Fetch the file again from the bank.`,
  });
}

/** Online banking by FinTS hands statements out with `@@` for every line end; no text has it. */
async function* withLineEnds(text: AsyncIterable<string>): AsyncGenerator<string> {
  let held = '';
  for await (const piece of text) {
    const whole = held + piece;
    // The last of an odd number may be the first half of a line end.
    let run = 0;
    while (run < whole.length && whole.at(-1 - run) === '@') run += 1;
    held = run % 2 === 1 ? '@' : '';
    yield whole.slice(0, whole.length - held.length).replaceAll('@@', '\n');
  }
  yield held;
}

type Mt940Page = {
  line: number;
  reference: string | null;
  account: StatementAccount | null;
  currency: string | null;
  opening: BookedBalance | null;
  isClosed: boolean;
  check: ReturnType<typeof balanceCheck>;
};

/** What the bank says in `:86:`, and what German banks say in `:NS:`. */
type OpenMovement = { entry: StatementLine; information: string[]; ownersLines: string[]; line: number };

function readTexts({ entry, information, ownersLines }: OpenMovement) {
  const [supplementary = '', ...lines] = inOwnCodePage([entry.supplementary, ...information, ...ownersLines]);
  return {
    supplementary,
    information: lines.slice(0, information.length),
    ownersLines: lines.slice(information.length),
  };
}

function mt940Reader(options: StatementOptions) {
  const names = movementNames();
  let page: Mt940Page | null = null;
  let movement: OpenMovement | null = null;
  let pages = 0;

  const begin = (line: number, reference: string | null): Mt940Page => ({
    line,
    reference,
    account: null,
    currency: null,
    opening: null,
    isClosed: false,
    check: balanceCheck(),
  });

  function* endMovement(): Generator<StatementPart> {
    const ended = movement;
    movement = null;
    if (!ended || !page) return;
    const { entry, line } = ended;
    const account = accountOf(page, line);
    const { supplementary, information, ownersLines } = readTexts(ended);
    const told = readInformation(information);
    const owners = readOwnersLines(ownersLines);
    const name = told.name ?? owners.name;
    const isIn = entry.amountMinor > 0 || entry.isReversal;
    const transaction = names({
      accountId: account.id,
      names: [entry.bankReference],
      transaction: {
        amountMinor: entry.amountMinor,
        currency: entry.currency,
        bookedOn: entry.bookedOn,
        authorisedOn: null,
        pending: entry.pending,
        pendingExternalId: null,
        texts: textsOf([
          ...told.texts,
          ...owners.texts,
          supplementary,
          entry.customerReference,
          entry.bankReference,
          entry.takesBack ? reversalWord : null,
          name,
        ]),
        payer: isIn ? { name, account: told.account } : { name: null, account: null },
        bankReference: firstText(entry.bankReference),
      },
    });
    page.check.add(transaction);
    yield { type: 'movement', line, account, transaction };
  }

  function* endPage(): Generator<StatementPart> {
    yield* endMovement();
    const ended = page;
    page = null;
    if (!ended) return;
    if (ended.opening && !ended.isClosed) {
      throw new StatementError({
        reason: 'file_cut_off',
        line: ended.line,
        message:
          'The statement that begins here has no closing balance (:62F:). Fetch the file again from the bank.',
      });
    }
  }

  function* read({ tag, lines, line }: SwiftField): Generator<StatementPart> {
    const [first = ''] = lines;
    if (tag === null) {
      // Some banks end a message in the middle of a page: until its closing balance it goes on.
      if (page?.opening && !page.isClosed) yield* endMovement();
      else if (page?.account) yield* endPage();
      return;
    }
    if (tag === '20') {
      yield* endPage();
      page = begin(line, firstText(first));
      return;
    }
    // Some banks write the number of the transfer once for several statements.
    const isNext = page?.isClosed && (/^25/.test(tag) || /^60/.test(tag) || tag === '28' || tag === '28C');
    if (!page || isNext) {
      const account = page?.account ?? null;
      yield* endPage();
      page = begin(line, null);
      if (/^60/.test(tag)) page.account = account;
    }
    const now: Mt940Page = page;
    if (tag === '25' || tag === '25P') now.account = accountIn(lines, line, options.currency);
    else if (/^60/.test(tag)) {
      pages += 1;
      const balance = balanceIn(first, line, now.currency);
      now.currency = balance.currency;
      now.opening = balance;
      const account = accountOf(now, line);
      yield { type: 'statement', line: now.line, account, statementId: now.reference };
      if (tag === '60F') yield { type: 'balance', account, kind: 'opening', ...balance };
    } else if (tag === '34F') {
      if (now.currency === null) {
        pages += 1;
        now.currency = knownCurrency(first.slice(0, 3), line);
        const account = accountOf(now, line);
        yield { type: 'statement', line: now.line, account, statementId: now.reference };
      }
    } else if (tag === '61') {
      yield* endMovement();
      if (now.isClosed) throw misplaced(tag, line);
      const currency = knownCurrency(now.currency ?? accountOf(now, line).currency, line);
      if (now.currency === null) {
        pages += 1;
        now.currency = currency;
        yield {
          type: 'statement',
          line: now.line,
          account: accountOf(now, line),
          statementId: now.reference,
        };
      }
      movement = {
        entry: readStatementLine(lines, { currency, line }),
        information: [],
        ownersLines: [],
        line,
      };
    } else if (tag === '86') {
      movement?.information.push(...lines);
    } else if (tag === 'NS') {
      movement?.ownersLines.push(...lines);
    } else if (/^62/.test(tag)) {
      yield* endMovement();
      if (now.isClosed) throw misplaced(tag, line);
      const balance = balanceIn(first, line, now.currency);
      const account = accountOf(now, line);
      now.isClosed = true;
      if (options.checkBalances !== false) now.check.assertCloses({ opening: now.opening, closing: balance });
      if (tag === '62F') yield { type: 'balance', account, kind: 'closing', ...balance };
    }
  }

  return {
    read,
    *end(): Generator<StatementPart> {
      yield* endPage();
      if (pages > 0) return;
      throw new StatementError({
        reason: 'no_statement',
        line: null,
        message: 'The file has no MT940 statement: none of its messages has an opening balance (:60F:).',
      });
    },
  };
}

function accountOf({ account, currency }: Mt940Page, line: number): StatementAccount {
  if (account) return { ...account, currency: currency ?? account.currency };
  throw new StatementError({
    reason: 'account_missing',
    line,
    message: 'The statement does not say which account it is of (:25:).',
  });
}

function misplaced(tag: string, line: number): StatementError {
  return new StatementError({
    reason: 'structure_unreadable',
    line,
    message: `Field :${tag}: stands after the closing balance of its statement.`,
  });
}
