/** Task queues by resource class: one for our own database and decisions, one for each downstream limit. */
export const taskQueues = {
  /** Workflows of the money half and activities on our own database. */
  billing: 'billing',
  /** Activities that call the card vendor; its rate limit is set on this queue. */
  stripe: 'stripe',
  /** Activities that call Razorpay; its rate limit is set on this queue. */
  razorpay: 'razorpay',
  /** Activities that ask nodes of chains: those that watch, each for hours, and questions of people. */
  chains: 'chains',
  /** Activities that call Coinbase; its rate limit is set on this queue. */
  coinbase: 'coinbase',
  /** Activities that read banks through Plaid; its rate limit is set on this queue. */
  plaid: 'plaid',
  /** Workflows and activities started by schedules. */
  operations: 'operations',
} as const;

export type TaskQueue = (typeof taskQueues)[keyof typeof taskQueues];
