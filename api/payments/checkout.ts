/**
 * The public page of an invoice in coins, for customers without an account: whoever has its link sees it, and nobody finds
 * another one's by guessing.
 */
import { type Request, type Response, Router } from 'express';
import { checkoutVersions, readCheckout } from '../../db/queries/payments/read-checkout.ts';
import type { ApiDependencies } from '../dependencies.ts';
import { Problem } from '../problem.ts';
import { script, style } from './checkout/assets.ts';
import { checkoutPage } from './checkout/checkout-page.ts';
import { createLiveCheckouts } from './checkout/live.ts';
import { renderCheckout, renderState } from './checkout/page.ts';

/** What `randomBytes(24)` is in base64url. */
const tokenForm = /^[\w-]{32}$/;

export function serveCheckout(deps: ApiDependencies): Router {
  const { db, log, clock, config } = deps;
  const pageOf = async (token: string) => {
    const now = clock();
    const checkout = await readCheckout(db, token, now);
    return checkout === null
      ? null
      : checkoutPage(checkout, {
          now,
          token: config.chains.watched[checkout.cryptoInvoice.chain].usdc,
        });
  };
  const live = createLiveCheckouts(
    {
      versions: (tokens) => checkoutVersions(db, tokens, clock()),
      state: async (token) => {
        const page = await pageOf(token);
        return page === null ? null : renderState(page);
      },
    },
    log,
  );

  const router = Router();
  router.get('/checkout/checkout.css', (_req, res) => void asset(res).type('css').send(style));
  router.get('/checkout/checkout.js', (_req, res) => void asset(res).type('js').send(script));
  router.get('/checkout/:token', async (req, res) => {
    const token = tokenOf(req);
    const page = await pageOf(token);
    if (page === null) throw nothingHere();
    res
      .set('Cache-Control', 'no-store')
      .type('html')
      .send(renderCheckout(page, `/checkout/${token}`));
  });
  router.get('/checkout/:token/events', async (req, res) => {
    const token = tokenOf(req);
    if ((await checkoutVersions(db, [token], clock())).size === 0) throw nothingHere();
    if (live.open(token, req, res)) return;
    throw new Problem({
      code: 'too_many_open_pages',
      detail: 'Too many pages are open at once. Close some of them; reloading the page shows its state.',
    });
  });
  return router;
}

function tokenOf({ params }: Request): string {
  const { token } = params;
  if (typeof token !== 'string' || !tokenForm.test(token)) throw nothingHere();
  return token;
}

/** The same for a token that never was and for one of another form: nothing is learnt by trying. */
function nothingHere(): Problem {
  return new Problem({
    code: 'not_found',
    detail: 'There is no such page. Open the link again that you were sent, whole.',
  });
}

function asset(res: Response): Response {
  return res.set('Cache-Control', 'public, max-age=300');
}
