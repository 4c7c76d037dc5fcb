/** The import table (deps.json), enforced: imports run vm <- suites <- (as paths) ci, and each package has its owners. */
import { readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join, relative } from 'node:path';
import ts from 'typescript';

interface Rule {
  readonly from: string;
  readonly packages: readonly string[];
  readonly inside: readonly string[];
  readonly node?: boolean;
}

interface Import {
  readonly specifier: string;
  readonly line: number;
  readonly isTypeOnly: boolean;
}

const table = JSON.parse(readFileSync(new URL('./deps.json', import.meta.url), 'utf8')) as { readonly rules: readonly Rule[] };

/** Findings over the given files, whose paths are relative to `root`. */
export function checkImports(root: string, files: readonly string[], rules: readonly Rule[] = table.rules): string[] {
  return files.filter((file) => /\.(ts|mts|js|mjs)$/.test(file)).flatMap((file) => {
    const rule = ruleFor(file, rules);
    if (rule === undefined) return [`${file}:1: no rule in deps.json says what it may import`];
    const found = importsOf(file, readFileSync(join(root, file), 'utf8'));
    return found.filter((one) => !isAllowed(one, file, rule)).map(({ specifier, line }) =>
      `${file}:${line}: ${rule.from} may not import ${specifier}`);
  });
}

function ruleFor(file: string, rules: readonly Rule[]): Rule | undefined {
  const matching = rules.filter(({ from }) => isWithin(file, from));
  return matching.sort((a, b) => b.from.length - a.from.length)[0];
}

function isAllowed({ specifier, isTypeOnly }: Import, file: string, rule: Rule): boolean {
  if (specifier.startsWith('.')) {
    if (isTypeOnly) return !isWithin(file, 'vm') || isWithin(target(file, specifier), 'vm');
    return rule.inside.some((folder) => isWithin(target(file, specifier), folder === '.' ? topic(file) : folder));
  }
  if (specifier.startsWith('node:')) return rule.node !== false || isTypeOnly;
  if (builtinModules.includes(specifier)) return false; // write node: in front
  return rule.packages.some((name) => specifier === name || specifier.startsWith(`${name}/`));
}

function target(file: string, specifier: string): string {
  return relative('.', join(dirname(file), specifier)).replace(/\.js$/, '.ts');
}

function topic(file: string): string {
  return file.split('/').slice(0, 2).join('/');
}

function isWithin(file: string, folder: string): boolean {
  return file === folder || file.startsWith(`${folder}/`);
}

function importsOf(file: string, text: string): Import[] {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const found: Import[] = [];
  const add = (node: ts.Node, specifier: ts.Node | undefined, isTypeOnly: boolean) => {
    if (specifier === undefined || !ts.isStringLiteral(specifier)) return;
    const line = source.getLineAndCharacterOfPosition(node.getStart()).line + 1;
    found.push({ specifier: specifier.text, line, isTypeOnly });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) add(node, node.moduleSpecifier, isTypeImport(node));
    else if (ts.isExportDeclaration(node)) add(node, node.moduleSpecifier, node.isTypeOnly);
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) add(node, node.arguments[0], false);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

function isTypeImport({ importClause }: ts.ImportDeclaration): boolean {
  if (importClause === undefined) return false;
  if (importClause.phaseModifier === ts.SyntaxKind.TypeKeyword) return true;
  const named = importClause.namedBindings;
  if (importClause.name !== undefined || named === undefined || !ts.isNamedImports(named)) return false;
  return named.elements.length > 0 && named.elements.every(({ isTypeOnly }) => isTypeOnly);
}
