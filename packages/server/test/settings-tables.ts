import { defaultOf } from '../src/config/flags.ts';
import type { Setting } from '../src/config/setting.ts';

/** The tables of docs/server-settings.md: one for each first part of a name. A test holds that page to them. */
export function settingsTables(table: readonly Setting[]): string {
  const names = [...new Set(table.map(groupOf))];
  return names
    .map((name) => `## ${name}\n\n${tableOf(table.filter((setting) => groupOf(setting) === name))}\n`)
    .join('\n');
}

function groupOf({ name }: Setting): string {
  return name.split('.', 1)[0] ?? name;
}

function tableOf(rows: readonly Setting[]): string {
  return ['| setting | value | default | meaning |', '| --- | --- | --- | --- |', ...rows.map(rowOf)].join(
    '\n',
  );
}

function rowOf(setting: Setting): string {
  const { name, kind, help, reloadable, defaultHelp } = setting;
  const text = defaultOf(setting);
  const byDefault =
    text === '' ? '–' : defaultHelp === undefined ? `\`${text.replaceAll('|', '\\|')}\`` : escape(text);
  const note = reloadable === true ? ' ↻' : '';
  return `| \`${name}\`${note} | ${escape(kind.expected)} | ${byDefault} | ${escape(help)} |`;
}

/** For a cell of a table in Markdown. */
function escape(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('*', '\\*').replaceAll('<', '\\<');
}
