/** The bank's page of a 3-D Secure confirmation, as the customer meets it: behind the link in the mail. */
import { mailsOf } from './people.ts';
import type { Actor } from './stage.ts';

/** The customer follows the link of the latest mail that has one, and answers. */
export async function answerBank(
  { world, subscriptionId }: Actor,
  answer: 'confirm' | 'fail',
): Promise<void> {
  const links = (await mailsOf(world, subscriptionId)).flatMap(
    ({ text }) => text?.match(/\S+\/3ds\/\S+/) ?? [],
  );
  const link = links.at(-1);
  if (link === undefined) throw new Error('No mail to the customer has a link to the bank');
  world.stripe.clock.set(world.now());
  await fetch(link, { method: 'POST', body: new URLSearchParams({ answer }), redirect: 'manual' });
}
