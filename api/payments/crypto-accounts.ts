/** Where coins are received: the tenant gives the public key of an account in its own wallet, and keeps every secret. */
import { z } from 'zod';
import {
  type AccountUse,
  addCryptoAccount,
  listAccountUse,
  retireCryptoAccount,
  useOf,
} from '../../db/queries/payments/crypto-accounts.ts';
import {
  accountKeyMistakes,
  readAccountKey,
  receiveAddresses,
} from '../../domain/payments/crypto-account.ts';
import { Problem } from '../problem.ts';
import { type Route, route } from '../route.ts';
import { emptyBody } from '../schemas.ts';
import {
  accountParams,
  type CryptoAccountBody,
  cryptoAccount,
  newCryptoAccount,
} from './crypto-accounts.schemas.ts';

const create = route({
  effect: 'write',
  method: 'post',
  path: '/v1/crypto_accounts',
  operationId: 'createCryptoAccount',
  tag: 'Coins',
  scope: 'billing:write',
  summary: 'Name the account of a wallet that coins are received on',
  description:
    'One for Bitcoin, one for Ethereum and chains like it. Compare the addresses of the answer with those your wallet shows. A key that was retired goes on where it was.',
  body: newCryptoAccount,
  example: {
    family: 'bitcoin' as const,
    publicKey:
      'zpub6rFR7y4Q2AijBEqTUquhVz398htDFrtymD9xYYfG1m4wAcvPhXNfE3EfH1r1ADqtfSdVCToUG868RvUUkgDKf31mGDtKsAYz2oz2AGutZYs',
  },
  responses: {
    201: { description: 'The account.', schema: cryptoAccount },
    200: { description: 'It was in use already; nothing changed.', schema: cryptoAccount },
  },
  problems: ['state_conflict', 'public_key_unusable'],
  reasons: {
    state_conflict: ['crypto_account_current', 'crypto_key_taken'],
    public_key_unusable: accountKeyMistakes,
  },
  handler: async ({ tx, deps, caller: { tenantId, actor }, now, body }) => {
    const { family } = body;
    const { network } = deps.config.chains;
    const read = readAccountKey(body.publicKey, { family, network });
    if (!read.ok) {
      throw new Problem({
        code: 'public_key_unusable',
        detail: `publicKey ${read.message}.`,
        reason: read.reason,
        errors: [{ path: 'body.publicKey', message: read.message }],
      });
    }
    const added = await addCryptoAccount(tx, { tenantId, key: read.account, actor, at: now });
    const answer = toAccount(await useOf(tx, added.account));
    return added.isNew ? { status: 201, body: answer } : { status: 200, body: answer };
  },
});

const list = route({
  effect: 'read',
  method: 'get',
  path: '/v1/crypto_accounts',
  operationId: 'listCryptoAccounts',
  tag: 'Coins',
  scope: 'billing:read',
  summary: 'List the accounts that coins are received on',
  description:
    'With how many addresses were handed out. A wallet stops looking after twenty addresses in a row that nothing was paid to: the warning says what to set it to.',
  responses: {
    200: {
      description: 'All of them, the first one first.',
      schema: z.object({ data: z.array(cryptoAccount) }),
    },
  },
  handler: async ({ tx }) => ({ status: 200, body: { data: (await listAccountUse(tx)).map(toAccount) } }),
});

const retire = route({
  effect: 'write',
  method: 'post',
  path: '/v1/crypto_accounts/{accountId}/retire',
  operationId: 'retireCryptoAccount',
  tag: 'Coins',
  scope: 'billing:write',
  summary: 'Hand out no more addresses of an account',
  description: 'What is paid to those that were handed out is found for ever.',
  params: accountParams,
  body: emptyBody,
  responses: { 200: { description: 'The account.', schema: cryptoAccount } },
  handler: async ({ tx, caller: { actor }, now, params: { accountId } }) => {
    const account = await retireCryptoAccount(tx, { accountId, actor, at: now });
    return { status: 200, body: toAccount(await useOf(tx, account)) };
  },
});

export const cryptoAccountRoutes: readonly Route[] = [create, list, retire];

/** Wallets search so far as they come. */
const USUAL_GAP_LIMIT = 20;

function toAccount({ account, maxIndex, unpaidRun, longestUnpaidRun }: AccountUse): CryptoAccountBody {
  const gapLimit = longestUnpaidRun >= USUAL_GAP_LIMIT ? longestUnpaidRun + 1 : null;
  return {
    id: account.id,
    family: account.family,
    network: account.network,
    fingerprint: account.fingerprint.slice(-8),
    firstAddresses: [0, 1, 2].map((index) =>
      receiveAddresses(account, index).map(({ kind, address }) => ({ kind, address })),
    ),
    maxIndex,
    unpaidRun,
    gapLimit,
    warning:
      gapLimit === null
        ? null
        : `${longestUnpaidRun} addresses in a row were not paid to: set the gap limit of your wallet to ${gapLimit} or more, or it will not find later payments.`,
    retiredAt: account.retiredAt?.toISOString() ?? null,
    createdAt: account.createdAt.toISOString(),
  };
}
