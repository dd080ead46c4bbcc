// Makes the page of types from the declarations that the compiler writes: what each entry point of the package exports, with the
// comments of the sources.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { root } from './pages.ts';

interface Declaration {
  readonly name: string;
  readonly text: string;
  readonly comment: string;
}

const library = join(root, 'packages/tidings');

interface Manifest {
  readonly exports: Readonly<Record<string, string | { readonly types: string }>>;
}

export function typesPage(): string {
  const { exports } = JSON.parse(readFileSync(join(library, 'package.json'), 'utf8')) as Manifest;
  const entries = Object.entries(exports).flatMap(([path, target]) =>
    typeof target === 'string' ? [] : [[`tidings${path.slice(1)}`, join(library, target.types)] as const],
  );
  const sections = entries.map(([name, file]) => section(name, file));
  const list = entries.map(([name]) => `[\`${name}\`](#${name.replaceAll('/', '')})`).join(' · ');
  return `# Types\n\nWhat each entry point exports, from the declarations of the package.\n\n${list}\n\n${sections.join('\n')}`;
}

function section(name: string, file: string): string {
  const declarations = exportsOf(file).toSorted((a, b) => a.name.localeCompare(b.name));
  const blocks = declarations.map(
    ({ name: each, comment, text }) => `### ${each}\n\n${comment}\n\n\`\`\`ts\n${text}\n\`\`\`\n`,
  );
  return `## ${name}\n\n${blocks.join('\n')}`;
}

/** Follows re-exports to where each name is declared. */
function exportsOf(file: string): Declaration[] {
  if (!existsSync(file)) throw new Error(`${file} is missing: run \`npx tsc -b packages/tidings\`.`);
  const text = readFileSync(file, 'utf8');
  const found: Declaration[] = [];
  for (const [, names = '', from = ''] of text.matchAll(/^export (?:type )?\{([^}]*)\} from '([^']+)';/gm)) {
    const target = exportsOf(join(dirname(file), from.replace(/\.(ts|js)$/, '.d.ts')));
    for (const name of names.split(',')) {
      const [original = '', alias = original] = name
        .trim()
        .replace(/^type /, '')
        .split(/ as /);
      const declaration = target.find((each) => each.name === original);
      if (declaration !== undefined) found.push({ ...declaration, name: alias });
    }
  }
  for (const [, from = ''] of text.matchAll(/^export (?:type )?\* from '([^']+)';/gm)) {
    found.push(...exportsOf(join(dirname(file), from.replace(/\.(ts|js)$/, '.d.ts'))));
  }
  return [...found, ...declared(text)];
}

function declared(text: string): Declaration[] {
  const start =
    /^(\/\*\*(?:(?!\*\/)[\s\S])*\*\/\n)?export (?:declare )?(?:abstract )?(?:function|const|class|interface|type) (\w+)/gm;
  const matches = [...text.matchAll(start)];
  const byName = new Map<string, Declaration>();
  for (const [index, match] of matches.entries()) {
    const [, comment = '', name = ''] = match;
    const end = matches[index + 1]?.index ?? text.length;
    const whole = text.slice((match.index ?? 0) + comment.length, end);
    // Up to the end of the declaration: what follows may be declarations that aren't exported.
    const declaration =
      /^[\s\S]*?(?:^\}|;$)/m.exec(whole.replace(/^export declare /, 'export '))?.[0] ?? whole;
    const before = byName.get(name);
    byName.set(name, {
      name,
      comment: before?.comment ?? readComment(comment),
      text: before === undefined ? declaration.trim() : `${before.text}\n${declaration.trim()}`,
    });
  }
  return [...byName.values()];
}

function readComment(comment: string): string {
  return comment
    .replace(/^\/\*\*\s*|\s*\*\/\s*$/g, '')
    .replaceAll(/^\s*\* ?/gm, '')
    .replaceAll(/^@(\w+)/gm, '\n**$1**')
    .replaceAll('<', '&lt;')
    .replaceAll(/\{@link ([^}]+)\}/g, '$1')
    .replaceAll('{{', '{ {')
    .trim();
}
