/**
 * Customers send proofs here. What is wrong is said on the form to whoever wants a page, and as a problem to programs.
 *
 * Why it is safe to run twice: a form that is sent twice holds the very same file, which is one proof.
 */
import type { Request, RequestHandler, Response } from 'express';
import { withTenant } from '../../../db/client.ts';
import { newId } from '../../../db/ids.ts';
import { checkTakesProof } from '../../../db/queries/payments/bank-proofs.ts';
import { lockTransfer } from '../../../db/queries/payments/bank-transfers.ts';
import type { TransferPageFacts } from '../../../db/queries/payments/read-transfer-page.ts';
import type { ApiDependencies } from '../../dependencies.ts';
import { toProblem } from '../../failures.ts';
import { receiveFile, UploadedFile } from '../../form-file.ts';
import { Problem } from '../../problem.ts';
import { type ProofToReceive, storeProof, tellOfStored } from '../receive-proof.ts';
import { numberMistake } from './page.ts';

/** The handlers of a form for the transfer whose page `read` finds; `show` says on the form what is wrong. */
export function receiveProofs(
  deps: ApiDependencies,
  {
    read,
    show,
  }: {
    read: (req: Request) => Promise<{ facts: TransferPageFacts; path: string }>;
    show: (req: Request, res: Response, mistake: string) => Promise<void>;
  },
): RequestHandler[] {
  /** Before anything is read of the body. */
  const look: RequestHandler = async (req, res, next) => {
    const { facts, path } = await read(req);
    res.locals['path'] = path;
    res.locals['facts'] = facts;
    const { tenantId, id } = facts.transfer;
    await withTenant(deps.db, tenantId, async (tx) => checkTakesProof(tx, await lockTransfer(tx, id), null));
    next();
  };
  const keep: RequestHandler = async (req, res) => {
    const { transfer } = res.locals['facts'] as TransferPageFacts;
    const { tenantId, customerId, id: bankTransferId } = transfer;
    const received: ProofToReceive = {
      tenantId,
      proofId: newId('bpf'),
      bankTransferId,
      ...fieldsOf(req.body),
      uploadedVia: 'page',
      actor: `customer:${customerId}`,
    };
    const stored = await storeProof(deps, received);
    await withTenant(deps.db, tenantId, (tx) =>
      tellOfStored(tx, deps, { received, stored, at: deps.clock() }),
    );
    res.redirect(303, res.locals['path'] as string);
  };
  return [look, ...receiveFile('file'), keep].map((handler) => saying(handler, show));
}

/** A handler whose problems are said on the form, where a page is wanted. */
function saying(
  handler: RequestHandler,
  show: (req: Request, res: Response, mistake: string) => Promise<void>,
): RequestHandler {
  return async (req, res, next) => {
    const tell = async (error: unknown) => {
      const problem = toProblem(error);
      const isWanted = req.accepts(['json', 'html']) === 'html' && problem.code !== 'not_found';
      if (!isWanted || problem.status >= 500) throw error;
      res.status(problem.status).set(problem.headers);
      await show(req, res, problem.message);
    };
    const go = (error?: unknown) => (error == null ? next() : void tell(error).catch(next));
    try {
      await handler(req, res, go);
    } catch (error) {
      go(error);
    }
  };
}

function fieldsOf(body: unknown): Pick<ProofToReceive, 'file' | 'confirmationNumber'> {
  const { file, confirmationNumber = '', ...others } = body as Record<string, unknown>;
  const number = typeof confirmationNumber === 'string' ? confirmationNumber.trim() : '-';
  const mistake = number === '' ? null : numberMistake(number);
  const errors = [
    ...(file instanceof UploadedFile ? [] : [{ path: 'body.file', message: 'must be a file' }]),
    ...(mistake === null ? [] : [{ path: 'body.confirmationNumber', message: mistake }]),
    ...Object.keys(others).map((name) => ({ path: `body.${name}`, message: 'is not a known field' })),
  ];
  if (errors.length > 0 || !(file instanceof UploadedFile)) {
    const detail =
      file instanceof UploadedFile && mistake !== null ? mistake : 'Choose a file, and send it again.';
    throw new Problem({ code: 'invalid_request', detail, errors });
  }
  return { file, confirmationNumber: number === '' ? null : number };
}
