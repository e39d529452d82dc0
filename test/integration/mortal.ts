/**
 * A process that dies where it is told to. Every border an activity crosses has moments at which a kill differs for
 * the outside: before a transaction, before its commit, after it; before a call to the vendor and after it, when the
 * effect is there and the answer is not. The moments are numbered in the order in which a run reaches them.
 */
import type { Database } from '../../db/client.ts';
import type { CardVendor } from '../../domain/payments/card-payment.ts';

type Borders = { db: Database; cardVendor: CardVendor };

/** The end of the process: whatever ran stops here, and nothing catches it. */
export class Death extends Error {
  override readonly name = 'Death';
}

/** The same borders for one run, which dies at the `dieAt`-th moment it reaches (never with 0). */
export function mortal({ db, cardVendor }: Borders, dieAt: number): Borders & { moments: string[] } {
  const moments: string[] = [];
  const pass = (moment: string): void => {
    moments.push(moment);
    if (moments.length === dieAt) throw new Death(moment);
  };

  const transaction: Database['transaction'] = async (work) => {
    pass('before the transaction');
    const result = await db.transaction(async (tx) => {
      const done = await work(tx);
      pass('before the commit');
      return done;
    });
    pass('after the commit');
    return result;
  };
  return {
    moments,
    db: { ...db, transaction },
    cardVendor: passing(cardVendor, pass),
  };
}

function passing(cardVendor: CardVendor, pass: (moment: string) => void): CardVendor {
  const guarded =
    <Input, Answer>(name: keyof CardVendor, call: (input: Input) => Promise<Answer>) =>
    async (input: Input): Promise<Answer> => {
      pass(`before ${name}`);
      const answer = await call(input);
      pass(`after ${name}`);
      return answer;
    };
  return {
    ensureCustomer: guarded('ensureCustomer', cardVendor.ensureCustomer),
    attachPaymentMethod: guarded('attachPaymentMethod', cardVendor.attachPaymentMethod),
    charge: guarded('charge', cardVendor.charge),
    findCharge: guarded('findCharge', cardVendor.findCharge),
    fetchCharge: guarded('fetchCharge', cardVendor.fetchCharge),
    cancelCharge: guarded('cancelCharge', cardVendor.cancelCharge),
    refund: guarded('refund', cardVendor.refund),
    findRefund: guarded('findRefund', cardVendor.findRefund),
    listEvents: cardVendor.listEvents,
    deleteCustomer: guarded('deleteCustomer', cardVendor.deleteCustomer),
  };
}
