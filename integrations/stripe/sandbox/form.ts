/** Stripe's form encoding: `metadata[invoiceId]=inv_1&expand[0]=latest_charge` as nested objects and lists. */

export type FormValue = string | FormValue[] | { [key: string]: FormValue };

/** Keys in brackets nest; numbered or empty ones make a list. */
export function decodeForm(text: string): { [key: string]: FormValue } {
  const root: FormNode = new Map();
  for (const [name, value] of new URLSearchParams(text)) {
    const [first = '', ...rest] = name.split('[').map((part) => part.replace(/\]$/, ''));
    put(root, [first, ...rest], value);
  }
  return Object.fromEntries([...root].map(([key, child]) => [key, toValue(child)]));
}

type FormNode = Map<string, FormNode | string>;

function put(node: FormNode, [key = '', ...rest]: string[], value: string): void {
  const name = key === '' ? String(node.size) : key;
  if (rest.length === 0) {
    node.set(name, value);
    return;
  }
  const existing = node.get(name);
  const child: FormNode = existing instanceof Map ? existing : new Map();
  node.set(name, child);
  put(child, rest, value);
}

function toValue(node: FormNode | string): FormValue {
  if (typeof node === 'string') return node;
  const entries = [...node];
  const isList = entries.length > 0 && entries.every(([key]) => /^\d+$/.test(key));
  if (isList) return entries.map(([, child]) => toValue(child));
  return Object.fromEntries(entries.map(([key, child]) => [key, toValue(child)]));
}
