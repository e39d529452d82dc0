/**
 * Asks a vendor for something as often as somebody waits for it, by an update. It runs while they wait: a customer who has
 * been shown nothing pays nothing, and who asks again later finds the same row. All who ask at the same time share one try.
 */
import type { UpdateDefinition } from '@temporalio/common';
import { allHandlersFinished, condition, setCurrentDetails, setHandler } from '@temporalio/workflow';

export async function placeWhileAsked<Placed>(
  update: UpdateDefinition<Placed>,
  { description, details }: { description: string; details: string },
  place: (at: string) => Promise<Placed>,
): Promise<void> {
  let placing: Promise<Placed> | null = null;
  let isAsked = false;
  setHandler(
    update,
    async () => {
      isAsked = true;
      placing ??= placeOnce();
      return placing;
    },
    { description },
  );

  await condition(() => isAsked && allHandlersFinished());

  async function placeOnce(): Promise<Placed> {
    setCurrentDetails(details);
    try {
      return await place(new Date().toISOString());
    } finally {
      placing = null;
    }
  }
}
