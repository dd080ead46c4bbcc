import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { doctor } from '../commands/doctor.ts';
import { type Command, type Terminal, UsageError, parseArgsOptions } from './command.ts';
import { helpOf, overview } from './help.ts';

const commands: Readonly<Record<string, Command>> = { doctor };

/** @returns the exit status: 0 if all is well, 1 if the command found or met a problem, 2 if the command line is wrong. */
export async function runCli(args: readonly string[], terminal: Terminal): Promise<number> {
  const [name = 'help', ...rest] = args;
  if (name === '--version' || name === '-v') {
    terminal.out(`${version()}\n`);
    return 0;
  }
  if (name === 'help' || name === '--help' || name === '-h') return help(rest[0], terminal);
  const command = commandOf(name);
  if (command === undefined) return help(name, terminal);
  try {
    const { values, positionals } = parseArgs({
      args: rest,
      allowPositionals: true,
      options: {
        ...parseArgsOptions(command.flags),
        help: { type: 'boolean', short: 'h' },
      },
    });
    if (values['help'] === true) return help(name, terminal);
    if (command.positionals === '' && positionals.length > 0) {
      throw new UsageError(
        `Expected nothing after "tidings ${name}", got ${JSON.stringify(positionals[0])}.`,
      );
    }
    return await command.run({ flags: values, positionals }, terminal);
  } catch (error) {
    if (!isUsageError(error)) throw error;
    terminal.err(`${error.message}\nTry: tidings help ${name}\n`);
    return 2;
  }
}

function commandOf(name: string): Command | undefined {
  return Object.hasOwn(commands, name) ? commands[name] : undefined;
}

function help(name: string | undefined, terminal: Terminal): number {
  if (name === undefined) {
    terminal.out(overview(commands));
    return 0;
  }
  const command = commandOf(name);
  if (command === undefined) {
    terminal.err(`There is no command ${JSON.stringify(name)}.\n\n${overview(commands)}`);
    return 2;
  }
  terminal.out(helpOf(name, command));
  return 0;
}

/** `parseArgs` throws a TypeError with a code of this family. */
function isUsageError(error: unknown): error is Error {
  if (error instanceof UsageError) return true;
  return error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS_');
}

function version(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  return String((manifest as { readonly version?: unknown }).version);
}
