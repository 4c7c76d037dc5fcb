/** XML text and attributes from arbitrary strings: markup escaped, and what XML 1.0 cannot hold shown as \xNN. In text a > stays,
 *  so that a repeat line can be pasted from the raw file. */
import { printable } from './text.js';

const markup: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  // An attribute would be normalised to spaces without these.
  '\n': '&#10;',
  '\r': '&#13;',
  '\t': '&#9;',
};

const plain = new Map(Object.entries(markup).map(([character, entity]) => [entity, character]));

export type Attributes = Readonly<Record<string, string | number | undefined>>;

/** An element; children are XML already and stand on lines of their own. */
export function element(name: string, attributes: Attributes, children: readonly string[] = []): string {
  const start = `<${name}${Object.entries(attributes).map(([key, value]) => attribute(key, value)).join('')}`;
  return children.length === 0 ? `${start}/>` : `${start}>\n${children.join('\n')}\n</${name}>`;
}

/** An element around text. */
export function textElement(name: string, attributes: Attributes, text: string): string {
  const start = `<${name}${Object.entries(attributes).map(([key, value]) => attribute(key, value)).join('')}`;
  return text === '' ? `${start}/>` : `${start}>${escapeText(text)}</${name}>`;
}

export function escapeText(text: string): string {
  return printable(text).replace(/[&<\r]|(?<=\]\])>/g, (character) => markup[character] ?? character);
}

/** The text behind what this file escaped. */
export function unescaped(text: string): string {
  return text.replace(/&(?:#\d+|[a-z]+);/g, (entity) => plain.get(entity) ?? entity);
}

function attribute(name: string, value: string | number | undefined): string {
  if (value === undefined) return '';
  return ` ${name}="${printable(String(value)).replace(/[&<>"\n\r\t]/g, (character) => markup[character] ?? character)}"`;
}
