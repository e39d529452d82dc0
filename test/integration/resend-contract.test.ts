/** The sandbox and our mailer against Resend's OpenAPI document: requests and answers have its shapes. */
import { readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createResendMailer } from '../../integrations/resend/client.ts';
import { type ResendSandbox, startResendSandbox } from '../../integrations/resend/sandbox.ts';
import { findContract } from '../support/contracts.ts';

const document = findContract({
  vendor: 'Resend',
  file: 'resend.json',
  advice: 'https://github.com/resend/resend-openapi and name its folder in PERENNIAL_CONTRACTS.',
});

describe.skipIf(document === undefined)('the contract with Resend', () => {
  let sandbox: ResendSandbox;
  let requestBody: unknown;

  beforeAll(async () => {
    sandbox = await startResendSandbox({ port: 0 });
    const originalFetch = globalThis.fetch;
    globalThis.fetch = (input, init) => {
      requestBody = JSON.parse(String(init?.body));
      return originalFetch(input, init);
    };
    const mailer = createResendMailer({
      apiKey: 're_sandbox',
      baseUrl: sandbox.url,
      from: 'Perennial <billing@perennial.example>',
    });
    await mailer.send({
      to: 'ada@example.com',
      subject: 'Your trial has started',
      html: '<p>Hello</p>',
      text: 'Hello',
      attachments: [{ fileName: 'INV-000042.pdf', content: Buffer.from('%PDF-') }],
      idempotencyKey: 'notification:ntf_1',
      tags: { notificationId: 'ntf_1' },
    });
    globalThis.fetch = originalFetch;
  });

  afterAll(() => sandbox.close());

  it('our mailer sends what Resend describes', () => {
    expect(violations('SendEmailRequest', requestBody)).toEqual([]);
  });

  it('the sandbox answers what Resend describes, and nothing beside it', async () => {
    const [mail] = sandbox.mails();
    const read = async (path: string) => {
      const response = await fetch(`${sandbox.url}${path}`, {
        headers: { authorization: 'Bearer re_sandbox' },
      });
      return (await response.json()) as object;
    };
    const list = await read('/emails');
    expect(violations('ListEmailsResponse', list)).toEqual([]);
    const one = await read(`/emails/${mail?.id}`);
    expect(violations('Email', one)).toEqual([]);
    expect(unknownFields('Email', one)).toEqual(['tags']);
  });

  it('a mail without a recipient would be noticed (negative control)', () => {
    const { to: _, ...rest } = requestBody as { to: string[] };
    expect(violations('SendEmailRequest', rest)).not.toEqual([]);
  });
});

type OpenApiDocument = { components: { schemas: Record<string, { properties?: object }> } };

/** OpenAPI's schemas are nearly JSON Schema; what ajv does not know is not about the shape. */
function violations(schema: string, value: unknown): unknown[] {
  const ajv = new Ajv({ strict: false, logger: false });
  ajv.addSchema(readDocument(), 'resend');
  const validate = ajv.compile({ $ref: `resend#/components/schemas/${schema}` });
  return validate(value) ? [] : (validate.errors ?? []);
}

/** Their schemas allow any further field; ours should not need one. `tags` is missing in their description only. */
function unknownFields(schema: string, value: object): string[] {
  const known = readDocument().components.schemas[schema]?.properties ?? {};
  return Object.keys(value).filter((field) => !(field in known));
}

function readDocument(): OpenApiDocument {
  return JSON.parse(readFileSync(document ?? '', 'utf8')) as OpenApiDocument;
}
