/**
 * Sends events to the configured endpoint as vendors do: signed, at least once, in no promised order, tried again
 * until it answers 2xx. Deliveries are kept on disk, so a restarted sandbox goes on with what it still owes.
 * The plan can make them worse: duplicated, overtaken, late, dropped, held back, preceded by a forgery.
 */
import type { Faults } from './faults.ts';
import { shuffled, vendorId } from './random.ts';
import type { Collection, Store } from './store.ts';

export type WebhookEndpoint = {
  url: string;
  secret: string;
  /** Event types sent there; others are not. */
  events: readonly string[];
};

export type WebhookDelivery = {
  id: string;
  eventId: string;
  type: string;
  /** The payment the event speaks of, or else its own object. */
  objectId: string;
  state: 'held' | 'pending' | 'delivered' | 'failed' | 'dropped';
  forged: boolean;
  /** Status of each answer, or what kept it from coming. */
  answers: (number | string)[];
};

export type SandboxEvent = { id: string; type: string };

export type FlushOrder = 'created' | 'reversed' | 'shuffled';

export type WebhookSender<Event extends SandboxEvent> = {
  setEndpoint(endpoint: WebhookEndpoint | null): void;
  /** Takes over a new event. */
  deliver(event: Event): void;
  /** Sends an event once more, however long ago it was. */
  redeliver(eventId: string): void;
  /** Releases what is held, in this order, and waits until nothing is pending. */
  flush(order?: FlushOrder): Promise<void>;
  deliveries(): WebhookDelivery[];
  /** Sends what an earlier process left pending. */
  resume(): void;
  close(): void;
};

const attemptsMax = 60;
const firstRetryMs = 200;
const longestRetryMs = 15_000;
const concurrentMax = 8;
/** An event that is to be overtaken waits no longer than this for the next one. */
const overtakeWaitMs = 500;

export function createWebhookSender<Event extends SandboxEvent>({
  store,
  events,
  faults,
  subjectOf,
  post,
}: {
  store: Store;
  events: Collection<Event>;
  faults: Faults;
  /** The id of what the event speaks of. */
  subjectOf: (event: Event) => string;
  /** Signs and sends it; returns the status of the answer, or what kept it from coming. */
  post: (endpoint: WebhookEndpoint, event: Event, forged: boolean) => Promise<number | string>;
}): WebhookSender<Event> {
  const deliveries = store.collection<WebhookDelivery>('webhook_deliveries');
  const ready: WebhookDelivery[] = [];
  const timers = new Set<NodeJS.Timeout>();
  const idleWaiters: (() => void)[] = [];
  let endpoint: WebhookEndpoint | null = null;
  let overtaken: WebhookDelivery | null = null;
  let active = 0;
  let unfinished = 0;
  let closed = false;

  const add = (event: Event, state: WebhookDelivery['state'], forged = false): WebhookDelivery => {
    const delivery: WebhookDelivery = {
      id: vendorId('whd'),
      eventId: event.id,
      type: event.type,
      objectId: subjectOf(event),
      state,
      forged,
      answers: [],
    };
    deliveries.put(delivery.id, delivery);
    return delivery;
  };

  /** Sending starts after the request that made the event has been committed. */
  const enqueue = (delivery: WebhookDelivery, delayMs = 0) => {
    unfinished += 1;
    after(delayMs, () => {
      ready.push(delivery);
      pump();
    });
  };

  const after = (delayMs: number, act: () => void) => {
    const timer = setTimeout(() => {
      timers.delete(timer);
      if (!closed) act();
    }, delayMs);
    timer.unref();
    timers.add(timer);
  };

  const pump = () => {
    while (active < concurrentMax && ready.length > 0) {
      const delivery = ready.shift() as WebhookDelivery;
      active += 1;
      const next = () => {
        active -= 1;
        pump();
      };
      attempt(delivery).then(next, next);
    }
  };

  const attempt = async (delivery: WebhookDelivery) => {
    const event = events.get(delivery.eventId);
    const answer = endpoint && event ? await post(endpoint, event, delivery.forged) : 'nowhere to send';
    if (closed) return;
    delivery.answers.push(answer);
    const accepted = typeof answer === 'number' && answer >= 200 && answer < 300;
    const isOver = accepted || delivery.forged || !event || delivery.answers.length >= attemptsMax;
    if (isOver) delivery.state = accepted ? 'delivered' : 'failed';
    deliveries.put(delivery.id, delivery);
    store.commit();
    unfinished -= 1;
    if (!isOver)
      enqueue(delivery, Math.min(firstRetryMs * 2 ** (delivery.answers.length - 1), longestRetryMs));
    if (unfinished === 0) for (const resolve of idleWaiters.splice(0)) resolve();
  };

  const releaseOvertaken = (expected: WebhookDelivery | null = overtaken) => {
    if (overtaken === null || overtaken !== expected) return;
    overtaken = null;
    enqueue(expected);
  };

  return {
    setEndpoint(next) {
      endpoint = next;
    },
    deliver(event) {
      if (!endpoint?.events.includes(event.type)) return;
      const plan = faults.plan().webhooks;
      const happens = (share: number) => faults.random() < share;
      const [drops, forges, duplicates, isLate, isOvertaken] = [
        happens(plan.drop),
        happens(plan.forge),
        happens(plan.duplicate),
        happens(plan.delay),
        happens(plan.reorder),
      ];
      if (drops) {
        add(event, 'dropped');
        return;
      }
      const copies = Array.from({ length: duplicates ? plan.copies : 1 });
      if (plan.hold) {
        for (const _ of copies) add(event, 'held');
        return;
      }
      if (forges) enqueue(add(event, 'pending', true));
      if (isOvertaken && overtaken === null) {
        const waiting = add(event, 'pending');
        overtaken = waiting;
        after(overtakeWaitMs, () => releaseOvertaken(waiting));
        return;
      }
      for (const _ of copies) enqueue(add(event, 'pending'), isLate ? plan.delayMs : 0);
      releaseOvertaken();
    },
    redeliver(eventId) {
      const event = events.get(eventId);
      if (!event) throw new RangeError(`No event ${eventId}`);
      enqueue(add(event, 'pending'));
    },
    async flush(order = 'created') {
      releaseOvertaken();
      const held = deliveries.values().filter((delivery) => delivery.state === 'held');
      for (const delivery of inOrder(held, order, faults.random)) {
        delivery.state = 'pending';
        deliveries.put(delivery.id, delivery);
        enqueue(delivery);
        // One after the other: the order is what the caller asked for.
        await untilIdle();
      }
      await untilIdle();
    },
    deliveries: () => deliveries.values(),
    resume() {
      for (const delivery of deliveries.values()) if (delivery.state === 'pending') enqueue(delivery);
    },
    close() {
      closed = true;
      for (const timer of timers) clearTimeout(timer);
      for (const resolve of idleWaiters.splice(0)) resolve();
    },
  };

  function untilIdle(): Promise<void> {
    if (unfinished === 0) return Promise.resolve();
    return new Promise((resolve) => {
      idleWaiters.push(resolve);
    });
  }
}

function inOrder(held: WebhookDelivery[], order: FlushOrder, random: () => number): WebhookDelivery[] {
  switch (order) {
    case 'created':
      return held;
    case 'reversed':
      return held.toReversed();
    case 'shuffled':
      return shuffled(held, random);
  }
}
