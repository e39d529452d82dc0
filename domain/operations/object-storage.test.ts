import { expect, it } from 'vitest';
import { checkType, contentTypeOf, objectKey } from './object-storage.ts';

const id = '0198f1c0-7b2a-7c6e-9d3b-5a4f2e1d0c9b';

it('makes a key of a tenant, an id and an ending, which tells the type', () => {
  const key = objectKey({ tenantId: 'ten_1', id, ending: 'jpg' });
  expect(key).toBe('ten_1/0198f1c0-7b2a-7c6e-9d3b-5a4f2e1d0c9b.jpg');
  expect(contentTypeOf(key)).toBe('image/jpeg');
  expect(() => checkType(key, 'image/jpeg')).not.toThrow();
  expect(() => checkType(key, 'application/pdf')).toThrow('is for image/jpeg, not for application/pdf');
});

it.each([
  ['../etc', id],
  ['..', id],
  ['.', id],
  ['', id],
  ['a/b', id],
  ['a\\b', id],
  ['ten\0', id],
  ['TEN', id],
  ['ten%2e', id],
  ['ten_1', '..'],
  ['ten_1', `../${id}`],
  ['ten_1', `${id}/..`],
  ['ten_1', id.toUpperCase()],
  ['ten_1', `${id}\n`],
  ['ten_1', ''],
])('refuses a key of %j and %j', (tenantId, objectId) => {
  expect(() => objectKey({ tenantId, id: objectId, ending: 'pdf' })).toThrow(RangeError);
});

it.each(['svg', 'html', 'exe', '', 'jpg.exe', 'toString'])('refuses a key that ends in %j', (ending) => {
  expect(() => contentTypeOf(`ten_1/${id}.${ending}`)).toThrow(RangeError);
});
