/**
 * ISO 20022 CAMT: the statement (053), the report of a running day (052) and the notification (054), of every version.
 * An entry is read when it is complete and let go of then, so that a file of any length takes the memory of its largest
 * entry.
 */

import { knownCurrency, unsignedMinor } from './amounts.ts';
import { type BookedBalance, balanceCheck } from './balance-check.ts';
import { directionOf } from './camt-direction.ts';
import { type CamtContext, detailOf, movementsOf } from './camt-entry.ts';
import { isoDay } from './dates.ts';
import { movementNames } from './movement-names.ts';
import { StatementError } from './statement-error.ts';
import type { StatementAccount, StatementOptions, StatementPart } from './statement-part.ts';
import { isPlaceholder } from './texts.ts';
import { allAt, firstAt, textAt, type XmlElement, xmlSubtrees } from './xml-subtrees.ts';

/** In the order of the file. Throws a `StatementError` for what cannot be read. */
export async function* readCamt(
  text: AsyncIterable<string>,
  options: StatementOptions,
): AsyncGenerator<StatementPart> {
  const parts: StatementPart[] = [];
  let linesBefore = 0;
  let reading: ReturnType<typeof camtReader> | null = null;
  for await (const piece of text) {
    // The declaration must be the first thing in the file, and mail programs put lines before it.
    const written = reading ? piece : piece.trimStart();
    if (!reading) linesBefore += lineEndsIn(piece.slice(0, piece.length - written.length));
    if (written === '') continue;
    reading ??= camtReader(parts, options, linesBefore);
    yield* partsOf(parts, () => reading?.write(written));
  }
  yield* partsOf(parts, () => (reading ?? camtReader(parts, options, linesBefore)).end());
}

/** What was read before a refusal is said before it, however the file is cut into chunks. */
function* partsOf(parts: StatementPart[], step: () => void): Generator<StatementPart> {
  let refusal: unknown = null;
  try {
    step();
  } catch (error) {
    refusal = error;
  }
  yield* parts.splice(0);
  if (refusal !== null) throw refusal;
}

type CamtStatement = {
  line: number;
  kind: CamtContext['kind'];
  id: string | null;
  createdOn: string | null;
  isOnePage: boolean;
  account: StatementAccount | null;
  balances: CamtBalance[];
  check: ReturnType<typeof balanceCheck>;
};

function camtReader(parts: StatementPart[], options: StatementOptions, linesBefore: number) {
  const names = movementNames();
  let statement: CamtStatement | null = null;
  let statements = 0;

  const accountOf = ({ account, line }: CamtStatement): StatementAccount => {
    if (account) return account;
    throw new StatementError({
      reason: 'account_missing',
      line,
      message: 'The statement does not say which account it is of (Acct/Id).',
    });
  };
  const parser = xmlSubtrees(
    {
      onOpen({ name, line }, parents) {
        const kind = kinds.get(name);
        if (kind !== undefined && /^BkToCstmr/.test(parents.at(-1) ?? '')) {
          statements += 1;
          statement = {
            line,
            kind,
            id: null,
            createdOn: null,
            isOnePage: true,
            account: null,
            balances: [],
            check: balanceCheck(),
          };
        }
        return statement !== null && kinds.has(parents.at(-1) ?? '') && ofInterest.has(name);
      },
      onSubtree(element) {
        if (!statement) return;
        const { name } = element;
        if (name === 'Id') statement.id = element.text.trim() || null;
        if (name === 'CreDtTm') statement.createdOn = isoDay(element.text, element.line);
        if (/^\w+Pgntn$/.test(name)) {
          statement.isOnePage =
            textAt(element, 'LastPgInd') !== 'false' && /^0*1?$/.test(textAt(element, 'PgNb'));
        }
        if (name === 'Acct') {
          statement.account = accountIn(element, options.currency);
          parts.push({
            type: 'statement',
            line: statement.line,
            account: accountOf(statement),
            statementId: statement.id,
          });
        }
        if (name === 'Bal') {
          const balance = balanceIn(element, accountOf(statement));
          if (balance) statement.balances.push(balance);
        }
        if (name === 'Ntry') {
          if (statement.balances.length > 0) sayOpening(statement);
          const account = accountOf(statement);
          const { kind, createdOn } = statement;
          for (const { line, transaction } of movementsOf(element, { account, kind, createdOn, names })) {
            statement.check.add(transaction);
            parts.push({ type: 'movement', line, account, transaction });
          }
        }
      },
      onClose(name) {
        if (!statement || kinds.get(name) !== statement.kind) return;
        accountOf(statement);
        sayOpening(statement);
        sayClosing(statement);
        statement = null;
      },
      keeps: (element) => element.name !== 'TxDtls' || keepDetail(element),
    },
    linesBefore,
  );

  const said = new WeakSet<CamtBalance>();
  const sayBalance = (account: StatementAccount, balance: CamtBalance, kind: 'opening' | 'closing') => {
    if (said.has(balance)) return;
    said.add(balance);
    const { line, amountMinor, currency, on } = balance;
    parts.push({ type: 'balance', line, account, kind, amountMinor, currency, on });
  };
  const sayOpening = (of: CamtStatement) => {
    const opening = openingOf(of.balances);
    if (opening) sayBalance(accountOf(of), opening, 'opening');
  };
  const sayClosing = (of: CamtStatement) => {
    const closings = of.balances.filter(({ code }) => code === 'CLBD');
    for (const closing of closings) sayBalance(accountOf(of), closing, 'closing');
    const closing = closings.length === 1 ? (closings[0] ?? null) : null;
    const isWhole = of.isOnePage && !of.balances.some(({ isIntermediate }) => isIntermediate);
    if (options.checkBalances === false || !isWhole) return;
    of.check.assertCloses({ opening: openingOf(of.balances), closing });
  };

  return {
    write: parser.write,
    end() {
      parser.end();
      if (statements > 0) return;
      throw new StatementError({
        reason: 'no_statement',
        line: null,
        message: 'The file is XML, but no CAMT.052, CAMT.053 or CAMT.054. Ask the bank for one of these.',
      });
    },
  };
}

