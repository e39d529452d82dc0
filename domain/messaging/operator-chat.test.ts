/** Only an incoming webhook on a host that the installation trusts is a chat, and no mistake repeats the address. */
import { expect, it } from 'vitest';
import { chatUrlMistakeInWords, chatUrlMistakes, readChatUrl } from './operator-chat.ts';

const hosts = ['hooks.slack.com', 'chat.acme.example', 'mattermost.acme.example:8443', '127.0.0.1:3017'];
const secret = 'XXsecretXX';

it.each([
  [`https://hooks.slack.com/services/T0/B0/${secret}`, 'hooks.slack.com'],
  [`https://HOOKS.slack.com:443/services/T0/B0/${secret}`, 'hooks.slack.com'],
  [`https://chat.acme.example/hooks/${secret}`, 'chat.acme.example'],
  [`https://chat.acme.example/hooks/1?token=${secret}`, 'chat.acme.example'],
  [`https://mattermost.acme.example:8443/hooks/${secret}`, 'mattermost.acme.example:8443'],
  [`http://127.0.0.1:3017/services/T0/B0/${secret}`, '127.0.0.1:3017'],
])('%s is a chat', (text, host) => {
  expect(readChatUrl(text, hosts)).toEqual({ url: new URL(text).href, host });
});

it.each([
  ['', 'not_a_url'],
  [`hooks.slack.com/services/T0/B0/${secret}`, 'not_a_url'],
  [`https://chat.acme.example/${'a'.repeat(500)}`, 'not_a_url'],
  [`http://hooks.slack.com/services/T0/B0/${secret}`, 'not_https'],
  [`http://chat.acme.example/hooks/${secret}`, 'not_https'],
  [`ftp://hooks.slack.com/services/T0/B0/${secret}`, 'not_https'],
  ['file:///etc/passwd', 'not_https'],
  [`https://me:${secret}@hooks.slack.com/services/T0/B0/1`, 'with_credentials'],
  [`https://hooks.slack.com@evil.example/services/T0/B0/${secret}`, 'with_credentials'],
  [`https://evil.example/services/T0/B0/${secret}`, 'host_not_allowed'],
  [`https://hooks.slack.com.evil.example/services/T0/B0/${secret}`, 'host_not_allowed'],
  [`https://hooks.slack.com./services/T0/B0/${secret}`, 'host_not_allowed'],
  [`https://hooks.slack.com:8443/services/T0/B0/${secret}`, 'host_not_allowed'],
  [`https://mattermost.acme.example/hooks/${secret}`, 'host_not_allowed'],
  ['https://169.254.169.254/latest/meta-data', 'host_not_allowed'],
  ['https://[::1]/hooks/1', 'host_not_allowed'],
  ['http://127.0.0.1:5433/hooks/1', 'host_not_allowed'],
  // The same address in another dress.
  ['http://2130706433:5433/hooks/1', 'host_not_allowed'],
  ['http://0x7f.1:5433/hooks/1', 'host_not_allowed'],
  ['http://localhost:3017/hooks/1', 'not_https'],
  ['https://hooks.slack.com/', 'no_webhook'],
  [`https://hooks.slack.com/triggers/T0/1/${secret}`, 'no_webhook'],
  [`https://hooks.slack.com/services/T0/B0/${secret}/more`, 'no_webhook'],
  [`https://hooks.slack.com/services/T0/B0/${secret}#part`, 'no_webhook'],
  ['https://chat.acme.example', 'no_webhook'],
])('%s is none: %s', (text, mistake) => {
  expect(readChatUrl(text, hosts)).toEqual({ mistake });
});

it.each(chatUrlMistakes)('%s is told in a sentence that says what to do', (mistake) => {
  expect(chatUrlMistakeInWords(mistake, hosts)).toMatch(/^[A-Z].{40,}\.$/);
});

it('whoever names a host that is not allowed hears which ones are, and how others become so', () => {
  const words = chatUrlMistakeInWords('host_not_allowed', hosts);
  expect(words).toContain('hooks.slack.com, chat.acme.example');
  expect(words).toContain('OPERATOR_CHAT_HOSTS');
});
