/** Statement files of any bank, read whole or refused whole. */
import {
  type BankAccountRow,
  changeBankAccount,
  lockBankAccount,
} from '../../db/queries/payments/bank-accounts.ts';
import {
  type BankStatementRow,
  findStatementFile,
  isReadOtherwise,
  keepStatement,
  keepStatementAgain,
  listBankStatements,
  readBankStatement,
} from '../../db/queries/payments/bank-statements.ts';
import { stateConflict } from '../../domain/errors.ts';
import type { CsvMapping } from '../../integrations/statements/csv-mapping.ts';
import { openStatement } from '../../integrations/statements/read-statement.ts';
import { StatementError, statementRefusals } from '../../integrations/statements/statement-error.ts';
import type { StatementOptions } from '../../integrations/statements/statement-part.ts';
import { MEBIBYTE, type Upload } from '../body-file.ts';
import { page, pageOf } from '../pagination.ts';
import { Problem } from '../problem.ts';
import { type Route, route } from '../route.ts';
import { bankAccountParams } from './bank-accounts.schemas.ts';
import {
  type BankStatementBody,
  bankStatement,
  bankStatementFilters,
  bankStatementParams,
  type StatementQuery,
  statementQuery,
} from './bank-statements.schemas.ts';
import { renamedLines } from './reread-statement.ts';
import { accountRefusals, movementsOf } from './statement-movements.ts';

const add = route({
  effect: 'write',
  method: 'post',
  path: '/v1/bank_accounts/{bankAccountId}/statements',
  operationId: 'addBankStatement',
  tag: 'Bank transfers',
  scope: 'billing:write',
  summary: 'Read a statement file',
  description:
    'CAMT.052 to 054, OFX and QFX, MT940, or CSV where the account has a mapping: the file itself is the body. The same file again changes nothing, unless it is a CSV whose mapping was corrected, and of a file that overlaps another one only the movements that are new are added. A file that cannot be read is refused whole, with the line that is to blame; a file of several accounts gives each account its own.',
  params: bankAccountParams,
  query: statementQuery,
  upload: {
    mediaTypes: [
      'application/octet-stream',
      'text/plain',
      'text/csv',
      'text/xml',
      'application/xml',
      'application/x-ofx',
      'application/vnd.intu.qfx',
    ],
    maxBytes: 200 * MEBIBYTE,
  },
  responses: {
    201: { description: 'The file was read.', schema: bankStatement },
    200: {
      description:
        'The file was read before. Nothing changed, unless it is a CSV whose mapping was corrected since: its movements are what this one makes of them now.',
      schema: bankStatement,
    },
  },
  problems: ['not_found', 'state_conflict', 'already_exists', 'statement_refused'],
  reasons: {
    state_conflict: ['bank_account_closed'],
    statement_refused: [...statementRefusals, ...accountRefusals],
  },
  handler: async ({ tx, caller: { actor }, now, params: { bankAccountId }, query, ...rest }) => {
    const upload = rest.body as Upload;
    const { sha256 } = upload;
    const account = await lockBankAccount(tx, bankAccountId);
    const known = await findStatementFile(tx, { accountId: account.id, sha256 });
    if (known !== null && !isReadOtherwise(known, account))
      return { status: 200, body: toBankStatement(known) };
    if (account.closedAt !== null)
      throw stateConflict(
        'bank_account_closed',
        'The account is closed; open it again to read its statements.',
      );
    try {
      const about = { account, balances: query.balances, actor, at: now };
      if (known !== null) {
        const renamed = await renamedLines(upload, {
          before: optionsOf({ ...account, csvMapping: known.csvMapping }, query),
          after: optionsOf(account, query),
        });
        const { source: _, accountName: __, ...read } = await opened(upload, account, query);
        const again = await keepStatementAgain(tx, known, { ...about, ...read, ...renamed });
        return { status: 200, body: toBankStatement(again) };
      }
      const { accountName, ...read } = await opened(upload, account, query);
      const kept = await keepStatement(tx, { ...about, ...read, sha256 });
      const statementAccount = accountName();
      if (statementAccount !== account.statementAccount) {
        const change = { accountId: account.id, fields: { statementAccount }, isClosed: undefined };
        await changeBankAccount(tx, { ...change, actor, at: now });
      }
      return { status: 201, body: toBankStatement(kept) };
    } catch (error) {
      throw error instanceof StatementError ? refusal(error) : error;
    }
  },
});

const list = route({
  effect: 'read',
  method: 'get',
  path: '/v1/bank_statements',
  operationId: 'listBankStatements',
  tag: 'Bank transfers',
  scope: 'billing:read',
  summary: 'List statement files that were read, newest first',
  query: bankStatementFilters,
  responses: { 200: { description: 'The files.', schema: pageOf(bankStatement) } },
  handler: async ({ tx, query: { limit, cursor, accountId } }) => {
    const body = await page({
      limit,
      fetch: (count) => listBankStatements(tx, { accountId, cursor, limit: count }),
      cursorOf: (row) => row.id,
      toItem: toBankStatement,
    });
    return { status: 200, body };
  },
});

const get = route({
  effect: 'read',
  method: 'get',
  path: '/v1/bank_statements/{statementId}',
  operationId: 'getBankStatement',
  tag: 'Bank transfers',
  scope: 'billing:read',
  summary: 'Get a statement file that was read',
  description: 'What is in it, not the file: its movements are listed with the statementId.',
  params: bankStatementParams,
  responses: { 200: { description: 'The file.', schema: bankStatement } },
  handler: async ({ tx, params: { statementId } }) => ({
    status: 200,
    body: toBankStatement(await readBankStatement(tx, statementId)),
  }),
});

export const bankStatementRoutes: readonly Route[] = [add, list, get];

/** Throws a `StatementError`, here and while the movements are read. */
async function opened(upload: Upload, account: BankAccountRow, query: StatementQuery) {
  const statement = await openStatement(upload.read(), optionsOf(account, query));
  return { source: statement.format, ...movementsOf(statement.parts, account) };
}

function optionsOf(
  { statementAccount, currency, csvMapping }: BankAccountRow,
  { format, balances }: StatementQuery,
): StatementOptions {
  const mapping = csvMapping as CsvMapping | null;
  return {
    format,
    currency,
    checkBalances: balances === 'check',
    csv: mapping === null ? undefined : { ...mapping, account: statementAccount ?? undefined },
  };
}

function refusal({ reason, line, message }: StatementError): Problem {
  const detail =
    reason === 'balance_differs'
      ? `${message} Where you know why they differ, send balances=ignore.`
      : message;
  return new Problem({ code: 'statement_refused', reason, line: line ?? undefined, detail });
}

function toBankStatement(row: BankStatementRow): BankStatementBody {
  const { id, accountId, sha256, source, movements, added, suspectedCopies, actor, createdAt } = row;
  const counts = { movements, added, suspectedCopies };
  return { id, accountId, sha256, format: source, ...counts, actor, createdAt: createdAt.toISOString() };
}
