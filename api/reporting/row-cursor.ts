/** Cursors of lists in order of business time: the instant and the id of the last row, `~` in between. */
import type { IdPrefix } from '../../db/ids.ts';

const instant = String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`;

export function rowCursor(prefixes: readonly IdPrefix[], suffix = ''): RegExp {
  return new RegExp(`^${instant}~(${prefixes.join('|')})_[0-9a-f]{32}${suffix}$`);
}

export function cursorParts(
  cursor: string | undefined,
): { at: string; id: string; kind: string } | undefined {
  if (cursor === undefined) return undefined;
  const [at = '', id = '', kind = ''] = cursor.split('~');
  // What has the form of an instant may be none: the first one there is then.
  return { at: Number.isNaN(Date.parse(at)) ? new Date(0).toISOString() : at, id, kind };
}
