/**
 * One checkout at Coinbase: asked for as often as somebody waits for it, then looked at whenever Coinbase tells of it, when it
 * should have expired, hourly while a payment is under way, and once more when no late payment is to be expected. Whoever
 * tells of it after that starts another run, which looks once.
 *
 * Why it is safe to run twice: all who ask at the same time share one try, and the activity looks the checkout up before it
 * asks for it again; a look books what is not booked yet. See activities/payments/coinbase-checkout.ts.
 */
import {
  allHandlersFinished,
  condition,
  proxyActivities,
  setCurrentDetails,
  setHandler,
} from '@temporalio/workflow';
import type { createCoinbaseCheckoutActivities } from '../../activities/payments/coinbase-checkout.ts';
import { createDeadline } from '../deadline.ts';
import { checkoutRead, checkoutWrite } from '../effect-classes.ts';
import {
  type CoinbaseCheckoutInput,
  checkoutEventSignal,
  placeCheckoutUpdate,
} from './coinbase-checkout.contract.ts';

type Activities = ReturnType<typeof createCoinbaseCheckoutActivities>;
const { placeCoinbaseCheckout } = proxyActivities<Activities>(checkoutWrite);
const { syncCoinbaseCheckout } = proxyActivities<Activities>(checkoutRead);

type Looked = Awaited<ReturnType<Activities['syncCoinbaseCheckout']>>;

export async function coinbaseCheckout({ checkoutId }: CoinbaseCheckoutInput): Promise<void> {
  let placing: Promise<Looked> | null = null;
  let hints: (string | null)[] = [];
  let lookAt: string | null = null;
  let isAsked = false;
  setHandler(
    placeCheckoutUpdate,
    async () => {
      isAsked = true;
      placing ??= place();
      const { status } = await placing;
      return { status };
    },
    { description: 'Somebody waits for the checkout.' },
  );
  setHandler(
    checkoutEventSignal,
    ({ inboxEventId }) => {
      hints.push(inboxEventId);
    },
    { description: 'Something happened to the checkout at Coinbase.' },
  );

  await condition(() => isAsked || hints.length > 0);
  const deadline = createDeadline();
  for (;;) {
    await condition(allHandlersFinished);
    if (hints.length > 0 || isDue(lookAt)) await look();
    else if (lookAt === null) return;
    else {
      setCurrentDetails(
        `Waiting for the customer to pay at Coinbase; it is looked at by itself at ${lookAt}.`,
      );
      await deadline.until(lookAt, {
        summary: 'Look at the checkout',
        changed: () => hints.length > 0 || !allHandlersFinished(),
      });
    }
  }

  async function place(): Promise<Looked> {
    setCurrentDetails('Asking Coinbase for the checkout.');
    try {
      const placed = await placeCoinbaseCheckout({ checkoutId, at: new Date().toISOString() });
      lookAt = placed.lookAt;
      return placed;
    } finally {
      placing = null;
    }
  }

  async function look(): Promise<void> {
    setCurrentDetails('Reading the checkout at Coinbase.');
    const inboxEventIds = hints.filter((id) => id !== null);
    hints = [];
    ({ lookAt } = await syncCoinbaseCheckout({ checkoutId, inboxEventIds, at: new Date().toISOString() }));
  }
}

function isDue(at: string | null): boolean {
  return at !== null && Date.parse(at) <= Date.now();
}
