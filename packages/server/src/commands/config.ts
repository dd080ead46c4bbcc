import { type Command, type Given, type Terminal, UsageError } from '../cli/command.ts';
import { defaultOf, flagsOf } from '../config/flags.ts';
import { loadSettings } from '../config/load.ts';
import { type Setting, type Settings, variableOf } from '../config/setting.ts';
import { checkSettings } from '../server/check.ts';
import { SETTINGS } from '../server/table.ts';

/** `tidings config check | print | env` */
export const config: Command = {
  summary: 'Checks or prints the configuration that serve would run with.',
  positionals: 'check|print|env',
  about:
    'check   reads all files that it names, too; says what is wrong, and exits with 1 if anything is\n' +
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
    if (action === 'env') return Promise.resolve(printVariables(terminal));
    return examine(action, given, terminal);
  },
};

async function examine(action: string | undefined, given: Given, terminal: Terminal): Promise<number> {
  const { settings, problems } = loadSettings(SETTINGS, given, process.env);
  if (action === 'print') printSettings(settings, terminal);
  // With a setting that is wrong, others would be checked against its default.
  const checked =
    action === 'check' && problems.length === 0
      ? await checkSettings(settings, process.env)
      : { problems, warnings: [] };
  for (const { message, code } of checked.problems) terminal.err(`${message} (${code})\n`);
  for (const { message, fields } of checked.warnings)
    terminal.err(`Warning: ${message} (${Object.values(fields).join(', ')})\n`);
  if (checked.problems.length > 0) return 1;
  if (action === 'check') terminal.out('The configuration is valid.\n');
  return 0;
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

/** As a file for `docker run --env-file` and the like: an empty variable counts as unset. */
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
