// A process that carries the same secret through everything Temporal stores for us.

import {
  ApplicationFailure,
  condition,
  defineQuery,
  defineSignal,
  proxyActivities,
  setCurrentDetails,
  setHandler,
} from '@temporalio/workflow';

export const told = defineSignal<[string]>('told');
export const asked = defineQuery<string>('asked');

const { repeat, refuse } = proxyActivities<{
  repeat(text: string): Promise<string>;
  refuse(text: string): Promise<void>;
}>({ startToCloseTimeout: '10s', retry: { maximumAttempts: 1 }, summary: 'calls with a plaintext-secret' });

export async function carrySecret(secret: string): Promise<string> {
  let heard = '';
  setHandler(told, (text) => {
    heard = text;
  });
  setHandler(asked, () => heard);
  setCurrentDetails(`waits for ${secret}`);
  await condition(() => heard !== '');
  const repeated = await repeat(secret);
  try {
    await refuse(secret);
  } catch {
    throw ApplicationFailure.create({
      message: `ended with ${repeated} and ${heard}`,
      type: 'card_declined',
      details: [secret],
    });
  }
  return repeated;
}
