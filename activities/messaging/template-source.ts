/**
 * Reads a mail template. Its file reads like the mail: a `Subject:` line, a `# heading`, paragraphs, lists of
 * `- Label: value` facts and, last, exactly one `[button](link)`. Each part is Liquid.
 */
import { readFileSync } from 'node:fs';
import { assertNever } from '../../domain/errors.ts';
import type { NotificationTemplate } from '../../domain/messaging/notification.ts';

/** One piece of a mail. `Part` is the piece's Liquid source, then what it rendered to. */
export type Block<Part> =
  | { kind: 'paragraph'; text: Part }
  | { kind: 'facts'; facts: { label: Part; value: Part }[] }
  | { kind: 'link'; label: Part; url: Part };

export type Mail<Part> = { subject: Part; heading: Part; blocks: Block<Part>[] };

/** The template's parts. Throws on a file that does not have the form above: a mistake of ours. */
export function readTemplate(template: NotificationTemplate): Mail<string> {
  const [first = '', second = '', ...rest] = readTemplateFile(template)
    .split(/\n{2,}/)
    .map((block) => block.trim())
    .filter((block) => block !== '');
  const subject = /^Subject: (.+)$/.exec(first)?.[1];
  const heading = /^# (.+)$/.exec(second)?.[1];
  const blocks = rest.map(blockOf);
  const links = blocks.filter(({ kind }) => kind === 'link');
  if (
    subject === undefined ||
    heading === undefined ||
    links.length !== 1 ||
    blocks.at(-1)?.kind !== 'link'
  ) {
    throw new Error(
      `${template}.liquid must have a Subject line, a # heading and one [button](link) as its last block`,
    );
  }
  return { subject, heading, blocks };
}

export function readTemplateFile(name: string): string {
  return readFileSync(new URL(`./templates/${name}.liquid`, import.meta.url), 'utf8');
}

/** The same mail with every part turned into something else. */
export function mapMail<From, To>(
  { subject, heading, blocks }: Mail<From>,
  change: (part: From) => To,
): Mail<To> {
  return {
    subject: change(subject),
    heading: change(heading),
    blocks: blocks.map((block) => mapBlock(block, change)),
  };
}

function mapBlock<From, To>(block: Block<From>, change: (part: From) => To): Block<To> {
  switch (block.kind) {
    case 'paragraph':
      return { kind: 'paragraph', text: change(block.text) };
    case 'facts':
      return {
        kind: 'facts',
        facts: block.facts.map(({ label, value }) => ({ label: change(label), value: change(value) })),
      };
    case 'link':
      return { kind: 'link', label: change(block.label), url: change(block.url) };
    default:
      return assertNever(block);
  }
}

function blockOf(source: string): Block<string> {
  const [, label, url] = /^\[(.+)\]\((.+)\)$/.exec(source) ?? [];
  if (label !== undefined && url !== undefined) return { kind: 'link', label, url };

  const lines = source.split('\n');
  const facts = lines.map((line) => /^- ([^:]+): (.+)$/.exec(line));
  if (facts.every((fact) => fact !== null)) {
    return { kind: 'facts', facts: facts.map(([, name = '', value = '']) => ({ label: name, value })) };
  }
  return { kind: 'paragraph', text: lines.join(' ') };
}
