/** The offer in the last mail to who has left: a comparison of two discounts (seed 002 §5.1: 20 % against 50 %). */

const offers = [20, 50] as const;

/** How long the code of an offer can be redeemed. */
export const winBackDays = 30;

/** In percent. Decided by the subscription's id alone, so that it is the same however often it is asked. */
export function winBackPercent(subscriptionId: string): (typeof offers)[number] {
  return offers[hashOf(subscriptionId) % offers.length] ?? offers[0];
}

/** FNV-1a, 32 bits, mixed once more because only its lowest bit is looked at. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  hash ^= hash >>> 16;
  return (hash ^ (hash >>> 8)) >>> 0;
}
