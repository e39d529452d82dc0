/** Each of them once, in the order in which they come first. */
export function distinct<T>(values: readonly T[]): T[] {
  return [...new Set(values)];
}
