/**
 * The accounts of the demo tenant on which it is paid in coins: public keys of the phrase that every development tool knows. They
 * are of its second account, since the first one is the wallet of `npm run pay`: its change would look like a payment.
 *
 * Why it is safe to run twice: a tenant that has, or ever had, an account of a kind keeps what its people chose.
 */
import { type AccountKey, readAccountKey } from '../../domain/payments/crypto-account.ts';
import type { ChainFamily } from '../../domain/payments/crypto-chain.ts';
import { type Database, withTenant } from '../client.ts';
import { addCryptoAccount, listAccountUse } from '../queries/payments/crypto-accounts.ts';

/** For chains on this machine only: whoever knows the phrase spends what is paid there. */
export const demoAccountKeys: Record<ChainFamily, string> = {
  /** m/84'/1'/1' */
  bitcoin:
    'vpub5YRRorZVvAATN8pWpdmbkGYtgfKwktxaifQrSdz1CznbUoW6H3rxLekTEDJEfvuRSd5bUjT3zyeVRXQKQ1xbpvciWfvmycLChpLs7WFv3ZC',
  /** m/44'/60'/1' */
  evm: 'xpub6Ce9NcJvTk372KjsGfWqbcex5DumjpNquQLApoeQUavSCjEc823BV1tb4rXUuPuht8h2hSxkg2EXUaKUJmniJvRZAELxypsCzBFdtosmV76',
};

export async function createDemoCryptoAccounts(db: Database, tenantId: string): Promise<void> {
  await withTenant(db, tenantId, async (tx) => {
    const known = new Set((await listAccountUse(tx)).map(({ account }) => account.family));
    for (const family of ['bitcoin', 'evm'] as const) {
      if (known.has(family)) continue;
      await addCryptoAccount(tx, { tenantId, key: keyOf(family), actor: 'seed', at: new Date() });
    }
  });
}

function keyOf(family: ChainFamily): AccountKey {
  const reading = readAccountKey(demoAccountKeys[family], { family, network: 'local' });
  if (!reading.ok) throw new Error(`The demo's key for ${family} ${reading.message}.`);
  return reading.account;
}
