/** The six orders in which a payment, a cancellation and a step of the ladder can come. */
export type Happening = 'payment' | 'cancellation' | 'step';

export const orders: readonly Happening[][] = [
  ['payment', 'cancellation', 'step'],
  ['payment', 'step', 'cancellation'],
  ['cancellation', 'payment', 'step'],
  ['cancellation', 'step', 'payment'],
  ['step', 'payment', 'cancellation'],
  ['step', 'cancellation', 'payment'],
];
