/** Whatever words a notice has, the chat shows them as words: no mention rings, no link is in disguise. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { toMrkdwn } from './mrkdwn.ts';

it('has the subject in bold and the text below', () => {
  expect(toMrkdwn({ subject: 'Bitcoin is not watched', text: 'Start a worker.\nSince 10:00.' })).toBe(
    '*Bitcoin is not watched*\nStart a worker.\nSince 10:00.',
  );
});

it.each([
  ['a & b', 'a &amp; b'],
  ['&lt;', '&amp;lt;'],
  ['<!channel> pay', '&lt;!channel&gt; pay'],
  ['<@U123> <#C1>', '&lt;@\u200bU123&gt; &lt;#C1&gt;'],
  ['<https://evil.example|your bank>', '&lt;https://evil.example|your bank&gt;'],
  ['@channel now', '@\u200bchannel now'],
  ['(@here)', '(@\u200bhere)'],
  ['write to ada@example.com', 'write to ada@example.com'],
  ['[your bank](https://evil.example)', '[your bank]\u200b(https://evil.example)'],
  ['![](https://evil.example/pixel)', '![]\u200b(https://evil.example/pixel)'],
  ['\u202egnp.exe', 'gnp.exe'],
  ['a\u0000b\u001b[31mc\r\nd', 'ab[31mc\nd'],
  ['a lone \ud800 half', 'a lone \ufffd half'],
])('%j is shown as it is', (text, shown) => {
  expect(toMrkdwn({ subject: 'S', text })).toBe(`*S*\n${shown}`);
});

it('keeps a subject in one line that nothing in it ends', () => {
  expect(toMrkdwn({ subject: ' A *bold*\n<!here> move ', text: 'x' })).toBe('*A bold &lt;!here&gt; move*\nx');
});

it('is cut where it is too long, between characters and never inside of an entity', () => {
  const [subject, text] = toMrkdwn({ subject: 's'.repeat(200), text: '&'.repeat(5_000) }).split('\n');
  expect(subject).toBe(`*${'s'.repeat(149)}…*`);
  expect(text).toBe(`${'&amp;'.repeat(2_999)}…`);
  expect(toMrkdwn({ subject: '', text: '😀'.repeat(3_001) })).toBe(`${'😀'.repeat(2_999)}…`);
});

it('has neither markup nor a mention, whatever it is given, and fits into a message', () => {
  const dangerous = fc.constantFrom(
    '<',
    '>',
    '&',
    '@',
    '!',
    '|',
    '](',
    'channel',
    'here',
    '\u202e',
    '\n',
    '*',
  );
  const words = fc.array(fc.oneof(dangerous, fc.string({ unit: 'binary' })), { maxLength: 60 });
  fc.assert(
    fc.property(words, words, (subject, text) => {
      const message = toMrkdwn({ subject: subject.join(''), text: text.join('') });
      expect(message).not.toMatch(/[<>]|&(?!(amp|lt|gt);)|\]\(/);
      expect(message).not.toMatch(/@(channel|here)\b|(^|\s)@\w/);
      expect(message.length).toBeLessThan(40_000);
      expect(message.isWellFormed()).toBe(true);
    }),
    { numRuns: 500 },
  );
});
