/** Stripe's lists: newest first, paged by object id, filtered by time. */
import type { z } from 'zod';
import { noSuch } from './errors.ts';
import type { created } from './params.ts';

type Page = { limit: number; starting_after?: string | undefined; ending_before?: string | undefined };
type Range = z.output<typeof created>;

/** `items` in the order they were made. */
export function listOf<T extends { id: string }>(
  items: T[],
  { url, page }: { url: string; page: Page },
): { object: 'list'; data: T[]; has_more: boolean; url: string } {
  const newestFirst = items.toReversed();
  const indexOf = (id: string, param: string) => {
    const index = newestFirst.findIndex((item) => item.id === id);
    if (index === -1) throw noSuch('object', id, param);
    return index;
  };
  if (page.ending_before !== undefined) {
    const end = indexOf(page.ending_before, 'ending_before');
    const start = Math.max(0, end - page.limit);
    return { object: 'list', data: newestFirst.slice(start, end), has_more: start > 0, url };
  }
  const start = page.starting_after === undefined ? 0 : indexOf(page.starting_after, 'starting_after') + 1;
  const data = newestFirst.slice(start, start + page.limit);
  return { object: 'list', data, has_more: start + data.length < newestFirst.length, url };
}

/** Whether an object falls into `created=…` or `created[gte]=…`. */
export function isWithin(range: Range, seconds: number): boolean {
  if (range === undefined) return true;
  if (typeof range === 'number') return seconds === range;
  return (
    seconds >= (range.gte ?? Number.NEGATIVE_INFINITY) &&
    seconds > (range.gt ?? Number.NEGATIVE_INFINITY) &&
    seconds <= (range.lte ?? Number.POSITIVE_INFINITY) &&
    seconds < (range.lt ?? Number.POSITIVE_INFINITY)
  );
}
