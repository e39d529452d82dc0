/** `expand[]=latest_charge.refunds`: ids replaced by the objects they name, at any depth Stripe allows. */
import type { StripeObjects } from './context.ts';
import { invalidRequest } from './errors.ts';
import { listOf } from './lists.ts';

type JsonObject = { [key: string]: unknown };

/** A copy of the answer with the paths filled in; a path that cannot be expanded is refused. */
export function expanded<T extends object>(objects: StripeObjects, answer: T, paths: string[]): T {
  const copy = structuredClone(answer);
  for (const path of paths) expandPath(objects, copy as JsonObject, path.split('.'), path);
  return copy;
}

function expandPath(objects: StripeObjects, target: JsonObject, path: string[], whole: string): void {
  const [field = '', ...rest] = path;
  if (target['object'] === 'list' && field === 'data') {
    for (const item of target['data'] as JsonObject[]) expandPath(objects, item, rest, whole);
    return;
  }
  const lookUp = expandable[`${target['object']}.${field}`];
  if (!lookUp) {
    throw invalidRequest(`This property cannot be expanded (${whole}).`, { param: 'expand' });
  }
  const found = lookUp(objects, target);
  if (found === undefined) return;
  target[field] = structuredClone(found);
  if (rest.length > 0) expandPath(objects, target[field] as JsonObject, rest, whole);
}

type LookUp = (objects: StripeObjects, target: JsonObject) => object | undefined;

const expandable: Partial<Record<string, LookUp>> = {
  'payment_intent.latest_charge': ({ charges }, target) => charges.get(String(target['latest_charge'])),
  'payment_intent.customer': ({ customers }, target) => customers.get(String(target['customer'])),
  'payment_intent.payment_method': ({ paymentMethods }, target) =>
    paymentMethods.get(String(target['payment_method'])),
  'charge.refunds': ({ refunds }, target) =>
    listOf(
      refunds.values().filter((refund) => refund.charge === target['id']),
      { url: `/v1/charges/${String(target['id'])}/refunds`, page: { limit: 10 } },
    ),
  'charge.payment_intent': ({ intents }, target) => intents.get(String(target['payment_intent'])),
  'charge.customer': ({ customers }, target) => customers.get(String(target['customer'])),
  'refund.charge': ({ charges }, target) => charges.get(String(target['charge'])),
  'refund.payment_intent': ({ intents }, target) => intents.get(String(target['payment_intent'])),
};
