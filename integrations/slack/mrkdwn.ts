/**
 * A notice as one text of a chat. Its words come from anywhere, a payer's name for a bank transfer among them, so nothing in
 * them may be markup: no link in disguise, and no mention, which would ring everybody's telephone.
 * https://docs.slack.dev/messaging/formatting-message-text
 */

/** The subject in bold, the text below. */
export function toMrkdwn({ subject, text }: { subject: string; text: string }): string {
  // An asterisk would end the bold early; it goes first, for it may stand in a mention.
  const title = plain(shortened(oneLine(subject), SUBJECT_MAX).replaceAll('*', ''));
  const rest = plain(shortened(withoutControls(text).trim(), TEXT_MAX));
  return [title === '' ? '' : `*${title}*`, rest].filter((part) => part !== '').join('\n');
}

const SUBJECT_MAX = 150;
/** Slack cuts what is above 40,000, and an escaped character takes up to five. */
const TEXT_MAX = 3_000;
const ZERO_WIDTH_SPACE = '\u200b';

/**
 * Three characters make Slack's markup. `@channel` and names ring in Mattermost and Rocket.Chat as they stand, and Markdown
 * makes links and pictures there: something that cannot be seen in between takes the meaning away, and leaves addresses of mail.
 */
function plain(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replace(/(?<![\w.%+-])@(?=\S)|@(?=(?:all|channel|everyone|here)\b)/gi, `@${ZERO_WIDTH_SPACE}`)
    .replaceAll('](', `]${ZERO_WIDTH_SPACE}(`);
}

/** By whole characters, before anything is escaped: a half would be none. */
function shortened(text: string, max: number): string {
  const characters = Array.from(text);
  return characters.length <= max ? text : `${characters.slice(0, max - 1).join('')}…`;
}

function oneLine(text: string): string {
  return withoutControls(text).replace(/\s+/g, ' ').trim();
}

/** Lines stay; what steers a terminal, or turns the direction of what follows, goes. */
function withoutControls(text: string): string {
  return text
    .toWellFormed()
    .replace(/\r\n?/g, '\n')
    .replace(/[^\P{Cc}\n\t]|[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, '');
}
