/**
 * A subscription from its trial to the erasure of its data: trial messages, conversion, renewals on the anchor,
 * cancellation, win-back. What comes next is decided by the pure rules in domain/billing/subscription.ts; this
 * workflow waits for that date or for a change, performs the act and continues as new with each period.
 *
 * Why it is safe to run twice: every act asks the same rules again under the customer's lock before it changes
 * anything, so a repeated, late or overtaken act does nothing. Charges carry an attempt's own idempotency key; when the
 * vendor's answer is lost the attempt stays open and is looked up before anything is tried again.
 */
import {
  ActivityFailure,
  ApplicationFailure,
  allHandlersFinished,
  condition,
  log,
  makeContinueAsNewFunc,
  proxyActivities,
  proxyLocalActivities,
  setCurrentDetails,
  setHandler,
  sleep,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import type { ActResult } from '../../activities/billing/act.ts';
import type { createCustomerActivities } from '../../activities/billing/customer.ts';
import type { createPauseActivities } from '../../activities/billing/pause.ts';
import type { createPlanChangeActivities } from '../../activities/billing/plan-change.ts';
import type { createSubscriptionActivities } from '../../activities/billing/subscription.ts';
import type { createSubscriptionRequestActivities } from '../../activities/billing/subscription-requests.ts';
import type { createCardPaymentActivities } from '../../activities/payments/card-payment.ts';
import {
  actInWords,
  isTerminal,
  nextAct,
  type SubscriptionAct,
  type SubscriptionSnapshot,
  waitingFor,
} from '../../domain/billing/subscription.ts';
import { assertNever } from '../../domain/errors.ts';
import { declineReasonForCustomer } from '../../domain/payments/card-payment.ts';
import { type ChargeOrigin, conversionKey, planChangeKey } from '../../domain/payments/payment.ts';
import { createDeadline } from '../deadline.ts';
import { keyedWrite, read, record } from '../effect-classes.ts';
import { createMutex } from '../mutex.ts';
import { toSearchAttributePairs } from '../search-attributes.ts';
import {
  type ChangePaymentMethodInput,
  type ChangePlanInput,
  type CollectionResult,
  cancelUpdate,
  changePaymentMethodUpdate,
  changePlanUpdate,
  convertUpdate,
  extendTrialUpdate,
  pauseUpdate,
  type RequestInput,
  resumeUpdate,
  type SubscriptionInput,
  subscriptionChangedSignal,
  subscriptionSearchAttributes,
  takeUpSignal,
  undoCancelUpdate,
  undoChangeUpdate,
} from './subscription.contract.ts';

const own = proxyLocalActivities<
  ReturnType<typeof createSubscriptionActivities> &
    ReturnType<typeof createSubscriptionRequestActivities> &
    ReturnType<typeof createPlanChangeActivities> &
    ReturnType<typeof createPauseActivities>
>(record);
const vendor = proxyActivities<ReturnType<typeof createCardPaymentActivities>>(keyedWrite);
/** An erasure is owed, however long the vendor is away. */
const erasure = proxyActivities<ReturnType<typeof createCustomerActivities>>(read);

export async function subscription(input: SubscriptionInput): Promise<void> {
  const { tenantId, subscriptionId } = input;
  const oneAtATime = createMutex();
  const deadline = createDeadline();
  let state = input.snapshot;
  let shownStatus = state.status;
  setCurrentDetails(waitingFor(state));

  /** The newer snapshot wins, whoever brings it and in whatever order. Of one row, the one that was read last. */
  function adopt(snapshot: SubscriptionSnapshot): void {
    if (snapshot.version < state.version) return;
    state = snapshot;
    setCurrentDetails(waitingFor(state));
  }

  setHandler(subscriptionChangedSignal, adopt, {
    description: 'The row changed outside this workflow (payment booked, ladder step).',
  });

  setHandler(takeUpSignal, takeUp, {
    description: 'The customer gave a card to another subscription; a trial that ended without one goes on.',
  });

  /** A request to an ended subscription is refused before it leaves a trace in the history. */
  const whileAlive = <Request>(description: string) => ({
    description,
    validator: (_request: Request) => refuseWhenEnded(state),
  });
  setHandler(
    cancelUpdate,
    (request) => oneAtATime(() => answer(own.cancelSubscription({ ...here(), ...request }))),
    whileAlive('Cancel at the end of the period, or at once.'),
  );
  setHandler(
    undoCancelUpdate,
    (request) => oneAtATime(() => answer(own.undoCancelSubscription({ ...here(), ...request }))),
    whileAlive('Take a cancellation at period end back.'),
  );
  setHandler(
    extendTrialUpdate,
    (request) => oneAtATime(() => answer(own.extendTrial({ ...here(), ...request }))),
    whileAlive('Move the end of a running trial and the messages not yet sent.'),
  );
  setHandler(
    convertUpdate,
    (request) => oneAtATime(() => convert(request)),
    whileAlive('End the trial now: charge and activate.'),
  );
  setHandler(
    changePlanUpdate,
    (request) => oneAtATime(() => changePlan(request)),
    whileAlive('Change plan, seats or interval: an upgrade now, a downgrade at the end of the period.'),
  );
  setHandler(
    undoChangeUpdate,
    (request) => oneAtATime(() => answer(own.undoChange({ ...here(), ...request }))),
    whileAlive('Take back a change that waits for its day or its payment.'),
  );
  setHandler(
    pauseUpdate,
    (request) => oneAtATime(() => answer(own.pauseSubscription({ ...here(), ...request }))),
    whileAlive('Stop the clock, until a day or until it is resumed.'),
  );
  setHandler(
    resumeUpdate,
    (request) => oneAtATime(() => answer(own.resumeSubscription({ ...here(), ...request }))),
    whileAlive('Go on with the time that was left.'),
  );
  setHandler(
    changePaymentMethodUpdate,
    (request) => oneAtATime(() => changePaymentMethod(request)),
    whileAlive('Use another payment method and charge what is open with it.'),
  );

  while (state.closedAt === null) {
    const considered = state;
    const act = nextAct(state, now());
    await deadline.until(act?.at ?? null, {
      summary: act === null ? 'payment' : actInWords(act),
      changed: () => state !== considered,
    });
    // A request may be under way, and may do what this act is for.
    if (act !== null) await oneAtATime(async () => state === considered && perform(act));
    if (continuesAsNew()) {
      await condition(allHandlersFinished);
      await nextRun({ ...input, snapshot: state });
    }
    showStatus();
  }
  await condition(allHandlersFinished);

  async function perform(act: SubscriptionAct): Promise<void> {
    const due = here();
    switch (act.kind) {
      case 'send_trial_message':
        return done(await own.sendTrialMessage(due));
      case 'end_trial':
        return collectIssued(await own.endTrial(due), 'first_invoice');
      case 'collect_first_invoice':
        return collectIssued(await own.issueFirstInvoice(due), 'first_invoice');
      case 'renew':
        return collectIssued(await own.renew(due), 'renewal');
      case 'collect':
        await collect(act.charge);
        return;
      case 'lapse_change':
        return done(await own.lapseChange(due));
      case 'resume':
        return done(await own.resumeDue(due));
      case 'end':
        return done(await own.endSubscription(due));
      case 'expire':
        return done(await own.expireSubscription(due));
      case 'send_win_back':
        return done(await own.sendWinBack(due));
      case 'close':
        return adopt(await erasure.closeSubscription(due));
      default:
        return assertNever(act);
    }
  }

  function done({ snapshot }: ActResult): void {
    adopt(snapshot);
  }

  async function collectIssued({ snapshot, invoiceId }: ActResult, origin: ChargeOrigin): Promise<void> {
    adopt(snapshot);
    if (invoiceId !== null) await collect({ invoiceId, origin, originKey: origin });
  }

  /** Charges an invoice. When the vendor cannot be asked, the attempt stays open and is looked at again later. */
  async function collect({ invoiceId, origin, originKey }: Charge): Promise<Collected> {
    try {
      const asked = { tenantId, askedBy: subscriptionId, invoiceId, origin, originKey, at: now() };
      const { snapshot, subscriptionId: owner, ...result } = await vendor.collectInvoice(asked);
      // A new card also pays what other subscriptions of the customer owe.
      if (owner === subscriptionId) adopt(snapshot);
      return result;
    } catch (error) {
      if (!(error instanceof ActivityFailure)) throw error;
      log.warn('the charge could not be completed and is looked up later', { error });
      adopt(await own.postponeCollection({ tenantId, subscriptionId, invoiceId, at: now() }));
      return { outcome: 'technical' };
    }
  }

  async function convert(request: RequestInput): Promise<CollectionResult> {
    return resultFor(await beginNow(request));
  }

  /** Begins the first period at once. Throws where that is refused; a charge that fails is an answer. */
  async function beginNow(request: RequestInput): Promise<Collected> {
    for (;;) {
      const begun = await refusable(own.beginConversion({ ...here(), ...request }));
      const { snapshot, invoiceId, isEarlier } = begun;
      adopt(snapshot);
      if (invoiceId === null) return { outcome: 'nothing_due' };
      const originKey = conversionKey(request.requestId);
      const result = await collect({ invoiceId, origin: 'first_invoice', originKey });
      // An earlier conversion that nobody confirmed has been called back; now this one is billed.
      if (!isEarlier || result.outcome !== 'nothing_due') return result;
    }
  }

  async function changePaymentMethod(request: ChangePaymentMethodInput): Promise<CollectionResult> {
    const adopted = await refusable(vendor.attachPaymentMethod({ ...here(), ...request }));
    adopt(adopted.snapshot);
    const results: Collected[] = [];
    // A trial that had ended without a method is taken up with this one.
    if (state.status === 'suspended') results.push(await beginNow(request));
    for (const invoiceId of adopted.openInvoiceIds) {
      const originKey = `method:${request.requestId}`;
      results.push(await collect({ invoiceId, origin: 'new_payment_method', originKey }));
    }
    return resultFor(mostUrgent(results));
  }

  /** An upgrade that is declined is an answer, too: it waits for another card until it lapses. */
  async function changePlan(request: ChangePlanInput): Promise<CollectionResult> {
    const { snapshot, invoiceId } = await refusable(own.changePlan({ ...here(), ...request }));
    adopt(snapshot);
    if (invoiceId === null) return { outcome: 'nothing_due' };
    const originKey = planChangeKey(request.requestId);
    return resultFor(await collect({ invoiceId, origin: 'plan_change', originKey }));
  }

  /** Nobody waits for the answer: what is refused now, a card that is declined, leaves things as they are. */
  async function takeUp(request: RequestInput): Promise<void> {
    while ((await oneAtATime(() => tryToTakeUp(request))) === 'later') await sleep(TAKEN_UP_LATER);
  }

  async function tryToTakeUp(request: RequestInput): Promise<'done' | 'later'> {
    if (state.status !== 'suspended') return 'done';
    try {
      await beginNow(request);
    } catch (error) {
      if (!(error instanceof ApplicationFailure)) throw error;
      log.info('the ended trial is not taken up', { reason: error.type });
      // A tax engine that is away; nothing was begun.
      if (error.type === 'vendor_unavailable') return 'later';
    }
    return 'done';
  }

  async function answer(act: Promise<ActResult>): Promise<{ version: number }> {
    const { snapshot } = await refusable(act);
    adopt(snapshot);
    return { version: snapshot.version };
  }

  function here() {
    return { tenantId, subscriptionId, at: now() };
  }

  /** A period boundary is where a run ends: histories stay small and new code is picked up. */
  function continuesAsNew(): boolean {
    return state.periodEndsAt !== input.snapshot.periodEndsAt || workflowInfo().continueAsNewSuggested;
  }

  function showStatus(): void {
    if (state.status === shownStatus) return;
    shownStatus = state.status;
    upsertSearchAttributes(toSearchAttributePairs({ Status: state.status }));
  }
}

const TAKEN_UP_LATER = '10 minutes';

type Charge = { invoiceId: string; origin: ChargeOrigin; originKey: string };

type Collected = Omit<Awaited<ReturnType<typeof vendor.collectInvoice>>, 'snapshot' | 'subscriptionId'>;

function nextRun(input: SubscriptionInput): Promise<never> {
  const continueRun = makeContinueAsNewFunc<typeof subscription>({
    typedSearchAttributes: toSearchAttributePairs(subscriptionSearchAttributes(input)),
  });
  return continueRun(input);
}

/** Of several charges, the one the caller must do something about; where there is none, that something was paid. */
function mostUrgent(results: readonly Collected[]): Collected {
  const isWell = ({ outcome }: Collected) => outcome === 'paid' || outcome === 'nothing_due';
  const trouble = results.find((result) => !isWell(result));
  return trouble ?? results.find(({ outcome }) => outcome === 'paid') ?? { outcome: 'nothing_due' };
}

/** What the caller hears of a charge; a decline is an error it can show to the customer. */
function resultFor({ outcome, actionUrl, code }: Collected): CollectionResult {
  switch (outcome) {
    case 'paid':
    case 'nothing_due':
      return { outcome };
    case 'processing':
    case 'technical':
      return { outcome: 'processing' };
    case 'requires_action':
      return { outcome, actionUrl: actionUrl ?? '' };
    case 'declined':
      throw ApplicationFailure.create({
        type: code === 'payment_method_missing' ? code : 'card_declined',
        message: `The payment failed: ${declineReasonForCustomer(code ?? 'generic_decline')}.`,
        nonRetryable: true,
        details: [{ reason: code === 'payment_method_missing' ? code : 'card_declined' }],
      });
    default:
      return assertNever(outcome);
  }
}

/** Hands the activity's own refusal to the caller of an update, without Temporal's wrapping. */
async function refusable<T>(act: Promise<T>): Promise<T> {
  try {
    return await act;
  } catch (error) {
    if (error instanceof ActivityFailure && error.cause instanceof ApplicationFailure) throw error.cause;
    throw error;
  }
}

function refuseWhenEnded({ status }: SubscriptionSnapshot): void {
  if (!isTerminal(status)) return;
  throw ApplicationFailure.create({
    type: 'state_conflict',
    message: `The subscription is already ${status}.`,
    nonRetryable: true,
    details: [{ reason: `subscription_${status}` }],
  });
}

function now(): string {
  return new Date().toISOString();
}
