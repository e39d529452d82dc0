/**
 * Reads a payment link as a wallet does, by BIP21 and ERC-681, to see what somebody who follows one would pay. Lenient where
 * wallets are: an EVM address need not have its checksum.
 */
import { unitsOf } from '../../domain/payments/crypto-asset.ts';

export type ReadPaymentUri =
  | { scheme: 'bitcoin'; address: string; units: bigint | null; label: string | null; message: string | null }
  | {
      scheme: 'ethereum';
      /** Null: whatever chain the wallet is on. */
      chainId: number | null;
      /** The token's contract; null for the chain's own coin. */
      token: string | null;
      address: string;
      units: bigint | null;
    };

/** Null for what no wallet may follow. */
export function readPaymentUri(text: string): ReadPaymentUri | null {
  const [, scheme = '', path = '', query = ''] = /^([a-z]+):([^?]+)(?:[?](.*))?$/i.exec(text) ?? [];
  const parameters = new Map(
    query
      .split('&')
      .filter((part) => part !== '')
      .map((part): [string, string] => {
        const [name = '', ...value] = part.split('=');
        return [name, decodeURIComponent(value.join('='))];
      }),
  );
  switch (scheme.toLowerCase()) {
    case 'bitcoin':
      return bitcoin(path, parameters);
    case 'ethereum':
      return ethereum(path, parameters);
    default:
      return null;
  }
}

/** A parameter that is required and not understood makes a link void; one in capitals is another parameter. */
function bitcoin(address: string, parameters: Map<string, string>): ReadPaymentUri | null {
  if ([...parameters.keys()].some((name) => name.startsWith('req-'))) return null;
  const amount = parameters.get('amount');
  if (amount !== undefined && !/^\d+([.]\d{1,8})?$/.test(amount)) return null;
  return {
    scheme: 'bitcoin',
    address,
    units: amount === undefined ? null : unitsOf(amount, 'BTC'),
    label: parameters.get('label') ?? null,
    message: parameters.get('message') ?? null,
  };
}

function ethereum(path: string, parameters: Map<string, string>): ReadPaymentUri | null {
  const form = /^(?:pay-)?(0x[0-9a-f]{40})(?:@(\d+))?(?:[/](\w+))?$/i;
  const [, target, chainId, call] = form.exec(path) ?? [];
  const address = call === undefined ? target : parameters.get('address');
  const amount = parameters.get(call === undefined ? 'value' : 'uint256');
  const units = amount === undefined ? null : wholeNumber(amount);
  if (target === undefined || address === undefined || units === undefined) return null;
  if (call !== undefined && call !== 'transfer') return null;
  return {
    scheme: 'ethereum',
    chainId: chainId === undefined ? null : Number(chainId),
    token: call === undefined ? null : target,
    address,
    units,
  };
}

/** `2.014e18`; undefined for what is no whole number once the point is moved. */
function wholeNumber(text: string): bigint | undefined {
  const [, whole, behind = '', exponent = '0'] = /^[+]?(\d*)(?:[.](\d+))?(?:e(\d{1,2}))?$/i.exec(text) ?? [];
  if (whole === undefined || behind.length > Number(exponent)) return undefined;
  return BigInt(whole + behind.padEnd(Number(exponent), '0'));
}
