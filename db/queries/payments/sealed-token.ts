/**
 * Tokens that open something at a vendor, sealed where they are stored (`config/seal.ts`). A key must stay configured as long as
 * a token is sealed with it; what is read often is sealed anew with the active key (`isCurrent`).
 */
import { createHash } from 'node:crypto';
import { type SealKeys, seal, sealedWith, unseal } from '../../../config/seal.ts';

export type TokenSeal = {
  /** `about` names the row: the same text opens it. */
  seal(token: string, about: string): string;
  /** Throws where the key is not configured, the text was changed, or it was sealed for another row. */
  open(sealed: string, about: string): string;
  /** Whether it was sealed with the active key. */
  isCurrent(sealed: string): boolean;
};

export function createTokenSeal(keys: SealKeys): TokenSeal {
  return {
    seal: (token, about) => seal(keys, token, about),
    open: (sealed, about) => unseal(keys, sealed, about),
    isCurrent: (sealed) => sealedWith(sealed) === keys.activeKeyId,
  };
}

/** To find again what a token has made, without keeping the token. */
export function hashOfToken(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}
