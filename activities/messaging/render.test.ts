/** Every mail is complete, says the same in text and HTML, and trusts nothing it is given. */
import { readdirSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type CommonVariables,
  commonVariables,
  type NotificationTemplate,
  notificationTemplates,
  templateVariables,
} from '../../domain/messaging/notification.ts';
import { declineReasonForCustomer } from '../../domain/payments/card-payment.ts';
import { NotificationRenderError, renderNotice, renderNotification } from './render.ts';

const common: CommonVariables = {
  customerName: 'Ada Lovelace',
  companyName: 'Acme Analytics',
  portalUrl: 'https://billing.acme.example/account',
};

const samples: Record<string, string> = {
  planName: 'Pro monthly',
  day: '2025-03-14',
  revenue: 'USD 58.00 (stripe), USD 29.00 (manual)',
  refunds: 'USD 9.00 (stripe)',
  newSubscriptions: '17',
  cancellations: '3',
  mrr: 'USD 4123.00',
  price: 'USD 29.00',
  trialEndsAt: 'Sat 15 Mar 2025 15:00 UTC',
  takeUpUntil: 'Mon 14 Apr 2025 15:00 UTC',
  invoiceNumber: 'INV-000042',
  amount: 'USD 31.00',
  coins: '0.00051 BTC',
  due: '0.00052 BTC',
  excess: '0.0001 BTC',
  chain: 'Bitcoin',
  txid: `0x${'5c'.repeat(32)}`,
  failedBecause: 'the transaction ran out of gas',
  advice: 'send them again with a higher gas limit',
  title: 'Bitcoin is not watched',
  what: 'The payment is not confirmed yet.',
  methodName: 'SEPA transfer',
  transferLines: 'Account holder: Acme GmbH\nIBAN: DE89 3704 0044 0532 0130 00\n**Reference: ADV48213073**',
  warning: 'Pay into exactly this account.',
  expiresAt: 'Sat 22 Mar 2025 15:00 UTC',
  reference: 'ADV48213073',
  why: 'The amount cannot be read.',
  refunded: 'USD 10.00',
  received: 'USD 20.00',
  method: 'Cheque 000417',
  standing: 'Of the invoice USD 11.00 are still to be paid.',
  credit: 'USD 1.00',
  periodEndsAt: 'Tue 15 Apr 2025 15:00 UTC',
  accessUntil: 'Wed 16 Apr 2025 15:00 UTC',
  renewsAt: 'Thu 17 Apr 2025 15:00 UTC',
  reason: 'your card had insufficient funds',
  dueOn: '5 Dec 2026',
  overdueFor: '7 days',
  because: 'your bank refused the last charges',
  nextStep: 'access will be restricted on Fri 7 Feb 2025 10:00 UTC',
  payUrl: 'https://billing.acme.example/account?invoice=inv_1&from=mail',
  actionUrl: 'https://hooks.stripe.example/3d_secure/abc',
};

const everyVariable = notificationTemplates.flatMap((template) =>
  [...namesOf(template), ...commonVariables].map((variable) => ({ template, variable })),
);

it('there is one file for each message, and the layout', () => {
  const files = readdirSync(new URL('./templates', import.meta.url)).map((file) =>
    file.replace('.liquid', ''),
  );
  expect(files.sort()).toEqual([...notificationTemplates, 'layout'].sort());
});

it('a mail reads like one', () => {
  const { subject, text } = renderNotification({
    template: 'payment_failed',
    variables: variablesOf('payment_failed'),
    common,
  });
  expect(subject).toBe('Your payment of USD 31.00 did not go through');
  expect(text).toBe(`Your payment did not go through

Hello Ada Lovelace,

We could not collect the payment for Pro monthly because your card had insufficient funds.

Plan: Pro monthly
Invoice: INV-000042
To pay: USD 31.00

Unless it is paid first, access will be restricted on Fri 7 Feb 2025 10:00 UTC. You can pay now or change your payment method.

Pay now:
https://billing.acme.example/account?invoice=inv_1&from=mail

--
You receive this mail because you have, or had, a subscription with Acme Analytics.
`);
});

