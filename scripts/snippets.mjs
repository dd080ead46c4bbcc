// Extracts the ```ts, ```tsx and ```js blocks of the Markdown pages as modules, which snippets.integration.test.ts compiles
// and runs.
//
// A block's info string may go on with `run` (execute it: it must end by itself, with exit code 0) and
// `file=NAME` (the blocks of one page with the same NAME are one module: a later one continues an earlier one).
// There is no way to opt out of being compiled.
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';

/**
 * @typedef {object} Snippet one module
 * @property {string} name its file name, made of the page and the line (or the name) of the block
 * @property {string} page
 * @property {boolean} run
 * @property {string} text every block is on the lines it has in the page, so errors name the page's lines
 */

const fence = /^(?<indent> *)(?<ticks>`{3,})(?<info>[^`\n]*)\n(?<body>.*?)^ *\k<ticks>`*[ \t]*$/gms;
const compiled = new Set(['ts', 'tsx', 'js']);
const spelledOtherwise = new Set([
  'typescript',
  'javascript',
  'mts',
  'cts',
  'mjs',
  'cjs',
  'jsx',
  'TypeScript',
  'JavaScript',
]);

/**
 * @param {string} page path of the page, which messages and file names start with
 * @param {string} markdown
 * @returns {Snippet[]}
 */
export function extractSnippets(page, markdown) {
  /** @type {Map<string, Snippet>} */
  const snippets = new Map();
  const text = markdown.replaceAll('\r\n', '\n');
  for (const match of text.matchAll(fence)) {
    const { info = '', indent = '', body = '' } = match.groups ?? {};
    const line = text.slice(0, match.index).split('\n').length;
    const [language = '', ...words] = info.trim().split(/\s+/);
    if (spelledOtherwise.has(language))
      throw new Error(`${page}:${line}: write \`ts\`, \`tsx\` or \`js\`, not \`${language}\``);
    if (!compiled.has(language)) continue;

    let file = String(line);
    let run = false;
    for (const word of words) {
      if (word === 'run') run = true;
      else if (/^file=[\w.-]+$/.test(word)) file = word.slice('file='.length).replace(/\.[jt]sx?$/, '');
      else
        throw new Error(
          `${page}:${line}: unknown word \`${word}\` after \`${language}\`; there are \`run\` and \`file=NAME\``,
        );
    }
    const name = `${page.replace(/\.md$/, '').replaceAll(/[^\w-]+/g, '-')}.${file}.${language}`;
    const snippet = snippets.get(name) ?? { name, page, run: false, text: '' };
    const padding = '\n'.repeat(line + 1 - snippet.text.split('\n').length);
    snippet.text +=
      padding + (indent === '' ? body : body.replaceAll(new RegExp(`^ {0,${indent.length}}`, 'gm'), ''));
    snippet.run ||= run;
    snippets.set(name, snippet);
  }
  return [...snippets.values()];
}

/**
 * The files of a page: its blocks with `file=NAME`, of whichever language. A page of a framework is a program of several
 * files that its compilers build together.
 *
 * @param {string} markdown
 * @returns {Map<string, string>} the text of each, by name
 */
export function extractFiles(markdown) {
  /** @type {Map<string, string>} */
  const files = new Map();
  for (const { groups: { info = '', body = '' } = {} } of markdown.matchAll(fence)) {
    const name = /\bfile=([\w./-]+)/.exec(info)?.[1];
    if (name !== undefined) files.set(name, (files.get(name) ?? '') + body);
  }
  return files;
}

/**
 * @param {string} root the repository
 * @returns {string[]} the pages whose snippets are checked, relative to `root`
 */
export function findPages(root) {
  const packages = ['packages', 'examples'].flatMap((folder) =>
    readdirSync(join(root, folder)).map((name) => `${folder}/${name}`),
  );
  const pages = ['.', ...packages].flatMap((folder) => markdownIn(root, folder, false));
  const home = existsSync(join(root, 'site/index.md')) ? ['site/index.md'] : [];
  return existsSync(join(root, 'docs')) ? [...pages, ...home, ...markdownIn(root, 'docs', true)] : pages;
}

/** @param {string} root @param {string} folder @param {boolean} recursive */
function markdownIn(root, folder, recursive) {
  return readdirSync(join(root, folder), { encoding: 'utf8', recursive })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(folder, name).replaceAll('\\', '/'));
}

/**
 * Writes the snippets and a tsconfig that compiles them to `out/`. The folder has to lie inside the repository:
 * `tidings`, `express` and so on resolve as they do for a user, through node_modules and `exports`.
 *
 * @param {string} folder
 * @param {readonly Snippet[]} snippets
 */
export function writeSnippets(folder, snippets) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const { name, text } of snippets) writeFileSync(join(folder, basename(name)), text);
  const compilerOptions = {
    rootDir: '.',
    outDir: 'out',
    composite: false,
    declarationMap: false,
    sourceMap: false,
    isolatedDeclarations: false,
    allowJs: true,
    // Nest.
    experimentalDecorators: true,
    checkJs: true,
    // Every snippet is a module, also one without imports: no name of one is seen by another.
    moduleDetection: 'force',
    jsx: 'react-jsx',
    types: ['node'],
    lib: ['ES2023', 'ES2024.String', 'DOM', 'DOM.Iterable'],
  };
  const config = {
    extends: '../tsconfig.base.json',
    compilerOptions,
    files: snippets.map((snippet) => snippet.name),
  };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config, null, 2));
}
