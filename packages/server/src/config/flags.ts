import type { Flag } from '../cli/command.ts';
import { type Setting, flagOf } from './setting.ts';

export const CONFIG_FLAG: Readonly<Record<string, Flag>> = {
  config: {
    type: 'string',
    short: 'c',
    value: 'FILE',
    help: 'a configuration file, YAML or JSON; also TIDINGS_CONFIG',
  },
};

/** The flags of a command that takes all settings. */
export function flagsOf(table: readonly Setting[]): Readonly<Record<string, Flag>> {
  const flags = table.map((setting): [string, Flag] => {
    const { kind, help } = setting;
    const rest = `${help}${defaultText(setting)}`;
    if (kind.isSecret === true)
      return [
        `${flagOf(setting)}-file`,
        { type: 'string', value: 'FILE', help: `a file that holds ${rest}` },
      ];
    if (kind.isFlag === true) return [flagOf(setting), { type: 'boolean', help: rest }];
    return [
      flagOf(setting),
      { type: 'string', multiple: kind.isList === true, value: kind.placeholder, help: rest },
    ];
  });
  return { ...CONFIG_FLAG, ...Object.fromEntries(flags) };
}

/** The default in words; empty if there is none. */
export function defaultOf(setting: Setting): string {
  if (setting.defaultHelp !== undefined) return setting.defaultHelp;
  if (setting.default === undefined || setting.default === null || setting.kind.isSecret === true) return '';
  if (Array.isArray(setting.default) && setting.default.length === 0) return '';
  return setting.kind.toText(setting.default);
}

function defaultText(setting: Setting): string {
  const text = defaultOf(setting);
  return text === '' ? '' : ` (${text})`;
}
