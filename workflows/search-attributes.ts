/**
 * The search attributes of every process, with their types. They are columns and filters of the Web UI and are not
 * encrypted: ids and states only, no personal data. Callers set them at the start; workflows change them only
 * together with the state a person filters by, because each change costs an action.
 */
import { defineSearchAttributeKey, type SearchAttributePair } from '@temporalio/common';
import type { SearchAttributes } from '../domain/operations/outbox.ts';

/** Ids must be Keyword: Text is split into words and then misses exact matches. */
export const searchAttributeKeys = {
  tenantId: defineSearchAttributeKey('TenantId', 'KEYWORD'),
  customerId: defineSearchAttributeKey('CustomerId', 'KEYWORD'),
  entityId: defineSearchAttributeKey('EntityId', 'KEYWORD'),
  status: defineSearchAttributeKey('Status', 'KEYWORD'),
  periodEnd: defineSearchAttributeKey('PeriodEnd', 'DATETIME'),
} as const;

/** The plain values of an envelope or a snapshot as the SDK's typed pairs; what is not given is not set. */
export function toSearchAttributePairs(values: SearchAttributes): SearchAttributePair[] {
  const pairs: SearchAttributePair[] = [];
  if (values.TenantId !== undefined)
    pairs.push({ key: searchAttributeKeys.tenantId, value: values.TenantId });
  if (values.CustomerId !== undefined)
    pairs.push({ key: searchAttributeKeys.customerId, value: values.CustomerId });
  if (values.EntityId !== undefined)
    pairs.push({ key: searchAttributeKeys.entityId, value: values.EntityId });
  if (values.Status !== undefined) pairs.push({ key: searchAttributeKeys.status, value: values.Status });
  if (values.PeriodEnd !== undefined)
    pairs.push({ key: searchAttributeKeys.periodEnd, value: new Date(values.PeriodEnd) });
  return pairs;
}
