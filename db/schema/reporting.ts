/** Figures computed by schedules. */
import { integer, pgTable, real, uniqueIndex } from 'drizzle-orm/pg-core';
import { createdAt, id, instant, tenantId } from './columns.ts';
import { tenants } from './tenants.ts';

/** Trial statistics per tenant and run (seed 003: conversion rate, average days to convert). */
export const trialStatistics = pgTable(
  'trial_statistics',
  {
    id: id(),
    tenantId: tenantId().references(() => tenants.id),
    at: instant().notNull(),
    started: integer().notNull(),
    running: integer().notNull(),
    converted: integer().notNull(),
    ended: integer().notNull(),
    /** converted / (converted + ended); null while none has finished. */
    conversionRate: real(),
    /** Mean of (converted − started) in days; null while none has converted. */
    averageDaysToConvert: real(),
    createdAt: createdAt(),
  },
  (t) => [uniqueIndex('trial_statistics_run').on(t.tenantId, t.at)],
);
