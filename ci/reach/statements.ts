/** Where statements begin and end in C functions of kernel style, whose braces stand in column 0: enough of a parser to
 *  put a call before each statement, and to say which statement a line belongs to. Pure.
 */

export interface Statement {
  /** Where its first character behind labels is in the text, from 0. */
  readonly start: number;
  /** Behind its last character. */
  readonly end: number;
  /** It is ruled by an `if` or a loop without braces, so that a second statement there needs them. */
  readonly isBare: boolean;
}

export interface CFunction {
  /** Its lines, from 1: those of its braces. */
  readonly firstLine: number;
  readonly lastLine: number;
  /** In the order in which they begin; empty when the body is beyond this parser. */
  readonly statements: readonly Statement[];
}

interface Token {
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

const tokenPattern = /\/\*[^]*?\*\/|\/\/.*|"(?:\\[^]|[^"\\])*"|'(?:\\[^]|[^'\\])*'|^[ \t]*#(?:\\\n|.)*|\w+|\S/gm;
const closing: Readonly<Record<string, string>> = { '(': ')', '{': '}', '[': ']' };
/** They look like a loop macro: a word, parentheses, and then a word. */
const noLoops = new Set(['typeof', '__typeof__', 'sizeof', '__attribute__', '__aligned', 'asm', 'return']);

export function readFunctions(text: string): CFunction[] {
  const functions: CFunction[] = [];
  let start = 0;
  let first: { readonly line: number; readonly offset: number } | undefined;
  text.split('\n').forEach((line, index) => {
    if (/^\{\s*$/.test(line)) first = { line: index + 1, offset: start };
    if (/^\}\s*$/.test(line) && first !== undefined) {
      functions.push({ firstLine: first.line, lastLine: index + 1, statements: readBody(text, first.offset, start + 1) });
      first = undefined;
    }
    start += line.length + 1;
  });
  return functions;
}

function readBody(text: string, start: number, end: number): Statement[] {
  try {
    return new Parser(tokensOf(text.slice(start, end), start)).body().sort((a, b) => a.start - b.start || b.end - a.end);
  } catch (error) {
    if (error instanceof BeyondParserError) return [];
    throw error;
  }
}

function tokensOf(text: string, offset: number): Token[] {
  return [...text.matchAll(tokenPattern)].filter(([token]) => !/^(?:\/[*/]|\s*#)/.test(token))
    .map((match) => ({ text: match[0], start: match.index + offset, end: match.index + offset + match[0].length }));
}

class BeyondParserError extends Error {}

class Parser {
  readonly #tokens: readonly Token[];
  readonly #found: Statement[] = [];
  #at = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  body(): Statement[] {
    this.#block();
    if (this.#at !== this.#tokens.length) throw new BeyondParserError();
    return this.#found;
  }

  #token(ahead = 0): Token {
    const token = this.#tokens[this.#at + ahead];
    if (token === undefined) throw new BeyondParserError();
    return token;
  }

  #is(text: string, ahead = 0): boolean {
    return this.#tokens[this.#at + ahead]?.text === text;
  }

  #take(text?: string): Token {
    const token = this.#token();
    if (text !== undefined && token.text !== text) throw new BeyondParserError();
    this.#at++;
    return token;
  }

  #block(): void {
    this.#take('{');
    while (!this.#is('}')) {
      this.#labels();
      if (this.#is('}')) break;
      this.#note(false);
    }
    this.#take('}');
  }

  #labels(): void {
    for (;;) {
      if (this.#is('case')) {
        while (!this.#is(':')) this.#skip();
      } else if (/^\w+$/.test(this.#token().text) && this.#is(':', 1)) {
        this.#take();
      } else {
        return;
      }
      this.#take(':');
    }
  }

  #inner(): void {
    if (this.#is('{')) this.#block();
    else this.#note(true);
  }

  #note(isBare: boolean): void {
    const { start } = this.#token();
    this.#statement();
    this.#found.push({ start, end: this.#token(-1).end, isBare });
  }

  #statement(): void {
    const { text } = this.#token();
    if (text === '{') return this.#block();
    if (text === 'do') return this.#doLoop();
    if (text === 'if') return this.#if();
    if (['for', 'while', 'switch'].includes(text) || this.#isLoopMacro()) {
      this.#take();
      this.#skip();
      return this.#inner();
    }
    while (!this.#is(';')) this.#skip();
    this.#take(';');
  }

  #doLoop(): void {
    this.#take('do');
    this.#inner();
    this.#take('while');
    this.#skip();
    this.#take(';');
  }

  #if(): void {
    this.#take('if');
    this.#skip();
    this.#inner();
    if (!this.#is('else')) return;
    this.#take('else');
    this.#inner();
  }

  /** Such as list_for_each_entry(...) and scoped_guard(...). */
  #isLoopMacro(): boolean {
    const { text } = this.#token();
    if (!/^[A-Za-z_]\w*$/.test(text) || noLoops.has(text) || !this.#is('(', 1)) return false;
    const before = this.#at;
    this.#take();
    this.#skip();
    const isLoop = this.#is('{') || /^[A-Za-z_]\w*$/.test(this.#token().text);
    this.#at = before;
    return isLoop;
  }

  /** One token, or all from an opening bracket to its closing one. */
  #skip(): void {
    const { text } = this.#take();
    if (/^[)}\]]$/.test(text)) throw new BeyondParserError();
    const end = closing[text];
    if (end === undefined) return;
    while (!this.#is(end)) this.#skip();
    this.#take(end);
  }
}