/** Details of a batch may be many: what a movement needs of one is kept in its place. */
function keepDetail(element: XmlElement): boolean {
  detailOf(element);
  element.children = [];
  return true;
}

const kinds: ReadonlyMap<string, CamtContext['kind']> = new Map([
  ['Stmt', 'statement'],
  ['Rpt', 'report'],
  ['Ntfctn', 'notification'],
]);

const ofInterest = new Set(['Id', 'CreDtTm', 'StmtPgntn', 'RptPgntn', 'NtfctnPgntn', 'Acct', 'Bal', 'Ntry']);

function accountIn(element: XmlElement, fallbackCurrency: string | undefined): StatementAccount {
  const iban = textAt(element, 'Id', 'IBAN').replace(/\s/g, '').toUpperCase();
  const id =
    iban ||
    textAt(element, 'Id', 'Othr', 'Id') ||
    ['BBAN', 'UPIC'].map((name) => textAt(element, 'Id', name)).find((text) => text !== '') ||
    textAt(element, 'Id', 'PrtryAcct', 'Id');
  if (id === '' || isPlaceholder(id)) {
    throw new StatementError({
      reason: 'account_missing',
      line: element.line,
      message: 'The statement does not say which account it is of (Acct/Id).',
    });
  }
  const currency = textAt(element, 'Ccy') || fallbackCurrency;
  return {
    id,
    iban: iban || null,
    bankId: null,
    currency: currency ? knownCurrency(currency, element.line) : null,
  };
}

type CamtBalance = BookedBalance & { code: string; isIntermediate: boolean; on: string | null };

/** Opening and closing booked balances; the others say what is available, expected or so far. */
function balanceIn(element: XmlElement, account: StatementAccount): CamtBalance | null {
  const code = textAt(element, 'Tp', 'CdOrPrtry', 'Cd') || textAt(element, 'Tp', 'Cd');
  if (!bookedBalances.has(code)) return null;
  const amount = firstAt(element, 'Amt');
  const line = amount?.line ?? element.line;
  const currency = knownCurrency(amount?.attributes['Ccy'] ?? account.currency, line);
  const minor = unsignedMinor(amount?.text ?? '', { currency, line, mark: '.', grouped: false });
  const date = textAt(element, 'Dt', 'Dt') || textAt(element, 'Dt', 'DtTm');
  return {
    code,
    line: element.line,
    amountMinor: directionOf(element) * minor || 0,
    currency,
    on: date === '' ? null : isoDay(date, element.line),
    isIntermediate: allAt(element, 'Tp', 'SubTp').length > 0,
  };
}

const bookedBalances = new Set(['OPBD', 'PRCD', 'CLBD']);

/** Where a statement has both, what it was opened with goes before what the one before was closed with. */
function openingOf(balances: readonly CamtBalance[]): CamtBalance | null {
  for (const code of ['OPBD', 'PRCD']) {
    const [first, second] = balances.filter((balance) => balance.code === code);
    if (first) return second ? null : first;
  }
  return null;
}

function lineEndsIn(text: string): number {
  return text.split(/\r\n|\r|\n/).length - 1;
}
