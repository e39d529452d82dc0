/**
 * An XML file as a stream of subtrees: the reader names the elements it wants whole, everything else passes by. Names
 * are told without their prefixes, so that it does not matter which one a bank has chosen.
 *
 * Nothing in a file can make it grow: declarations of entities and every reference to one are refused, and depth, the
 * length of a text and the size of a subtree have limits.
 */
import { SaxesParser } from 'saxes';
import { StatementError } from './statement-error.ts';

export type XmlElement = {
  name: string;
  attributes: Readonly<Record<string, string>>;
  text: string;
  children: XmlElement[];
  line: number;
};

export type XmlReader = {
  /** An element outside of a subtree begins: `true` takes it, with all that is in it, as a subtree. */
  onOpen: (element: XmlElement, parents: readonly string[]) => boolean;
  /** A subtree is complete. */
  onSubtree: (element: XmlElement) => void;
  /** An element outside of a subtree ends. */
  onClose: (name: string, line: number) => void;
  /** An element within a subtree is complete: `false` drops it, once the reader has taken from it what it needs. */
  keeps: (element: XmlElement) => boolean;
};

export type XmlParser = { write: (text: string) => void; end: () => void };

/** `linesBefore`: how many line ends were taken off before the declaration, which must come first. */
export function xmlSubtrees(reader: XmlReader, linesBefore: number): XmlParser {
  const parser = new SaxesParser({ xmlns: false, position: true });
  const path: string[] = [];
  const open: XmlElement[] = [];
  let sizeOfSubtree = 0;
  let lengthWithoutEvent = 0;

  const lineNow = () => parser.line + linesBefore;
  const refuse = (reason: StatementError['reason'], message: string): never => {
    throw new StatementError({ reason, line: lineNow(), message });
  };
  const grow = (size: number) => {
    lengthWithoutEvent = 0;
    sizeOfSubtree += size;
    if (sizeOfSubtree > limits.subtree)
      refuse('field_too_long', 'One entry of this file is larger than any bank writes.');
  };
  const addText = (text: string) => {
    const element = open.at(-1);
    grow(element ? text.length : 0);
    if (!element) return;
    element.text += text;
    if (element.text.length > limits.text)
      refuse('field_too_long', `The text of ${element.name} is too long.`);
  };

  parser.on('error', (error) => {
    if (/undefined entity/.test(error.message)) refuse('xml_entities_refused', entitiesRefused);
    const isCutOff = /unclosed tag|unexpected end|must contain a root/.test(error.message);
    refuse(
      isCutOff ? 'file_cut_off' : 'structure_unreadable',
      isCutOff
        ? 'The file ends before its last element does. Fetch it again from the bank.'
        : `The file is not well-formed XML (${error.message.replace(/^[\d:]*\s*/, '').replace(/\.$/, '')}).`,
    );
  });
  parser.on('doctype', () => refuse('xml_entities_refused', entitiesRefused));
  parser.on('text', addText);
  parser.on('cdata', addText);
  parser.on('comment', () => grow(0));
  parser.on('processinginstruction', () => grow(0));
  parser.on('opentag', ({ name: fullName, attributes }) => {
    const name = localName(fullName);
    const element: XmlElement = { name, attributes, text: '', children: [], line: lineNow() };
    if (path.length >= limits.depth) refuse('structure_unreadable', 'Its elements are nested too deeply.');
    if (open.length === 0) sizeOfSubtree = 0;
    if (open.length > 0 || reader.onOpen(element, path)) open.push(element);
    grow(open.length === 0 ? 0 : elementSize + sizeOf(attributes));
    path.push(name);
  });
  parser.on('closetag', ({ name: fullName }) => {
    path.pop();
    grow(0);
    const element = open.pop();
    const parent = open.at(-1);
    if (!element) reader.onClose(localName(fullName), lineNow());
    else if (!parent) reader.onSubtree(element);
    else if (reader.keeps(element)) parent.children.push(element);
  });

  return {
    write(text) {
      lengthWithoutEvent += text.length;
      parser.write(text);
      if (lengthWithoutEvent > limits.text) refuse('field_too_long', 'One element of this file is too long.');
    },
    end: () => {
      parser.close();
    },
  };
}

/** The elements of this path below an element; every step may stand several times. */
export function allAt(element: XmlElement | undefined, ...path: string[]): XmlElement[] {
  let found = element ? [element] : [];
  for (const name of path)
    found = found.flatMap(({ children }) => children.filter((child) => child.name === name));
  return found;
}

export function firstAt(element: XmlElement | undefined, ...path: string[]): XmlElement | undefined {
  return allAt(element, ...path)[0];
}

/** The trimmed text of the first; `''` where there is none. */
export function textAt(element: XmlElement | undefined, ...path: string[]): string {
  return firstAt(element, ...path)?.text.trim() ?? '';
}

const limits = { depth: 64, text: 131_072, subtree: 64_000_000 } as const;
/** What an empty element takes, in characters. */
const elementSize = 64;

const entitiesRefused =
  'The file declares or uses XML entities, which no bank needs and which can hide anything. It is not read.';

function sizeOf(attributes: Readonly<Record<string, string>>): number {
  return Object.entries(attributes).reduce((sum, [name, value]) => sum + name.length + value.length, 0);
}

function localName(name: string): string {
  return name.slice(name.indexOf(':') + 1);
}
