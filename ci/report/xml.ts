/** XML text and attributes from arbitrary strings: markup escaped, and what XML 1.0 cannot hold shown as \xNN. */

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
  return legal(text).replace(/[&<>\r]/g, (character) => markup[character] ?? character);
}

function attribute(name: string, value: string | number | undefined): string {
  if (value === undefined) return '';
  return ` ${name}="${legal(String(value)).replace(/[&<>"\n\r\t]/g, (character) => markup[character] ?? character)}"`;
}

/** Shows each character outside XML 1.0's range by its number, so that nothing is lost silently. */
function legal(text: string): string {
  let out = '';
  for (const character of text) out += isLegal(character.codePointAt(0) ?? 0) ? character : numbered(character);
  return out;
}

function isLegal(code: number): boolean {
  if (code < 0x20) return code === 0x9 || code === 0xa || code === 0xd;
  return !(code >= 0x7f && code <= 0x9f) && !(code >= 0xd800 && code <= 0xdfff) && code !== 0xfffe && code !== 0xffff;
}

function numbered(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  return code <= 0xff ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`;
}
