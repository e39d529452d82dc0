/** Trial statistics: the figures of this moment, and those of the last scheduled run. */
import { z } from 'zod';
import {
  computeTrialFigures,
  latestTrialStatistics,
  type TrialStatisticsRow,
} from '../../db/queries/reporting/trial-statistics.ts';
import { type Route, route } from '../route.ts';
import { instant } from '../schemas.ts';

const figures = {
  started: z.int(),
  running: z.int(),
  converted: z.int(),
  ended: z.int().meta({ description: 'Finished without conversion.' }),
  conversionRate: z
    .number()
    .nullable()
    .meta({ description: 'converted / (converted + ended); null before any finished.' }),
  averageDaysToConvert: z.number().nullable(),
};

const statistics = z
  .object({
    now: z.object(figures),
    lastRun: z.union([z.object({ at: instant, ...figures }), z.null()]),
  })
  .meta({ id: 'TrialStatistics' });

const exampleFigures = {
  started: 40,
  running: 12,
  converted: 21,
  ended: 7,
  conversionRate: 0.75,
  averageDaysToConvert: 9.5,
};

const read = route({
  effect: 'read',
  method: 'get',
  path: '/v1/trial_statistics',
  operationId: 'getTrialStatistics',
  tag: 'Reports',
  scope: 'billing:read',
  summary: 'How trials end: conversion rate and days to convert',
  responses: {
    200: {
      description: 'The figures.',
      schema: statistics,
      example: { now: exampleFigures, lastRun: { at: '2026-11-21T06:00:00.000Z', ...exampleFigures } },
    },
  },
  handler: async ({ tx }) => ({
    status: 200,
    body: { now: await computeTrialFigures(tx), lastRun: toLastRun(await latestTrialStatistics(tx)) },
  }),
});

export const trialStatisticsRoutes: readonly Route[] = [read];

function toLastRun(row: TrialStatisticsRow | null): z.infer<typeof statistics>['lastRun'] {
  if (row === null) return null;
  const { at, started, running, converted, ended, conversionRate, averageDaysToConvert } = row;
  return { at: at.toISOString(), started, running, converted, ended, conversionRate, averageDaysToConvert };
}
