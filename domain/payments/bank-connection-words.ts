/** What operators are told of a connection to a bank, in a few words and in sentences that say what to do. */
import { inWords } from '../instant.ts';
import type { UnreadableMovement } from './bank-connection.ts';

/** What operators are told of a connection, each once. */
export type ConnectionAlert =
  | { kind: 'needs_reauth' | 'revoked'; since: string }
  | { kind: 'consent_ends'; at: string }
  | { kind: 'disconnect_expected'; since: string }
  | { kind: 'unreadable_movements'; movements: readonly UnreadableMovement[] };

/** A few words, and sentences that say what to do. */
export function alertInWords(
  alert: ConnectionAlert,
  { connectionId, institutionName }: { connectionId: string; institutionName: string | null },
): { title: string; what: string } {
  const bank = institutionName ?? 'the bank';
  const signIn = `Ask for a link (POST /v1/bank_link_tokens with bankConnectionId ${connectionId}) and sign in at ${bank} once more`;
  switch (alert.kind) {
    case 'needs_reauth':
      return {
        title: `${bank} wants a new login`,
        what: `Since ${inWords(alert.since)} what moves on the accounts at ${bank} is not seen, because the bank wants somebody to sign in again. ${signIn}. Nothing is lost: reading goes on where it stopped.`,
      };
    case 'revoked':
      return {
        title: `The connection to ${bank} has ended`,
        what: `Since ${inWords(alert.since)} the accounts at ${bank} cannot be read any more, because access to them was taken back. Connect the bank anew (POST /v1/bank_link_tokens); what is known of its accounts goes on, and nothing is counted twice.`,
      };
    case 'consent_ends':
      return {
        title: `Consent to read ${bank} ends on ${dayInWords(alert.at)}`,
        what: `From ${inWords(alert.at)} on the accounts at ${bank} cannot be read any more, unless consent is given anew. ${signIn} before that day.`,
      };
    case 'disconnect_expected':
      return {
        title: `${bank} will end the connection within days`,
        what: `On ${dayInWords(alert.since)} it was announced that the connection to ${bank} will be ended, usually within seven days. ${signIn}, so that it goes on.`,
      };
    case 'unreadable_movements': {
      const { movements } = alert;
      const listed = movements
        .slice(0, LISTED_MAX)
        .map(({ bookedOn, currency, reason }) => `${bookedOn} ${currency} (${reasonsInWords[reason]})`);
      const rest = movements.length - listed.length;
      const more = rest > 0 ? ` and ${rest} more` : '';
      return {
        title: `${movements.length === 1 ? 'A movement' : `${movements.length} movements`} at ${bank} could not be read`,
        what: `They were told and are not among the bank transactions: ${listed.join(', ')}${more}. Look at them at the bank; GET /v1/bank_connections/${connectionId} lists them. Dismiss them there when they are dealt with.`,
      };
    }
  }
}

const reasonsInWords: Record<UnreadableMovement['reason'], string> = {
  currency_unknown: 'a currency or coin that no amounts are kept in',
  amount_too_large: 'an amount too large to be counted exactly',
  account_unknown: 'an account in a currency that no amounts are kept in',
};

const LISTED_MAX = 5;

function dayInWords(at: string): string {
  return at.slice(0, 'YYYY-MM-DD'.length);
}
