/** What every act of a subscription has in common: whom it is about, how it is answered, and how it is answered again. */
import type { CollectionResult, RequestInput } from '../../workflows/billing/subscription.contract.ts';
import type { ActContext, ReadContext, WriteContext } from '../route.ts';
import { readSubscription } from './ask-subscription.ts';
import { toSubscription } from './subscription-body.ts';
import type { SubscriptionBody } from './subscriptions.schemas.ts';

type OfSubscription = { params: { subscriptionId: string } };
type CollectionBody = CollectionResult & { subscription: SubscriptionBody };

const look = ({ tx, params }: ReadContext & OfSubscription) => readSubscription(tx, params.subscriptionId);

const answer = async ({ tx, deps, params }: WriteContext & OfSubscription): Promise<SubscriptionBody> =>
  toSubscription(deps, await readSubscription(tx, params.subscriptionId));

/** Of an act that is answered with the subscription as it is then. */
export const subscriptionSteps = { look, answer };

export const subscriptionReplay = withoutComment(
  (body: SubscriptionBody) => body,
  (_body, subscription) => subscription,
);

/** Of an act that may have collected something: answered with what became of that, too. */
export const collectionSteps = {
  look,
  answer: async (
    context: WriteContext & OfSubscription,
    result: CollectionResult,
  ): Promise<CollectionBody> => ({ ...result, subscription: await answer(context) }),
};

export const collectionReplay = withoutComment(
  (body: CollectionBody) => body.subscription,
  (body, subscription) => ({ ...body, subscription }),
);

/** Who asks, and under which key the process knows it. */
export function requestOf({ caller, requestId }: ActContext): RequestInput {
  return { actor: caller.actor, requestId };
}

/** The comment of a cancellation is the customer's own words, which the erasure must reach: it is not kept twice. */
function withoutComment<Body>(
  subscriptionIn: (body: Body) => SubscriptionBody,
  put: (body: Body, subscription: SubscriptionBody) => Body,
) {
  const setComment = (body: Body, comment: string | null): Body => {
    const subscription = subscriptionIn(body);
    const { cancellation } = subscription;
    return put(body, {
      ...subscription,
      cancellation: cancellation === null ? null : { ...cancellation, comment },
    });
  };
  return {
    keep: (body: Body) => setComment(body, null),
    restore: async ({ tx }: ReadContext, kept: Body) => {
      const { id } = subscriptionIn(kept);
      const { subscription } = await readSubscription(tx, id);
      return setComment(kept, subscription.cancelComment);
    },
  };
}
