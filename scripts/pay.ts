/**
 * `npm run pay -- <checkout link or id of the invoice in coins>`: plays the customer who pays it, on the chains that `npm start`
 * runs, and mines what confirms the payment.
 *
 *   --part 0.5   only this part of what is due
 *   --twice      the same once more
 *   --late       when the time to pay is over (it is waited for)
 *   --blocks n   so many blocks are mined afterwards; as many as the invoice asks for unless told otherwise
 *
 * Of an invoice that is being paid already it mines the blocks only.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { eq } from 'drizzle-orm';
import { loadConfig } from '../config/env.ts';
import { createDatabase, type Database, withSystem } from '../db/client.ts';
import { postgresIsReady } from '../db/local-server.ts';
import { readCheckout } from '../db/queries/payments/read-checkout.ts';
import { cryptoInvoices } from '../db/schema/crypto.ts';
import { formatCoins } from '../domain/payments/crypto-asset.ts';
import { titleOf } from '../domain/payments/crypto-chain.ts';
import { blocksFor, partOf } from './chains/amounts.ts';
import { createPayer } from './chains/payer.ts';
import { loadEnvironmentFile } from './environment-file.ts';
import { progress, runScript } from './terminal.ts';

await runScript(async () => {
  loadEnvironmentFile();
  const wish = readArguments();
  const config = loadConfig();
  if (!(await postgresIsReady(config.database.url))) {
    throw new Error('The product does not run here; start it with npm start, in another terminal.');
  }
  const db = createDatabase({ url: config.database.url, max: 1 });
  try {
    const invoice = await findInvoice(db, wish.invoice);
    const { asset, address, chain, expiresAt } = invoice;
    if (invoice.network !== 'local')
      throw new Error('This invoice is for coins of value: pay it with your wallet.');
    const payer = await createPayer(config, chain);
    const payments = paymentsOf(invoice, wish);
    if (wish.late) await untilLate(expiresAt);

    for (const units of payments) {
      const txid = await payer.pay({ asset, address, units });
      progress(`Paid ${formatCoins(units, asset)} to ${address}: ${txid}`);
    }
    const mined = wish.blocks ?? blocksFor(invoice);
    await payer.mine(mined);
    progress(`Mined ${mined} blocks of ${titleOf(chain)}.`);
  } finally {
    await db.close();
  }
});

type Wish = { invoice: string; part?: string; twice: boolean; late: boolean; blocks?: number };

function readArguments(): Wish {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      part: { type: 'string' },
      blocks: { type: 'string' },
      twice: { type: 'boolean', default: false },
      late: { type: 'boolean', default: false },
    },
  });
  const [invoice, ...others] = positionals;
  if (invoice === undefined || others.length > 0) {
    throw new Error(
      'Say what to pay: npm run pay -- <checkout link or id of the invoice in coins> [--part 0.5] [--twice] [--late] [--blocks n]',
    );
  }
  const { part, blocks, twice, late } = values;
  if (blocks !== undefined && !/^\d{1,4}$/.test(blocks))
    throw new Error('--blocks must be a number up to 9999.');
  return {
    invoice,
    twice,
    late,
    ...(part !== undefined && { part }),
    ...(blocks !== undefined && { blocks: Number(blocks) }),
  };
}

async function findInvoice(db: Database, named: string) {
  const token = named.startsWith('cin_') ? await tokenOf(db, named) : /[\w-]{32}(?=[/?#]*$)/.exec(named)?.[0];
  const checkout = token === undefined ? null : await readCheckout(db, token, new Date());
  if (checkout === null)
    throw new Error('There is no such invoice in coins; copy its link or its id once more.');
  return checkout.cryptoInvoice;
}

async function tokenOf(db: Database, id: string): Promise<string | undefined> {
  const [row] = await withSystem(db, (tx) =>
    tx.select({ token: cryptoInvoices.checkoutToken }).from(cryptoInvoices).where(eq(cryptoInvoices.id, id)),
  );
  return row?.token;
}

/** What is missing, or the part that was asked for. Throws where nothing more is expected. */
function paymentsOf(
  { status, dueUnits, creditedUnits }: { status: string; dueUnits: bigint; creditedUnits: bigint },
  { part, twice, late }: Wish,
): bigint[] {
  const missing = dueUnits > creditedUnits ? dueUnits - creditedUnits : dueUnits;
  const units = part === undefined ? missing : partOf(dueUnits, part);
  if (twice) return [units, units];
  if (late || status === 'awaiting') return [units];
  // What is under way needs blocks only.
  if (status === 'processing' && part === undefined) return [];
  throw new Error(`The invoice is ${status}; pay it all the same with --late or --twice.`);
}

async function untilLate(expiresAt: Date): Promise<void> {
  const waitMs = expiresAt.getTime() + 1_000 - Date.now();
  if (waitMs <= 0) return;
  progress(`The time to pay is over at ${expiresAt.toISOString()}; waiting until then …`);
  await delay(waitMs);
}
