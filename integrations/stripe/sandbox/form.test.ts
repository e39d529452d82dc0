import { expect, it } from 'vitest';
import { decodeForm } from './form.ts';

it.each([
  ['amount=2900&currency=usd', { amount: '2900', currency: 'usd' }],
  ['metadata[invoiceId]=inv_1&metadata[a b]=%26', { metadata: { invoiceId: 'inv_1', 'a b': '&' } }],
  ['expand[0]=a&expand[1]=b.c', { expand: ['a', 'b.c'] }],
  ['expand[]=a&expand[]=b', { expand: ['a', 'b'] }],
  ['created[gte]=1&created[lt]=2', { created: { gte: '1', lt: '2' } }],
  ['invoice_settings[default_payment_method]=pm_1', { invoice_settings: { default_payment_method: 'pm_1' } }],
  ['a[0][b]=1&a[0][c]=2&a[1][b]=3', { a: [{ b: '1', c: '2' }, { b: '3' }] }],
  ['description=', { description: '' }],
  ['', {}],
])('decodes %s', (form, expected) => {
  expect(decodeForm(form)).toEqual(expected);
});

it('names like those of built-in properties are names like any other', () => {
  decodeForm('__proto__[polluted]=yes&constructor[prototype][polluted]=yes');
  expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
});
