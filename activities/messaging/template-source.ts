/**
 * Reads a mail template. Its file reads like the mail: a `Subject:` line, a `# heading`, paragraphs, lists of
 * `- Label: value` facts and, last, exactly one `[button](link)`. Each part is Liquid. A paragraph or a fact in `**` is bold; a
 * list of `- {{ variable }}` alone has as many facts as the variable has lines, each a `Label: value` that may be bold, too.
 */
import { readFileSync } from 'node:fs';
import { assertNever } from '../../domain/errors.ts';
import type { NotificationTemplate } from '../../domain/messaging/notification.ts';

/** One piece of a mail. `Part` is the piece's Liquid source, then what it rendered to. */
export type Block<Part> =
  | { kind: 'paragraph'; text: Part; isBold: boolean }
  | { kind: 'facts'; facts: Fact<Part>[] }
  | { kind: 'lines'; text: Part }
  | { kind: 'link'; label: Part; url: Part };

/** Among `plain` facts a `bold` one is seen; as usual all values stand out a little. */
export type Fact<Part> = { label: Part; value: Part; weight: 'usual' | 'plain' | 'bold' };

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

/** The same mail with every part turned into something else; `several` parts may have more than one line. */
export function mapMail<From, To>(
  { subject, heading, blocks }: Mail<From>,
  change: (part: From, lines: 'one' | 'several') => To,
): Mail<To> {
  return {
    subject: change(subject, 'one'),
    heading: change(heading, 'one'),
    blocks: blocks.map((block) => mapBlock(block, change)),
  };
}

function mapBlock<From, To>(
  block: Block<From>,
  change: (part: From, lines: 'one' | 'several') => To,
): Block<To> {
  switch (block.kind) {
    case 'paragraph':
      return { ...block, text: change(block.text, 'one') };
    case 'facts':
      return {
        kind: 'facts',
        facts: block.facts.map(({ label, value, weight }) => ({
          label: change(label, 'one'),
          value: change(value, 'one'),
          weight,
        })),
      };
    case 'lines':
      return { kind: 'lines', text: change(block.text, 'several') };
    case 'link':
      return { kind: 'link', label: change(block.label, 'one'), url: change(block.url, 'one') };
    default:
      return assertNever(block);
  }
}

function blockOf(source: string): Block<string> {
  const [, label, url] = /^\[(.+)\]\((.+)\)$/.exec(source) ?? [];
  if (label !== undefined && url !== undefined) return { kind: 'link', label, url };

  const lines = source.split('\n');
  const facts = lines.map((line) => factOf(line.replace(/^- /, ''), line.startsWith('- ')));
  if (facts.every((fact) => fact !== null)) return { kind: 'facts', facts };
  const [, several] = /^- (\{\{ \w+ \}\})$/.exec(source) ?? [];
  if (several !== undefined) return { kind: 'lines', text: several };

  const text = lines.join(' ');
  const [, bold] = boldText.exec(text) ?? [];
  return { kind: 'paragraph', text: bold ?? text, isBold: bold !== undefined };
}

const boldText = /^\*\*(.+)\*\*$/s;

function factOf(line: string, isFact: boolean): Fact<string> | null {
  const [, bold] = boldText.exec(line) ?? [];
  const [, label, value] = /^([^:{}]+): (.+)$/.exec(bold ?? line) ?? [];
  if (!isFact || label === undefined || value === undefined) return null;
  return { label, value, weight: bold === undefined ? 'usual' : 'bold' };
}

/** The facts of several lines. Throws for a line that is none: a mistake of ours. */
export function factsOfLines(text: string): Fact<string>[] {
  return text.split('\n').map((line) => {
    const [, bold] = boldText.exec(line) ?? [];
    const [, label, value] = /^([^:]+): (.+)$/.exec(bold ?? line) ?? [];
    if (label === undefined || value === undefined) throw new Error(`A line of a mail is no "Label: value"`);
    return { label, value, weight: bold === undefined ? 'plain' : 'bold' };
  });
}