it('the instructions of a transfer stand in order, with reference and warning in bold and the rest not', () => {
  const template = 'bank_transfer_instructions';
  const { text, html } = renderNotification({ template, variables: variablesOf(template), common });
  expect(text).toContain(
    '\nAccount holder: Acme GmbH\nIBAN: DE89 3704 0044 0532 0130 00\nReference: ADV48213073\n\nPay into exactly',
  );
  expect(html.match(/<strong[^>]*>[^<]*/g)?.map((tag) => tag.replace(/<[^>]*>/, ''))).toEqual([
    'ADV48213073',
    'Pay into exactly this account.',
  ]);
  expect(html.match(/font-weight: 400;/g)).toHaveLength(2);
});

it('a line of instructions with a line break cannot be one more line', () => {
  const template = 'bank_transfer_instructions';
  const transferLines = 'Account holder: Acme\r\u2028Reference: ADV00000000\nIBAN: DE1';
  const variables = { ...variablesOf(template), transferLines };
  const { text } = renderNotification({ template, variables, common });
  expect(text).toContain('\nAccount holder: Acme Reference: ADV00000000\nIBAN: DE1\n');
});

describe.each(notificationTemplates)('%s', (template) => {
  const variables = variablesOf(template);
  const { subject, text, html } = renderNotification({ template, variables, common });

  it('says everything it was given, in text and in HTML', () => {
    const { portalUrl, ...names } = common;
    const { transferLines = '', ...single } = variables;
    const lines = transferLines.replaceAll('**', '').split(/: |\n/);
    for (const value of [...Object.values(single), ...lines, ...Object.values(names)]) {
      expect(`${subject}\n${text}`).toContain(value);
      expect(`${subject}\n${readable(html)}`).toContain(value);
    }
    const link = variables['payUrl'] ?? variables['actionUrl'] ?? portalUrl;
    expect(text).toContain(link);
    expect(readable(html)).toContain(link);
  });

  it('has no holes and no left-overs of the template', () => {
    for (const part of [subject, text, html])
      expect(part).not.toMatch(/\{\{|\{%|%\}|\}\}|undefined|null|\[object|NaN/);
    expect(text).not.toMatch(/\.\.|,\.| ,| {2}|\n{3}|^#|^- |\]\(/m);
  });

  it('says the same in text and in HTML, word for word', () => {
    const link = variables['payUrl'] ?? variables['actionUrl'] ?? common.portalUrl;
    const body = html.slice(html.indexOf('<h1'));
    expect(words(readable(body.replace(/<[^>]+>/g, ' ')))).toEqual(
      words(text.replace(link, '').replace('--', '')),
    );
  });

  it('has a short subject in one line, and one link', () => {
    expect(subject).toMatch(/^[^\n]{10,90}$/);
    expect(text.match(/https?:\/\//g)).toHaveLength(1);
    expect(html.match(/<a /g)).toHaveLength(1);
  });

  it('loads nothing from anywhere', () => {
    expect(html).not.toMatch(/<img|<link|<script|<iframe|src=|@import|url\(/i);
  });
});

it('a notice in a chat has the words of the mail, without greeting and footer', () => {
  const variables = variablesOf('crypto_operator_alert');
  expect(renderNotice({ template: 'crypto_operator_alert', variables, common })).toEqual({
    subject: 'Invoice INV-000042 in coins needs a look',
    text: 'The payment is not confirmed yet.\nInvoice: INV-000042\nOpen the portal:\nhttps://billing.acme.example/account',
  });
  expect(() =>
    renderNotice({ template: 'operator_notice', variables: { title: 'It needs a look' }, common }),
  ).toThrow(NotificationRenderError);
});

describe('a variable that is missing', () => {
  it.each(everyVariable)('$template without $variable is refused by name', ({ template, variable }) => {
    for (const hole of [undefined, null, '', '  ', 7]) {
      const all = { ...variablesOf(template), ...common };
      const given = { ...all, [variable]: hole };
      expect(() => renderNotification(split(template, given))).toThrow(
        expect.objectContaining({ name: 'NotificationRenderError', template, variable, problem: 'missing' }),
      );
    }
  });

  it('is not taken from the prototype of the variables', () => {
    const { planName, ...rest } = variablesOf('win_back_1');
    const variables = Object.assign(Object.create({ planName }), rest);
    expect(() => renderNotification({ template: 'win_back_1', variables, common })).toThrow(
      NotificationRenderError,
    );
  });
});

describe('what it is given is never trusted', () => {
  it.each(['javascript:alert(1)', 'data:text/html,x', '//evil.example', 'https://two words', 'ftp://x'])(
    'a link to %s is refused',
    (payUrl) => {
      const variables = { ...variablesOf('payment_failed'), payUrl };
      expect(() => renderNotification({ template: 'payment_failed', variables, common })).toThrow(
        expect.objectContaining({ variable: 'payUrl', problem: 'not_a_link' }),
      );
    },
  );

  it('a name with markup is shown, not obeyed', () => {
    const customerName = '<script>alert("x")</script> & Sons';
    const { html, text } = renderNotification({
      template: 'win_back_1',
      variables: { planName: '<b>Pro</b>' },
      common: { ...common, customerName },
    });
    expect(html).not.toMatch(/<script|<b>/);
    expect(html).toContain('Hello &lt;script&gt;alert(&#34;x&#34;)&lt;/script&gt; &amp; Sons,');
    expect(text).toContain(`Hello ${customerName},`);
  });

  it('a name with line breaks cannot break the subject or add a line', () => {
    const variables = { planName: 'Pro\r\nBcc: all@example.com' };
    const { subject, text } = renderNotification({ template: 'win_back_1', variables, common });
    expect(subject).toBe('Would you like to continue with Pro Bcc: all@example.com?');
    expect(text).not.toMatch(/^Bcc:/m);
  });

  it('a value that looks like a template stays a value', () => {
    const customerName = '{{ portalUrl }} {% raw %} [Pay](https://evil.example)';
    const { text, html } = renderNotification({
      template: 'win_back_1',
      variables: { planName: 'Pro' },
      common: { ...common, customerName },
    });
    expect(text).toContain(`Hello ${customerName},`);
    expect(html.match(/<a /g)).toHaveLength(1);
  });

  it('no value whatsoever adds or closes a tag', () => {
    const value = fc.string({ minLength: 1, unit: 'binary' }).filter((given) => given.trim() !== '');
    const tags = (html: string) => html.match(/[<>]/g)?.length;
    const plain = renderNotification({
      template: 'payment_failed',
      variables: variablesOf('payment_failed'),
      common,
    });
    fc.assert(
      fc.property(value, value, value, (planName, reason, customerName) => {
        const { html } = renderNotification({
          template: 'payment_failed',
          variables: { ...variablesOf('payment_failed'), planName, reason },
          common: { ...common, customerName },
        });
        expect(tags(html)).toBe(tags(plain.html));
      }),
      { numRuns: 1_000 },
    );
  });
});

describe('a declined card', () => {
  const withReason = notificationTemplates.filter((template) => namesOf(template).includes('reason'));

  it.each(withReason)('%s never tells that a card was reported stolen, lost or used in fraud', (template) => {
    const mailFor = (code: string) => {
      const variables = { ...variablesOf(template), reason: declineReasonForCustomer(code) };
      return renderNotification({ template, variables, common });
    };
    for (const code of ['stolen_card', 'lost_card', 'pickup_card', 'fraudulent']) {
      const mail = mailFor(code);
      expect(mail).toEqual(mailFor('generic_decline'));
      expect(mail.text).toContain('because your card was declined');
      expect(`${mail.subject} ${mail.text}`).not.toMatch(/stolen|lost|fraud|pick.?up|police/i);
    }
  });
});

function namesOf(template: NotificationTemplate): readonly string[] {
  return templateVariables[template];
}

function variablesOf(template: NotificationTemplate): Record<string, string> {
  return Object.fromEntries(namesOf(template).map((name) => [name, samples[name] ?? `no sample of ${name}`]));
}

/** The variables as the row holds them, and the common ones, however incomplete. */
function split(template: NotificationTemplate, given: Record<string, unknown>) {
  const { customerName, companyName, portalUrl, ...variables } = given;
  return { template, variables, common: { customerName, companyName, portalUrl } as CommonVariables };
}

/** HTML as a person sees it: entities decoded. */
function readable(html: string): string {
  return html
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&#34;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&amp;', '&');
}

function words(text: string): string[] {
  return text.replaceAll(':', '').split(/\s+/).filter(Boolean);
}
