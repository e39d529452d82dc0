/** Every message names exactly the variables it needs, and no personal data among them. */
import { describe, expect, it } from 'vitest';
import { defaultDunningPolicies } from '../billing/dunning.ts';
import { defaultSubscriptionPolicy } from '../billing/plan.ts';
import {
  commonVariables,
  notificationTemplates,
  templateVariables,
  tenantTemplates,
} from './notification.ts';

describe('the list of messages', () => {
  it('has a message for every step of the default ladders', () => {
    const used = defaultDunningPolicies.flatMap(({ steps }) => steps.map(({ template }) => template));
    expect(used.filter((template) => !notificationTemplates.includes(template))).toEqual([]);
  });

  it('has a message for every trial and win-back mail of the default policy', () => {
    const { trialMessages, winBack } = defaultSubscriptionPolicy;
    const used = [...trialMessages, ...winBack].map(({ template }) => template);
    expect(used.filter((template) => !notificationTemplates.includes(template))).toEqual([]);
  });

  it('may greet the customer, name the company and link to the portal in every message', () => {
    expect(commonVariables).toEqual(['customerName', 'companyName', 'portalUrl']);
  });

  it('is listed in full', () => {
    expect(notificationTemplates).toEqual(Object.keys(templateVariables));
  });
});

describe.each(notificationTemplates)('%s', (template) => {
  const names: readonly string[] = templateVariables[template];

  it('names the plan, where it is to a customer, and each variable once', () => {
    const isOfNoPlan = [...tenantTemplates, 'referral_rewarded'].includes(template);
    expect(names.includes('planName')).toBe(!isOfNoPlan);
    expect(names.filter((name) => !/^[a-z][A-Za-z]+$/.test(name))).toEqual([]);
    expect(new Set(names).size).toBe(names.length);
  });

  it('copies no personal data: names and addresses are read when the message is sent', () => {
    expect(names.filter((name) => /customer|email|company|phone|address|card/i.test(name))).toEqual([]);
  });

  it('never speaks of a failed charge without its reason, what happens next and a link', () => {
    if (!names.includes('reason')) return;
    expect(names).toEqual(expect.arrayContaining(['invoiceNumber', 'amount', 'nextStep', 'payUrl']));
  });
});
