/**
 * Turns a template and its variables into one mail: subject, text and HTML. Text and HTML are made from the same
 * parts, so they cannot say different things; the HTML layout escapes every value. A missing variable is an error,
 * never a mail with a hole in it.
 */
import { Liquid, type Template } from 'liquidjs';
import { assertNever } from '../../domain/errors.ts';
import {
  type CommonVariables,
  commonVariables,
  type NotificationTemplate,
  templateVariables,
  tenantTemplates,
} from '../../domain/messaging/notification.ts';
import {
  type Block,
  factsOfLines,
  type Mail,
  mapMail,
  readTemplate,
  readTemplateFile,
} from './template-source.ts';

export type RenderedNotification = { subject: string; text: string; html: string };

/** The message cannot be written with what it was given. Trying again does not help. */
export class NotificationRenderError extends Error {
  readonly template: NotificationTemplate;
  readonly variable: string;
  readonly problem: 'missing' | 'not_a_link';

  constructor({
    template,
    variable,
    problem,
  }: {
    template: NotificationTemplate;
    variable: string;
    problem: 'missing' | 'not_a_link';
  }) {
    super(
      `${template}: the variable ${variable} is ${problem === 'missing' ? 'missing' : 'not an http(s) link'}`,
    );
    this.name = 'NotificationRenderError';
    this.template = template;
    this.variable = variable;
    this.problem = problem;
  }
}

/** Throws `NotificationRenderError` when a variable is missing, empty or, where it is a link, not an http(s) one. */
export function renderNotification({
  template,
  variables,
  common,
}: {
  template: NotificationTemplate;
  /** As stored with the message: JSON, checked here. */
  variables: Readonly<Record<string, unknown>>;
  common: CommonVariables;
}): RenderedNotification {
  const values = checkedVariables(template, { ...variables, ...common });
  const {
    subject,
    heading,
    blocks: parts,
  } = mapMail(compiled(template), (part, lines) => {
    const text = plain.renderSync(part, values) as string;
    return lines === 'one' ? oneLine(text) : text.split('\n').map(oneLine).join('\n');
  });
  const blocks = parts.map((block): Shown => {
    return block.kind === 'lines' ? { kind: 'facts', facts: factsOfLines(block.text) } : block;
  });
  const greeting = `Hello ${oneLine(common.customerName)},`;
  const companyName = oneLine(common.companyName);
  const footer = tenantTemplates.includes(template)
    ? `You receive this mail because ${companyName} has named your address for its daily report.`
    : `You receive this mail because you have, or had, a subscription with ${companyName}.`;
  // What an inbox shows beside the subject: the first thing the mail says.
  const preview = blocks.find((block) => block.kind === 'paragraph')?.text ?? heading;

  const text = [heading, greeting, ...blocks.map(textOf), `--\n${footer}`].join('\n\n');
  const html = escaping.renderSync(layout(), {
    subject,
    preview,
    companyName,
    heading,
    greeting,
    blocks,
    footer,
  });
  return { subject, text: `${text}\n`, html: html as string };
}

/** A block as it is shown. */
type Shown = Exclude<Block<string>, { kind: 'lines' }>;

const strict = { strictVariables: true, strictFilters: true, ownPropertyOnly: true };
const plain = new Liquid(strict);
const escaping = new Liquid({ ...strict, outputEscape: 'escape' });

const mails = new Map<NotificationTemplate, Mail<Template[]>>();
let htmlLayout: Template[] | undefined;

function compiled(template: NotificationTemplate): Mail<Template[]> {
  const mail = mails.get(template) ?? mapMail(readTemplate(template), (part) => plain.parse(part));
  mails.set(template, mail);
  return mail;
}

function layout(): Template[] {
  htmlLayout ??= escaping.parse(readTemplateFile('layout'));
  return htmlLayout;
}

function checkedVariables(
  template: NotificationTemplate,
  given: Readonly<Record<string, unknown>>,
): Record<string, string> {
  const names: readonly string[] = [...templateVariables[template], ...commonVariables];
  const entries = names.map((variable) => {
    const value = given[variable];
    if (typeof value !== 'string' || value.trim() === '') {
      throw new NotificationRenderError({ template, variable, problem: 'missing' });
    }
    if (variable.endsWith('Url') && !/^https?:\/\/\S+$/.test(value)) {
      throw new NotificationRenderError({ template, variable, problem: 'not_a_link' });
    }
    return [variable, value] as const;
  });
  return Object.fromEntries(entries);
}

/** Line breaks in a name would break a subject, and could pass for a line of ours. */
function oneLine(value: string): string {
  return value.replace(/[\s\p{Cc}]+/gu, ' ').trim();
}

function textOf(block: Shown): string {
  switch (block.kind) {
    case 'paragraph':
      return block.text;
    case 'facts':
      return block.facts.map(({ label, value }) => `${label}: ${value}`).join('\n');
    case 'link':
      return `${block.label}:\n${block.url}`;
    default:
      return assertNever(block);
  }
}
