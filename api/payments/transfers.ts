/**
 * The public page of a transfer, for customers without an account: whoever has its link sees it and may send the bank's
 * confirmation or tell the number on it, and nobody finds another one's by guessing.
 */
import express, { type Request, type Response, Router } from 'express';
import { withTenant } from '../../db/client.ts';
import { readTransferPage, type TransferPageFacts } from '../../db/queries/payments/read-transfer-page.ts';
import { keepConfirmation } from '../../db/queries/payments/transfer-acts.ts';
import { DomainError } from '../../domain/errors.ts';
import { isWaitedFor } from '../../domain/payments/bank-transfer.ts';
import type { ApiDependencies } from '../dependencies.ts';
import { Problem } from '../problem.ts';
import {
  numberMistake,
  renderConfirmation,
  renderProof,
  renderTransfer,
  transferStyle,
} from './transfers/page.ts';
import { takesProof } from './transfers/proof-form.ts';
import { receiveProofs } from './transfers/serve-proofs.ts';
import { transferPage } from './transfers/transfer-page.ts';

/** What `randomBytes(24)` is in base64url. */
const tokenForm = /^[\w-]{32}$/;

const parseForm = express.urlencoded({ extended: false, limit: '4kb', parameterLimit: 10 });

export function serveTransfers(deps: ApiDependencies): Router {
  const { db, clock } = deps;
  const read = async ({ params: { token } }: Request) => {
    const facts =
      typeof token === 'string' && tokenForm.test(token) ? await readTransferPage(db, token) : null;
    if (facts === null) throw nothingHere();
    return { facts, path: `/transfers/${token}` };
  };
  const show = (res: Response, html: string) =>
    void res.set('Cache-Control', 'no-store').type('html').send(html);

  const router = Router();
  router.get('/transfers/transfer.css', (_req, res) => {
    res.set('Cache-Control', 'public, max-age=300').type('css').send(transferStyle);
  });
  router.get('/transfers/:token', async (req, res) => {
    const { facts, path } = await read(req);
    show(res, renderTransfer(transferPage(facts, clock()), path));
  });
  router.get('/transfers/:token/confirmation', async (req, res) => {
    const { facts, path } = await read(req);
    if (!isWaitedFor(facts.transfer.status)) return res.redirect(303, path);
    allowForm(res);
    show(res, renderConfirmation(transferPage(facts, clock()), { path, mistake: null }));
  });
  router.post('/transfers/:token/confirmation', parseForm, async (req, res) => {
    const { facts, path } = await read(req);
    const number = numberIn(req.body);
    const mistake = numberMistake(number);
    if (mistake !== null && isWaitedFor(facts.transfer.status)) {
      allowForm(res.status(422));
      return show(res, renderConfirmation(transferPage(facts, clock()), { path, mistake }));
    }
    if (mistake === null) await keep(facts, number);
    res.redirect(303, path);
  });
  router.get('/transfers/:token/proof', async (req, res) => {
    const { facts, path } = await read(req);
    if (!takesProof(facts.transfer.status, facts.proofs)) return res.redirect(303, path);
    allowForm(res);
    show(res, renderProof(transferPage(facts, clock()), { path, mistake: null }));
  });
  const showMistake = async (req: Request, res: Response, mistake: string) => {
    const { facts, path } = await read(req);
    allowForm(res);
    show(res, renderProof(transferPage(facts, clock()), { path, mistake }));
  };
  router.post('/transfers/:token/proofs', receiveProofs(deps, { read, show: showMistake }));
  return router;

  async function keep({ transfer }: TransferPageFacts, number: string): Promise<void> {
    const { id: bankTransferId, tenantId, customerId } = transfer;
    const actor = `customer:${customerId}`;
    try {
      await withTenant(db, tenantId, (tx) =>
        keepConfirmation(tx, { bankTransferId, number, actor, at: clock() }),
      );
    } catch (error) {
      // It was paid or given up meanwhile; the page says so.
      if (!(error instanceof DomainError && error.reason === 'transfer_not_open')) throw error;
    }
  }
}

function numberIn(body: unknown): string {
  const number = typeof body === 'object' && body !== null && 'number' in body ? body.number : '';
  return typeof number === 'string' ? number.trim() : '';
}

/** A form of ours that is sent to us; no other page of the API has one. */
function allowForm(res: Response): void {
  const policy = String(res.getHeader('Content-Security-Policy'));
  res.set('Content-Security-Policy', policy.replace("form-action 'none'", "form-action 'self'"));
}

/** The same for a token that never was and for one of another form: nothing is learnt by trying. */
function nothingHere(): Problem {
  return new Problem({
    code: 'not_found',
    detail: 'There is no such page. Open the link again that you were sent, whole.',
  });
}
