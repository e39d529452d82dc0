/** Transfers that invoices wait for, and proofs of them, for every operation that leads one out of its state. */
import { picture } from '../support/proof-files.ts';

/** What requests about transfers may name, by the names that `schemathesis.toml` binds to parameters. */
export type Transfers = Record<string, string[]>;

/** `body` may be a form. */
type Call = (method: string, path: string, body?: unknown) => Promise<{ id: string }>;

const EACH = 6;

/** Invoices needed: one for each transfer, and some that have none yet. */
export const TRANSFER_INVOICES = 5 * EACH;

/** `bankDetails` is the example of the document, so that a request that sends it changes nothing. */
export async function populateTransfers({
  bankDetails,
  invoiceIds,
  ok,
}: {
  bankDetails: unknown;
  invoiceIds: readonly string[];
  ok: Call;
}): Promise<Transfers> {
  await ok('PUT', '/v1/bank_details', bankDetails);
  const pools = Array.from({ length: 5 }, (_, index) => invoiceIds.slice(index * EACH, (index + 1) * EACH));
  const [transferable = [], held = [], provable = [], toApprove = [], toReject = []] = pools;
  const transfersOf = (ids: string[]) =>
    inTurn(ids, async (id) => (await ok('POST', `/v1/invoices/${id}/bank_transfer`, { country: 'US' })).id);
  const proofsOf = async (ids: string[]) =>
    inTurn(await transfersOf(ids), async (id) => {
      const form = new FormData();
      form.append('file', new Blob([Uint8Array.from(await picture('png', { seed: seed++ }))]), 'proof.png');
      return (await ok('POST', `/v1/bank_transfers/${id}/proofs`, form)).id;
    });
  return {
    transferable,
    bankTransfers: await transfersOf(held),
    provableTransfers: await transfersOf(provable),
    approvableProofs: await proofsOf(toApprove),
    rejectableProofs: await proofsOf(toReject),
  };
}

let seed = 1;

/** Each makes ids, which are listed in the order in which they were made. */
async function inTurn(ids: readonly string[], work: (id: string) => Promise<string>): Promise<string[]> {
  const made: string[] = [];
  for (const id of ids) made.push(await work(id));
  return made;
}
