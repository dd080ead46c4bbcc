import { readFileSync } from 'node:fs';
import { createError } from 'tidings/transport';
import { whyUnreadable } from './unreadable.ts';
import { type Document, LineCounter, parseDocument } from 'yaml';

/**
 * The values of a configuration file, YAML or JSON (which is YAML as well), by their dotted names. Lists, and what is
 * in them, are values.
 *
 * @param isSetting tells settings from their parents: a setting may be a mapping itself.
 * @throws {TidingsError} `config/unreadable`.
 */
export function readConfigFile(
  path: string,
  isSetting: (name: string) => boolean,
): Readonly<Record<string, unknown>> {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    const message = `The configuration ${path} can’t be read: ${whyUnreadable(cause)}.`;
    throw createError('config/unreadable', message, { cause });
  }
  return parseConfig(text, path, isSetting);
}

/** @throws {TidingsError} `config/unreadable`. */
export function parseConfig(
  text: string,
  path: string,
  isSetting: (name: string) => boolean,
): Readonly<Record<string, unknown>> {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true });
  const [mistake] = document.errors;
  if (mistake !== undefined) {
    const { line, col } = lines.linePos(mistake.pos[0]);
    throw createError('config/unreadable', `${path}:${line}:${col} is no YAML or JSON (${mistake.code}).`);
  }
  const root = toValues(document, path);
  if (root === null || root === undefined) return {};
  if (!isMapping(root))
    throw createError(
      'config/unreadable',
      `Expected ${path} to have settings by name, such as \`log: {url: …}\`.`,
    );
  const values = Object.create(null) as Record<string, unknown>;
  flatten(root, '', values, path, isSetting);
  return values;
}

function toValues(document: Document, path: string): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 });
  } catch (cause) {
    // Aliases that repeat others, again and again, or that name nothing.
    throw createError('config/unreadable', `${path} has aliases that can't be resolved.`, { cause });
  }
}

function flatten(
  mapping: Readonly<Record<string, unknown>>,
  prefix: string,
  into: Record<string, unknown>,
  path: string,
  isSetting: (name: string) => boolean,
): void {
  for (const [key, value] of Object.entries(mapping)) {
    const name = prefix + key;
    if (isMapping(value) && !isSetting(name)) {
      flatten(value, `${name}.`, into, path, isSetting);
      continue;
    }
    if (Object.hasOwn(into, name)) throw createError('config/unreadable', `${path} has \`${name}\` twice.`);
    // An empty `publish:` has no settings.
    if (value !== null || isSetting(name)) into[name] = value;
  }
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
