/** A policy that has the right form and still cannot be used: every mistake at once. */
import { Problem } from '../problem.ts';

/** `mistakes` are sentences that begin with the place: `steps[1].day: 3 must be later than …`. */
export function unusablePolicy(place: string, mistakes: readonly string[]): Problem {
  return new Problem({
    code: 'policy_unusable',
    detail: mistakes.join('; '),
    errors: mistakes.map((mistake) => {
      const [field = '', ...rest] = mistake.split(': ');
      const path = field.replace(/\[(\d+)\]/g, '.$1').replaceAll(' ', '.');
      return {
        path: ['body', place, path].filter((part) => part !== '').join('.'),
        message: rest.join(': '),
      };
    }),
  });
}
