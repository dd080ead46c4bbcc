import { type Command, type Given, type Terminal, UsageError } from '../cli/command.ts';
import { defaultOf, flagsOf } from '../config/flags.ts';
import { loadSettings } from '../config/load.ts';
import { type Setting, type Settings, variableOf } from '../config/setting.ts';
import { SETTINGS } from '../server/table.ts';

/** `tidings config check | print | env` */
export const config: Command = {
  summary: 'Checks or prints the configuration that serve would run with.',
  positionals: 'check|print|env',
  about:
    'check   says what is wrong, and exits with 1 if anything is\n' +
    'print   prints every setting, its value and where that comes from; secrets are hidden\n' +
    'env     prints the variables of the environment with their defaults\n\n' +
    'It reads the flags, the environment and the file that serve would read.',
  flags: flagsOf(SETTINGS),
  run(given, terminal) {
    const [action, ...more] = given.positionals;
    if (more.length > 0 || !['check', 'print', 'env'].includes(action ?? '')) {
      throw new UsageError(
        `Expected check, print or env, got ${given.positionals.length === 0 ? 'nothing' : JSON.stringify(given.positionals.join(' '))}.`,
      );
    }
    return Promise.resolve(action === 'env' ? printVariables(terminal) : examine(action, given, terminal));
  },
};

function examine(action: string | undefined, given: Given, terminal: Terminal): number {
  const { settings, problems } = loadSettings(SETTINGS, given, process.env);
  if (action === 'print') printSettings(settings, terminal);
  for (const { message, code } of problems) terminal.err(`${message} (${code})\n`);
  if (problems.length === 0 && action === 'check') terminal.out('The configuration is valid.\n');
  return problems.length === 0 ? 0 : 1;
}

function printSettings(settings: Settings, terminal: Terminal): void {
  for (const setting of SETTINGS) {
    const text = textOf(settings, setting);
    terminal.out(`${setting.name}: ${text}  # ${settings.sourceOf(setting)}\n`);
  }
}

/** As YAML: the output is itself a valid configuration. */
function textOf(settings: Settings, setting: Setting): string {
  const value = settings.get(setting);
  if (value === undefined || value === null) return '';
  if (setting.kind.isSecret === true) return '(hidden)';
  if (setting.kind.placeholder === 'JSON' || typeof value === 'boolean') return setting.kind.toText(value);
  if (typeof value === 'number' && Number.isFinite(value) && setting.kind.toText(value) === String(value))
    return String(value);
  return Array.isArray(value) ? JSON.stringify(value) : JSON.stringify(setting.kind.toText(value));
}

/** As a file for `docker run --env-file` and the like: what is empty counts as unset. */
function printVariables(terminal: Terminal): number {
  for (const setting of SETTINGS) {
    const { defaultHelp, help, kind } = setting;
    const note = defaultHelp === undefined ? '' : ` (${defaultHelp})`;
    const value = defaultHelp === undefined ? defaultOf(setting) : '';
    terminal.out(`# ${help}${note}\n${variableOf(setting)}=${value}\n`);
    if (kind.isSecret === true) terminal.out(`${variableOf(setting)}_FILE=\n`);
  }
  return 0;
}
