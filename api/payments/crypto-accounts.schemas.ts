/** The tenant's own accounts, from whose public keys addresses are derived. */
import { z } from 'zod';
import { cryptoNetworks } from '../../domain/payments/crypto-chain.ts';
import { id, instant } from '../schemas.ts';

const address = z.object({
  kind: z.enum(['p2wpkh', 'p2sh_p2wpkh', 'evm']),
  address: z.string().meta({ example: 'bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu' }),
});

export const cryptoAccount = z
  .object({
    id: id('cacc', 'account of coins'),
    family: z
      .enum(['bitcoin', 'evm'])
      .meta({ description: 'One key of evm serves every chain of that kind.' }),
    network: z.enum(cryptoNetworks),
    fingerprint: z
      .string()
      .meta({ description: 'Tells keys apart, whatever prefix they are written with.', example: '0339a360' }),
    firstAddresses: z.array(z.array(address)).meta({
      description:
        'The first three, each with every form of it that is watched. Compare them with what your wallet shows: coins sent to an address that is not yours are lost.',
    }),
    maxIndex: z.int().nullable().meta({ description: 'Of the last address that was handed out.' }),
    unpaidRun: z
      .int()
      .meta({ description: 'How many of the last addresses, one after the other, nothing was paid to.' }),
    gapLimit: z.int().nullable().meta({
      description:
        'What your wallet must be set to so that it finds every payment; null where its usual 20 do.',
    }),
    warning: z.string().nullable().meta({ description: 'For whoever keeps the wallet.' }),
    retiredAt: instant.nullable(),
    createdAt: instant,
  })
  .meta({ id: 'CryptoAccount' });

export type CryptoAccountBody = z.input<typeof cryptoAccount>;

export const newCryptoAccount = z
  .strictObject({
    family: z.enum(['bitcoin', 'evm']).meta({ description: 'evm: Ethereum, Base and Polygon.' }),
    // Anything at all: what it must not be is told by whoever reads it, and a secret is not repeated in a mistake's text.
    publicKey: z.string().min(1).max(400).meta({
      description:
        'The extended public key of the account in your wallet: xpub, ypub or zpub. Never a private key, and never words.',
      example:
        'zpub6rFR7y4Q2AijBEqTUquhVz398htDFrtymD9xYYfG1m4wAcvPhXNfE3EfH1r1ADqtfSdVCToUG868RvUUkgDKf31mGDtKsAYz2oz2AGutZYs',
    }),
  })
  .meta({ id: 'NewCryptoAccount' });

export const accountParams = z.strictObject({ accountId: id('cacc', 'account of coins') });
